/** Two servers with one journal in Redis, as Meta and receivers see them. */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { WebSocketError } from "../../base/errors.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { signNotification, WhatsAppReceiver, type WhatsAppReceiverOptions, WhatsAppServer } from "../../whatsapp.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { encode, until } from "../support/support.ts";

const SECRET = "app-secret";

/** One server, its journal, and the program's client. */
interface Node {
  server: WhatsAppServer;
  journal: RedisJournal;
  program: ProgramClient;
  errors: WebSocketError[];
}

async function startNode(redis: RedisServer, at: number): Promise<Node> {
  const makers = [...CLIENTS.values()];
  const program = await makers[at % makers.length]!(redis.url);
  const journal = await RedisJournal.open(program.client);
  const errors: WebSocketError[] = [];
  const server = new WhatsAppServer({
    hostname: "127.0.0.1",
    port: 0,
    pathName: "/whatsapp",
    behindProxy: true,
    appSecret: SECRET,
    receiverToken: [{ token: "token" }, { token: "only 2", filter: { phoneNumberIds: ["2"] } }],
    journal,
    onError: (error) => void errors.push(error as WebSocketError),
  });
  await server.start();
  return { server, journal, program, errors };
}

async function withNodes(count: number, action: (nodes: Node[], redis: RedisServer) => Promise<void>): Promise<void> {
  const redis = await RedisServer.start();
  const nodes = [];
  for (let at = 0; at < count; at++) nodes.push(await startNode(redis, at));
  await action(nodes, redis);
  for (const node of nodes) await node.server.stop();
  await Promise.all(nodes.map(({ journal }) => journal.close()));
  await Promise.all(nodes.map(({ program }) => program.close()));
  await redis.stop();
}

const url = ({ server }: Node): string => `http://127.0.0.1:${server.address!.port}/whatsapp`;

async function post(node: Node, id: string, phoneNumberId = "1"): Promise<number> {
  const messages = [{ id, from: "491700000001", type: "text", text: { body: "Hi" } }];
  const value = { messaging_product: "whatsapp", metadata: { phone_number_id: phoneNumberId }, messages };
  const entry = [{ id: "42", changes: [{ field: "messages", value }] }];
  const bytes = encode(JSON.stringify({ object: "whatsapp_business_account", entry }));
  const headers = { "content-type": "application/json", "x-hub-signature-256": signNotification(bytes, SECRET) };
  const response = await fetch(url(node), { method: "POST", body: bytes, headers });
  await response.body?.cancel();
  return response.status;
}

/** A receiver that is done with a message when `handled` is. */
async function receive(
  node: Node,
  ids: string[],
  options: WhatsAppReceiverOptions = {},
  handled?: Promise<void>,
): Promise<WhatsAppReceiver> {
  const receiver = new WhatsAppReceiver(url(node).replace("http", "ws"), {
    receiverToken: "token",
    onError: () => {},
    onWhatsAppMessageReceived({ id }) {
      ids.push(id);
      return handled;
    },
    ...options,
  });
  await receiver.connect();
  return receiver;
}

