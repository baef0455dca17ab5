/**
 * A server with a journal in Redis, for `crash.ts`, which kills it. PORT REDIS-URL CLIENT, one of those in `redis.ts`.
 * The secrets are in the environment.
 */

import process from "node:process";
import { RedisJournal } from "../../redis/journal.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { CLIENTS } from "./redis.ts";

const [port, url, kind] = process.argv.slice(2);

async function openJournal(): Promise<RedisJournal> {
  for (;;) {
    try {
      const { client } = await CLIENTS.get(kind!)!(url!);
      return await RedisJournal.open(client);
    } catch {
      // Redis is another process, and may be away just now: real time between attempts.
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
