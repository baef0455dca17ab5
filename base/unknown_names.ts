/**
 * Refuses names that an object does not have, where they would silently do nothing: assignments such as
 * `client.onmessage = …`, members of subclasses such as `onAlow() {…}`, and members of other libraries such as
 * `server.on(…)`.
 *
 * The guard stands at the end of the prototype chain, so that only names reach it that no class of the object has:
 * reading a property and setting a known one take their usual way.
 *
 * @module
 */

import { didYouMean, isNearly, suggest } from "./did_you_mean.ts";
import { quote } from "./error_text.ts";
import { OptionError } from "./errors.ts";
import { isHandlerName } from "./option_names.ts";

/** Names of other libraries, and the names of ours. */
export type Foreign = Readonly<Record<string, string>>;

interface GuardedClass {
  /** Name of the class, which a minifier does not change. */
  readonly name: string;
  readonly foreign: Foreign;
  /** Members of other libraries, and remedies. */
  readonly missing: Foreign;
  /** `true` if programs may set properties of their own, except foreign names. */
  readonly open: boolean;
}

/** Guarded classes by their prototype. */
const classes = new WeakMap<object, GuardedClass>();

/** Shorter names of a subclass are its own, such as `names` beside `name`. */
const SHORTEST_MISTAKE = 6;

/** Prototype of the guarded classes; names of `Object.prototype` are known. */
const GUARD: object = new Proxy({}, {
  set(target, name, value, receiver) {
    if (typeof name === "string" && !(name in target)) assertOwnName(receiver, name);
    return Reflect.set(target, name, value, receiver);
  },
  get(target, name, receiver) {
    if (typeof name === "string" && !(name in target)) assertNotMissing(receiver, name);
    return Reflect.get(target, name, receiver);
  },
});

/**
 * Guards a class: setting a property that it does not have is an `OptionError` on its instances. Instances of
 * subclasses may have properties of their own, except names that are nearly those of a handler or setting.
 *
 * @param prototype The prototype of the class.
 * @param name The name of the class.
 * @param foreign Names that other libraries use, in small letters, and the names of ours that are meant.
 * @param missing Members of other libraries and remedies: reading one is an `OptionError`.
 */
export function refuseUnknownNames(prototype: object, name: string, foreign: Foreign, missing: Foreign = {}): void {
  guard(prototype, { name, foreign, missing, open: false });
}

/**
 * Guards a class whose instances may have any properties of the program: setting a foreign name, or reading a missing
 * one, is an `OptionError`.
 *
 * @param prototype The prototype of the class.
 * @param name The name of the class.
 * @param foreign Names that cannot be set, and remedies.
 * @param missing Names that cannot be read, and remedies.
 */
export function refuseForeignNames(prototype: object, name: string, foreign: Foreign, missing: Foreign): void {
  guard(prototype, { name, foreign, missing, open: true });
}

function guard(prototype: object, guarded: GuardedClass): void {
  classes.set(prototype, guarded);
  if (Reflect.getPrototypeOf(prototype) === Object.prototype) Reflect.setPrototypeOf(prototype, GUARD);
}

function assertOwnName(owner: object, name: string): void {
  const guarded = guardedPrototypes(owner);
  if (guarded.length === 0) return;
  const { name: kind, foreign: remedies, open } = classes.get(guarded[0]!)!;
  if (open) {
    if (!Object.hasOwn(remedies, name)) return;
    throw new OptionError(`Cannot set ${quote(name)} of a ${kind}: ${remedies[name]}`);
  }
  const settable = guarded.flatMap(settableNames);
  const foreign = guarded.map((prototype) => classes.get(prototype)!.foreign);
  if (guarded[0] === Reflect.getPrototypeOf(owner) && !isPrototype(owner)) {
    const known = [...settable, ...Object.keys(owner)];
    const hint = foreignName(name.toLowerCase(), foreign) || didYouMean(name, known);
    throw new OptionError(`Cannot set ${quote(name)}: a ${kind} has no such property${hint}`);
  }
  const hint = foreignName(name, foreign) || mistakenName(name, settable);
  if (hint === "") return;
  throw new OptionError(`Cannot set ${quote(name)}${hint} A property of a subclass needs a name that differs more`);
}

