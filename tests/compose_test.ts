/**
 * The files of `examples/compose/`. There is no Docker here: docker-compose checks them, and each service is run as a
 * local process, with its command, its environment and its health check.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { simulateNotification } from "../cloud_api/simulated.ts";
import { signNotification, WhatsAppReceiver } from "../whatsapp.ts";
import { freePort } from "./support/free_port.ts";
import type { NeedName } from "./support/needs.ts";
import { describePeer, runIn } from "./support/peers.ts";
import { binariesFolder, PostgresServer } from "./support/postgres.ts";
import { Proxy, PROXY_KINDS } from "./support/proxies.ts";
import { RedisServer } from "./support/redis.ts";
import { encode, until } from "./support/support.ts";

interface Service {
  image: string;
  command?: string;
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  depends_on?: string[] | Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
}

interface Compose {
  services: Record<string, Service>;
  volumes?: Record<string, null>;
}

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = join(root, "examples/compose");
const files = readdirSync(folder).filter((name) => name.endsWith(".yml"));
/** Values of the variables. */
const VARIABLES: Record<string, string> = {
  WHATSAPP_APP_SECRET: "hidden-1",
  WHATSAPP_VERIFY_TOKEN: "hidden-2",
  WHATSAPP_RECEIVER_TOKEN: "hidden-3",
  REDIS_PASSWORD: "hidden4",
  POSTGRES_PASSWORD: "hidden5",
};

/** Reads a file, with variables in place, by the parser of Bun. */
async function read(bun: readonly string[], name: string): Promise<Compose> {
  const program = "console.log(JSON.stringify(Bun.YAML.parse(await Bun.file(process.argv.at(-1)).text())))";
  const { status, text, errors } = await runIn({}, bun, "-e", program, "--", join(folder, name));
  assertEquals(status, 0, errors);
  return JSON.parse(text.replaceAll(/\$\{(\w+)(:\?[^}]*)?\}/g, (_, variable: string) => VARIABLES[variable]!));
}

describePeer("examples/compose", "Bun", (bun) => {
  it("has a file for a cluster, and one for each journal", () => {
    const names = ["docker-compose", "whatsapp-postgres", "whatsapp-redis", "whatsapp-sqlite"];
    assertEquals(files.sort(), names.map((name) => `${name}.yml`));
  });

  for (const name of files) {
    it(`${name} names images by their version, files and services that are there`, async () => {
      const { services, volumes = {} } = await read(bun, name);
      for (const service of Object.values(services)) {
        assert(/:\d+(\.\d+)*$/.test(service.image), service.image);
        for (const volume of service.volumes ?? []) {
          const [source] = volume.split(":");
          assert(source!.startsWith(".") ? existsSync(join(folder, source!)) : source! in volumes, volume);
        }
        const needed = service.depends_on ?? [];
        for (const other of Array.isArray(needed) ? needed : Object.keys(needed)) assert(other in services, other);
        for (const [other, { condition }] of Array.isArray(needed) ? [] : Object.entries(needed)) {
          assertEquals([condition, services[other]!.healthcheck !== undefined], ["service_healthy", true], other);
        }
      }
    });
  }
});

describePeer("examples/compose", "docker-compose", (compose) => {
  for (const name of files) {
    it(`${name} is accepted by docker-compose, if its variables are set`, async () => {
      const own = process.env as Record<string, string>;
      const check = ["-f", join(folder, name), "config", "--quiet"];
      const accepted = await runIn({ env: { ...own, ...VARIABLES } }, compose, ...check);
      assertEquals(accepted.status, 0, accepted.errors);
      if (name === "docker-compose.yml") return;
      const refused = await runIn({ env: { ...own, ...VARIABLES, WHATSAPP_APP_SECRET: "" } }, compose, ...check);
      assert(refused.status !== 0);
      assertStringIncludes(refused.errors, "Meta's dashboard");
    });
  }
});

/** Services of a file, each a local process. */
class Local implements AsyncDisposable {
  readonly #compose: Compose;
  readonly #folder = mkdtempSync(join(tmpdir(), "compose-"));
  #redis: RedisServer | undefined;
  #postgres: PostgresServer | undefined;
  readonly #nodes: { child: ChildProcess; ended: Promise<unknown>; output: string }[] = [];
  #proxy: Proxy | undefined;
  /** URL of the published port. */
  url = "";

  private constructor(compose: Compose) {
    this.#compose = compose;
  }

  static async start(bun: string[], file: string): Promise<Local> {
    const local = new Local(await read(bun, file));
    try {
      await local.#run(bun);
    } catch (error) {
      await local[Symbol.asyncDispose]();
      throw error;
    }
    return local;
  }

  async #run(bun: string[]): Promise<void> {
    const { redis, postgres, node, node1, node2, nginx } = this.#compose.services;
    if (redis !== undefined) await this.#runRedis(redis);
    if (postgres !== undefined) await this.#runPostgres(postgres);
    const ports: number[] = [];
    for (const service of [node, node1, node2]) {
      if (service !== undefined) ports.push(await this.#runNode(bun, service));
    }
    this.url = `http://127.0.0.1:${ports[0]}/whatsapp`;
    if (nginx === undefined) return;
    assertEquals(nginx.volumes, ["./nginx.conf:/etc/nginx/nginx.conf:ro"]);
    const kind = PROXY_KINDS.find(({ source }) => source === "examples/compose/nginx.conf")!;
    this.#proxy = await Proxy.start(kind, [ports[0]!, ports[1]!]);
    this.url = this.#proxy.url("/whatsapp", "http");
  }

