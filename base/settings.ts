/**
 * Settings by table: name, kind, range, unit and default of each stand once, and values are checked, stored and shown
 * as properties by it.
 *
 * @module
 */

import { OptionError, StateError } from "./errors.ts";
import { type OptionHints, OptionNames, showValue } from "./option_names.ts";
import { assertNumber, LONGEST_TIMER } from "./ranges.ts";

/** Kind of a setting's value; `"any"`: only `check` looks at it. */
export type SettingKind = "number" | "boolean" | "string" | "object" | "function" | "list" | "choice" | "any";

/** Unit of a number. */
export type SettingUnit = "ms" | "seconds" | "bytes" | "count" | "per second";

/** One row of a table of settings. */
export interface Setting<Value> {
  /** Kind of the value. */
  readonly kind: SettingKind;
  /** Unit of a number, all of which are integers from 0 on; milliseconds go up to 2^31 - 1. */
  readonly unit?: SettingUnit | undefined;
  /** Smallest number, where it is not 0. */
  readonly least?: number | undefined;
  /** Largest number, where the unit does not say it. */
  readonly most?: number | undefined;
  /** Values of a `"choice"`. */
  readonly choices?: readonly Value[] | undefined;
  /** Value without one from the user; a setting with the default `undefined` may have that value of any kind. */
  readonly default: Value;
  /** Documented default, where `undefined` stands for it. */
  readonly implied?: Value | undefined;
  /** Former name, which works as well. */
  readonly alias?: string | undefined;
  /** Throws an `OptionError` if a value of the right kind cannot be used. */
  readonly check?: ((value: Value, name: string) => void) | undefined;
}

/** A row for each setting. */
export type SettingsTable<Values> = { readonly [Name in keyof Values]-?: Setting<Values[Name]> };

// Rows in a word each: a table of a page is loaded by all its visitors.

/**
 * Makes the row of a number.
 *
 * @param value The default.
 * @param unit Its unit.
 * @returns The row.
 */
export function numberOf(value: number, unit: SettingUnit = "count"): Setting<number> {
  return { kind: "number", unit, default: value };
}

/**
 * Makes the row of a time.
 *
 * @param value The default, in ms.
 * @returns The row.
 */
export function milliseconds(value: number): Setting<number> {
  return numberOf(value, "ms");
}

/**
 * Makes the row of a size.
 *
 * @param value The default, in bytes.
 * @returns The row.
 */
export function bytes(value: number): Setting<number> {
  return numberOf(value, "bytes");
}

/**
 * Makes the row of a switch.
 *
 * @param value The default.
 * @returns The row.
 */
export function flag(value = false): Setting<boolean> {
  return { kind: "boolean", default: value };
}

/**
 * Makes the row of a text.
 *
 * @param value The default.
 * @returns The row.
 */
export function text(value = ""): Setting<string> {
  return { kind: "string", default: value };
}

/** Names of all handlers of a class: an entry for each. */
export type HandlersTable<Handlers> = { readonly [Name in keyof Handlers]-?: true };

