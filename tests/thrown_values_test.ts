/** Whatever a handler throws, rejects with or returns: it reaches `onError`, and the program lives on. */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerError, HandshakeError, TransportError } from "../base/errors.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../client.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { decode, encode, pipe, until } from "./support/support.ts";
import { runtime } from "./support/needs.ts";
import { UNPRINTABLE } from "./support/unprintable.ts";

/** Ways in which a handler gives a value back. */
const WAYS: Readonly<Record<string, (value: unknown) => unknown>> = {
  throws: (value) => {
    throw value;
  },
  "rejects with": (value) => Promise.reject(value),
  "returns a thenable that rejects with": (value) => ({
    then: (_: unknown, reject: (error: unknown) => void) => reject(value),
  }),
  "returns a thenable that throws": (value) => ({
    then: () => {
      throw value;
    },
  }),
  "returns an object whose then throws": (value) =>
    Object.defineProperty({}, "then", {
      get: () => {
        throw value;
      },
    }),
};

const SERVER_HANDLERS = ["onAllow", "onSelectProtocol", "onHandshakeResponseSent", "onMessageReceived"];
const CLIENT_HANDLERS = ["onConnect", "onMessageReceived", "onPing", "onDisconnect"];

/** Collects what `console.error` would print. */
async function withConsole(action: (printed: unknown[]) => Promise<void>): Promise<void> {
  const original = console.error;
  const printed: unknown[] = [];
  console.error = (...args: unknown[]) => void printed.push(...args);
  try {
    await action(printed);
  } finally {
    console.error = original;
  }
}

async function meet(serverOptions: WebSocketServerOptions, clientOptions: WebSocketClientOptions): Promise<void> {
  const server = new WebSocketServer({
    onHandshakeResponseSent: (connection) => {
      connection.send("hello");
      connection.ping();
    },
    ...serverOptions,
  });
  const client = new WebSocketClient({ protocols: ["chat"], onMessageReceived: () => {}, ...clientOptions });
  const [ours, theirs] = pipe();
  const connection = server.acceptStream(ours);
  await client.connect({ stream: theirs }).catch(() => {});
  if (client.active) client.send("hello");
  await connection.closed;
  await client.disconnect();
  await server.stop();
}

for (const [value, make] of Object.entries(UNPRINTABLE)) {
  describe(`A handler that fails with ${value}`, () => {
    for (const [way, answer] of Object.entries(WAYS)) {
      it(`and ${way} it is reported, and closes its connection`, async () => {
        for (const name of SERVER_HANDLERS) {
          const errors: unknown[] = [];
          const thrown = make();
          const onError = (error: unknown): void => void errors.push(error);
          await meet({ [name]: () => answer(thrown), onError }, {});
          assertEquals(errors.length, 1, name);
          assertInstanceOf(errors[0], HandlerError);
          // A subprotocol must be there at once: a promise for one is an error of its own.
          const whole = name !== "onSelectProtocol" || way === "throws";
          if (whole) assertEquals(Object.is((errors[0] as HandlerError).cause, thrown), true, name);
        }
        for (const name of CLIENT_HANDLERS) {
          const errors: unknown[] = [];
          const thrown = make();
          const onError = (error: unknown): void => void errors.push(error);
          const onMessageReceived = name === "onDisconnect" ? { onHandshakeResponseSent: closeAtOnce } : {};
          await meet(onMessageReceived, { [name]: () => answer(thrown), onError });
          assertEquals(errors.length, 1, name);
          assertInstanceOf(errors[0], HandlerError);
          assertEquals(Object.is(errors[0].cause, thrown), true, name);
        }
      });

      it(`and ${way} it too in onError and onLog is printed or dropped`, async () => {
        await withConsole(async (printed) => {
          const fail = (): unknown => answer(make());
          await meet({ onMessageReceived: fail, onError: fail, onLog: fail }, { onLog: fail });
          await meet({ onMessageReceived: fail }, {});
          await meet({}, { onMessageReceived: fail, onError: fail, onLog: fail });
          await meet({}, { onMessageReceived: fail });
          const names = printed.map((error) => (error as HandlerError).message.split('"')[1]);
          assertEquals(names, ["onError", "onMessageReceived", "onError", "onMessageReceived"]);
        });
      });
    }

    it("by returning it where an answer is wanted is refused", async () => {
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push(error);
      for (const name of ["onAllow", "onSelectProtocol"]) {
        const [ours, theirs] = pipe();
        const server = new WebSocketServer({ [name]: () => make(), onError });
        server.acceptStream(ours);
        const client = new WebSocketClient({ protocols: ["chat"] });
        const refusal = await assertRejects(() => client.connect({ stream: theirs }), HandshakeError);
        assertEquals(refusal.status >= 400, true);
        assertInstanceOf(errors.pop(), HandlerError);
        await server.stop();
      }
      const answer = await get(new WebSocketServer({ onCommandGet: make as () => Response, onError }));
      assertEquals(answer.startsWith("HTTP/1.1 500"), true);
      assertInstanceOf(errors.pop(), HandlerError);
      assertEquals(errors, []);
    });

    // Deno itself fails when a stream or signal has such a reason.
    if (runtime === "Deno" && value.includes("Proxy")) return;
    it("in the body of a Response, in streams and as reason of a signal", async () => {
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push(error);
      const body = (): ReadableStream<Uint8Array> =>
        new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(make()) });
      await get(new WebSocketServer({ onCommandGet: () => new Response(body()), onError }));
      assertEquals(errors.length, 1);

      const failing = new WebSocketServer({ onConnect: () => Promise.reject(make()), onError });
      await failing.acceptStream(pipe()[0]).closed;
      assertEquals(errors.length, 2);
      await failing.stop();

      const server = new WebSocketServer({ onError });
      const ended = server.acceptStream({ readable: body(), writable: new WritableStream() }).closed;
      await ended;
      await server.stop();

      const abort = new AbortController();
      const client = new WebSocketClient();
      const connecting = client.connect({ signal: abort.signal, stream: pipe()[0] });
      abort.abort(make());
      const error = await assertRejects(() => connecting, TransportError);
      assertEquals(error.code, "ERR_ABORTED");
    });
  });
}

function closeAtOnce(connection: { close(): unknown }): void {
  connection.close();
}

/** Asks a server for a page, and stops it. */
async function get(server: WebSocketServer): Promise<string> {
  const [ours, theirs] = pipe();
  server.acceptStream(ours);
  const writer = theirs.writable.getWriter();
  writer.write(encode("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).catch(() => {});
  let answer = "";
  try {
    for await (const bytes of theirs.readable) answer += decode(bytes);
  } catch {
    // A body that fails breaks the stream.
  }
  await writer.close().catch(() => {});
  await server.stop();
  return answer;
}

describe("A thenable", () => {
  it("is waited for by onAllow, which has a time limit", async () => {
    const asked: ((answer: boolean) => void)[] = [];
    const never = (): Promise<boolean> =>
      ({ then: (resolve: (answer: boolean) => void) => asked.push(resolve) }) as never;
    const server = new WebSocketServer({ onAllow: never });
    const clients = [new WebSocketClient(), new WebSocketClient()];
    const opening = clients.map((client) => {
      const [ours, theirs] = pipe();
      server.acceptStream(ours);
      return client.connect({ stream: theirs });
    });
    await until(() => asked.length === 2, "both questions");
    asked[0]!(true);
    asked[1]!(false);
    asked[1]!(true);
    await opening[0];
    assertEquals((await assertRejects(() => opening[1]!, HandshakeError)).status, 403);
    await clients[0]!.disconnect();
    await server.stop();
  });
});
