import { createHmac } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WebSocketError } from "../../base/errors.ts";
import { encodeInboxMessage, type NotificationMessage } from "../../inbox/protocol.ts";
import { WebSocketServer } from "../../server.ts";
import {
  INBOX_PROTOCOL,
  verifySignature,
  WhatsAppReceiver,
  type WhatsAppReceiverOptions,
  WhatsAppServer,
} from "../../whatsapp.ts";
import { findReceiver, isOneOf } from "../../whatsapp/access.ts";
import { equalSecrets } from "../../cloud_api/signature.ts";
import { encode, pipe, until } from "../support/support.ts";
import { connect, post, SECRET, startServer, texts, wrap } from "../support/whatsapp.ts";

/** A server that sends what it likes. */
async function startForger(): Promise<WebSocketServer> {
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    port: 0,
    protocols: [INBOX_PROTOCOL],
    onError: () => {},
  });
  await server.start();
  return server;
}

/** Everything that a receiver hands to its program, whichever way. */
interface Handed {
  typed: string[];
  raw: (string | Uint8Array)[];
  errors: string[];
  receiver: WhatsAppReceiver;
  /** Resolves when all loops have ended. */
  loops: Promise<unknown>;
}

async function listen(server: WebSocketServer, options: WhatsAppReceiverOptions = {}): Promise<Handed> {
  const [typed, raw, errors]: [string[], (string | Uint8Array)[], string[]] = [[], [], []];
  const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, {
    appSecret: SECRET,
    onWhatsAppMessageReceived: ({ id }) => void typed.push(`message ${id}`),
    onStatusReceived: ({ id }) => void typed.push(`status ${id}`),
    onNotification: ({ kind }) => void typed.push(kind),
    onMessageReceived: (text) => void raw.push(text),
    onBinaryDataReceived: (bytes) => void raw.push(bytes),
    onError: (error) => void errors.push((error as WebSocketError).code),
    ...options,
  });
  await receiver.connect();
  const collect = async (loop: AsyncIterable<unknown>): Promise<void> => {
    for await (const item of loop) typed.push(`loop ${JSON.stringify(item)}`);
  };
  const { messages, statuses, records, notifications, readable } = receiver;
  const all = [messages, statuses, records, notifications, receiver, readable as AsyncIterable<unknown>];
  const loops = Promise.allSettled(all.map(collect));
  await until(() => server.connections.size === 1, "the connection");
  return { typed, raw, errors, receiver, loops };
}

const WELCOME = encodeInboxMessage({ type: "welcome", journal: "j", after: 0, last: 0, window: 10 });

function notification(body: string, more: Partial<NotificationMessage> = {}): Uint8Array {
  const head = { type: "notification" as const, seq: 1, signature: "", receivedAt: "2026-11-01T00:00:00Z", ...more };
  return encodeInboxMessage(head, encode(body));
}

const KINDS = JSON.stringify({
  object: "whatsapp_business_account",
  entry: [{
    id: "42",
    changes: [
      { field: "messages", value: { messages: [{ id: "m", type: "text", text: { body: "a" } }] } },
      { field: "messages", value: { statuses: [{ id: "s", status: "read" }], errors: [{ code: 1 }] } },
      { field: "history", value: { messages: [{ id: "h", type: "text", text: { body: "a" } }] } },
      { field: "smb_message_echoes", value: { message_echoes: [{ id: "e", type: "text", text: { body: "a" } }] } },
      { field: "account_update", value: {} },
    ],
  }],
});

