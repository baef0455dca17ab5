/**
 * Contract of a connector: it opens WebSockets for a client, by sockets or by the `WebSocket` of the platform.
 *
 * @module
 */

import type { ReceiveOptions } from "../connection/receive_options.ts";
import type { BinaryForm } from "../connection/binary_form.ts";
import type {
  CloseInfo,
  ConnectionSettings,
  ConnectionStart,
  ConnectionState,
  Delivery,
  HandshakeRequest,
  MessageOptions,
  MessageResult,
  SendResult,
  StepResult,
} from "../connection/options.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import type { MessageData, SendData } from "../protocol/payload.ts";
import type { FrameInfo, Opcode, Role } from "../protocol/frame_header.ts";
import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/stats.ts";
import type { Address } from "../transport/transport.ts";
import type { BytePair } from "../transport/stream.ts";
import type { Extension } from "../protocol/extensions.ts";
import type { FailurePolicy } from "./reconnect.ts";
import type { TlsSettings } from "./tls_settings.ts";

/** Request that a client is about to send; header fields may be added. */
export interface ClientHandshakeRequest {
  /** URL of the server. */
  readonly url: string;
  /** The additional header fields. Those of the handshake itself cannot be set. */
  readonly headers: Headers;
}

/** Answer of the server. */
export interface ClientHandshakeResponse {
  /** The status: 101. */
  readonly status: number;
  /** All header fields. */
  readonly headers: Headers;
  /** The subprotocol the server chose, or "". */
  readonly protocol: string;
  /** The extensions the server accepted. */
  readonly extensions: readonly Extension[];
}

/** Header fields as a program gives them. */
export type HeaderSource = Record<string, string> | Headers;

/** Compression that a client offers: `false` none, `true` the defaults, or one offer or several. */
export type CompressionOffer = boolean | CompressionOptions | readonly CompressionOptions[];

/**
 * WebSocket of a client, with the members of `WebSocketConnection` but topics. In a page some of them throw, because a
 * browser does not offer them.
 */
export interface ClientConnection {
  /** Role of this end: `"client"`. */
  readonly role: Role;
  /** Address of the server. Throws in a page. */
  readonly remoteAddress: Address;
  /** Address of this end. Throws in a page. */
  readonly localAddress: Address;
  /** `true` if TLS protects the connection. */
  readonly encrypted: boolean;
  /** Data of the program; `undefined` until the program sets it. */
  data: unknown;
  /** State of the connection. */
  readonly state: ConnectionState;
  /** Resolves when the connection has ended; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** The subprotocol that was agreed on, or "". */
  readonly protocol: string;
  /** The extensions that were agreed on. */
  readonly extensions: readonly Extension[];
  /** The request that opened the connection. */
  readonly request: HandshakeRequest;
  /** Time between the last ping of `pingInterval` and its pong, in ms; `undefined` before the first and in a page. */
  readonly latency: number | undefined;
  /** Bytes that were sent by the program and not yet taken by the operating system. */
  readonly bufferedAmount: number;
  /** The messages as a stream: see `WebSocketConnection.readable`. */
  readonly readable: ReadableStream<MessageData>;
  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  readonly writable: WritableStream<SendData>;
  /**
   * Sends a message: see `WebSocketConnection.send`.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult;
  /**
   * Sends one frame of a message: see `WebSocketConnection.sendFrame`.
   *
   * @param opcode The opcode of the frame.
   * @param data Its payload.
   * @param final `true` for the last frame of the message.
   * @returns `"sent"`, or what happened instead.
   * @throws {StateError} If the connection is not open, or the opcode cannot follow the frame before. Always in a page.
   */
  sendFrame(opcode: Opcode, data: SendData, final: boolean): SendResult;
  /**
   * Sends a control frame: see `WebSocketConnection.sendSimpleFrame`.
   *
   * @param opcode `Opcode.Close`, `Opcode.Ping` or `Opcode.Pong`.
   * @param data Its payload, at most 125 bytes.
   * @throws {StateError} If the connection is not open. Always in a page.
   */
  sendSimpleFrame(opcode: Opcode, data?: SendData): void;
  /**
   * Sends a ping: see `WebSocketConnection.ping`.
   *
   * @param data At most 125 bytes, which the pong repeats.
   * @returns The time until the pong, in ms. Rejects if the connection ends before; may be ignored.
   * @throws {StateError} If the connection is not open. Always in a page.
   */
  ping(data?: SendData): Promise<number>;
  /**
   * Sends a pong.
   *
   * @param data At most 125 bytes; those of the ping in an answer.
   * @throws {StateError} If the connection is not open. Always in a page.
   */
  pong(data?: SendData): void;
  /**
   * Waits until the operating system has taken everything that was sent.
   *
   * @returns Rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void>;
  /**
   * Makes a stream of the fragments of one message: see `WebSocketConnection.messageWriter`.
   *
   * @param opcode `Opcode.Text` or `Opcode.Binary`.
   * @returns The stream.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished. Always in a page.
   */
  messageWriter(opcode: Opcode): WritableStream<SendData>;
  /**
   * Waits for the next message: see `WebSocketConnection.receive`.
   *
   * @param options A signal that ends the wait.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} at the end of the connection.
   */
  receive(options?: ReceiveOptions): Promise<MessageData>;
  /**
   * Iterates over the messages: see `WebSocketConnection`.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined>;
  /**
   * Starts the closing handshake. Further calls change nothing.
   *
   * @param code The close code; in a page 1000 or 3000–4999. Without it the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8.
   * @returns The end of the connection.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code?: number, reason?: string): Promise<CloseInfo>;
  /** Ends the connection at once, without a closing handshake. `onDisconnect` follows. */
  terminate(): void;
}

