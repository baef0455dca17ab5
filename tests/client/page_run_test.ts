/** Attempts of the clients of both entries for pages; `connect_loop_test.ts` and `last_call_test.ts` have more. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { WebSocketClient } from "../../browser.ts";
import { HandlerError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import { abortedBy, isAbort } from "../../client/page_run.ts";
import type { ReconnectOptions } from "../../client/reconnect.ts";
import { describePages } from "../support/page.ts";
import { urlOf } from "../support/peers.ts";
import { defer, FakeClock, startEcho, until } from "../support/support.ts";

const QUICK: ReconnectOptions = { minDelay: 1, maxDelay: 2 };
const NOWHERE = "ws://127.0.0.1:1/";

describePages("an attempt", (Client) => {
  it("asks for the URL each time, and takes a failure for one of the network", async () => {
    const server = await startEcho();
    const answers: (() => string | Promise<string>)[] = [
      () => {
        throw new Error("mine");
      },
      () => Promise.reject(new Error("mine")),
      () => Promise.resolve(urlOf(server, "/asked")),
    ];
    const errors: unknown[] = [];
    const client = new Client({
      resolveUrl: () => answers.shift()!(),
      reconnect: QUICK,
      onReconnecting: ({ error }) => void errors.push(error),
    });
    await client.connect();
    assertEquals(client.url, urlOf(server, "/asked"));
    for (const error of errors as TransportError[]) {
      assert(error.code === "ERR_CONNECT" && error.cause instanceof HandlerError, String(error));
    }
    assertEquals(errors.length, 2);
    await client.disconnect();
    await server.stop();
    const wrong = new Client({ resolveUrl: () => "http://a/", reconnect: QUICK });
    await assertRejects(() => wrong.connect(), OptionError, "The URL");
  });

  it("is given up in time, while the URL is asked for too, and with its timer", async () => {
    const clock = new FakeClock();
    const client = new Client(NOWHERE, { clock, resolveUrl: () => new Promise<string>(() => {}) });
    const connecting = client.connect();
    await until(() => clock.pending === 1, "the attempt");
    clock.advance(10_000);
    const error = await assertRejects(() => connecting, TransportError, "Not connected within 10000 ms");
    assertEquals([error.code, client.state, clock.pending], ["ERR_CONNECT_TIMEOUT", "closed", 0]);
  });

  it("is made again until maxAttempts, with growing counts, and then has the last failure", async () => {
    const failures: number[] = [];
    const client = new Client(NOWHERE, {
      reconnect: { ...QUICK, maxAttempts: 3 },
      onReconnecting: (attempt) => void failures.push(attempt.failures),
    });
    await assertRejects(() => client.connect(), TransportError, "Cannot connect to 127.0.0.1:1");
    assertEquals([failures, client.state], [[1, 2], "closed"]);
  });

  it("is the program's decision with shouldReconnect, and none follows if that throws", async () => {
    const asked: (number | undefined)[] = [];
    const server = await startEcho();
    const errors: unknown[] = [];
    const ended = defer<void>();
    const client = new Client(urlOf(server), {
      reconnect: {
        ...QUICK,
        shouldReconnect: ({ info }) => {
          asked.push(info?.code);
          if (asked.length === 2) throw new Error("mine");
          return true;
        },
      },
      onError: (error) => {
        errors.push(error);
        ended.resolve();
      },
    });
    for (const code of [1000, 1008]) {
      if (code === 1000) await client.connect();
      await until(() => client.active && server.connections.size === 1, "the connection");
      const { closed } = client.connection!;
      for (const connection of server.connections) connection.close(code);
      await closed;
    }
    await ended.promise;
    assertEquals([asked, client.state], [[1000, 1008], "closed"]);
    const [error] = errors as TransportError[];
    assert(error!.code === "ERR_RECONNECT_GIVEN_UP" && error!.cause instanceof HandlerError);
    await server.stop();
  });

  it("is not made again where the platform refuses the URL", async () => {
    const platform = globalThis.WebSocket;
    for (const [name, again] of [["SecurityError", false], ["NetworkError", true]] as const) {
      let attempts = 0;
      globalThis.WebSocket = class {
        constructor() {
          attempts++;
          throw Object.assign(new Error("no"), { name });
        }
      } as unknown as typeof WebSocket;
      try {
        const client = new Client(NOWHERE, { reconnect: { ...QUICK, maxAttempts: 3 } });
        const error = await assertRejects(() => client.connect(), TransportError, "no");
        assertEquals([error.code, attempts], ["ERR_CONNECT", again ? 3 : 1]);
      } finally {
        globalThis.WebSocket = platform;
      }
    }
  });

  it("is made after close codes that are not in terminalCodes, by default and with others", async () => {
    const server = await startEcho();
    const endings: [reconnect: ReconnectOptions, code: number, again: boolean][] = [
      [QUICK, 1000, false],
      [QUICK, 4000, true],
      [{ ...QUICK, terminalCodes: [4000] }, 4000, false],
      [{ ...QUICK, terminalCodes: [4000] }, 1000, true],
    ];
    for (const [reconnect, code, again] of endings) {
      let opened = 0;
      const over = defer<boolean>();
      const client: WebSocketClient = new Client(urlOf(server), {
        reconnect,
        onConnect: () => {
          if (++opened === 2) over.resolve(true);
        },
      });
      await client.connect();
      const loop = client[Symbol.asyncIterator]();
      void loop.next().then(() => over.resolve(false), () => over.resolve(false));
      await until(() => server.connections.size === 1, "the connection");
      for (const connection of server.connections) connection.close(code);
      assertEquals(await over.promise, again, `${code}`);
      await client.disconnect();
      await until(() => server.connections.size === 0, "the end");
    }
    await server.stop();
  });

  it("names what it needs besides when it is closed", async () => {
    const client = new Client(NOWHERE);
    const error = await assertRejects(() => client.receive(), StateError, "await connect() first");
    assertEquals(error.code, "ERR_NOT_OPEN");
    assertEquals([client.state, client.bufferedAmount, client.queuedAmount], ["closed", 0, 0]);
    await client.drained();
    assertEquals(await client.disconnect(), undefined);
  });
});

describePages("the error of a signal", (Client) => {
  it("is its reason if that says so, else an ERR_ABORTED with it as the cause", async () => {
    const own = new TransportError("ERR_ABORTED", "mine");
    assertEquals([abortedBy(AbortSignal.abort(own)), isAbort(own), isAbort(new Error())], [own, true, false]);
    const error = await assertRejects(
      () => new Client(NOWHERE).connect({ signal: AbortSignal.abort("why") }),
      TransportError,
    );
    assertEquals([error.code, error.cause], ["ERR_ABORTED", "why"]);
  });
});
