/** PgBouncer before a PostgreSQL server, on a free port of loopback. */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { onFreePort } from "./free_port.ts";
import { find } from "./needs.ts";
import { asServerUser, type PostgresServer, type ServerSettings, SUPERUSER } from "./postgres.ts";

/** When a client gets another connection to the server: after each transaction, or never. */
export type PoolMode = "transaction" | "session";

/** A pooler in a process of its own. */
export class PgBouncer implements AsyncDisposable {
  readonly port: number;
  #folder = mkdtempSync(join(tmpdir(), "pgbouncer-"));
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  private constructor(port: number) {
    this.port = port;
  }

  /**
   * Starts one.
   *
   * @param server The server behind it.
   * @param mode The pool mode.
   * @param settings More settings of the section `[pgbouncer]`.
   */
  static start(server: PostgresServer, mode: PoolMode, settings: ServerSettings = {}): Promise<PgBouncer> {
    return onFreePort(async (port) => {
      const bouncer = new PgBouncer(port);
      try {
        await bouncer.#run(server, { pool_mode: mode, ...settings });
        return bouncer;
      } catch (error) {
        await bouncer.stop();
        throw error;
      }
    });
  }

  get url(): string {
    return `postgres://${SUPERUSER}@127.0.0.1:${this.port}/postgres`;
  }

  async #run(server: PostgresServer, settings: ServerSettings): Promise<void> {
    const [file, users] = [join(this.#folder, "pgbouncer.ini"), join(this.#folder, "users.txt")];
    const all = {
      listen_addr: "127.0.0.1",
      listen_port: this.port,
      unix_socket_dir: "",
      auth_type: "trust",
      auth_file: users,
      admin_users: SUPERUSER,
      // Less than that, and it waits for the server as long as its clients do.
      server_login_retry: 1,
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(users, `"${SUPERUSER}" ""\n`);
    writeFileSync(file, `[databases]\n* = host=127.0.0.1 port=${server.port}\n[pgbouncer]\n${lines.join("")}`);
    chmodSync(this.#folder, 0o755);
    const [program, ...args] = [...asServerUser(), ...find("pgbouncer")!, file];
    const child = spawn(program!, args, { stdio: ["ignore", "ignore", "pipe"], cwd: "/" });
    this.#child = child;
    const killed = (): void => void child.kill("SIGKILL");
    process.once("exit", killed);
    child.on("exit", () => process.off("exit", killed));
    this.#ended = new Promise((resolve) => child.on("close", () => resolve()));
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr!.on("data", (data) => {
        output += data;
        if (output.includes("process up")) resolve();
      });
      this.#ended.then(() => reject(new Error(`pgbouncer ended: ${output}`)));
    });
  }

  async stop(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
