import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setImmediate } from "node:timers";
import { AbortableRequest } from "../../protocol/abortable_request.ts";
import { type BodyTaker, takeBody, TextReply } from "../../server/text_reply.ts";
import { extendServer } from "../../server/server.ts";
import { JournalError } from "../../base/errors.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { signNotification, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { RawSocket } from "../support/sockets.ts";
import { decode, encode, FakeClock, pipe, turns } from "../support/support.ts";

const SECRET = "app-secret";
const PATH = "/whatsapp";
const BODY = '{"object":"whatsapp_business_account","entry":[]}';

/** Gets everything in `respond`: the other way. */
class WebServer extends WhatsAppServer {
  constructor(options: WhatsAppServerOptions) {
    super(options);
    extendServer(this, { respondDirectly: undefined });
  }
}

/** Cannot keep anything. */
class FullJournal extends MemoryJournal {
  override append(): Promise<never> {
    return Promise.reject(new JournalError("ERR_JOURNAL_WRITE", "full"));
  }
}

/** Fails in an unexpected way. */
class BrokenJournal extends MemoryJournal {
  override append(): Promise<never> {
    throw new TypeError("broken");
  }
}

/** All that comes of some bytes. */
interface Outcome {
  /** Response that the peer gets, with a fixed date. */
  text: string;
  ended: boolean;
  /** Payloads passed to `onRawMessage`. */
  taken: string[];
  /** The last sequence number of the journal. */
  kept: number;
  failed: unknown;
  refusals: unknown;
  errors: string[];
  /** Timers that still run. */
  pending: number;
}

interface Case {
  name: string;
  wire: string;
  options?: WhatsAppServerOptions;
  /** Sends FIN behind it. */
  end?: boolean;
  /** Time that passes then, in ms. */
  wait?: number;
  /** `false`: it is not answered directly. */
  direct?: false;
}

function post(lines: Record<string, string | undefined> = {}, body = BODY, target = PATH, version = "1.1"): string {
  const fields: Record<string, string | undefined> = {
    "Host": "hooks.example.com",
    "Content-Type": "application/json",
    "Content-Length": String(encode(body).length),
    "X-Hub-Signature-256": signNotification(encode(body), SECRET),
    ...lines,
  };
  const text = Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  return `POST ${target} HTTP/${version}\r\n${text.join("")}\r\n${body}`;
}

