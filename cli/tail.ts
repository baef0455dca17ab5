/**
 * `tail` and `replay`: receivers from the command line.
 *
 * @module
 */

import {
  type CliIo,
  describeRecord,
  ExitCode,
  jsonLine,
  parseCommandLine,
  parseNumber,
  secretFrom,
  secretsFrom,
  UsageError,
} from "./io.ts";
import { printable } from "../base/log.ts";
import { describe, HandshakeError } from "../base/errors.ts";
import type { WhatsAppFilter } from "../cloud_api/filter.ts";
import type { WhatsAppNotification } from "../whatsapp/pending_notification.ts";
import { WhatsAppReceiver } from "../whatsapp/receiver.ts";
import type { WhatsAppReceiverOptions } from "../whatsapp/receiver_settings.ts";
import { Poster } from "./post.ts";
import { existsSync } from "node:fs";

const COMMON_HELP = `  --token S             WHATSAPP_RECEIVER_TOKEN: token for the server
  --app-secret S        WHATSAPP_APP_SECRET: checks Meta's signatures here too
  --phone-number-id ID  only records of this number; may be repeated
  --account-id ID       only records of this account; may be repeated
  --field NAME          only this webhook field, such as messages; may be repeated
  --json                print a line of JSON for each record, with its "seq", instead of a line with local time and number for people
  --raw                 print a line of JSON for each notification: "seq", "signature", "receivedAt" and "raw", the body as text
  --root-certificate F  PEM, trusted besides those of the runtime
  --help                print this text`;

/** Output of `tail --help`. */
export const TAIL_HELP: string = `tail: print notifications as they come

  tail wss://hooks.example.com/whatsapp [flags]

  --name NAME           the server stores the position of this receiver, and sends notifications that it missed
  --share               share the notifications with other connections of that name
  --after N             begin after this sequence number; 0: with all that the server has
  --count N             end after this number of notifications; printed ones are acknowledged, even into a pipe without reader
  --no-reconnect        end when the connection is lost
  --post URL            post each notification to this URL, as Meta does, one after the other and again until the answer is
                        2xx; only then it is printed and acknowledged. With --name none is missed. A notification may come
                        again after a failure: its header "tackline-sequence" tells which it is
${COMMON_HELP}`;

/** Output of `replay --help`. */
export const REPLAY_HELP: string = `replay: print the notifications of the server from a sequence number on, and end

  replay wss://hooks.example.com/whatsapp --from N [flags]

  --from N              first sequence number; 1: all that the server has
  --post URL            post each notification to this URL instead, as Meta does, with its signature
${COMMON_HELP}`;

const COMMON_FLAGS = {
  token: { type: "string" },
  "app-secret": { type: "string" },
  "phone-number-id": { type: "string", multiple: true },
  "account-id": { type: "string", multiple: true },
  field: { type: "string", multiple: true },
  json: { type: "boolean" },
  raw: { type: "boolean" },
  "root-certificate": { type: "string" },
  help: { type: "boolean" },
} as const;

const TAIL_FLAGS = {
  ...COMMON_FLAGS,
  name: { type: "string" },
  share: { type: "boolean" },
  after: { type: "string" },
  count: { type: "string" },
  post: { type: "string" },
  "no-reconnect": { type: "boolean" },
} as const;

const REPLAY_FLAGS = { ...COMMON_FLAGS, from: { type: "string" }, post: { type: "string" } } as const;

type CommonValues = ReturnType<typeof parseCommandLine<typeof COMMON_FLAGS>>["values"];

const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER;

