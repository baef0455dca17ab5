/**
 * The files of a journal: paths that mean something else, files that are deleted or replaced, and who may use a
 * journal.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers";
import { pathToFileURL } from "node:url";
import { JournalError, OptionError, StateError, type WebSocketError } from "../../base/errors.ts";
import type { Journal } from "../../journal/journal.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { signNotification, WhatsAppReceiver, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { decode, encode, FakeClock, until } from "../support/support.ts";

const SECRET = "secret";

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "files-"));
  try {
    await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Keeps what it reports. */
class Server extends WhatsAppServer {
  readonly errors: WebSocketError[] = [];

  override onError(error: unknown) {
    this.errors.push(error as WebSocketError);
  }
}

function make(options: WhatsAppServerOptions): Server {
  return new Server({
    hostname: "127.0.0.1",
    port: 0,
    behindProxy: true,
    appSecret: SECRET,
    receiverToken: "t",
    ...options,
  });
}

async function post(server: Server, id: string): Promise<number> {
  const body = JSON.stringify({ object: "whatsapp_business_account", entry: [], id });
  const headers = {
    "content-type": "application/json",
    "x-hub-signature-256": signNotification(encode(body), SECRET),
  };
  const response = await fetch(`http://127.0.0.1:${server.address!.port}/`, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.status;
}

async function receive(server: Server, got: string[]): Promise<WhatsAppReceiver> {
  const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, {
    receiverToken: "t",
    after: 0,
    onMessageReceived: (text) => void got.push(JSON.parse(text).id),
    onError: () => {},
  });
  await receiver.connect();
  return receiver;
}

const codes = (server: Server): string[] => server.errors.map(({ code }) => code);

describe("The path of a journal", () => {
  const paths: [path: unknown, why: string][] = [
    ["", "set it to null"],
    [":memory:", 'set it to null or to a MemoryJournal, for a file of that name to "./:memory:"'],
    ["file:journal.db", 'fileURLToPath makes a path of it; a file of that name is "./file:journal.db"'],
    ["file::memory:?cache=shared", "fileURLToPath"],
    ["FILE:///tmp/journal.db", "fileURLToPath"],
    [pathToFileURL("/tmp/journal.db"), "fileURLToPath"],
    [
      "redis://user:hidden@localhost:6379",
      '"redis:": give a journal of that database: await RedisJournal.open(client)',
    ],
    ["rediss://localhost", "RedisJournal.open(client)"],
    ["redis:hidden", 'a file of that name begins with "./"'],
    ["postgres://user:hidden@localhost/db", "PostgresJournal.open(client)"],
    [" POSTGRESQL://localhost/db", 'begins with "postgresql:"'],
    ["mysql://user:hidden@localhost/db", "give the path of a file, or a journal"],
    ["https://example.com/hidden", 'begins with "https:"'],
    [5, "of type number"],
    [{}, "object"],
  ];
  for (const [path, why] of paths) {
    it(`must not be ${path instanceof URL ? "a URL" : JSON.stringify(path)}`, async () => {
      const error = await assertRejects(() => SqliteJournal.open(path as string), OptionError, why);
      assert(!error.message.includes("hidden"), error.message);
      assertThrows(() => make({ journal: path as string }), OptionError, why);
      const server = make({ journal: null });
      assertThrows(() => server.journal = path as string, OptionError, why);
      assertEquals(server.journal, null);
    });
  }

  it("may look like one of those behind a folder", () =>
    withFolder(async (folder) => {
      const before = process.cwd();
      process.chdir(folder);
      try {
        for (const path of ["./:memory:", "./file:x", "plain.db", "./redis:x", "mysql:x", "C:\\x.db", "C:x.db"]) {
          const journal = await SqliteJournal.open(path);
          await journal.append(entry("a"));
          await journal.close();
          assert(existsSync(path), path);
        }
      } finally {
        process.chdir(before);
      }
    }));
});

