/** Nodes in processes of their own, with a backplane on a real Redis; and clients that keep what they get. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { WebSocketClient } from "../../client.ts";
import { onFreePort } from "./free_port.ts";
import { CLIENTS, RedisServer } from "./redis.ts";
import { until } from "./support.ts";

/** One node, which can be killed and started again. */
export class ClusterNode {
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  private constructor(readonly port: number, readonly redisUrl: string, readonly kind: string) {}

  /** Starts one; it has the same port whenever it runs. */
  static start(redisUrl: string, kind: string): Promise<ClusterNode> {
    return onFreePort(async (port) => {
      const node = new ClusterNode(port, redisUrl, kind);
      await node.run();
      return node;
    });
  }

  /** Resolves when it takes connections. */
  run(): Promise<void> {
    const program = fileURLToPath(new URL("./cluster_node.ts", import.meta.url));
    const own = "Deno" in globalThis ? ["run", "-A", "--no-check", program] : [program];
    const args = [...own, `${this.port}`, this.redisUrl, this.kind];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    let output = "";
    child.stderr!.on("data", (data) => output += data);
    this.#ended = new Promise((resolve) => child.on("close", () => resolve()));
    return new Promise((resolve, reject) => {
      child.stdout!.on("data", () => resolve());
      this.#ended.then(() => reject(new Error(`a node ended: ${output}`)));
    });
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  async stats(): Promise<{ backplane: Record<string, number> }> {
    return await (await fetch(`http://127.0.0.1:${this.port}/`)).json();
  }

  get pid(): number {
    return this.#child!.pid!;
  }
}

/** Nodes and their Redis. */
export class Cluster implements AsyncDisposable {
  #listeners: Listener[] = [];

  private constructor(readonly redis: RedisServer, readonly nodes: readonly ClusterNode[]) {}

  static async start(count: number): Promise<Cluster> {
    const redis = await RedisServer.start([]);
    const kinds = [...CLIENTS.keys()];
    const starts = Array.from({ length: count }, (_, at) => ClusterNode.start(redis.url, kinds[at % kinds.length]!));
    const outcomes = await Promise.allSettled(starts);
    const nodes = outcomes.flatMap((outcome) => outcome.status === "fulfilled" ? [outcome.value] : []);
    const cluster = new Cluster(redis, nodes);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) return cluster;
    await cluster.stop();
    throw failed.reason;
  }

  /** Makes a client of a node, which is closed with the cluster. */
  listener(node: ClusterNode, topics: readonly string[]): Listener {
    const listener = new Listener(node.port, topics);
    this.#listeners.push(listener);
    return listener;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#listeners.map(({ client }) => client.disconnect()));
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.redis.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A client, and what it has got. */
export class Listener {
  readonly client: WebSocketClient;
  readonly got: string[] = [];
  /** Number of connections that have ended. */
  breaks = 0;
  #subscribed = false;

  constructor(port: number, readonly topics: readonly string[]) {
    this.client = new WebSocketClient(`ws://127.0.0.1:${port}/?${topics.join("&")}`, {
      reconnect: { minDelay: 20, maxDelay: 200 },
      onMessageReceived: (text) => {
        if (text === "subscribed") this.#subscribed = true;
        else this.got.push(text);
      },
      onDisconnect: () => {
        this.#subscribed = false;
        this.breaks++;
      },
      onError: () => {},
    });
  }

  /** Connects; resolves when messages of all nodes come. */
  async listen(): Promise<void> {
    await this.client.connect();
    await this.ready();
  }

  /** Resolves when it is connected and subscribed, perhaps again. */
  ready(): Promise<void> {
    return until(() => this.#subscribed && this.client.active, "a subscription", 30_000);
  }

  publish(topic: string, text: string): void {
    this.client.send(`publish ${topic} ${text}`);
  }
}