describe("WhatsAppReceiver with appSecret", () => {
  const forged: [what: string, message: string | Uint8Array][] = [
    ["a text message", KINDS],
    ["a text message with a byte order mark", `\uFEFF${KINDS}`],
    ["a text message of another product", '{"object":"page","entry":[]}'],
    ["a text message with entries only", ' {"entry" : []}'],
    ["a text message that becomes a notification when it is copied", `{"__proto__":${KINDS}}`],
    ["a notification without a signature", notification(KINDS)],
    ["a partial notification, which has no signature", notification(KINDS, { partial: true })],
    ["a partial notification with a wrong signature", notification(KINDS, { partial: true, signature: "x" })],
    ["a notification that came before", notification(KINDS, { redelivered: true })],
    ["a notification with another secret's signature", notification(KINDS, { signature: sign(KINDS, "other") })],
    ["a notification with another body's signature", notification(KINDS, { signature: sign("{}", SECRET) })],
    ["a notification signed with no secret", notification(KINDS, { signature: sign(KINDS, "") })],
  ];
  for (const [what, message] of forged) {
    it(`hands over nothing of ${what}, and closes the connection with 1008`, async () => {
      await using server = await startForger();
      const { typed, raw, errors, receiver, loops } = await listen(server);
      const [connection] = server.connections;
      connection!.send(WELCOME);
      connection!.send(message);
      await until(() => connection!.state === "closed" || typed.length + raw.length > 0, "the end");
      assertEquals([typed, raw, errors], [[], [], ["ERR_SIGNATURE"]]);
      assertEquals((await connection!.closed).received?.code, 1008);
      await loops;
      await receiver.disconnect();
    });
  }

  it("delivers the signed notifications that follow a forged one", async () => {
    await using server = await startForger();
    const { typed, receiver, loops } = await listen(server, { reconnect: false });
    const [first] = server.connections;
    first!.send(WELCOME);
    first!.send(KINDS);
    await first!.closed;
    await loops;
    await receiver.connect();
    await until(() => server.connections.size === 1, "the next connection");
    const [second] = server.connections;
    second!.send(WELCOME);
    second!.send(notification(KINDS, { signature: sign(KINDS, SECRET) }));
    await until(() => typed.length === 6, "all records");
    assertEquals(typed, ["message m", "status s", "error", "history", "echo", "account"]);
    await receiver.disconnect();
  });

  it("hands over other texts of the server's program to onMessageReceived only", async () => {
    await using server = await startForger();
    const { typed, raw, receiver, loops } = await listen(server);
    const [connection] = server.connections;
    connection!.send(WELCOME);
    const others = ["hello", '{"type":"hello","messages":[]}', "[{}]", "null", `"${KINDS.length}"`];
    for (const text of others) connection!.send(text);
    await until(() => raw.length === others.length, "the texts");
    assertEquals([typed, raw], [[], others]);
    await receiver.disconnect();
    await loops;
  });

  it("keeps other texts from a loop, and for a handler that comes later, if there is no loop", async () => {
    await using server = await startForger();
    const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, { appSecret: SECRET });
    await receiver.connect();
    await until(() => server.connections.size === 1, "the connection");
    const [connection] = server.connections;
    connection!.send(WELCOME);
    connection!.send("one");
    connection!.send(notification("{}", { signature: sign("{}", SECRET) }));
    const raw: string[] = [];
    await until(() => receiver.position?.after === 0, "the notification");
    receiver.onMessageReceived = (text) => void raw.push(text);
    await until(() => raw.length === 2, "both");
    Object.assign(receiver, { onMessageReceived: undefined });
    await until(() => receiver.position?.after === 1, "the acknowledgement");
    connection!.send("two");
    connection!.send(notification("[]", { seq: 2, signature: sign("[]", SECRET) }));
    for await (const text of receiver) {
      raw.push(text as string);
      break;
    }
    assertEquals(raw, ["one", "{}", "[]"]);
    await receiver.disconnect();
  });

  it("does not hold texts that a loop has skipped for a later handler", async () => {
    await using server = await startForger();
    const errors: unknown[] = [];
    const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, {
      appSecret: SECRET,
      onError: (error) => errors.push(error),
    });
    await receiver.connect();
    await until(() => server.connections.size === 1, "the connection");
    const [connection] = server.connections;
    connection!.send(WELCOME);
    // More than 8 MiB would end the connection, together.
    for (let seq = 1; seq <= 3; seq++) {
      connection!.send("x".repeat(5 * 1024 * 1024));
      connection!.send(notification("{}", { seq, signature: sign("{}", SECRET) }));
      await until(() => receiver.stats().messages.received === 1 + 2 * seq, "both");
      for await (const raw of receiver) {
        assertEquals(raw, "{}");
        break;
      }
    }
    assertEquals([errors, receiver.active], [[], true]);
    await receiver.disconnect();
  });

  it("uses the secret found by the handshake; a later one applies to the next connection", async () => {
    await using server = await startServer();
    const ids: string[] = [];
    const receiver = await connect(server, { name: "x", onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
    receiver.appSecret = "other";
    await post(server, texts("1"));
    await until(() => ids.length === 1, "the first");
    await receiver.disconnect();
    await receiver.connect();
    const { closed } = receiver.connection!;
    await post(server, texts("2"));
    assertEquals([(await closed).sent?.code, ids], [1008, ["1"]]);
    // Without signatures there is nothing to connect to.
    await using plain = await startServer({ protocols: ["whatsapp-notifications"] });
    await assertRejects(() => connect(plain, { appSecret: SECRET }), Error, "whatsapp-inbox.v1");
    await assertRejects(
      () => connect(server, { appSecret: SECRET, options: { frameByFrame: true } }),
      Error,
      "whatsapp-inbox.v1",
    );
  });
});

