/**
 * Tables of docs/cloud-api.md against the code: each kind of record with its members, each type of message, and each
 * public method of `WhatsAppApi` and its parts has a row, and each row is about something that exists.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { OptionError } from "../base/errors.ts";
import { WhatsAppApi } from "../cloud_api/api.ts";
import { draftOf } from "../cloud_api/message_contents.ts";
import { parseNotification } from "../cloud_api/parse.ts";
import { FIELD_PARSERS } from "../cloud_api/parse_fields.ts";
import type { WhatsAppRecord } from "../cloud_api/records.ts";
import { recordKey } from "../whatsapp/deduplication.ts";
import { Catalogue, writeJson } from "./support/catalogue.ts";
import { type Member, namesIn, tableRows, Types } from "./support/doc_tables.ts";
import { FIELD_VALUES } from "./support/field_values.ts";
import { Random } from "./support/support.ts";
import { wrap } from "./support/whatsapp.ts";

const DOCUMENT = "docs/cloud-api.md";
const types = new Types("cloud_api");

/** The value of a member whose type is one text, such as `kind: "status"`. */
function literal(members: ReadonlyMap<string, Member>, name: string): string {
  const [, value] = /^"([^"]+)"$/.exec(members.get(name)?.type ?? "") ?? [];
  assert(value !== undefined, `"${name}" is ${members.get(name)?.type}`);
  return value;
}

/** The interface of each kind of record. */
function kinds(): Map<string, string> {
  const base = types.variants("WhatsAppRecord").map((name) => name.endsWith("Message") ? baseOf(name) : name);
  return new Map(base.map((name) => [literal(types.members(name), "kind"), name]));
}

/** Messages have one row, about the members of all of them. */
function baseOf(name: string): string {
  return literal(types.members(name), "kind") === "message" ? "WhatsAppMessageBase" : name;
}

/** The name in the first cell of a row, without parameters. */
function nameOf(cell: string): string {
  return namesIn(cell)[0]?.split("(")[0] ?? cell;
}

/** Members in a cell, without those of their objects: `calling?` of "`calling?` {`status`, `sipServers`}". */
function membersIn(cell: string): string[] {
  return namesIn(cell.replaceAll(/[[{][^}\]]*[}\]]+/g, ""));
}

/** Members of an interface as the table shows them. */
function shown(type: string): string[] {
  return [...types.members(type)].map(([name, { optional }]) => optional ? `${name}?` : name);
}

/** Public methods: of the class itself, and `part.method` of its parts. */
function methods(): string[] {
  const api = new WhatsAppApi({ accessToken: "token", phoneNumberId: "1" });
  const parts = Object.entries(api).filter(([, part]) => typeof part === "object" && part !== null);
  return [["", api] as const, ...parts.map(([name, part]) => [`${name}.`, part as object] as const)]
    .flatMap(([prefix, part]) => methodsOf(part).map((name) => prefix + name));
}

function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at = Reflect.getPrototypeOf(object)!; at !== Object.prototype; at = Reflect.getPrototypeOf(at)!) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function" && name !== "constructor") names.add(name);
    }
  }
  return [...names];
}

/** Names of contents, from the error about one that is unknown. */
function contentNames(): string[] {
  const { message } = assertThrows(() => draftOf({ other: 1 } as never), OptionError);
  const [, names] = /: names are ([^.]+)/.exec(message) ?? [];
  assert(names !== undefined, message);
  return names.split(", ");
}

/** Records of all kinds: a value of each webhook field, and lists of all others. */
function samples(): WhatsAppRecord[] {
  const random = new Random(1);
  const lists = Array.from({ length: 100 }, () => writeJson(new Catalogue(random).notification()));
  const fields = Object.values(FIELD_VALUES).map(({ field, value }) => wrap([{ field, value }]));
  return [...fields, ...lists].flatMap((json) => parseNotification(json).records);
}

