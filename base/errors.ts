/**
 * The errors of this library: one class for each category, all of them a {@linkcode WebSocketError} with a stable
 * `code`, except {@linkcode OptionError}; and the close codes of RFC 6455 §7.4 they map to.
 *
 * @example Tell failures by class and code
 * ```ts
 * import { WebSocketClient } from "@tackline/websocket/client";
 * import { HandshakeError, TransportError } from "@tackline/websocket/errors";
 *
 * export async function connect(client: WebSocketClient): Promise<void> {
 *   try {
 *     await client.connect();
 *   } catch (error) {
 *     if (error instanceof HandshakeError && error.status === 401) console.log("The token is not valid any more");
 *     else if (error instanceof TransportError) console.log("No connection:", error.code);
 *     else throw error;
 *   }
 * }
 * ```
 *
 * @module
 */

import { errorText } from "./error_text.ts";

/**
 * Close codes by name (RFC 6455 §7.4.1 and the IANA registry that extends it).
 *
 * @example Close with a name instead of a number
 * ```ts
 * import { CloseCode } from "@tackline/websocket/errors";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(CloseCode.GoingAway, 1001);
 * ```
 */
export const CloseCode = {
  /** The purpose of the connection is fulfilled. */
  NormalClosure: 1000,
  /** The server stops, or the page is left. */
  GoingAway: 1001,
  /** The peer broke the protocol. */
  ProtocolError: 1002,
  /** The peer sent a kind of data that is not accepted. */
  UnsupportedData: 1003,
  /** Reported, never sent: the close frame carried no code. */
  NoStatusReceived: 1005,
  /** Reported, never sent: there was no close frame. */
  AbnormalClosure: 1006,
  /** A payload is not what its type says, such as text that is not UTF-8. */
  InvalidPayload: 1007,
  /** A rule of this endpoint was broken. */
  PolicyViolation: 1008,
  /** A message is larger than this endpoint takes. */
  MessageTooBig: 1009,
  /** The client expected an extension that the server did not negotiate. */
  MandatoryExtension: 1010,
  /** The server met an unexpected condition. */
  InternalError: 1011,
  /** The service restarts. */
  ServiceRestart: 1012,
  /** The service is overloaded: try again later. */
  TryAgainLater: 1013,
  /** A gateway got an invalid answer from its upstream server. */
  BadGateway: 1014,
} as const;

/** The stable codes of {@linkcode ProtocolError}. */
export type ProtocolErrorCode =
  | "ERR_RESERVED_BITS"
  | "ERR_RESERVED_OPCODE"
  | "ERR_FRAGMENTED_CONTROL"
  | "ERR_CONTROL_TOO_LONG"
  | "ERR_MASK_REQUIRED"
  | "ERR_MASK_FORBIDDEN"
  | "ERR_LENGTH_INVALID"
  | "ERR_UNEXPECTED_CONTINUATION"
  | "ERR_EXPECTED_CONTINUATION"
  | "ERR_CLOSE_PAYLOAD"
  | "ERR_CLOSE_CODE"
  | "ERR_INVALID_UTF8"
  | "ERR_INVALID_DEFLATE"
  | "ERR_MESSAGE_TOO_LARGE"
  | "ERR_TOO_MANY_FRAGMENTS"
  | "ERR_RATE_EXCEEDED"
  | "ERR_INBOX_MESSAGE";

/** Close codes for violations of RFC 6455 on the wire that are not closed with 1002. */
const PROTOCOL_CLOSE_CODES: Partial<Readonly<Record<ProtocolErrorCode, number>>> = {
  ERR_INVALID_UTF8: 1007,
  ERR_INVALID_DEFLATE: 1007,
  ERR_MESSAGE_TOO_LARGE: 1009,
  ERR_TOO_MANY_FRAGMENTS: 1008,
  ERR_RATE_EXCEEDED: 1008,
  ERR_INBOX_MESSAGE: 4400,
};

/**
 * The stable codes of {@linkcode HandshakeError}. `ERR_HEAD_SYNTAX` is also that of a peer that speaks TLS or another
 * protocol instead of HTTP.
 */
export type HandshakeErrorCode =
  | "ERR_HEAD_SYNTAX"
  | "ERR_HEAD_TOO_LARGE"
  | "ERR_HANDSHAKE_REQUEST"
  | "ERR_HANDSHAKE_RESPONSE"
  | "ERR_HANDSHAKE_STATUS"
  | "ERR_HANDSHAKE_TIMEOUT"
  | "ERR_ORIGIN"
  | "ERR_HOST"
  | "ERR_REDIRECT"
  | "ERR_HANDSHAKE_REFUSED";

