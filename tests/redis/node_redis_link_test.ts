/** Connections with `npm:redis`: that none is left behind, whenever one is given up. */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer, type Server, type Socket } from "node:net";
import { RedisBackplane } from "../../redis/backplane.ts";
import { linkOpener } from "../../redis/open_link.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { CLUSTER_CLIENTS } from "../support/redis_cluster.ts";
import { SENTINEL_SOURCES, UNCONNECTED } from "../support/sentinel.ts";
import { until } from "../support/support.ts";

/** Time within which sockets must be closed, in ms. */
const PATIENCE = 8000;

/** A server that takes connections, and does not say a word. */
class SilentServer implements AsyncDisposable {
  readonly open: Set<Socket> = new Set();
  taken = 0;
  #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      this.taken++;
      this.open.add(socket);
      socket.on("error", () => {}).on("close", () => this.open.delete(socket)).resume();
    });
  }

  static async listen(): Promise<SilentServer> {
    const silent = new SilentServer();
    await new Promise<void>((resolve) => silent.#server.listen(0, "127.0.0.1", resolve));
    return silent;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Number of connections of programs to a Redis. */
async function count(url: string): Promise<number> {
  await using program = await CLIENTS.get("npm:redis")!(url);
  return String(await program.command("CLIENT", "LIST")).split("\n").filter((line) => line.startsWith("id=")).length -
    1;
}

describeRedis("Connections with npm:redis", () => {
  it("leave no socket when they are given up before it is connected", async () => {
    await using silent = await SilentServer.listen();
    const client = await UNCONNECTED.get("npm:redis")!(`redis://127.0.0.1:${silent.port}`);
    // The first end of a backplane comes while its sockets connect.
    const backplane = new RedisBackplane(client);
    await backplane.close();
    await until(() => silent.taken > 0 && silent.open.size === 0, "the sockets to be closed", PATIENCE);
  });

  it("leave nothing at the server of a cluster that createCluster names", async () => {
    await using server = await RedisServer.start(["--cluster-enabled", "yes"]);
    await using program = await CLIENTS.get("npm:redis")!(server.url);
    await program.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await until(
      async () => String(await program.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
      "the cluster",
    );
    await using cluster = await CLUSTER_CLIENTS.get("npm:redis createCluster")!([server.url]);
    const before = await count(server.url);
    const open = linkOpener(cluster.client, "{tackline}:stream");
    for (let at = 0; at < 3; at++) {
      const link = await open({ message() {}, closed() {} }, new AbortController().signal);
      assertEquals(await link.send(["PING"]), "PONG");
      await link.destroy();
    }
    await until(async () => await count(server.url) === before, "the connections to end", PATIENCE);
  });

  it("leave no socket at sentinels that stand still", async () => {
    await using silent = await SilentServer.listen();
    const source = await SENTINEL_SOURCES.get("npm:redis")!({ ports: [silent.port] });
    const backplane = new RedisBackplane(source);
    await until(() => silent.open.size > 0, "a connection to the sentinel");
    await backplane.close();
    await until(() => silent.open.size === 0, "the sockets to be closed", PATIENCE);
  });
});
