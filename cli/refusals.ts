/**
 * Refused requests in the output of `serve`: what an operator looks for first who has entered the URL in
 * Meta's dashboard.
 *
 * @module
 */

import type { CliIo } from "./io.ts";
import { quote } from "../base/error_text.ts";
import { type LogHandler, type LogRecord, printable } from "../base/log.ts";

/** Time between two lines about peers that are no trusted proxies, in ms: they may come in floods. */
const INTERVAL = 60_000;

/**
 * Prints refusals from the records of a server.
 *
 * @param io Takes the lines.
 * @returns Takes the records.
 */
export function refusalPrinter(io: Pick<CliIo, "err">): LogHandler {
  let nextStranger = 0;
  return (record) => {
    if (record.event === "webhook.refused") return io.err(`${webhookLine(record)}\n`);
    const { reason, "network.peer.address": address } = record.attributes;
    if (record.event !== "connection.refused" || reason !== "behindProxy" || record.time < nextStranger) return;
    nextStranger = record.time + INTERVAL;
    const where = printable(`${address}`);
    io.err(`Request refused with 403: ${where} is none of --trusted-proxies; if it is the proxy, add it\n`);
  };
}

/** The server limits their number. */
function webhookLine({ attributes }: LogRecord): string {
  const { message, "url.path": path, omitted } = attributes;
  const more = omitted === undefined ? "" : ` (and ${omitted} more before)`;
  return `${printable(`${message}`)}; path ${printable(quote(`${path}`))}${more}`;
}