function assertNotMissing(owner: object, name: string): void {
  for (const prototype of guardedPrototypes(owner)) {
    const { name: kind, missing } = classes.get(prototype)!;
    if (Object.hasOwn(missing, name)) throw new OptionError(`${kind} has no ${quote(name)}: ${missing[name]}`);
  }
}

/** Members of the classes of programs that are probably meant to be ours, by prototype. */
const mistaken = new WeakMap<object, readonly Mistake[]>();

/** A member of a subclass, and the hint. */
interface Mistake {
  readonly name: string;
  readonly meant: string;
}

/**
 * Checks the members of the subclass of an object, and its fields, before it begins its work: a name that is nearly one
 * of ours, or a handler of another library, would never be called. It may stand beside the handler that is meant.
 *
 * @param owner The object.
 * @throws {OptionError} If there is such a name.
 */
export function assertMembers(owner: object): void {
  const guarded = guardedPrototypes(owner);
  if (guarded.length === 0) return;
  for (let from: object = owner; !classes.has(from); from = Reflect.getPrototypeOf(from)!) {
    for (const { name, meant } of from === owner ? mistakesOf(from, guarded) : knownMistakes(from, guarded)) {
      if (isHandlerName(meant) && typeof Reflect.get(owner, meant) === "function") continue;
      throw new OptionError(
        `The subclass has ${quote(name)}, which is never used; did you mean "${meant}"? ` +
          "A member of its own needs a name that differs more",
      );
    }
  }
}

/** The members of a class are looked at once: a server checks itself for each accepted stream. */
function knownMistakes(prototype: object, guarded: readonly object[]): readonly Mistake[] {
  const known = mistaken.get(prototype) ?? mistakesOf(prototype, guarded);
  mistaken.set(prototype, known);
  return known;
}

function mistakesOf(owner: object, guarded: readonly object[]): Mistake[] {
  const unknown = Object.getOwnPropertyNames(owner).filter((name) => !(name in guarded[0]!));
  if (unknown.length === 0) return [];
  const settable = guarded.flatMap(settableNames);
  const foreign = guarded.map((prototype) => classes.get(prototype)!.foreign);
  return unknown.flatMap((name) => {
    const meant = foreignMeant(name.toLowerCase(), foreign) ?? meantName(name, settable);
    return meant === undefined ? [] : [{ name, meant }];
  });
}

/** Prototypes of guarded classes, the one nearest to the object first. */
function guardedPrototypes(owner: object): object[] {
  const found: object[] = [];
  for (let from = Reflect.getPrototypeOf(owner); from !== null; from = Reflect.getPrototypeOf(from)) {
    if (classes.has(from)) found.push(from);
  }
  return found;
}

function isPrototype(owner: object): boolean {
  return classes.has(owner) || Object.hasOwn(owner, "constructor");
}

/** Settings are accessors, and handlers begin with "on". */
function settableNames(prototype: object): string[] {
  const properties = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return properties.filter(([name, { set }]) => set !== undefined || isHandlerName(name)).map(([name]) => name);
}

function foreignName(name: string, tables: readonly Foreign[]): string {
  const meant = foreignMeant(name, tables);
  return meant === undefined ? "" : suggest(meant);
}

function foreignMeant(name: string, tables: readonly Foreign[]): string | undefined {
  return tables.find((names) => Object.hasOwn(names, name))?.[name];
}

/** The hint for a name of a subclass that is probably meant to be one of ours. */
function mistakenName(name: string, settable: readonly string[]): string {
  const meant = meantName(name, settable);
  return meant === undefined ? "" : suggest(meant);
}

/** The name of ours that a name of a subclass is nearly; one that begins with `_` or `$` is its own. */
function meantName(name: string, settable: readonly string[]): string | undefined {
  if (name.startsWith("_") || name.startsWith("$")) return undefined;
  return settable.find((known) => known.toLowerCase() === name.toLowerCase()) ??
    settable.find((known) => name.length >= SHORTEST_MISTAKE && isNearly(name, known));
}
