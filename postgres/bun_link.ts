/**
 * Connections with the client that is built into Bun: a client of its own for each, with the options of the program's.
 *
 * @module
 */

import { Ending } from "../base/ending.ts";
import type { BunSqlClient } from "./client.ts";
import type { PostgresLink, PostgresLinkHandler, SqlColumn, SqlValue } from "./link.ts";

interface Query extends Promise<unknown> {
  values(): Promise<readonly (readonly SqlColumn[])[]>;
}

interface Reserved {
  unsafe(text: string, values?: readonly SqlValue[]): Query;
}

interface OwnBun {
  reserve(): Promise<Reserved>;
  listen?(channel: string, listener: (payload: string) => void): Promise<unknown>;
  close(options: { timeout: number }): Promise<unknown>;
}

interface BunOptions {
  readonly query?: string | undefined;
  readonly sslMode?: number | undefined;
}

type BunClass = new (options: object) => OwnBun;

/** Modes of TLS, by the numbers that the options have. */
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/** The mode of TLS, which is set by another option than the one it is read from. */
function modeOfTls({ sslMode = 0 }: BunOptions): { ssl?: string | undefined } {
  return sslMode === 0 ? {} : { ssl: SSL_MODES[sslMode] };
}

/** Run-time parameters, which the options have in the form of the protocol: a copy would lose them. */
function runtimeParameters({ query = "" }: BunOptions): Record<string, string> {
  const parts = query.split("\0");
  const found: Record<string, string> = {};
  for (let at = 0; at + 1 < parts.length; at += 2) found[parts[at]!] = parts[at + 1]!;
  return found;
}

/**
 * Opens a connection with the options of a client that is built into Bun.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openBun(
  client: BunSqlClient,
  handler: PostgresLinkHandler,
  signal: AbortSignal,
): Promise<PostgresLink> {
  const ending = new Ending(handler);
  const options = client.options as BunOptions;
  const own = new (client.constructor as BunClass)({
    ...options,
    ...modeOfTls(options),
    connection: runtimeParameters(options),
    max: 1,
    idleTimeout: 0,
    maxLifetime: 0,
    prepare: false,
    onclose: (error: unknown) => ending.now(error),
  });
  const destroy = (): void => {
    ending.now(undefined);
    own.close({ timeout: 0 }).catch(() => {});
  };
  let reserved: Reserved | undefined;
  await ending.open(async () => reserved = await own.reserve(), destroy, signal);
  return {
    async query(text, values) {
      if (ending.hasEnded) throw new Error("the connection was lost");
      return await reserved!.unsafe(text, values).values();
    },
    listen: typeof own.listen === "function"
      ? (channel) => own.listen!(channel, (payload) => handler.notified(payload))
      : undefined,
    destroy: () => ending.run(destroy),
  };
}