const WRONG = `sha256=${"0".repeat(64)}`;
const OTHER = signNotification(encode(BODY), "other-secret");
const CASES: Case[] = [
  { name: "a notification", wire: post() },
  { name: "several in one read", wire: post({}, "[1]") + post({}, "[2]") + post({}, "[1]") + post({}, "[3]") },
  {
    name: "one of several that is not authentic",
    wire: post({}, "[1]") + post({}, "[2]").replace("[2]", "[4]") + post(),
  },
  { name: "with Connection: close", wire: post({ Connection: "close" }) + post() },
  { name: "with Connection: Keep-Alive, CLOSE", wire: post({ Connection: "Keep-Alive, CLOSE" }) + post() },
  { name: "by HTTP/1.0", wire: post({}, BODY, PATH, "1.0") + post() },
  { name: "by HTTP/1.0 without Host", wire: post({ Host: undefined }, BODY, PATH, "1.0"), direct: false },
  { name: "with a query", wire: post({}, BODY, `${PATH}?a=b`) },
  { name: "in absolute form", wire: post({ Host: "other" }, BODY, `http://hooks.example.com${PATH}`) },
  { name: "with a type that has parameters", wire: post({ "Content-Type": "Application/JSON ; charset=utf-8" }) },
  { name: "of another type", wire: post({ "Content-Type": "text/plain" }) + post() },
  { name: "without a type", wire: post({ "Content-Type": undefined }) },
  { name: "with two types", wire: post({ "content-type": "application/json" }) },
  { name: "without a signature", wire: post({ "X-Hub-Signature-256": undefined }) + post() },
  { name: "without a signature, and without its body", wire: post({ "X-Hub-Signature-256": "" }).slice(0, -9) },
  { name: "with two signatures", wire: post({ "x-hub-signature-256": WRONG }) },
  { name: "with a wrong signature", wire: post({ "X-Hub-Signature-256": WRONG }) + post() },
  {
    name: "unsigned, where that is waived",
    wire: post({ "X-Hub-Signature-256": undefined }),
    options: { appSecret: null },
  },
  { name: "signed with the second of two secrets", wire: post(), options: { appSecret: ["new", SECRET] } },
  {
    name: "for another app",
    wire: post({ "X-Hub-Signature-256": OTHER }, BODY, "/other") + post() + post({}, BODY, "/other"),
    options: { apps: [{ pathName: "/other", appSecret: "other-secret" }] },
  },
  { name: "for any path", wire: post({}, BODY, "/any/path.html"), options: { pathName: "" } },
  {
    name: "for any path, which leads to another app",
    wire: post({ "X-Hub-Signature-256": OTHER }, BODY, "/x/../other"),
    options: { pathName: "", apps: [{ pathName: "/other", appSecret: "other-secret" }] },
    direct: false,
  },
  { name: "at another path", wire: post({}, BODY, "/nothing") + post({}, BODY, "/nothing"), direct: false },
  { name: "at a path that is the same in the end", wire: post({}, BODY, `/./a/..${PATH}`), direct: false },
  { name: "at a path with a fragment", wire: post({}, BODY, `${PATH}#a`), direct: false },
  { name: "at a path with an escape", wire: post({}, BODY, "/what%73app"), direct: false },
  { name: "as another method", wire: post().replace("POST", "PUT"), direct: false },
  { name: "as a method in lower case", wire: post().replace("POST", "post"), direct: false },
  { name: "as HEAD", wire: post().replace("POST", "HEAD"), direct: false },
  { name: "as GET with a body", wire: post().replace("POST", "GET") + post(), direct: false },
  { name: "with Expect", wire: post({ Expect: "100-continue" }), direct: false },
  { name: "without a length", wire: post({ "Content-Length": undefined }, ""), direct: false },
  { name: "of length 0", wire: post({}, "") + post(), direct: false },
  {
    name: "in chunks",
    wire: post({ "Content-Length": undefined, "Transfer-Encoding": "chunked" }, "").replace(
      signNotification(encode(""), SECRET),
      signNotification(encode("[9]"), SECRET),
    ) + "3\r\n[9]\r\n0\r\n\r\n" + post(),
    direct: false,
  },
  { name: "with two lengths", wire: post({ "content-length": "5" }) + post(), direct: false },
  { name: "with a length that is none", wire: post({ "Content-Length": "+5" }), direct: false },
  { name: "with length and coding", wire: post({ "Transfer-Encoding": "chunked" }), direct: false },
  { name: "without Host", wire: post({ Host: undefined }), direct: false },
  { name: "with two hosts", wire: post({ host: "other" }), direct: false },
  { name: "with a malformed host", wire: post({ Host: "a/b" }), direct: false },
  { name: "with a host that no URL can have", wire: post({ Host: "a:99999" }), direct: false },
  { name: "for a host that is not served", wire: post(), options: { hosts: ["example.org"] }, direct: false },
  { name: "for a host that is served", wire: post(), options: { hosts: ["hooks.example.com"] } },
  { name: "that wants a WebSocket", wire: post({ Upgrade: "websocket" }), direct: false },
  { name: "with a header line that is none", wire: post({ "X y": "1" }), direct: false },
  {
    name: "with a head beyond the limit",
    wire: post({ X: "a".repeat(2000) }),
    options: { maxHeadSize: 1000 },
    direct: false,
  },
  { name: "larger than maxBodySize", wire: post() + post(), options: { maxBodySize: 10 }, direct: false },
  { name: "of more than 64 KiB", wire: post({}, JSON.stringify("x".repeat(66_000))), direct: false },
  { name: "of nearly 64 KiB", wire: post({}, JSON.stringify("x".repeat(65_000))) },
  { name: "up to maxRequests", wire: post({}, "[1]") + post({}, "[2]") + post({}, "[3]"), options: { maxRequests: 2 } },
  { name: "with FIN behind it", wire: post(), end: true },
  { name: "with FIN inside its body", wire: post().slice(0, -1), end: true },
  { name: "whose body does not come", wire: post().slice(0, -1), wait: 5000, options: { handshakeTimeout: 5000 } },
  { name: "whose body takes too long", wire: post().slice(0, -1), wait: 6000, options: { bodyTimeout: 6000 } },
  { name: "when the journal is full", wire: post() + post({}, "[2]"), options: { journal: new FullJournal() } },
  { name: "when the journal is broken", wire: post() + post({}, "[2]"), options: { journal: new BrokenJournal() } },
  {
    name: "with onRawMessage",
    wire: post({}, "[1]") + post({}, "[1]") + post({}, "[2]"),
    options: { onRawMessage: () => {} },
  },
  {
    name: "with a certificate that is Meta's",
    wire: post({ "X-Subject": "CN=client.webhooks.fbclientcerts.com" }),
    options: { clientCertificateHeader: "X-SUBJECT" },
  },
  { name: "without a certificate", wire: post() + post(), options: { clientCertificateHeader: "x-subject" } },
];