/** Signs with an empty secret as well, which `signNotification` refuses. */
function sign(body: string | Uint8Array, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

describe("WhatsAppServer: what is not signed", () => {
  it("is refused on both ways a request may take", async () => {
    const body = wrap([]);
    const right = sign(body, SECRET);
    const wrong = [`sha512=${right.slice(7)}`, `SHA256=${right.slice(7)}`, `xxxxxxx${right.slice(7)}`];
    wrong.push(sign(body, "other"), sign("{}", SECRET), right.slice(7), `${right}, ${right}`, "");
    // With "Expect" it takes the long way.
    for (const extra of ["", "Expect: 100-continue\r\n"]) {
      for (const signature of [...wrong, right]) {
        const [ours, theirs] = pipe();
        const kept: string[] = [];
        const server = new WhatsAppServer({
          appSecret: SECRET,
          receiverToken: "t",
          journal: null,
          onError: () => {},
          onRawMessage: (raw) => void kept.push(raw),
        });
        server.acceptStream(theirs);
        const writer = ours.writable.getWriter();
        const head = `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n${extra}` +
          `Content-Length: ${encode(body).length}\r\nX-Hub-Signature-256: ${signature}\r\n\r\n`;
        writer.write(encode(head + body)).catch(() => {});
        writer.close().catch(() => {});
        const answer = await new Response(ours.readable).text();
        assert(answer.includes(` ${signature === right ? 200 : 401} `), `${extra}${signature}: ${answer}`);
        assertEquals(kept, signature === right ? [body] : []);
        await server.stop();
      }
    }
  });
});

describe("verifySignature", () => {
  const body = encode("{}");

  it("wants sha256= before the digits, in lower case", () => {
    const right = sign(body, SECRET);
    assertEquals(verifySignature(body, right, SECRET), true);
    for (const prefix of ["sha512=", "SHA256=", "sha256:", "xxxxxxx", "       "]) {
      assertEquals(verifySignature(body, prefix + right.slice(7), SECRET), false, prefix);
    }
  });

  it("computes all secrets each time, wherever the right one stands", () => {
    for (const secrets of [["a", "b", SECRET], [SECRET, "a", "b"]]) {
      const { list, seen } = watched(secrets);
      assertEquals(verifySignature(body, sign(body, SECRET), list), true);
      assertEquals(seen, secrets);
    }
  });

  it("compares in constant time: nothing but timingSafeEqual looks at secrets and digests", () => {
    const harmless = ["shown === undefined", 'typeof appSecret === "string"', "shown === void 0"];
    for (const compare of [verifySignature, equalSecrets]) {
      let source = compare.toString();
      for (const part of harmless) source = source.replaceAll(part, "");
      assert(source.includes("timingSafeEqual"), source);
      for (const other of ["==", "equals(", "compare(", "includes(", "indexOf(", "startsWith(", "every(", "some("]) {
        assert(!source.includes(other), `${other} in ${source}`);
      }
    }
  });
});

describe("tokens", () => {
  it("are compared all each time, wherever the right one stands", () => {
    for (const names of [["right", "b", "c"], ["a", "b", "right"]]) {
      const { list, seen } = watched(names);
      assertEquals(isOneOf("right", list), true);
      assertEquals(seen, names);
      const read: string[] = [];
      const tokens = names.map((token) => ({
        get token(): string {
          if (!read.includes(token)) read.push(token);
          return token;
        },
      }));
      assertEquals(findReceiver(new Headers({ authorization: "Bearer right" }), tokens)?.token, "right");
      assertEquals(read, names);
    }
  });
});

/** A list that keeps what is taken from it. */
function watched(items: string[]): { list: string[]; seen: string[] } {
  const seen: string[] = [];
  const list = [...items];
  list[Symbol.iterator] = function* (): ArrayIterator<string> {
    for (const item of items) {
      seen.push(item);
      yield item;
    }
  };
  return { list, seen };
}
