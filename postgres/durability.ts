/**
 * Durability of commits, by the settings of PostgreSQL.
 *
 * @module
 */

import type { PostgresLink } from "./link.ts";

/**
 * Durability of an acknowledged write: the `synchronous_commit` of PostgreSQL; `"local"` without
 * `synchronous_standby_names`, `"off"` with `fsync = off`.
 *
 * - `"off"`: a crash of the server may lose the last moments.
 * - `"local"`: on the disk of the primary.
 * - `"remote_write"`, `"on"`, `"remote_apply"`: besides, a standby has received it, has it on disk, or has applied it.
 */
export type PostgresDurability = "off" | "local" | "remote_write" | "on" | "remote_apply";

/**
 * Reads how durable a commit is.
 *
 * @param link The connection.
 * @returns The durability.
 */
export async function readDurability(link: PostgresLink): Promise<PostgresDurability> {
  const [row] = await link.query(
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names')",
  );
  const [sync, level, standbys] = row as string[];
  if (sync === "off" || level === "off") return "off";
  return standbys === "" ? "local" : level as PostgresDurability;
}
