/** A peer of a `WebSocketServer` over a pair of streams, for several plain requests on one connection. */

import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { decode, encode, pipe, until } from "./support.ts";

/** The side of the peer. */
export interface KeptPeer {
  readonly server: WebSocketServer;
  /** What the server has sent. */
  readonly text: string;
  /** `true` once the server has ended the connection. */
  readonly ended: boolean;
  /** `true` once the server takes nothing any more. */
  readonly lost: boolean;
  /** What `onError` has got. */
  readonly errors: unknown[];
  write(text: string): void;
  /** Sends FIN. */
  end(): void;
  /** Waits until a text has come that number of times. */
  answers(text: string, times: number): Promise<void>;
}

/**
 * Connects to a server over a pair of streams.
 *
 * @param given The server, or the options of one.
 */
export function memoryPair(given: WebSocketServer | WebSocketServerOptions): KeptPeer {
  const [ours, theirs] = pipe();
  const writer = ours.writable.getWriter();
  const errors: unknown[] = [];
  const server = given instanceof WebSocketServer
    ? given
    : new WebSocketServer({ onError: (error) => void errors.push(error), ...given });
  const peer = {
    server,
    text: "",
    ended: false,
    lost: false,
    errors,
    write: (text: string): void => void writer.write(encode(text)).catch(() => {}),
    end: (): void => void writer.close().catch(() => {}),
    answers: (text: string, times: number) => until(() => peer.text.split(text).length > times, `${times} × ${text}`),
  };
  writer.closed.catch(() => {}).then(() => peer.lost = true);
  server.acceptStream(theirs);
  readAll(ours.readable, (text) => peer.text += text).then(() => peer.ended = true);
  return peer;
}

async function readAll(readable: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  try {
    for await (const bytes of readable) take(decode(bytes));
  } catch {
    // The server broke off.
  }
}
