import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, JournalError, OptionError, TransportError, type WebSocketError } from "../../base/errors.ts";
import type { Appended } from "../../journal/journal.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { type CloseInfo, WebSocketClient } from "../../client.ts";
import { INBOX_PROTOCOL, signNotification, tokenProtocol, type WhatsAppServer } from "../../whatsapp.ts";
import { decode, encode, FakeClock, settle, until } from "../support/support.ts";
import {
  changeOf,
  connect,
  originOf,
  PATH,
  post,
  SECRET,
  startVerified as start,
  texts,
  textsTo,
  withFile,
  wrap,
} from "../support/whatsapp.ts";

describe("WhatsAppServer: keeping", () => {
  it("stores notifications before the 200, and delivers unacknowledged ones after a restart", () =>
    withFile(async (file) => {
      let server = await start({ journal: file });
      const ids: string[] = [];
      const first = await connect(server, {
        name: "billing",
        onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
      });
      assertEquals(await post(server, texts("1")), 200);
      await until(() => ids.length === 1, "the first");
      await first.disconnect();
      assertEquals(await post(server, texts("2", "3")), 200);
      await server.stop();
      server = await start({ journal: file });
      assertEquals(await post(server, texts("4")), 200);
      const second = await connect(server, {
        name: "billing",
        onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
      });
      await until(() => ids.length === 4, "the others");
      assertEquals(ids, ["1", "2", "3", "4"]);
      await second.disconnect();
      await server.stop();
    }));

  it("answers retries with 200, stores them once and calls onRawMessage once, also when concurrent", async () => {
    const release = Promise.withResolvers<void>();
    let asked = 0;
    const server = await start({
      onRawMessage: async () => {
        asked++;
        await release.promise;
      },
    });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    const answers = Promise.all([1, 2, 3].map(() => post(server, texts("1"))));
    await until(() => asked === 1, "onRawMessage");
    release.resolve();
    assertEquals(await answers, [200, 200, 200]);
    assertEquals(await post(server, texts("1")), 200);
    assertEquals(await post(server, texts("2")), 200);
    await until(() => got.length === 2, "both");
    assertEquals([asked, got], [2, [texts("1"), texts("2")]]);
    await receiver.disconnect();
    await server.stop();
  });

  it("asks Meta to try again with 503 while the journal is down, and delivers then", async () => {
    class Full extends MemoryJournal {
      full = true;
      override append(entry: Parameters<MemoryJournal["append"]>[0]): Promise<Appended> {
        return this.full ? Promise.reject(new JournalError("ERR_JOURNAL_WRITE", "full")) : super.append(entry);
      }
    }
    const journal = new Full();
    const server = await start({ journal });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    const response = await fetch(originOf(server) + PATH, {
      method: "POST",
      body: texts("1"),
      headers: {
        "content-type": "application/json",
        "x-hub-signature-256": signNotification(encode(texts("1")), SECRET),
      },
    });
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
    assertEquals(server.errors.map(({ code }) => code), ["ERR_JOURNAL_WRITE"]);
    journal.full = false;
    assertEquals(await post(server, texts("1")), 200);
    await until(() => got.length === 1, "the notification");
    await receiver.disconnect();
    await server.stop();
  });

  it("does not start with a journal that another has open, and leaves the port free", () =>
    withFile(async (file) => {
      const other = await SqliteJournal.open(file);
      const error = await assertRejects(() => start({ journal: file }), JournalError);
      assertEquals(error.code, "ERR_JOURNAL_LOCKED");
      await other.close();
      const server = await start({ journal: file });
      const { port } = server.address!;
      // A start that fails for the port lets go of its journal.
      await assertRejects(() => start({ journal: `${file}.2`, port }), TransportError);
      await (await SqliteJournal.open(`${file}.2`)).close();
      await server.stop();
      await (await SqliteJournal.open(file)).close();
    }));

  it("does not start with a journal that is closed, and leaves it to others that open it again", () =>
    withFile(async (file) => {
      for (const journal of [await SqliteJournal.open(file), new MemoryJournal()]) {
        await journal.close();
        const error = await assertRejects(() => start({ journal }), JournalError, "is closed");
        assertEquals(error.code, "ERR_JOURNAL_CLOSED");
      }
    }));

  it("warns at the start if it keeps notifications in memory only, unless configured so", async () => {
    const warnings: string[] = [];
    const { warn } = console;
    console.warn = (text: string) => void warnings.push(text);
    try {
      await (await start({ journal: null })).stop();
      await (await start({ journal: new MemoryJournal() })).stop();
      assertEquals(warnings, []);
      await (await start({ journal: undefined })).stop();
    } finally {
      console.warn = warn;
    }
    assertStringIncludes(warnings.join("\n"), "in memory only");
  });
});

