/**
 * A Redis server for tests, on a free port of loopback, which can be killed and started again; and the clients of
 * programs, each real.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Redis as IoRedis } from "npm:ioredis@6.0.0";
import type { RedisClientType as NodeRedis } from "npm:redis@6.3.1";
import type { RedisClient } from "../../redis/client.ts";
import { onFreePort } from "./free_port.ts";
import { find } from "./needs.ts";

const onDeno = "Deno" in globalThis;

/** A Redis server in a process of its own. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  #folder = mkdtempSync(join(tmpdir(), "redis-"));
  #options: string[];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  private constructor(port: number, options: string[]) {
    this.port = port;
    this.#options = options;
  }

  /** Starts one that syncs each write, unless options say otherwise. */
  static start(options: string[] = ["--appendonly", "yes", "--appendfsync", "always"]): Promise<RedisServer> {
    return onFreePort(async (port) => {
      const server = new RedisServer(port, options);
      try {
        await server.run();
        return server;
      } catch (error) {
        await server.stop();
        throw error;
      }
    });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, again if it was killed. */
  async run(): Promise<void> {
    const fixed = ["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    const child = spawn("redis-server", [...fixed, ...this.#options], { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    const killed = (): void => void child.kill("SIGKILL");
    process.once("exit", killed);
    child.on("close", () => process.off("exit", killed));
    this.#ended = new Promise((resolve) => child.on("close", () => resolve()));
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on("data", (data) => {
        output += data;
        if (output.includes("Ready to accept connections")) resolve();
      });
      this.#ended.then(() => reject(new Error(`redis-server ended: ${output}`)));
    });
  }

  /** Kills it as a power failure would. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Has it stand still without a word, or go on. */
  freeze(frozen: boolean): void {
    // To Deno (2.9) a child that got a signal is dead: it sends no other.
    process.kill(this.#child!.pid!, frozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A client of a program, and how the program closes it. */
export class ProgramClient implements AsyncDisposable {
  #end: () => Promise<void> | void;
  #closing: Promise<void> | undefined;

  /**
   * @param client The client.
   * @param command Sends a command of the program itself.
   * @param end Closes the client.
   */
  constructor(
    readonly client: RedisClient,
    readonly command: (...args: string[]) => Promise<unknown>,
    end: () => Promise<void> | void,
  ) {
    this.#end = end;
  }

  /** Closes it; does nothing more the second time. */
  close(): Promise<void> {
    return this.#closing ??= Promise.resolve(this.#end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Makes a client, connected. */
export type ClientMaker = (url: string) => Promise<ProgramClient>;

/** Imports a package of npm. */
// deno-lint-ignore no-explicit-any -- its types are given where it is used
export function npm(need: "npm:redis@6.3.1" | "npm:ioredis@6.0.0"): Promise<any> {
  const found = find(need);
  if (found === undefined) return Promise.reject(new Error(`Cannot fetch ${need}`));
  if (onDeno) return import(found[0]!);
  const [name] = need.slice("npm:".length).split("@");
  return Promise.resolve(createRequire(join(found[0]!, "index.js"))(name!));
}

async function makeNodeRedis(url: string): Promise<ProgramClient> {
  const { createClient } = await npm("npm:redis@6.3.1");
  // Its own way to connect again leaves timers when it is destroyed meanwhile.
  const own: NodeRedis = createClient({ url, socket: { reconnectStrategy: false } });
  own.on("error", () => {});
  await own.connect();
  // Of its own type: the compiler looks whether it fits.
  const client: RedisClient = own;
  return new ProgramClient(client, (...args) => own.sendCommand(args), () => own.destroy());
}

async function makeIoRedis(url: string): Promise<ProgramClient> {
  const { Redis } = await npm("npm:ioredis@6.0.0");
  const own: IoRedis = new Redis(url, { retryStrategy: () => null });
  own.on("error", () => {});
  await own.ping();
  const client: RedisClient = own;
  return new ProgramClient(client, (command, ...args) => own.call(command!, args), () => {
    const ended = new Promise<void>((resolve) => own.once("end", resolve));
    if (own.status !== "ready") return;
    own.disconnect();
    return ended;
  });
}

async function makeBun(url: string): Promise<ProgramClient> {
  const { RedisClient: Client } = await import("bun" as string);
  const own = new Client(url);
  await own.connect();
  return new ProgramClient(own, (command, ...args) => own.send(command, args), () => own.close());
}

/** The clients that this runtime can have. */
export const CLIENTS: ReadonlyMap<string, ClientMaker> = new Map([
  ["npm:redis", makeNodeRedis],
  ["npm:ioredis", makeIoRedis],
  ...onDeno ? [] : [["Bun.RedisClient", makeBun] as const],
]);
