/**
 * Hooks by which a client of another room is built on `WebSocketClient`, and the members that only such a client uses.
 *
 * @module
 */

import type { ReceiveOptions } from "../connection/receive_options.ts";
import type { BinaryForm } from "../connection/binary_form.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { AskProgram, ClientConnection, Connector, ConnectPlan, OpenedConnection } from "./connector.ts";
import type { MessageResult } from "../connection/options.ts";
import type { RunEnd } from "./reconnect.ts";

/** Hooks of a client that is built on `WebSocketClient`. Those that are missing leave it as it is. */
export interface ClientExtension {
  /** Connects, instead of the connector that the platform has. */
  connector?: Connector | undefined;
  /** Requires TLS, except to a loopback address: `assertTls`, which a page without such a client need not have. */
  requireTls?: ((plan: ConnectPlan) => void) | undefined;
  /** Close codes that end reconnecting besides `TERMINAL_CODES`, unless the program gives its own. */
  terminalCodes?: readonly number[] | undefined;
  /**
   * Tells whether the program handles messages by other handlers than those of the client.
   *
   * @returns `false`: messages wait, unless a handler of the client is set.
   */
  handlesMessages?(): boolean;
  /** Called when the program has set a handler for messages: hands over what waited for it. */
  handlerAssigned?(): void;
  /**
   * Asks for what the next attempt needs, after `resolveUrl`, `headers` and `token`.
   *
   * @param ask Asks the program.
   */
  prepareAttempt?(ask: AskProgram): Promise<void>;
  /**
   * Tells whether credentials besides `headers` and `token` are asked for before each attempt.
   *
   * @returns `true`: an attempt after a refusal has fresh ones.
   */
  renewsCredentials?(): boolean;
  /**
   * Completes the request of an attempt.
   *
   * @param headers Its header fields, which may be changed.
   * @param protocols The setting `protocols`.
   * @param sendsHeaders `false` if this platform sends no header fields.
   * @returns The subprotocols to offer.
   */
  completeRequest?(headers: Headers, protocols: readonly string[], sendsHeaders: boolean): readonly string[];
  /**
   * Checks what the server chose, before the program is asked.
   *
   * @param protocol The subprotocol, or "".
   * @throws {HandshakeError} If it cannot be used.
   */
  acceptProtocol?(protocol: string): void;
  /** Called when the handshake is done, before any handler. */
  connected?(connection: ClientConnection): void;
  /**
   * Called when `connect` is called before the end of what was disconnected: what begins from now on is for the next
   * connection.
   */
  replaced?(): void;
  /**
   * Called when no other connection follows, or only by another call of `connect` (see `replaced`); before any handler.
   *
   * @param end How the last connection ended, and why reconnecting did.
   * @param last `false`: another call of `connect` follows.
   */
  givenUp?(end: RunEnd, last: boolean): void;
  /** Tells whether loops over the client give something else than the messages of the connection. */
  iterates?(): boolean;
  /**
   * Waits for the next message of such a loop.
   *
   * @param options Options of the call.
   * @returns The message.
   */
  receive?(options: ReceiveOptions): Promise<MessageData>;
  /** Called when no further connection belongs to loops and calls that have begun. */
  waitersDropped?(): void;
  /** Takes a message, instead of {@linkcode ClientContext.deliver}. */
  deliver?(data: MessageData, frame?: FrameInfo): MessageResult;
}

/** Members of `WebSocketClient` for a client that is built on it. */
export interface ClientContext {
  /**
   * Hands a message to `onMessageReceived` or `onBinaryDataReceived`.
   *
   * @param data The message.
   * @param frame Given with `frameByFrame` only.
   * @returns `false` if the handler failed.
   */
  deliver(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean>;
  /**
   * Says what became of a message, for the connection.
   *
   * @param data The message.
   * @param result Result of `deliver`.
   * @returns The promise of the handler; `false` if there is none for this kind of message, but for others.
   */
  handed(data: MessageData, result: boolean | Promise<boolean>): MessageResult;
  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void;
  /**
   * Gives binary messages of the program a form of their own on this connection: the subprotocol has other ones.
   *
   * @param form The form.
   * @returns Sends a message of the subprotocol on this connection, in the form that it has: see
   * {@linkcode OpenedConnection}.
   */
  useBinaryForm(form: BinaryForm): ReturnType<OpenedConnection["useBinaryForm"]>;
  /**
   * Calls a handler. If it throws or rejects, the error goes to `onError` and the connection is closed with 1011.
   *
   * @param name The name of the handler.
   * @param handler Calls it.
   * @returns `false` if it failed.
   */
  callHandler(name: string, handler: () => unknown): boolean | Promise<boolean>;
  /** Tells whether a handler for messages is set, of the client or of the extension. */
  handlesMessages(): boolean;
  /** Reports an error to `onError`. */
  reportError(error: unknown): void;
  /**
   * Closes the connection because of an error that is reported apart.
   *
   * @param code The close code.
   * @param error The error.
   */
  closeWith(code: number, error: unknown): void;
}