describe("The files of a journal, while it is open", () => {
  const wal = (file: string): string => `${file}-wal`;
  const losses: [what: string, lose: (file: string) => void, which: string][] = [
    ["deleted", (file) => unlinkSync(file), "j.db"],
    ["deleted with all that is beside it", (file) => {
      for (const name of readdirSync(join(file, ".."))) unlinkSync(join(file, "..", name));
    }, "j.db"],
    ["moved away", (file) => renameSync(file, `${file}.old`), "j.db"],
    ["replaced by a copy of itself", (file) => {
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
    }, "j.db"],
    ["deleted with its folder", (file) => rmSync(join(file, ".."), { recursive: true }), "j.db"],
    ["without its log", (file) => unlinkSync(wal(file)), "j.db-wal"],
    ["cut off", (file) => truncateSync(file, 0), "j.db"],
    ["with a log that is cut off", (file) => truncateSync(wal(file), 1000), "j.db-wal"],
    ["with another log", (file) => {
      unlinkSync(wal(file));
      writeFileSync(wal(file), "");
    }, "j.db-wal"],
  ];
  for (const [what, lose, which] of losses) {
    it(`when ${what}: 503, and an error that says so`, () =>
      withFolder(async (folder) => {
        mkdirSync(join(folder, "sub"));
        const file = join(folder, "sub", "j.db");
        const clock = new FakeClock();
        const server = make({ journal: file, clock });
        await server.start();
        const got: string[] = [];
        const receiver = await receive(server, got);
        assertEquals(await post(server, "1"), 200);
        lose(file);
        clock.advance(10);
        assertEquals([await post(server, "2"), await post(server, "1"), await post(server, "3")], [503, 503, 503]);
        assertEquals(new Set(codes(server)), new Set(["ERR_JOURNAL_GONE"]));
        assertStringIncludes(server.errors[0]!.message, `${which}" `);
        // What is at hand still is delivered still.
        const late: string[] = [];
        const second = await receive(server, late);
        await until(() => late.length > 0 && got.length > 0, "the first one");
        assertEquals([got, late], [["1"], ["1"]]);
        await Promise.all([receiver.disconnect(), second.disconnect()]);
        await server.stop();
      }));
  }

  it("are taken again when they are back; what came meanwhile is new", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const server = make({ journal: file, clock });
      await server.start();
      assertEquals(await post(server, "1"), 200);
      renameSync(file, `${file}.old`);
      clock.advance(10);
      assertEquals(await post(server, "2"), 503);
      renameSync(`${file}.old`, file);
      assertEquals([await post(server, "2"), await post(server, "1")], [200, 200]);
      const got: string[] = [];
      const receiver = await receive(server, got);
      await until(() => got.length === 2, "both");
      assertEquals(got, ["1", "2"]);
      await receiver.disconnect();
      await server.stop();
    }));

  it("keep all that got a 200 when only the log is deleted, and the server is stopped", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const server = make({ journal: file, clock });
      await server.start();
      for (const id of ["1", "2", "3"]) assertEquals(await post(server, id), 200);
      unlinkSync(wal(file));
      clock.advance(10);
      assertEquals(await post(server, "4"), 503);
      await server.stop();
      const journal = await SqliteJournal.open(file);
      const entries = await journal.read(0, 10);
      assertEquals(entries.map(({ bytes }) => JSON.parse(decode(bytes)).id), ["1", "2", "3"]);
      await journal.close();
    }));

  it("are looked at once in 10 ms, and each time while one is gone", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      await journal.append(entry("a"));
      unlinkSync(wal(file));
      clock.advance(9);
      assertEquals((await journal.append(entry("b"))).seq, 2);
      clock.advance(1);
      for (let times = 0; times < 2; times++) {
        await assertRejects(() => journal.append(entry("c")), JournalError, "is gone");
        await assertRejects(() => journal.has(entry("a").digest), JournalError, "is gone");
      }
      await journal.close();
      const again = await SqliteJournal.open(file, { clock });
      assertEquals((await again.read(0, 10)).map(({ bytes }) => decode(bytes)), ["a", "b"]);
      // What is back is seen at once.
      await again.append(entry("d"));
      renameSync(file, `${file}.old`);
      clock.advance(10);
      await assertRejects(() => again.append(entry("e")), JournalError, "is gone");
      renameSync(`${file}.old`, file);
      assertEquals((await again.append(entry("e"))).duplicate, false);
      await again.close();
    }));

  for (const left of [0, 1000, -1]) {
    const size = left < 0 ? "before the last commit" : `at ${left} bytes`;
    it(`show each time that the log was cut off, before it grows again: ${size}`, () =>
      withFolder(async (folder) => {
        const file = join(folder, "j.db");
        const journal = await SqliteJournal.open(file, { clock: new FakeClock() });
        // More than is read at once.
        for (const body of ["a", "b".repeat(200_000)]) await journal.append(entry(body));
        const { size } = statSync(wal(file));
        await journal.append(entry("c"));
        truncateSync(wal(file), left < 0 ? size + left : left);
        for (let times = 0; times < 2; times++) {
          await assertRejects(() => journal.append(entry("d")), JournalError, '-wal" was cut off');
          await assertRejects(() => journal.has(entry("a").digest), JournalError, '-wal" was cut off');
        }
        await journal.close();
      }));
  }

  it("when gone: no retry is said to be known, no new name is let in, and cursors are reported once", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      const errors: JournalError[] = [];
      journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
      await journal.append(entry("a"));
      await journal.admit("known", 0);
      unlinkSync(file);
      clock.advance(10);
      const gone = async (action: () => Promise<unknown>): Promise<void> => {
        const error = await assertRejects(action, JournalError, "is gone");
        assertEquals(error.code, "ERR_JOURNAL_GONE");
      };
      await gone(() => journal.has(entry("a").digest));
      await gone(() => journal.append(entry("b")));
      await gone(() => journal.admit("new", 0));
      assertEquals([await journal.admit("known", 5), journal.last], [0, 1]);
      assertEquals(errors.length, 0);
      for (let seq = 1; seq <= 3; seq++) {
        journal.saveCursor("known", seq);
        clock.advance(100);
        for (let turns = 0; turns < 3; turns++) await new Promise<void>((resolve) => void setImmediate(resolve));
      }
      assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_GONE"]);
      await journal.close();
    }));

  it("may be behind a link, which must not lead elsewhere meanwhile", () =>
    withFolder(async (folder) => {
      const link = join(folder, "link.db");
      for (const name of ["one.db", "two.db"]) await (await SqliteJournal.open(join(folder, name))).close();
      symlinkSync(join(folder, "one.db"), link);
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(link, { clock });
      await journal.append(entry("a"));
      unlinkSync(link);
      symlinkSync(join(folder, "two.db"), link);
      clock.advance(10);
      await assertRejects(() => journal.append(entry("b")), JournalError, "is not the file that was opened");
      await journal.close();
      const other = await SqliteJournal.open(link);
      unlinkSync(join(folder, "two.db-wal"));
      await assertRejects(() => other.append(entry("b")), JournalError, 'two.db-wal" is gone');
      await other.close();
    }));
});

