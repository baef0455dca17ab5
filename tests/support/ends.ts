/** A client and a server of one process, connected by a pipe. */

import { assertEquals } from "@std/assert";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import type { FrameInfo } from "../../protocol/frame_header.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { pipe } from "./support.ts";

/** A client and a server in one process, and what each got. */
export interface Ends {
  server: WebSocketServer;
  client: WebSocketClient;
  /** The server's end. */
  peer: WebSocketConnection;
  atServer: [MessageData, FrameInfo?][];
  atClient: [MessageData, FrameInfo?][];
  errors: unknown[];
  close(): Promise<void>;
}

/** Connects them; `close` checks that neither reported an error. */
export async function join(
  serverOptions: WebSocketServerOptions,
  clientOptions: WebSocketClientOptions,
): Promise<Ends> {
  const atServer: Ends["atServer"] = [];
  const atClient: Ends["atClient"] = [];
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const server = new WebSocketServer({
    onMessageReceived: (_, text, frame) => void atServer.push(frame ? [text, frame] : [text]),
    onBinaryDataReceived: (_, bytes, frame) => void atServer.push(frame ? [bytes, frame] : [bytes]),
    onError,
    ...serverOptions,
  });
  const client = new WebSocketClient({
    onMessageReceived: (text, frame) => void atClient.push(frame ? [text, frame] : [text]),
    onBinaryDataReceived: (bytes, frame) => void atClient.push(frame ? [bytes, frame] : [bytes]),
    onError,
    ...clientOptions,
  });
  const [ours, theirs] = pipe();
  const peer = server.acceptStream(ours);
  await client.connect({ stream: theirs });
  const close = async (): Promise<void> => {
    await client.disconnect();
    await server.stop();
    assertEquals(errors, []);
  };
  return { server, client, peer, atServer, atClient, errors, close };
}
