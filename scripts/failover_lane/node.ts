/** A node of the fail-over test, seen from outside: a server in a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { find, type Runtime } from "../../tests/support/needs.ts";
import type { NodeSettings } from "./engine.ts";
import type { NodeRecord } from "./judge.ts";

/** Secrets of servers and receivers. */
export const SECRET = "failover-secret";
export const TOKEN = "failover-token";

/** The output of a node. */
interface Fact {
  port?: number;
  kept?: [seq: number, digest: string];
  code?: string;
  message?: string;
}

/** A server in a process of its own. */
export class Node implements NodeRecord {
  readonly name: string;
  readonly kept: Map<string, number[]> = new Map();
  readonly errors: { code: string; message: string }[] = [];
  /** Its port. */
  readonly ready: Promise<number>;
  #child: ChildProcess;

  constructor(on: Runtime, engine: string, settings: NodeSettings) {
    this.name = `${on} with ${settings.client}`;
    const program = fileURLToPath(new URL("./node_program.ts", import.meta.url));
    const flags = on === "Deno" ? ["run", "-A", "--no-check"] : [];
    const [command, ...args] = [...find(on)!, ...flags, program, engine, JSON.stringify(settings)];
    const env = { ...process.env, WHATSAPP_APP_SECRET: SECRET, WHATSAPP_RECEIVER_TOKEN: TOKEN, NO_COLOR: "1" };
    this.#child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"], env });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.ready = promise;
    this.#child.once("exit", () => reject(new Error(`the node on ${on} has ended`)));
    // Stopped on purpose, once its result is not needed any more.
    promise.catch(() => {});
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const { port, kept, code, message } = JSON.parse(line) as Fact;
      if (port !== undefined) resolve(port);
      if (kept !== undefined) this.kept.set(kept[1], [...this.kept.get(kept[1]) ?? [], kept[0]]);
      if (code !== undefined) this.errors.push({ code, message: message! });
    });
  }

  stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.kill("SIGKILL");
    return ended;
  }
}
