/**
 * Sharded channels of a cluster: a channel is at the server that has its slot, so that a message goes to one server and
 * its replicas, not to all of them.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import type { ClusterFinder, ClusterServer, ClusterView } from "./cluster_link.ts";
import type { LinkOpener, RedisLink, RedisLinkHandler } from "./link.ts";
import { hashSlot } from "./slots.ts";

/** A server, and the connection to it. */
interface Shard {
  readonly address: string;
  readonly link: RedisLink;
}

/**
 * Opens connections to the servers of channels, which look like one connection.
 *
 * @param find Asks for the owners of slots.
 * @param home Channel to whose server it is connected from the beginning.
 * @returns Opens one of them a call.
 */
export function shardedOpener(find: ClusterFinder, home: string): LinkOpener {
  return async (handler, signal) => {
    const link = new ShardedLink(find, handler, signal);
    try {
      await link.join(home);
      return link;
    } catch (error) {
      await link.destroy();
      throw error;
    }
  };
}

/** Connections to several servers of a cluster, which end together. */
class ShardedLink implements RedisLink {
  readonly findsServer = true;
  #find: ClusterFinder;
  #handler: RedisLinkHandler;
  /** Aborts what is being opened. */
  #end = new AbortController();
  #signal: AbortSignal;
  /** Owners of the slots, until one is found to have moved. */
  #view: Promise<ClusterView> | undefined;
  /** Connections, by address. */
  #links = new Map<string, Promise<RedisLink>>();
  /** Servers of slots. */
  #shards = new Map<number, Promise<Shard>>();
  /** Address of the server where a channel is subscribed. */
  #channels = new Map<string, string>();
  #following: Promise<void> = Promise.resolve();

  constructor(find: ClusterFinder, handler: RedisLinkHandler, signal: AbortSignal) {
    this.#find = find;
    this.#handler = handler;
    this.#signal = AbortSignal.any([signal, this.#end.signal]);
  }

  /** Connects to the server of a channel, unless it is connected. */
  join(channel: string): Promise<Shard> {
    const slot = hashSlot(channel);
    const known = this.#shards.get(slot);
    if (known !== undefined) return known;
    const shard = (this.#view ??= this.#find(this.#signal)).then((view) => this.#shardOf(view(slot)));
    this.#shards.set(slot, shard);
    // The next message asks again.
    shard.catch(() => this.#forget(slot, shard));
    return shard;
  }

  /** Forgets a server that is not the owner of a slot, or cannot be reached. */
  #forget(slot: number, shard: Promise<Shard>): void {
    if (this.#shards.get(slot) !== shard) return;
    this.#shards.delete(slot);
    this.#view = undefined;
  }

  async #shardOf({ address, open }: ClusterServer): Promise<Shard> {
    let opening = this.#links.get(address);
    if (opening === undefined) {
      opening = open({
        message: (channel, text) => this.#handler.message(channel, text),
        closed: (error) => this.#close(error),
        moved: () => this.#follow(address),
      }, this.#signal);
      this.#links.set(address, opening);
      opening.catch(() => this.#links.delete(address));
    }
    return { address, link: await opening };
  }

  /** Ends all connections, after the end of one of them. */
  #close(error: unknown): void {
    if (this.#end.signal.aborted) return;
    void this.destroy();
    this.#handler.closed(error);
  }

  /**
   * Publishes a message at the server of its channel; sends any other command to all servers, as the session does
   * every 2 s, and then checks the subscriptions there.
   *
   * @param args The command and its arguments.
   * @returns The answer of one server, once all have answered.
   */
  async send(args: string[]): Promise<unknown> {
    const [command, ...rest] = args;
    if (command === "PUBLISH") return await this.#publish(rest[0]!, ["SPUBLISH", ...rest]);
    const answers = await Promise.all([...this.#links.values()].map(async (link) => (await link).send(args)));
    for (const address of this.#links.keys()) void this.#check(address);
    return answers[0];
  }

  async #publish(channel: string, command: string[]): Promise<unknown> {
    const joined = this.join(channel);
    try {
      return await (await joined).link.send(command);
    } catch (error) {
      if (!describe(error).startsWith("MOVED ")) throw error;
      // This message is lost. It is not sent again, since later ones may have overtaken it by then.
      this.#forget(hashSlot(channel), joined);
      throw new Error(`the channel is at another server by now (${describe(error)})`, { cause: error });
    }
  }

  /** Subscribes to channels, each at its server. */
  async subscribe(channels: string[]): Promise<void> {
    const bySlot = Map.groupBy(channels, hashSlot);
    await Promise.all([...bySlot.values()].map(async (some) => {
      const { address, link } = await this.join(some[0]!);
      await link.subscribe(some, true);
      for (const channel of some) this.#channels.set(channel, address);
    }));
  }

  /** Unsubscribes from channels. */
  async unsubscribe(channels: string[]): Promise<void> {
    const bySlot = Map.groupBy(channels, hashSlot);
    await Promise.all([...bySlot.values()].map(async (some) => {
      const address = this.#channels.get(some[0]!);
      for (const channel of some) this.#channels.delete(channel);
      await (await this.#links.get(address ?? ""))?.unsubscribe(some, true);
    }));
  }

  /** Subscribes again to the channels of a server that has ended subscriptions since their slots have moved. */
  #follow(address: string): void {
    this.#following = this.#following.then(async () => {
      const channels = [...this.#channels].filter(([, at]) => at === address).map(([channel]) => channel);
      // All of them: not every client tells which ones. A server that still has a channel answers as before.
      this.#view = undefined;
      for (const channel of channels) this.#shards.delete(hashSlot(channel));
      await this.subscribe(channels);
    }).catch((error) => this.#close(error));
  }

  /**
   * Ends all connections if a server has ended subscriptions, and nothing told of it: `npm:redis` does not tell while
   * it waits for the answer to a command (`findings/redis_moved_channel_untold.sh`).
   */
  async #check(address: string): Promise<void> {
    const following = this.#following;
    await following;
    const subscribed = [...this.#channels.values()].filter((at) => at === address).length;
    if (subscribed === 0) return;
    // A Redis before 7.0.3 does not count them, and a user may not be allowed to ask.
    const info = String(await this.#links.get(address)?.then((link) => link.send(["CLIENT", "INFO"])).catch(() => ""));
    const count = /\bssub=(\d+)/.exec(info)?.[1];
    if (count === undefined || Number(count) >= subscribed || following !== this.#following) return;
    this.#close(new Error(`the server ${address} has ended subscriptions, since their channels are elsewhere by now`));
  }

  /** Closes all connections. */
  async destroy(): Promise<void> {
    this.#end.abort(new Error("the connection was closed"));
    const opened = await Promise.allSettled(this.#links.values());
    await Promise.all(opened.map((link) => link.status === "fulfilled" ? link.value.destroy() : undefined));
  }
}