/**
 * Runs `tail`.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function tail(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, TAIL_FLAGS, ["url"]);
  if (values.help) {
    io.out(TAIL_HELP);
    return ExitCode.Success;
  }
  const count = parseNumber("count", values.count, [1, MAX_SEQUENCE]) ?? Infinity;
  const stop = new AbortController();
  const poster = values.post === undefined ? undefined : new Poster(values.post, io);
  if (poster !== undefined && values.name === undefined) {
    io.err("Without --name, notifications that come while this program does not run are not posted.\n");
  }
  const receiver = makeReceiver(positionals[0], io, values, {
    name: values.name,
    share: values.share,
    after: parseNumber("after", values.after, [0, MAX_SEQUENCE]),
    reconnect: !values["no-reconnect"],
    onConnect: () => io.err("Connected.\n"),
    onDisconnect: ({ received }) => {
      if (stop.signal.aborted) return;
      io.err(received === undefined ? "The connection was lost.\n" : "The server closed the connection.\n");
    },
    onReconnecting: ({ error }) => {
      if (error !== undefined) io.err(`${explain(error)}\n`);
    },
  });
  const ignoreStop = io.onStop(() => {
    stop.abort();
    receiver.disconnect().catch(() => {});
  });
  try {
    return await follow(receiver, count, { values, poster }, stop.signal, io);
  } finally {
    ignoreStop();
    // It is this program that ends the connection now.
    receiver.onDisconnect = () => {};
    await receiver.disconnect();
  }
}

async function follow(
  receiver: WhatsAppReceiver,
  count: number,
  { values, poster }: { values: CommonValues; poster: Poster | undefined },
  stopped: AbortSignal,
  io: CliIo,
): Promise<number> {
  let remaining = count;
  try {
    await receiver.connect({ signal: stopped });
    for await (const notification of receiver.notifications) {
      // One that is not posted is not acknowledged: it comes again.
      if (poster !== undefined && !await poster.untilTaken(notification, stopped)) break;
      print(notification, values, io);
      if (--remaining === 0) break;
    }
    if (remaining === 0) {
      // Asking for the next notification acknowledges the last one.
      receiver.notifications.next().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 0));
      await receiver.drained().catch(() => {});
      return ExitCode.Success;
    }
  } catch (error) {
    if (!stopped.aborted) io.err(`${explain(error)}\n`);
  }
  return stopped.aborted ? ExitCode.Success : ExitCode.Failure;
}

/**
 * Runs `replay`.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function replay(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, REPLAY_FLAGS, ["url"]);
  if (values.help) {
    io.out(REPLAY_HELP);
    return ExitCode.Success;
  }
  const from = parseNumber("from", values.from, [1, MAX_SEQUENCE]);
  if (from === undefined) throw new UsageError("--from is missing");
  const poster = values.post === undefined ? undefined : new Poster(values.post, io);
  let count = 0;
  let refused = 0;
  let failed = false;
  let gap: string | undefined;
  const receiver: WhatsAppReceiver = makeReceiver(positionals[0], io, values, {
    after: from - 1,
    window: 64,
    onError: (error) => {
      failed = true;
      io.err(`${explain(error)}\n`);
    },
    // The loop still gets notifications that came before.
    onCaughtUp: () => void receiver.disconnect().catch(() => {}),
    onGap: (after, until) => void (gap = `${after + 1} to ${until}`),
  });
  const ignoreStop = io.onStop(() => void receiver.disconnect().catch(() => {}));
  try {
    await receiver.connect();
    for await (const notification of receiver.notifications) {
      count++;
      if (poster === undefined) print(notification, values, io);
      else if (!await poster.once(notification)) refused++;
      if (io.terminal && count % 100 === 0) io.err(`\r${count} notifications`);
    }
  } catch (error) {
    io.err(`${explain(error)}\n`);
    return ExitCode.Failure;
  } finally {
    ignoreStop();
    await receiver.disconnect();
  }
  if (io.terminal && count >= 100) io.err("\r");
  if (gap !== undefined) io.err(`The server no longer has notifications ${gap}.\n`);
  io.err(`${count} notifications${refused > 0 ? `, ${refused} of them refused` : ""}.\n`);
  return refused > 0 || failed ? ExitCode.Failure : ExitCode.Success;
}

function makeReceiver(
  url: string | undefined,
  io: CliIo,
  values: CommonValues,
  more: WhatsAppReceiverOptions,
): WhatsAppReceiver {
  if (url === undefined) throw new UsageError("The URL of the server is missing");
  const certificate = values["root-certificate"];
  if (certificate !== undefined && !existsSync(certificate)) {
    throw new UsageError(`--root-certificate: there is no file "${certificate}"`);
  }
  const filter: WhatsAppFilter = {
    phoneNumberIds: values["phone-number-id"],
    accountIds: values["account-id"],
    fields: values.field,
  };
  const filters = Object.values(filter).some((list) => list !== undefined);
  const receiverToken = secretFrom(
    { flag: "token", given: values.token, variable: "WHATSAPP_RECEIVER_TOKEN" },
    io.env,
  );
  const appSecret = secretsFrom(
    { flag: "app-secret", given: values["app-secret"], variable: "WHATSAPP_APP_SECRET" },
    io.env,
  );
  try {
    return new WhatsAppReceiver(url, {
      receiverToken,
      appSecret: appSecret.length === 0 ? undefined : appSecret,
      rootCertificateFile: certificate,
      filter: filters ? filter : undefined,
      deduplicate: false,
      onError: (error) => io.err(`${explain(error)}\n`),
      onGap: (after, until) => io.err(`The server no longer has notifications ${after + 1} to ${until}.\n`),
      ...more,
    });
  } catch (error) {
    throw new UsageError(describe(error));
  }
}

function print(notification: WhatsAppNotification, values: CommonValues, io: CliIo): void {
  const { seq, signature, receivedAt, raw, records } = notification;
  if (values.raw) {
    const text = typeof raw === "string" ? raw : new TextDecoder().decode(raw);
    return io.out(jsonLine({ seq, signature, receivedAt, raw: text }));
  }
  const number = seq === undefined ? "" : `#${seq}`.padEnd(6) + " ";
  for (const record of records) {
    const line = `${localTime(receivedAt ?? new Date())}  ${number}${describeRecord(record)}`;
    io.out(values.json ? jsonLine({ seq, ...record }) : line);
  }
}

/** The text of an error, with the flags of this program in place of the options of the library. */
function explain(error: unknown): string {
  const text = printable(describe(error)).replace(
    'set "rootCertificateFile" to that of its authority',
    "give that of its authority with --root-certificate",
  );
  const isTokenRefused = error instanceof HandshakeError && error.status === 401;
  return isTokenRefused ? `${text}: check WHATSAPP_RECEIVER_TOKEN, or --token` : text;
}

/** Date and time as a clock on the wall of this machine shows them. */
function localTime(time: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
