/**
 * Options and handlers of a `WhatsAppReceiver`, and checks of them.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";
import {
  assertHandlers,
  hasMethods,
  OptionNames,
  type OptionTable,
  showValue,
  withoutNames,
} from "../base/option_names.ts";
import { assertSecret, assertSecrets } from "../base/secrets.ts";
import { checkValue, checkValues, type HandlersTable, type SettingsTable } from "../base/settings.ts";
import { CLIENT_OPTION_TABLES, type WebSocketClientOptions } from "../client/settings.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import type { WhatsAppRecord, WhatsAppStatus } from "../cloud_api/records.ts";
import { assertReceiverName, INBOX_PROTOCOL_V2, inboxVersion } from "../inbox/protocol.ts";
import type { InboxPosition } from "../inbox/session.ts";
import type { SeenStore } from "./deduplication.ts";
import { chooseVerifier } from "./install_verifier.ts";
import { DEFAULT_PROTOCOLS } from "./protocols.ts";

/** A record that is neither a message nor a status: errors of the account, echoes, history, templates, … */
export type WhatsAppOtherRecord = Exclude<WhatsAppRecord, WhatsAppMessage | WhatsAppStatus>;

/**
 * Handlers of a `WhatsAppReceiver`. A notification is acknowledged when all handlers that were called for it have
 * returned, and their promises are fulfilled. A handler that fails closes the connection; the notification comes again
 * on the next one. With one of these handlers, or `onMessageReceived`, other records are acknowledged without one;
 * `onError` gets `ERR_NO_HANDLER` for the first message of a customer on a connection.
 */
export interface WhatsAppReceiverHandlers {
  /** A message of a customer came; after `onMessageReceived` with the raw text. */
  onWhatsAppMessageReceived?: ((message: WhatsAppMessage) => void) | undefined;
  /** The status of a message of the business came. They come in any order: see `laterStatus`. */
  onStatusReceived?: ((status: WhatsAppStatus) => void) | undefined;
  /** Another record came: an error of the account, an echo, a payment, a call, history, a template, … */
  onNotification?: ((record: WhatsAppOtherRecord) => void) | undefined;
  /**
   * Notifications after the sequence number `after`, up to `until`, cannot be delivered any more: the server kept them
   * for too short a time, or its journal has lost them; a loss may be detected late.
   */
  onGap?: ((after: number, until: number) => void) | undefined;
  /**
   * Everything that the server had when this receiver connected has come, up to a sequence number; called once per
   * connection.
   */
  onCaughtUp?: ((seq: number) => void) | undefined;
}

/** Names of the handlers. */
export const RECEIVER_HANDLERS: HandlersTable<WhatsAppReceiverHandlers> = {
  onWhatsAppMessageReceived: true,
  onStatusReceived: true,
  onNotification: true,
  onGap: true,
  onCaughtUp: true,
};