/** What only one of two lists has. */
function difference(
  documented: readonly string[],
  existing: readonly string[],
): { missing: string[]; stale: string[] } {
  return {
    missing: existing.filter((name) => !documented.includes(name)),
    stale: documented.filter((name) => !existing.includes(name)),
  };
}

const NONE = { missing: [], stale: [] };

describe(DOCUMENT, () => {
  it("shows on its first screen how a message is answered, and README.md shows it too", () => {
    const screen = readFileSync(DOCUMENT, "utf8").split("\n").slice(0, 25).join("\n");
    const [, snippet = ""] = screen.split(/^```(?:ts)?$/m);
    for (const part of ["new WhatsAppApi(", "new WhatsAppReceiver(", "api.reply("]) {
      assert(snippet.includes(part), `${part} is not on the first screen of ${DOCUMENT}`);
      assert(readFileSync("README.md", "utf8").includes(part), `${part} is not in README.md`);
    }
  });

  it("has a row for each kind of record, and each webhook field of its own", () => {
    const rows = tableRows(DOCUMENT, "kind", "field").slice(1);
    assertEquals(difference(rows.map(({ kind }) => nameOf(kind!)), [...kinds().keys()]), NONE);
    assertEquals(rows.length, new Set(rows.map(({ kind, field }) => `${kind} ${field}`)).size);
    const fields = rows.flatMap(({ field }) => namesIn(field!));
    assertEquals([...FIELD_PARSERS.keys()].filter((field) => !fields.includes(field)), []);
  });

  it("has all members of each kind of record, with ? for those that may be absent", () => {
    const [common, ...rows] = tableRows(DOCUMENT, "kind", "field");
    const shared = membersIn(common!.members!);
    assertEquals(difference(shared, ["kind", ...shown("WhatsAppRecordBase")]), NONE);
    for (const [kind, type] of kinds()) {
      const listed = rows.filter((row) => nameOf(row.kind!) === kind).flatMap(({ members }) => membersIn(members!));
      assertEquals(difference(listed, shown(type).filter((name) => !shared.includes(name))), NONE, kind);
    }
  });

  it("has a row for each type of message, with its contents", () => {
    const rows = tableRows(DOCUMENT, "type", "contents").map((row) =>
      [nameOf(row.type!), namesIn(row.contents!)] as const
    );
    const base = types.members("WhatsAppMessageBase");
    const existing = types.variants("WhatsAppMessage").map((name) => {
      const members = types.members(name);
      const own = [...members.keys()].filter((member) => member !== "type" && !base.has(member));
      return [literal(members, "type"), own] as const;
    });
    assertEquals(new Map(rows), new Map(existing));
    assertEquals(rows.length, existing.length);
  });

  it("has each name of contents that send and reply take", () => {
    const rows = tableRows(DOCUMENT, "method", "in `send` and `reply`");
    const names = rows.flatMap((row) => namesIn(row["in `send` and `reply`"]!));
    assertEquals(difference(names, contentNames()), NONE);
  });

  it("has a row for each method of WhatsAppApi and its parts", () => {
    const rows = tableRows(DOCUMENT, "method").map((row) => nameOf(row.method!));
    assertEquals(difference(rows, methods()), NONE);
    assertEquals(rows.length, new Set(rows).size);
  });
});

describe("docs/whatsapp.md", () => {
  it("says which kinds of records have a key", () => {
    const rows = new Map(
      tableRows("docs/whatsapp.md", "`kind`", "key").map(({ "`kind`": kind, key }) => [kind!, key!]),
    );
    const sampled = new Map<string, boolean>();
    for (const record of samples()) {
      sampled.set(record.kind, recordKey(record) !== undefined || (sampled.get(record.kind) ?? false));
    }
    assertEquals(difference([...sampled.keys()], [...kinds().keys()]), NONE);
    for (const [kind, hasKey] of sampled) {
      const key = rows.get(`\`${kind}\``) ?? rows.get("all others")!;
      assertEquals(!key.startsWith("none"), hasKey, kind);
    }
  });
});
