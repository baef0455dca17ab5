/**
 * The crash test: `simulate` against a server with a journal and two named receivers, all of which are killed
 * (`kill -9`) again and again at random moments. Whatever got its 200 must reach each receiver, in order, and once only
 * after de-duplication.
 *
 * With Redis or PostgreSQL there are two servers behind a balancer, the database is killed too, and so are servers and
 * database at once; and two more receivers share a name, so that between them nothing may be missing.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Simulator } from "../../whatsapp/simulator.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";
import { Balancer } from "./balancer.ts";
import { freePort } from "./free_port.ts";
import { PostgresServer } from "./postgres.ts";
import { POSTGRES_CLIENTS } from "./postgres_clients.ts";
import { CLIENTS, RedisServer } from "./redis.ts";
import type { Random } from "./support.ts";

const SECRET = "crash-secret";
const TOKEN = "crash-token";
const NAMES = ["billing", "support"] as const;
/** The name that two receivers share, and their files. */
const SHARED = "pool";
const SHARERS = ["pool 1", "pool 2"] as const;
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Result of a crash test. */
export interface CrashReport {
  /** Number of times a process was killed. */
  kills: Record<string, number>;
  /** Notifications that got a 200. */
  accepted: number;
  /** Attempts that were made again. */
  retries: number;
  /** Deliveries, by receiver: all, and those that came again. */
  delivered: Record<string, { all: number; again: number }>;
  /** Violations found; empty if all is well. */
  faults: string[];
}

/** Something that is started again whenever it is killed. */
interface Killable {
  readonly name: string;
  readonly kills: number;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** A process. */
class Victim implements Killable {
  kills = 0;
  #start: () => ChildProcess;
  #child: ChildProcess;
  #stopped = false;

  constructor(readonly name: string, start: () => ChildProcess) {
    this.#start = start;
    this.#child = start();
  }

  async kill(): Promise<void> {
    this.kills++;
    await this.#end();
    if (!this.#stopped) this.#child = this.#start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
  }

  #end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGKILL");
    return ended;
  }
}

/** Place of the journal. */
export type CrashJournal = "file" | "redis" | "postgres";

/** A database, which is away for a moment each time. */
class DatabaseVictim implements Killable {
  kills = 0;

  constructor(readonly name: string, readonly server: RedisServer | PostgresServer, readonly random: Random) {}

