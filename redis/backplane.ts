/**
 * A backplane over Redis, for processes and machines: `PUBLISH` and `SUBSCRIBE`, with a channel for each topic, so that
 * a node gets only the topics that it subscribes to.
 *
 * A message on the wire is text: sender, count, number on the channel in that count, "t" for text or "b" for bytes in
 * Base64, and the message, with ":" between them. Gaps between the numbers reveal missed messages.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import type { Backplane, BackplaneListener, BackplaneSubscription } from "../pubsub/backplane.ts";
import { fromBase64, toBase64 } from "../base/encoding.ts";
import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import { BackplaneError, describe, OptionError } from "../base/errors.ts";
import { byteLength, type Payload } from "../protocol/payload.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import { Availability } from "./availability.ts";
import { Heartbeats, type PathChange } from "./heartbeats.ts";
import type { RedisLink } from "./link.ts";
import { linkOpener, shardedLinkOpener } from "./open_link.ts";
import type { PrimaryLink } from "./primary_link.ts";
import { readDatabase } from "./server_config.ts";
import { type RedisLoss, RedisSession } from "./session.ts";
import type { RedisSource } from "./source.ts";

/** Options of a {@linkcode RedisBackplane}. */
export interface RedisBackplaneOptions {
  /**
   * Prefix of the channels: the same on all nodes of one service, and different for each service. Behind it comes the
   * number of the database, unless it is 0, since Redis has one set of channels for all databases.
   * @default {"tackline:"}
   */
  prefix?: string | undefined;
  /**
   * Maximum of bytes that wait for the answer of Redis; messages beyond it are lost. 0: no limit.
   * @default {16777216}
   */
  maxPendingSize?: number | undefined;
  /**
   * Name of this node in errors of other nodes, of which they show at most 64 characters.
   * @default a random one
   */
  name?: string | undefined;
  /**
   * `true`: sharded channels of a cluster (`SPUBLISH`), each at the server that has its slot, instead of channels that
   * Redis passes on to all servers. The same on all nodes of one service; it needs a cluster client.
   * @default {false}
   */
  sharded?: boolean | undefined;
  /**
   * Clock, to be replaced in tests.
   * @default {systemClock}
   */
  clock?: Clock | undefined;
}

/** The settings of a backplane. */
export const REDIS_BACKPLANE_SETTINGS: SettingsTable<RedisBackplaneSettings> = {
  prefix: { kind: "string", default: "tackline:", check: (prefix) => assertWellFormed("The prefix", prefix) },
  maxPendingSize: { kind: "number", unit: "bytes", default: 16 * 1024 * 1024 },
  name: { kind: "string", default: undefined, check: assertNodeName },
  sharded: { kind: "boolean", default: false },
  clock: { kind: "object", default: systemClock, check: assertClock },
};

/** {@linkcode RedisBackplaneOptions} with nothing left out but a name. */
export interface RedisBackplaneSettings extends Complete<Omit<RedisBackplaneOptions, "name">> {
  /** See `RedisBackplaneOptions`. */
  name: string | undefined;
}

const backplaneOptions = new FieldsReader("RedisBackplane", REDIS_BACKPLANE_SETTINGS, {
  hints: { keyPrefix: 'use "prefix"', channelPrefix: 'use "prefix"', url: "give a client as the first argument" },
});

function assertNodeName(name: string | undefined): void {
  if (name === "") throw new OptionError('The setting "name" is "", not the name of a node');
}

/** Maximum of channels in one `SUBSCRIBE`. */
const BATCH = 500;
/** Maximum of channels, and of senders on a channel, whose counters are kept. */
const MAX_COUNTED = 10_000;

/** Channel of the heartbeats, and the interval between those of a node, in ms. */
const NODES = "!nodes";
const BEAT_INTERVAL = 5000;

/** Explains missed messages, as far as it can be known: Redis closes the connection without a reason. */
const AFTER_LOSS =
  ': the connection was lost meanwhile; Redis closes that of a node which is too slow, see "client-output-buffer-limit"';

const READY = Promise.resolve();

/** A channel with subscriptions. */
interface Channel {
  receivers: Set<(data: Payload) => void>;
  /** Resolves when Redis has confirmed the channel on the present connection. */
  ready: PromiseWithResolvers<void>;
  /** Last number of each sender, its count, and the loss of the connection before it. */
  numbers: Map<string, { count: number; number: number; loss: number }>;
}

/** The present connection of the subscriber. */
interface Live {
  link: RedisLink;
  /** Channels confirmed by Redis. */
  confirmed: Set<string>;
  /** Channels that wait for an answer of Redis. */
  busy: Set<string>;
}

