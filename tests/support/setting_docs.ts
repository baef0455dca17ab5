/** Checks a table of settings against the documentation that users read. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { OptionError } from "../../base/errors.ts";
import { SettingsStore, type SettingsTable } from "../../base/settings.ts";

/**
 * Checks each row: its default against `@default`, its unit against "in ms", and that it refuses values of other kinds.
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
    const doc = docs.get(name);
    assert(doc !== undefined, `the setting "${name}" has no documentation`);
    const [, documented] = /@default \{(.*)\}/.exec(doc) ?? [];
    if (documented !== undefined) assertEquals(table[name].default as unknown, JSON.parse(documented), name);
    if (ownChecks.includes(name)) continue;
    store.check(name, table[name].default);
    const wrongKind: unknown = table[name].kind === "boolean" ? 0 : true;
    assertThrows(() => store.check(name, wrongKind), OptionError, name);
    if (typeof table[name].default !== "number") continue;
    assert(documented !== undefined, `the documentation of "${name}" has no @default`);
    assertEquals(table[name].unit === "ms", /\bin\s+(\*\s+)?ms\b/.test(doc), `unit of "${name}"`);
    for (const wrong of [-1, 0.5, "1"]) assertThrows(() => store.check(name, wrong), OptionError, name);
    const most = table[name].unit === "ms" ? 2 ** 31 - 1 : name === "port" ? 65535 : Number.MAX_SAFE_INTEGER;
    store.check(name, most);
    assertThrows(() => store.check(name, most + 1), OptionError, name);
  }
}

/** Reads the doc comments of optional fields, by name. */
function readDocs(path: string): [name: string, doc: string][] {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const fields = text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s+(\w+)\?:/g);
  return [...fields].map(([, doc, name]) => [name!, doc!]);
}
