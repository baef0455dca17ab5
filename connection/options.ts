/**
 * Options, results and events of a connection.
 *
 * @module
 */

import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import type { DeflateAgreement } from "../protocol/compression.ts";
import type { Extension } from "../protocol/extensions.ts";
import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import {
  bytes,
  type Complete,
  defaultsOf,
  FieldsReader,
  flag,
  milliseconds,
  numberOf,
  type SettingsTable,
} from "../base/settings.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";

/** State of a connection, in the words of the browser's `WebSocket`. */
export type ConnectionState = "connecting" | "open" | "closing" | "closed";

/**
 * Result of `send`.
 * `"sent"`: the message was taken. `"backpressure"`: it was taken, but the peer is slow; wait for `drained()` before
 * sending much more.
 * `"dropped"`: it was not taken, since more than `maxBufferedAmount` bytes would wait.
 * `"queued"`: it is kept for the next connection, by a client with `reconnect` and `maxQueuedSize`.
 */
export type SendResult = "sent" | "backpressure" | "dropped" | "queued";

/** Treatment of a peer that reads more slowly than the program sends. */
export type SlowConsumer = "close" | "drop";

/** Code and reason of one close frame. */
export interface CloseFrame {
  /** The close code; 1005 if the frame had none. */
  code: number;
  /** The reason. */
  reason: string;
}

/** End of a connection. */
export interface CloseInfo {
  /** The code of the peer's close frame; 1005 if it had none, 1006 if there was no close frame. */
  code: number;
  /** The reason in the peer's close frame. */
  reason: string;
  /** `true` if both close frames were exchanged (RFC 6455 §7.1.4). */
  clean: boolean;
  /**
   * `true` if the WebSocket had been open. `false` on a server for plain HTTP, refused handshakes and port scans; a
   * client has no end of a connection that was never open.
   */
  opened: boolean;
  /** The close frame that was sent, if one was. */
  sent?: CloseFrame | undefined;
  /** The close frame that was received, if one was. */
  received?: CloseFrame | undefined;
}

/** The request that opened a WebSocket; of plain HTTP and refused handshakes, the last one. */
export interface HandshakeRequest {
  /** The method: `GET` for a WebSocket. */
  readonly method: string;
  /** The path, without the query. */
  readonly path: string;
  /** The query, without the question mark. */
  readonly query: string;
  /** The header fields. */
  readonly headers: Headers;
  /** The subprotocols that were offered, in the client's order of preference; none of a plain request. */
  readonly protocols: readonly string[];
  /** The extensions that were offered, in the client's order of preference; none of a plain request. */
  readonly extensions: readonly Extension[];
  /**
   * On a server, for requests of an asynchronous `onAllow` to other services: aborts when the peer disconnects, or
   * `handshakeTimeout` ends, before `onAllow` has answered. After its answer, and on a client, it never aborts;
   * for a plain request, the `Request` of `onCommandGet` has the signal.
   */
  readonly signal: AbortSignal;
}

/** Switches of one connection. */
export interface ProtocolOptions {
  /**
   * Deliver each frame by itself, decompressed and with no code point cut, and with a `frame` argument to the handlers;
   * iteration and `readable` give the pieces without it. `maxMessageSize` goes on to limit the whole message; with 0 a
   * single frame may fill the memory.
   * @default {false}
   */
  frameByFrame?: boolean | undefined;
  /**
   * Server: take a request whose `Upgrade` and `Connection` headers a proxy has removed, and one by HTTP/1.0, where
   * `Host` may be missing too: nginx with a bare `proxy_pass` sends such ones, and so do old clients. The answer is by
   * HTTP/1.1. All other checks stay.
   * @default {false}
   */
  skipUpgradeCheck?: boolean | undefined;
  /**
   * Server: take any `Sec-WebSocket-Version`.
   * @default {false}
   */
  skipVersionCheck?: boolean | undefined;
  /**
   * Answer no ping; the program calls `pong`.
   * @default {false}
   */
  manualPong?: boolean | undefined;
  /**
   * Answer no close frame; the program calls `close`.
   * @default {false}
   */
  manualClose?: boolean | undefined;
}

/** Options of one message. */
export interface MessageOptions {
  /** Treatment of this message beyond `maxBufferedAmount`; the default is the setting `slowConsumer`. */
  slowConsumer?: SlowConsumer | undefined;
}

