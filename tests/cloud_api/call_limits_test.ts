/** The time limit of a call, over sockets: no answer, half an answer, an answer in drops; and what is left open. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { type RawCall, RawGraph, rawHead } from "../support/raw_graph.ts";
import { FakeClock, turns, until } from "../support/support.ts";

const LIMIT = 1000;

/** Calls of each kind: with a JSON body, without a body, with a small file, with a file in pieces. */
const CALLS: Record<string, (api: WhatsAppApi) => Promise<unknown>> = {
  message: (api) => api.sendText("4917", "Hi"),
  description: (api) => api.mediaInfo("77"),
  deletion: (api) => api.deleteMedia("77"),
  "small upload": (api) => api.uploadMedia(new Blob(["a"], { type: "image/png" })),
  "large upload": (api) => api.uploadMedia(new Blob([new Uint8Array(2_000_000)], { type: "image/png" })),
};

/** Runs a call that must fail with the time limit, and checks that nothing is left. */
async function assertLate(
  graph: RawGraph,
  clock: FakeClock,
  result: Promise<unknown>,
  isReady: () => boolean,
): Promise<void> {
  const error = result.then(() => assert(false, "the call succeeded"), (error: unknown) => error);
  await until(() => isReady() && clock.pending === 1, "the fault");
  clock.advance(LIMIT);
  const failure = await error;
  assert(failure instanceof WhatsAppApiError, String(failure));
  assertEquals([failure.code, failure.status], ["ERR_API_UNREACHABLE", 0]);
  assertStringIncludes(failure.message, `${LIMIT} ms`);
  await until(() => graph.open === 0, "the end of the connection");
  assertEquals([clock.pending, graph.calls.length], [0, 1]);
}

describe("requestTimeout", () => {
  for (const [name, call] of Object.entries(CALLS)) {
    const run = async (onHead: (call: RawCall) => void, isReady: (graph: RawGraph) => boolean): Promise<void> => {
      await using graph = await new RawGraph().start();
      const clock = new FakeClock();
      graph.onHead = onHead;
      await assertLate(graph, clock, call(graph.api({ clock, requestTimeout: LIMIT })), () => isReady(graph));
    };
    const wholeBody = ({ received }: RawGraph): boolean => name !== "large upload" || received > 2_000_000;

    it(`ends a call without an answer: ${name}`, () =>
      run(() => {}, (graph) => graph.calls.length === 1 && wholeBody(graph)));

    it(`ends a call whose answer begins, and stalls in its head: ${name}`, () =>
      run(
        ({ socket }) => socket.write("HTTP/1.1 200 OK\r\ncontent-"),
        (graph) => graph.calls.length === 1 && wholeBody(graph),
      ));

    it(`ends a call whose answer has a head, and stalls: ${name}`, () =>
      run(
        ({ socket }) => socket.write(`${rawHead(200, { "content-length": 100 })}{"id":`),
        (graph) => graph.calls.length === 1,
      ));
  }

  it("is for the whole answer, however steadily its drops come", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    graph.onHead = ({ socket }) => socket.write(rawHead(200, { "content-length": 1000 }));
    const result = graph.api({ clock, requestTimeout: LIMIT }).mediaInfo("77").catch((error: unknown) => error);
    await until(() => graph.calls.length === 1, "the call");
    for (let drop = 0; drop < 9; drop++) {
      graph.calls[0]!.socket.write(" ");
      await turns(3);
      clock.advance(LIMIT / 10);
    }
    assertEquals(clock.pending, 1);
    clock.advance(LIMIT / 10);
    const error = await result;
    assert(error instanceof WhatsAppApiError);
    assertEquals(error.code, "ERR_API_UNREACHABLE");
    await until(() => graph.open === 0, "the end of the connection");
  });

  it("is for each piece of a file, and for its head", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    graph.onHead = ({ socket, head }) => {
      if (head.startsWith("GET /file")) return void socket.write(rawHead(200, { "content-length": 1000 }) + "first");
      const body = `{"url":"${graph.url}/file"}`;
      socket.end(rawHead(200, { "content-length": body.length, connection: "close" }) + body);
    };
    const { stream } = await graph.api({ clock, requestTimeout: LIMIT }).media("77");
    const reader = stream.getReader();
    for (let drop = 0; drop < 5; drop++) {
      assertEquals((await reader.read()).value!.length, 5);
      assertEquals(clock.pending, 0);
      clock.advance(10 * LIMIT);
      const next = reader.read();
      await until(() => clock.pending === 1, "the limit of this piece");
      clock.advance(LIMIT - 1);
      graph.calls[1]!.socket.write("next!");
      assertEquals((await next).value!.length, 5);
      graph.calls[1]!.socket.write("more!");
    }
    assertEquals((await reader.read()).value!.length, 5);
    const last = reader.read().catch((error: unknown) => error);
    await until(() => clock.pending === 1, "the limit of the last piece");
    clock.advance(LIMIT);
    assert(await last instanceof WhatsAppApiError);
    await until(() => graph.open === 0, "the end of the connections");
    assertEquals(clock.pending, 0);
  });

  it("ends the body of a refusal too: the status is enough", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    graph.onHead = ({ socket }) => socket.write(`${rawHead(403, { "content-length": 100 })}{"error":`);
    let heads = 0;
    const counting: typeof fetch = async (...args) => {
      const response = await fetch(...args);
      heads++;
      return response;
    };
    const api = graph.api({ clock, requestTimeout: LIMIT, fetch: counting });
    const result = api.mediaInfo("77").catch((error: unknown) => error);
    await until(() => heads === 1, "the head");
    await turns(1);
    clock.advance(LIMIT);
    const error = await result;
    assert(error instanceof WhatsAppApiError);
    assertEquals([error.code, error.status], ["ERR_API_REFUSED", 403]);
    await until(() => graph.open === 0, "the end of the connection");
    assertEquals(clock.pending, 0);
  });
});

