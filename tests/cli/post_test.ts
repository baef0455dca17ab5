import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { UsageError } from "../../cli/io.ts";
import { Poster } from "../../cli/post.ts";
import { WebSocketServer } from "../../server.ts";
import type { WhatsAppNotification } from "../../whatsapp/pending_notification.ts";
import { RawListener } from "../support/sockets.ts";
import { FakeClock, until } from "../support/support.ts";

const NOTIFICATION: WhatsAppNotification = {
  raw: '{"a":"ü"}',
  records: [],
  seq: 7,
  signature: "sha256=ab",
  receivedAt: new Date(0),
  redelivered: false,
  partial: false,
};

interface Posted {
  body: string;
  headers: Headers;
}

/** An endpoint that answers with these statuses, the last one for ever. */
async function endpoint(
  answers: (Response | (() => Response | Promise<Response>))[],
): Promise<{ url: string; posted: Posted[]; [Symbol.asyncDispose]: () => Promise<void> }> {
  const posted: Posted[] = [];
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    port: 0,
    onCommandGet: async (request) => {
      posted.push({ body: await request.text(), headers: request.headers });
      const answer = answers[Math.min(posted.length, answers.length) - 1]!;
      return typeof answer === "function" ? await answer() : answer.clone();
    },
  });
  await server.start();
  return { url: `http://127.0.0.1:${server.address!.port}/hook`, posted, [Symbol.asyncDispose]: () => server.stop() };
}

function poster(url: string, random = 0.5): { poster: Poster; clock: FakeClock; text: () => string } {
  const clock = new FakeClock();
  let text = "";
  const made = new Poster(url, { err: (more) => void (text += more) }, { clock, random: () => random });
  return { poster: made, clock, text: () => text };
}

const never = new AbortController().signal;