describe("WhatsAppServer: Meta", () => {
  it("may have several secrets and verify tokens, while one is replaced", async () => {
    const server = await start({ appSecret: ["new", "old"], verifyToken: ["one", "two"] });
    assertEquals(await post(server, texts("1"), { secret: "old" }), 200);
    assertEquals(await post(server, texts("2"), { secret: "new" }), 200);
    assertEquals(await post(server, texts("3"), { secret: "older" }), 401);
    const verify = async (token: string): Promise<number> => {
      const query = `hub.mode=subscribe&hub.challenge=1&hub.verify_token=${token}`;
      const response = await fetch(`${originOf(server)}${PATH}?${query}`);
      await response.body?.cancel();
      return response.status;
    };
    assertEquals([await verify("one"), await verify("two"), await verify("three"), await verify("")], [
      200,
      200,
      403,
      403,
    ]);
    assertEquals(server.failedAttempts, { receiverToken: 0, verifyToken: 2, signature: 1, clientCertificate: 0 });
    await server.stop();
    for (const appSecret of [[], [""], ["a", ""]]) {
      await assertRejects(() => start({ appSecret }), OptionError, "appSecret");
    }
  });

  it("may have several apps, each with a path and secrets of its own", async () => {
    const server = await start({ apps: [{ pathName: "/other", appSecret: "theirs", verifyToken: "theirs too" }] });
    assertEquals(await post(server, texts("1"), { path: "/other", secret: "theirs" }), 200);
    assertEquals(await post(server, texts("2"), { path: "/other" }), 401);
    // The same body of another app is another notification, with another signature.
    const seqs: number[] = [];
    const receiver = await connect(server, { appSecret: ["theirs", SECRET], after: 0 });
    assertEquals(await post(server, texts("4")), 200);
    assertEquals(await post(server, texts("4"), { path: "/other", secret: "theirs" }), 200);
    for await (const { seq } of receiver.notifications) if (seqs.push(seq!) === 3) break;
    assertEquals(seqs, [1, 2, 3]);
    await receiver.disconnect();
    assertEquals(await post(server, texts("3"), { secret: "theirs" }), 401);
    const query = "hub.mode=subscribe&hub.challenge=7&hub.verify_token=";
    assertEquals(await (await fetch(`${originOf(server)}/other?${query}theirs%20too`)).text(), "7");
    const refused = await fetch(`${originOf(server)}/other?${query}verify`);
    await refused.body?.cancel();
    assertEquals(refused.status, 403);
    await server.stop();
    const apps = [{ pathName: "/other", appSecret: "" }];
    await assertRejects(() => start({ apps }), OptionError, '"appSecret" for "/other"');
    const without = await start({ apps: [{ pathName: "other", appSecret: null }] });
    assertEquals(await post(without, texts("5"), { path: "/other" }), 200);
    await without.stop();
  });

  it("gets 405, 411 and 413 where they are due", async () => {
    const server = await start({ maxBodySize: 1000 });
    const put = await fetch(originOf(server) + PATH, { method: "PUT", body: "x" });
    await put.body?.cancel();
    assertEquals([put.status, put.headers.get("allow")], [405, "GET, POST"]);
    assertEquals(await post(server, texts("1".repeat(1000))), 413);
    const signature = signNotification(encode(""), SECRET);
    const head =
      `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Hub-Signature-256: ${signature}\r\n`;
    const answer = await exchange(server, `${head}Connection: close\r\n\r\n`);
    assert(answer.startsWith("HTTP/1.1 411 "), answer);
    await server.stop();
  });

  it("must show its client certificate, where the proxy reports it", async () => {
    const server = await start({ clientCertificateHeader: "x-client-subject" });
    const status = (subject?: string): Promise<number> =>
      post(server, texts("1"), { headers: subject === undefined ? {} : { "x-client-subject": subject } });
    const name = "client.webhooks.fbclientcerts.com";
    for (const subject of [`CN=${name},O=Meta\\, Inc.`, `cn=${name}`, `Hash=00;Subject="CN=${name}"`]) {
      assertEquals(await status(subject), 200, subject);
    }
    const wrong = [undefined, "", name, `CN=${name}.evil.com`, `CN=evil,O=CN=${name}`, `CN=evil,CN=${name}`];
    for (const subject of [...wrong, `O=a\\,CN=${name}`, `O="a,CN=${name}"`, `CN=${name}, CN=evil`]) {
      assertEquals(await status(subject), 403, subject);
    }
    assertEquals(server.failedAttempts.clientCertificate, 9);
    await server.stop();
    const open = { clientCertificateHeader: "x", behindProxy: false };
    await assertRejects(() => start(open), OptionError, "behindProxy");
  });
});

