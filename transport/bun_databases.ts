/**
 * The clients for databases that are built into Bun.
 *
 * @module
 */

/** Clients of Bun, by their names there. */
export interface BunDatabases {
  /** Client for Redis. */
  RedisClient: new (url: string, options?: object) => object;
  /** Client for PostgreSQL, a pool of connections. */
  SQL: new (url: string, options?: object) => object;
}

/**
 * Returns the clients that are built into the runtime.
 *
 * @returns The clients; `undefined` on another runtime than Bun.
 */
export function bunDatabases(): BunDatabases | undefined {
  return (globalThis as { Bun?: unknown }).Bun as BunDatabases | undefined;
}
