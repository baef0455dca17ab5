/** A peer's program while it runs: its lines, its end, and the end of all that it started. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";

/** Most lines, and characters of one, that are kept of a program. */
const MAX_LINES = 1000, MAX_LINE = 300;
/** Pause between two attempts to reach a server that starts, in ms. */
const PROBE_PAUSE = 50;

/** A program that runs. */
export class Program {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #rest = "";
  #changed = Promise.withResolvers<void>();
  #hasEnded = false;
  /** Resolves when the program has ended. */
  readonly ended: Promise<void>;
  #errors = "";

  /**
   * Starts a program, in a process group of its own.
   *
   * @param command The command line.
   * @param cwd Its folder.
   * @param env Its environment, besides the one of this process.
   */
  constructor([name, ...args]: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
    const all = { ...process.env, ...env };
    const child = spawn(name!, args, { cwd, env: all, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.#errors = (this.#errors + text).slice(-4000));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        this.#change();
        resolve();
      };
      child.on("close", end);
      child.on("error", (error) => {
        this.#errors += error.message;
        end();
      });
    });
  }

  /** Complete lines of its output so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Lines of its output, and the last part of what it wrote to its standard error. */
  get text(): string {
    return [...this.#lines, this.#errors].join("\n").trim();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!.slice(0, MAX_LINE);
    for (const line of lines) if (this.#lines.length < MAX_LINES) this.#lines.push(line.slice(0, MAX_LINE).trim());
    if (lines.length > 0) this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /**
   * Waits for a line.
   *
   * @param from Number of lines to leave out.
   * @param fits Tells the line.
   * @param ms Longest time, in ms.
   * @returns The line; undefined if the time is over, or the program has ended without it.
   */
  async waitForLine(from: number, fits: (line: string) => boolean, ms: number): Promise<string | undefined> {
    const { promise: timeout, resolve } = Promise.withResolvers<"over">();
    const timer = setTimeout(() => resolve("over"), ms);
    try {
      for (;;) {
        const line = this.#lines.slice(from).find(fits);
        if (line !== undefined || this.#hasEnded) return line;
        if (await Promise.race([this.#changed.promise, timeout]) === "over") return undefined;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits until a port takes connections.
   *
   * @returns Whether it does; false if the program has ended, or the time is over.
   */
  async waitForPort(port: number, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    while (!this.#hasEnded && performance.now() < end) {
      if (await takesConnections(port)) return true;
      await new Promise((resolve) => setTimeout(resolve, PROBE_PAUSE));
    }
    return false;
  }

  /** Kills the program with its whole process group, and waits for its end. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (pid !== undefined) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // All of it has ended already.
      }
    }
    await this.ended;
  }
}

const LISTENERS = ["/proc/net/tcp", "/proc/net/tcp6"];

/**
 * Tells if a port is listened on, on Linux without a connection, which programs would count; elsewhere with one.
 */
function takesConnections(port: number): Promise<boolean> {
  if (!existsSync(LISTENERS[0]!)) return probe(port);
  const tables = LISTENERS.filter(existsSync).map((file) => readFileSync(file, "utf8"));
  return Promise.resolve(tables.some((table) => listensOn(table, port)));
}

/** Finds a listener in a table of sockets as Linux prints it: local address and port in hexadecimal, state `0A`. */
export function listensOn(table: string, port: number): boolean {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").map((line) => line.trim().split(/\s+/))
    .some(([_number, local, _remote, state]) => local?.endsWith(end) && state === "0A");
}

function probe(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
