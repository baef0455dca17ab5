/** A journal whose file is damaged: what cannot be read is skipped and told; what stands behind it is delivered. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalError } from "../../base/errors.ts";
import type { JournalRetention, NewEntry } from "../../journal/journal.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../../whatsapp.ts";
import { entry as plainEntry } from "../support/journal_entry.ts";
import { encode, FakeClock, until } from "../support/support.ts";

function entry(bytes: Uint8Array): NewEntry {
  return plainEntry(bytes, { signature: "sha256=x", receivedAt: new Date(1790416800000) });
}

const MIB = 1024 * 1024;
const DAY = 24 * 3600 * 1000;
const PAGE = 4096;

const body = (at: number, size = 40): Uint8Array => encode(`${at} `.padEnd(size, "."));

/** A journal with notifications 1 to `count`, closed; `damage` gets its path. */
async function withDamaged(
  count: number,
  size: number,
  damage: (file: string) => void | Promise<void>,
  action: (file: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "damage-"));
  try {
    const file = join(folder, "j.db");
    const journal = await SqliteJournal.open(file);
    for (let at = 1; at <= count; at++) await journal.append(entry(body(at, size)));
    await journal.close();
    await damage(file);
    await action(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(file: string, sql: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

/** Fills the leaf of the table that holds a text with 0xff, and tells which notifications cannot be read any more. */
async function destroyLeaf(file: string, text: string): Promise<number[]> {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.indexOf(text) / PAGE) * PAGE;
  const TABLE_LEAF = 13;
  assertEquals(bytes[at], TABLE_LEAF);
  bytes.fill(0xff, at, at + PAGE);
  writeFileSync(file, bytes);
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  const lost: number[] = [];
  for (let seq = 1; seq <= 100; seq++) {
    try {
      db.prepare("SELECT raw FROM notification WHERE seq = ?").get(seq);
    } catch {
      lost.push(seq);
    }
  }
  db.close();
  return lost;
}

/**
 * The number of a body's first further page stands at the end of what is on the leaf; from now on it points far behind
 * the file.
 */
function loseFurtherPages(file: string, text: string): void {
  const bytes = readFileSync(file);
  let at = bytes.indexOf(text);
  assert(at > 0);
  while (bytes[at] !== 0x00) at++;
  bytes.writeUInt32BE(0x7fffffff, at);
  writeFileSync(file, bytes);
}

/** Opens it; errors go to a list. */
async function open(file: string, retention: JournalRetention = {}): Promise<[SqliteJournal, JournalError[]]> {
  const journal = await SqliteJournal.open(file, retention);
  const errors: JournalError[] = [];
  journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
  return [journal, errors];
}

/** All that can be read: numbers, and gaps as "after-until". */
async function readAll(journal: SqliteJournal, from = 0, count = 10): Promise<string[]> {
  const found: string[] = [];
  for (let after = from;;) {
    const entries = await journal.read(after, count);
    if (entries.length === 0) return found;
    for (const { seq, lostAfter, bytes } of entries) {
      found.push(lostAfter === undefined ? `${seq}` : `${lostAfter}-${seq}`);
      assertEquals(bytes.length > 0, lostAfter === undefined);
    }
    after = entries[entries.length - 1]!.seq;
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `${from + at}`);

describe("SqliteJournal, damaged", () => {
  const rows: [what: string, sql: string][] = [
    ["a byte of the body", "raw = CAST('3 ...X' || substr(raw, 7) AS BLOB)"],
    ["a byte of the signature", "signature = 'sha256=y'"],
    ["the time", "received_at = received_at + 1"],
    ["a body that is text", "raw = 'text'"],
    ["a signature that is bytes", "signature = x'00ff'"],
    ["a time that is text", "received_at = 'long ago'"],
    ["a time that is no date", "received_at = 9000000000000000"],
    // Without a checksum too.
    ["a body that is text, of an older version,", "raw = 'text', checksum = NULL"],
    ["a signature that is bytes, of an older version,", "signature = x'00ff', checksum = NULL"],
    ["a time that is no number of JavaScript's", "received_at = 9223372036854775807"],
  ];
  for (const [what, sql] of rows) {
    it(`skips a row with ${what} changed, and says so once`, () =>
      withDamaged(5, 40, (file) => run(file, `UPDATE notification SET ${sql} WHERE seq = 3`), async (file) => {
        const [journal, errors] = await open(file);
        for (let times = 0; times < 3; times++) assertEquals(await readAll(journal), ["1", "2", "2-3", "4", "5"]);
        assertEquals(await readAll(journal, 2, 1), ["2-3", "4", "5"]);
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_DAMAGED"]);
        assert(errors[0]!.message.includes("notification 3 cannot be delivered"), errors[0]!.message);
        assertEquals((await journal.append(entry(body(6)))).seq, 6);
        await journal.close();
      }));
  }

  it("skips a page that cannot be read, and no row besides, and takes new ones", () => {
    let lost: number[] = [];
    const damage = async (file: string): Promise<void> => void (lost = await destroyLeaf(file, "31 ...."));
    return withDamaged(100, 1000, damage, async (file) => {
      const [first, last] = [lost[0], lost[lost.length - 1]];
      assert(lost.length > 1 && lost.length < 10, `${lost}`);
      const [journal, errors] = await open(file);
      const expected = [...numbers(1, first! - 1), `${first! - 1}-${last}`, ...numbers(last! + 1, 100)];
      for (const count of [1, 7, 1000]) assertEquals(await readAll(journal, 0, count), expected);
      // A receiver that was in the middle of it.
      assertEquals((await readAll(journal, first))[0], `${first}-${last}`);
      assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_DAMAGED"]);
      assertEquals((await journal.append(entry(body(101)))).seq, 101);
      assertEquals((await readAll(journal, 99)).length, 2);
      await journal.close();
    });
  });

  it("trims around a page that cannot be read, by size and by age", () => {
    let lost: number[] = [];
    const damage = async (file: string): Promise<void> => void (lost = await destroyLeaf(file, "31 ...."));
    return withDamaged(100, 1000, damage, async (file) => {
      const clock = new FakeClock();
      const [journal] = await open(file, { maxBytes: 16 * MIB, maxAge: DAY, clock });
      for (let at = 0; at < 20; at++) await journal.append(entry(new Uint8Array(MIB).fill(at)));
      assert(journal.trimmed > lost[lost.length - 1]!, `${journal.trimmed}`);
      const kept = await readAll(journal);
      assertEquals(kept.length, 16);
      clock.advance(2 * DAY);
      assertEquals([await readAll(journal), journal.trimmed], [[], 120]);
      assertEquals((await journal.append(entry(body(121)))).seq, 121);
      assertEquals(await readAll(journal), ["121"]);
      await journal.close();
    });
  });

  it("trims by age what stands before and behind such a page", () =>
    withDamaged(100, 1000, async (file) => void (await destroyLeaf(file, "31 ....")), async (file) => {
      const clock = new FakeClock();
      const [journal, errors] = await open(file, { maxAge: DAY, clock });
      clock.advance(2 * DAY);
      assertEquals([await readAll(journal), journal.trimmed], [[], 100]);
      assert(errors.some(({ code }) => code === "ERR_JOURNAL_WRITE"));
      await journal.append(entry(body(101)));
      assertEquals(await readAll(journal), ["101"]);
      await journal.close();
    }));

  it("skips a body whose further pages are lost, and trims over it", () =>
    withDamaged(30, MIB / 2, (file) => loseFurtherPages(file, "7 ....."), async (file) => {
      const [journal, errors] = await open(file, { maxBytes: 16 * MIB });
      assertEquals(await readAll(journal), [...numbers(1, 6), "6-7", ...numbers(8, 30)]);
      assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_DAMAGED"]);
      for (let at = 0; at < 10; at++) await journal.append(entry(new Uint8Array(MIB).fill(at)));
      assert(journal.trimmed > 7, `${journal.trimmed}`);
      await journal.close();
      const [again] = await open(file, { maxBytes: 16 * MIB });
      assertEquals((await readAll(again)).at(-1), "40");
      await again.close();
    }));

  it("trims over a body that cannot be freed, even if it was never read", () =>
    withDamaged(30, MIB / 2, (file) => loseFurtherPages(file, "7 ....."), async (file) => {
      const [journal] = await open(file, { maxBytes: 16 * MIB });
      for (let at = 0; at < 10; at++) await journal.append(entry(new Uint8Array(MIB).fill(at)));
      assertEquals([journal.last, journal.trimmed], [40, 18]);
      await journal.close();
    }));

  it("trims over a page that has become unreadable since it was opened", () =>
    withDamaged(20, MIB - 1000, () => {}, async (file) => {
      const { StatementSync } = await import("node:sqlite");
      const { prototype } = StatementSync;
      const { get } = prototype;
      const [journal] = await open(file, { maxBytes: 16 * MIB });
      // deno-lint-ignore no-explicit-any -- the types of Node.js are those of its own values
      prototype.get = function (this: any, ...args: any[]): any {
        if (args.length === 1 && (args[0] === 3 || args[0] === 4)) {
          throw Object.assign(new Error("malformed"), { errcode: 11 });
        }
        return get.apply(this, args as never);
      };
      try {
        await journal.append(entry(body(21, MIB - 1000)));
        await journal.append(entry(body(22, MIB - 1000)));
        // The two that cannot be read are not freed, so two more are.
        assertEquals([journal.last, journal.trimmed], [22, 8]);
      } finally {
        prototype.get = get;
      }
      assertEquals(await readAll(journal), numbers(9, 22));
      await journal.close();
    }));

  it("retries a failed disk read, and rejects for errors other than damage", () =>
    withDamaged(5, 40, () => {}, async (file) => {
      const clock = new FakeClock();
      const { StatementSync } = await import("node:sqlite");
      const { prototype } = StatementSync;
      const { get } = prototype;
      let errcode = 266;
      const [journal, errors] = await open(file, { clock });
      // deno-lint-ignore no-explicit-any -- the types of Node.js are those of its own values
      prototype.get = function (this: any, ...args: any[]): any {
        if (args[0] === 3 && args.length === 1) throw Object.assign(new Error("no answer"), { errcode });
        return get.apply(this, args as never);
      };
      try {
        const read = (): Promise<string[]> => readAll(journal);
        for (let times = 0; times < 3; times++) {
          const error = await assertRejects(read, JournalError, "no answer");
          assertEquals(error.code, "ERR_JOURNAL_READ");
          clock.advance(20_000);
        }
        assertEquals(await read(), ["1", "2", "2-3", "4", "5"]);
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_DAMAGED"]);
        errcode = 5;
        for (let times = 0; times < 3; times++) {
          await assertRejects(read, JournalError, "no answer");
          clock.advance(100_000);
        }
      } finally {
        prototype.get = get;
      }
      assertEquals(await readAll(journal), numbers(1, 5));
      await journal.close();
    }));

  it("delivers notifications written by a version without checksums", () =>
    withDamaged(3, 40, (file) => run(file, "ALTER TABLE notification DROP COLUMN checksum"), async (file) => {
      const [journal, errors] = await open(file);
      await journal.append(entry(body(4)));
      assertEquals([await readAll(journal), errors], [numbers(1, 4), []]);
      await journal.close();
      await run(file, "UPDATE notification SET signature = 'sha256=y' WHERE seq = 4");
      const [again] = await open(file);
      assertEquals(await readAll(again), ["1", "2", "3", "3-4"]);
      await again.close();
    }));

  it("is reported to receivers as a gap that they skip; onError is called once", () =>
    withDamaged(4, 40, (file) => run(file, "UPDATE notification SET raw = x'7b7d' WHERE seq = 2"), async (file) => {
      const errors: unknown[] = [];
      const server = new WhatsAppServer({
        hostname: "127.0.0.1",
        port: 0,
        behindProxy: true,
        appSecret: null,
        receiverToken: "t",
        journal: file,
        onError: (error) => errors.push((error as JournalError).code),
      });
      await server.start();
      const logs: string[][] = [[], []];
      const receivers = logs.map((log) =>
        new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, {
          receiverToken: "t",
          after: 0,
          onMessageReceived: (text) => void log.push(text.split(" ")[0]!),
          onGap: (after, until) => void log.push(`${after}-${until}`),
        })
      );
      for (const receiver of receivers) await receiver.connect();
      await until(() => logs.every((log) => log.length === 4), "all");
      assertEquals(logs, [["1", "1-2", "3", "4"], ["1", "1-2", "3", "4"]]);
      assertEquals(errors, ["ERR_JOURNAL_DAMAGED"]);
      await Promise.all(receivers.map((receiver) => receiver.disconnect()));
      await server.stop();
    }));
});