/** Limits and switches of a connection. `0` turns a limit off. */
export interface ConnectionOptions {
  /** Switches of the protocol. */
  options?: ProtocolOptions | undefined;
  /**
   * Send messages in frames of at most `frameSize` bytes. Texts are cut between code points, so that a frame is up to 3
   * bytes smaller; compressed messages and binary ones are cut anywhere.
   * @default {false}
   */
  splitMessage?: boolean | undefined;
  /**
   * Longest frame on the wire, header included, in bytes, when `splitMessage` is on; 0: no splitting. At least 6, for a
   * client 10: a header and one code point.
   * @default {0}
   */
  frameSize?: number | undefined;
  /**
   * Largest message accepted from the peer, in bytes. A larger one is refused with 1009 at the header that exceeds the
   * limit; a compressed one where its decompression exceeds it, or at the header by which its wire form is much longer.
   * @default {16777216}
   */
  maxMessageSize?: number | undefined;
  /**
   * Most fragments of one message, empty ones included; beyond it 1008. Reassembly keeps nothing per fragment: the
   * limit is for messages that never end.
   * @default {131072}
   */
  maxFragments?: number | undefined;
  /**
   * Longest time until the next piece of a message that has begun, in ms, exact to an eighth. Then the connection is
   * closed with 1001. The time does not run while the program itself holds up the reading, nor with `frameByFrame`
   * between two frames. A server limits it by default.
   * @default {0}
   */
  messageTimeout?: number | undefined;
  /**
   * Most bytes that wait for a slow peer; control frames and compressed fragments may exceed it a little. Beyond it
   * `slowConsumer` decides.
   * @default {33554432}
   */
  maxBufferedAmount?: number | undefined;
  /**
   * Number of waiting bytes from which `send` returns `"backpressure"`.
   * @default {65536}
   */
  highWaterMark?: number | undefined;
  /**
   * Effect of a message beyond `maxBufferedAmount`: `"close"` ends the connection at once, `"drop"` skips the message.
   * Either way `send` returns `"dropped"`.
   * @default {"close"}
   */
  slowConsumer?: SlowConsumer | undefined;
  /**
   * Longest time for the closing handshake, and then for the end of TCP, in ms. A peer that in this time takes bytes
   * which were sent before, or sends more before its close frame, gets the same time again, at most ten times each.
   * @default {10000}
   */
  closeTimeout?: number | undefined;
  /**
   * Longest time in which only pings and pongs come or are sent, in ms, exact to an eighth. Then the connection is
   * closed with 1001. The time does not run while loops or handlers of the program hold up the reading.
   * @default {0}
   */
  idleTimeout?: number | undefined;
  /**
   * Time between the answer to a ping and the next ping, in ms. Pings find peers that are gone, keep proxies from
   * closing the connection (the shortest of the common time limits is 30 s), and measure `latency`. A page does not
   * ping.
   * @default {25000}
   */
  pingInterval?: number | undefined;
  /**
   * Longest time to the answer to a ping, in ms. Then the connection is ended without a closing handshake: 1006. The
   * time does not run as long as other bytes come, the program itself holds up the reading, or bytes before the ping
   * are still being sent.
   * @default {20000}
   */
  pongTimeout?: number | undefined;
  /**
   * Most messages and control frames a second; beyond it 1008.
   * @default {0}
   */
  maxMessageRate?: number | undefined;
  /**
   * Most bytes a second, on the wire; beyond it 1008.
   * @default {0}
   */
  maxByteRate?: number | undefined;
  /**
   * Most promises of message handlers that may be pending on one connection. Then its reading stops until one is
   * settled, so that the peer has to wait; other connections go on. 1 keeps the order: a message is handed over when
   * the promise of the one before is settled. Handlers without a promise are not counted. A handler that waits for a
   * later message of the same connection needs a free slot for it. A page cannot stop the reading: messages wait in
   * memory.
   * @default {64}
   */
  concurrency?: number | undefined;
  /**
   * Messages and bytes that may come at once, as the seconds in which `maxMessageRate` and `maxByteRate` would let them
   * in; at least 1 to be of use.
   * @default {5}
   */
  rateBurstSeconds?: number | undefined;
  /** Time, for tests. */
  clock?: Clock | undefined;
}

/** {@linkcode ConnectionOptions} with nothing left out; one object serves many connections. */
export type ConnectionSettings = Readonly<Complete<ConnectionOptions>>;

/** The switches of the protocol. */
export const PROTOCOL_SETTINGS: SettingsTable<Complete<ProtocolOptions>> = {
  frameByFrame: flag(),
  skipUpgradeCheck: flag(),
  skipVersionCheck: flag(),
  manualPong: flag(),
  manualClose: flag(),
};

/** Reads the setting `options`. */
export const protocolOptions: FieldsReader<Complete<ProtocolOptions>> = new FieldsReader(
  'The setting "options"',
  PROTOCOL_SETTINGS,
  { prefix: "options." },
);

const MESSAGE_NAMES: OptionTable<MessageOptions> = { slowConsumer: true };
const MESSAGE_OPTIONS = /* @__PURE__ */ new OptionNames("A message", {
  tables: [MESSAGE_NAMES],
  hints: {
    binary: "leave it out: bytes are sent as binary, strings as text",
    compress: 'leave it out: see "threshold" of "compression"',
    fin: "use sendFrame() for a message in fragments",
    except: "publish() has it",
  },
  example: (value) => typeof value === "function" ? "{ slowConsumer }, since send returns its result" : undefined,
});

/**
 * Checks the options of one message. A message without options costs a comparison.
 *
 * @param options The options.
 * @throws {OptionError} If one is unknown, or has another value.
 */
