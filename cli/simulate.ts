/**
 * `simulate`: a simulated Meta from the command line.
 *
 * @module
 */

import {
  type CliIo,
  ExitCode,
  jsonLine,
  parseCommandLine,
  parseNumber,
  secretFrom,
  secretsFrom,
  UsageError,
} from "./io.ts";
import { printable } from "../base/log.ts";
import { describe } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { showProgress } from "./progress.ts";
import { percentile, Simulator, type SimulatorReport } from "../whatsapp/simulator.ts";
import { SIMULATED_TYPES } from "../cloud_api/simulated.ts";
import { WhatsAppReceiver } from "../whatsapp/receiver.ts";
import { setTimeout } from "node:timers";

/** Output of `simulate --help`. */
export const SIMULATE_HELP: string = `simulate: send signed notifications of each type to a URL, at a rate, as Meta does

  simulate https://hooks.example.com/whatsapp [flags]

  --app-secret S        WHATSAPP_APP_SECRET: secret to sign them with
  --rate N              10: notifications per second; max: as many as possible
  --count N             100: number of notifications
  --concurrency N       64: maximum of requests at the same time
  --duplicates SHARE    0: share that is delivered twice, 0.05 for one in twenty
  --types A,B           only these types, one after the other: ${SIMULATED_TYPES.slice(0, 4).join(", ")}, … status, …
  --phone-number-id ID  id of the business phone number
  --first N             number of the first one: ids follow from it. By default the time, so that each run has its own
  --warm-up N           0: number of first ones whose times are not counted
  --retry-for SECONDS   60: time for which one without a 200 is tried again
  --receivers N         0: number of receivers, to measure the time until a notification reaches them
  --token S             WHATSAPP_RECEIVER_TOKEN: token of the receivers
  --json                print the result as JSON
  --help                print this text

The exit code is 1 if a notification got no 200, or did not reach each receiver.`;

