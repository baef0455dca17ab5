import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Cluster, type Listener } from "./support/cluster_rig.ts";
import { describeRedis } from "./support/describe_redis.ts";
import { repeatUntil, until } from "./support/support.ts";

const CONNECTIONS = 2000;
const TOPICS = Array.from({ length: 20 }, (_, index) => `topic${index}`);
const ROUNDS = 10;

/** Sends from one node until all have it; returns how long that took, in ms. */
async function untilAllHear(from: Listener, all: readonly Listener[], mark: string): Promise<number> {
  const begun = performance.now();
  const hears = ({ got }: Listener): boolean => got.some((text) => text.startsWith(mark));
  const publish = (attempt: number): void => {
    if (from.client.active) from.publish("all", `${mark} ${attempt}`);
  };
  await repeatUntil(publish, () => all.every(hears), `${mark} at all listeners`, 10_000);
  return performance.now() - begun;
}

/** Waits until all have as many messages as expected, however slow the machine; fails when none has come for 30 s. */
async function untilAllGot(cluster: Cluster, all: readonly Listener[], expected: number): Promise<void> {
  let [most, since] = [-1, 0];
  const isQuiet = (): boolean => {
    const now = all.reduce((sum, { got }) => sum + got.length, 0);
    if (now > most) [most, since] = [now, performance.now()];
    return performance.now() - since > 30_000;
  };
  const haveAll = (): boolean => all.every(({ got }) => got.length >= expected);
  await until(() => haveAll() || isQuiet(), "all messages at all", 110_000);
  if (haveAll()) return;
  const short = all.filter(({ got }) => got.length < expected).map(({ got, breaks }) => `${got.length} (${breaks})`);
  const stats = await Promise.all(cluster.nodes.map(async (node) => JSON.stringify((await node.stats()).backplane)));
  throw new Error(
    `${short.length} of ${all.length} have (breaks) ${short.slice(0, 20)} of ${expected}; nodes: ${stats}`,
  );
}

describeRedis("Cluster", () => {
  for (const count of [2, 4]) {
    it(`of ${count} nodes: ${CONNECTIONS} connections get all that is published, in order, once`, async () => {
      await using cluster = await Cluster.start(count);
      const listeners = Array.from({ length: CONNECTIONS }, (_, index) => {
        // Neighbours of a topic are on different nodes.
        const topic = TOPICS[Math.floor(index / count) % TOPICS.length]!;
        return cluster.listener(cluster.nodes[index % count]!, ["all", topic]);
      });
      for (let at = 0; at < CONNECTIONS; at += 100) {
        await Promise.all(listeners.slice(at, at + 100).map((listener) => listener.listen()));
      }
      const senders = listeners.slice(0, count);
      for (let round = 0; round < ROUNDS; round++) {
        for (const [node, sender] of senders.entries()) {
          for (const topic of TOPICS) sender.publish(topic, `${topic} ${node} ${round}`);
          sender.publish("all", `all ${node} ${round}`);
          sender.client.send(`everybody ${node} ${round}`);
        }
      }
      const expected = count * ROUNDS * 3;
      await untilAllGot(cluster, listeners, expected);
      for (const { got, topics } of listeners) {
        assertEquals(got.length, expected);
        for (const kind of [...topics, "everybody"]) {
          for (let node = 0; node < count; node++) {
            const own = got.filter((text) => text.startsWith(`${kind} ${node} `));
            assertEquals(own, Array.from({ length: ROUNDS }, (_, round) => `${kind} ${node} ${round}`));
          }
        }
      }
      for (const node of cluster.nodes) {
        const { backplane } = await node.stats();
        const published = ROUNDS * (TOPICS.length + 2);
        assertEquals(backplane, { published, received: published * (count - 1), lost: 0, missed: 0 });
      }
    });
  }

  it("is whole again within 2 s after Redis, a node, or both were killed", async () => {
    await using cluster = await Cluster.start(3);
    const listeners = cluster.nodes.flatMap((node) => [1, 2, 3].map(() => cluster.listener(node, ["all"])));
    await Promise.all(listeners.map((listener) => listener.listen()));
    const onNode = (index: number): Listener => listeners[index * 3]!;
    const allBack = async (mark: string): Promise<void> => {
      for (const index of [0, 1, 2]) {
        const took = await untilAllHear(onNode(index), listeners, `${mark} from ${index}`);
        assert(took < 2000, `${mark}: ${took} ms until all hear node ${index}`);
      }
    };
    await allBack("begin");

    await cluster.redis.kill();
    // Those of the same node go on hearing each other.
    onNode(0).publish("all", "at home");
    await until(() => listeners.slice(0, 3).every(({ got }) => got.includes("at home")), "those of one node");
    await cluster.redis.run();
    await allBack("redis");
    assert(!listeners.slice(3).some(({ got }) => got.includes("at home")));

    await cluster.nodes[1]!.kill();
    // The others do not notice.
    await untilAllHear(onNode(0), [...listeners.slice(0, 3), ...listeners.slice(6)], "two of three");
    await cluster.nodes[1]!.run();
    await Promise.all(listeners.map((listener) => listener.ready()));
    await allBack("node");

    await Promise.all([cluster.nodes[2]!.kill(), cluster.redis.kill()]);
    await cluster.redis.run();
    await cluster.nodes[2]!.run();
    await Promise.all(listeners.map((listener) => listener.ready()));
    await allBack("both");
  });
});
