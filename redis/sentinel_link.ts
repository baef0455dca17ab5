/**
 * Connections to the primary that sentinels name. They are given up as soon as a sentinel begins a fail-over: Sentinel
 * demotes a former primary only some 10 s after its replica took over, and it takes writes until then, which are lost.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import { unlessAborted } from "../base/promises.ts";
import type { RedisClient } from "./client.ts";
import type { LinkOpener, RedisLink, RedisLinkHandler } from "./link.ts";
import type { FindSentinels } from "./sentinels.ts";
import { RedisSession } from "./session.ts";
import type { RedisAddress, RedisSentinels } from "./source.ts";

/** Events of sentinels: a replica is about to be made primary, which only the leader of the fail-over tells; it was. */
const PROMOTING = "+failover-state-send-slaveof-noone";
const SWITCHED = "+switch-master";
/** States of a fail-over in which there may be two primaries, and the one with the known address is the wrong one. */
const PROMOTING_STATES: readonly string[] = ["send_slaveof_noone", "wait_promotion"];
/** Time for the other sentinels once one has answered, in ms: the leader of a fail-over knows more than they do. */
const GRACE = 300;
/** Time after which a fail-over that comes to no end counts as none, in ms. */
const MAX_PROMOTION = 10_000;

/** A primary as one sentinel knows it. */
interface Known {
  address: RedisAddress;
  /** Number of the fail-over that made it primary. */
  epoch: number;
  /** `true` while a replica is being made primary in its place. */
  isPromoting: boolean;
}

/** An open connection to a primary. */
interface Connection extends Known {
  leave(error: Error): void;
}

/**
 * Makes connections to the primary that sentinels name.
 *
 * @param find Returns the sentinels.
 * @param openerOf Makes connections with the options of a client.
 * @returns Opens one connection a call.
 */
export function sentinelOpener(find: FindSentinels, openerOf: (client: RedisClient) => LinkOpener): LinkOpener {
  const watch = new SentinelWatch(openerOf);
  return async (handler, signal) => {
    const sentinels = await find(signal);
    const known = await watch.ask(sentinels, signal);
    const client = await unlessAborted(Promise.resolve(sentinels.primary(known.address)), signal);
    return await watch.join(sentinels, known, await openerOf(client)(handler, signal), handler);
  };
}

/** The open connections to one primary, and those to its sentinels while there are any. */
class SentinelWatch {
  #openerOf: (client: RedisClient) => LinkOpener;
  #connections = new Set<Connection>();
  #sessions: RedisSession[] = [];
  #promotingSince: number | undefined;

  constructor(openerOf: (client: RedisClient) => LinkOpener) {
    this.#openerOf = openerOf;
  }

