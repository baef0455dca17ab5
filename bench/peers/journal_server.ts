/** The server that bench/journals.ts measures, on Deno and Bun: `KIND CLIENT ADDRESS SECRET PATH`. Prints its port. */

import process from "node:process";
import { WhatsAppServer } from "../../whatsapp.ts";
import { openJournal } from "./open_journal.ts";

const [kind, client, address, secret, path] = process.argv.slice(2) as [string, string, string, string, string];
const server = new WhatsAppServer({
  hostname: "127.0.0.1",
  port: 0,
  pathName: path,
  behindProxy: true,
  appSecret: secret,
  verifyToken: "verify",
  receiverToken: null,
  journal: await openJournal(kind, client, address),
  onError: (error) => console.error(error),
});
await server.start();
console.log(server.address!.port);
