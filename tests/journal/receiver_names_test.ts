/** Names of receivers: durable from the first hello on, bounded, and forgotten some day. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BroadcastChannelBackplane } from "../../pubsub/broadcast_channel.ts";
import { JournalError, OptionError } from "../../base/errors.ts";
import { InboxHub } from "../../inbox/hub.ts";
import type { InboxSink } from "../../inbox/member.ts";
import {
  checkReceiverMessage,
  decodeInboxMessage,
  encodeInboxMessage,
  type HelloMessage,
} from "../../inbox/protocol.ts";
import type { Journal, JournalRetention } from "../../journal/journal.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { PostgresJournal } from "../../postgres/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { RedisBackplane } from "../../redis/backplane.ts";
import type { SharedMessage } from "../../connection/shared_message.ts";
import { signNotification, WhatsAppReceiver, WhatsAppServer } from "../../whatsapp.ts";
import { clientsFor, describePostgres, POSTGRES_VERSIONS } from "../support/describe_postgres.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { onFreePort } from "../support/free_port.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { decode, decodeAll, encode, FakeClock, settle, until } from "../support/support.ts";

const HOUR = 3600 * 1000;
const MIB = 1024 * 1024;
/** Interval between a journal's checks for expired entries, in ms. */
const TRIM_INTERVAL = 600_000;

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "names-"));
  try {
    await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type WithJournal = (
  action: (journal: Journal, clock: FakeClock, errors: JournalError[]) => Promise<void>,
  retention?: JournalRetention,
) => Promise<void>;

async function use(
  journal: Journal,
  clock: FakeClock,
  action: (journal: Journal, clock: FakeClock, errors: JournalError[]) => Promise<void>,
): Promise<void> {
  const errors: JournalError[] = [];
  journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
  await action(journal, clock, errors);
  await journal.close();
}

/** Registers the tests that every journal must pass. */
function suite(name: string, withJournal: WithJournal): void {
  describe(`${name}: names of receivers`, () => {
    it("begin at the position of their first connection, and continue where they were", () =>
      withJournal(async (journal) => {
        assertEquals(await journal.admit("billing", 0, false), 0);
        assertEquals(await journal.cursor("billing"), 0);
        assertEquals(await journal.admit("billing", 9, false), 0);
        journal.saveCursor("billing", 3);
        journal.release("billing");
        assertEquals(await journal.admit("billing", 9, false), 3);
        assertEquals(await journal.admit("__proto__", 7, false), 7);
        const both = await Promise.all([journal.admit("two", 1, false), journal.admit("two", 1, false)]);
        assertEquals(both, [1, 1]);
      }));

    it("are limited to maxReceivers; known names are still admitted", () =>
      withJournal(async (journal, clock) => {
        await journal.admit("one", 0, false);
        await journal.admit("two", 0, false);
        journal.release("one");
        journal.release("two");
        const error = await assertRejects(() => journal.admit("three", 0, false), JournalError, '"maxReceivers" is 2');
        assertEquals(error.code, "ERR_JOURNAL_RECEIVERS");
        assertEquals(await journal.cursor("three"), undefined);
        // Not even when some have been away for long, though not for too long.
        clock.advance(HOUR - 1);
        await assertRejects(() => journal.admit("three", 0, false), JournalError);
        assertEquals(await journal.admit("one", 5, false), 0);
      }, { maxReceivers: 2, maxReceiverAge: HOUR }));

    it("are limited to maxReceivers when they connect at the same time", () =>
      withJournal(async (journal) => {
        const results = await Promise.allSettled(["a", "b", "c"].map((name) => journal.admit(name, 0, false)));
        assertEquals(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
      }, { maxReceivers: 2 }));

    it("make room for a new one once they have had no connection for maxReceiverAge", () =>
      withJournal(async (journal, clock, errors) => {
        await journal.admit("connected", 0, false);
        await journal.admit("away", 0, false);
        clock.advance(HOUR);
        journal.release("away");
        clock.advance(HOUR / 2);
        await assertRejects(() => journal.admit("new", 4, false), JournalError);
        clock.advance(HOUR / 2 + 1);
        assertEquals(await journal.admit("new", 4, false), 4);
        await until(() => errors.length > 0, "the error");
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_EXPIRED"]);
        assert(
          errors[0]!.message.includes('"away"') && !errors[0]!.message.includes('"connected"'),
          errors[0]!.message,
        );
        const cursors = await Promise.all(["connected", "away", "new"].map((name) => journal.cursor(name)));
        assertEquals(cursors, [0, undefined, 4]);
        // Those that are connected never expire.
        clock.advance(99 * HOUR);
        await assertRejects(() => journal.admit("away", 0, false), JournalError);
      }, { maxReceivers: 2, maxReceiverAge: HOUR }));

    it("are forgotten in time without a new one too, in one error for all", () =>
      withJournal(async (journal, clock, errors) => {
        const names = Array.from({ length: 12 }, (_, at) => `name ${at}`);
        for (const name of names) await journal.admit(name, 0, false);
        for (const name of names.slice(1)) journal.release(name);
        for (let steps = 0; steps < 9 && errors.length === 0; steps++) {
          clock.advance(TRIM_INTERVAL);
          await journal.has(entry("a").digest);
          await settle();
        }
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_EXPIRED"]);
        assert(errors[0]!.message.includes("11 receivers"), errors[0]!.message);
        assert(errors[0]!.message.includes("and 1 more"), errors[0]!.message);
        const cursors = await Promise.all(names.map((name) => journal.cursor(name)));
        assertEquals(cursors, [0, ...names.slice(1).map(() => undefined)]);
      }, { maxReceiverAge: HOUR }));

    it("stay for ever with 0", () =>
      withJournal(async (journal, clock, errors) => {
        await journal.admit("a", 1, false);
        journal.release("a");
        clock.advance(100 * HOUR);
        await journal.has(entry("a").digest);
        assertEquals([await journal.cursor("a"), errors.length], [1, 0]);
      }, { maxReceivers: 0, maxReceiverAge: 0 }));

    it("that lose entries to retention are reported in one error, each once", () =>
      withJournal(async (journal, _clock, errors) => {
        const names = Array.from({ length: 30 }, (_, at) => `name ${at}`);
        for (const name of names) await journal.admit(name, 0, false);
        let bodies = 0;
        const append = async (count: number): Promise<number> => {
          let seq = 0;
          for (; count > 0; count--) seq = (await journal.append(entry(big(++bodies)))).seq;
          return seq;
        };
        const last = await append(17);
        await until(() => errors.length > 0, "the first error");
        assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_TRIMMED"]);
        assert(errors[0]!.message.includes('30 receivers have not acknowledged: "name '), errors[0]!.message);
        assert(errors[0]!.message.endsWith("and 20 more"), errors[0]!.message);
        journal.saveCursor("name 3", last);
        await append(17);
        await until(() => errors.length > 1, "the second error");
        assertEquals(errors.length, 2);
        assert(errors[1]!.message.includes(`the receiver "name 3" has not acknowledged: from ${last + 1} on`));
      }, { maxBytes: 16 * MIB }));
  });
}

const big = (fill: number): Uint8Array => new Uint8Array(new Uint32Array(MIB / 4).fill(fill).buffer);

suite("MemoryJournal", (action, retention = {}) => {
  const clock = new FakeClock();
  return use(new MemoryJournal({ ...retention, clock }), clock, action);
});

suite("SqliteJournal", (action, retention = {}) =>
  withFolder(async (folder) => {
    const clock = new FakeClock();
    await use(await SqliteJournal.open(join(folder, "j.db"), { ...retention, clock }), clock, action);
  }));

describeRedis("RedisJournal: names of receivers", () => {
  for (const [name, make] of CLIENTS) {
    suite(`RedisJournal with ${name}`, async (action, retention = {}) => {
      const redis = await RedisServer.start();
      const program = await make(redis.url);
      const clock = new FakeClock();
      await use(await RedisJournal.open(program.client, { ...retention, clock }), clock, action);
      await program.close();
      await redis.stop();
    });
  }

  const make = CLIENTS.get("npm:ioredis")!;

  it("are in Redis before they are admitted, shared names too", async () => {
    const redis = await RedisServer.start();
    const program = await make(redis.url);
    const journal = await RedisJournal.open(program.client);
    await journal.admit("alone", 3, false);
    await journal.admit("pool", 4, true);
    // As after a crash of this server: what it has not sent by now it never sends.
    const place = async (name: string): Promise<unknown[]> =>
      Object.values(await program.command("HGETALL", `{tackline}:cursor:${name}`) as Record<string, string>);
    assert((await place("alone")).includes("3 3"));
    assert((await place("pool")).includes("4 4"));
    const other = await make(redis.url);
    const second = await RedisJournal.open(other.client);
    assertEquals([await second.admit("alone", 9, false), await second.admit("pool", 9, true)], [3, 4]);
    await redis.kill();
    await assertRejects(() => journal.admit("later", 0, false), JournalError);
    await Promise.all([journal.close(), second.close()]);
    await Promise.all([program.close(), other.close()]);
    await redis.stop();
  });

  it("have no lone surrogate in what stands before them, and channels have none either", async () => {
    const redis = await RedisServer.start();
    const program = await make(redis.url);
    const lone = "\udc00:";
    await assertRejects(() => RedisJournal.open(program.client, { prefix: lone }), OptionError, "lone surrogate");
    assertThrows(() => new RedisBackplane(program.client, { prefix: lone }), OptionError, "lone surrogate");
    const backplane = new RedisBackplane(program.client);
    assertThrows(() => backplane.subscribe(lone, () => {}), OptionError, "lone surrogate");
    await assertRejects(() => backplane.publish(lone, "x"), OptionError, "lone surrogate");
    await backplane.close();
    await program.close();
    await redis.stop();
  });

  it("that are new are in the replicas too, if those are asked for", async () => {
    // A primary waits for five seconds whether other replicas come, unless it is told not to.
    const options = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
    const primary = await RedisServer.start(options);
    const replica = await RedisServer.start(["--replicaof", "127.0.0.1", `${primary.port}`]);
    const program = await make(primary.url);
    const journal = await RedisJournal.open(program.client, { replicas: 1, replicaTimeout: 300 });
    // A replica takes its time to begin.
    const admit = async (name: string, start: number): Promise<number | undefined> => {
      let admitted: number | undefined;
      await until(async () => {
        admitted = await journal.admit(name, start, false).catch(() => undefined);
        return admitted !== undefined;
      }, "the replica");
      return admitted;
    };
    assertEquals(await admit("known", 1), 1);
    replica.freeze(true);
    const error = await assertRejects(() => journal.admit("new", 2, false), JournalError, "0 of 1 replicas");
    assertEquals(error.code, "ERR_JOURNAL_WRITE");
    // Asking once more does not make it known; what is known needs no copy.
    await assertRejects(() => journal.admit("new", 2, false), JournalError, "0 of 1 replicas");
    assertEquals(await journal.admit("known", 5, false), 1);
    replica.freeze(false);
    assertEquals(await admit("new", 2), 2);
    await journal.close();
    await program.close();
    await Promise.all([primary.stop(), replica.stop()]);
  });

  it("that are connected to another node do not expire, and what is forgotten leaves no key behind", async () => {
    const redis = await RedisServer.start();
    const [one, two] = [await make(redis.url), await make(redis.url)];
    const clock = new FakeClock();
    const errors: JournalError[] = [];
    const options = { maxReceiverAge: HOUR, clock };
    const here = await RedisJournal.open(one.client, options);
    const there = await RedisJournal.open(two.client, { ...options, clock: new FakeClock() });
    here.listen({ appended: () => {}, error: (error) => void errors.push(error) });
    await there.admit("theirs", 1, false);
    await there.admit("their pool", 1, true);
    const place = there.share("their pool", 1, "all", () => {});
    await place.take(1);
    await here.admit("pool", 1, true);
    const left = here.share("pool", 1, "all", () => {});
    await left.take(1);
    left.leave();
    here.release("pool");
    await here.admit("gone", 1, false);
    here.release("gone");
    for (let steps = 0; steps < 9 && errors.length === 0; steps++) {
      clock.advance(TRIM_INTERVAL);
      await here.has(entry("a").digest);
      await settle();
    }
    await until(() => errors.length > 0, "the error");
    assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_EXPIRED"]);
    assert(errors[0]!.message.includes('"gone"') && errors[0]!.message.includes('"pool"'), errors[0]!.message);
    assert(!errors[0]!.message.includes("their"), errors[0]!.message);
    const keys = await one.command("KEYS", "*") as string[];
    assertEquals(keys.filter((key) => key.endsWith(":gone") && key.includes("cursor") || key.endsWith(":pool")), []);
    const groups = JSON.stringify(await one.command("XINFO", "GROUPS", "{tackline}:stream"));
    assert(groups.includes("their pool") && !groups.includes('"pool"'), groups);
    place.leave();
    await Promise.all([here.close(), there.close()]);
    await Promise.all([one.close(), two.close()]);
    await redis.stop();
  });
});

for (const version of POSTGRES_VERSIONS) {
  describePostgres(`${version}: names of receivers`, (binaries) => {
    for (const [name, make] of clientsFor(version)) {
      suite(`PostgresJournal with ${name}`, async (action, retention = {}) => {
        await using server = await PostgresServer.start({ binaries, settings: QUICK });
        await using program = await make(server.url);
        const clock = new FakeClock();
        await use(await PostgresJournal.open(program.client, { ...retention, clock }), clock, action);
      });
    }
  }, version);
}

describe("SqliteJournal: names of receivers on disk", () => {
  it("are on disk before they are admitted: a journal opened over the same unclosed files knows them", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      // Its clock stands still: nothing is written later.
      const journal = await SqliteJournal.open(file, { clock: new FakeClock() });
      assertEquals(await journal.admit("billing", 0), 0);
      const copy = join(folder, "copy.db");
      copyFileSync(file, copy);
      copyFileSync(`${file}-wal`, `${copy}-wal`);
      const other = await SqliteJournal.open(copy);
      assertEquals(await other.cursor("billing"), 0);
      await other.close();
      await journal.close();
    }));

  it("keep when they were connected last, over a restart and over a crash", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const retention = { maxReceiverAge: HOUR };
      const clock = new FakeClock();
      const first = await SqliteJournal.open(file, { ...retention, clock });
      await first.admit("a", 0);
      await first.admit("b", 0);
      clock.advance(2 * HOUR);
      first.release("a");
      clock.advance(HOUR / 2);
      // A crash: "a" had been seen half an hour before, and "b" is connected.
      const copy = join(folder, "copy.db");
      copyFileSync(file, copy);
      copyFileSync(`${file}-wal`, `${copy}-wal`);
      await first.close();
      for (const path of [file, copy]) {
        const later = new FakeClock();
        const errors: JournalError[] = [];
        const again = await SqliteJournal.open(path, { ...retention, clock: later });
        again.listen({ appended: () => {}, error: (error) => void errors.push(error) });
        later.advance(HOUR / 2 - TRIM_INTERVAL);
        assertEquals([await again.cursor("a"), await again.cursor("b")], [0, 0]);
        later.advance(2 * TRIM_INTERVAL);
        assertEquals([await again.cursor("a"), await again.cursor("b")], [undefined, 0], path);
        later.advance(HOUR / 2);
        assertEquals([await again.cursor("b"), errors.length], [undefined, 2]);
        await again.close();
        const last = await SqliteJournal.open(path, retention);
        assertEquals([await last.cursor("a"), await last.cursor("b")], [undefined, undefined]);
        await last.close();
      }
    }));

  it("of a file of a version without times begin to age when it is opened", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      await journal.admit("old", 3);
      clock.advance(5 * HOUR);
      await journal.close();
      const { DatabaseSync } = await import("node:sqlite");
      const db = new DatabaseSync(file);
      db.exec("DROP TABLE seen");
      db.close();
      const later = new FakeClock();
      const again = await SqliteJournal.open(file, { maxReceiverAge: HOUR, clock: later });
      again.listen({ appended: () => {}, error: () => {} });
      later.advance(HOUR - TRIM_INTERVAL);
      assertEquals(await again.cursor("old"), 3);
      later.advance(2 * TRIM_INTERVAL);
      assertEquals(await again.cursor("old"), undefined);
      await again.close();
    }));

  it("that have expired when it is opened are forgotten once a listener is set", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const clock = new FakeClock();
      const journal = await SqliteJournal.open(file, { clock });
      await journal.admit("old", 3);
      journal.release("old");
      clock.advance(5 * HOUR);
      await journal.close();
      const later = new FakeClock();
      const again = await SqliteJournal.open(file, { maxReceiverAge: HOUR, clock: later });
      assertEquals(await again.cursor("old"), 3);
      const errors: JournalError[] = [];
      again.listen({ appended: () => {}, error: (error) => void errors.push(error) });
      later.advance(TRIM_INTERVAL);
      assertEquals([await again.cursor("old"), errors.map(({ code }) => code)], [undefined, ["ERR_JOURNAL_EXPIRED"]]);
      await again.close();
    }));

  it("that cannot be written are not admitted", () =>
    withFolder(async (folder) => {
      const file = join(folder, "j.db");
      const journal = await SqliteJournal.open(file);
      const { DatabaseSync } = await import("node:sqlite");
      const { prototype } = DatabaseSync;
      const { exec } = prototype;
      prototype.exec = function (sql: string): void {
        if (sql === "COMMIT") throw new Error("the disk is full");
        exec.call(this, sql);
      };
      try {
        const error = await assertRejects(() => journal.admit("a", 0), JournalError, "the disk is full");
        assertEquals(error.code, "ERR_JOURNAL_WRITE");
      } finally {
        prototype.exec = exec;
      }
      assertEquals(await journal.cursor("a"), undefined);
      assertEquals(await journal.admit("a", 5), 5);
      await journal.close();
    }));
});