describeRedis("WhatsAppServers with one journal in Redis", () => {
  it("deliver what any of them takes, to receivers of all, in order, and know each other's retries", () =>
    withNodes(2, async ([one, two]) => {
      const [here, there, plain] = [[] as string[], [] as string[], [] as string[]];
      const receivers = [
        await receive(one!, here),
        await receive(two!, there),
        await receive(two!, plain, { protocols: ["whatsapp-notifications"] }),
      ];
      const ids = Array.from({ length: 30 }, (_, at) => `id ${at}`);
      for (const [at, id] of ids.entries()) assertEquals(await post(at % 3 === 0 ? one! : two!, id), 200);
      for (const id of ids.slice(0, 5)) assertEquals(await post(two!, id), 200);
      assertEquals(await post(one!, "end"), 200);
      for (const got of [here, there, plain]) {
        await until(() => got.includes("end"), "the end");
        assertEquals(got, [...ids, "end"]);
      }
      await Promise.all(receivers.map((receiver) => receiver.disconnect()));
    }));

  it("let a named receiver continue at the other server, without a loss or a repeat", () =>
    withNodes(2, async ([one, two]) => {
      const ids: string[] = [];
      const all: string[] = [];
      for (let turn = 0; turn < 6; turn++) {
        const node = [one, two][turn % 2]!;
        const receiver = await receive(node, ids, { name: "billing" });
        for (let at = 0; at < 5; at++) {
          const id = `${turn} ${at}`;
          all.push(id);
          assertEquals(await post([two, one][turn % 2]!, id), 200);
        }
        await until(() => ids.length === all.length, "what came while it was there");
        await receiver.disconnect();
        all.push(`${turn} away`);
        assertEquals(await post(node, `${turn} away`), 200);
      }
      const receiver = await receive(one!, ids, { name: "billing" });
      await until(() => ids.length === all.length, "the last one");
      assertEquals(ids, all);
      await receiver.disconnect();
    }));

  it("share work among receivers of one name, and hand it over when one leaves", () =>
    withNodes(2, async ([one, two]) => {
      const [here, there] = [[] as string[], [] as string[]];
      const name = { name: "pool", share: true };
      // This one never acknowledges.
      const stuck = await receive(one!, here, { ...name, window: 2 }, new Promise(() => {}));
      const ids = Array.from({ length: 20 }, (_, at) => `id ${at}`);
      for (const id of ids.slice(0, 2)) assertEquals(await post(two!, id), 200);
      await until(() => here.length === 2, "what fits its window");
      const working = await receive(two!, there, { ...name, window: 1 });
      for (const [at, id] of ids.slice(2).entries()) assertEquals(await post([one, two][at % 2]!, id), 200);
      await until(() => there.length === 18, "what is not stuck");
      await stuck.disconnect(false);
      await until(() => there.length === 20, "the rest");
      assertEquals([...there].sort(), [...ids].sort());
      // All is acknowledged: nothing of it comes again.
      const pending = async (): Promise<unknown> =>
        (await one!.program.command("XPENDING", "{tackline}:stream", "pool") as unknown[])[0];
      await until(async () => await pending() === 0, "the last acknowledgement");
      await working.disconnect();
    }));

  it("take no more for a receiver than it can have: the rest is for those on other servers", () =>
    withNodes(2, async ([one, two]) => {
      const [here, there] = [[] as string[], [] as string[]];
      const name = { name: "pool", share: true, after: 0 };
      for (let at = 0; at < 10; at++) assertEquals(await post(one!, `id ${at}`), 200);
      const stuck = await receive(one!, here, { ...name, window: 3 }, new Promise(() => {}));
      await until(() => here.length === 3, "what fits its window");
      const working = await receive(two!, there, name);
      await until(() => there.length === 7, "the others");
      await Promise.all([stuck.disconnect(false), working.disconnect()]);
    }));

  it("refuse a receiver that shares a name with another filter, on any of them", () =>
    withNodes(2, async ([one, two]) => {
      const name = { name: "pool", share: true };
      const first = await receive(one!, [], name);
      await until(() => first.position !== undefined, "the welcome");
      const other = await receive(two!, [], { ...name, filter: { fields: ["messages"] } });
      const { code } = await other.connection!.closed;
      assertEquals(code, 4409);
      await first.disconnect();
    }));

  it("give one receiver only what its token allows, from either server", () =>
    withNodes(2, async ([one, two]) => {
      const ids: string[] = [];
      const receiver = await receive(two!, ids, { receiverToken: "only 2" });
      for (const [at, number] of ["1", "2", "1", "2"].entries()) {
        assertEquals(await post(one!, `id ${at}`, number), 200);
      }
      await until(() => ids.length === 2, "both");
      assertEquals(ids, ["id 1", "id 3"]);
      await receiver.disconnect();
    }));

  it("answer 503 while Redis is unreachable, keep their receivers, and resume afterwards", () =>
    withNodes(2, async ([one, two], redis) => {
      const ids: string[] = [];
      const receiver = await receive(one!, ids, { name: "billing" });
      assertEquals(await post(two!, "before"), 200);
      await until(() => ids.length === 1, "the first");
      await redis.kill();
      await until(() => [one!, two!].every(({ errors }) => errors.length > 0), "both to notice");
      assertEquals(await post(one!, "during"), 503);
      assertEquals(await post(two!, "during"), 503);
      await redis.run();
      await until(async () => await post(two!, "during") === 200, "the connections to Redis");
      await until(() => ids.length === 2, "the second");
      assertEquals([ids, receiver.active], [["before", "during"], true]);
      await receiver.disconnect();
    }));
});
