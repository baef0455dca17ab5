/** The server process of `soak.ts` and `attacks.ts`, as its parent sees it. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import type { CloseInfo, Stats } from "../server.ts";

/** Report of the server process on itself. */
export interface Sample {
  /** All of the process, in bytes, and those of the engine's heap and of buffers beside it. */
  rss: number;
  heapUsed: number;
  heapTotal: number;
  external: number;
  arrayBuffers: number;
  descriptors: { sockets: number; others: number };
  cpu: { user: number; system: number };
  stats: Stats;
}

/** A server in a process of its own, on the runtime that this one runs on. */
export class SoakServer {
  readonly port: number;
  /** Output to standard error; expected to be empty. */
  trouble = "";
  /** Set when it has ended. */
  exitCode: number | null | undefined;
  readonly ended: Promise<void>;
  #child: ChildProcess;
  #answers: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(child: ChildProcess, answers: AsyncIterator<string>, port: number) {
    this.#child = child;
    this.#answers = answers;
    this.port = port;
    child.stderr!.on("data", (text) => this.trouble += text);
    this.ended = new Promise((resolve) =>
      child.on("close", (code) => {
        this.exitCode = code;
        resolve();
      })
    );
  }

  static async start(): Promise<SoakServer> {
    const script = fileURLToPath(new URL("./soak_server.ts", import.meta.url));
    const args = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
    const child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const { port } = JSON.parse((await answers.next()).value!);
    return new SoakServer(child, answers, port);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  #ask<Answer>(command: string): Promise<Answer> {
    const answer = this.#last.then(async () => {
      this.#child.stdin!.write(`${command}\n`);
      const { value, done } = await this.#answers.next();
      if (done) throw new Error(`the server has ended: ${this.trouble}`);
      return JSON.parse(value) as Answer;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  sample(): Promise<Sample> {
    return this.#ask("sample");
  }

  tally(): Promise<Record<string, { received: string; sent: string; info: CloseInfo }>> {
    return this.#ask("tally");
  }

  errors(): Promise<{ errors: Record<string, number>; unknown: string[] }> {
    return this.#ask("errors");
  }

  async stop(): Promise<void> {
    if (this.exitCode !== undefined) return;
    await this.#ask("stop");
    this.#child.stdin!.end();
    await this.ended;
  }
}
