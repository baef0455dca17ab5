/**
 * A node of a cluster, for `cluster.ts`: PORT REDIS-URL CLIENT. Prints "ready" when it takes connections; it ends with
 * its standard input.
 *
 * A client names its topics in the query, `?a&b`, and is told "subscribed" when messages of other nodes come too. It
 * sends `publish TOPIC TEXT`; anything else goes to everybody. GET answers with the statistics.
 */

import process from "node:process";
import { RedisBackplane, WebSocketServer } from "../../mod.ts";
import { CLIENTS } from "./redis.ts";

const [port, url, kind] = process.argv.slice(2);
const { client } = await CLIENTS.get(kind!)!(url!);
const backplane = new RedisBackplane(client);
const server: WebSocketServer = new WebSocketServer({
  port: Number(port),
  hostname: "127.0.0.1",
  backplane,
  async onHandshakeResponseSent(connection) {
    const { query } = connection.request;
    await Promise.all(query.split("&").filter((topic) => topic !== "").map((topic) => connection.subscribe(topic)));
    if (query !== "" && connection.state === "open") connection.send("subscribed");
  },
  onMessageReceived(_, text) {
    const [, topic, message] = text.match(/^publish (\S+) (.*)$/s) ?? [];
    if (topic === undefined) server.broadcastMessage(text);
    else server.publish(topic, message!);
  },
  onCommandGet: () => Response.json(server.stats()),
  onError: () => {},
});
await server.start();
console.log("ready");
process.stdin.on("end", () => process.exit(0)).resume();
