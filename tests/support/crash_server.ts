/**
 * A server with a journal in a database, for `crash.ts`, which kills it. PORT redis|postgres URL CLIENT, one of those
 * in `redis.ts` or `postgres_clients.ts`. The secrets are in the environment.
 */

import process from "node:process";
import type { Journal } from "../../journal/journal.ts";
import type { PostgresClient } from "../../postgres/client.ts";
import { PostgresJournal } from "../../postgres/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { POSTGRES_CLIENTS } from "./postgres_clients.ts";
import { CLIENTS } from "./redis.ts";

const [port, engine, url, kind] = process.argv.slice(2);

async function openOnce(): Promise<Journal> {
  if (engine === "redis") return await RedisJournal.open((await CLIENTS.get(kind!)!(url!)).client);
  const { client } = await POSTGRES_CLIENTS.get(kind!)!(url!);
  return await PostgresJournal.open(client as PostgresClient);
}

async function openJournal(): Promise<Journal> {
  for (;;) {
    try {
      return await openOnce();
    } catch {
      // The database is another process, and may be away just now: real time between attempts.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const server = new WhatsAppServer({
  port: Number(port),
  hostname: "127.0.0.1",
  pathName: "/whatsapp",
  behindProxy: true,
  appSecret: process.env.WHATSAPP_APP_SECRET,
  receiverToken: process.env.WHATSAPP_RECEIVER_TOKEN,
  journal: await openJournal(),
  onError: () => {},
});
await server.start();
