/**
 * Sequence numbers when Redis returns with less data than it had: after a restart with older data, or a fail-over
 * to a replica that was behind. No number is given twice, whichever node comes first; what is gone is told on all
 * nodes; and every node hears what comes after.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { TakenEntries } from "../../journal/journal.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import type { RedisLink } from "../../redis/link.ts";
import { APPEND, OPEN } from "../../redis/log_scripts.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { bodies, Node } from "../support/redis_node.ts";
import { ServiceAddress } from "../support/service_address.ts";
import { until } from "../support/support.ts";

const [make] = CLIENTS.values();
const OPTIONS = ["--appendonly", "no", "--repl-diskless-sync-delay", "0"];

async function lastOf(program: ProgramClient): Promise<number> {
  return Number(await program.command("HGET", "{tackline}:meta", "last") ?? 0);
}

async function untilLast(program: ProgramClient, last: number): Promise<void> {
  await until(async () => await lastOf(program) >= last, `number ${last} at the replica`);
}

/**
 * A primary whose replica has become one itself, and does not have what came after; each node has an address of its
 * own.
 */
class Failover implements AsyncDisposable {
  readonly nodes: Node[] = [];
  readonly addresses: ServiceAddress[] = [];
  readonly #programs: ProgramClient[] = [];

  private constructor(readonly primary: RedisServer, readonly replica: RedisServer) {}

  static async start(): Promise<Failover> {
    const primary = await RedisServer.start(OPTIONS);
    const replica = await RedisServer.start([...OPTIONS, "--replicaof", "127.0.0.1", `${primary.port}`]);
    return new Failover(primary, replica);
  }

  async open(server = this.primary, options: RedisJournalOptions = {}): Promise<Node> {
    const address = await ServiceAddress.listen(server.port);
    this.addresses.push(address);
    const node = await Node.open(make!, address.url, options);
    this.nodes.push(node);
    return node;
  }

  async program(server: RedisServer): Promise<ProgramClient> {
    const program = await make!(server.url);
    this.#programs.push(program);
    return program;
  }