/**
 * The stable codes of {@linkcode TransportError}. `ERR_PROXY` is a failure of the proxy, or on the way to it: nothing
 * was sent to the target. `ERR_CONNECT` is one of the target, of its name, or of its TLS. `ERR_PROXY_HEADER` is a
 * connection to a server whose header of the PROXY protocol is malformed, or has not come.
 */
export type TransportErrorCode =
  | "ERR_CONNECT"
  | "ERR_CONNECT_TIMEOUT"
  | "ERR_ABORTED"
  | "ERR_LISTEN"
  | "ERR_ACCEPT"
  | "ERR_TLS_HANDSHAKE"
  | "ERR_OVERLOAD"
  | "ERR_MESSAGE_TIMEOUT"
  | "ERR_CONNECTION_LOST"
  | "ERR_SLOW_CONSUMER"
  | "ERR_CLOSE_TIMEOUT"
  | "ERR_PONG_TIMEOUT"
  | "ERR_IDLE_TIMEOUT"
  | "ERR_PROXY"
  | "ERR_PROXY_HEADER"
  | "ERR_RECONNECT_GIVEN_UP"
  | "ERR_QUEUE_LOST"
  | "ERR_TOO_MANY_CONNECTIONS"
  | "ERR_SIGNATURE";

/**
 * Close codes for errors of a connection that can still send. 1013 ("try again later") for an overload, and 1001 for a
 * message whose next piece is missing, as for an idle connection: after either code a client may reconnect, while
 * after 1008 many do not.
 */
const TRANSPORT_CLOSE_CODES: Partial<Readonly<Record<TransportErrorCode, number>>> = {
  ERR_SLOW_CONSUMER: 1008,
  ERR_OVERLOAD: 1013,
  ERR_MESSAGE_TIMEOUT: 1001,
};

/** The stable codes of {@linkcode StateError}. */
export type StateErrorCode =
  | "ERR_NOT_OPEN"
  | "ERR_RUNNING"
  | "ERR_UNSUPPORTED"
  | "ERR_MESSAGE_IN_PROGRESS"
  | "ERR_NO_HANDLER"
  | "ERR_TOO_MANY_TOPICS";

/** The stable codes of {@linkcode OptionError}. */
export type OptionErrorCode = "ERR_OPTION" | "ERR_PAYLOAD" | "ERR_MESSAGE_EXCEEDS_BUFFER";

/** The stable codes of {@linkcode CertificateError}. */
export type CertificateErrorCode =
  | "ERR_CERTIFICATE_FILE"
  | "ERR_CERTIFICATE"
  | "ERR_KEY"
  | "ERR_KEY_PASSWORD_MISSING"
  | "ERR_KEY_PASSWORD_WRONG"
  | "ERR_KEY_CIPHER_UNSUPPORTED"
  | "ERR_KEY_MISMATCH";

/** The stable codes of {@linkcode HttpError}. */
export type HttpErrorCode = "ERR_HTTP_SYNTAX" | "ERR_HTTP_BODY_TOO_LARGE" | "ERR_HTTP_BODY_LOST" | "ERR_HTTP_OVERLOAD";

/** The stable codes of {@linkcode JournalError}. */
export type JournalErrorCode =
  | "ERR_JOURNAL_OPEN"
  | "ERR_JOURNAL_LOCKED"
  | "ERR_JOURNAL_READ"
  | "ERR_JOURNAL_WRITE"
  | "ERR_JOURNAL_CLOSED"
  | "ERR_JOURNAL_TRIMMED"
  | "ERR_JOURNAL_LISTENER"
  | "ERR_JOURNAL_AWAY"
  | "ERR_JOURNAL_CONFLICT"
  | "ERR_JOURNAL_LOST"
  | "ERR_JOURNAL_REPLACED"
  | "ERR_JOURNAL_EVICTION"
  | "ERR_JOURNAL_RECEIVERS"
  | "ERR_JOURNAL_EXPIRED"
  | "ERR_JOURNAL_DAMAGED"
  | "ERR_JOURNAL_GONE";

