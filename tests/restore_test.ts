/** What docs/journals.md says of a restored backup: what is there, and which numbers come next. */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Journal } from "../journal/journal.ts";
import { PostgresJournal } from "../postgres/journal.ts";
import type { PostgresClient } from "../postgres/client.ts";
import { RedisJournal } from "../redis/journal.ts";
import { describePostgres } from "./support/describe_postgres.ts";
import { describeRedis } from "./support/describe_redis.ts";
import { entry } from "./support/journal_entry.ts";
import { binariesFolder, PostgresServer } from "./support/postgres.ts";
import { POSTGRES_CLIENTS } from "./support/postgres_clients.ts";
import { CLIENTS, RedisServer } from "./support/redis.ts";
import { decode } from "./support/support.ts";

/** Runs a program to its end; returns its output. */
function run(program: string, args: string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", input, maxBuffer: 1 << 26 });
  assertEquals(status, 0, `${program}: ${stderr}`);
  return stdout;
}

/** State at the time of a backup, and what came after it. */
interface Before {
  id: string;
  /** Number of the notification after the backup. */
  late: number;
}

/** Fills a journal: two notifications and a receiver, a backup, and one more. */
async function fill(journal: Journal, backUp: () => void | Promise<void>): Promise<Before> {
  const { seq } = await journal.append(entry("a"));
  await journal.append(entry("b"));
  await journal.admit("billing", seq, false);
  journal.release("billing");
  await backUp();
  return { id: journal.id, late: (await journal.append(entry("late"))).seq };
}

/** Checks a journal whose backup was restored on another server. */
async function assertRestored(journal: Journal, before: Before): Promise<void> {
  assertEquals(journal.id, before.id);
  const bodies = (await journal.read(0, 10)).map(({ bytes }) => decode(bytes));
  assertEquals(bodies, ["a", "b"]);
  assertEquals(await journal.cursor("billing"), 1);
  assertEquals((await journal.append(entry("b"))).duplicate, true);
  // What came after the backup comes again, and is no retry; its number was not given before.
  const again = await journal.append(entry("late"));
  assertEquals(again.duplicate, false);
  assert(again.seq > before.late, `${again.seq}, ${before.late}`);
}

/** A Redis that syncs each write, and writes a snapshot at once when it is asked for one. */
const QUICK = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];

describeRedis("A backup of a journal in Redis", () => {
  const make = CLIENTS.get("npm:ioredis")!;

  async function withJournal<Result>(redis: RedisServer, use: (journal: Journal) => Promise<Result>): Promise<Result> {
    await using program = await make(redis.url);
    const journal = await RedisJournal.open(program.client);
    try {
      return await use(journal);
    } finally {
      await journal.close();
    }
  }

  it("is a snapshot that a Redis loads without append-only file, and goes on as an epoch", async () => {
    const folder = mkdtempSync(join(tmpdir(), "restore-"));
    try {
      const backUp = (port: number): void =>
        void run("redis-cli", ["-p", `${port}`, "--rdb", join(folder, "dump.rdb")]);
      await using first = await RedisServer.start(QUICK);
      const before = await withJournal(first, (journal) => fill(journal, () => backUp(first.port)));
      {
        await using second = await RedisServer.start(["--dir", folder, "--appendonly", "no"]);
        run("redis-cli", ["-p", `${second.port}`, "CONFIG", "SET", "appendonly", "yes"]);
        await withJournal(second, (journal) => assertRestored(journal, before));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("is not loaded by a Redis that has an append-only file from the start: another journal begins", async () => {
    const folder = mkdtempSync(join(tmpdir(), "restore-"));
    try {
      await using first = await RedisServer.start(QUICK);
      const before = await withJournal(
        first,
        (journal) =>
          fill(journal, () => void run("redis-cli", ["-p", `${first.port}`, "--rdb", join(folder, "dump.rdb")])),
      );
      await using second = await RedisServer.start(["--dir", folder, "--appendonly", "yes"]);
      await withJournal(second, (journal) => {
        assert(journal.id !== before.id);
        return Promise.resolve();
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describePostgres("A backup of a journal in PostgreSQL", () => {
  const [make] = POSTGRES_CLIENTS.values();

  it("is what pg_dump writes, and goes on as an epoch", async () => {
    await using first = await PostgresServer.start();
    await using second = await PostgresServer.start();
    let dump = "";
    const open = async (server: PostgresServer, use: (journal: Journal) => Promise<void>): Promise<void> => {
      await using program = await make!(server.url);
      const journal = await PostgresJournal.open(program.client as PostgresClient);
      try {
        await use(journal);
      } finally {
        await journal.close();
      }
    };
    let before: Before | undefined;
    await open(first, async (journal) => {
      const args = ["--schema", "tackline", first.url];
      before = await fill(journal, () => void (dump = run(join(binariesFolder(), "pg_dump"), args)));
    });
    run(join(binariesFolder(), "psql"), ["--quiet", "--set", "ON_ERROR_STOP=1", second.url], dump);
    await open(second, (journal) => assertRestored(journal, before!));
  });
});