  async kill(): Promise<void> {
    this.kills++;
    await this.server.kill();
    await sleep(this.random.int(500));
    await this.server.run();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

/** Several at once. */
class Both implements Killable {
  kills = 0;

  constructor(readonly name: string, readonly victims: readonly Killable[]) {}

  async kill(): Promise<void> {
    this.kills++;
    await Promise.all(this.victims.map((victim) => victim.kill()));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** Endpoint that takes the notifications. */
interface Service {
  /** Address to which the simulator and the receivers connect. */
  port: number;
  /** Process that is killed as often as all receivers together. */
  victims: Killable[];
  /** True if receivers may share a name over several servers. */
  shares: boolean;
  close(): Promise<void>;
}

/** One server, with a journal in a file. */
async function startOne(folder: string): Promise<Service> {
  const port = await freePort();
  const serve = ["serve", "--behind-proxy", "--port", `${port}`, "--journal", join(folder, "journal.db")];
  const server = new Victim("server", () => run(file("../../cli.ts"), serve));
  return { port, victims: [server, server], shares: false, close: () => Promise.resolve() };
}

/** Two servers behind a balancer, with a journal in a database. */
async function startTwo(journal: "redis" | "postgres", random: Random): Promise<Service> {
  const database = journal === "redis" ? await RedisServer.start() : await PostgresServer.start();
  const clients = [...(journal === "redis" ? CLIENTS : POSTGRES_CLIENTS).keys()];
  const ports = [await freePort(), await freePort()];
  const balancer = await Balancer.listen(ports);
  const servers = ports.map((port, index) => {
    const args = [`${port}`, journal, database.url, random.pick(clients)];
    return new Victim(`server ${index + 1}`, () => run(file("./crash_server.ts"), args));
  });
  const victim = new DatabaseVictim(journal, database, random);
  const both = new Both(`a server and ${journal} at once`, [servers[0]!, victim]);
  return { port: balancer.port, victims: [...servers, victim, both], shares: true, close: () => balancer.close() };
}

function run(program: string, args: string[]): ChildProcess {
  const own = "deno" in process.versions ? ["run", "-A", "--no-check", program] : [program];
  const env = { ...process.env, WHATSAPP_APP_SECRET: SECRET, WHATSAPP_RECEIVER_TOKEN: TOKEN, NO_COLOR: "1" };
  return spawn(process.execPath, [...own, ...args], { stdio: "ignore", env });
}

/** Real time: processes are killed at random moments, and no event of theirs may choose the moment. */
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function waitFor(condition: () => boolean, patience: number): Promise<boolean> {
  const end = performance.now() + patience;
  while (!condition() && performance.now() < end) await sleep(20);
  return condition();
}

/**
 * Runs the test.
 *
 * @param rounds How many processes are killed.
 * @param random Chooses which, and when.
 * @param journal Place of the journal: with a file there is one server, with a database there are two.
 * @param progress Told after each round.
 * @returns How it went.
 */
export async function crashTest(
  rounds: number,
  random: Random,
  journal: CrashJournal = "file",
  progress: (round: number) => void = () => {},
): Promise<CrashReport> {
  const folder = mkdtempSync(join(tmpdir(), "crash-"));
  const service = journal === "file" ? await startOne(folder) : await startTwo(journal, random);
  const url = `http://127.0.0.1:${service.port}/whatsapp`;
  const listOf = (name: string): string => join(folder, name);
  const receive = (name: string, list: string, ...more: string[]): Victim => {
    const args = [url.replace("http", "ws"), name, listOf(list), ...more];
    return new Victim(list, () => run(file("./crash_receiver.ts"), args));
  };
  const receivers = NAMES.map((name) => receive(name, name));
  if (service.shares) receivers.push(...SHARERS.map((list) => receive(SHARED, list, "share")));
  const victims = [...new Set([...service.victims, ...receivers])];
  const accepted = new Set<string>();
  const sent = new Set<string>();
  const digest = (json: string): string => createHash("sha256").update(json).digest("hex");
  const done = new AbortController();
  const simulator = new Simulator({
    url,
    appSecret: SECRET,
    rate: 300,
    count: 1_000_000,
    concurrency: 32,
    duplicates: 0.05,
    retryFor: 60_000,
    requestTimeout: 5000,
    onSend: ({ json }) => void sent.add(digest(json)),
    onAccepted: ({ json }) => void accepted.add(digest(json)),
    signal: done.signal,
  });
  try {
    // Both names must be known before the first notification: from then on nothing may be missing.
    await makeNamesKnown(url, service.shares);
    const running = simulator.run();
    for (let round = 0; round < rounds; round++) {
      await sleep(50 + random.int(600));
      // As often the servers as the receivers together.
      await random.pick([...service.victims, ...receivers]).kill();
      progress(round + 1);
    }
    // However slow the machine: enough must have come for the test to mean something.
    await waitFor(() => accepted.size >= 10 * rounds, 20_000);
    done.abort();
    await running;
    const complete = (): boolean =>
      NAMES.every((name) => {
        const got = new Set(read(listOf(name)).map(({ digest }) => digest));
        return [...accepted].every((one) => got.has(one));
      });
    const pool = (): Line[] => SHARERS.flatMap((list) => read(listOf(list)));
    const covered = (): boolean => {
      const got = new Set(pool().map(({ digest }) => digest));
      return !service.shares || [...accepted].every((one) => got.has(one));
    };
    await waitFor(() => complete() && covered(), 40_000);
    const report: CrashReport = {
      kills: Object.fromEntries(victims.map(({ name, kills }) => [name, kills])),
      accepted: accepted.size,
      retries: simulator.report.retries,
      delivered: {},
      faults: [],
    };
    for (const name of NAMES) judge(name, read(listOf(name)), accepted, sent, report);
    if (service.shares) judgeShared(pool(), accepted, report);
    return report;
  } finally {
    done.abort();
    for (const victim of victims.toReversed()) await victim.stop();
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits for the server, and says hello to it under each name. */
async function makeNamesKnown(url: string, shares: boolean): Promise<void> {
  const end = performance.now() + 20_000;
  for (;;) {
    const there = await fetch(url).then((response) => response.body?.cancel().then(() => true) ?? true, () => false);
    if (there) break;
    if (performance.now() > end) throw new Error("the server does not start");
    await sleep(50);
  }
  for (const name of [...NAMES, ...shares ? [SHARED] : []]) {
    const share = name === SHARED;
    // The balancer may choose the server that has not started yet.
    const options = { name, share, receiverToken: TOKEN, reconnect: { minDelay: 50, maxDelay: 200 } };
    const receiver = new WhatsAppReceiver(url.replace("http", "ws"), options);
    const current = new Promise<void>((resolve) => receiver.onCaughtUp = () => resolve());
    await receiver.connect();
    await current;
    await receiver.disconnect();
  }
}

interface Line {
  seq: number;
  digest: string;
}

function read(path: string): Line[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => {
    const [seq, digest] = line.split(" ");
    return { seq: Number(seq), digest: digest! };
  });
}

function judge(
  name: string,
  lines: readonly Line[],
  accepted: ReadonlySet<string>,
  sent: ReadonlySet<string>,
  { delivered, faults }: CrashReport,
): void {
  const seen = new Map<number, string>();
  const digests = new Set<string>();
  let highest = 0;
  for (const { seq, digest } of lines) {
    if (Number.isNaN(seq)) {
      faults.push(`${name}: an error: ${digest}`);
      continue;
    }
    const before = seen.get(seq);
    if (before !== undefined) {
      if (before !== digest) faults.push(`${name}: ${seq} came with another body`);
      continue;
    }
    if (seq < highest) faults.push(`${name}: ${seq} came for the first time behind ${highest}`);
    if (digests.has(digest)) faults.push(`${name}: a notification came a second time as ${seq}`);
    if (!sent.has(digest)) faults.push(`${name}: ${seq} was never sent`);
    seen.set(seq, digest);
    digests.add(digest);
    highest = Math.max(highest, seq);
  }
  const lost = [...accepted].filter((digest) => !digests.has(digest)).length;
  if (lost > 0) faults.push(`${name}: ${lost} of ${accepted.size} notifications that got a 200 never came`);
  delivered[name] = { all: lines.length, again: lines.length - seen.size };
}

/** Of what receivers share each has a part; nothing may be missing, and little comes twice. */
function judgeShared(lines: readonly Line[], accepted: ReadonlySet<string>, { delivered, faults }: CrashReport): void {
  const digests = new Set(lines.map(({ digest }) => digest));
  for (const { seq, digest } of lines) if (Number.isNaN(seq)) faults.push(`${SHARED}: an error: ${digest}`);
  const lost = [...accepted].filter((digest) => !digests.has(digest)).length;
  if (lost > 0) faults.push(`${SHARED}: ${lost} of ${accepted.size} notifications that got a 200 never came`);
  delivered[SHARED] = { all: lines.length, again: lines.length - digests.size };
}
