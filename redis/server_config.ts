/**
 * Settings of a Redis server that decide how safe its data are: eviction and the append-only file.
 *
 * @module
 */

import type { RedisLink } from "./link.ts";

/**
 * Durability of an acknowledged write: the `appendfsync` of Redis; `"no"` without an append-only file; `"unknown"` if
 * Redis hides it.
 */
export type RedisDurability = "always" | "everysec" | "no" | "unknown";

/** Settings with which Redis evicts keys when its memory is full. */
export interface EvictionSettings {
  /** The value of `maxmemory`. */
  readonly maxMemory: string;
  /** The value of `maxmemory-policy`. */
  readonly policy: string;
}

/**
 * Reads whether Redis evicts keys. An evicted key loses its content silently.
 *
 * @param link Connection to Redis.
 * @returns The settings; `undefined`: Redis does not evict, or hides them.
 */
export async function readEviction(link: RedisLink): Promise<EvictionSettings | undefined> {
  const { maxMemory, policy } = await readMemorySettings(link);
  return maxMemory !== "0" && policy !== "noeviction" ? { maxMemory, policy } : undefined;
}

/**
 * Reads how durable an acknowledged write is.
 *
 * @param link Connection to Redis.
 * @returns The durability.
 */
export async function readDurability(link: RedisLink): Promise<RedisDurability> {
  try {
    const [on, sync] = await Promise.all([readSetting(link, "appendonly"), readSetting(link, "appendfsync")]);
    return on === "yes" ? sync as RedisDurability : "no";
  } catch {
    // Ignored on purpose: managed Redis services often forbid CONFIG.
    return "unknown";
  }
}

/**
 * Reads the number of the database that a connection uses.
 *
 * @param link Connection to Redis.
 * @returns The number; 0 if Redis hides it, and the client too.
 */
export async function readDatabase(link: RedisLink): Promise<number> {
  try {
    const info = String(await link.send(["CLIENT", "INFO"]));
    return Number(/ db=(\d+)/.exec(info)![1]);
  } catch {
    // Ignored on purpose: the user may not ask.
    return link.database ?? 0;
  }
}

/**
 * Asks in two ways, since managed Redis services often forbid one of them; a `maxMemory` of "0": both are forbidden.
 */
async function readMemorySettings(link: RedisLink): Promise<EvictionSettings> {
  try {
    const lines = String(await link.send(["INFO", "memory"])).split("\r\n");
    const value = (name: string): string =>
      lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1) ?? "";
    const [maxMemory, policy] = [value("maxmemory"), value("maxmemory_policy")];
    if (maxMemory !== "" && policy !== "") return { maxMemory, policy };
  } catch {
    // Ignored on purpose: the other way may be allowed.
  }
  try {
    return {
      maxMemory: await readSetting(link, "maxmemory"),
      policy: await readSetting(link, "maxmemory-policy"),
    };
  } catch {
    return { maxMemory: "0", policy: "" };
  }
}

async function readSetting(link: RedisLink, name: string): Promise<string> {
  const answer = await link.send(["CONFIG", "GET", name]);
  // Name and value, or an object, by the version of the protocol.
  return String(Array.isArray(answer) ? answer[1] : Object.values(answer as object)[0]);
}