/** One request, byte by byte as given. */
async function exchange(server: WhatsAppServer, request: string): Promise<string> {
  const { connect: connectTcp } = await import("node:net");
  return await new Promise((resolve, reject) => {
    let answer = "";
    const socket = connectTcp(server.address!.port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (data) => answer += data);
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("WhatsAppServer: tokens", () => {
  it("can be several, each with a name and a filter", async () => {
    const server = await start({
      receiverToken: ["plain", { token: "b", name: "billing", filter: { phoneNumberIds: ["1"] } }],
    });
    const got: Record<string, string[]> = { all: [], billing: [], text: [] };
    const receivers = [
      await connect(server, { receiverToken: "plain", onMessageReceived: (raw) => void got.all!.push(raw) }),
      await connect(server, { receiverToken: "b", onMessageReceived: (raw) => void got.billing!.push(raw) }),
      await connect(server, {
        receiverToken: "b",
        protocols: ["whatsapp-notifications"],
        onMessageReceived: (raw) => void got.text!.push(raw),
      }),
    ];
    assertEquals([...server.connections].map((one) => server.tokenNameOf(one)), [undefined, "billing", "billing"]);
    await assertRejects(() => connect(server, { receiverToken: "c" }), HandshakeError, "401");
    const both = wrap([changeOf("2", { messages: [] }), changeOf("1", { messages: [] })]);
    for (const body of [textsTo("2", "a"), textsTo("1", "b"), both]) await post(server, body);
    await until(() => got.all!.length === 3 && got.billing!.length === 2 && got.text!.length === 2, "all of them");
    const part = wrap([changeOf("1", { messages: [] })]);
    assertEquals(got.all, [textsTo("2", "a"), textsTo("1", "b"), both]);
    assertEquals([got.billing, got.text], [[textsTo("1", "b"), part], [textsTo("1", "b"), part]]);
    assertEquals(server.failedAttempts.receiverToken, 1);
    for (const receiver of receivers) await receiver.disconnect();
    await server.stop();
  });

  it("keep receivers of the same name apart", async () => {
    const server = await start({ receiverToken: [{ token: "a", name: "A" }, { token: "b", name: "B" }] });
    const got: string[] = [];
    const one = await connect(server, { receiverToken: "a", name: "x", onMessageReceived: () => void got.push("a") });
    const two = await connect(server, { receiverToken: "b", name: "x", onMessageReceived: () => void got.push("b") });
    await two.disconnect();
    await post(server, texts("1"));
    await until(() => got.length === 1, "the first");
    await one.disconnect();
    const again = await connect(server, { receiverToken: "b", name: "x", onMessageReceived: () => void got.push("b") });
    await until(() => got.length === 2, "the second");
    assertEquals(got, ["a", "b"]);
    await again.disconnect();
    await server.stop();
  });

  it("that are wrong get their answer late", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, failureDelay: 700 });
    const refused = assertRejects(() => connect(server, { receiverToken: "wrong" }), HandshakeError, "401");
    let verified = 0;
    const verify = fetch(`${originOf(server)}${PATH}?hub.mode=subscribe&hub.verify_token=x`).then((response) => {
      verified = response.status;
      return response.body?.cancel();
    });
    await until(() => server.failedAttempts.receiverToken + server.failedAttempts.verifyToken === 2, "both attempts");
    await settle();
    clock.advance(699);
    await settle();
    assertEquals(verified, 0);
    clock.advance(1);
    await Promise.all([refused, verify]);
    assertEquals(verified, 403);
    await server.stop();
  });

  it("are refused when they are empty, have no usable name, or a filter that is none", async () => {
    const wrong = [[], [""], [{ token: "" }], [{ token: "a", name: "" }], [{ token: "a", name: "a\nb" }]];
    for (const receiverToken of wrong) await assertRejects(() => start({ receiverToken }), OptionError);
    const filter = { phones: [] } as object;
    await assertRejects(() => start({ receiverToken: [{ token: "a", filter }] }), OptionError, '"phones"');
  });
});