/** Sends bytes to a server, piece by piece, and waits until nothing more comes of them. */
async function run(each: Case, web: boolean, sizes: number[]): Promise<Outcome> {
  const [ours, theirs] = pipe();
  const clock = new FakeClock();
  const journal = (each.options?.journal as MemoryJournal | undefined) ?? new MemoryJournal({ clock });
  const taken: string[] = [];
  const errors: string[] = [];
  const { onRawMessage, ...options } = each.options ?? {};
  const server = new (web ? WebServer : WhatsAppServer)({
    hostname: "127.0.0.1",
    pathName: PATH,
    behindProxy: true,
    appSecret: SECRET,
    receiverToken: null,
    failureDelay: 0,
    handshakeTimeout: 0,
    bodyTimeout: 0,
    closeTimeout: 0,
    pingInterval: 0,
    clock,
    onError: (error) => errors.push(String(error)),
    onRawMessage: onRawMessage && ((message) => void taken.push(message)),
    ...options,
    journal,
  });
  server.acceptStream(theirs);
  const reader = ours.readable.getReader();
  const writer = ours.writable.getWriter();
  writer.closed.catch(() => {});
  let text = "";
  let ended = false;
  const reading = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += decode(part.value);
  })().catch(() => {}).finally(() => ended = true);
  const bytes = encode(each.wire);
  let at = 0;
  for (const size of sizes) {
    writer.write(bytes.slice(at, at += size)).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (each.end) writer.close().catch(() => {});
  await calm();
  if (each.wait !== undefined) clock.advance(each.wait);
  await calm();
  const outcome = {
    text: text.replaceAll(/date: [^\r]*/g, "date: now"),
    ended,
    taken,
    kept: journal.last,
    failed: server.failedAttempts,
    refusals: server.stats().refusals,
    errors,
    pending: clock.pending,
  };
  writer.abort().catch(() => {});
  reader.cancel().catch(() => {});
  await reading;
  return outcome;
}

/** Requests that wait behind others take a timer each. */
const calm = (): Promise<void> => turns(12);

const WAYS: [name: string, size: (length: number) => number][] = [
  ["whole", (length) => length],
  ["in pieces", (length) => Math.ceil(length / 40)],
  ["byte by byte", (length) => length < 450 ? 1 : Math.ceil(length / 100)],
];

/** Counts the objects of the web that are made for requests. */
async function countRequests<Result>(action: () => Promise<Result>): Promise<[Result, number]> {
  const { Request: native } = globalThis;
  let count = 0;
  globalThis.Request = class extends native {
    constructor(...args: ConstructorParameters<typeof native>) {
      super(...args);
      count++;
    }
  };
  // What it calls by super().
  Object.setPrototypeOf(AbortableRequest, globalThis.Request);
  try {
    return [await action(), count];
  } finally {
    globalThis.Request = native;
    Object.setPrototypeOf(AbortableRequest, native);
  }
}

