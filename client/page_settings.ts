/**
 * Settings and handlers of the client of `browser_client.ts`, with their checks, and the URL that they make. Tables and
 * checks of the other clients are not used: they take more bytes than all of this.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { quote } from "../base/error_text.ts";
import { OptionError, StateError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import type { SlowConsumer } from "../connection/options.ts";
import type { ReconnectFields, ReconnectOptions } from "./reconnect.ts";
import type { ClientHandlers, WebSocketClientOptions } from "./settings.ts";

/** Settings of the client, complete. */
export interface PageSettings {
  /** Host name or address of the server. */
  hostname: string;
  /** Port of the server. */
  port: number;
  /** Path, and query if there is one. */
  pathName: string;
  /** Speaks TLS (`wss:`). */
  useSSL: boolean;
  /** Subprotocols in the order of preference. */
  protocols: readonly string[];
  /** Called before each attempt for the URL to connect to. */
  resolveUrl: (() => string | URL | Promise<string | URL>) | undefined;
  /** Reconnects after a lost or failed connection; an object says how. */
  reconnect: boolean | ReconnectOptions;
  /** Time for an attempt, in ms; 0: no limit. */
  connectTimeout: number;
  /** Time for the closing handshake, in ms; 0: no limit. */
  closeTimeout: number;
  /** Largest message taken from the server, in bytes; 0: no limit. */
  maxMessageSize: number;
  /** Largest number of bytes that wait for a slow server; 0: no limit. */
  maxBufferedAmount: number;
  /** Waiting bytes from which on `send` returns `"backpressure"`. */
  highWaterMark: number;
  /** Effect of a `send` beyond `maxBufferedAmount`. */
  slowConsumer: SlowConsumer;
  /** Largest number of promises of message handlers that are pending; 0: no limit. */
  concurrency: number;
  /** Clock, replaced in tests. */
  clock: Clock;
}

/** Names of the handlers. */
export type PageHandlerName =
  | "onConnect"
  | "onMessageReceived"
  | "onBinaryDataReceived"
  | "onClose"
  | "onDisconnect"
  | "onError"
  | "onReconnecting"
  | "onLog";

/** The handlers of the client: those of `WebSocketClient` of `./browser` that are here too. */
export type PageHandlers = Pick<ClientHandlers, PageHandlerName>;

/** Options and handlers of the client: those of `WebSocketClient` of `./browser` that are here too. */
export type PageClientOptions = Pick<WebSocketClientOptions, keyof PageSettings | PageHandlerName | "signal">;

/** Defaults of the settings. */
export const PAGE_DEFAULTS: PageSettings = {
  hostname: "localhost",
  port: 8888,
  pathName: "/",
  useSSL: false,
  protocols: [],
  resolveUrl: undefined,
  reconnect: false,
  connectTimeout: 10_000,
  closeTimeout: 10_000,
  maxMessageSize: 16 * 1024 * 1024,
  maxBufferedAmount: 32 * 1024 * 1024,
  highWaterMark: 64 * 1024,
  slowConsumer: "close",
  concurrency: 64,
  clock: systemClock,
};

/** Names of the handlers. */
export const PAGE_HANDLERS: readonly PageHandlerName[] = [
  "onConnect",
  "onMessageReceived",
  "onBinaryDataReceived",
  "onClose",
  "onDisconnect",
  "onError",
  "onReconnecting",
  "onLog",
];

/** Close codes after which another attempt would fail in the same way, or is not wanted. */
export const TERMINAL_CODES: readonly number[] = [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010];

const RECONNECT_DEFAULTS: ReconnectFields = {
  minDelay: 500,
  maxDelay: 30_000,
  minUptime: 5000,
  maxAttempts: 0,
  terminalCodes: TERMINAL_CODES,
  shouldReconnect: undefined,
  maxQueuedSize: 0,
};

/** Options of the clients of other entries, so that they are no unknown names. */
const OTHERS = ("headers,token,origin,proxy,maxRedirects,rootCertificateFile,frameSize,maxFragments,messageTimeout," +
  "options,compression,autoCheckMessages,autoCheckInterval,checkTimeout,onPing,onPong,onSendHandshake," +
  "onHandshakeResponse").split(",");

/**
 * Makes the error of an action that a page cannot do.
 *
 * @param what The action.
 * @returns The error to throw.
 */
