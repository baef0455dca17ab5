/** `serve` with a journal in a database. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runCli } from "../../cli.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import { signNotification } from "../../whatsapp.ts";
import { ENV, Io } from "../support/cli_io.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { freePort, onFreePort } from "../support/free_port.ts";
import { asServerUser, PostgresServer } from "../support/postgres.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { encode, tlsFile, until } from "../support/support.ts";

/** Characters that end a part of a URL. */
const PASSWORD = "p@ss/w#rd?:%";
const own = [
  ..."Deno" in globalThis ? ["run", "-A", "--no-check"] : [],
  fileURLToPath(new URL("../../cli.ts", import.meta.url)),
];

/** Place in the message about a database that cannot be used. */
function placeOf(database: string, url: string): string {
  const { host, pathname } = new URL(url);
  return `(${database} at ${host}${pathname.replace(/^\/$/, "")})`;
}

/** A server of the command line. */
class Serving implements AsyncDisposable {
  readonly io: Io;
  #ended: Promise<number>;

  constructor(journal: string, args: string[] = []) {
    this.io = new Io({ ...ENV, WHATSAPP_JOURNAL: journal });
    this.#ended = runCli(["serve", "--behind-proxy", "--port", "0", ...args], this.io);
  }

  static async start(journal: string, args?: string[]): Promise<Serving> {
    const serving = new Serving(journal, args);
    await until(() => serving.io.text.includes("Receivers connect"), "the start");
    return serving;
  }

  get url(): string {
    return /^Listening on (\S+)\. /.exec(this.io.text)![1]!;
  }

  /** Place of the notifications, as the start names it. */
  get kept(): string {
    return /Notifications are kept (.*)\.\n/.exec(this.io.text)![1]!;
  }

  /** Lines about failures. */
  get errors(): string[] {
    return this.io.text.split("\n").filter((line) => line.startsWith("error: "));
  }

  /** Sends a notification; returns the status of the answer. */
  async post(number: number): Promise<number> {
    const { json } = simulateNotification(number, { type: "text" });
    const headers = {
      "content-type": "application/json",
      "x-hub-signature-256": signNotification(encode(json), "secret"),
    };
    const response = await fetch(this.url, { method: "POST", body: json, headers });
    await response.body?.cancel();
    return response.status;
  }

  /** Counts the notifications that a receiver gets from the beginning on. */
  async replay(): Promise<number> {
    const io = new Io();
    assertEquals(await runCli(["replay", this.url.replace("http", "ws"), "--from", "1"], io), 0, io.text);
    return io.lines.length;
  }

  /** The exit code; stops it, unless it has ended. */
  async stop(): Promise<number> {
    this.io.stop();
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(await this.stop(), 0, this.io.text);
    assertStringIncludes(this.io.text, "Stopped.");
  }
}

/** Texts of a server that must not start, with its exit code. */
async function refused(journal: string, args: string[] = []): Promise<[code: number, text: string]> {
  const io = new Io({ ...ENV, WHATSAPP_JOURNAL: journal });
  return [await runCli(["serve", "--behind-proxy", "--port", "0", ...args], io), io.text];
}