  async #runRedis({ command, environment, healthcheck }: Service): Promise<void> {
    const [program, ...options] = command!.trim().split(/\s+/);
    assertEquals(program, "redis-server");
    this.#redis = await RedisServer.start(options);
    const [, ...check] = healthcheck!.test;
    await assertHealthy(check, environment!, [check[0]!, "-p", `${this.#redis.port}`]);
    // With a wrong password it is not.
    const { status } = await runIn({ env: { ...process.env as Record<string, string>, REDISCLI_AUTH: "x" } }, [
      ...[check[0]!, "-p", `${this.#redis.port}`],
      ...check.slice(1),
    ]);
    assert(status !== 0);
  }

  async #runPostgres({ command, environment, healthcheck }: Service): Promise<void> {
    const [program, ...options] = command!.trim().split(/\s+/);
    assertEquals(program, "postgres");
    const settings = Object.fromEntries(options.filter((option) => option !== "-c").map((option) => option.split("=")));
    const server = this.#postgres = await PostgresServer.start({ settings });
    const { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database } = environment!;
    await server.sql(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'`);
    await server.sql(`CREATE DATABASE ${database} OWNER ${user}`);
    const [, ready, ...flags] = healthcheck!.test;
    const path = join(binariesFolder(), ready!);
    await assertHealthy([path, ...flags], {}, [path, "--port", `${server.port}`]);
  }

  /** Starts a node, and waits until it is healthy; returns its port. */
  async #runNode(bun: string[], { command, environment, healthcheck }: Service): Promise<number> {
    const port = await freePort();
    const adapt = (text: string): string =>
      text.replaceAll("/app/", root).replaceAll("/data/", `${this.#folder}/`).replaceAll(/\b8080\b/g, `${port}`)
        .replace("@redis:6379", `@127.0.0.1:${this.#redis?.port}`)
        .replace("@postgres:5432", `@127.0.0.1:${this.#postgres?.port}`);
    const [program, ...args] = command!.trim().split(/\s+/).map(adapt);
    assertEquals(program, "bun");
    const own = Object.fromEntries(Object.entries(environment!).map(([name, value]) => [name, adapt(value)]));
    const child = spawn(bun[0]!, [...bun.slice(1), ...args], {
      env: { ...process.env, ...own },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const node = { child, output: "", ended: new Promise((resolve) => child.on("close", resolve)) };
    this.#nodes.push(node);
    child.stderr.on("data", (data) => node.output += data);
    await until(() => node.output.includes("Receivers connect") || child.exitCode !== null, "the start");
    assertEquals(child.exitCode, null, node.output);
    for (const value of Object.values(VARIABLES)) assert(!node.output.includes(value), node.output);
    const [, ...check] = healthcheck!.test.map(adapt);
    await assertHealthy(check, {}, bun);
    return port;
  }

  /** Kills the first node. */
  async kill(): Promise<void> {
    const [first] = this.#nodes.splice(0, 1);
    first!.child.kill("SIGKILL");
    await first!.ended;
  }

  /** Stops the nodes as Docker does; each must end by itself. */
  async stop(): Promise<void> {
    for (const { child, ended, output } of this.#nodes.splice(0)) {
      process.kill(child.pid!, "SIGTERM");
      assertEquals(await ended, 0, output);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, ended } of this.#nodes.splice(0)) {
      child.kill("SIGKILL");
      await ended;
    }
    await this.#proxy?.stop();
    await this.#redis?.stop();
    await this.#postgres?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs a health check, whose program is replaced by one with flags. */
async function assertHealthy(check: string[], env: Record<string, string>, program: string[]): Promise<void> {
  const own = { ...process.env as Record<string, string>, ...env };
  const { status, text, errors } = await runIn({ env: own }, [...program, ...check.slice(1)]);
  assertEquals(status, 0, `${check.join(" ")}: ${text}${errors}`);
}

async function post(url: string, number: number): Promise<number> {
  const { json } = simulateNotification(number, { type: "text" });
  const headers = {
    "content-type": "application/json",
    "x-hub-signature-256": signNotification(encode(json), VARIABLES.WHATSAPP_APP_SECRET!),
  };
  const response = await fetch(url, { method: "POST", body: json, headers });
  await response.body?.cancel();
  return response.status;
}

const RUNS: [file: string, needs: NeedName[]][] = [
  ["whatsapp-sqlite.yml", []],
  ["whatsapp-redis.yml", ["Redis", "nginx"]],
  ["whatsapp-postgres.yml", ["PostgreSQL", "npm:pg@8.23.1", "nginx"]],
];
for (const [file, needs] of RUNS) {
  describePeer(`${file} as local processes`, ["Bun", ...needs], (bun) => {
    it("keeps what comes, delivers it, and stops in order", async () => {
      await using local = await Local.start(bun, file);
      for (let number = 0; number < 4; number++) assertEquals(await post(local.url, number), 200);
      const receiver = new WhatsAppReceiver(local.url.replace("http", "ws"), {
        receiverToken: VARIABLES.WHATSAPP_RECEIVER_TOKEN,
        after: 0,
      });
      await receiver.connect();
      let count = 0;
      for await (const _ of receiver.messages) if (++count === 4) break;
      await receiver.disconnect();
      if (needs.length > 0) {
        await local.kill();
        for (let number = 4; number < 8; number++) assertEquals(await post(local.url, number), 200);
      }
      await local.stop();
    });
  });
}