export function assertMessageOptions(options: MessageOptions): void {
  const { slowConsumer } = options ?? {};
  if (slowConsumer !== undefined && slowConsumer !== "close" && slowConsumer !== "drop") {
    throw new OptionError(`The option "slowConsumer" is ${showValue(slowConsumer)} instead of "close" or "drop"`);
  }
  MESSAGE_OPTIONS.assert(options);
}

/** The settings of a connection, which those of servers and clients include. */
export const CONNECTION_SETTINGS: SettingsTable<ConnectionSettings> = {
  options: { kind: "object", default: {}, check: (options) => void protocolOptions.read(options) },
  splitMessage: flag(),
  frameSize: bytes(0),
  maxMessageSize: bytes(16 * 1024 * 1024),
  maxFragments: numberOf(131_072),
  messageTimeout: milliseconds(0),
  maxBufferedAmount: bytes(32 * 1024 * 1024),
  highWaterMark: bytes(64 * 1024),
  slowConsumer: { kind: "choice", choices: ["close", "drop"], default: "close" },
  closeTimeout: milliseconds(10_000),
  idleTimeout: milliseconds(0),
  pingInterval: milliseconds(25_000),
  pongTimeout: milliseconds(20_000),
  maxMessageRate: numberOf(0, "per second"),
  maxByteRate: numberOf(0, "per second"),
  rateBurstSeconds: numberOf(5, "seconds"),
  concurrency: numberOf(64),
  clock: { kind: "object", default: systemClock, check: assertClock },
};

/** The defaults of {@linkcode ConnectionOptions}. */
export const CONNECTION_DEFAULTS: ConnectionSettings = defaultsOf(CONNECTION_SETTINGS);

/** A connection whose peer has begun a message. */
export interface MessageOwner {
  /** A number that grows with each piece of the message. */
  progress(): number;
  /** `true` while bytes are read as they come: the time does not run while the program holds up the reading. */
  reads(): boolean;
  /** Called when no piece of the message has come for `messageTimeout`. */
  stalled(): void;
  /** Called when the memory of the message must be given up; it is not counted any more. */
  giveUp(): void;
}

/** Watches messages that have begun and not ended, of any number of connections. */
export interface MessageWatch {
  /** Notes that more of a message has come, and that it is not finished; `bytes` is its memory. */
  update(owner: MessageOwner, bytes: number): void;
  /** Notes that the message is finished. */
  finish(owner: MessageOwner): void;
  /** Forgets a connection that takes no more messages. */
  forget(owner: MessageOwner): void;
}

/**
 * Result of handing over a message: the promise of its handler, which never rejects; nothing if it has none; `false` if
 * there is no handler for this kind of message, though there is one for the other kind; `"none"` without any handler.
 */
export type MessageResult = PromiseLike<unknown> | false | "none" | undefined | void;

/** Events of a connection. Calls come in the order of arrival. */
export interface ConnectionEvents<Connection> {
  /** A message came, or with frame by frame delivery a frame of one. */
  message(connection: Connection, data: MessageData, frame?: FrameInfo): MessageResult;
  /** Tells if the program has a handler for messages, of either kind. */
  handlesMessages?(): boolean;
  /** A ping came; it was answered already. Its payload is valid only during the call. */
  ping(connection: Connection, payload: Uint8Array): void;
  /** A pong came. Its payload is valid only during the call. */
  pong(connection: Connection, payload: Uint8Array): void;
  /** The peer's close frame came; it was answered already. */
  close(connection: Connection, code: number, reason: string): void;
  /** The connection has ended. The last call, exactly once. */
  disconnect(connection: Connection, info: CloseInfo): void;
  /** The connection failed. */
  error(connection: Connection, error: unknown): void;
  /** Watches messages that are not finished; without it they are not watched. */
  readonly unfinished?: MessageWatch | undefined;
}

/** Result of the handshake. */
export interface HandshakeResult {
  /** The subprotocol, or "". */
  protocol: string;
  /** The extensions. */
  extensions: readonly Extension[];
  /** Compression of messages, if it was agreed on. */
  compression?: Pick<DeflateAgreement, "parameters" | "settings"> | undefined;
}

/** Time at which incoming data is parsed and delivered. */
export type Delivery = "immediate" | "batched" | "step";

/** Start of a connection after its handshake. */
export interface ConnectionStart {
  /** Bytes before the first frame: the answer of a server. */
  preface?: Uint8Array | undefined;
  /**
   * Time at which data is delivered.
   * @default {"immediate"}
   */
  delivery?: Delivery | undefined;
  /**
   * `true` if messages wait in the queue until the program listens.
   * @default {false}
   */
  waitForHandler?: boolean | undefined;
}

/** End of a transport before the connection listened to it. */
export interface EarlyEnd {
  /** `true` if the peer had sent FIN. */
  readonly ended: boolean;
  /** Set if it was closed, with the error that broke it. */
  readonly closed: { error: unknown } | undefined;
}

/** Result of one step of a connection with `"step"` delivery. */
export type StepResult = "none" | "message" | "control" | "closed";
