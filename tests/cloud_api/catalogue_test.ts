import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isObject } from "../../cloud_api/json.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { WhatsAppRecord } from "../../cloud_api/records.ts";
import { Catalogue, type CountedKind, type Leaf, leavesOf, plain, writeJson } from "../support/catalogue.ts";
import { withSeed } from "../support/support.ts";

const COUNTED: readonly CountedKind[] = ["message", "status", "payment", "userAction", "echo", "history", "standby"];

/** Paths of leaves that no record has: constants, which docs/cloud-api.md names. */
const CONSTANTS = [".object", ".entry[].changes[].value.messaging_product"];

/** Parts that stand in each record that they belong to, and in a record of their own if there is none. */
const SHARED = [".value.contacts[]", ".standby.contacts[]", ".conversation_context"];

/** Members of a record besides its `raw`, and besides those of the records within it. */
function typedOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typedOf);
  if (!isObject(value) || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => key !== "raw").map(([key, of]) => [key, typedOf(of)]),
  );
}

/** Writes a leaf of the source in the forms that a typed member may have. */
function formsOf(leaf: Leaf): string[] {
  const text = plain(leaf.value);
  return [text, text.startsWith("+") ? text.slice(1) : text];
}

/** Finds leaves that are in no record, and those that should be in one record and are in more. */
function faultsOf(
  root: unknown,
  records: readonly WhatsAppRecord[],
  unique: ReadonlySet<string>,
  skipped: readonly string[] = [],
): string[] {
  const typedIn = (some: readonly WhatsAppRecord[]): ReadonlySet<string> =>
    new Set(leavesOf(some.map(typedOf)).map(({ value }) => plain(value)));
  const typed = typedIn(records);
  const owned = typedIn(records.filter(({ kind }) => kind !== "other"));
  const inRaw = new Map<string, number>();
  for (const { raw } of records) {
    for (const text of new Set(leavesOf(raw).map(({ value }) => plain(value)))) {
      inRaw.set(text, (inRaw.get(text) ?? 0) + 1);
    }
  }
  return leavesOf(root).flatMap((leaf) => {
    const { path, value } = leaf;
    if (CONSTANTS.includes(path) && (value === "whatsapp" || value === "whatsapp_business_account")) return [];
    const forms = formsOf(leaf);
    // The time of an entry that is none is no record: the parser tells it.
    if (path === ".entry[].time" && skipped.includes(`"${forms[0]}" is no time`)) return [];
    const count = inRaw.get(forms[0]!) ?? 0;
    if (count === 0 && !forms.some((form) => typed.has(form))) return [`lost: ${path} ${plain(value)}`];
    if (!unique.has(forms[0]!)) return [];
    const isShared = SHARED.some((part) => path.includes(part)) && owned.has(forms[0]!);
    const most = isShared ? 0 : 1;
    return count > most ? [`${count} times, in place of ${most}: ${path} ${plain(value)}`] : [];
  });
}

describe("parseNotification, for notifications of the whole catalogue", () => {
  it("loses no leaf, has none twice, and makes one record of each item", () => {
    withSeed((random) => {
      for (let round = 0; round < 300; round++) {
        const catalogue = new Catalogue(random);
        const root = catalogue.notification();
        const json = writeJson(root);
        const { records, skipped } = parseNotification(json);
        const reasons = skipped.map(({ reason }) => reason);
        assertEquals(reasons.filter((reason) => !reason.endsWith(" is no time")), [], json);
        assertEquals(faultsOf(root, records, catalogue.unique, reasons), [], json);
        for (const kind of COUNTED) {
          const count = records.filter((record) => record.kind === kind).length;
          assertEquals(count, catalogue.kinds.get(kind) ?? 0, `${kind} in ${json}`);
        }
        // A record of nothing would be noise.
        for (const { kind, raw } of records) assert(Object.keys(raw).length > 0 || kind !== "other", json);
      }
    });
  });

  it("finds a leaf that is lost, and one that is in two records", () => {
    const root = {
      object: "whatsapp_business_account",
      entry: [{ id: "1", changes: [{ field: "x", value: { a: "w1" } }] }],
    };
    const { records } = parseNotification(JSON.stringify(root));
    const unique = new Set(["w1"]);
    assertEquals(faultsOf(root, records, unique), []);
    assertEquals(faultsOf(root, [], unique).map((fault) => fault.split(":")[0]), ["lost", "lost", "lost"]);
    assertEquals(faultsOf(root, [...records, ...records], unique), [
      "2 times, in place of 1: .entry[].changes[].value.a w1",
    ]);
  });
});

/** Real payloads lie outside the project, where there are any. */
const SAMPLES = new URL("../../../shared/whatsapp/", import.meta.url);

describe("parseNotification, for known notifications", () => {
  for (const folder of ["samples/", "found/"]) {
    it(`loses no leaf of ${folder}, where that is present`, () => {
      const url = new URL(folder, SAMPLES);
      if (!existsSync(url)) return;
      for (const file of readdirSync(url).filter((name) => name.endsWith(".json"))) {
        const json = readFileSync(new URL(file, url), "utf8");
        const { records, skipped } = parseNotification(json);
        assertEquals(skipped, [], file);
        // Without the digits that a double does not hold: another test has them.
        const exact = json.replaceAll("90071992547409931", '"90071992547409931"');
        assertEquals(faultsOf(JSON.parse(exact), records, new Set()), [], file);
      }
    });
  }
});