/**
 * Options and handlers of a `WhatsAppReceiver`.
 *
 * Also from {@linkcode WebSocketClientOptions}:
 * - `hostname` (default `"localhost"`): Host name or address of the server.
 * - `hostName`: Former name of `hostname`, which wins if both are given.
 * - `port` (default `8888`): Port of the server, up to 65535.
 * - `path` (default `""`): Path of a Unix socket to connect to instead of a port, up to 107 bytes; the URL is
 *   `ws+unix:/run/chat.sock:/path`.
 * - `pathName` (default `"/"`): Path, and query if there is one.
 * - `rootCertificateFile`: PEM file with certificates that are trusted besides the runtime's own.
 * - `rootCertificate`: PEM text or its bytes, instead of `rootCertificateFile`.
 * - `certificateFile`: PEM file with the certificate that the client shows if the server asks for one; its chain may
 *   follow in it.
 * - `certificate`: The certificate as PEM text or its bytes, instead of `certificateFile`.
 * - `certificateKeyFile`: PEM file with its private key.
 * - `certificateKey`: The private key as PEM text or its bytes, instead of `certificateKeyFile`.
 * - `serverName` (default `""`): Name of the server in TLS, where it is not the host name, as with an address: it is
 *   sent (SNI), and the certificate is checked against it.
 * - `origin`: The value of the `Origin` header; "" sends none.
 * - `headers`: More header fields, or a function that is called for them before each attempt.
 * - `token`: Token sent as `Authorization: Bearer`, or a function that is called for it before each attempt.
 * - `resolveUrl`: Called before each attempt for the URL; without it, `hostname`, `port`, `pathName` and `useSSL`
 *   count.
 * - `proxy` (default `""`): An HTTP proxy to go through, such as `"http://user:password@proxy.example:3128"`; "": none.
 * - `maxRedirects` (default `0`): Largest number of redirects to follow: never from `wss:` to `ws:`, and without
 *   `headers` and `token` to another origin.
 * - `reconnect` (default `false`): Reconnect when the connection is lost or cannot be made; an object says how.
 * - `signal`: Ends the client: aborts connecting, disconnects, and does not connect again.
 * - `compression` (default `false`): Offer compression (RFC 7692); an object says how.
 * - `connectTimeout` (default `10000`): Time for name resolution, TCP, TLS and handshake together, in ms.
 * - `autoCheckMessages` (default `true`): `true`: events are delivered as they come.
 * - `autoCheckInterval` (default `0`): Time between two batches of events, in ms, so that a UI or a game loop is woken
 *   at its own pace; up to 1 MiB waits in between.
 * - `checkTimeout` (default `1000`): Time that `checkIncoming` waits, in ms; 0: until something comes.
 *
 * Also from {@linkcode ConnectionOptions}:
 * - `options`: Switches of the protocol.
 * - `splitMessage` (default `false`): Send messages in frames of at most `frameSize` bytes.
 * - `frameSize` (default `0`): Longest frame on the wire, header included, in bytes, when `splitMessage` is on; 0: no
 *   splitting.
 * - `maxMessageSize` (default `16777216`): Largest message accepted from the peer, in bytes.
 * - `maxFragments` (default `131072`): Most fragments of one message, empty ones included; beyond it 1008.
 * - `messageTimeout` (default `0`): Longest time until the next piece of a message that has begun, in ms, exact to an
 *   eighth.
 * - `maxBufferedAmount` (default `33554432`): Most bytes that wait for a slow peer; control frames and compressed
 *   fragments may exceed it a little.
 * - `highWaterMark` (default `65536`): Number of waiting bytes from which `send` returns `"backpressure"`.
 * - `slowConsumer` (default `"close"`): Effect of a message beyond `maxBufferedAmount`: `"close"` ends the connection
 *   at once, `"drop"` skips the message.
 * - `closeTimeout` (default `10000`): Longest time for the closing handshake, and then for the end of TCP, in ms.
 * - `idleTimeout` (default `0`): Longest time in which only pings and pongs come or are sent, in ms, exact to an
 *   eighth.
 * - `pingInterval` (default `25000`): Time between the answer to a ping and the next ping, in ms.
 * - `pongTimeout` (default `20000`): Longest time to the answer to a ping, in ms.
 * - `maxMessageRate` (default `0`): Most messages and control frames a second; beyond it 1008.
 * - `maxByteRate` (default `0`): Most bytes a second, on the wire; beyond it 1008.
 * - `concurrency` (default `64`): Most promises of message handlers that may be pending on one connection.
 * - `rateBurstSeconds` (default `5`): Messages and bytes that may come at once, as the seconds in which
 *   `maxMessageRate` and `maxByteRate` would let them in; at least 1 to be of use.
 * - `clock`: Time, for tests.
 *
 * Also from {@linkcode ClientHandlers}:
 * - `onGetSSLPassword`: Called for the pass phrase of an encrypted private key.
 * - `onSendHandshake`: Called before the request is sent: header fields may be added.
 * - `onHandshakeResponse`: Called when the server has opened the WebSocket; `false` refuses it.
 * - `onConnect`: Called after the handshake: from here on messages may be sent.
 * - `onMessageReceived`: Called for a text message, or with `frameByFrame` for a frame of one.
 * - `onBinaryDataReceived`: Called for a binary message, or with `frameByFrame` for a frame of one.
 * - `onPing`: Called for a ping; it is answered already, unless `manualPong` is set.
 * - `onPong`: Called for a pong.
 * - `onClose`: Called for the server's close frame; it is answered already, unless `manualClose` is set.
 * - `onDisconnect`: Called when the connection has ended: exactly once for each `onConnect`.
 * - `onError`: Called for failures: a protocol violation, a handler ({@linkcode HandlerError}), a message of a kind
 *   that has no handler while the other kind has one (`ERR_NO_HANDLER`, once for each connection), a connect by
 *   `active`, a `reconnect` that was given up.
 * - `onReconnecting`: Called with `reconnect` before each wait for another attempt.
 * - `onLog`: Called with a structured record for each attempt, each connection from its beginning to its end, failures.
 *
 * Also from {@linkcode WhatsAppReceiverHandlers}:
 * - `onWhatsAppMessageReceived`: A message of a customer came; after `onMessageReceived` with the raw text.
 * - `onStatusReceived`: The status of a message of the business came.
 * - `onNotification`: Another record came: an error of the account, an echo, a payment, a call, history, a template, …
 * - `onGap`: Notifications after the sequence number `after`, up to `until`, cannot be delivered any more: the server
 *   kept them for too short a time, or its journal has lost them; a loss may be detected late.
 * - `onCaughtUp`: Everything that the server had when this receiver connected has come, up to a sequence number; called
 *   once per connection.
 */