describe("Retention of names", () => {
  it("has ranges", async () => {
    for (
      const [retention, why] of [
        [{ maxReceivers: -1 }, "maxReceivers"],
        [{ maxReceivers: 1.5 }, "maxReceivers"],
        [{ maxReceiverAge: HOUR - 1 }, "maxReceiverAge"],
        [{ maxReceiverAge: "90 days" as unknown as number }, "maxReceiverAge"],
      ] as const
    ) {
      assertThrows(() => new MemoryJournal(retention), OptionError, why);
      await assertRejects(() => SqliteJournal.open("nowhere/j.db", retention), OptionError, why);
    }
  });
});

class Sink implements InboxSink {
  open = true;
  closed: [code: number, reason: string] | undefined;
  readonly got: string[] = [];
  send(message: SharedMessage): "sent" {
    for (const { payload } of decodeAll(message.framesFor(undefined))) {
      const { head, body } = decodeInboxMessage(payload);
      this.got.push(head.type === "notification" ? `${head.seq} ${decode(body)}` : `${head.type}`);
    }
    return "sent";
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  later(): () => void {
    return () => {};
  }
  close(code: number, reason: string): void {
    this.closed = [code, reason];
    this.open = false;
  }
}

const hello = (name: string): HelloMessage => ({ type: "hello", name });

describe("InboxHub: names", () => {
  it("says welcome when the journal has admitted the name, not before", async () => {
    class Slow extends MemoryJournal {
      readonly gate = Promise.withResolvers<void>();
      override async admit(name: string, start: number): Promise<number> {
        await this.gate.promise;
        return await super.admit(name, start);
      }
    }
    const journal = new Slow();
    const hub = new InboxHub(journal, () => {});
    journal.listen({ appended: (entry) => hub.appended(entry), error: () => {} });
    const sink = new Sink();
    const joining = hub.join(sink, hello("billing"));
    await journal.append(entry("a"));
    await settle();
    assertEquals(sink.got, []);
    journal.gate.resolve();
    await joining;
    // What came meanwhile is new to it.
    assertEquals(sink.got, ["welcome", "1 a", "current"]);
  });

  it("refuses a name that the journal has no room for, says why, and does not report each of them", async () => {
    const errors: JournalError[] = [];
    const hub = new InboxHub(new MemoryJournal({ maxReceivers: 1 }), (error) => errors.push(error as JournalError));
    const known = new Sink();
    const member = await hub.join(known, hello("known"));
    for (let at = 0; at < 100; at++) {
      const sink = new Sink();
      assertEquals(await hub.join(sink, hello(`new ${at}`)), undefined);
      assertEquals([sink.got, sink.closed], [[], [4429, "The server keeps no more names of receivers"]]);
    }
    assertEquals(errors.map(({ code }) => code), Array(3).fill("ERR_JOURNAL_RECEIVERS"));
    assert(errors[2]!.message.endsWith("100 refused so far"), errors[2]!.message);
    member!.leave();
    const again = new Sink();
    await hub.join(again, hello("known"));
    const nameless = new Sink();
    await hub.join(nameless, { type: "hello" });
    assertEquals([again.got, nameless.got], [["welcome", "current"], ["welcome", "current"]]);
  });

  it("releases a name with its last connection, also if that ends before it is admitted", async () => {
    const log: string[] = [];
    class Logged extends MemoryJournal {
      override release(name: string): void {
        log.push(name);
        super.release(name);
      }
    }
    const hub = new InboxHub(new Logged(), () => {});
    const [one, two, late] = [new Sink(), new Sink(), new Sink()];
    const members = [await hub.join(one, hello("a")), await hub.join(two, hello("a"))];
    const joining = hub.join(late, hello("a"));
    members[0]!.leave();
    members[1]!.leave();
    assertEquals(log, []);
    late.open = false;
    assertEquals(await joining, undefined);
    assertEquals(log, ["a"]);
  });
});

describe("kill -9 right after the first welcome of a name", () => {
  it("loses nothing that comes after it", () =>
    withFolder(async (folder) => {
      const secrets = { WHATSAPP_APP_SECRET: "secret", WHATSAPP_RECEIVER_TOKEN: "token" };
      const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));
      const own = "deno" in process.versions ? ["run", "-A", "--no-check", program] : [program];
      const serve = async (port: number): Promise<ChildProcess> => {
        const args = ["serve", "--behind-proxy", "--port", `${port}`, "--journal", join(folder, "j.db")];
        const child = spawn(process.execPath, [...own, ...args], {
          stdio: ["ignore", "ignore", "pipe"],
          env: { ...process.env, ...secrets },
        });
        await new Promise<void>((resolve, reject) => {
          let output = "";
          child.stderr!.on("data", (data) => (output += data).includes("Listening") && resolve());
          child.once("exit", () => reject(new Error(`it ended: ${output}`)));
        });
        return child;
      };
      const kill = (child: ChildProcess): Promise<unknown> => {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return ended;
      };
      const options = { name: "billing", receiverToken: "token", onError: () => {} };
      const start = async (port: number): Promise<[number, ChildProcess]> => [port, await serve(port)];
      let [port, child] = await onFreePort(start);
      const url = `http://127.0.0.1:${port}/whatsapp`;
      const first = new WhatsAppReceiver(url.replace("http", "ws"), options);
      const gone = new Promise<void>((resolve) => first.onDisconnect = () => resolve());
      let killed: Promise<unknown> | undefined;
      first.onCaughtUp = () => void (killed = kill(child));
      await first.connect();
      await gone;
      await killed;
      child = await serve(port);
      for (const id of ["1", "2"]) {
        const body = JSON.stringify({ object: "whatsapp_business_account", entry: [], id });
        const signature = signNotification(encode(body), "secret");
        const headers = { "content-type": "application/json", "x-hub-signature-256": signature };
        const response = await fetch(url, { method: "POST", body, headers });
        assertEquals(response.status, 200);
        await response.body?.cancel();
      }
      const got: string[] = [];
      const second = new WhatsAppReceiver(url.replace("http", "ws"), {
        ...options,
        onMessageReceived: (text) => void got.push(JSON.parse(text).id),
      });
      const current = new Promise<void>((resolve) => second.onCaughtUp = () => resolve());
      await second.connect();
      await current;
      await settle();
      assertEquals(got, ["1", "2"]);
      await second.disconnect();
      await kill(child);
    }));
});

