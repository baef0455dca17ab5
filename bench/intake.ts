/**
 * Webhook intake side by side: our `WhatsAppServer` and one written by hand (`peers/webhook.ts`), on Deno and Bun, with
 * a journal on disk and three receivers. They run in turn, each time with a new process and a new journal, on one core,
 * the load generator (`intake.c`) on another; the ratios of neighbouring runs count.
 *
 * deno run -A bench/intake.ts [--connections 1,16,64] [--seconds 3] [--pairs 5] [--servers "ours on Deno,by hand on
 * Deno"] [--json]
 *
 * Needs Linux and a C compiler. `--folder` is where the journals lie: not on a tmpfs, where a sync costs nothing.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { simulateNotification } from "../cloud_api/simulated.ts";
import { signNotification } from "../cloud_api/signature.ts";

const PATH = "/whatsapp";
const SECRET = "0123456789abcdef0123456789abcdef";
const RECEIVERS = 3;
/** Highest number of messages per second that is prepared for. */
const MAX_RATE = 25_000;
const WARM_UP = 1;
const MIN_BODY = 500;
/** First id: as long as ids in production. */
const FIRST = 1_000_000_000_000_000;

/** Command-line options. */
export interface IntakeOptions {
  /** Kept-alive connections, one request in flight on each: a case for each number. */
  connections: readonly number[];
  /** Measured duration of each run, in s. */
  seconds: number;
  /** Number of runs of each server in each case. */
  pairs: number;
  /** The path of Bun. */
  bun: string;
  /** Folder of the journals. */
  folder: string;
  /** Names of the servers to run; empty for all. */
  servers?: readonly string[];
  /** Print each run as JSON too. */
  json?: boolean;
}

interface Result {
  perSecond: number;
  /** Of the time to the 200, in ms. */
  p50: number;
  p99: number;
  /** The server's processor time for each notification, in µs. */
  cpu: number;
  busy: number;
  accepted: number;
  received: number[];
}

const here = (file: string): string => decodeURIComponent(new URL(file, import.meta.url).pathname);

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** Whole requests, each behind its length: what Meta sends, signed. */
function buildRequests(count: number): Uint8Array {
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(count * 1100);
  let length = 0;
  for (let number = FIRST, built = 0; built < count; number++) {
    const body = encoder.encode(simulateNotification(number).json);
    if (body.length < MIN_BODY) continue;
    built++;
    const head = encoder.encode([
      `POST ${PATH} HTTP/1.1`,
      "Host: hooks.example.com",
      "User-Agent: facebookexternalua",
      "Accept: */*",
      "Accept-Encoding: deflate, gzip",
      `Content-Length: ${body.length}`,
      "Content-Type: application/json",
      `X-Hub-Signature: sha1=${"5c1f".repeat(10)}`,
      `X-Hub-Signature-256: ${signNotification(body, SECRET)}`,
      "X-Forwarded-For: 173.252.127.1",
      "",
      "",
    ].join("\r\n"));
    const whole = head.length + body.length;
    while (length + 4 + whole > bytes.length) {
      const grown = new Uint8Array(bytes.length * 2);
      grown.set(bytes);
      bytes = grown;
    }
    new DataView(bytes.buffer).setUint32(length, whole, true);
    bytes.set(head, length + 4);
    bytes.set(body, length + 4 + head.length);
    length += 4 + whole;
  }
  return bytes.subarray(0, length);
}

/** One run, with a new process and a new journal. */
async function measure(command: string[], connections: number, seconds: number, folder: string): Promise<Result> {
  const journals = await Deno.makeTempDir({ dir: folder });
  const [program, ...args] = command;
  const server = new Deno.Command("taskset", {
    args: ["-c", "0", program!, ...args, `${journals}/journal.db`, SECRET, PATH],
    stdout: "piped",
  }).spawn();
  try {
    const { value } = await server.stdout.getReader().read();
    const port = new TextDecoder().decode(value).trim();
    const protocol = args.at(-1) === "ours" ? "inbox" : "plain";
    const result: Result = JSON.parse(
      await run("taskset", [
        ...["-c", "1", `${folder}/intake`, port, String(connections), String(seconds), `${folder}/requests`, PATH],
        ...[String(RECEIVERS), protocol, String(server.pid)],
      ]),
    );
    if (result.received.some((count) => count !== result.accepted)) {
      throw new Error(`Of ${result.accepted} notifications the receivers got ${result.received}`);
    }
    return result;
  } finally {
    server.kill("SIGKILL");
    await server.status;
    await Deno.remove(journals, { recursive: true });
  }
}

