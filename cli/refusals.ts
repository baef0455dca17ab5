/**
 * Refused requests in the output of `serve`: what an operator looks for first who has entered the URL in
 * Meta's dashboard.
 *
 * @module
 */

import type { CliIo } from "./io.ts";
import { quote } from "../base/error_text.ts";
import { type LogHandler, type LogRecord, printable } from "../base/log.ts";

/** Time between two lines of one kind about peers that are refused, in ms: they may come in floods. */
const INTERVAL = 60_000;

/** Flags of the program for options that the messages of the server name. */
const FLAGS: readonly (readonly [option: string, flag: string])[] = [
  ['"verifyToken"', "--verify-token"],
  ['"appSecret"', "--app-secret"],
  ['"clientCertificateForm"', "--client-certificate-form"],
];

/**
 * Prints refusals from the records of a server.
 *
 * @param io Takes the lines.
 * @returns Takes the records.
 */
export function refusalPrinter(io: Pick<CliIo, "err">): LogHandler {
  const next = { allow: 0, behindProxy: 0 };
  return (record) => {
    if (record.event === "webhook.refused") return io.err(`${webhookLine(record)}\n`);
    const { reason, "network.peer.address": peer, "client.address": client = peer } = record.attributes;
    if (record.event !== "connection.refused" || reason !== "behindProxy" && reason !== "allow") return;
    if (record.time < next[reason]) return;
    next[reason] = record.time + INTERVAL;
    io.err(
      reason === "allow"
        ? `Receiver refused with 401: ${printable(`${client}`)} has shown no token of --receiver-token\n`
        : `Request refused with 403: ${
          printable(`${peer}`)
        } is none of --trusted-proxies; if it is the proxy, add it\n`,
    );
  };
}

/** The server limits their number. */
function webhookLine({ attributes }: LogRecord): string {
  const { message, "url.path": path, omitted } = attributes;
  const more = omitted === undefined ? "" : ` (and ${omitted} more before)`;
  const text = FLAGS.reduce((text, [option, flag]) => text.replace(option, flag), `${message}`);
  return `${printable(text)}; path ${printable(quote(`${path}`))}${more}`;
}