/** Takes the events of a client's connection, in the order of arrival. */
export interface ClientConnectionHandler {
  /** Called for a message, or with `frameByFrame` for a frame of one. */
  message(data: MessageData, frame?: FrameInfo | undefined): MessageResult;
  /** Tells if the program has a handler for messages, of either kind. */
  handlesMessages?(): boolean;
  /** Called for a ping, after the automatic pong. */
  ping(payload: Uint8Array): void;
  /** Called for a pong. */
  pong(payload: Uint8Array): void;
  /** Called for the server's close frame, after the automatic answer. */
  close(code: number, reason: string): void;
  /** Called when the connection has ended: the last call, exactly once. */
  disconnect(info: CloseInfo): void;
  /** Called with the failure of the connection. */
  error(error: unknown): void;
}

/** One attempt to connect, as the settings of the client describe it. */
export interface ConnectPlan {
  /** URL of the server. */
  readonly url: string;
  /** Host name or address, without brackets. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
  /** Path of a Unix socket to connect to instead, or "". */
  readonly socketPath: string;
  /** Speaks TLS. */
  readonly tls: boolean;
  /** Sends nothing without TLS, except to a loopback address. */
  readonly requiresTls: boolean;
  /** Value of `Host`. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** Value of `Origin`, or "". */
  readonly origin: string;
  /** More header fields; `onSendHandshake` may add some. */
  readonly headers: Headers;
  /** Subprotocols in the order of preference. */
  readonly protocols: readonly string[];
  /** Compression to offer, in the order of preference. */
  readonly deflateOffers: readonly CompressionSettings[];
  /** Certificates, and the name of the server. */
  readonly tlsSettings: TlsSettings;
  /** Settings of the connection. */
  readonly settings: ConnectionSettings;
  /** URL of the proxy to connect through, or "". */
  readonly proxy: string;
  /** Largest number of redirects to follow. */
  readonly maxRedirects: number;
  /** Counts bytes, frames and messages. */
  readonly meter: Meter;
  /** `true` if the program has a handler for pings or pongs. */
  readonly showsControlFrames: boolean;
  /** Streams to use instead of a socket. */
  readonly stream?: BytePair | undefined;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
  /** Told what the attempt waits for, in words for the message of a timeout. */
  readonly waitingFor?: ((what: string) => void) | undefined;
}

/** Questions to the program while its client connects. */
export interface ConnectProgram {
  /** Has the handler that is asked for the pass phrase of an encrypted key. */
  readonly handlers?: { onGetSSLPassword?: (() => string | Promise<string>) | undefined };
  /** Shows the request, before it is sent. */
  sendHandshake(request: ClientHandshakeRequest): Promise<void>;
  /** Shows the answer of a server that opened the WebSocket. Rejects if the program refuses it. */
  acceptResponse(response: ClientHandshakeResponse): Promise<void>;
}

/** A WebSocket whose handshake is done, with the members that only the client uses. */
export interface OpenedConnection {
  /** State of the connection. */
  readonly state: ConnectionState;
  /**
   * Makes the connection; no event comes before `begin`.
   *
   * @param handler Takes the events.
   * @param start Facts about the start of the connection.
   * @returns The connection.
   */
  attach(handler: ClientConnectionHandler, start: ConnectionStart): ClientConnection;
  /** Delivers events that have come, and later ones. */
  begin(): void;
  /**
   * Changes when events are delivered.
   *
   * @param delivery The new mode.
   */
  setDelivery(delivery: Delivery): void;
  /** Delivers events that have come since the last batch. */
  deliverBatch(): void;
  /**
   * Handles one incoming frame or message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of the event.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult>;
  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void;
  /** `true` if messages wait for a reader. */
  readonly holdsMessages: boolean;
  /**
   * Gives binary messages of the program a form of their own: the subprotocol has other binary messages.
   *
   * @param form The form.
   * @returns Sends a message of the subprotocol, in the form that it has. Throws a `StateError` if the connection is
   * not open, or a fragmented message is not finished.
   */
  useBinaryForm(form: BinaryForm): (message: Uint8Array) => SendResult;
  /**
   * Closes the connection because of an error that was reported.
   *
   * @param code The close code.
   * @param error The error.
   */
  closeWith(code: number, error: unknown): void;
}

/**
 * Asks the program for a value that an attempt needs. A failure counts as one of the network, so that another attempt
 * is made.
 */
