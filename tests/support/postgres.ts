/**
 * A PostgreSQL server for tests, on a free port of loopback, which can be killed and started again, and followed by a
 * standby.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { onFreePort } from "./free_port.ts";
import { find } from "./needs.ts";
import { connectPg, type SqlRow } from "./postgres_clients.ts";
import { until } from "./support.ts";

/** The superuser of each server, who needs no password. */
export const SUPERUSER = "postgres";

/**
 * PostgreSQL refuses to run as root: then a user without rights runs it, and owns its files.
 *
 * @returns The words before a command.
 */
export function asServerUser(): string[] {
  if (process.getuid?.() !== 0) return [];
  const users = readFileSync("/etc/passwd", "utf8");
  const user = ["postgres", "nobody"].find((name) => users.includes(`${name}:`)) ?? "nobody";
  return ["setpriv", `--reuid=${user}`, "--clear-groups"];
}

/** Runs a command as the user of the servers; returns its output. */
function runAsUser(...command: string[]): string {
  const [program, ...args] = [...asServerUser(), ...command];
  // A folder that this user may enter.
  const { status, stdout, stderr, error } = spawnSync(program!, args, { encoding: "utf8", cwd: "/" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${error ?? stderr}`);
  return stdout;
}

/** Makes a folder for the user of the servers. */
function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  chmodSync(folder, 0o777);
  return folder;
}

/** Folder of the programs of Debian's server. */
export function binariesFolder(): string {
  const found = find("PostgreSQL");
  if (found === undefined) throw new Error("PostgreSQL is missing");
  return found[0]!;
}

/** Makes an empty database once for each version, which servers begin with a copy of. */
function templateOf(binaries: string): string {
  const version = runAsUser(join(binaries, "postgres"), "--version").trim().replaceAll(/[^\w.]+/g, "-").replace(
    /-$/,
    "",
  );
  const template = join(tmpdir(), `tackline-template-${version}`);
  if (existsSync(template)) return template;
  // Renamed when it is complete: another process may do the same meanwhile.
  const own = makeFolder("postgres-template-");
  const data = join(own, "data");
  const options = ["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust", `--username=${SUPERUSER}`];
  runAsUser(join(binaries, "initdb"), "-D", data, ...options);
  try {
    renameSync(data, template);
  } catch (error) {
    if (!existsSync(template)) throw error;
  }
  rmSync(own, { recursive: true, force: true });
  return template;
}

/** Settings of `postgresql.conf`, by name. */
export type ServerSettings = Readonly<Record<string, string | number>>;

/** Settings for tests in which no server dies: nothing waits for the disk. */
export const QUICK: ServerSettings = { fsync: "off", full_page_writes: "off" };

/** Start of a server. */
export interface ServerOptions {
  /** Settings beyond those of the server itself, which syncs each commit. */
  readonly settings?: ServerSettings | undefined;
  /** Folder of the programs; by default those of Debian. */
  readonly binaries?: string | undefined;
}

/** Start of a standby. */
export interface StandbyOptions extends ServerOptions {
  /** Name by which the primary knows it, as in `synchronous_standby_names`. */
  readonly name?: string | undefined;
  /** Port by which it follows, such as that of a proxy; by default the primary's own. */
  readonly through?: number | undefined;
}

/** Settings of all servers: logical ones that no test wants otherwise. */
const COMMON: ServerSettings = {
  listen_addresses: "127.0.0.1",
  // Standbys that were away find what they lack.
  wal_keep_size: "64MB",
  // A standby that lost its primary asks for it again soon.
  wal_retrieve_retry_interval: "200ms",
  shared_buffers: "32MB",
  lc_messages: "C",
};

/** Maximum length of the log that is kept. */
const LOG_LENGTH = 200_000;

/** A PostgreSQL server in processes of its own. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  #binaries: string;
  /** Of its data and its socket. */
  #folder = makeFolder("postgres-");
  #settings: ServerSettings;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #log = "";
  #frozen: number[] = [];

  private constructor(port: number, { binaries = binariesFolder(), settings = {} }: ServerOptions) {
    this.port = port;
    this.#binaries = binaries;
    this.#settings = settings;
  }

  /** Starts one with an empty database. */
  static start(options: ServerOptions = {}): Promise<PostgresServer> {
    return PostgresServer.#begin(options, (server) => {
      runAsUser("cp", "-a", templateOf(server.#binaries), server.#data);
      return Promise.resolve();
    });
  }

  /** Starts one that follows another one, and takes reads only until it is promoted. */
  static standbyOf(primary: PostgresServer, options: StandbyOptions = {}): Promise<PostgresServer> {
    return PostgresServer.#begin(options, (server) => server.#copyFrom(primary, options));
  }

  static #begin(options: ServerOptions, fill: (server: PostgresServer) => Promise<void>): Promise<PostgresServer> {
    return onFreePort(async (port) => {
      const server = new PostgresServer(port, options);
      try {
        await fill(server);
        await server.run();
        return server;
      } catch (error) {
        await server.stop();
        throw error;
      }
    });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  /** Folder of its Unix socket. */
  get socketFolder(): string {
    return this.#folder;
  }

  get url(): string {
    return this.urlOf(SUPERUSER);
  }

  /** URL for a user, who needs no password, and a database. */
  urlOf(user: string, database = "postgres"): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** The end of what it has written to its log. */
  get log(): string {
    return this.#log;
  }

  /** Fills the folder with a copy of a running server, which it is to follow. */
  async #copyFrom(
    primary: PostgresServer,
    { name = "standby", through = primary.port }: StandbyOptions,
  ): Promise<void> {
    const program = spawn(
      ...this.#command("pg_basebackup", [
        ...["-D", this.#data, "-h", "127.0.0.1", "-p", `${primary.port}`, "-U", SUPERUSER],
        ...["-X", "stream", "-c", "fast", "--no-sync"],
      ]),
      { stdio: ["ignore", "ignore", "pipe"], cwd: "/" },
    );
    let output = "";
    program.stderr!.on("data", (data) => output += data);
    const status = await new Promise((resolve) => program.on("close", resolve));
    if (status !== 0) throw new Error(`pg_basebackup: ${output}`);
    const source = `host=127.0.0.1 port=${through} user=${SUPERUSER} application_name=${name}`;
    appendFileSync(join(this.#data, "postgresql.auto.conf"), `primary_conninfo = '${source}'\n`);
    writeFileSync(join(this.#data, "standby.signal"), "");
  }

  #command(program: string, args: string[]): [program: string, args: string[]] {
    const [first, ...rest] = [...asServerUser(), join(this.#binaries, program), ...args];
    return [first!, rest];
  }

  /** Starts it, again if it was killed. */
  async run(): Promise<void> {
    this.#writeSettings();
    const child = spawn(...this.#command("postgres", ["-D", this.#data, "-p", `${this.port}`, "-k", this.#folder]), {
      stdio: ["ignore", "ignore", "pipe"],
      cwd: "/",
    });
    this.#child = child;
    const killed = (): void => this.#killAll();
    process.once("exit", killed);
    child.on("exit", () => process.off("exit", killed));
    // All its processes write to the log, so that its end is theirs.
    this.#ended = new Promise((resolve) => child.on("close", () => resolve()));
    const begun = this.#log.length;
    await new Promise<void>((resolve, reject) => {
      child.stderr!.on("data", (data) => {
        this.#log = `${this.#log}${data}`;
        if (/ready to accept (read-only )?connections/.test(this.#log.slice(begun))) resolve();
        if (this.#log.length > LOG_LENGTH) this.#log = this.#log.slice(-LOG_LENGTH / 2);
      });
      this.#ended.then(() => reject(new Error(`postgres ended: ${this.#log.slice(begun)}`)));
    });
  }

  #writeSettings(): void {
    const lines = Object.entries({ ...COMMON, ...this.#settings })
      .map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`);
    const file = join(this.#data, "postgresql.conf");
    const [own] = readFileSync(file, "utf8").split("# Of the test\n");
    writeFileSync(file, `${own}# Of the test\n${lines.join("")}`);
  }

  /** Changes settings, at once if that needs no restart. */
  async set(settings: ServerSettings): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    this.#writeSettings();
    const [{ pg_reload_conf: done }] = await this.sql("SELECT pg_reload_conf()") as [SqlRow];
    if (done !== true) throw new Error(`The settings cannot be read: ${this.#log.slice(-500)}`);
    const [name, value] = Object.entries(settings).at(-1)!;
    // A reload is a signal to each process.
    await until(async () => {
      const [row] = await this.sql(
        "SELECT setting = $2 OR current_setting($1) = $2 AS done FROM pg_settings WHERE name = $1",
        [name, `${value}`],
      );
      return row?.done === true;
    }, `the setting ${name}`);
  }

  /** Has each commit wait for a standby from now on; resolves when the standby counts. */
  async setSynchronous(name: string): Promise<void> {
    await this.set({ synchronous_standby_names: name });
    await until(async () => {
      const [row] = await this.sql("SELECT sync_state FROM pg_stat_replication WHERE application_name = $1", [name]);
      return row?.sync_state === "sync";
    }, `the synchronous standby "${name}"`);
  }

  /** Runs statements as the superuser, over a connection of their own; returns the rows of the last one. */
  async sql(text: string, values?: unknown[], database = "postgres"): Promise<SqlRow[]> {
    await using client = await connectPg(this.urlOf(SUPERUSER, database));
    return await client.query(text, values);
  }

  /** Ends the connections of clients, as an administrator does; returns how many. */
  async terminateClients(database = "postgres"): Promise<number> {
    const [row] = await this.sql(
      "SELECT count(pg_terminate_backend(pid))::int AS count FROM pg_stat_activity " +
        "WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
      [database],
    );
    return row!.count as number;
  }

  /** Its processes: each connection has one. */
  #processes(): number[] {
    const { pid } = this.#child!;
    const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === `${pid}`;
      } catch {
        return false;
      }
    });
    return [pid!, ...children.map(Number)];
  }

  get #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Kills it as a power failure would. */
  async kill(): Promise<void> {
    if (this.#isRunning) this.#killAll();
    await this.#ended;
  }

  #killAll(): void {
    // First the one that starts others.
    send(this.#child!.pid!, "SIGSTOP");
    for (const pid of this.#processes()) send(pid, "SIGKILL");
  }

  /** Kills the process of one connection: the server then starts its other processes again, from what is on disk. */
  async crash(): Promise<void> {
    const client = await connectPg(this.url);
    const [row] = await client.query("SELECT pg_backend_pid() AS pid");
    const begun = this.#log.length;
    send(row!.pid as number, "SIGKILL");
    await until(() => this.#log.slice(begun).includes("ready to accept connections"), "the server");
    await client.close().catch(() => {});
  }

  /** Has it stand still without a word, or go on. */
  freeze(frozen: boolean): void {
    if (frozen) {
      process.kill(this.#child!.pid!, "SIGSTOP");
      this.#frozen = this.#processes();
    }
    for (const pid of this.#frozen) send(pid, frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Shuts it down in order: `fast` ends all connections, `smart` waits for them. */
  async shutDown(mode: "fast" | "smart" | "immediate" = "fast"): Promise<void> {
    process.kill(this.#child!.pid!, ({ fast: "SIGINT", smart: "SIGTERM", immediate: "SIGQUIT" } as const)[mode]);
    await this.#ended;
  }

  /** A standby becomes a primary: resolves when it takes writes. */
  async promote(): Promise<void> {
    await this.sql("SELECT pg_promote(true, 30)");
  }

  /** Comes back as a standby of another server, with a copy of its data: its own is gone. */
  async follow(primary: PostgresServer, options: StandbyOptions = {}): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
    await this.#copyFrom(primary, options);
    await this.run();
  }

  /** Ends it, and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function send(pid: number, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Waits until a standby has all that its primary has written. */
export async function caughtUp(primary: PostgresServer, name = "standby"): Promise<void> {
  await until(async () => {
    const [row] = await primary.sql(
      "SELECT replay_lsn = pg_current_wal_lsn() AS done FROM pg_stat_replication WHERE application_name = $1",
      [name],
    );
    return row?.done === true;
  }, `the standby "${name}"`);
}