/**
 * Runs the benchmark, and prints a table for each number of connections.
 *
 * @param options What to run.
 */
export async function compareIntake(options: IntakeOptions): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: options.folder });
  try {
    await run("cc", ["-O2", "-o", `${folder}/intake`, here("intake.c")]);
    await Deno.writeFile(`${folder}/requests`, buildRequests((options.seconds + WARM_UP) * MAX_RATE));
    for (const connections of options.connections) await compare(connections, options, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function compare(connections: number, options: IntakeOptions, folder: string): Promise<void> {
  const deno = [Deno.execPath(), "run", "-A", "--no-check", here("peers/webhook.ts")];
  const commands: [name: string, command: string[]][] = [
    ["ours on Deno", [...deno, "ours"]],
    ["by hand on Deno", [...deno, "hand"]],
    ["ours on Bun", [options.bun, here("peers/webhook.ts"), "ours"]],
    ["by hand on Bun", [options.bun, here("peers/webhook.ts"), "hand"]],
  ];
  const chosen = commands.filter(([name]) => !options.servers?.length || options.servers.includes(name));
  const results = new Map<string, Result[]>(chosen.map(([name]) => [name, []]));
  for (let pair = 0; pair < options.pairs; pair++) {
    for (const [name, command] of chosen) {
      const result = await measure(command, connections, options.seconds, folder);
      results.get(name)!.push(result);
      if (options.json) console.log(name, JSON.stringify(result));
    }
  }
  console.log(`\n## Intake, ${connections} connections, ${RECEIVERS} receivers\n`);
  console.log("| server | a second | p50, ms | p99, ms | processor time each, µs | against by hand |");
  console.log(`|${" --- |".repeat(6)}`);
  for (const [name, list] of results) {
    const limited = median(list.map(({ busy }) => busy)) > 0.95 ? " †" : "";
    const peers = name.startsWith("ours") ? results.get(name.replace("ours", "by hand")) : undefined;
    const ratios = peers?.map(({ perSecond }, index) => list[index]!.perSecond / perSecond) ?? [];
    const columns = [
      name,
      spread(list.map(({ perSecond }) => perSecond), 0) + limited,
      ...[spread(list.map(({ p50 }) => p50), 2), spread(list.map(({ p99 }) => p99), 2)],
      spread(list.map(({ cpu }) => cpu), 0),
      ratios.length > 0 ? spread(ratios, 2) : "",
    ];
    console.log(`| ${columns.join(" | ")} |`);
  }
}

function median(list: number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1]!;
}

/** The median, the least and the most. */
function spread(list: number[], digits: number): string {
  const sorted = list.toSorted((a, b) => a - b);
  return `${median(list).toFixed(digits)} (${sorted[0]!.toFixed(digits)} … ${sorted.at(-1)!.toFixed(digits)})`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1,16,64" },
      seconds: { type: "string", default: "3" },
      pairs: { type: "string", default: "5" },
      bun: { type: "string" },
      folder: { type: "string", default: Deno.cwd() },
      servers: { type: "string", default: "" },
      json: { type: "boolean", default: false },
    },
  });
  await compareIntake({
    connections: values.connections.split(",").map(Number),
    seconds: Number(values.seconds),
    pairs: Number(values.pairs),
    // Bun itself, not what starts it: that is to be pinned, and to be ended.
    bun: values.bun ?? await run("bun", ["-e", "console.log(process.execPath)"]),
    folder: values.folder,
    servers: values.servers.split(",").filter((name) => name !== ""),
    json: values.json,
  });
}
