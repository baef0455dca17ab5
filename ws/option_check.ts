/**
 * Checks of the options of a server in the form of npm `ws`: names that are misspelt, and values that would be found
 * wrong only when the first client comes.
 *
 * `ws` takes any names, and programs hand it objects with options of their own. Names that are far from all known ones
 * are therefore left alone.
 *
 * @module
 */

import { didYouMean, suggest } from "../base/did_you_mean.ts";
import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { assertHandler, hasMethods, type OptionTable, showValue } from "../base/option_names.ts";
import { SERVER_HANDLERS } from "../server/handlers.ts";
import { SERVER_SETTINGS } from "../server/settings.ts";
import type { PerMessageDeflateOptions, WebSocketServerOptions } from "./options.ts";

const OPTION_TABLE: OptionTable<WebSocketServerOptions> = {
  port: true,
  host: true,
  backlog: true,
  server: true,
  noServer: true,
  path: true,
  clientTracking: true,
  handleProtocols: true,
  verifyClient: true,
  perMessageDeflate: true,
  maxPayload: true,
  maxFragments: true,
  autoPong: true,
  closeTimeout: true,
  WebSocket: true,
  skipUTF8Validation: true,
  allowSynchronousEvents: true,
  settings: true,
};
/** The options, and those of `ws` that are ignored. */
const OPTIONS: readonly string[] = [...Object.keys(OPTION_TABLE), "maxBufferedChunks", "maxPendingAutoPongs"];

const DEFLATE_TABLE: OptionTable<PerMessageDeflateOptions> = {
  threshold: true,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: true,
  clientMaxWindowBits: true,
  zlibDeflateOptions: true,
  zlibInflateOptions: true,
  concurrencyLimit: true,
};
const DEFLATE_OPTIONS: readonly string[] = Object.keys(DEFLATE_TABLE);

/** Settings that have another name here. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["hostname", "host"],
  ["hostName", "host"],
  ["pathName", "path"],
  ["port", "port"],
  ["path", "path"],
  ["compression", "perMessageDeflate"],
  ["protocols", "handleProtocols"],
  ["maxMessageSize", "maxPayload"],
]);

/** Settings that a server in the form of `ws` cannot have. */
const UNUSED: readonly string[] = ["routes", "signal"];

/** Shorter names get no hint: they are options of the program's own. */
const SHORTEST_MISTAKE = 6;

/**
 * Checks the options of a server.
 *
 * @param options The options.
 * @throws {OptionError} If a name is misspelt, or one of this library's that belongs elsewhere; or if a value is of
 * another type.
 */
export function assertOptions(options: WebSocketServerOptions): void {
  for (const name of namesOf(options)) assertName(name);
  const { server, verifyClient, handleProtocols, perMessageDeflate, settings } = options;
  if (verifyClient) assertHandler("verifyClient", verifyClient);
  if (handleProtocols) assertHandler("handleProtocols", handleProtocols);
  if (server) assertHttpServer(server);
  if (typeof perMessageDeflate === "object" && perMessageDeflate !== null) {
    for (const name of namesOf(perMessageDeflate)) {
      assertNotMisspelt('The option "perMessageDeflate"', name, DEFLATE_OPTIONS);
    }
  }
  if (settings !== undefined && settings !== null) assertSettings(settings);
}

function namesOf(options: object): string[] {
  return Object.entries(options).filter(([, value]) => value !== undefined).map(([name]) => name);
}

function assertName(name: string): void {
  if (OPTIONS.includes(name)) return;
  const renamed = RENAMED.get(name);
  if (renamed !== undefined) throw unknown("WebSocketServer", name, `; use "${renamed}"`);
  if (Object.hasOwn(SERVER_HANDLERS, name)) {
    throw unknown("WebSocketServer", name, `: listen for events, or use WebSocketServer of "@tackline/websocket"`);
  }
  if (Object.hasOwn(SERVER_SETTINGS, name) && !UNUSED.includes(name)) {
    throw unknown("WebSocketServer", name, `; give it in "settings": { settings: { ${name}: … } }`);
  }
  assertNotMisspelt("WebSocketServer", name, OPTIONS);
}

function assertNotMisspelt(owner: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const same = known.find((other) => other.toLowerCase() === name.toLowerCase());
  const hint = same !== undefined ? suggest(same) : name.length < SHORTEST_MISTAKE ? "" : didYouMean(name, known);
  if (hint !== "") throw unknown(owner, name, hint);
}

/** Other names are refused by the server itself. */
function assertSettings(settings: unknown): void {
  if (typeof settings !== "object" || Array.isArray(settings)) {
    throw new OptionError(`The option "settings" is ${showValue(settings)} instead of an object`);
  }
  for (const name of namesOf(settings as object)) {
    const renamed = name === "maxMessageSize" ? undefined : RENAMED.get(name);
    if (renamed !== undefined) throw unknown('The option "settings"', name, `; give "${renamed}" beside "settings"`);
    if (UNUSED.includes(name) || Object.hasOwn(SERVER_HANDLERS, name)) {
      throw unknown('The option "settings"', name, ': use WebSocketServer of "@tackline/websocket"');
    }
  }
}

function unknown(owner: string, name: string, remedy: string): OptionError {
  return new OptionError(`${owner} has no option ${quote(name)}${remedy}`);
}

function assertHttpServer(server: unknown): void {
  if (hasMethods(server, "on", "removeListener", "address")) return;
  const hint = typeof server === "function"
    ? "an Express application is none; give what its listen() returns, or createServer(application)"
    : 'only such a server has the event "upgrade"; without one use "port"';
  throw new OptionError(`The option "server" is ${showValue(server)} instead of a server of node:http: ${hint}`);
}