const FLAGS = {
  "app-secret": { type: "string" },
  rate: { type: "string", default: "10" },
  count: { type: "string" },
  concurrency: { type: "string" },
  duplicates: { type: "string" },
  types: { type: "string" },
  "phone-number-id": { type: "string" },
  first: { type: "string" },
  "warm-up": { type: "string" },
  "retry-for": { type: "string" },
  receivers: { type: "string" },
  token: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** Time limit of receivers after the last 200, in ms. */
const PATIENCE = 10_000;
/** Pause before a receiver reconnects, in ms. */
const RECONNECT_PAUSE = 100;

/**
 * Runs the command.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function simulate(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, FLAGS, ["url"]);
  if (values.help) {
    io.out(SIMULATE_HELP);
    return ExitCode.Success;
  }
  const [url] = positionals;
  if (url === undefined) throw new UsageError("The URL is missing");
  if (!url.startsWith("http:") && !url.startsWith("https:")) {
    throw new UsageError(`${quote(redactUrl(url))} is not an http: or https: URL`);
  }
  const [appSecret] = secretsFrom(
    { flag: "app-secret", given: values["app-secret"], variable: "WHATSAPP_APP_SECRET" },
    io.env,
  );
  if (appSecret === undefined) throw new UsageError("WHATSAPP_APP_SECRET is not set");
  const types = values.types?.split(",");
  const unknown = types?.find((type) => !SIMULATED_TYPES.includes(type));
  if (unknown !== undefined) {
    throw new UsageError(`--types has no type "${unknown}"; types: ${SIMULATED_TYPES.join(", ")}`);
  }
  const receiverToken = secretFrom(
    { flag: "token", given: values.token, variable: "WHATSAPP_RECEIVER_TOKEN" },
    io.env,
  );
  const stop = new AbortController();
  const warmUp = parseNumber("warm-up", values["warm-up"], [0, 1e9]) ?? 0;
  const measured = new Arrivals(warmUp);
  const count = parseNumber("count", values.count, [1, 1e9]) ?? 100;
  let simulator: Simulator;
  try {
    simulator = new Simulator({
      url,
      appSecret,
      types,
      rate: values.rate === "max" ? Infinity : parseNumber("rate", values.rate, [0.001, 1e6]),
      count,
      concurrency: parseNumber("concurrency", values.concurrency, [1, 10_000]),
      duplicates: parseNumber("duplicates", values.duplicates, [0, 1]),
      phoneNumberId: values["phone-number-id"],
      first: parseNumber("first", values.first, [0, Number.MAX_SAFE_INTEGER]) ?? Date.now() * 1000,
      warmUp,
      retryFor: (parseNumber("retry-for", values["retry-for"], [0, 604_800]) ?? 60) * 1000,
      signal: stop.signal,
      onSend: ({ json }) => measured.sent(json),
      onAccepted: () => measured.accepted(),
    });
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(describe(error));
  }
  const ignoreStop = io.onStop(() => stop.abort());
  const receivers: WhatsAppReceiver[] = [];
  let cancelProgress = (): void => {};
  try {
    for (let missing = parseNumber("receivers", values.receivers, [0, 1000]) ?? 0; missing > 0; missing--) {
      receivers.push(await connectReceiver(url, receiverToken, measured));
    }
    const pace = values.rate === "max" ? "as fast as it takes them" : `${values.rate} per second`;
    io.err(`Sending ${count} notifications to ${redactUrl(url)}, ${pace}.\n`);
    cancelProgress = showProgress(simulator.report, count, io);
    const report = await simulator.run();
    const missing = await measured.missing(receivers.length, PATIENCE, stop.signal);
    cancelProgress();
    printReport(report, receivers.length, measured.times, missing, values.json ?? false, io);
    return report.refused === 0 && missing === 0 ? ExitCode.Success : ExitCode.Failure;
  } catch (error) {
    io.err(`${printable(describe(error))}\n`);
    return ExitCode.Failure;
  } finally {
    cancelProgress();
    ignoreStop();
    for (const receiver of receivers) await receiver.disconnect();
  }
}

/** Measures the time until notifications reach the receivers. */
class Arrivals {
  /** Times from the first attempt to a receiver, in ms. */
  readonly times: number[] = [];
  #sent = new Map<string, number>();
  #warmUp: number;
  #arrived = 0;
  #expected = 0;

  constructor(warmUp: number) {
    this.#warmUp = warmUp;
  }

  sent(json: string): void {
    // Notifications of the warm-up have no time.
    this.#sent.set(json, this.#sent.size < this.#warmUp ? NaN : performance.now());
  }

  accepted(): void {
    this.#expected++;
  }

  arrived(json: string): void {
    const at = this.#sent.get(json);
    if (at === undefined) return;
    if (!Number.isNaN(at)) this.times.push(performance.now() - at);
    this.#arrived++;
  }

  /** Waits for all deliveries, and returns the number of those that are missing at the end of the time limit. */
  async missing(receivers: number, patience: number, signal: AbortSignal): Promise<number> {
    const end = performance.now() + patience;
    const expected = this.#expected * receivers;
    while (this.#arrived < expected && performance.now() < end && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.times.sort((one, other) => one - other);
    return Math.max(0, expected - this.#arrived);
  }
}

async function connectReceiver(
  url: string,
  receiverToken: string | undefined,
  arrivals: Arrivals,
): Promise<WhatsAppReceiver> {
  const target = new URL(url);
  target.protocol = target.protocol === "https:" ? "wss:" : "ws:";
  const receiver = new WhatsAppReceiver(target, {
    receiverToken,
    window: 4096,
    onMessageReceived: (raw) => arrivals.arrived(raw),
    // The server may be killed meanwhile: the receiver goes on from its position.
    reconnect: { minDelay: RECONNECT_PAUSE, maxDelay: RECONNECT_PAUSE },
  });
  await receiver.connect();
  return receiver;
}

function printReport(
  report: SimulatorReport,
  receivers: number,
  times: readonly number[],
  missing: number,
  asJson: boolean,
  io: CliIo,
): void {
  const { accepted, refused, retries, duplicates, statuses, latencies, elapsed, firstFailure } = report;
  const rate = accepted / (elapsed / 1000);
  const of = (sorted: readonly number[]): Record<string, number> => ({
    p50: round(percentile(sorted, 0.5)),
    p99: round(percentile(sorted, 0.99)),
    max: round(percentile(sorted, 1)),
  });
  const result = {
    accepted,
    refused,
    retries,
    duplicates,
    statuses: Object.fromEntries(statuses),
    perSecond: round(rate),
    toAnswer: of(latencies),
    ...(receivers > 0 ? { receivers, missing, toReceiver: of(times) } : {}),
    ...(firstFailure === undefined ? {} : { firstFailure }),
  };
  if (asJson) return io.out(jsonLine(result));
  const show = ({ p50, p99, max }: Record<string, number>): string =>
    Number.isNaN(p50) ? "–" : `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
  io.out(
    `${accepted} accepted, ${refused} refused, ${retries} retries, ${duplicates} sent twice; ${round(rate)} per second`,
  );
  io.out(`to the 200:      ${show(result.toAnswer)}`);
  if (receivers > 0) io.out(`to ${receivers} receivers: ${show(of(times))}; ${missing} missing`);
  if (firstFailure !== undefined) io.out(`first failure:   ${printable(firstFailure)}`);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
