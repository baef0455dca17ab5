/**
 * Runs a server of webhooks under the load of `intake.c`: what the benchmarks of intake (`intake.ts`, `journals.ts`)
 * share. The server has one core, the load generator another.
 *
 * @module
 */

import { simulateNotification } from "../cloud_api/simulated.ts";
import { signNotification } from "../cloud_api/signature.ts";

/** Path of the webhook. */
export const PATH = "/whatsapp";
/** The app secret. */
export const SECRET = "0123456789abcdef0123456789abcdef";
/** Usual number of receivers that get everything. */
export const RECEIVERS = 3;
/** Highest number of messages per second that is prepared for. */
const MAX_RATE = 25_000;
const WARM_UP = 1;
const MIN_BODY = 500;
/** First id: as long as ids in production. */
const FIRST = 1_000_000_000_000_000;

/** Figures of one run. */
export interface Result {
  perSecond: number;
  /** Of the time to the 200, in ms. */
  p50: number;
  p99: number;
  /** The server's processor time for each notification, in µs. */
  cpu: number;
  /** Share of the time in which the load generator was busy. */
  busy: number;
  accepted: number;
  received: number[];
}

/**
 * Path of a file of this folder.
 *
 * @param file Its name.
 * @returns The path.
 */
export function here(file: string): string {
  return decodeURIComponent(new URL(file, import.meta.url).pathname);
}

/**
 * Runs a program to its end.
 *
 * @param program The program.
 * @param args Its arguments.
 * @param env More variables of its environment.
 * @returns What it printed, trimmed.
 */
export async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, env }).output();
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

/**
 * Makes the load generator and its requests.
 *
 * @param folder Folder for both.
 * @param seconds Longest measured time of a run, in s.
 */
export async function prepareLoad(folder: string, seconds: number): Promise<void> {
  await run("cc", ["-O2", "-o", `${folder}/intake`, here("intake.c")]);
  await Deno.writeFile(`${folder}/requests`, buildRequests((seconds + WARM_UP) * MAX_RATE));
}

/** A server to run. */
export interface ServerCommand {
  command: readonly string[];
  /** The subprotocol of the receivers: see `intake.c`. */
  protocol: "inbox" | "plain";
  /** Number of receivers; `RECEIVERS` if left out. */
  receivers?: number | undefined;
  env?: Record<string, string> | undefined;
}

/**
 * Measures a server, which prints its port, in a new process.
 *
 * @param server The server.
 * @param connections Kept-alive connections, with one request in flight on each.
 * @param seconds Measured time, in s.
 * @param folder The folder of `prepareLoad`.
 * @returns The figures.
 */
export async function measure(
  { command, protocol, receivers = RECEIVERS, env = {} }: ServerCommand,
  connections: number,
  seconds: number,
  folder: string,
): Promise<Result> {
  const server = new Deno.Command("taskset", { args: ["-c", "0", ...command], stdout: "piped", env }).spawn();
  try {
    const { value } = await server.stdout.getReader().read();
    const port = new TextDecoder().decode(value).trim();
    const result: Result = JSON.parse(
      await run("taskset", [
        ...["-c", "1", `${folder}/intake`, port, String(connections), String(seconds), `${folder}/requests`, PATH],
        ...[String(receivers), protocol, String(server.pid)],
      ]),
    );
    if (result.received.some((count) => count !== result.accepted)) {
      throw new Error(`Of ${result.accepted} notifications the receivers got ${result.received}`);
    }
    return result;
  } finally {
    server.kill("SIGKILL");
    await server.status;
  }
}

/**
 * Returns the median.
 *
 * @param list Numbers.
 * @returns The middle one, or the mean of the two in the middle.
 */
export function median(list: number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1]! + sorted[(sorted.length - 1) >> 1]!) / 2;
}

/**
 * Shows the median, the least and the most.
 *
 * @param list Numbers.
 * @param digits Digits behind the point.
 * @returns Text such as "1.20 (1.05 … 1.31)".
 */
export function spread(list: number[], digits: number): string {
  const sorted = list.toSorted((a, b) => a - b);
  return `${median(list).toFixed(digits)} (${sorted[0]!.toFixed(digits)} … ${sorted.at(-1)!.toFixed(digits)})`;
}
