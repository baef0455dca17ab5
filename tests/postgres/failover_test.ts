/** A standby takes the place of the primary: synchronous, so that it has all, or behind. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { entry } from "../support/journal_entry.ts";
import { caughtUp, PostgresServer, SUPERUSER } from "../support/postgres.ts";
import { POSTGRES_CLIENTS, type PostgresMaker } from "../support/postgres_clients.ts";
import { Feed, PostgresNode } from "../support/postgres_node.ts";
import { ServiceAddress } from "../support/service_address.ts";
import { until } from "../support/support.ts";

/** A primary with a standby, the way between them, the address of the service, and two nodes. */
class Pair implements AsyncDisposable {
  readonly nodes: PostgresNode[] = [];

  private constructor(
    readonly primary: PostgresServer,
    readonly standby: PostgresServer,
    readonly link: FaultProxy,
    readonly address: ServiceAddress,
  ) {}

  static async start(isSynchronous: boolean): Promise<Pair> {
    const primary = await PostgresServer.start();
    const link = await FaultProxy.listen(primary.port);
    const standby = await PostgresServer.standbyOf(primary, { through: link.port });
    await caughtUp(primary);
    if (isSynchronous) await primary.setSynchronous("standby");
    return new Pair(primary, standby, link, await ServiceAddress.listen(primary.port));
  }

  get url(): string {
    return `postgres://${SUPERUSER}@127.0.0.1:${this.address.port}/postgres`;
  }

  async open(make: PostgresMaker, count: number): Promise<PostgresNode[]> {
    for (let at = 0; at < count; at++) this.nodes.push(await PostgresNode.open(make, this));
    return this.nodes;
  }

  /** What the primary writes does not come to the standby any more. */
  stallReplication(): void {
    for (const link of this.link.links) link.faults = { stalled: "both" };
  }

  /** The standby takes over. */
  async promote(): Promise<void> {
    await this.standby.promote();
    this.address.target = this.standby.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await Promise.all([this.primary.stop(), this.standby.stop()]);
    await Promise.all([this.address.close(), this.link.close()]);
  }
}

/** Checks that a node has all that was accepted, and was told of it once and in order. */
async function assertComplete(node: PostgresNode, feed: Feed): Promise<void> {
  const kept = await node.readAll();
  assertEquals([...feed.taken].filter(([body, seq]) => kept.get(seq) !== body), []);
  await until(() => [...feed.taken.keys()].every((body) => node.told.includes(body)), "all");
  assertEquals(new Set(node.told).size, node.told.length);
  assert(node.seqs.every((seq, index) => index === 0 || seq > node.seqs[index - 1]!));
}

describePostgres("PostgresJournal with a synchronous standby", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`loses nothing when the primary is killed and the standby takes over, over ${name}`, async () => {
      await using pair = await Pair.start(true);
      const nodes = await pair.open(make, 2);
      const feed = new Feed(nodes);
      await feed.more(50);
      await pair.primary.kill();
      await pair.promote();
      await until(() => nodes.every(({ isBack }) => isBack), "both to be back");
      await feed.more(50);
      await feed.stop();
      for (const node of nodes) {
        await assertComplete(node, feed);
        assertEquals(new Set(node.codes), new Set(["ERR_JOURNAL_AWAY"]));
      }
    });
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("accepts nothing while the standby is away, and goes on when it is there again", async () => {
    await using pair = await Pair.start(true);
    const [node] = await pair.open(make!, 1);
    await node!.journal.append(entry("before"));
    pair.standby.freeze(true);
    const error = await assertRejects(() => node!.journal.append(entry("a")), JournalError);
    assertEquals(error.code, "ERR_JOURNAL_WRITE");
    pair.standby.freeze(false);
    await until(() => node!.journal.append(entry("a")).then(() => true, () => false), "the retry");
    await until(() => node!.told.length === 2, "both");
    assertEquals(node!.told, ["before", "a"]);
    assertEquals([...await node!.readAll()].length, 2);
  });

  it("takes nothing from a primary that stood still while the standby took over", async () => {
    await using pair = await Pair.start(true);
    const nodes = await pair.open(make!, 2);
    const feed = new Feed(nodes);
    await feed.more(20);
    pair.primary.freeze(true);
    await until(() => feed.refused.length > 0, "a refusal");
    assert(nodes.some(({ errors }) => errors.some(({ message }) => message.includes("no answer within 1500 ms"))));
    await pair.promote();
    await feed.more(20);
    pair.primary.freeze(false);
    await feed.more(20);
    // It comes back as a standby, as a monitor has it.
    await pair.primary.follow(pair.standby);
    await feed.more(20);
    await feed.stop();
    await caughtUp(pair.standby);
    for (const node of nodes) await assertComplete(node, feed);
    assertEquals(
      await pair.primary.sql("SELECT last FROM tackline.meta"),
      await pair.standby.sql("SELECT last FROM tackline.meta"),
    );
  });
});