/** Speaks the subprotocol by hand. */
async function speak(
  server: WhatsAppServer,
): Promise<{ client: WebSocketClient; got: Uint8Array[]; ended: Promise<CloseInfo> }> {
  const got: Uint8Array[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<CloseInfo>();
  const client = new WebSocketClient(originOf(server).replace("http", "ws") + PATH, {
    protocols: [INBOX_PROTOCOL, tokenProtocol("token")],
    onBinaryDataReceived: (bytes) => void got.push(bytes),
    onDisconnect: resolve,
  });
  await client.connect();
  return { client, got, ended };
}

describe("whatsapp-inbox.v1 on the wire", () => {
  it("follows docs/inbox-protocol.md: a line of JSON, a line feed, the body", async () => {
    const server = await start();
    const { client, got } = await speak(server);
    client.send(encode('{"type":"hello","name":"by hand","window":1,"unknown":true}\n'));
    await until(() => got.length === 2, "the welcome");
    const { journal, ...welcome } = JSON.parse(decode(got[0]!));
    assertEquals(decode(got[1]!), '{"type":"current","seq":0}\n');
    assertEquals([welcome, typeof journal], [{ type: "welcome", after: 0, last: 0, window: 1 }, "string"]);
    client.send(encode('{"type":"something new"}\nwith a body'));
    await post(server, texts("1"));
    await post(server, texts("2"));
    await until(() => got.length === 3, "the first notification");
    const end = got[2]!.indexOf(10);
    const { receivedAt, ...head } = JSON.parse(decode(got[2]!.subarray(0, end)));
    const signature = signNotification(encode(texts("1")), SECRET);
    assertEquals(head, { type: "notification", seq: 1, signature });
    assert(Math.abs(Date.parse(receivedAt) - Date.now()) < 60_000);
    assertEquals(decode(got[2]!.subarray(end + 1)), texts("1"));
    client.send(encode('{"type":"ack","seqs":[1]}\n'));
    await until(() => got.length === 4, "the second notification");
    await client.disconnect();
    await server.stop();
  });

  it("ends with 4400 when a message is malformed", async () => {
    const server = await start();
    const hello = '{"type":"hello"}\n';
    const wrong = [
      ["no line feed"],
      ["not JSON\n"],
      ["[]\n"],
      ["7\n"],
      ["{}\n"],
      ['{"type":"ack","seqs":[1]}\n'],
      [hello, hello],
      [hello, '{"type":"ack","seqs":1}\n'],
      [hello, '{"type":"ack","seqs":[-1]}\n'],
      ['{"type":"hello","name":""}\n'],
      ['{"type":"hello","name":"a\\n"}\n'],
      [`{"type":"hello","name":"${"x".repeat(129)}"}\n`],
      ['{"type":"hello","share":true}\n'],
      ['{"type":"hello","name":"a","share":1}\n'],
      ['{"type":"hello","after":-1}\n'],
      ['{"type":"hello","journal":1}\n'],
      ['{"type":"hello","window":0}\n'],
      ['{"type":"hello","filter":[]}\n'],
      ['{"type":"hello","filter":{"fields":"messages"}}\n'],
      ['{"type":"hello","filter":{"__proto__":[],"x":[]}}\n'],
      [`{"type":"hello","name":"${"x".repeat(70_000)}"}\n`],
    ];
    for (const messages of wrong) {
      const { client, ended } = await speak(server);
      for (const message of messages) client.send(encode(message));
      const { code, reason } = await ended;
      assertEquals(code, 4400, messages.join());
      assert(reason.length > 10, reason);
    }
    await server.stop();
  });

  it("delivers notifications received since the handshake, even if the hello is late", async () => {
    const server = await start();
    await post(server, texts("1"));
    const { client, got } = await speak(server);
    await post(server, texts("2"));
    client.send(encode('{"type":"hello"}\n'));
    await until(() => got.length === 3, "welcome, notification, and that there is no more");
    assert(decode(got[1]!).endsWith(texts("2")));
    await client.disconnect();
    await server.stop();
  });

  it("ends with 4408 when no hello comes in time, and with none of that after one", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, handshakeTimeout: 500 });
    const [silent, polite] = [await speak(server), await speak(server)];
    polite.client.send(encode('{"type":"hello"}\n'));
    await until(() => polite.got.length === 2, "the welcome");
    clock.advance(500);
    assertEquals((await silent.ended).code, 4408);
    assertEquals(polite.client.active, true);
    await polite.client.disconnect();
    await server.stop();
  });

  it("leaves text messages to the programs, both ways", async () => {
    const server = await start({ onMessageReceived: (connection, text) => void connection.send(`you said ${text}`) });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (text) => void got.push(text) });
    receiver.send("hello");
    await until(() => got.length === 1, "the answer");
    assertEquals(got, ["you said hello"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("takes a text that is a notification for one, in handlers and in loops", async () => {
    const server = await start();
    const ids: string[] = [];
    const receiver = await connect(server, { onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
    const { notifications } = receiver;
    const next = notifications.next();
    await until(() => server.broadcastMessage(texts("1", "2")) === 1, "the receiver");
    await post(server, texts("2", "3"));
    await until(() => ids.length === 3, "all");
    const [first, second] = [(await next).value, (await notifications.next()).value];
    assertEquals([first?.seq, first?.raw, second?.seq], [undefined, texts("1", "2"), 1]);
    assertEquals(ids, ["1", "2", "3"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("holds at most 8 MiB of texts without a handler", async () => {
    const server = await start();
    const errors: WebSocketError[] = [];
    const receiver = await connect(server, { onError: (error) => errors.push(error as WebSocketError) });
    for (let sent = 0; sent < 10; sent++) server.broadcastMessage("x".repeat(1024 * 1024));
    assertEquals((await receiver.connection!.closed).sent?.code, 1008);
    await until(() => errors.length === 1, "the error");
    assertEquals(errors[0]!.code, "ERR_SLOW_CONSUMER");
    await server.stop();
  });

  it("takes messages frame by frame", async () => {
    const server = await start({ options: { frameByFrame: true } });
    const got: string[] = [];
    const receiver = await connect(server, {
      splitMessage: true,
      frameSize: 20,
      window: 1,
      onMessageReceived: (text) => void got.push(text),
    });
    for (const id of ["1", "2", "3"]) await post(server, texts(id));
    await until(() => got.length === 3, "three, each acknowledged");
    await receiver.disconnect();
    await server.stop();
  });
});