export interface WhatsAppReceiverOptions extends WebSocketClientOptions, WhatsAppReceiverHandlers {
  /**
   * Speak TLS; `false` is possible for a loopback address only.
   * @default {true}
   */
  useSSL?: boolean | undefined;
  /**
   * Subprotocols in the order of preference.
   * @default {["whatsapp-inbox.v2", "whatsapp-inbox.v1", "whatsapp-notifications"]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * Token that the server asks for, or a function that is asked for it before each attempt. It goes into the
   * `Authorization` header or, where no header can hold it, as in a page, into a subprotocol entry; never into the URL.
   */
  receiverToken?: string | (() => string | Promise<string>) | undefined;
  /**
   * Name under which the server stores the position of this receiver, from its first connection on: 1 to 128
   * characters. Without a name the position lives as long as this object, or begins at `after`.
   */
  name?: string | undefined;
  /**
   * Share the notifications among the connections of this name; else each gets all.
   * @default {false}
   */
  share?: boolean | undefined;
  /**
   * Start: a sequence number after which notifications come, or a `position`. 0: all that the server has. Without it:
   * new notifications only.
   */
  after?: number | InboxPosition | undefined;
  /**
   * Maximum of notifications that wait to be handled, from 1 to 4096. Then the server waits too.
   * @default {256}
   */
  window?: number | undefined;
  /**
   * Records that are wanted. The server sends notifications with at least one of them; other records are not handed
   * over.
   */
  filter?: WhatsAppFilter | undefined;
  /**
   * The app secret, or several: Meta's signature is checked here again, so that the server need not be trusted. A
   * notification without a valid signature is not acknowledged, and closes the connection with 1008; so does a
   * message of the server's program that could be taken for a notification: JSON of an object whose `object` is
   * `"whatsapp_business_account"`, or whose `entry` is an array or an object. Other ones go to `onMessageReceived` and
   * `onBinaryDataReceived` only.
   * Not available in a page, nor with a token that allows only a part.
   */
  appSecret?: string | readonly string[] | undefined;
  /**
   * Hand over each message, status and echo once, though Meta and the server may send them more often. Keys are kept in
   * memory for 8 days, 100 000 at most, or in a store of the program.
   * @default {true}
   */
  deduplicate?: boolean | SeenStore | undefined;
}

/** Settings of a receiver that are checked when it is made and when it connects. */
export interface ReceiverSettings {
  /** Name of the receiver. */
  readonly name: string | undefined;
  /** Shares the notifications of the name. */
  readonly share: boolean;
  /** Start. */
  readonly after: number | InboxPosition | undefined;
  /** Maximum of notifications that wait to be handled. */
  readonly window: number | undefined;
  /** Records that are wanted. */
  readonly filter: WhatsAppFilter | undefined;
  /** Token, or a function that is asked for it. */
  readonly receiverToken: string | (() => string | Promise<string>) | undefined;
  /** App secrets. */
  readonly appSecret: string | readonly string[] | undefined;
}

/** The settings of a receiver beside those of a client, and `deduplicate`, which counts when it is made only. */
export const RECEIVER_SETTINGS: SettingsTable<ReceiverSettings & DeduplicationSetting> = {
  name: { kind: "string", default: undefined, check: (name) => name !== undefined && assertReceiverName(name) },
  share: { kind: "boolean", default: false },
  after: { kind: "any", default: undefined, check: assertStart },
  window: { kind: "number", unit: "count", least: 1, most: 4096, default: undefined, implied: 256 },
  filter: { kind: "any", default: undefined, check: (filter) => void checkFilter(filter) },
  receiverToken: { kind: "any", default: undefined, check: assertReceiverToken },
  appSecret: { kind: "any", default: undefined, check: assertAppSecret },
  deduplicate: { kind: "any", default: true, check: assertDeduplicate },
};

