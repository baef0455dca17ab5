/**
 * A backplane over Redis, for processes and machines: `PUBLISH` and `SUBSCRIBE`, a channel for each topic, so that a node gets only what
 * somebody there wants.
 *
 * A message on the wire is text: who sends it, in which count, its number on the channel in that count, "t" for text or "b" for bytes in
 * Base64, and the message, with ":" between them. The numbers tell what was missed.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import type { Backplane, BackplaneListener, BackplaneSubscription } from "../pubsub/backplane.ts";
import { fromBase64, toBase64 } from "../base/encoding.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { BackplaneError, describe, OptionError } from "../base/errors.ts";
import { byteLength, type MessageData } from "../protocol/payload.ts";
import { assertNumber, assertWellFormed } from "../base/ranges.ts";
import { assertRedisClient, type RedisClient, type RedisLink } from "./client.ts";
import { RedisNodes, type WayChange } from "./heartbeats.ts";
import type { PrimaryLink } from "./primary_link.ts";
import { RedisSession } from "./session.ts";

/** Settings of a {@linkcode RedisBackplane}. */
export interface RedisBackplaneOptions {
  /**
   * What the names of its channels begin with: the same on all nodes of one service, another one for each service.
   * @default {"tackline:"}
   */
  prefix?: string;
  /**
   * The most bytes that wait for the answer of Redis; what is published beyond it is lost. 0: no limit.
   * @default {16777216}
   */
  maxPendingAmount?: number;
  /**
   * Name of this node in errors of other nodes, of which they show at most 64 characters.
   * @default a random one
   */
  name?: string;
  /**
   * Time, for tests.
   * @default {systemClock}
   */
  clock?: Clock;
}

/** So many channels are subscribed to at once. */
const BATCH = 500;
/** For so many channels a node remembers how far others have counted, and how far itself. */
const MAX_COUNTED = 10_000;

/** Channel in which nodes tell whom they hear, and how often each does, in ms. */
const NODES = "!nodes";
const BEAT_INTERVAL = 5000;

const READY = Promise.resolve();

/** One channel that is listened to. */
interface Channel {
  receivers: Set<(data: MessageData) => void>;
  /** Settled when Redis has confirmed it on the connection there is now. */
  ready: PromiseWithResolvers<void>;
  /** The last number of each sender, and in which count. */
  numbers: Map<string, { count: number; number: number }>;
}

/** The connection for what is received. */
interface Live {
  link: RedisLink;
  /** Channels that Redis has confirmed. */
  confirmed: Set<string>;
  /** Channels that wait for an answer. */
  busy: Set<string>;
}

/**
 * A backplane over Redis 7 or later. It makes two connections of its own from the client it is given, which it does not use otherwise and
 * does not close.
 *
 * While Redis is away what is published is lost, and `stats().backplane` counts it; connections of the same node get it all the same.
 * Redis tells nobody apart: whoever can reach it can send to all clients, so it must not be reachable by others.
 *
 * @example
 * ```ts
 * import { RedisBackplane, type RedisClient, WebSocketServer } from "@tackline/websocket";
 *
 * // The client is one of npm:redis, npm:ioredis or Bun.
 * export function makeServer(client: RedisClient) {
 *   return new WebSocketServer({ port: 8080, reusePort: true, backplane: new RedisBackplane(client) });
 * }
 * ```
 */
export class RedisBackplane implements Backplane {
  #prefix: string;
  #maxPending: number;
  readonly #id = randomBytes(12).toString("base64url");
  #listener: BackplaneListener | undefined;
  #closed = false;

  // Sending
  #publisher: RedisSession;
  #pending = 0;
  #lastPublish: Promise<unknown> = Promise.resolve();
  /** How many were published on each channel, in the present count. */
  #numbers = new Map<string, number>();
  #count = 0;

  // Receiving
  #subscriber: RedisSession;
  #channels = new Map<string, Channel>();
  #live: Live | undefined;
  #missed = 0;

  // Both
  #clock: Clock;
  #up = { publisher: false, subscriber: false };
  /** Since when the listener knows that Redis is away, by the clock. */
  #awaySince: number | undefined;
  #awayReason = "";
  #nodes: RedisNodes;
  #cancelBeat: () => void = () => {};
  /** The last question for the role, the next one, and the connection of both. */
  #role: Promise<void> = READY;
  #nextRole: Promise<void> | undefined;
  #roleLink: PrimaryLink | undefined;

