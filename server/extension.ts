/**
 * The hooks by which a server of another room is built on `WebSocketServer`, without a base class that shows them.
 *
 * @module
 */

import type { WebSocketConnection } from "../connection/connection.ts";
import type { MessageResult } from "../connection/options.ts";
import type { AllowResult } from "./handlers.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { BodyTaker, TextReply } from "./text_reply.ts";

/** Hooks of a server that is built on `WebSocketServer`. Those that are missing leave it as it is. */
export interface ServerExtension<Data> {
  /** Called before the port is opened; `start` rejects with the error that it rejects with. */
  prepare?(): Promise<void>;
  /** Called after the last connection has ended, and when the port cannot be opened. */
  finish?(): Promise<void>;
  /** Decides whether to open a WebSocket, instead of `ServerContext.allow`. */
  allow?(connection: WebSocketConnection<Data>): AllowResult;
  /** Tells whether only requests of trusted proxies are served, if there are any. */
  requiresProxy?(): boolean;
  /** Called when a WebSocket is open, before its handlers. */
  opened?(connection: WebSocketConnection<Data>): void;
  /** Called when a WebSocket has ended, before its handlers. */
  ended?(connection: WebSocketConnection<Data>): void;
  /** `true`: `receive` gets texts as bytes, with a frame, and binary messages without one. */
  textAsBytes?: boolean;
  /** Takes a message, instead of `ServerContext.receive`. */
  receive?(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): MessageResult;
  /** Answers a plain HTTP request, instead of `ServerContext.respond`. */
  respond?(request: Request, connection: WebSocketConnection<Data>): Promise<Response>;
  /**
   * Answers a POST with a short body of known length without `Request` and `Response`, in the same way as `respond`.
   *
   * @param line The request line.
   * @param fields The header fields.
   * @param connection The connection it came on.
   * @returns The answer, if the head is enough for one; a function that takes the body; `undefined`: `respond`
   * answers it.
   */
  respondDirectly?:
    | ((
      line: RequestLine,
      fields: HeaderFields,
      connection: WebSocketConnection<Data>,
    ) => TextReply | BodyTaker | undefined)
    | undefined;
}