  /** The replica takes over with what it has. */
  async promote(last: number): Promise<void> {
    const program = await this.program(this.replica);
    await untilLast(program, last);
    await program.command("REPLICAOF", "NO", "ONE");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await Promise.all(this.#programs.map((program) => program.close()));
    await Promise.all(this.addresses.map((address) => address.close()));
    await Promise.all([this.primary.stop(), this.replica.stop()]);
  }
}

/** Both know 1 to 4. The replica takes over; one node hears of 5 to 8 from the old primary, the other does not. */
async function withLag(action: (failover: Failover, ahead: Node, behind: Node) => Promise<void>): Promise<void> {
  await using failover = await Failover.start();
  const [ahead, behind] = [await failover.open(), await failover.open()];
  await ahead.append("1", "2", "3", "4");
  await until(() => behind.told.length === 4, "what both know");
  await failover.promote(4);
  failover.addresses[1]!.lead(0);
  await ahead.append("5", "6", "7", "8");
  assertEquals(ahead.seqs, [1, 2, 3, 4, 5, 6, 7, 8]);
  await failover.primary.kill();
  await action(failover, ahead, behind);
}

const LOST = "Redis has forgotten the notifications 5 to 8: ";

async function untilLost(...nodes: Node[]): Promise<void> {
  const knows = (node: Node): boolean => node.messages("ERR_JOURNAL_LOST").some((message) => message.startsWith(LOST));
  await until(() => nodes.every(knows), "the loss to be told");
  for (const node of nodes) {
    assertEquals(node.messages("ERR_JOURNAL_LOST").length, 1);
    assertEquals(node.journal.lost, [{ after: 4, until: 8 }]);
  }
}

describeRedis("RedisJournal after a fail-over to a replica that was behind", () => {
  it("reuses no number when the node that knows less reconnects first", () =>
    withLag(async ({ addresses, replica }, ahead, behind) => {
      addresses[1]!.lead(replica.port);
      const seqs = await behind.append("new 1", "new 2", "new 3");
      assert(seqs[0]! > 8, `${seqs}`);
      addresses[0]!.lead(replica.port);
      await ahead.append("new 4");
      for (const node of [ahead, behind]) {
        await until(() => node.told.at(-1) === "new 4", "what came after");
        assertEquals(node.told.slice(node === ahead ? 8 : 4), ["new 1", "new 2", "new 3", "new 4"]);
      }
      await untilLost(ahead, behind);
    }));

  it("reuses no number when the node that knows more reconnects first", () =>
    withLag(async ({ addresses, replica }, ahead, behind) => {
      addresses[0]!.lead(replica.port);
      await ahead.append("new 1");
      addresses[1]!.lead(replica.port);
      await behind.append("new 2");
      for (const node of [ahead, behind]) {
        await until(() => node.told.at(-1) === "new 2", "what came after");
        assertEquals(node.told.slice(-2), ["new 1", "new 2"]);
      }
      await untilLost(ahead, behind);
    }));

  it("reuses no number when a node without knowledge connects first", () =>
    withLag(async (failover, ahead, behind) => {
      const { addresses, replica } = failover;
      const fresh = await failover.open(replica);
      assertEquals([fresh.journal.id, fresh.journal.last], [ahead.journal.id, 4]);
      await fresh.append("new 1");
      addresses[0]!.lead(replica.port);
      addresses[1]!.lead(replica.port);
      await until(() => [ahead, behind].every((node) => node.told.at(-1) === "new 1"), "what came after");
      await untilLost(ahead, behind, fresh);
    }));

  it("reuses no number and reports all losses when all nodes connect at once", () =>
    withLag(async ({ addresses, replica }, ahead, behind) => {
      for (const address of addresses) address.lead(replica.port);
      const names = Array.from({ length: 20 }, (_, at) => `new ${at}`);
      await Promise.all(names.map((name, at) => (at % 2 === 0 ? ahead : behind).append(name)));
      const after = (node: Node): string[] => node.told.slice(node === ahead ? 8 : 4);
      await until(() => [ahead, behind].every((node) => after(node).length === 20), "all");
      assertEquals(after(ahead), after(behind));
      assertEquals(ahead.seqs.slice(8), behind.seqs.slice(4));
      assertEquals(new Set(after(ahead)), new Set(names));
      await untilLost(ahead, behind);
    }));

  it("gives no number again when the replica fails too, and the old primary is back", () =>
    withLag(async ({ addresses, primary, replica }, ahead, behind) => {
      addresses[0]!.lead(replica.port);
      await ahead.append("elsewhere 1", "elsewhere 2", "elsewhere 3");
      await replica.kill();
      // It has nothing: the journal is made anew by a node that knows of both servers' numbers, or of one's.
      await primary.run();
      addresses[1]!.lead(primary.port);
      const seqs = await behind.append("back 1", "back 2");
      addresses[0]!.lead(primary.port);
      await until(() => ahead.told.at(-1) === "back 2", "what came after, on the node that knew more");
      assert(seqs[0]! > Math.max(...ahead.seqs.slice(0, -2)), `${seqs}`);
      const lost = ahead.journal.lost;
      const isLost = (seq: number): boolean => lost.some(({ after, until }) => after < seq && seq <= until);
      assertEquals(ahead.seqs.filter(isLost), ahead.seqs.slice(0, -2));
    }));

  it("reports the loss to receivers that share a cursor, also when it is found late", async () => {
    for (const late of [true, false]) {
      await using failover = await Failover.start();
      const { addresses, replica } = failover;
      const [ahead, behind] = [await failover.open(), await failover.open()];
      let woken = 0;
      const place = behind.journal.share("x", 0, "", () => woken++);
      await ahead.append("1", "2", "3", "4");
      assertEquals(bodies((await place.take(10)).new), ["1", "2", "3", "4"]);
      place.acknowledge([1, 2, 3, 4]);
      assertEquals(await behind.journal.cursor("x"), 4);
      const program = await failover.program(replica);
      const group = (): Promise<unknown> => program.command("HGET", "{tackline}:cursor:x", "group");
      await until(async () => await group() === "4 4", "the cursor at the replica");
      await failover.promote(4);
      addresses[1]!.lead(0);
      await ahead.append("5", "6", "7", "8");
      await failover.primary.kill();
      if (late) {
        addresses[1]!.lead(replica.port);
        await behind.append("new");
        const taken = await place.take(10);
        assertEquals([bodies(taken.new), taken.gaps], [["new"], []]);
        addresses[0]!.lead(replica.port);
      } else {
        addresses[0]!.lead(replica.port);
        await ahead.append("6");
        // What it had delivered is known as a retry no more: it is kept again.
        addresses[1]!.lead(replica.port);
      }
      await untilLost(behind);
      let taken: TakenEntries | undefined;
      await until(async () => (taken = await place.take(10).catch(() => undefined)) !== undefined, "the connection");
      assertEquals([bodies(taken!.new), taken!.gaps], [late ? [] : ["6"], [{ after: 4, until: 8 }]]);
      assertEquals((await place.take(10)).gaps, []);
    }
  });

  it("appends nothing over a connection that came to another server than the others", async () => {
    await using failover = await Failover.start();
    const { primary, replica } = failover;
    await using _second = await RedisServer.start([...OPTIONS, "--replicaof", "127.0.0.1", `${replica.port}`]);
    const node = await failover.open(primary, { replicas: 1, replicaTimeout: 200 });
    const other = await failover.open(primary);
    await node.append("1", "2");
    await failover.promote(2);
    await until(() => other.told.length === 2, "both");
    await other.append("3", "4");
    await until(() => node.told.length === 4, "what the new primary does not have");
    // New connections come to the new primary; of those that are there only the appending one is lost: the last one
    // that ran a script.
    const admin = await failover.program(primary);
    failover.addresses[0]!.target = replica.port;
    const clients = String(await admin.command("CLIENT", "LIST")).split("\n").filter((line) => line !== "");
    const field = (line: string, name: string): string => new RegExp(`(?:^| )${name}=(\\S*)`).exec(line)![1]!;
    const mine = clients.filter((line) => field(line, "cmd") === "wait");
    assertEquals(mine.length, 1, clients.join("\n"));
    await admin.command("CLIENT", "KILL", "ID", field(mine[0]!, "id"));
    const [seq] = await node.append("5");
    assert(seq! > 4, `${seq}`);
    const program = await failover.program(replica);
    const stream = await program.command("XREVRANGE", "{tackline}:stream", "+", "-", "COUNT", "1") as [string][];
    assertEquals(stream[0]![0], `${seq}-0`);
    await until(() => node.told.at(-1) === "5", "its own");
    await untilMessage(node, "Redis has forgotten the notifications 3 to 4: ");
  });
});

const UNREAD = "Redis has forgotten the notifications 2 to 6: ";

/**
 * Redis is back with number 1. Of 2 to 6 only `node` knows: it was notified of them, and could not read them. It does
 * not reach Redis until its address leads there again.
 */
async function withUnread(
  action: (redis: RedisServer, node: Node, address: ServiceAddress) => Promise<void>,
): Promise<void> {
  await using redis = await RedisServer.start(OPTIONS);
  const allow = async (...rules: string[]): Promise<void> => {
    await using admin = await make!(redis.url);
    await admin.command("ACL", "SETUSER", "node", "on", "nopass", "+@all", "~*", ...rules);
  };
  await allow();
  await using other = await Node.open(make!, redis.url);
  await other.append("1");
  await using address = await ServiceAddress.listen(redis.port);
  await using node = await Node.open(make!, address.url.replace("://", "://node:x@"));
  await other.program.command("SAVE");
  await allow("-xread", "-xrange");
  await other.program.command("CLIENT", "KILL", "USER", "node");
  await other.append("2", "3", "4", "5");
  await node.append("6");
  assertEquals([node.told, node.journal.last], [[], 1]);
  await other.close();
  address.lead(0);
  await redis.kill();
  await redis.run();
  await allow();
  await action(redis, node, address);
}

async function untilMessage(node: Node, start: string): Promise<void> {
  await until(() => node.messages("ERR_JOURNAL_LOST").some((message) => message.startsWith(start)), start);
}

describeRedis("RedisJournal of a Redis that has forgotten something", () => {
  it("gives no number again after a restart with an older snapshot, to a node that knew nothing of it", async () => {
    await using redis = await RedisServer.start(OPTIONS);
    await using address = await ServiceAddress.listen(redis.port);
    await using node = await Node.open(make!, address.url);
    await node.append("1", "2", "3", "4");
    await node.program.command("SAVE");
    await node.append("5", "6", "7", "8");
    address.lead(0);
    await redis.kill();
    await redis.run();
    await using fresh = await Node.open(make!, redis.url);
    const [seq] = await fresh.append("new 1");
    assert(seq! > 8, `${seq}`);
    address.lead(redis.port);
    await until(() => node.told.at(-1) === "new 1", "what came after");
    await untilLost(node, fresh);
  });

  it("reports numbers that a node was notified of and could not read", () =>
    withUnread(async (redis, node, address) => {
      await using fresh = await Node.open(make!, redis.url);
      await fresh.append("new 1");
      assertEquals(fresh.journal.lost, []);
      address.lead(redis.port);
      await untilMessage(node, UNREAD);
      await untilMessage(fresh, UNREAD);
    }));

  it("tells a node that opens later of them, without an error", () =>
    withUnread(async (redis, node, address) => {
      address.lead(redis.port);
      await untilMessage(node, UNREAD);
      await using later = await Node.open(make!, redis.url);
      assertEquals(later.journal.lost, [{ after: 1, until: 6 }]);
      await later.append("new 1");
      await until(() => node.told.at(-1) === "new 1", "what came after");
      assertEquals(later.messages("ERR_JOURNAL_LOST"), []);
    }));

  it("keeps the report of a loss that was found before there was a listener, for the first one", () =>
    withUnread(async (redis, node, address) => {
      await using program = await make!(redis.url);
      const journal = await RedisJournal.open(program.client);
      try {
        address.lead(redis.port);
        await untilMessage(node, UNREAD);
        await until(() => journal.lost.length > 0, "the loss at the journal");
        const errors: Error[] = [];
        journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
        assertEquals(errors.map(({ message }) => message.startsWith(UNREAD)), [true]);
      } finally {
        await journal.close();
      }
    }));

  it("reports no loss, and omits no message, when none was lost", async () => {
    await using redis = await RedisServer.start();
    await using one = await Node.open(make!, redis.url);
    await using other = await Node.open(make!, redis.url);
    await one.append("1", "2");
    for (const turn of ["a", "b", "c"]) {
      await redis.kill();
      await until(() => [one, other].every(({ errors }) => errors.at(-1)?.message.startsWith("Redis is away")), "both");
      await redis.run();
      await one.append(`${turn} 1`);
      await other.append(`${turn} 2`);
      await until(() => [one, other].every(({ told }) => told.at(-1) === `${turn} 2`), "both to hear");
    }
    assertEquals(one.told, ["1", "2", "a 1", "a 2", "b 1", "b 2", "c 1", "c 2"]);
    assertEquals(other.told, one.told);
    assertEquals([one, other].map(({ journal }) => journal.lost), [[], []]);
    assertEquals(new Set([...one.errors, ...other.errors].map(({ code }) => code)), new Set(["ERR_JOURNAL_AWAY"]));
    assertEquals(bodies(await one.journal.read(0, 100)), one.told);
  });

  it("reuses no number where the user may not run the commands that identify the server", async () => {
    await using redis = await RedisServer.start(OPTIONS);
    await using address = await ServiceAddress.listen(redis.port);
    const forbid = async (): Promise<void> => {
      await using admin = await make!(redis.url);
      await admin.command("ACL", "SETUSER", "default", "-info");
    };
    await forbid();
    await using one = await Node.open(make!, address.url);
    await using other = await Node.open(make!, redis.url);
    const numbers = Array.from({ length: 20 }, (_, at) => `${at}`);
    await Promise.all(numbers.map((name, at) => (at % 2 === 0 ? one : other).append(name)));
    await until(() => [one, other].every(({ told }) => told.length === 20), "all");
    assertEquals([one.errors, other.errors], [[], []]);
    await one.program.command("SAVE");
    await one.append("lost");
    address.lead(0);
    await other.close();
    await redis.kill();
    await redis.run();
    await forbid();
    await using fresh = await Node.open(make!, redis.url);
    await fresh.append("new 1");
    address.lead(redis.port);
    await until(() => one.told.at(-1) === "new 1", "what came after");
    const [seq] = one.seqs.slice(-2);
    await untilMessage(one, `Redis has forgotten the notifications ${seq} to ${seq}: `);
  });

  it("refuses an append over a connection kept while the server was a replica", async () => {
    await using primary = await RedisServer.start(OPTIONS);
    await using replica = await RedisServer.start(OPTIONS);
    await using user = await make!(primary.url);
    await using other = await make!(replica.url);
    const link = { send: ([command, ...args]: string[]) => user.command(command!, ...args) } as RedisLink;
    const open = (): Promise<unknown> => OPEN.run(link, "{x}", ["id", 1, 1, 0, 0]);
    const append = (base: string, body: string): Promise<unknown> =>
      APPEND.run(link, "{x}", ["id", base, 0, 0, body, 1, "t", body, body.length, "", 0, 0]);
    await user.command("SET", "{x}mark", "1");
    await other.command("REPLICAOF", "127.0.0.1", `${primary.port}`);
    const has = async (key: string): Promise<boolean> => await other.command("EXISTS", key) === 1;
    await until(() => has("{x}mark"), "the mark at the replica");
    const [, , , , base] = await open() as string[];
    await append(base!, "1");
    // It follows a server that has less, and is promoted again; it was not written to.
    await until(() => has("{x}stream"), "the stream at the replica");
    await other.command("REPLICAOF", "NO", "ONE");
    assertEquals((await append(base!, "2") as unknown[])[0], "2");
    await user.command("REPLICAOF", "127.0.0.1", `${replica.port}`);
    await until(async () => Number(await user.command("HGET", "{x}meta", "last")) === 1, "less than there was");
    await user.command("REPLICAOF", "NO", "ONE");
    await assertRejects(() => append(base!, "3"), Error, "EPOCH");
    const [, , , , newBase] = await open() as string[];
    assert(Number((await append(newBase!, "3") as unknown[])[0]) > 2);
  });
});