  /**
   * Asks all sentinels for the primary.
   *
   * @param sentinels The sentinels.
   * @param signal Aborts it.
   * @returns The primary by the latest fail-over that any of them knows.
   * @throws {Error} If none knows it, or a replica is being made primary.
   */
  async ask({ name, sentinels }: RedisSentinels, signal: AbortSignal): Promise<Known> {
    const answers: Known[] = [];
    let failure: unknown;
    const late = Promise.withResolvers<void>();
    let cancel: (() => void) | undefined;
    const end = new AbortController();
    const abort = (): void => end.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const asking = Promise.all(sentinels.map(async (sentinel) => {
      try {
        answers.push(await askOne(this.#openerOf(sentinel), name, end.signal));
        cancel ??= systemClock.after(GRACE, late.resolve);
      } catch (error) {
        failure ??= error;
      }
    }));
    await Promise.race([asking, late.promise]);
    cancel?.();
    end.abort(new Error("the other sentinels have answered"));
    await asking;
    signal.removeEventListener("abort", abort);
    signal.throwIfAborted();
    if (answers.length === 0) {
      throw new Error(`no sentinel names the primary "${name}": ${describe(failure)}`, { cause: failure });
    }
    const epoch = Math.max(...answers.map((answer) => answer.epoch));
    const latest = answers.filter((answer) => answer.epoch === epoch);
    if (!latest.some(({ isPromoting }) => isPromoting)) this.#promotingSince = undefined;
    else if (systemClock.now() - (this.#promotingSince ??= systemClock.now()) < MAX_PROMOTION) {
      throw new Error(`a replica is being made the primary "${name}" by the sentinels`);
    }
    return latest[0]!;
  }

  /**
   * Adds an open connection to a primary.
   *
   * @param sentinels The sentinels.
   * @param known The primary.
   * @param link The connection.
   * @param handler Its events.
   * @returns The connection, which is watched until it is closed.
   */
  join(sentinels: RedisSentinels, known: Known, link: RedisLink, handler: RedisLinkHandler): RedisLink {
    const connection: Connection = { ...known, leave: (error) => handler.closed(error) };
    this.#connections.add(connection);
    if (this.#sessions.length === 0) this.#sessions = sentinels.sentinels.map((one) => this.#connect(one, sentinels));
    return {
      ...link,
      destroy: async () => {
        const isLast = this.#connections.delete(connection) && this.#connections.size === 0;
        const sessions = isLast ? this.#sessions.splice(0) : [];
        await Promise.all([link.destroy(), ...sessions.map((session) => session.close())]);
      },
    };
  }

  #connect(sentinel: RedisClient, { name }: RedisSentinels): RedisSession {
    return new RedisSession(this.#openerOf(sentinel), systemClock, {
      up: async (link) => {
        // For all that was missed since the primary was asked for.
        const known = await query(link, name);
        this.#leaveOlder(known);
        await link.subscribe([PROMOTING, SWITCHED]);
      },
      // Others may tell; a dead sentinel is connected again, and asked.
      down: () => {},
      message: (channel, text) => this.#take(name, channel, text.split(" ")),
    });
  }

  #leaveOlder({ address, epoch, isPromoting }: Known): void {
    for (const connection of [...this.#connections]) {
      if (epoch < connection.epoch) continue;
      if (epoch > connection.epoch && !isSame(address, connection.address)) this.#leave(connection, address);
      else if (isPromoting) this.#leave(connection);
    }
  }

  #take(name: string, channel: string, words: readonly string[]): void {
    // "slave HOST:PORT HOST PORT @ NAME …", and "NAME HOST PORT NEW-HOST NEW-PORT".
    const [first, , , host = "", port, of] = words;
    if ((channel === PROMOTING ? of : first) !== name) return;
    const address = { host, port: Number(port) };
    for (const connection of [...this.#connections]) {
      if (channel === PROMOTING) this.#leave(connection);
      else if (!isSame(address, connection.address)) this.#leave(connection, address);
    }
  }

  #leave(connection: Connection, to?: RedisAddress): void {
    const what = to === undefined ? "begin a fail-over" : `have made ${to.host}:${to.port} the primary`;
    connection.leave(new Error(`the sentinels ${what}`));
  }
}

function isSame(one: RedisAddress, other: RedisAddress): boolean {
  return one.host === other.host && one.port === other.port;
}

async function askOne(open: LinkOpener, name: string, signal: AbortSignal): Promise<Known> {
  const link = await open({ message() {}, closed() {} }, signal);
  try {
    return await unlessAborted(query(link, name), signal);
  } finally {
    await link.destroy();
  }
}

async function query(link: RedisLink, name: string): Promise<Known> {
  const [address, details] = await Promise.all([
    link.send(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]),
    // May be forbidden; and during a fail-over it has the address of the old primary for a second longer.
    link.send(["SENTINEL", "MASTER", name]).catch(() => undefined),
  ]);
  if (!Array.isArray(address)) throw new Error("it does not know that name");
  return {
    address: { host: String(address[0]), port: Number(address[1]) },
    epoch: Number(field(details, "config-epoch") ?? 0),
    isPromoting: PROMOTING_STATES.includes(String(field(details, "failover-state"))),
  };
}

/** Reads a field of an answer, which is a list, a map or an object, by the client and its protocol. */
function field(answer: unknown, name: string): unknown {
  if (Array.isArray(answer)) {
    const at = answer.indexOf(name);
    return at < 0 ? undefined : answer[at + 1];
  }
  return answer instanceof Map ? answer.get(name) : (answer as Record<string, unknown> | undefined)?.[name];
}