describe("a request that is answered directly", () => {
  it("gets the same as by respond, byte for byte, and has the same consequences", async () => {
    for (const [way, sizeOf] of WAYS) {
      await Promise.all(CASES.map(async (each) => {
        const { length } = encode(each.wire);
        const size = sizeOf(length);
        const lengths = new Array(Math.ceil(length / size)).fill(size);
        const [direct, web] = await Promise.all([false, true].map((web) => run(fresh(each), web, lengths)));
        assertEquals(direct, web, `${each.name}, ${way}`);
        assert(direct!.text.startsWith("HTTP/1.1 "), `${each.name}, ${way}: ${direct!.text}`);
      }));
    }
  });

  it("needs no Request, unless a subclass overrides respond", async () => {
    const cases = CASES.filter(({ direct }) => direct !== false);
    const all = (web: boolean): Promise<Outcome[]> =>
      Promise.all(cases.map((each) => run(fresh(each), web, [encode(each.wire).length])));
    assertEquals((await countRequests(() => all(false)))[1], 0);
    assert((await countRequests(() => all(true)))[1] >= cases.length);
  });

  it("may be cut anywhere", async () => {
    const wire = post({}, "[1]") + post({}, "[2]");
    const each: Case = { name: "two", wire };
    const expected = await run(each, true, [wire.length]);
    assertEquals(expected.text.split("HTTP/1.1 200 OK").length, 3);
    const cuts = Array.from({ length: wire.length - 1 }, (_, index) => run(each, false, [index + 1, wire.length]));
    for (const outcome of await Promise.all(cuts)) assertEquals(outcome, expected);
  });

  it("that is under way when the server stops gets its answer, which says that it is the last", async () => {
    const texts: string[] = [];
    for (const web of [false, true]) {
      const gate = Promise.withResolvers<void>();
      class SlowJournal extends MemoryJournal {
        override async append(...args: Parameters<MemoryJournal["append"]>): ReturnType<MemoryJournal["append"]> {
          await gate.promise;
          return await super.append(...args);
        }
      }
      const [ours, theirs] = pipe();
      const server = new (web ? WebServer : WhatsAppServer)({ appSecret: SECRET, journal: new SlowJournal() });
      server.acceptStream(theirs);
      const writer = ours.writable.getWriter();
      writer.write(encode(post())).catch(() => {});
      await calm();
      const stopped = server.stop();
      gate.resolve();
      let text = "";
      for await (const part of ours.readable) {
        text += decode(part);
        if (text.endsWith("OK\n")) break;
      }
      texts.push(text.replaceAll(/date: [^\r]*/g, "date: now"));
      writer.close().catch(() => {});
      await stopped;
    }
    assert(texts[0]!.includes("connection: close\r\n"), texts[0]);
    assertEquals(texts[0], texts[1]);
  });

  it("may take its time, once its body has come", async () => {
    const gate = Promise.withResolvers<void>();
    class SlowJournal extends MemoryJournal {
      override async append(...args: Parameters<MemoryJournal["append"]>): ReturnType<MemoryJournal["append"]> {
        await gate.promise;
        return await super.append(...args);
      }
    }
    const [ours, theirs] = pipe();
    const clock = new FakeClock();
    const options = { appSecret: SECRET, journal: new SlowJournal(), clock, handshakeTimeout: 5000, bodyTimeout: 6000 };
    new WhatsAppServer(options).acceptStream(theirs);
    const writer = ours.writable.getWriter();
    for (const piece of [post().slice(0, -5), post().slice(-5)]) {
      writer.write(encode(piece)).catch(() => {});
      await calm();
    }
    clock.advance(60_000);
    await calm();
    gate.resolve();
    const { value } = await ours.readable.getReader().read();
    assert(decode(value!).startsWith("HTTP/1.1 200 OK"));
    writer.abort().catch(() => {});
  });

  it("is kept as a copy, since its read buffer is reused", async () => {
    const journal = new MemoryJournal();
    await using server = new WhatsAppServer({
      hostname: "127.0.0.1",
      port: 0,
      behindProxy: true,
      appSecret: SECRET,
      receiverToken: null,
      journal,
    });
    await server.start();
    const socket = await RawSocket.connect(server.address!.port);
    const bodies = ["1", "2", "3"].map((text) => `["${text.repeat(600)}"]`);
    for (const body of bodies) {
      const wire = encode(post({}, body));
      // The first body lies where the second one comes to lie; the rest of the third one where its beginning was.
      const cut = body === bodies[2] ? wire.length - 500 : wire.length;
      await socket.write(wire.slice(0, cut));
      await calm();
      if (cut < wire.length) await socket.write(wire.slice(cut));
      assert(decode((await socket.read())!).startsWith("HTTP/1.1 200 OK"));
    }
    // What came behind a request, and is not all of the next one, where its rest comes to lie.
    const pipelined = ['["4"]', `["${"5".repeat(1000)}"]`];
    const wire = encode(pipelined.map((body) => post({}, body)).join(""));
    await socket.write(wire.slice(0, -900));
    let answers = decode((await socket.read())!);
    await socket.write(wire.slice(-900));
    while (answers.split("HTTP/1.1 200 OK").length < 3) answers += decode((await socket.read())!);
    assertEquals((await journal.read(0, 9)).map(({ bytes }) => decode(bytes)), [...bodies, ...pipelined]);
    await socket.close();
  });

  it("has a Date field, renewed each second", () => {
    const reply = new TextReply(200, "OK", { "x-more": "1" });
    const { now } = Date;
    try {
      const texts = [1000, 1999, 2000].map((time) => {
        Date.now = () => time;
        return decode(reply.encode());
      });
      assertEquals(texts[0], texts[1]);
      assertEquals(
        texts[2],
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nx-more: 1\r\n" +
          "date: Thu, 01 Jan 1970 00:00:02 GMT\r\ncontent-length: 3\r\n\r\nOK\n",
      );
      assert(texts[0]!.includes("00:00:01 GMT"));
    } finally {
      Date.now = now;
    }
  });
});

/** With a journal of its own, where it has one. */
function fresh(each: Case): Case {
  const journal = each.options?.journal;
  if (!(journal instanceof MemoryJournal)) return each;
  return { ...each, options: { ...each.options, journal: new (journal.constructor as typeof MemoryJournal)() } };
}

describe("takeBody", () => {
  it("answers 500 and reports the error, once, however the body is refused", async () => {
    const error = new Error("no");
    const takers: BodyTaker[] = [() => Promise.reject(error), () => {
      throw error;
    }];
    for (const take of takers) {
      const errors: unknown[] = [];
      const reply = await takeBody(take, new Uint8Array(1), (error) => errors.push(error));
      assertEquals([reply.status, errors], [500, [error]]);
    }
    const kept = new TextReply(200, "kept");
    for (const take of [() => kept, () => Promise.resolve(kept)]) {
      assertEquals(await takeBody(take, new Uint8Array(1), () => assert(false)), kept);
    }
  });
});
