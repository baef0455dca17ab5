/**
 * Remedies for mistakes with clients, which programs with sockets have: a page is smaller without.
 *
 * @module
 */

import type { OptionHints } from "../base/option_names.ts";
import { type Remedies, useRemedies } from "../base/remedies.ts";
import { assertMembers, refuseUnknownNames } from "../base/unknown_names.ts";
import { WebSocketClient } from "./client.ts";
import { CLIENT_HINTS, CLIENT_MEMBERS, RECONNECT_HINTS } from "./option_hints.ts";

/** Properties of other clients, and handlers that are meant. */
const CLIENT_NAMES: Readonly<Record<string, string>> = {
  onopen: "onConnect",
  onmessage: "onMessageReceived",
  onclose: "onDisconnect",
  onerror: "onError",
  host: "hostname",
};

/** Hints by the owner of options, and by names in small letters. */
const HINTS: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ["WebSocketClient", lowerCased(CLIENT_HINTS)],
  ["connect", lowerCased({ timeout: 'set "connectTimeout" of the client', url: "give the URL to the constructor" })],
  ['The setting "reconnect"', lowerCased(RECONNECT_HINTS)],
]);

function lowerCased(hints: OptionHints): ReadonlyMap<string, string> {
  return new Map(Object.entries(hints).map(([name, hint]) => [name.toLowerCase(), hint]));
}

/** Remedies for clients. */
export const CLIENT_REMEDIES: Remedies = {
  forOption: (owner, name) => HINTS.get(owner)?.get(name.toLowerCase()),
  exampleOf(owner, value) {
    if (owner === "connect") return "{ signal }; the URL is given to the constructor";
    return owner === "WebSocketClient" ? exampleOf(value) : undefined;
  },
  assertMembers,
};

/** Installs them, and refuses unknown properties of clients. */
export function useClientRemedies(): void {
  useRemedies(CLIENT_REMEDIES);
  refuseUnknownNames(WebSocketClient.prototype, "WebSocketClient", CLIENT_NAMES, CLIENT_MEMBERS);
}

/** Writes a value that is no options object of a client, such as a list of subprotocols, as one, if it can be told. */
function exampleOf(value: unknown): string | undefined {
  const protocols = typeof value === "string" ? [value] : value;
  if (Array.isArray(protocols)) {
    const texts = protocols.every((protocol) => typeof protocol === "string");
    return `{ protocols: ${texts && protocols.length > 0 ? JSON.stringify(protocols) : '["chat"]'} }`;
  }
  return typeof value === "number" ? `{ port: ${value} }` : undefined;
}