describePostgres("PostgresJournal with an asynchronous standby", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`tells what a fail-over lost, and gives no number twice, over ${name}`, async () => {
      await using pair = await Pair.start(false);
      const [one, other] = await pair.open(make, 2);
      const first = await one!.journal.append(entry("kept"));
      await caughtUp(pair.primary);
      pair.stallReplication();
      const gone = [];
      for (let at = 0; at < 5; at++) gone.push((await one!.journal.append(entry(`gone ${at}`))).seq);
      await until(() => other!.told.length === 6, "all at the other one");
      await pair.primary.kill();
      await pair.promote();
      await until(() => one!.isBack && other!.isBack, "both to be back");
      for (const { errors, journal } of [one!, other!]) {
        await until(() => errors.some(({ code }) => code === "ERR_JOURNAL_LOST"), "the bad news");
        const { message } = errors.find(({ code }) => code === "ERR_JOURNAL_LOST")!;
        assertStringIncludes(message, `${gone[0]} to ${gone.at(-1)}`);
        assertEquals(journal.lost, [{ after: first.seq, until: gone.at(-1)! }]);
      }
      // A retry of what was lost is no retry any more.
      const again = await other!.journal.append(entry("gone 0"));
      assertEquals(again.duplicate, false);
      assert(again.seq > gone.at(-1)!, `${again.seq}`);
      assertEquals((await one!.journal.append(entry("kept"))).duplicate, true);
      await until(() => one!.told.length === 7, "the new one");
      assertEquals([...(await one!.readAll()).values()], ["kept", "gone 0"]);
    });
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("tells a node that starts later what was lost, too", async () => {
    await using pair = await Pair.start(false);
    const [node] = await pair.open(make!, 1);
    const { seq } = await node!.journal.append(entry("kept"));
    await caughtUp(pair.primary);
    pair.stallReplication();
    const gone = await node!.journal.append(entry("gone"));
    await pair.primary.kill();
    await pair.promote();
    await until(() => node!.codes.includes("ERR_JOURNAL_LOST"), "the bad news");
    await pair.primary.follow(pair.standby);
    await caughtUp(pair.standby);
    await using late = await PostgresNode.open(make!, pair);
    assertEquals(late.journal.lost, [{ after: seq, until: gone.seq }]);
  });

  it("leaves a standby that it was led to by mistake", async () => {
    await using pair = await Pair.start(false);
    const [node] = await pair.open(make!, 1);
    await node!.journal.append(entry("a"));
    pair.address.lead(pair.standby.port);
    await until(() => node!.codes.includes("ERR_JOURNAL_AWAY"), "the bad news");
    await until(async () => {
      const { message } = await assertRejects(() => node!.journal.append(entry("b")), JournalError);
      return message.includes("a primary is needed");
    }, "the reason");
    pair.address.lead(pair.primary.port);
    await until(() => node!.isBack, "the good news");
    await node!.journal.append(entry("b"));
    assertEquals(node!.told, ["a", "b"]);
  });
});