  /**
   * Begins to connect.
   *
   * @param client The program's client.
   * @param options Settings.
   * @throws {OptionError} If the client is of no kind that is known, or a setting is out of range.
   */
  constructor(client: RedisClient, options: RedisBackplaneOptions = {}) {
    const { prefix = "tackline:", maxPendingAmount = 16 * 1024 * 1024, name = this.#id, clock = systemClock } = options;
    assertRedisClient(client);
    if (typeof prefix !== "string") throw new OptionError(`The prefix is a ${typeof prefix} instead of a string`);
    assertWellFormed("The prefix", prefix);
    assertNumber("maxPendingAmount", maxPendingAmount);
    if (typeof name !== "string" || name === "") throw new OptionError(`The name ${JSON.stringify(name)} is no text`);
    this.#clock = clock;
    this.#nodes = new RedisNodes(this.#id, name);
    this.#prefix = prefix;
    this.#maxPending = maxPendingAmount;
    this.#publisher = new RedisSession(client, clock, {
      up: () => {
        this.#wentUp("publisher");
        return Promise.resolve();
      },
      down: (error) => this.#wentDown("publisher", error),
    });
    this.#subscriber = new RedisSession(client, clock, {
      up: (link, progress) => this.#subscribeAll(link, progress),
      down: (error) => this.#subscriberWentDown(error),
      message: (channel, text) => this.#onMessage(channel, text),
    });
    this.subscribe(NODES, () => {});
    this.#scheduleBeat();
  }

  #wentUp(side: "publisher" | "subscriber"): void {
    this.#up[side] = true;
    if (side === "subscriber") this.#nodes.listens();
    if (this.#awaySince === undefined || !this.#up.publisher || !this.#up.subscriber) return;
    const seconds = ((this.#clock.now() - this.#awaySince) / 1000).toFixed(1);
    this.#awaySince = undefined;
    const message = `Redis is there again after ${seconds} s: messages go and come; it was away: ${this.#awayReason}`;
    this.#tell("ERR_BACKPLANE_AWAY", message);
  }

  #wentDown(side: "publisher" | "subscriber", cause: Error): void {
    this.#up[side] = false;
    // The other connection may lead to the same server, which is no primary any more.
    if (side === "publisher") {
      this.#nodes.interrupted();
      this.#subscriber.check();
    }
    this.#awayReason = describe(cause);
    if (this.#awaySince !== undefined) return;
    this.#awaySince = this.#clock.now();
    this.#tell("ERR_BACKPLANE_AWAY", `Redis is away: ${this.#awayReason}`, cause);
  }

  // ---- Other nodes ---------------------------------------------------------------------------------------------

  #scheduleBeat(): void {
    this.#cancelBeat = this.#clock.after(BEAT_INTERVAL, () => {
      this.#scheduleBeat();
      const { link } = this.#publisher;
      if (link === undefined || this.#live === undefined) return;
      this.#tellWay(this.#nodes.checkOwn());
      link.send(["PUBLISH", this.#prefix + NODES, this.#nodes.next()]).then(
        () => this.#nodes.sent(),
        () => this.#nodes.interrupted(),
      );
    });
  }

  /** A way that is closed is told once, and tried once over a new connection. */
  #tellWay(change: WayChange | undefined): void {
    if (change === undefined) return;
    const node = change.name === "itself" ? "this node itself" : `the node ${change.name}`;
    if (change.open) {
      return this.#tell("ERR_BACKPLANE_ONE_WAY", `Messages of this node reach ${node} again`);
    }
    const why = "their connections to Redis may lead to different servers";
    const error = new BackplaneError("ERR_BACKPLANE_ONE_WAY", `Messages of this node do not reach ${node}: ${why}`);
    this.#listener?.error(error);
    this.#publisher.restart(error);
    if (change.name === "itself") this.#subscriber.restart(error);
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends to all other nodes that listen to a channel.
   *
   * @param channel The channel.
   * @param data A text or bytes.
   * @returns Resolves when Redis has it. Rejects with a {@linkcode BackplaneError} if it is lost, or may be.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async publish(channel: string, data: MessageData): Promise<void> {
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
      if (link.tellsRole) await this.#askRole(link);
    } catch (cause) {
      throw lost(describe(cause), cause);
    }
  }

  /** A replica takes what is published, and no other node hears it. One question at a time is for all that was published before it. */
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
      // Others take a count that is new to them as one that has just begun.
      this.#numbers.clear();
      this.#count++;
    }
    this.#numbers.set(channel, number);
    return number;
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /**
   * Listens to a channel.
   *
   * @param name The channel.
   * @param receive Gets what other nodes send.
   * @returns The subscription.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  subscribe(name: string, receive: (data: MessageData) => void): BackplaneSubscription {
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

  #leave(name: string, channel: Channel, receive: (data: MessageData) => void): void {
    channel.receivers.delete(receive);
    if (channel.receivers.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    channel.ready.resolve();
    if (this.#live !== undefined) void this.#reconcile(this.#live, name);
  }

  /**
   * Makes Redis listen to a channel if that is wanted, and no more if it is not: one step after the other, since `npm:redis` forgets a
   * subscription that is made before the end of the one before is confirmed. What fails is done again with the next connection.
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
    // What is left meanwhile, or comes, is reconciled behind each batch.
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

  #subscriberWentDown(error: Error): void {
    // Those who come now wait for the next connection.
    for (const name of this.#live?.confirmed ?? []) {
      const channel = this.#channels.get(name);
      if (channel !== undefined) channel.ready = Promise.withResolvers<void>();
    }
    this.#live = undefined;
    this.#wentDown("subscriber", error);
  }

  #onMessage(name: string, text: string): void {
    const key = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : "";
    const channel = this.#channels.get(key);
    // It is on its way still when a channel is left.
    if (channel === undefined) return;
    if (key === NODES && text.startsWith("{")) return this.#onBeat(name, text);
    const message = parseMessage(text);
    if (message === undefined) return this.#tell("ERR_BACKPLANE_MESSAGE", `Something else came on "${name}"`);
    if (message.sender === this.#id || !this.#isNext(channel, message)) return;
    for (const receive of [...channel.receivers]) receive(message.data);
  }

  #onBeat(name: string, text: string): void {
    const change = this.#nodes.take(text);
    if (change === "unknown") this.#tell("ERR_BACKPLANE_MESSAGE", `Something else came on "${name}"`);
    else this.#tellWay(change);
  }

  /** Counts what was missed, and lets nothing pass twice. */
  #isNext({ numbers }: Channel, { sender, count, number }: Message): boolean {
    const last = numbers.get(sender);
    if (last !== undefined && (count < last.count || (count === last.count && number <= last.number))) return false;
    if (last === undefined && numbers.size >= MAX_COUNTED) numbers.clear();
    numbers.set(sender, { count, number });
    if (last === undefined || count > last.count || number === last.number + 1) return true;
    const missed = number - last.number - 1;
    this.#missed += missed;
    this.#listener?.missed(missed);
    const [what, have] = missed === 1 ? ["message", "has"] : ["messages", "have"];
    this.#tell("ERR_BACKPLANE_MISSED", `${missed} ${what} of another node ${have} not come; ${this.#missed} in all`);
    return true;
  }

  #tell(code: BackplaneError["code"] & `ERR_BACKPLANE_${string}`, message: string, cause?: unknown): void {
    this.#listener?.error(new BackplaneError(code, message, cause === undefined ? undefined : { cause }));
  }

  /**
   * Sets who is told.
   *
   * @param listener The server.
   */
  listen(listener: BackplaneListener | undefined): void {
    this.#listener = listener;
  }

  /** Ends, when what was published before is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelBeat();
    await this.#lastPublish;
    await Promise.all([this.#publisher.close(), this.#subscriber.close()]);
    for (const { ready } of this.#channels.values()) ready.resolve();
    this.#channels.clear();
  }

  /** Ends, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Message {
  sender: string;
  /** Which count of its the number belongs to. */
  count: number;
  number: number;
  data: MessageData;
}

function parseMessage(text: string): Message | undefined {
  const [sender, count, number] = text.split(":", 3);
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
