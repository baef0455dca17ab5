/**
 * Remedies for mistakes with receivers, which programs with sockets have: a page is smaller without.
 *
 * @module
 */

import { type Remedies, useRemedies } from "../base/remedies.ts";
import { refuseUnknownNames } from "../base/unknown_names.ts";
import { CLIENT_REMEDIES } from "../client/remedies.ts";
import { WhatsAppReceiver } from "./receiver.ts";

/** Hints beside those of clients, by names in small letters. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ["since", 'use "after"'],
  ["from", 'use "after"'],
  ["position", 'use "after"'],
  ["verifytoken", 'use "receiverToken": Meta shows "verifyToken" to the server'],
  ["onrawmessage", "it is a handler of WhatsAppServer; a receiver has onMessageReceived for raw texts"],
  ["onstatus", 'use "onStatusReceived"'],
  ["onwhatsappmessage", 'use "onWhatsAppMessageReceived"'],
]);

const RECEIVER_REMEDIES: Remedies = {
  forOption(owner, name) {
    if (owner !== "WhatsAppReceiver") return undefined;
    return HINTS.get(name.toLowerCase()) ?? CLIENT_REMEDIES.forOption!("WebSocketClient", name);
  },
  exampleOf: (owner, value) =>
    owner === "WhatsAppReceiver" ? CLIENT_REMEDIES.exampleOf!("WebSocketClient", value) : undefined,
};

/** Installs them, and refuses unknown properties of receivers. */
export function useReceiverRemedies(): void {
  useRemedies(RECEIVER_REMEDIES);
  refuseUnknownNames(WhatsAppReceiver.prototype, "WhatsAppReceiver", {});
}
