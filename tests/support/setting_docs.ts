/** Checks a table of settings against the documentation that users read. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { OptionError } from "../../base/errors.ts";
import { type Setting, SettingsStore, type SettingsTable, type SettingUnit } from "../../base/settings.ts";

/** Words that the documentation of a number in a unit has. */
const UNIT_WORDS: Partial<Record<SettingUnit, RegExp>> = {
  ms: /\bin\s+(\*\s+)?ms\b/,
  bytes: /\bbytes\b/,
  seconds: /\bseconds\b/,
  "per second": /\bsecond\b/,
};

/**
 * Checks each row: its default against `@default`, its unit and its range against the text, and that it refuses values
 * of other kinds.
 *
 * @param table The settings.
 * @param sources Files with the documentation, relative to the root; of two documents of a setting the later counts.
 * @param ownChecks Settings of kind "any", which do not refuse by kind.
 */
export function assertDocumented<Values extends object>(
  table: SettingsTable<Values>,
  sources: readonly string[],
  ownChecks: readonly string[],
): void {
  const docs = new Map(sources.flatMap(readDocs));
  const names = Object.keys(table) as (keyof Values & string)[];
  const store = new SettingsStore(table);
  assertEquals(names.filter((name) => table[name].kind === "any").sort(), [...ownChecks].sort());
  for (const name of names) {
    const { kind, default: initial, implied = initial, least = 0, most } = table[name] as Setting<unknown>;
    const doc = docs.get(name);
    assert(doc !== undefined, `the setting "${name}" has no documentation`);
    const [, documented] = /@default \{(.*)\}/.exec(doc) ?? [];
    // The others are names of values.
    const comparable = documented !== undefined && kind !== "object" && kind !== "function";
    if (comparable) assertEquals(implied, JSON.parse(documented), name);
    if (ownChecks.includes(name)) continue;
    store.check(name, initial);
    const wrongKind: unknown = kind === "boolean" ? 0 : true;
    assertThrows(() => store.check(name, wrongKind), OptionError, name);
    if (kind !== "number") continue;
    assert(documented !== undefined, `the documentation of "${name}" has no @default`);
    assertUnit(name, doc, table[name].unit);
    const largest = most ?? (table[name].unit === "ms" ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER);
    for (const limit of [least, most ?? 0]) {
      if (limit === 0 || limit === Number.MAX_SAFE_INTEGER) continue;
      assert(doc.includes(String(limit)), `the documentation of "${name}" lacks the limit ${limit}`);
    }
    for (const wrong of [least - 1, least + 0.5, "1", largest + 1]) {
      assertThrows(() => store.check(name, wrong), OptionError, name);
    }
    store.check(name, least);
    store.check(name, largest);
  }
}

function assertUnit(name: string, doc: string, unit: SettingUnit | undefined): void {
  assertEquals(unit === "ms", UNIT_WORDS.ms!.test(doc), `unit of "${name}"`);
  const words = unit && UNIT_WORDS[unit];
  assert(words === undefined || words.test(doc), `the documentation of "${name}" does not name its unit, ${unit}`);
}

/** Reads the doc comments of optional fields, by name. */
function readDocs(path: string): [name: string, doc: string][] {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const fields = text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s+(\w+)\??:/g);
  return [...fields].map(([, doc, name]) => [name!, doc!]);
}