describe("A journal that two servers are given", () => {
  const kinds: [name: string, open: (folder: string) => Promise<Journal>][] = [
    ["MemoryJournal", () => Promise.resolve(new MemoryJournal())],
    ["SqliteJournal", (folder) => SqliteJournal.open(join(folder, "j.db"))],
  ];
  for (const [name, open] of kinds) {
    it(`serves the first one only, and the second after it: ${name}`, () =>
      withFolder(async (folder) => {
        const journal = await open(folder);
        await serveInTurn(journal);
        await journal.close();
      }));
  }

  it("is free again when the start fails for another reason", async () => {
    const journal = new MemoryJournal();
    const other = make({ journal: null });
    await other.start();
    const failing = make({ journal, port: other.address!.port });
    await assertRejects(() => failing.start());
    const server = make({ journal });
    await server.start();
    await Promise.all([server.stop(), other.stop()]);
  });

  it("serves the same server again after a stop", async () => {
    const journal = new MemoryJournal();
    const server = make({ journal });
    for (let times = 0; times < 3; times++) {
      await server.start();
      assertEquals(await post(server, "1"), 200);
      await server.stop();
    }
    assertEquals(journal.last, 1);
  });
});

async function serveInTurn(journal: Journal): Promise<void> {
  const [one, two] = [make({ journal }), make({ journal })];
  await one.start();
  const error = await assertRejects(() => two.start(), StateError, "another server uses the journal");
  assertEquals([error.code, two.active], ["ERR_RUNNING", false]);
  const got: string[] = [];
  const receiver = await receive(one, got);
  assertEquals(await post(one, "1"), 200);
  await until(() => got.length === 1, "what the first server took");
  await receiver.disconnect();
  // That the second one was refused, and is stopped, is nothing to the first one.
  await two.stop();
  await assertRejects(() => two.start(), StateError);
  await one.stop();
  await two.start();
  const late: string[] = [];
  const second = await receive(two, late);
  assertEquals(await post(two, "2"), 200);
  await until(() => late.length === 2, "what both servers took");
  assertEquals(late, ["1", "2"]);
  await second.disconnect();
  await two.stop();
}

describeRedis("A journal in Redis that two servers are given", () => {
  it("serves the first one only; two journals over one Redis serve two", async () => {
    const redis = await RedisServer.start();
    const program = await CLIENTS.get("npm:ioredis")!(redis.url);
    const journal = await RedisJournal.open(program.client);
    await serveInTurn(journal);
    const other = await RedisJournal.open(program.client);
    const [one, two] = [make({ journal }), make({ journal: other })];
    await Promise.all([one.start(), two.start()]);
    await Promise.all([one.stop(), two.stop()]);
    await Promise.all([journal.close(), other.close()]);
    await program.close();
    await redis.stop();
  });
});