describe("Names with a lone surrogate", () => {
  const lone = "bill\ud800ing";
  const pair = "bill\ud83d\ude00ing";

  it("are refused by the server and by the receiver", async () => {
    const decoded = (name: string): unknown => {
      const message = encodeInboxMessage({ type: "hello", name });
      return checkReceiverMessage(decodeInboxMessage(message));
    };
    assertThrows(() => decoded(lone), OptionError, "lone surrogate");
    assertEquals((decoded(pair) as HelloMessage).name, pair);
    const make = (name: string): WhatsAppReceiver => new WhatsAppReceiver("wss://127.0.0.1:9/", { name });
    assertThrows(() => make(lone), OptionError, "lone surrogate");
    const receiver = make(pair);
    receiver.name = lone;
    await assertRejects(() => receiver.connect(), OptionError, "lone surrogate");
    const server = new WhatsAppServer({
      appSecret: null,
      behindProxy: true,
      hostname: "127.0.0.1",
      port: 0,
      journal: null,
      receiverToken: [{ token: "t", name: lone }],
    });
    await assertRejects(() => server.start(), OptionError, "lone surrogate");
  });

  it("are refused as topics, as channels, and as the names of a backplane", async () => {
    assertThrows(() => new BroadcastChannelBackplane(lone), OptionError, "lone surrogate");
    await using backplane = new BroadcastChannelBackplane("names");
    assertThrows(() => backplane.subscribe(lone, () => {}), OptionError, "lone surrogate");
    await assertRejects(() => backplane.publish(lone, "x"), OptionError, "lone surrogate");
    await backplane.publish(pair, "x");
    const server = new WhatsAppServer({ appSecret: null, behindProxy: true, receiverToken: null, journal: null });
    assertThrows(() => server.publish(lone, "x"), OptionError, "lone surrogate");
    assertEquals(server.publish(pair, "x"), 0);
  });
});