describe("Poster", () => {
  it("posts the bytes of Meta, with its signature, the number and the time", async () => {
    await using target = await endpoint([new Response(null, { status: 204 })]);
    const { poster: one } = poster(target.url);
    assert(await one.untilTaken(NOTIFICATION, never));
    const bytes = new Uint8Array([0x7b, 0xff, 0x7d]);
    assert(await one.once({ ...NOTIFICATION, raw: bytes, signature: "", seq: undefined, receivedAt: undefined }));
    const [first, second] = target.posted;
    const names = ["content-type", "x-hub-signature-256", "tackline-sequence", "tackline-received-at"];
    assertEquals(first!.body, NOTIFICATION.raw);
    assertEquals(names.map((name) => first!.headers.get(name)), [
      "application/json",
      "sha256=ab",
      "7",
      "1970-01-01T00:00:00.000Z",
    ]);
    assertEquals(names.map((name) => second!.headers.get(name)), ["application/json", null, null, null]);
  });

  it("tries again with growing pauses until the answer is 2xx, and says why", async () => {
    const answers = [500, 304, 301, 200].map((status) => new Response(null, { status }));
    await using target = await endpoint(answers);
    const { poster: one, clock, text } = poster(target.url);
    const taken = one.untilTaken(NOTIFICATION, never);
    // Half of 1, 2 and 4 s.
    for (const [count, pause] of [[1, 500], [2, 1000], [3, 2000]] as const) {
      await until(() => text().split("\n").length === count + 1, `failure ${count}`);
      assertEquals(clock.pending, 1);
      clock.advance(pause - 1);
      assertEquals(target.posted.length, count);
      clock.advance(1);
    }
    assert(await taken);
    assertEquals(target.posted.map(({ body }) => body), Array(4).fill(NOTIFICATION.raw));
    assertEquals(text().split("\n"), [
      `Notification 7 was not taken by ${target.url}: it answered 500. Again at once.`,
      `Notification 7 was not taken by ${target.url}: it answered 304. Again in 1 s.`,
      `Notification 7 was not taken by ${target.url}: it answered 301, a redirect: use the URL it leads to. Again in 2 s.`,
      "",
    ]);
    assertEquals(clock.pending, 0);
  });

  it("follows no redirect, which would lose the body", async () => {
    const elsewhere = new Response("", { status: 302, headers: { location: "/elsewhere" } });
    await using target = await endpoint([elsewhere, new Response("")]);
    assertEquals(await poster(target.url).poster.once(NOTIFICATION), false);
    assertEquals(target.posted.length, 1);
  });

  it("does not wait for the body of an answer", async () => {
    let given = true;
    const body = new ReadableStream({
      pull: (to) => to.enqueue(new Uint8Array(1024)),
      cancel: () => void (given = false),
    });
    await using target = await endpoint([() => new Response(body)]);
    assert(await poster(target.url).poster.once(NOTIFICATION));
    await until(() => !given, "the endpoint notices");
  });

  it("waits at least for Retry-After, within limits", async () => {
    const busy = (value: string): Response => new Response("", { status: 503, headers: { "retry-after": value } });
    await using target = await endpoint([busy("20"), busy("1e9"), busy("soon"), busy("-5"), new Response("")]);
    const { poster: one, clock, text } = poster(target.url, 0);
    const taken = one.untilTaken(NOTIFICATION, never);
    for (const [count, pause] of [[1, 20_000], [2, 300_000], [3, 0], [4, 0]] as const) {
      await until(() => text().split("\n").length === count + 1, `failure ${count}`);
      if (pause > 0) clock.advance(pause - 1);
      assertEquals(target.posted.length, count);
      clock.advance(1);
    }
    assert(await taken);
  });

  it("gives an answer 30 s, and tries again", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    await using target = await endpoint([() => promise, new Response("")]);
    const { poster: one, clock, text } = poster(target.url, 0);
    const taken = one.untilTaken(NOTIFICATION, never);
    await until(() => target.posted.length === 1, "the first post");
    clock.advance(29_999);
    assertEquals(text(), "");
    clock.advance(1);
    await until(() => text() !== "", "the failure");
    assertStringIncludes(text(), "no answer within 30 s");
    clock.advance(1);
    assert(await taken);
    resolve(new Response(""));
  });

  it("tries again where nothing listens, and ends when it is stopped, in a pause and in a request", async () => {
    const { poster: one, clock, text } = poster("http://127.0.0.1:1/");
    const stop = new AbortController();
    const taken = one.untilTaken(NOTIFICATION, stop.signal);
    await until(() => text().includes("Again"), "the failure");
    stop.abort();
    assertEquals(await taken, false);
    assertEquals(clock.pending, 0);

    const { promise, resolve } = Promise.withResolvers<Response>();
    await using target = await endpoint([() => promise]);
    const other = poster(target.url);
    const second = new AbortController();
    const ended = other.poster.untilTaken(NOTIFICATION, second.signal);
    await until(() => target.posted.length === 1, "the post");
    second.abort();
    assertEquals([await ended, other.text(), other.clock.pending], [false, "", 0]);
    assertEquals(await other.poster.untilTaken(NOTIFICATION, second.signal), false);
    resolve(new Response(""));
  });

  it("sends user and password of the URL as Basic authentication, and never shows them", async () => {
    await using target = await endpoint([new Response("", { status: 500 }), new Response("")]);
    const { poster: one, clock, text } = poster(target.url.replace("//", "//me:p%40ss@"), 0);
    const taken = one.untilTaken(NOTIFICATION, never);
    await until(() => text() !== "", "the failure");
    clock.advance(1);
    assert(await taken);
    assertEquals(target.posted[1]!.headers.get("authorization"), `Basic ${btoa("me:p@ss")}`);
    assert(!text().includes("p%40ss") && !text().includes("p@ss"), text());
  });

  it("says why an endpoint cannot be used, without the query of its URL", async () => {
    const answers: Record<string, string> = {
      "": "",
      "HTTP/1.1 2": "",
      // Bun quotes the URL then.
      long: `HTTP/1.1 200 OK\r\nx: ${"a".repeat(2 << 20)}\r\n\r\n`,
    };
    for (const [name, answer] of Object.entries(answers)) {
      const listener = await RawListener.listen();
      const { port } = listener;
      // Without an answer: nothing listens.
      if (name === "") await listener.close();
      const { poster: one, text } = poster(`http://127.0.0.1:${port}/hook?token=hidden#hidden`);
      const stop = new AbortController();
      const ended = one.untilTaken(NOTIFICATION, stop.signal);
      if (name !== "") {
        const socket = await listener.accept();
        await socket.read();
        // The client may leave inside a head that is too long.
        await socket.write(answer === "" ? name : answer).catch(() => {});
        socket.end();
      }
      await until(() => text() !== "", "the failure");
      stop.abort();
      await ended;
      if (name !== "") await listener.close();
      assert(!text().includes("hidden") && !text().includes("fetch failed"), text());
      if (name === "") assert(/refused/i.test(text()), text());
      assertStringIncludes(text(), `http://127.0.0.1:${port}/hook?…: `);
    }
    const { poster: one } = poster("http://127.0.0.1:1/hook?token=hidden");
    const error = await one.once(NOTIFICATION).then(() => undefined, (error: Error) => error);
    assert(!error!.message.includes("hidden") && error!.message !== "fetch failed");
  });

  it("refuses what is no URL of an HTTP endpoint, without its secrets", () => {
    for (const url of ["x", "ws://127.0.0.1/", "ftp://a/", "", "//a"]) {
      assertThrows(() => new Poster(url, { err: () => {} }), UsageError, "--post");
    }
    const error = assertThrows(() => new Poster("ftp://me:hidden@a/", { err: () => {} }), UsageError);
    assert(!error.message.includes("hidden"));
  });
});