export type AskProgram = <Answer>(name: string, handler: () => Answer | Promise<Answer>) => Promise<Answer>;

/** Settings that the request of an attempt is made of. */
export interface RequestSettings {
  /** Header fields, or a function that is asked for them. */
  readonly headers: HeaderSource | (() => HeaderSource | Promise<HeaderSource>);
  /** Token, or a function that is asked for it. */
  readonly token: string | (() => string | Promise<string>) | undefined;
}

/** Server of an attempt, and the URL that the client was made with. */
export interface RequestTarget {
  /** URL that the client was made with, if it was. */
  readonly first: URL | undefined;
  /** Its origin, or the Unix socket that it led to. */
  readonly firstOrigin: string;
  /** That of the server. */
  readonly origin: string;
}

/** Settings of a client that only sockets can use, or check. */
export interface SocketSettings extends RequestSettings, TlsSettings {
  /** Path of a Unix socket, or "". */
  readonly path: string;
  /** Host name or address. */
  readonly hostname: string;
  /** Path and query. */
  readonly pathName: string;
  /** Value of `Origin`, or "". */
  readonly origin: string;
  /** Subprotocols. */
  readonly protocols: readonly string[];
  /** URL of an HTTP proxy, or "". */
  readonly proxy: string;
  /** Speaks TLS. */
  readonly useSSL: boolean;
  /** Set if each attempt may have another URL. */
  readonly resolveUrl?: unknown;
  /** Largest number of redirects to follow. */
  readonly maxRedirects: number;
  /** Longest frame, in bytes; 0: no splitting. */
  readonly frameSize: number;
}

/** Options of the place to connect to. */
export interface PlaceOptions {
  /** Path of a Unix socket. */
  readonly path?: unknown;
  /** Port. */
  readonly port?: unknown;
}

/** URLs of Unix sockets: see `base/socket_path.ts`. */
export interface SocketUrls {
  /** Reads one; `undefined` if the URL names a host. */
  read(url: URL): { readonly path: string; readonly hostname: string; readonly target: string } | undefined;
  /** Writes the URL of a client's settings; `undefined` if they name no socket. */
  write(settings: Pick<SocketSettings, "path" | "pathName" | "useSSL">): string | undefined;
}

/** A way to connect. */
export interface Connector {
  /** `true` if header fields can be sent with the handshake. */
  readonly sendsHeaders: boolean;
  /** `true` if this platform can connect without streams of the program. */
  readonly available: boolean;
  /**
   * Chooses the timers of connections and attempts.
   *
   * @param clock The clock of the program.
   * @returns A clock of the same time.
   */
  timers(clock: Clock): Clock;
  /** Reads and writes URLs of Unix sockets; absent where there are none, as in a page. */
  readonly socketUrls?: SocketUrls | undefined;
  /** Answers to failures, for `reconnect`. */
  readonly failures: FailurePolicy;
  /**
   * Reads the setting `compression`.
   *
   * @param option The setting.
   * @returns The offers, in the order of preference.
   * @throws {OptionError} If a field is out of range.
   * @throws {StateError} If this platform cannot do it.
   */
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[];
  /**
   * Checks options of a client that exclude each other.
   *
   * @param options The options.
   * @throws {OptionError} If both are given.
   */
  checkOptions?(options: PlaceOptions): void;
  /**
   * Checks settings that only this platform can use, and that `connect` refuses on others.
   *
   * @param settings The settings, each of the right kind.
   * @throws {OptionError} If one is out of range.
   */
  checkSettings?(settings: SocketSettings): void;
  /**
   * Checks settings that need a target with TLS.
   *
   * @param settings The settings, with the target.
   * @throws {OptionError} If one is of no use.
   */
  checkTarget?(settings: SocketSettings): void;
  /**
   * Makes the credentials of the URL that a client is made with a header field; a page refuses them when it connects.
   *
   * @param headers The setting.
   * @param url The URL.
   * @returns The setting with the field.
   */
  withCredentials?(headers: RequestSettings["headers"], url: URL): RequestSettings["headers"];
  /**
   * Asks for the header fields of an attempt.
   *
   * @param settings The settings of the client.
   * @param target The server of the attempt.
   * @param ask Asks the program.
   * @param url The URL of the attempt, if the program was asked for one.
   * @returns The header fields.
   * @throws {OptionError} If a name or value is not valid.
   */
  requestHeaders(
    settings: RequestSettings,
    target: RequestTarget,
    ask: AskProgram,
    url: URL | undefined,
  ): Promise<Headers>;
  /**
   * Checks streams of the program; a page refuses them when it connects.
   *
   * @param stream The streams.
   * @throws {OptionError} If they are none.
   */
  checkStream?(stream: BytePair): void;
  /**
   * Ends streams of the program that no connection has taken; without effect on others.
   *
   * @param stream The streams.
   */
  discardStream?(stream: BytePair): void;
  /**
   * Connects.
   *
   * @param plan The attempt.
   * @param program Asked on the way.
   * @returns The open WebSocket.
   */
  connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection>;
}