/** Options with nothing left out. */
export type Complete<Options> = { [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/** Follows the changes of a {@linkcode SettingsStore}. */
export interface SettingsObserver<Values> {
  /**
   * Called with a new value: may return another one to store instead, and throws if the setting must not get it now.
   */
  changing?(name: keyof Values & string, value: unknown): unknown;
  /** The setting has another value. */
  changed?(name: keyof Values & string): void;
}

/** The values of one object's settings. */
export class SettingsStore<Values extends object> {
  readonly #table: SettingsTable<Values>;
  readonly #observer: SettingsObserver<Values>;
  readonly #values: Values;

  /**
   * Makes a store with the defaults.
   *
   * @param table The settings.
   * @param observer Follows changes.
   */
  constructor(table: SettingsTable<Values>, observer: SettingsObserver<Values> = {}) {
    this.#table = table;
    this.#observer = observer;
    this.#values = defaultsOf(table);
  }

  /** All values; not a copy. */
  get values(): Readonly<Values> {
    return this.#values;
  }

  /**
   * Changes a setting.
   *
   * @param name Its name.
   * @param value The value.
   * @throws {WebSocketError} If the observer refuses it.
   */
  set<Name extends keyof Values & string>(name: Name, value: Values[Name]): void {
    this.#values[name] = (this.#observer.changing?.(name, value) ?? value) as Values[Name];
    this.#observer.changed?.(name);
  }

  /**
   * Changes the settings that are among options; `undefined` stands for none.
   *
   * @param options The options.
   * @throws {WebSocketError} If the observer refuses one.
   */
  assign(options: { readonly [Name in keyof Values]?: Values[Name] | undefined }): void {
    const given = options as Record<string, unknown>;
    for (const name of namesOf(this.#table)) {
      const value = given[name] ?? given[this.#table[name].alias ?? name] ?? given[name];
      if (value !== undefined) this.set(name, value as Values[typeof name]);
    }
  }

  /**
   * Checks one value.
   *
   * @param name The setting.
   * @param value The value.
   * @throws {OptionError} If it is out of range.
   */
  check(name: keyof Values & string, value: unknown): void {
    checkSetting(name, this.#table[name], value);
  }

  /**
   * Checks all values.
   *
   * @throws {OptionError} If one is out of range.
   */
  checkAll(): void {
    for (const name of namesOf(this.#table)) {
      const value: unknown = this.#values[name];
      // Most settings have their default; an object may have been changed in place.
      if (value === this.#table[name].default && typeof value !== "object") continue;
      this.check(name, value);
    }
  }
}

/**
 * Collects the defaults of a table.
 *
 * @param table The settings.
 * @returns A new object.
 */
export function defaultsOf<Values extends object>(table: SettingsTable<Values>): Values {
  return { ...summaryOf(table).defaults } as Values;
}

/**
 * Shows settings as properties of a class, like accessors that are written out: not enumerable, on the prototype. The
 * class lists them as `declare` fields, which emit nothing, for types and documentation.
 *
 * @param prototype The prototype of the class.
 * @param table The settings.
 * @param storeOf Returns the store of an instance.
 */
export function defineSettings<Owner extends object, Values extends object>(
  prototype: Owner,
  table: SettingsTable<Values>,
  storeOf: (owner: Owner) => SettingsStore<Values>,
): void {
  for (const name of namesOf(table)) {
    const property: PropertyDescriptor & ThisType<Owner> = {
      configurable: true,
      enumerable: false,
      get(): unknown {
        return storeOf(this).values[name];
      },
      set(value: Values[typeof name]): void {
        storeOf(this).set(name, value);
      },
    };
    Object.defineProperty(prototype, name, property);
    Object.defineProperty(prototype, table[name].alias ?? name, property);
  }
}

/**
 * Takes over fields of a subclass (`class Mine extends WebSocketClient { port = 9000 }`), which hide settings of the
 * same name, or of that former name. A field of the name itself wins.
 *
 * @param owner The object.
 * @param table The settings of its class.
 * @throws {WebSocketError} If a setting cannot get the value.
 */
export function adoptFields(owner: object, table: object): void {
  const fields = Object.keys(owner);
  const names = Object.entries(table as SettingsTable<Record<string, unknown>>);
  for (const field of fields) {
    const name = names.find(([known, { alias }]) => known === field || alias === field)?.[0];
    if (name === undefined) continue;
    const value: unknown = Reflect.get(owner, field);
    Reflect.deleteProperty(owner, field);
    if (name === field || !fields.includes(name)) Reflect.set(owner, name, value);
  }
}

/**
 * Makes a setting read-only in a subclass, which decides about it by itself.
 *
 * @param prototype The prototype of the subclass.
 * @param name The setting.
 * @param reason The reason, for the message of the error that setting it throws.
 */
export function refuseSetting<Owner extends object>(
  prototype: Owner,
  name: keyof Owner & string,
  reason: string,
): void {
  const inherited = Reflect.getPrototypeOf(prototype)!;
  const property: PropertyDescriptor & ThisType<Owner> = {
    configurable: true,
    enumerable: false,
    get(): unknown {
      return Reflect.get(inherited, name, this);
    },
    set(): void {
      throw new StateError("ERR_UNSUPPORTED", `Cannot set "${name}": ${reason}`);
    },
  };
  Object.defineProperty(prototype, name, property);
}

/**
 * Refuses an option of the constructor as a property, which would do nothing; `adoptFields` finds fields of subclasses.
 *
 * @param prototype The prototype of the class.
 * @param name The option.
 */
export function defineConstructorOption(prototype: object, name: string): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: false,
    get: () => undefined,
    set(): void {
      throw new OptionError(
        `Cannot set "${name}": it is an option of the constructor; in a subclass: super({ ${name} })`,
      );
    },
  });
}

/** Names and defaults of a table, which each connection of a client needs. */
interface Summary {
  readonly names: readonly string[];
  readonly defaults: object;
}

const summaries = new WeakMap<object, Summary>();

function summaryOf(table: SettingsTable<object>): Summary {
  let summary = summaries.get(table);
  if (summary === undefined) {
    const entries = Object.entries(table as Record<string, Setting<unknown>>);
    const defaults = Object.fromEntries(entries.map(([name, setting]) => [name, setting.default]));
    summaries.set(table, summary = { names: Object.keys(table), defaults });
  }
  return summary;
}

function namesOf<Values extends object>(table: SettingsTable<Values>): readonly (keyof Values & string)[] {
  return summaryOf(table).names as readonly (keyof Values & string)[];
}

/**
 * Checks all values of an object that a table describes.
 *
 * @param table The settings.
 * @param values A value for each.
 * @throws {OptionError} If one is out of range.
 */
export function checkValues<Values extends object>(table: SettingsTable<Values>, values: Values): void {
  for (const name of namesOf(table)) checkSetting(name, table[name], values[name]);
}

/**
 * Checks one value.
 *
 * @param table The settings.
 * @param name The setting.
 * @param value The value.
 * @throws {OptionError} If it is out of range.
 */
export function checkValue<Values extends object>(
  table: SettingsTable<Values>,
  name: keyof Values & string,
  value: unknown,
): void {
  checkSetting(name, table[name], value);
}

/** Reads options objects of one kind that are settings together, such as `reconnect`. */
export class FieldsReader<Values extends object> {
  readonly #table: SettingsTable<Values>;
  readonly #names: OptionNames;
  readonly #prefix: string;

  /**
   * Makes a reader.
   *
   * @param owner Description of the object, to begin a sentence with.
   * @param table Its fields.
   * @param options Text before the names of fields in messages, such as `reconnect.`, and remedies for other names.
   */
  constructor(
    owner: string,
    table: SettingsTable<Values>,
    { prefix = "", hints = {} }: { readonly prefix?: string | undefined; readonly hints?: OptionHints | undefined } =
      {},
  ) {
    this.#table = table;
    this.#prefix = prefix;
    this.#names = new OptionNames(owner, { tables: [table], hints });
  }

  /**
   * Fills in the defaults and checks all fields; `undefined` stands for none.
   *
   * @param given The object.
   * @param defaults Defaults instead of those of the table.
   * @returns A copy.
   * @throws {OptionError} If it is no object, has an unknown name, or a value is out of range.
   */
  read(given: object, defaults: Partial<Values> = {}): Values {
    this.#names.assert(given);
    const values: Values = { ...defaultsOf(this.#table), ...defaults };
    for (const name of namesOf(this.#table)) {
      const value: unknown = Reflect.get(given, name);
      if (value !== undefined) values[name] = value as Values[typeof name];
      checkSetting(this.#prefix + name, this.#table[name], values[name]);
    }
    return values;
  }
}

function checkSetting<Value>(name: string, setting: Setting<Value>, value: unknown): void {
  if (value === undefined && setting.default === undefined) return;
  checkKind(name, setting, value);
  setting.check?.(value as Value, name);
}

function checkKind<Value>(name: string, { kind, unit, least, most, choices }: Setting<Value>, value: unknown): void {
  if (kind === "any") return;
  if (kind === "number") return assertNumber(name, value, most ?? (unit === "ms" ? LONGEST_TIMER : undefined), least);
  const type: string = typeof value;
  const isList = Array.isArray(value);
  let expected: string | undefined;
  if (kind === "choice") {
    if (!choices!.includes(value as Value)) expected = choices!.map((choice) => `"${choice}"`).join(" or ");
  } else if (kind === "list") {
    if (!isList) expected = "an array";
  } else if (kind === "object" && (value === null || isList)) expected = "an object";
  else if (type !== kind) throw new OptionError(`The setting "${name}" is of type "${type}" instead of "${kind}"`);
  if (expected !== undefined) {
    throw new OptionError(`The setting "${name}" is ${showValue(value)} instead of ${expected}`);
  }
}
