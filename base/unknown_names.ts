/**
 * Refuses assignments to properties that an object does not have: `client.onmessage = …` would never be called.
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
});

/**
 * Guards a class: setting a property that it does not have is an `OptionError` on its instances. Instances of
 * subclasses may have properties of their own, except names that are nearly those of a handler or setting.
 *
 * @param prototype The prototype of the class.
 * @param name The name of the class.
 * @param foreign Names that other libraries use, and the names of ours that are meant.
 */
export function refuseUnknownNames(prototype: object, name: string, foreign: Foreign): void {
  classes.set(prototype, { name, foreign });
  if (Reflect.getPrototypeOf(prototype) === Object.prototype) Reflect.setPrototypeOf(prototype, GUARD);
}

function assertOwnName(owner: object, name: string): void {
  const guarded = guardedPrototypes(owner);
  if (guarded.length === 0) return;
  const settable = guarded.flatMap(settableNames);
  const foreign = guarded.map((prototype) => classes.get(prototype)!.foreign);
  if (guarded[0] === Reflect.getPrototypeOf(owner) && !isPrototype(owner)) {
    const known = [...settable, ...Object.keys(owner)];
    const hint = foreignName(name.toLowerCase(), foreign) || didYouMean(name, known);
    const kind = classes.get(guarded[0]!)!.name;
    throw new OptionError(`Cannot set ${quote(name)}: a ${kind} has no such property${hint}`);
  }
  const hint = foreignName(name, foreign) || mistakenName(name, settable);
  if (hint === "") return;
  throw new OptionError(`Cannot set ${quote(name)}${hint} A property of a subclass needs a name that differs more`);
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
  const table = tables.find((names) => Object.hasOwn(names, name));
  return table === undefined ? "" : suggest(table[name]!);
}

/** The hint for a name of a subclass that is probably meant to be one of ours. */
function mistakenName(name: string, settable: readonly string[]): string {
  const meant = settable.find((known) => known.toLowerCase() === name.toLowerCase()) ??
    settable.find((known) => name.length >= SHORTEST_MISTAKE && isNearly(name, known));
  return meant === undefined ? "" : suggest(meant);
}