export function unsupported(what: string): StateError {
  return new StateError("ERR_UNSUPPORTED", `Cannot ${what}: a browser offers no way to`);
}

/**
 * Makes the error of an option or a member that the client of another entry has.
 *
 * @param name Its name.
 * @returns The error to throw.
 */
export function notHere(name: string): StateError {
  return new StateError("ERR_UNSUPPORTED", `Cannot use "${name}" here: see "@tackline/websocket/browser"`);
}

/**
 * Checks the names of options.
 *
 * @param owner The one that takes them.
 * @param options The options.
 * @param known The names.
 * @throws {OptionError} If one is unknown, or the options are no object.
 * @throws {StateError} If only the client of another entry has it.
 */
export function assertNames(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new OptionError(`${owner} takes options as an object, not ${showValue(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (OTHERS.includes(name)) throw notHere(name);
    const [nearest] = [...known].sort((one, other) => mistakes(name, one) - mistakes(name, other));
    throw new OptionError(
      `${owner} has no option ${quote(name)}; did you mean "${nearest}"? The names are ${[...known].sort().join(", ")}`,
    );
  }
}

/** Counts the characters that are missing, added, or changed, but for their case (Levenshtein). */
function mistakes(from: string, to: string): number {
  let row = [...`${to} `].map((_, column) => column);
  for (const [index, char] of [...from.slice(0, 64).toLowerCase()].entries()) {
    let last = index + 1;
    row = row.map((above, column) =>
      last = column === 0
        ? last
        : Math.min(above + 1, last + 1, row[column - 1]! + (to[column - 1]!.toLowerCase() === char ? 0 : 1))
    );
  }
  return row.at(-1)!;
}

/**
 * Refuses a value of another kind.
 *
 * @param what Its name.
 * @param value The value.
 * @param good `true` if it is right.
 * @param expected What it has to be.
 * @throws {OptionError} If it is not.
 */
export function assertKind(what: string, value: unknown, good: unknown, expected: string): void {
  if (!good) throw new OptionError(`The ${what} is ${showValue(value)} instead of ${expected}`);
}

/**
 * Refuses a handler that is no function.
 *
 * @param name Its name.
 * @param handler The handler; `undefined` and `null` stand for none.
 * @throws {OptionError} If it is something else.
 */
export function assertHandler(name: string, handler: unknown): void {
  assertKind(`handler "${name}"`, handler, typeof (handler ?? isNaN) === "function", "a function");
}

/**
 * Refuses a signal of another kind.
 *
 * @param options The options that may have one.
 * @throws {OptionError} If it is something else.
 */
export function assertSignal({ signal }: { signal?: unknown }): void {
  assertKind('option "signal"', signal, !signal || signal instanceof AbortSignal, "an AbortSignal");
}

/** Picks and checks values; with a prefix, those that are not given have their default. */
function check<Values extends object>(from: object, defaults: Values, prefix = ""): Values {
  const values = {} as Record<string, unknown>;
  for (const [key, usual] of Object.entries(defaults)) {
    const given: unknown = Reflect.get(from, key);
    const value = given === undefined && prefix ? usual : given;
    const name = prefix + key;
    values[key] = value;
    const kind = typeof usual;
    let expected = `a ${kind}`;
    let good = key === "reconnect" || typeof value === kind;
    if (kind === "number") {
      const most = key === "port" ? 65535 : /Timeout|Delay|Uptime/.test(key) ? 0x7fffffff : Number.MAX_SAFE_INTEGER;
      expected = `an integer from 0 to ${most}`;
      good = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
    } else if (Array.isArray(usual)) {
      expected = "an array";
      good = Array.isArray(value);
    } else if (kind === "object") {
      expected = "a clock";
      good = typeof (value as Clock | null)?.after === "function";
    } else if (usual === undefined) {
      expected = "a function";
      good = value === undefined || typeof value === "function";
    }
    assertKind(`setting "${name}"`, value, good, expected);
  }
  return values as Values;
}

/**
 * Reads and checks the settings of a client.
 *
 * @param client The client, which has them as properties.
 * @returns A copy.
 * @throws {OptionError} If one is of another kind, or out of range.
 */
export function pageSettings(client: object): PageSettings {
  const settings = check(client, PAGE_DEFAULTS);
  const { slowConsumer } = settings;
  const known = slowConsumer === "close" || slowConsumer === "drop";
  assertKind('setting "slowConsumer"', slowConsumer, known, '"close" or "drop"');
  pageReconnect(settings.reconnect);
  return settings;
}

/**
 * Reads the setting `reconnect`.
 *
 * @param option The setting.
 * @returns The settings, complete; `undefined`: the client does not reconnect.
 * @throws {OptionError} If a field is unknown, of another kind, or out of range.
 */
export function pageReconnect(option: boolean | ReconnectOptions): ReconnectFields | undefined {
  if (option === false) return undefined;
  const given = option === true ? {} : option;
  assertNames('The setting "reconnect"', given, Object.keys(RECONNECT_DEFAULTS));
  const settings = check(given, RECONNECT_DEFAULTS, "reconnect.");
  // A default gives way to the other limit.
  if (given.maxDelay === undefined) settings.maxDelay = Math.max(settings.minDelay, settings.maxDelay);
  if (given.minDelay === undefined) settings.minDelay = Math.min(settings.minDelay, settings.maxDelay);
  const { minDelay, maxDelay } = settings;
  if (minDelay <= maxDelay) return settings;
  throw new OptionError(
    `The setting "reconnect.minDelay" is ${minDelay}, more than "reconnect.maxDelay", which is ${maxDelay}`,
  );
}

// ---- URL ------------------------------------------------------------------------------------------------------

/** The settings that make the URL. */
export type Target = Pick<PageSettings, "hostname" | "port" | "pathName" | "useSSL">;

/**
 * Puts host and port together as in a URL, without the port that is the scheme's default.
 *
 * @param target The settings.
 * @returns The text.
 */
export function hostOf({ hostname, port, useSSL }: Target): string {
  const name = hostname.includes(":") && hostname[0] !== "[" ? `[${hostname}]` : hostname;
  return port === (useSSL ? 443 : 80) ? name : `${name}:${port}`;
}

/**
 * Puts the URL together.
 *
 * @param target The settings.
 * @returns The URL.
 */
export function urlOf(target: Target): string {
  const { pathName, useSSL } = target;
  return `ws${useSSL ? "s" : ""}://${hostOf(target)}${pathName[0] === "/" ? "" : "/"}${pathName}`;
}

function refuse(url: string | URL, why: string): never {
  const text = String(url);
  // Without a scheme it is not known what is secret.
  throw new OptionError(`The URL ${text.includes("://") ? quote(text) : '"…"'} ${why}`);
}

/**
 * Sets host name, port, path and `useSSL` to those of a URL.
 *
 * @param target The settings.
 * @param url The URL.
 * @throws {OptionError} If it is not valid.
 * @throws {StateError} If it has credentials, which a browser does not send.
 */
export function setTarget(target: Target, url: string | URL): void {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    // The error of the runtime would quote the password.
    return refuse(url, 'is not valid: write it as "ws://host/path" or "wss://host/path"');
  }
  const { protocol, hostname, port, pathname, search, hash, username, password } = parsed;
  const useSSL = protocol === "wss:";
  if (!useSSL && protocol !== "ws:") refuse(url, 'is neither "ws:" nor "wss:"');
  if (hash) refuse(url, "has a fragment");
  if (username || password) throw unsupported("connect with a password");
  Object.assign(target, {
    useSSL,
    hostname: hostname[0] === "[" ? hostname.slice(1, -1) : hostname,
    port: port ? Number(port) : useSSL ? 443 : 80,
    pathName: pathname + search,
  });
}

/**
 * Refuses options that would be ignored, such as `useSSL: true` beside "ws:": that must not go without TLS.
 *
 * @param target The settings of the URL.
 * @param url The URL.
 * @param options The options beside it.
 * @throws {OptionError} If one differs from the URL.
 */
export function assertSameTarget(target: Target, url: string | URL, options: PageClientOptions): void {
  for (const name of ["useSSL", "hostname", "port", "pathName"] as const) {
    const value = options[name];
    const found = target[name];
    if (value !== undefined && value !== null && value !== found) {
      refuse(url, `has ${showValue(found)}, but the setting "${name}" is ${showValue(value)}: give one of both`);
    }
  }
}
