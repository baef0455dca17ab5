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
  /** Another record came: an error of the account, an echo, history, a template, … */
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

/** Options and handlers of a `WhatsAppReceiver`. */
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
