/**
 * Checks of options objects: names that are not known, handlers that are no functions, and values that are no objects.
 *
 * @module
 */

import { didYouMean } from "./did_you_mean.ts";
import { MAX_MESSAGE, quote } from "./error_text.ts";
import { OptionError } from "./errors.ts";
import { findRemedy } from "./remedies.ts";

/** Names of an options object: an entry for each, so that the compiler finds those that are missing or too many. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: unknown };

/** Remedies by name, for names of other libraries: `use "hostname"`. */
export type OptionHints = Readonly<Record<string, string>>;

/**
 * Makes hints from a table by remedy, which is much shorter in a page than one by name.
 *
 * @param rows Remedies, and the names they are for, with spaces between; a remedy of one word is the option to use.
 * @returns The hints.
 */
export function hintsOf(rows: readonly (readonly [remedy: string, names: string])[]): OptionHints {
  return Object.fromEntries(rows.flatMap(([remedy, names]) => {
    const hint = remedy.includes(" ") ? remedy : `use "${remedy}"`;
    return names.split(" ").map((name) => [name, hint]);
  }));
}

/** Description of an options object. */
export interface OptionNamesInit {
  /** Tables whose keys are its names; a row may have a former name as `alias`. */
  readonly tables: readonly object[];
  /** Remedies for names of other libraries. */
  readonly hints?: OptionHints | undefined;
  /** Writes a value that is no options object as one, for the message, such as `{ port: 8080 }`. */
  readonly example?: ((value: unknown) => string | undefined) | undefined;
}

/** The names that one kind of options object may have. */
export class OptionNames {
  readonly #owner: string;
  readonly #init: OptionNamesInit;
  /** Names, and former names after them. */
  readonly #known: readonly string[];
  readonly #former: readonly string[];

  /**
   * Collects the names.
   *
   * @param owner Description of the object, to begin a sentence with: `WebSocketServer`, `The setting "reconnect"`.
   * @param init The names.
   */
  constructor(owner: string, init: OptionNamesInit) {
    this.#owner = owner;
    this.#init = init;
    const rows = init.tables.flatMap((table) =>
      Object.entries(table as Readonly<Record<string, { alias?: string | undefined } | undefined>>)
    );
    this.#former = rows.flatMap(([, row]) => row?.alias ?? []);
    this.#known = rows.map(([name]) => name);
  }

  /**
   * Checks that a value is an object without other names. Only names of its own count: an instance of a class may have
   * more in its prototype.
   *
   * @param options The value.
   * @throws {OptionError} If it is no object, or has another name: the message has the nearest one, and all known.
   */
  assert(options: unknown): void {
    if (typeof options !== "object" || options === null || Array.isArray(options)) throw this.#notAnObject(options);
    for (const name of Object.keys(options)) {
      if (!this.has(name) && !this.#former.includes(name)) throw this.#unknown(name);
    }
  }

  /**
   * Tells whether there is an option.
   *
   * @param name Its name; a former one does not count.
   * @returns `true` if it is known.
   */
  has(name: string): boolean {
    return this.#known.includes(name);
  }

  #unknown(name: string): OptionError {
    const owner = this.#owner;
    const hint = hintIn(this.#init.hints, name) ?? findRemedy((remedies) => remedies.forOption?.(owner, name));
    const similar = hint === undefined ? didYouMean(name, this.#known) : `; ${hint}`;
    // All names together do not fit into a message.
    const handler = isHandlerName(name);
    const current = this.#known.filter((known) => !this.#former.includes(known));
    const alike = current.filter((known) => isHandlerName(known) === handler);
    const list = alike.length > 0 ? alike : current;
    const kind = handler && list === alike ? "handlers" : "names";
    const fault = `${owner} has no option ${quote(name)}${similar}`;
    const link = similar === "" ? ":" : `${hint === undefined ? "" : "."} The`;
    const message = `${fault}${link} ${kind} are ${list.sort().join(", ")}`;
    // A list of names that would be cut is left out.
    return new OptionError(message.length < MAX_MESSAGE ? message : fault);
  }

  #notAnObject(options: unknown): OptionError {
    const owner = this.#owner;
    const example = this.#init.example?.(options) ?? findRemedy((remedies) => remedies.exampleOf?.(owner, options));
    const such = example === undefined ? "" : ` such as ${example}`;
    return new OptionError(`${owner} takes options as an object${such}, not ${showValue(options)}`);
  }
}

/**
 * Copies the options that have none of some names: those of the class that is built on.
 *
 * @param options The options.
 * @param names The names.
 * @returns A copy.
 */
export function withoutNames<Options extends object>(options: Options, names: OptionNames): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.has(name))) as Options;
}

/** Finds a hint by a name in any case: Delphi has no others. */
function hintIn(hints: OptionHints | undefined, name: string): string | undefined {
  return hints && Object.entries(hints).find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
}

/**
 * Checks handlers among options; `null` and `undefined` stand for none.
 *
 * @param options The options.
 * @param table The names of the handlers.
 * @throws {OptionError} If one is no function.
 */
export function assertHandlers(options: object, table: object): void {
  for (const name of Object.keys(table)) assertHandler(name, Reflect.get(options, name));
}

/**
 * Checks a handler; `null` and `undefined` stand for none.
 *
 * @param name Its name.
 * @param handler The handler.
 * @throws {OptionError} If it is no function.
 */
export function assertHandler(name: string, handler: unknown): void {
  if (handler === undefined || handler === null || typeof handler === "function") return;
  throw new OptionError(`The handler "${name}" is ${showValue(handler)} instead of a function`);
}

/**
 * Checks an option that is a signal; `null` and `undefined` stand for none.
 *
 * @param options The options.
 * @throws {OptionError} If its `signal` is no `AbortSignal`.
 */
export function assertSignal({ signal }: { readonly signal?: unknown }): void {
  if (signal === undefined || signal === null || hasMethods(signal, "addEventListener", "removeEventListener")) return;
  const hint = signal instanceof AbortController ? "; use its signal" : "";
  throw new OptionError(`The option "signal" is ${showValue(signal)} instead of an AbortSignal${hint}`);
}

/**
 * Tells whether a value is an object with methods.
 *
 * @param value The value.
 * @param names The names of the methods.
 * @returns `true` if it has all.
 */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return typeof value === "object" && value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === "function");
}

/**
 * Writes a value for a message, without what is in an object, which may be a secret.
 *
 * @param value The value.
 * @returns Its text.
 */
export function showValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  try {
    if (value instanceof Promise) return "a promise";
    return Array.isArray(value) ? "an array" : "an object";
  } catch {
    // A revoked Proxy.
    return "an object";
  }
}

/**
 * Tells whether a name is one of a handler: "on", and a word that begins with a capital letter.
 *
 * @param name The name.
 * @returns `true` if it is.
 */
export function isHandlerName(name: string): boolean {
  return name.length > 2 && name.slice(0, 2).toLowerCase() === "on" && name[2]!.toUpperCase() === name[2];
}
