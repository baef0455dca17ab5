import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { setImmediate } from "node:timers";
import { JournalError, OptionError } from "../../base/errors.ts";
import type { Appended, Journal, JournalEntry, JournalRetention, NewEntry } from "../../journal/journal.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { PostgresJournal } from "../../postgres/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { clientsFor, describePostgres, POSTGRES_VERSIONS } from "../support/describe_postgres.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry as plainEntry } from "../support/journal_entry.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { decode, encode, FakeClock, repeatUntil, until } from "../support/support.ts";

const DAY = 24 * 3600 * 1000;
const MIB = 1024 * 1024;

/** An entry whose signature tells its length. */
function entry(body: string | Uint8Array, more: Partial<NewEntry> = {}): NewEntry {
  const { length } = typeof body === "string" ? encode(body) : body;
  return plainEntry(body, { signature: `sha256=${length}`, receivedAt: new Date(1790416800000), ...more });
}

/** A folder that is gone after the test. */
async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "journal-"));
  try {
    await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const withFile = (action: (file: string) => Promise<void>): Promise<void> =>
  withFolder((folder) => action(join(folder, "journal.db")));

const show = (entries: JournalEntry[]): string[] => entries.map(({ seq, bytes }) => `${seq} ${decode(bytes)}`);

/** Registers the tests that every journal must pass. */
function suite(
  name: string,
  withJournal: (
    action: (journal: Journal, clock: FakeClock) => Promise<void>,
    retention?: JournalRetention,
  ) => Promise<void>,
): void {
  describe(name, () => {
    it("keeps notifications in order, byte for byte, with signature and time", () =>
      withJournal(async (journal) => {
        assertEquals([journal.last, journal.trimmed], [0, 0]);
        const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
        const first = await journal.append(entry(bytes));
        const rest = await Promise.all(["b", "c"].map((body) => journal.append(entry(body))));
        assertEquals([first, ...rest].map(({ duplicate }) => duplicate), [false, false, false]);
        const [read, ...others] = await journal.read(0, 10);
        assertEquals(read!.bytes, bytes);
        assertEquals(read!.signature, "sha256=256");
        assertEquals(read!.receivedAt, new Date(1790416800000));
        assertEquals(read!.seq, first.seq);
        assertEquals(show(others), [`${rest[0]!.seq} b`, `${rest[1]!.seq} c`]);
        assert(first.seq < rest[0]!.seq && rest[0]!.seq < rest[1]!.seq);
        assertEquals(journal.last, rest[1]!.seq);
      }));

    it("reads from any place, as many as asked", () =>
      withJournal(async (journal) => {
        const seqs: number[] = [];
        for (const body of ["a", "b", "c", "d"]) seqs.push((await journal.append(entry(body))).seq);
        assertEquals(show(await journal.read(seqs[0]!, 2)), [`${seqs[1]} b`, `${seqs[2]} c`]);
        assertEquals(await journal.read(seqs[3]!, 2), []);
        assertEquals(await journal.read(1e9, 2), []);
      }));

    it("recognises a retry by its digest, also within one group, and keeps it once", () =>
      withJournal(async (journal) => {
        assertEquals(await journal.has(entry("a").digest), false);
        const [one, two] = await Promise.all([journal.append(entry("a")), journal.append(entry("a"))]);
        assertEquals([one.duplicate, two.duplicate, two.seq], [false, true, one.seq]);
        assertEquals(await journal.append(entry("a")), { seq: one.seq, duplicate: true });
        assertEquals(await journal.has(entry("a").digest), true);
        assertEquals((await journal.read(0, 10)).length, 1);
      }));

    it("distinguishes entries whose digests differ in the last byte only", () =>
      withJournal(async (journal) => {
        const [one, other] = [entry("a").digest, entry("a").digest];
        other[31]! ^= 1;
        await journal.append(entry("a", { digest: one }));
        assertEquals(await journal.has(other), false);
        assertEquals((await journal.append(entry("b", { digest: other }))).duplicate, false);
        assertEquals((await journal.read(0, 10)).map(({ bytes }) => decode(bytes)), ["a", "b"]);
      }));

    it("keeps only the digest of notifications that are not to be delivered", () =>
      withJournal(async (journal) => {
        await journal.append(entry("vetoed", { forward: false }));
        await journal.append(entry("kept"));
        assertEquals((await journal.read(0, 10)).map(({ bytes }) => decode(bytes)), ["kept"]);
        assertEquals((await journal.append(entry("vetoed"))).duplicate, true);
      }));

    it("calls its listener in order, before append resolves, and never for duplicates", () =>
      withJournal(async (journal) => {
        const log: string[] = [];
        journal.listen({
          appended: ({ bytes }) => void log.push(decode(bytes)),
          error: (error) => void log.push(error.message),
        });
        const appended = (body: string): Promise<unknown> =>
          journal.append(entry(body)).then(() => log.push(`${body} done`));
        await Promise.all([appended("a"), appended("b"), appended("a")]);
        await journal.append(entry("c", { forward: false }));
        assertEquals(log.filter((line) => !line.includes("done")), ["a", "b"]);
        assert(log.indexOf("a") < log.indexOf("a done") && log.indexOf("b") < log.indexOf("b done"));
      }));

    it("keeps cursors, which only go forward", () =>
      withJournal(async (journal) => {
        assertEquals(await journal.cursor("billing"), undefined);
        journal.saveCursor("billing", 3);
        journal.saveCursor("billing", 2);
        journal.saveCursor("__proto__", 1);
        assertEquals(await journal.cursor("billing"), 3);
        assertEquals(await journal.cursor("__proto__"), 1);
      }));

    it("removes the oldest beyond maxBytes, and reports the gap to receivers that were behind", () =>
      withJournal(async (journal) => {
        const errors: JournalError[] = [];
        journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
        const seqs: number[] = [];
        journal.saveCursor("slow", 0);
        for (let at = 0; at < 20; at++) {
          seqs.push((await journal.append(entry(new Uint8Array(MIB).fill(at)))).seq);
          if (at === 2) journal.saveCursor("quick", seqs[2]!);
        }
        let first = await journal.read(0, 1);
        assertEquals([first[0]!.seq, first[0]!.bytes[0], journal.trimmed], [seqs[4], 4, seqs[3]]);
        await until(() => errors.length >= 2, "both errors");
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_TRIMMED", "ERR_JOURNAL_TRIMMED"]);
        assert(errors.some(({ message }) => message.includes('"slow"')));
        // A retry of what is gone is a retry still.
        assertEquals((await journal.append(entry(new Uint8Array(MIB).fill(0)))).duplicate, true);
        first = await journal.read(0, 1);
        assertEquals(first[0]!.bytes[0], 4);
      }, { maxBytes: 16 * MIB }));

    it("removes notifications older than maxAge; digests stay for 8 days", () =>
      withJournal(async (journal, clock) => {
        await journal.append(entry("old"));
        clock.advance(DAY - 20 * 60_000);
        const { seq } = await journal.append(entry("young"));
        clock.advance(30 * 60_000);
        assertEquals(show(await journal.read(0, 10)), [`${seq} young`]);
        assertEquals((await journal.append(entry("old"))).duplicate, true);
        clock.advance(6 * DAY);
        assertEquals((await journal.append(entry("old"))).duplicate, true);
        assertEquals(await journal.read(0, 10), []);
        clock.advance(2 * DAY);
        // Retention of a database runs beside its other statements.
        let isKnown = true;
        const ask = async (): Promise<unknown> => isKnown = await journal.has(entry("old").digest);
        await repeatUntil(ask, () => !isKnown, "the digest to be removed");
        const again = await journal.append(entry("old"));
        assertEquals(again.duplicate, false);
        assert(again.seq > seq);
      }, { maxAge: DAY }));

    it("refuses calls once closed", () =>
      withJournal(async (journal) => {
        await journal.append(entry("a"));
        await journal.close();
        await journal.close();
        for (
          const call of [
            () => journal.append(entry("b")),
            () => journal.read(0, 1),
            () => journal.has(entry("a").digest),
          ]
        ) {
          const error = await assertRejects(call, JournalError, "closed");
          assertEquals(error.code, "ERR_JOURNAL_CLOSED");
        }
        journal.saveCursor("x", 1);
      }));
  });
}

suite("MemoryJournal", async (action, retention = {}) => {
  const clock = new FakeClock();
  const journal = new MemoryJournal({ ...retention, clock });
  await action(journal, clock);
  await journal.close();
});

suite("SqliteJournal", (action, retention = {}) =>
  withFile(async (file) => {
    const clock = new FakeClock();
    const journal = await SqliteJournal.open(file, { ...retention, clock });
    await action(journal, clock);
    await journal.close();
  }));

describeRedis("RedisJournal", () => {
  for (const [name, make] of CLIENTS) {
    suite(`RedisJournal with ${name}`, async (action, retention = {}) => {
      const redis = await RedisServer.start();
      const program = await make(redis.url);
      const clock = new FakeClock();
      const journal = await RedisJournal.open(program.client, { ...retention, clock });
      await action(journal, clock);
      await journal.close();
      await program.close();
      await redis.stop();
    });
  }
});

for (const version of POSTGRES_VERSIONS) {
  describePostgres(version, (binaries) => {
    for (const [name, make] of clientsFor(version)) {
      suite(`PostgresJournal with ${name}`, async (action, retention = {}) => {
        await using server = await PostgresServer.start({ binaries, settings: QUICK });
        await using program = await make(server.url);
        const clock = new FakeClock();
        const journal = await PostgresJournal.open(program.client, { ...retention, clock });
        await action(journal, clock);
        await journal.close();
      });
    }
  }, version);
}

describe("MemoryJournal bounds", () => {
  it("are those of entries too", async () => {
    const journal = new MemoryJournal();
    const digest = (at: number): Uint8Array => new Uint8Array(new Uint32Array([at, 0, 0, 0, 0, 0, 0, 0]).buffer);
    for (let at = 0; at < 100_010; at++) await journal.append(entry("x", { digest: digest(at) }));
    const [first] = await journal.read(0, 1);
    assertEquals([first!.seq, journal.trimmed], [11, 10]);
    assertEquals(await journal.has(digest(0)), false);
    assertEquals(await journal.has(digest(100)), true);
  });
});

/** Runs a program on this runtime. */
function run(
  args: string[],
  shell = "",
): { output: () => string; kill: () => void; ended: Promise<number | null>; line: (text: string) => Promise<void> } {
  const onDeno = "deno" in process.versions;
  const own = onDeno ? ["run", "-A", "--no-check", ...args] : args;
  const child = shell === ""
    ? spawn(process.execPath, own, { stdio: ["ignore", "pipe", "inherit"] })
    : spawn("sh", ["-c", `${shell} exec "$0" "$@"`, process.execPath, ...own], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  let output = "";
  const watchers = new Set<() => void>();
  child.stdout!.on("data", (data) => {
    output += data;
    for (const watcher of watchers) watcher();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const line = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      watchers.add(look);
      look();
      ended.then(() => reject(new Error(`it ended without "${text}": ${output}`)));
    });
  return { output: () => output, kill: () => void child.kill("SIGKILL"), ended, line };
}

const writer = fileURLToPath(new URL("../support/journal_writer.ts", import.meta.url));

describe("SqliteJournal on disk", () => {
  it("is for its owner only", () =>
    withFile(async (file) => {
      const journal = await SqliteJournal.open(file);
      await journal.append(entry("a"));
      for (const name of [file, `${file}-wal`]) assertEquals(statSync(name).mode & 0o777, 0o600, name);
      await journal.close();
    }));

  it("continues after a restart with its notifications, numbers, cursors, retries and identity", () =>
    withFile(async (file) => {
      const first = await SqliteJournal.open(file);
      const { seq } = await first.append(entry("a"));
      first.saveCursor("billing", seq);
      await first.close();
      const second = await SqliteJournal.open(file);
      assertEquals(second.id, first.id);
      assertEquals([second.last, await second.cursor("billing")], [seq, seq]);
      assertEquals(show(await second.read(0, 10)), [`${seq} a`]);
      assertEquals(await second.append(entry("a")), { seq, duplicate: true });
      assert((await second.append(entry("b"))).seq > seq);
      await second.close();
    }));

  it("commits together what comes in turns that each bring more, and does not wait for ever", () =>
    withFile(async (file) => {
      const journal = await SqliteJournal.open(file);
      const events: string[] = [];
      journal.listen({ appended: ({ bytes }) => void events.push(decode(bytes)), error: () => {} });
      const append = (body: string): void => void journal.append(entry(body)).then(() => events.push(`${body} kept`));
      const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
      append("a");
      append("b");
      await turn();
      append("c");
      append("d");
      while (!events.includes("d kept")) await turn();
      assertEquals(events, ["a", "b", "c", "d", "a kept", "b kept", "c kept", "d kept"]);
      let turns = 0;
      for (; !events.includes("e0 kept"); turns++) {
        append(`e${turns}`);
        append(`f${turns}`);
        await turn();
      }
      assert(turns > 1 && turns <= 40, `${turns}`);
      await journal.close();
    }));

  it("writes cursors soon while notifications come, though not with each of them", () =>
    withFile(async (file) => {
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      const copy = `${file}.copy`;
      const written = async (): Promise<number | undefined> => {
        copyFileSync(file, copy);
        copyFileSync(`${file}-wal`, `${copy}-wal`);
        const read = await SqliteJournal.open(copy);
        const cursor = await read.cursor("billing");
        await read.close();
        return cursor;
      };
      const steps: (number | undefined)[] = [];
      for (const [step, pause] of [0, 19, 1, 1].entries()) {
        clock.advance(pause);
        journal.saveCursor("billing", step + 1);
        await journal.append(entry(`${step}`));
        steps.push(await written());
      }
      assertEquals(steps, [1, 1, 3, 3]);
      // 100 ms after it moved, with a notification or without one.
      clock.advance(70);
      journal.saveCursor("billing", 5);
      await journal.append(entry("4"));
      journal.saveCursor("billing", 6);
      const appended = journal.append(entry("5"));
      clock.advance(10);
      await appended;
      assertEquals(await written(), 6);
      journal.saveCursor("billing", 7);
      clock.advance(100);
      await until(async () => await written() === 7, "the cursor in the file");
      // And at the end.
      journal.saveCursor("billing", 8);
      await journal.close();
      const again = await SqliteJournal.open(file);
      assertEquals(await again.cursor("billing"), 8);
      await again.close();
    }));

  it("writes cursors soon, without a notification and without an end", () =>
    withFile(async (file) => {
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      journal.saveCursor("billing", 7);
      clock.advance(100);
      const copy = `${file}.copy`;
      const written = async (): Promise<boolean> => {
        copyFileSync(file, copy);
        copyFileSync(`${file}-wal`, `${copy}-wal`);
        const read = await SqliteJournal.open(copy);
        const cursor = await read.cursor("billing");
        await read.close();
        return cursor === 7;
      };
      await until(written, "the cursor in the file");
      await journal.close();
    }));

  it("never reuses a number, not even of a removed notification", () =>
    withFile(async (file) => {
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { maxAge: DAY, clock });
      const { seq } = await journal.append(entry("a"));
      clock.advance(9 * DAY);
      assertEquals(await journal.has(entry("a").digest), false);
      await journal.close();
      const again = await SqliteJournal.open(file, { maxAge: DAY, clock });
      assertEquals([again.last, again.trimmed], [seq, seq]);
      assertEquals((await again.append(entry("b"))).seq, seq + 1);
      await again.close();
    }));

  it("loses nothing when the clock jumps, or the server stood still for a year", () =>
    withFile(async (file) => {
      const journal = await SqliteJournal.open(file, { maxAge: DAY, clock: new FakeClock() });
      await journal.append(entry("a", { receivedAt: new Date(2100, 0) }));
      await journal.append(entry("b", { receivedAt: new Date(1970, 0, 2) }));
      await journal.close();
      const later = new FakeClock();
      later.advance(400 * DAY);
      const again = await SqliteJournal.open(file, { maxAge: DAY, clock: later });
      assertEquals((await again.read(0, 10)).map(({ bytes }) => decode(bytes)), ["a", "b"]);
      await again.close();
    }));

  it("refuses a second process, and a second journal in this one", () =>
    withFile(async (file) => {
      const journal = await SqliteJournal.open(file);
      const error = await assertRejects(() => SqliteJournal.open(file), JournalError, "this process has it open");
      assertEquals(error.code, "ERR_JOURNAL_LOCKED");
      const other = run([writer, file, "1"]);
      await other.ended;
      assert(other.output().includes("ERR_JOURNAL_LOCKED"), other.output());
      await journal.append(entry("a"));
      await journal.close();
      await (await SqliteJournal.open(file)).close();
    }));

  it("says if this process has the file open under another name, until it closes it", () =>
    withFolder(async (folder) => {
      const [file, link] = [join(folder, "a.db"), join(folder, "b.db")];
      const journal = await SqliteJournal.open(file);
      symlinkSync(file, link);
      await assertRejects(() => SqliteJournal.open(link), JournalError, "this process has it open");
      await journal.close();
      await (await SqliteJournal.open(link)).close();
    }));

  it("is not made with new", () => {
    const Made = SqliteJournal as unknown as new (path: string) => SqliteJournal;
    assertThrows(() => new Made("journal.db"), OptionError, "await SqliteJournal.open(path)");
  });

  it("refuses files that are something else", () =>
    withFolder(async (folder) => {
      const text = join(folder, "text");
      writeFileSync(text, "not a database, but a text that is long enough to be looked at".repeat(100));
      const foreign = join(folder, "foreign.db");
      const { DatabaseSync } = await import("node:sqlite");
      const db = new DatabaseSync(foreign);
      db.exec("CREATE TABLE theirs (x)");
      db.close();
      const newer = join(folder, "newer.db");
      await (await SqliteJournal.open(newer)).close();
      const future = new DatabaseSync(newer);
      future.exec("PRAGMA user_version = 2");
      future.close();
      for (
        const [file, why] of [[text, "not a database"], [foreign, "another program"], [newer, "version 2"], [
          join(folder, "no/where"),
          "no/where",
        ]]
      ) {
        const error = await assertRejects(() => SqliteJournal.open(file!), JournalError, why);
        assertEquals(error.code, "ERR_JOURNAL_OPEN");
      }
      assertEquals(readFileSync(text, "utf8").startsWith("not a database"), true);
      await assertRejects(() => SqliteJournal.open(text, { maxBytes: 1 }), OptionError, "maxBytes");
      await assertRejects(() => SqliteJournal.open(text, { maxAge: -1 }), OptionError, "maxAge");
    }));

  it("has everything that was appended when the process is killed", () =>
    withFile(async (file) => {
      for (const lines of ["10", "200"]) {
        const child = run([writer, file, "1000000"]);
        await child.line(`kept ${lines}\n`);
        child.kill();
        await child.ended;
        const kept = child.output().split("\n").filter((line) => line.startsWith("seq ")).map((line) =>
          Number(line.slice(4))
        );
        const journal = await SqliteJournal.open(file);
        const seqs = new Set<number>();
        for (let after = 0;;) {
          const entries = await journal.read(after, 1000);
          if (entries.length === 0) break;
          for (const { seq } of entries) seqs.add(seq);
          after = entries[entries.length - 1]!.seq;
        }
        assert(kept.length >= Number(lines));
        assertEquals(kept.filter((seq) => !seqs.has(seq)), []);
        await journal.close();
      }
    }));

  it("survives a last write that is torn", () =>
    withFile(async (file) => {
      const child = run([writer, file, "50", "stay"]);
      await child.line("kept 50\n");
      child.kill();
      await child.ended;
      const log = `${file}-wal`;
      const { size } = statSync(log);
      // A commit that did not come to its end: the beginning of a frame, and one with bytes that are wrong.
      const handle = openSync(log, "a");
      writeSync(handle, readFileSync(log).subarray(size - 4000));
      closeSync(handle);
      const journal = await SqliteJournal.open(file);
      assertEquals((await journal.read(0, 1000)).length, 50);
      assertEquals((await journal.append(entry("after"))).duplicate, false);
      await journal.close();
      assertEquals(existsSync(file), true);
    }));

  it("reports a full disk, keeps its content, and continues when there is room", () =>
    withFile(async (file) => {
      // Files of this process may have 300 blocks of 512 bytes: writing more fails as on a full disk.
      const child = run([writer, file, "2000", "retry"], `trap "" XFSZ; ulimit -f 300;`);
      await child.line("done\n");
      await child.ended;
      const output = child.output();
      assert(output.includes("failed ERR_JOURNAL_WRITE"), output);
      const kept = output.split("\n").filter((line) => line.startsWith("seq ")).map((line) => Number(line.slice(4)));
      const journal = await SqliteJournal.open(file);
      const seqs: number[] = [];
      for (let after = 0;;) {
        const entries = await journal.read(after, 1000);
        if (entries.length === 0) break;
        seqs.push(...entries.map(({ seq }) => seq));
        after = entries[entries.length - 1]!.seq;
      }
      assertEquals(seqs, kept);
      assert(kept.length > 1, output);
      assertEquals((await journal.append(entry("after"))).duplicate, false);
      await journal.close();
    }));

  it("shares a commit among appends of one turn", () =>
    withFile(async (file) => {
      const journal = await SqliteJournal.open(file);
      const before = existsSync(`${file}-wal`) ? statSync(`${file}-wal`).size : 0;
      const appended: Appended[] = await Promise.all(
        Array.from({ length: 1000 }, (_, at) => journal.append(entry(`${at}`))),
      );
      assertEquals(new Set(appended.map(({ seq }) => seq)).size, 1000);
      // One commit a notification would write at least two pages each.
      const grown = statSync(`${file}-wal`).size - before;
      assert(grown < 1000 * 4096, `${grown} bytes`);
      await journal.close();
    }));
});