/** Runs a program of its own until a signal, which trusts an authority of that file besides. */
async function runProgram(journal: string, authority?: string): Promise<void> {
  const trust = authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority, DENO_CERT: authority };
  const child = spawn(process.execPath, [...own, "serve", "--behind-proxy", "--port", "0"], {
    env: { ...process.env, ...ENV, ...trust, WHATSAPP_JOURNAL: journal },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.on("data", (data) => text += data);
  const ended = new Promise((resolve) => child.on("close", resolve));
  await until(() => text.includes("Receivers connect") || child.exitCode !== null, "the start");
  // To Deno (2.9) a child that `kill` was called for has no exit code.
  process.kill(child.pid!, "SIGTERM");
  assertEquals(await ended, 0, text);
  assertStringIncludes(text, "Stopped.");
}

const countClients = async (redis: RedisServer): Promise<number> => {
  await using program = await CLIENTS.get("npm:redis")!(redis.url);
  return String(await program.command("CLIENT", "LIST", "TYPE", "NORMAL")).trim().split("\n").length - 1;
};

describe("serve with a URL as its journal", () => {
  it("refuses what is no database, with exit code 2", async () => {
    for (const url of ["mysql://user:hidden@localhost/wa", "redis://localhost/wa", "redis:hidden"]) {
      const [code, text] = await refused(url);
      assertEquals(code, 2, text);
      assertStringIncludes(text, "WHATSAPP_JOURNAL, a URL with");
      assert(!text.includes("hidden"), text);
    }
    const [code, text] = await refused("redis://localhost", ["--redis-replicas", "x"]);
    assertEquals([code, text.includes('--redis-replicas is "x"')], [2, true]);
  });
});

describeRedis("serve with a journal in Redis", () => {
  it("keeps notifications there, for all servers of one prefix, and names no password", async () => {
    await using redis = await RedisServer.start();
    const url = redis.url;
    {
      await using first = await Serving.start(`${url}/3`);
      await using second = await Serving.start(`${url}/3`);
      await using other = await Serving.start(`${url}/3`, ["--redis-prefix", "other:"]);
      assertEquals(first.kept, `in Redis at 127.0.0.1:${redis.port}/3`);
      for (let number = 0; number < 4; number++) assertEquals(await [first, second][number % 2]!.post(number), 200);
      // A retry that comes to the other server.
      assertEquals(await second.post(0), 200);
      assertEquals([await first.replay(), await second.replay(), await other.replay()], [4, 4, 0]);
      assertEquals([first.errors, second.errors, other.errors], [[], [], []]);
    }
    assertEquals(await countClients(redis), 0);
  });

  it("has Meta try again while Redis is away, with a line at the begin and one at the end", async () => {
    await using redis = await RedisServer.start();
    await using serving = await Serving.start(redis.url);
    assertEquals(await serving.post(0), 200);
    await redis.kill();
    await until(() => serving.errors.length > 0, "the loss");
    for (let number = 1; number < 5; number++) assertEquals(await serving.post(number), 503);
    await redis.run();
    const isBack = (): boolean => serving.errors.some((line) => line.includes("Redis is there again"));
    await until(isBack, "the return");
    for (let number = 1; number < 5; number++) assertEquals(await serving.post(number), 200);
    const count = (part: string): number => serving.errors.filter((line) => line.includes(part)).length;
    assertEquals([count("error: Redis is away"), count("error: Cannot write the journal in Redis")], [1, 1]);
    assertEquals(await serving.replay(), 5);
  });

  it("says how durable it is, and waits for replicas", async () => {
    await using redis = await RedisServer.start(["--appendonly", "no"]);
    await using serving = await Serving.start(redis.url, ["--redis-replicas", "1"]);
    assertStringIncludes(serving.kept, "may lose some when it crashes (durability: no)");
    assertEquals(await serving.post(0), 503);
    assertStringIncludes(serving.io.text, "replica");
  });

  it("ends with exit code 1 if it cannot be opened, and names no password", async () => {
    await using redis = await RedisServer.start(["--requirepass", PASSWORD]);
    const encoded = encodeURIComponent(PASSWORD);
    const wrong: [url: string, why: string][] = [
      [`redis://:hidden@127.0.0.1:${redis.port}`, "WRONGPASS"],
      [`redis://user:${encoded}@127.0.0.1:${redis.port}`, "WRONGPASS"],
      [`redis://127.0.0.1:${redis.port}`, "NOAUTH"],
      [`redis://:${encoded}@127.0.0.1:${redis.port}/99`, "out of range"],
      [`redis://:${encoded}@127.0.0.1:${await freePort()}`, ""],
      [`redis://:${encoded}@nowhere.invalid:${redis.port}`, ""],
      [`rediss://:${encoded}@127.0.0.1:${redis.port}`, ""],
    ];
    await Promise.all(wrong.map(async ([url, why]) => {
      const [code, text] = await refused(url);
      assertEquals(code, 1, text);
      assertStringIncludes(text, `Cannot open the journal in Redis`);
      assertStringIncludes(text, why);
      assertStringIncludes(text, placeOf("Redis", url));
      for (const secret of ["hidden", PASSWORD, encoded]) assert(!text.includes(secret), text);
    }));
    await using serving = await Serving.start(`redis://:${encoded}@127.0.0.1:${redis.port}`);
    assertEquals(await serving.post(0), 200);
    assert(!serving.io.text.includes(PASSWORD) && !serving.io.text.includes(encoded), serving.io.text);
  });

  it("runs as a program that ends when it is told to", async () => {
    await using redis = await RedisServer.start();
    await runProgram(redis.url);
  });
});

describeRedis("serve with a journal in Redis over TLS", () => {
  it("checks the certificate, by authorities that the environment names too", async () => {
    const files = ["--tls-cert-file", tlsFile("leaf.pem"), "--tls-key-file", tlsFile("leaf.key")];
    const tls = ["--tls-auth-clients", "no", ...files];
    await onFreePort(async (port) => {
      await using _redis = await RedisServer.start(["--tls-port", `${port}`, ...tls]);
      const url = `rediss://localhost:${port}`;
      const [code, text] = await refused(url);
      assertEquals(code, 1, text);
      assertStringIncludes(text, "unable to verify the first certificate");
      await runProgram(url, tlsFile("ca.pem"));
    });
  });
});

/** Gives a test a server at which each user but the superuser needs a password. */
async function withPasswords(action: (server: PostgresServer) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hba-"));
  try {
    chmodSync(folder, 0o755);
    const file = join(folder, "pg_hba.conf");
    writeFileSync(file, "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    await using server = await PostgresServer.start({ settings: { hba_file: file } });
    await server.sql(`CREATE ROLE wa LOGIN PASSWORD '${PASSWORD}'`);
    await server.sql("CREATE DATABASE wa OWNER wa");
    await action(server);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const countSessions = async (server: PostgresServer): Promise<unknown> =>
  (await server.sql("SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = 'wa'"))[0]!.count;

describePostgres("serve with a journal in PostgreSQL", () => {
  const encoded = encodeURIComponent(PASSWORD);

  it("keeps notifications there, for all servers of one schema, and names no password", () =>
    withPasswords(async (server) => {
      const url = `postgres://wa:${encoded}@127.0.0.1:${server.port}/wa`;
      {
        await using first = await Serving.start(url);
        await using second = await Serving.start(url);
        await using other = await Serving.start(url, ["--postgres-schema", "other"]);
        assertEquals(first.kept, `in PostgreSQL at 127.0.0.1:${server.port}/wa`);
        for (let number = 0; number < 4; number++) assertEquals(await [first, second][number % 2]!.post(number), 200);
        assertEquals(await second.post(0), 200);
        assertEquals([await first.replay(), await second.replay(), await other.replay()], [4, 4, 0]);
        assertEquals([first.errors, second.errors, other.errors], [[], [], []]);
        for (const { io } of [first, second, other]) {
          assert(!io.text.includes(PASSWORD) && !io.text.includes(encoded), io.text);
        }
      }
      await until(async () => await countSessions(server) === 0, "the end of all sessions");
    }));

  it("has Meta try again while PostgreSQL is away, with a line at the begin and one at the end", async () => {
    await using server = await PostgresServer.start();
    await using serving = await Serving.start(server.url);
    assertEquals(await serving.post(0), 200);
    await server.kill();
    await until(() => serving.errors.length > 0, "the loss");
    for (let number = 1; number < 5; number++) assertEquals(await serving.post(number), 503);
    await server.run();
    await until(() => serving.errors.some((line) => line.includes("PostgreSQL is there again")), "the return");
    for (let number = 1; number < 5; number++) assertEquals(await serving.post(number), 200);
    const count = (part: string): number => serving.errors.filter((line) => line.includes(part)).length;
    assertEquals([count("error: PostgreSQL is away"), count("error: Cannot write the journal in PostgreSQL")], [1, 1]);
    assertEquals(await serving.replay(), 5);
  });

  it("checks the certificate, by authorities that the environment names too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "postgres-tls-"));
    try {
      chmodSync(folder, 0o755);
      for (const name of ["leaf.pem", "leaf.key"]) copyFileSync(tlsFile(name), join(folder, name));
      const key = join(folder, "leaf.key");
      chmodSync(key, 0o600);
      const [command, ...rest] = asServerUser();
      // PostgreSQL refuses a key that is not its own.
      if (command !== undefined) spawnSync("chown", [rest[0]!.replace("--reuid=", ""), key]);
      const settings = { ssl: "on", ssl_cert_file: join(folder, "leaf.pem"), ssl_key_file: key };
      await using server = await PostgresServer.start({ settings });
      const url = `postgres://postgres@localhost:${server.port}/postgres?sslmode=verify-full`;
      const [code, text] = await refused(url);
      assertEquals(code, 1, text);
      assertStringIncludes(text, "unable to verify the first certificate");
      await runProgram(url, tlsFile("ca.pem"));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("says how durable it is", async () => {
    await using server = await PostgresServer.start({ settings: { synchronous_commit: "off" } });
    await using serving = await Serving.start(server.url);
    assertStringIncludes(serving.kept, "may lose some when it crashes (durability: off)");
  });

  it("ends with exit code 1 if it cannot be opened, and names no password", () =>
    withPasswords(async ({ port }) => {
      const wrong: [url: string, why: string][] = [
        [`postgres://wa:hidden@127.0.0.1:${port}/wa`, 'password authentication failed for user "wa"'],
        [`postgres://other:${encoded}@127.0.0.1:${port}/wa`, 'password authentication failed for user "other"'],
        [`postgres://wa:${encoded}@127.0.0.1:${port}/nowhere`, 'database "nowhere" does not exist'],
        [`postgres://wa:${encoded}@127.0.0.1:${port}/wa?sslmode=verify-full`, ""],
        [`postgres://wa:${encoded}@127.0.0.1:${await freePort()}/wa`, ""],
        [`postgres://wa:${encoded}@nowhere.invalid:${port}/wa`, ""],
      ];
      await Promise.all(wrong.map(async ([url, why]) => {
        const [code, text] = await refused(url);
        assertEquals(code, 1, text);
        assertStringIncludes(text, "Cannot open the journal in PostgreSQL");
        assertStringIncludes(text, why);
        assertStringIncludes(text, placeOf("PostgreSQL", url));
        for (const secret of ["hidden", PASSWORD, encoded]) assert(!text.includes(secret), text);
      }));
      const [code, text] = await refused(`postgres://wa:${encoded}@127.0.0.1:${port}/wa`, ["--postgres-schema", ""]);
      assertEquals(code, 2, text);
    }));

  it("runs as a program that ends when it is told to", async () => {
    await using server = await PostgresServer.start();
    await runProgram(server.url);
  });
});