/**
 * A backplane over Redis 7 or later. It opens two connections of its own from the client it is given; the client is not
 * used otherwise, and not closed.
 *
 * Messages published while Redis is away are lost for other nodes, and counted in `stats().backplane`; connections of
 * the same node get them. Redis does not authenticate senders: a program that can reach it can send to all clients, so
 * other programs must not reach it.
 *
 * @example
 * ```ts
 * import { RedisBackplane, type RedisClient, WebSocketServer } from "@tackline/websocket";
 *
 * // The client is that of Bun, of npm:redis or of npm:ioredis.
 * export function makeServer(client: RedisClient) {
 *   return new WebSocketServer({ port: 8080, reusePort: true, backplane: new RedisBackplane(client) });
 * }
 * ```
 */
export class RedisBackplane implements Backplane {
  /** Prefix of all channels; with the number of the database once a connection has told it. */
  #prefix: string;
  #maxPending: number;
  #sharded: boolean;
  readonly #id = randomBytes(12).toString("base64url");
  #listener: BackplaneListener | undefined;
  #closed = false;

  // Sending
  #publisher: RedisSession;
  #pending = 0;
  #lastPublish: Promise<unknown> = Promise.resolve();
  /** Number of messages published on each channel, in the present count. */
  #numbers = new Map<string, number>();
  #count = 0;

  // Receiving
  #subscriber: RedisSession;
  #channels = new Map<string, Channel>();
  #live: Live | undefined;
  #missed = 0;
  /** Number of times that the connection was lost. */
  #losses = 0;

  // Sending and receiving
  #clock: Clock;
  #up = { publisher: false, subscriber: false };
  #availability: Availability;
  #heartbeats: Heartbeats;
  #cancelBeat: () => void = () => {};
  /** Request for the role that is being answered, the next request, and their connection. */
  #role: Promise<void> = READY;
  #nextRole: Promise<void> | undefined;
  #roleLink: PrimaryLink | undefined;

