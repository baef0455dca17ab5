/**
 * Tables of settings of all options objects, against the documentation of the options and the tables of the documents.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import type { SettingsTable } from "../base/settings.ts";
import { RECONNECT_SETTINGS } from "../client/reconnect.ts";
import { API_SETTINGS } from "../cloud_api/api_settings.ts";
import { RETENTION_SETTINGS } from "../journal/retention.ts";
import { COMPRESSION_SETTINGS } from "../protocol/deflate.ts";
import { REDIS_BACKPLANE_SETTINGS } from "../redis/backplane.ts";
import { POSTGRES_JOURNAL_SETTINGS } from "../postgres/journal.ts";
import { REDIS_JOURNAL_SETTINGS } from "../redis/journal.ts";
import { SERVER_SETTINGS } from "../server/settings.ts";
import { RECEIVER_SETTINGS } from "../whatsapp/receiver_settings.ts";
import { WHATSAPP_SETTINGS } from "../whatsapp/settings.ts";
import { SIMULATOR_SETTINGS } from "../whatsapp/simulator_settings.ts";
import "../whatsapp.ts";
import { assertDocumented } from "./support/setting_docs.ts";

type Row = [name: string, table: object, sources: string[], ownChecks: string[]];

/** The tables of servers and clients have tests in tests/server and tests/client. */
const TABLES: readonly Row[] = [
  ["reconnect", RECONNECT_SETTINGS, ["client/reconnect.ts"], []],
  ["compression", COMPRESSION_SETTINGS, ["protocol/compression.ts"], []],
  ["WhatsAppServer", WHATSAPP_SETTINGS, ["whatsapp/settings.ts"], [
    "verifyToken",
    "appSecret",
    "receiverToken",
    "journal",
  ]],
  ["WhatsAppReceiver", RECEIVER_SETTINGS, ["whatsapp/receiver_settings.ts"], [
    "after",
    "filter",
    "receiverToken",
    "appSecret",
    "deduplicate",
  ]],
  ["journals", RETENTION_SETTINGS, ["journal/journal.ts"], []],
  ["PostgresJournal", POSTGRES_JOURNAL_SETTINGS, ["journal/journal.ts", "postgres/journal.ts"], []],
  ["RedisJournal", REDIS_JOURNAL_SETTINGS, ["journal/journal.ts", "redis/journal.ts"], []],
  ["RedisBackplane", REDIS_BACKPLANE_SETTINGS, ["redis/backplane.ts"], []],
  ["WhatsAppApi", API_SETTINGS, ["cloud_api/api_settings.ts"], ["accessToken", "phoneNumberId", "accountId"]],
  ["Simulator", SIMULATOR_SETTINGS, ["whatsapp/simulator.ts"], [
    "url",
    "appSecret",
    "rate",
    "duplicates",
    "signal",
  ]],
];

describe("tables of settings have the defaults, units, ranges and kinds of the documentation", () => {
  for (const [name, table, sources, ownChecks] of TABLES) {
    it(name, () => assertDocumented(table as SettingsTable<object>, sources, ownChecks));
  }
});

const FACTORS: Readonly<Record<string, number>> = { "": 1, s: 1000, KiB: 1024, MiB: 1024 ** 2 };

/** Reads a default as a document writes it. */
function defaultOf(text: string): unknown {
  if (text === "off") return 0;
  if (text === "all") return [];
  const [, digits, unit] = /^([\d ]+?) ?([A-Za-z]*)$/.exec(text) ?? [];
  assert(digits !== undefined && unit! in FACTORS, text);
  return Number(digits.replaceAll(" ", "")) * FACTORS[unit!]!;
}

describe("the table of limits in docs/server.md", () => {
  it("has the defaults of the settings", () => {
    const text = readFileSync(new URL("../docs/server.md", import.meta.url), "utf8");
    const limits = text.slice(text.indexOf("\n## Limits\n"));
    const rows = [...limits.matchAll(/^\| (`[^|]*) \| ([^|]*) \|/gm)];
    assert(rows.length > 15);
    for (const [, cell, defaults] of rows) {
      const names = [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name as keyof typeof SERVER_SETTINGS);
      const values = defaults!.trim().split(", ");
      names.forEach((name, at) => {
        const { default: expected } = SERVER_SETTINGS[name];
        assertEquals(defaultOf(values[at] ?? values[0]!), expected as unknown, name);
      });
    }
  });
});
