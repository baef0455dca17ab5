/**
 * Options and handlers of a `WhatsAppReceiver`, and checks of them.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertSecrets } from "../base/secrets.ts";
import type { HandlersTable } from "../base/settings.ts";
import type { WebSocketClientOptions } from "../client/settings.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import type { WhatsAppRecord, WhatsAppStatus } from "../cloud_api/records.ts";
import { assertReceiverName } from "../inbox/protocol.ts";
import type { InboxPosition } from "../inbox/session.ts";
import type { SeenStore } from "./deduplication.ts";
import { chooseVerifier } from "./install_verifier.ts";

/** A record that is neither a message nor a status: errors of the account, echoes, history, templates, … */
export type WhatsAppOtherRecord = Exclude<WhatsAppRecord, WhatsAppMessage | WhatsAppStatus>;

/**
 * Handlers of a `WhatsAppReceiver`. A notification is acknowledged when all handlers that were called for it have
 * returned, and their promises are fulfilled. A handler that fails closes the connection; the notification comes again
 * on the next one.
 */
export interface WhatsAppReceiverHandlers {
  /** A message of a customer came; after `onMessageReceived` with the raw text. */
  onWhatsAppMessageReceived?: ((message: WhatsAppMessage) => unknown) | undefined;
  /** The status of a message of the business came. They come in any order: see `laterStatus`. */
  onStatusReceived?: ((status: WhatsAppStatus) => unknown) | undefined;
  /** Another record came: an error of the account, an echo, history, a template, … */
  onNotification?: ((record: WhatsAppOtherRecord) => unknown) | undefined;
  /**
   * Notifications after the sequence number `after`, up to `until`, cannot be delivered any more: the server kept them
   * for too short a time, or its journal has lost them; a loss may be detected late.
   */
  onGap?: ((after: number, until: number) => unknown) | undefined;
  /**
   * Everything that the server had when this receiver connected has come, up to a sequence number; called once per
   * connection.
   */
  onCaughtUp?: ((seq: number) => unknown) | undefined;
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
   * @default {["whatsapp-inbox.v1", "whatsapp-notifications"]}
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
   * notification without a valid signature is not acknowledged, and closes the connection with 1008; so does a text
   * message that looks like a notification. Other text messages of the server's program go to `onMessageReceived` only.
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

/**
 * Checks the settings of a receiver.
 *
 * @param settings The settings.
 * @throws {OptionError} If one is out of range, or does not fit the others.
 */
export function assertReceiverSettings(settings: ReceiverSettings): void {
  const { name, share, after, window, filter, receiverToken, appSecret } = settings;
  if (name !== undefined) assertReceiverName(name);
  if (share && name === undefined) throw new OptionError('The setting "share" needs a "name"');
  if (window !== undefined) assertNumber("window", window, 4096);
  if (window === 0) throw new OptionError('The setting "window" is 0: no notification would ever come');
  if (filter !== undefined) checkFilter(filter);
  const start = typeof after === "object" ? after.after : after;
  if (start !== undefined) assertNumber("after", start);
  if (receiverToken !== undefined && typeof receiverToken !== "function") {
    assertSecrets("receiverToken", receiverToken);
  }
  if (appSecret === undefined) return;
  if (chooseVerifier() === undefined) {
    throw new OptionError('The setting "appSecret" is not available in a page: each visitor of the page could read it');
  }
  assertSecrets("appSecret", appSecret);
}