  /**
   * Begins to connect.
   *
   * @param source The program's client, sentinels, or a function that makes a client for each attempt to connect.
   * @param options Settings.
   * @throws {OptionError} If the client is of an unknown kind, or a setting is out of range.
   */
  constructor(source: RedisSource, options: RedisBackplaneOptions = {}) {
    const { prefix, maxPendingSize, name = this.#id, sharded, clock } = backplaneOptions.read(options);
    const open = sharded ? shardedLinkOpener(source, prefix + NODES) : linkOpener(source);
    this.#sharded = sharded;
    this.#clock = clock;
    this.#availability = new Availability(clock, (message, cause) => {
      this.#report("ERR_BACKPLANE_AWAY", message, cause);
    });
    this.#heartbeats = new Heartbeats(this.#id, name);
    this.#prefix = prefix;
    this.#maxPending = maxPendingSize;
    this.#publisher = new RedisSession(open, clock, {
      up: async (link) => {
        await this.#setDatabase(link, prefix);
        this.#wentUp("publisher");
      },
      down: (error, loss) => this.#wentDown("publisher", error, loss),
    });
    this.#subscriber = new RedisSession(open, clock, {
      up: async (link, progress) => {
        await this.#setDatabase(link, prefix);
        await this.#subscribeAll(link, progress);
      },
      down: (error, loss) => this.#subscriberWentDown(error, loss),
      message: (channel, text) => this.#onMessage(channel, text),
    });
    this.subscribe(NODES, () => {});
    this.#scheduleBeat();
  }

  /** Channels belong to all databases of a Redis: those of the first have no number, as in earlier versions. */
  async #setDatabase(link: RedisLink, prefix: string): Promise<void> {
    const database = await readDatabase(link);
    this.#prefix = database === 0 ? prefix : `${prefix}!${database}:`;
  }

  #wentUp(side: "publisher" | "subscriber"): void {
    this.#up[side] = true;
    if (side === "subscriber") this.#heartbeats.listens();
    if (this.#up.publisher && this.#up.subscriber) this.#availability.up();
  }

  #wentDown(side: "publisher" | "subscriber", cause: Error, loss: RedisLoss): void {
    this.#up[side] = false;
    // The second connection may lead to the same server, which is no primary any more.
    if (side === "publisher") {
      this.#heartbeats.interrupted();
      this.#subscriber.check();
    }
    this.#availability.down(cause, loss);
  }

  // ---- Other nodes ---------------------------------------------------------------------------------------------

  #scheduleBeat(): void {
    this.#cancelBeat = this.#clock.after(BEAT_INTERVAL, () => {
      this.#scheduleBeat();
      const { link } = this.#publisher;
      if (link === undefined || this.#live === undefined) return;
      this.#reportPath(this.#heartbeats.checkOwn());
      link.send(["PUBLISH", this.#prefix + NODES, this.#heartbeats.next()]).then(
        () => this.#heartbeats.sent(),
        () => this.#heartbeats.interrupted(),
      );
    });
  }

  /** Reports a closed path once, and tries a new connection once. */
  #reportPath(change: PathChange | undefined): void {
    if (change === undefined) return;
    const node = change.name === "itself" ? "this node itself" : `the node ${change.name}`;
    if (change.open) {
      return this.#report("ERR_BACKPLANE_ONE_WAY", `Messages of this node reach ${node} again`);
    }
    const why = "their connections to Redis may lead to different servers";
    const error = new BackplaneError("ERR_BACKPLANE_ONE_WAY", `Messages of this node do not reach ${node}: ${why}`);
    this.#listener?.error(error);
    this.#publisher.restart(error);
    if (change.name === "itself") this.#subscriber.restart(error);
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Publishes a message to all other nodes that subscribe to a channel.
   *
   * @param channel The channel.
   * @param data The message.
   * @returns Resolves when Redis has it. Rejects with a {@linkcode BackplaneError} if it is lost, or may be.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async publish(channel: string, data: string | Uint8Array): Promise<void> {
    assertWellFormed("The channel", channel);
    const number = this.#nextNumber(channel);
    const link = this.#publisher.link;
    if (link === undefined) throw lost("Redis is away");
    const head = `${this.#id}:${this.#count}:${number}`;
    const text = typeof data === "string" ? `${head}:t:${data}` : `${head}:b:${toBase64(data)}`;
    const length = byteLength(text);
    if (this.#maxPending > 0 && this.#pending + length > this.#maxPending) {
      throw lost(`${this.#pending} bytes wait for Redis already`);
    }
    this.#pending += length;
    const sent = this.#send(link, ["PUBLISH", this.#prefix + channel, text], length);
    this.#lastPublish = sent.catch(() => {});
    return sent;
  }

  async #send(link: PrimaryLink, command: string[], length: number): Promise<void> {
    try {
      await link.send(command).finally(() => this.#pending -= length);
      // A replica passes a sharded message on to its primary.
      if (link.reportsRole && !this.#sharded) await this.#askRole(link);
    } catch (cause) {
      throw lost(describe(cause), cause);
    }
  }

  /**
   * A replica accepts messages that no other node hears. One question at a time is asked, for all messages published
   * before it.
   */
  #askRole(link: PrimaryLink): Promise<void> {
    if (link !== this.#roleLink) this.#nextRole = undefined;
    this.#roleLink = link;
    return this.#nextRole ??= this.#role.catch(() => {}).then(() => {
      if (link === this.#roleLink) this.#nextRole = undefined;
      return this.#role = link.assertPrimary();
    });
  }

  #nextNumber(channel: string): number {
    const number = (this.#numbers.get(channel) ?? 0) + 1;
    if (number === 1 && this.#numbers.size >= MAX_COUNTED) {
      // Other nodes take an unknown count as one that has just begun.
      this.#numbers.clear();
      this.#count++;
    }
    this.#numbers.set(channel, number);
    return number;
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /**
   * Subscribes to a channel.
   *
   * @param name The channel.
   * @param receive Takes the messages of other nodes.
   * @returns The subscription.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  subscribe(name: string, receive: (data: string | Uint8Array) => void): BackplaneSubscription {
    assertWellFormed("The channel", name);
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { receivers: new Set(), ready: Promise.withResolvers<void>(), numbers: new Map() };
      this.#channels.set(name, channel);
      if (this.#closed) channel.ready.resolve();
      else if (this.#live !== undefined) void this.#reconcile(this.#live, name);
    }
    channel.receivers.add(receive);
    const own = channel;
    const publisher = this.#publisher;
    let ended = false;
    return {
      get ready(): Promise<void> {
        return ended ? Promise.resolve() : own.ready.promise.then(() => ended ? undefined : publisher.ready);
      },
      close: () => {
        ended = true;
        this.#leave(name, own, receive);
      },
    };
  }

  #leave(name: string, channel: Channel, receive: (data: Payload) => void): void {
    channel.receivers.delete(receive);
    if (channel.receivers.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    channel.ready.resolve();
    if (this.#live !== undefined) void this.#reconcile(this.#live, name);
  }

  /**
   * Subscribes to a channel in Redis, or unsubscribes, as the subscriptions here require. One step follows the other,
   * since `npm:redis` forgets a subscription that is made before the end of the previous one is confirmed. A failed
   * step is repeated by the next connection.
   */
  async #reconcile(live: Live, name: string): Promise<void> {
    if (live.busy.has(name)) return;
    live.busy.add(name);
    try {
      while (live === this.#live && this.#channels.has(name) !== live.confirmed.has(name)) {
        if (live.confirmed.delete(name)) await live.link.unsubscribe([this.#prefix + name]);
        else {
          await live.link.subscribe([this.#prefix + name]);
          live.confirmed.add(name);
        }
      }
    } catch (error) {
      if (live === this.#live) this.#subscriber.restart(error);
      return;
    }
    live.busy.delete(name);
    if (live === this.#live) this.#channels.get(name)?.ready.resolve();
  }

  async #subscribeAll(link: RedisLink, progress: () => void): Promise<void> {
    const live: Live = { link, confirmed: new Set(), busy: new Set() };
    this.#live = live;
    // Subscriptions that change meanwhile are reconciled after each batch.
    const names = [...this.#channels.keys()];
    for (const name of names) live.busy.add(name);
    for (let at = 0; at < names.length; at += BATCH) {
      const batch = names.slice(at, at + BATCH);
      await link.subscribe(batch.map((name) => this.#prefix + name));
      progress();
      for (const name of batch) {
        live.confirmed.add(name);
        live.busy.delete(name);
        void this.#reconcile(live, name);
      }
    }
    if (live === this.#live) this.#wentUp("subscriber");
  }

  #subscriberWentDown(error: Error, loss: RedisLoss): void {
    // Subscriptions made from now on wait for the next connection.
    for (const name of this.#live?.confirmed ?? []) {
      const channel = this.#channels.get(name);
      if (channel !== undefined) channel.ready = Promise.withResolvers<void>();
    }
    this.#live = undefined;
    this.#losses++;
    this.#wentDown("subscriber", error, loss);
  }

  #onMessage(name: string, text: string): void {
    const key = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : "";
    const channel = this.#channels.get(key);
    // A message may still arrive after the end of the subscription.
    if (channel === undefined) return;
    if (key === NODES && text.startsWith("{")) return this.#onBeat(name, text);
    const message = parseMessage(text);
    if (message === undefined) {
      return this.#report("ERR_BACKPLANE_MESSAGE", `The message on "${name}" is not one of this backplane`);
    }
    if (message.sender === this.#id || !this.#isNext(channel, message)) return;
    for (const receive of [...channel.receivers]) receive(message.data);
  }

  #onBeat(name: string, text: string): void {
    const change = this.#heartbeats.take(text);
    if (change === "unknown") {
      this.#report("ERR_BACKPLANE_MESSAGE", `The message on "${name}" is not one of this backplane`);
    } else this.#reportPath(change);
  }

  /** Counts missed messages, and stops repeated ones. */
  #isNext({ numbers }: Channel, { sender, count, number }: Message): boolean {
    const last = numbers.get(sender);
    if (last !== undefined && (count < last.count || (count === last.count && number <= last.number))) return false;
    if (last === undefined && numbers.size >= MAX_COUNTED) numbers.clear();
    numbers.set(sender, { count, number, loss: this.#losses });
    if (last === undefined || count > last.count || number === last.number + 1) return true;
    const missed = number - last.number - 1;
    this.#missed += missed;
    this.#listener?.missed(missed);
    const [what, have] = missed === 1 ? ["message", "has"] : ["messages", "have"];
    const why = last.loss === this.#losses ? "" : AFTER_LOSS;
    const message = `${missed} ${what} of another node ${have} not come; ${this.#missed} in all${why}`;
    this.#report("ERR_BACKPLANE_MISSED", message);
    return true;
  }

  #report(code: BackplaneError["code"] & `ERR_BACKPLANE_${string}`, message: string, cause?: unknown): void {
    this.#listener?.error(new BackplaneError(code, message, cause === undefined ? undefined : { cause }));
  }

  /**
   * Sets the listener.
   *
   * @param listener The server.
   */
  listen(listener: BackplaneListener | undefined): void {
    this.#listener = listener;
  }

  /** Closes the connections, once all published messages are answered. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelBeat();
    await this.#lastPublish;
    await Promise.all([this.#publisher.close(), this.#subscriber.close()]);
    this.#availability.reset();
    for (const { ready } of this.#channels.values()) ready.resolve();
    this.#channels.clear();
  }

  /** Closes the connections, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Message {
  sender: string;
  /** Count to which the number belongs. */
  count: number;
  number: number;
  data: Payload;
}

function parseMessage(text: string): Message | undefined {
  const [sender = "", count, number] = text.split(":", 3);
  const head = `${sender}:${count}:${number}:`;
  const kind = text.slice(head.length, head.length + 2);
  if (sender === "" || !isNumber(count) || !isNumber(number) || (kind !== "t:" && kind !== "b:")) return undefined;
  const body = text.slice(head.length + 2);
  const data = kind === "t:" ? body : fromBase64(body);
  return { sender, count: Number(count), number: Number(number), data };
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && text !== "" && Number.isSafeInteger(Number(text));
}

function lost(why: string, cause?: unknown): BackplaneError {
  return new BackplaneError(
    "ERR_BACKPLANE_LOST",
    `Cannot publish: ${why}`,
    cause === undefined ? undefined : { cause },
  );
}