/** The stable codes of {@linkcode BackplaneError}. */
export type BackplaneErrorCode =
  | "ERR_BACKPLANE_AWAY"
  | "ERR_BACKPLANE_LOST"
  | "ERR_BACKPLANE_MISSED"
  | "ERR_BACKPLANE_ONE_WAY"
  | "ERR_BACKPLANE_MESSAGE";

/** The stable codes of `WhatsAppApiError`, which the entry `cloud-api` exports. */
export type WhatsAppApiErrorCode =
  | "ERR_API_REFUSED"
  | "ERR_API_UNREACHABLE"
  | "ERR_API_ANSWER"
  | "ERR_API_QUEUE"
  | "ERR_MEDIA_DIGEST"
  | "ERR_MEDIA_TOO_LARGE";

/** The stable codes of `FlowEndpointError`, which the entry `cloud-api` exports. */
export type FlowEndpointErrorCode =
  | "ERR_FLOW_SIGNATURE"
  | "ERR_FLOW_BODY"
  | "ERR_FLOW_TOO_LARGE"
  | "ERR_FLOW_KEY"
  | "ERR_FLOW_DATA"
  | "ERR_FLOW_MEDIA";

/** The stable codes of {@linkcode HandlerError}. */
export type HandlerErrorCode = "ERR_HANDLER" | "ERR_HANDLER_TIMEOUT";

/** The stable code of {@linkcode ConnectionClosedError}. */
export type ConnectionClosedErrorCode = "ERR_CONNECTION_CLOSED";

/**
 * The stable codes of {@linkcode WebSocketError} and what derives from it; those of {@linkcode OptionError} stand
 * apart.
 */
export type WebSocketErrorCode =
  | ProtocolErrorCode
  | HandshakeErrorCode
  | TransportErrorCode
  | StateErrorCode
  | CertificateErrorCode
  | HttpErrorCode
  | JournalErrorCode
  | BackplaneErrorCode
  | WhatsAppApiErrorCode
  | FlowEndpointErrorCode
  | HandlerErrorCode
  | ConnectionClosedErrorCode;

/** Additional facts an error is made with. */
export interface WebSocketErrorOptions {
  /** The error that led to this one. */
  cause?: unknown;
}

/**
 * The base of all errors of this library, except {@linkcode OptionError}, which is a `RangeError`. Messages are one
 * line of at most 1000 characters that can be printed, without passwords, tokens and queries of URLs; `cause` is as it
 * was thrown.
 */
export class WebSocketError extends Error {
  /** The name of the class, which a minifier does not change. */
  override readonly name: string = "WebSocketError";
  /** Stable over versions: compare this, not the message. */
  readonly code: WebSocketErrorCode;
  /** The close code that fits this error; a peer is told it if a close frame can still be sent. */
  readonly closeCode: number;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The failed action, and the value at fault.
   * @param closeCode The close code for the peer.
   * @param options The cause, if there is one.
   */
  constructor(code: WebSocketErrorCode, message: string, closeCode: number, options?: WebSocketErrorOptions) {
    super(errorText(message), options);
    this.code = code;
    this.closeCode = closeCode;
  }
}

/**
 * The peer broke RFC 6455 on the wire. Its message is safe to tell the peer.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class ProtocolError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "ProtocolError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: ProtocolErrorCode;

  /**
   * Makes an error; the close code follows from the code.
   *
   * @param code The stable code.
   * @param message The fault of the peer.
   */
  constructor(code: ProtocolErrorCode, message: string) {
    super(code, message, PROTOCOL_CLOSE_CODES[code] ?? 1002);
  }
}

/**
 * The opening handshake failed, on either side.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class HandshakeError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "HandshakeError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: HandshakeErrorCode;
  /** The HTTP status: the one to answer with (server), or the one received (client); 0 if there was none. */
  readonly status: number;
  /** Not printed with the error: `Set-Cookie` and `Location` may hold credentials. */
  #headers: Headers | undefined;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The fault.
   * @param status The HTTP status, or 0.
   * @param options The cause, and the header fields of the server's answer.
   */
  constructor(
    code: HandshakeErrorCode,
    message: string,
    status = 0,
    options: WebSocketErrorOptions & { headers?: Headers | undefined } = {},
  ) {
    super(code, message, 1002, options);
    this.status = status;
    this.#headers = options.headers;
  }

  /** The header fields of a server that does not open the WebSocket, on a client with sockets. */
  get headers(): Headers | undefined {
    return this.#headers;
  }
}