describe("a call that is given up", () => {
  it("lets go of a file whose bytes are being read, and hears the reason of the program", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    graph.onHead = ({ socket, head }) => {
      if (head.startsWith("GET /file")) return void socket.write(rawHead(200, { "content-length": 1000 }) + "first");
      const body = `{"url":"${graph.url}/file","sha256":"00"}`;
      socket.end(rawHead(200, { "content-length": body.length, connection: "close" }) + body);
    };
    const abort = new AbortController();
    const reason = new Error("given up");
    const { stream } = await graph.api({ clock }).media("77", { signal: abort.signal, maxSize: 1000 });
    const reader = stream.getReader();
    assertEquals((await reader.read()).value!.length, 5);
    const next = reader.read().catch((error: unknown) => error);
    await until(() => clock.pending === 1, "the limit of the next piece");
    abort.abort(reason);
    assertEquals(await next, reason);
    await until(() => graph.open === 0, "the end of the connections");
    assertEquals(clock.pending, 0);
  });

  it("lets go of an answer that comes later, to a fetch that ignores its signal", async () => {
    for (const isAborted of [false, true]) {
      await using graph = await new RawGraph().start();
      const clock = new FakeClock();
      const deaf: typeof fetch = (input, init) => fetch(input, { ...init, signal: null });
      const abort = new AbortController();
      const result = graph.api({ clock, requestTimeout: LIMIT, fetch: deaf }).mediaInfo("77", { signal: abort.signal });
      const failed = assertRejects(() => result);
      await until(() => graph.calls.length === 1 && clock.pending === 1, "the call");
      if (isAborted) abort.abort(new Error("given up"));
      else clock.advance(LIMIT);
      await failed;
      graph.calls[0]!.socket.write(`${rawHead(200, {})}{"id":`);
      await until(() => graph.open === 0, "the end of the connection");
      assertEquals(clock.pending, 0);
    }
  });
});

describe("an answer without end", () => {
  it("is given up at 16 MiB", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    graph.onHead = ({ socket }) => {
      socket.write(rawHead(200, {}));
      const piece = new Uint8Array(1_000_000).fill(32);
      const flood = (): boolean => {
        while (socket.writable && socket.write(piece));
        return true;
      };
      socket.on("drain", flood);
      flood();
    };
    const error = await assertRejects(() => graph.api({ clock }).mediaInfo("77"), WhatsAppApiError);
    assertEquals(error.code, "ERR_API_ANSWER");
    assertStringIncludes(error.message, "16777216 bytes");
    await until(() => graph.open === 0, "the end of the connection");
    assertEquals(clock.pending, 0);
  });
});
