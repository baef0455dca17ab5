/**
 * A node of the fail-over test: a WhatsApp server with a journal of an engine. Arguments: the engine, and
 * `NodeSettings` as JSON. Prints a JSON object a line: its port, each notification it kept (number and digest of the
 * body), each error.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { WebSocketError } from "../../mod.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { loadEngine } from "./engine.ts";

const [name, settings] = process.argv.slice(2);
const say = (fact: object): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);
const journal = await (await loadEngine(name!)).openJournal(JSON.parse(settings!));
const append = journal.append.bind(journal);
journal.append = async (entry) => {
  const appended = await append(entry);
  say({ kept: [appended.seq, Buffer.from(entry.digest).toString("hex")] });
  return appended;
};
const server = new WhatsAppServer({
  port: 0,
  hostname: "127.0.0.1",
  pathName: "/whatsapp",
  behindProxy: true,
  appSecret: process.env.WHATSAPP_APP_SECRET,
  receiverToken: process.env.WHATSAPP_RECEIVER_TOKEN,
  journal,
  onError: (error) => say({ code: error instanceof WebSocketError ? error.code : "ERROR", message: String(error) }),
});
await server.start();
say({ port: server.address!.port });