/**
 * The way to the peer failed: the connection was not made, was lost, or is too slow.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class TransportError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "TransportError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: TransportErrorCode;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The failed action.
   * @param options The cause, if there is one.
   */
  constructor(code: TransportErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, TRANSPORT_CLOSE_CODES[code] ?? 1006, options);
  }
}

/**
 * The call does not fit the state of the object it was made on.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class StateError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "StateError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: StateErrorCode;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The action that is not possible, and the state.
   * @param options The cause, if there is one.
   */
  constructor(code: StateErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, 1011, options);
  }
}

/**
 * A certificate or private key cannot be used.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class CertificateError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "CertificateError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: CertificateErrorCode;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The file at fault, and the reason.
   * @param options The cause, if there is one.
   */
  constructor(code: CertificateErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, 1011, options);
  }
}

/**
 * A plain HTTP request on the shared port cannot be served.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class HttpError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "HttpError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: HttpErrorCode;
  /** The status to answer with. */
  readonly status: number;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The fault; safe to send to the peer.
   * @param status The status to answer with.
   */
  constructor(code: HttpErrorCode, message: string, status: number) {
    super(code, message, 1002);
    this.status = status;
  }
}

/**
 * The log of notifications cannot be used, or had to give something up.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class JournalError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "JournalError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: JournalErrorCode;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The journal at fault, and the reason.
   * @param options The cause, if there is one.
   */
  constructor(code: JournalErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, 1011, options);
  }
}

/**
 * Messages did not reach other nodes, or may not have. Connections of the same node are not concerned.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class BackplaneError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "BackplaneError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: BackplaneErrorCode;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The loss, and its reason.
   * @param options The cause, if there is one.
   */
  constructor(code: BackplaneErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, 1011, options);
  }
}

/**
 * A handler of the program threw or rejected; `cause` is the thrown value.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class HandlerError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "HandlerError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: HandlerErrorCode;

  /**
   * Makes an error.
   *
   * @param handler The name of the handler.
   * @param cause The thrown value.
   * @param code The stable code.
   */
  constructor(handler: string, cause: unknown, code: HandlerErrorCode = "ERR_HANDLER") {
    super(code, `The handler "${handler}" failed: ${describe(cause)}`, 1011, { cause });
  }
}

/**
 * The connection has ended before the message of `receive()` or the pong of `ping()` came. `closeCode` and `reason` are
 * those of the peer's close frame; 1006 and "" without one: `cause` is then the error that broke the connection.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class ConnectionClosedError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "ConnectionClosedError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: ConnectionClosedErrorCode;
  /** The close reason of the peer, or "". */
  readonly reason: string;

  /**
   * Makes an error.
   *
   * @param action The action that the end prevents.
   * @param end The close code and the reason with which the connection ended.
   * @param options The error that broke the connection, if one did.
   */
  constructor(action: string, end: { code: number; reason: string }, options?: WebSocketErrorOptions) {
    const { code, reason } = end;
    const why = code === 1006 ? "was lost" : `was closed with ${code} ${reason}`.trimEnd();
    super("ERR_CONNECTION_CLOSED", `Cannot ${action}: the connection ${why}`, code, options);
    this.reason = reason;
  }
}

/** An argument or option is outside its range. */
export class OptionError extends RangeError {
  /** Stable over versions: compare this, not the message. */
  readonly code: OptionErrorCode;

  /**
   * Makes an error.
   *
   * @param message The option and the value at fault.
   * @param code The stable code.
   * @param options The cause, if there is one.
   */
  constructor(message: string, code: OptionErrorCode = "ERR_OPTION", options?: WebSocketErrorOptions) {
    super(errorText(message), options);
    this.name = "OptionError";
    this.code = code;
  }
}

/**
 * Tells whether a code may stand in a close frame: 1000–1003, 1007–1014, 3000–4999 (RFC 6455 §7.4 and the IANA
 * registry).
 *
 * @param code The close code.
 * @returns `true` if a peer may send it.
 */
export function isValidCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/**
 * One line about anything that was thrown, as in the messages of {@linkcode WebSocketError}.
 *
 * @param error The thrown value.
 * @returns Its message, or the value as text.
 */
export function describe(error: unknown): string {
  try {
    return errorText(String(error instanceof Error ? error.message || error.name : error));
  } catch {
    // An object without a prototype, or with a `toString` that fails.
    return `a value of type ${typeof error}`;
  }
}