/** Setting of a receiver that counts when it is made only. */
export interface DeduplicationSetting {
  /** See `WhatsAppReceiverOptions`. */
  readonly deduplicate: boolean | SeenStore;
}

const OWN_TABLES: readonly object[] = [RECEIVER_SETTINGS, RECEIVER_HANDLERS];
/** Options of a receiver that are not those of a client; the compiler finds one that no table has. */
const NONE: OptionTable<
  Omit<
    WhatsAppReceiverOptions,
    keyof WebSocketClientOptions | keyof ReceiverSettings | keyof DeduplicationSetting | keyof WhatsAppReceiverHandlers
  >
> = {};
/** Concatenated in a form that bundlers leave out of a page without receivers. */
const ALL_TABLES: readonly object[] = /* @__PURE__ */ OWN_TABLES.concat(CLIENT_OPTION_TABLES, NONE);
const OWN_NAMES = /* @__PURE__ */ new OptionNames("WhatsAppReceiver", { tables: OWN_TABLES });
const ALL_NAMES = /* @__PURE__ */ new OptionNames("WhatsAppReceiver", { tables: ALL_TABLES });

/**
 * Checks the options of a `WhatsAppReceiver`, and picks those of the `WebSocketClient` that it is.
 *
 * @param options The options.
 * @param besideUrl `true`: a URL says whether to speak TLS.
 * @returns A copy without those of `RECEIVER_SETTINGS`.
 * @throws {OptionError} If one is unknown or no function.
 */
export function clientOptionsOf(options: WhatsAppReceiverOptions, besideUrl = false): WebSocketClientOptions {
  ALL_NAMES.assert(options);
  assertHandlers(options, RECEIVER_HANDLERS);
  checkValue(RECEIVER_SETTINGS, "deduplicate", options.deduplicate ?? true);
  const { useSSL, protocols } = options;
  const preferred = protocols ?? DEFAULT_PROTOCOLS;
  return {
    ...withoutNames(options, OWN_NAMES),
    useSSL: useSSL ?? (besideUrl ? undefined : true),
    protocols: preferred,
  };
}

/**
 * Checks that the subprotocols of a receiver go with settings that only that of the inbox has.
 *
 * @param settings The settings.
 * @param protocols The subprotocols.
 * @throws {OptionError} If none of them does.
 */
export function assertInboxProtocol(settings: ReceiverSettings, protocols: readonly string[]): void {
  if (protocols.some((protocol) => inboxVersion(protocol) !== undefined)) return;
  for (const name of ["name", "after", "window", "appSecret"] as const) {
    if (settings[name] === undefined) continue;
    const needed = `"${INBOX_PROTOCOL_V2}"`;
    throw new OptionError(
      `The setting "${name}" needs ${needed}, which is not among "protocols": add it, or leave both`,
    );
  }
}

/**
 * Checks the settings of a receiver.
 *
 * @param settings The settings.
 * @throws {OptionError} If one is out of range, or does not fit the others.
 */
export function assertReceiverSettings(settings: ReceiverSettings): void {
  const { name, share, after, window, filter, receiverToken, appSecret } = settings;
  const given = { name, share, after, window, filter, receiverToken, appSecret };
  checkValues(RECEIVER_SETTINGS, { ...given, deduplicate: true });
  if (share && name === undefined) throw new OptionError('The setting "share" needs a "name"');
}

const POSITION_NAMES: OptionTable<InboxPosition> = { journal: true, after: true };
const POSITION = /* @__PURE__ */ new OptionNames('The setting "after"', { tables: [POSITION_NAMES] });

function assertStart(start: unknown): void {
  if (typeof start !== "object") return assertNumber("after", start);
  POSITION.assert(start);
  const { journal, after } = start as InboxPosition;
  if (typeof journal !== "string") {
    throw new OptionError('The setting "after" has no "journal": give the "position" of a receiver, or a number');
  }
  assertNumber("after", after);
}

function assertReceiverToken(token: ReceiverSettings["receiverToken"]): void {
  assertSecret("receiverToken", token);
}

function assertAppSecret(appSecret: ReceiverSettings["appSecret"]): void {
  if (chooseVerifier() === undefined) {
    throw new OptionError('The setting "appSecret" is not available in a page: each visitor of the page could read it');
  }
  assertSecrets("appSecret", appSecret as string);
}

function assertDeduplicate(deduplicate: unknown): void {
  if (typeof deduplicate === "boolean" || hasMethods(deduplicate, "has", "add")) return;
  throw new OptionError(`The setting "deduplicate" is ${showValue(deduplicate)}, neither true, false, nor a store`);
}
