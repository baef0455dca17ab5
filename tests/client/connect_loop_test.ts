import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { WebSocketClient, WebSocketClientOptions } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import { HandshakeError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import type { ReconnectAttempt } from "../../client/reconnect.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { describeClients } from "../support/page.ts";
import { defer, FakeClock, pipe, settle, startEcho, until } from "../support/support.ts";
import { Buffer } from "node:buffer";

/** A server that can go away and come back at the same port. */
class ComingAndGoing implements AsyncDisposable {
  server!: WebSocketServer;
  #port = 0;
  constructor(readonly options: WebSocketServerOptions = {}) {}
  async start(): Promise<this> {
    this.server = await startEcho({ ...this.options, port: this.#port });
    this.#port = this.server.address!.port;
    return this;
  }
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }
  async restart(): Promise<void> {
    await this.server.stop();
    await this.start();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

const QUICK = { minDelay: 1, maxDelay: 5 };

describeClients("WebSocketClient with reconnect", (WebSocketClient, itOverSockets) => {
  it("reconnects when the server restarts, and reports each reconnection", async () => {
    await using there = await new ComingAndGoing().start();
    const events: string[] = [];
    await using client = new WebSocketClient(there.url, {
      reconnect: QUICK,
      onConnect: () => void events.push("connect"),
      onDisconnect: ({ code }) => void events.push(`disconnect ${code}`),
      onReconnecting: ({ failures, info, error }) =>
        void events.push(`reconnecting ${failures} ${info?.code ?? (error as { code: string }).code}`),
      onMessageReceived: (text) => void events.push(text),
    });
    await client.connect();
    for (let round = 0; round < 3; round++) {
      await there.restart();
      // In a page the loss may be known after the server is back.
      const opened = (): number => events.filter((event) => event === "connect").length;
      await until(() => client.active && client.state === "open" && opened() === round + 2, "the next connection");
      client.send(`round ${round}`);
      await until(() => events.includes(`round ${round}`), "the echo");
    }
    assertEquals(events.filter((event) => event === "connect").length, 4);
    assertEquals(events.filter((event) => event === "disconnect 1001").length, 3);
    // The count goes on, since none was up for long.
    assertStringIncludes(events.filter((event) => event.startsWith("reconnecting")).join(), "reconnecting 1 1001");
  });

  itOverSockets("counts its connections and their ends", async () => {
    await using there = await new ComingAndGoing().start();
    await using client = new WebSocketClient(there.url, { reconnect: QUICK });
    await client.connect();
    await there.restart();
    await until(() => client.stats().connections.opened === 2, "the next connection");
    assertEquals(client.stats().closes, { 1001: 1 });
  });

  itOverSockets("retries from the first attempt on, until the server is reachable", async () => {
    await using there = await new ComingAndGoing().start();
    const { url } = there;
    await there.server.stop();
    const attempts: ReconnectAttempt[] = [];
    await using client = new WebSocketClient(url, {
      reconnect: QUICK,
      onReconnecting: (attempt) => void attempts.push(attempt),
    });
    const connected = client.connect();
    assertEquals(client.connect(), connected);
    await until(() => attempts.length === 3, "three failures");
    assertEquals([client.state, client.active], ["connecting", false]);
    await there.start();
    await connected;
    assert(client.active);
    assertEquals(attempts.slice(0, 3).map(({ failures }) => failures), [1, 2, 3]);
    assertInstanceOf(attempts[0]!.error, TransportError);
    assertEquals(client.stats().refusals.ERR_CONNECT! >= 3, true);
  });

  itOverSockets("waits with the clock, as long as it says, and as long as the server asks for", async () => {
    const clock = new FakeClock();
    let refuse = false;
    await using there = await new ComingAndGoing({
      onAllow: () => !refuse || new Response("later", { status: 503, headers: { "retry-after": "60" } }),
    }).start();
    const attempts: ReconnectAttempt[] = [];
    const begun: number[] = [];
    await using client = new WebSocketClient(there.url, {
      reconnect: true,
      clock,
      pingInterval: 0,
      headers: () => {
        begun.push(clock.now());
        return {};
      },
      onReconnecting: (attempt) => void attempts.push(attempt),
    });
    await client.connect();
    clock.advance(10_000);
    refuse = true;
    for (const connection of there.server.connections) connection.terminate();
    await until(() => attempts.length === 1, "the loss");
    assertEquals(attempts[0]!.failures, 0);
    assert(attempts[0]!.delay <= 500);
    await until(() => clock.pending === 1, "the wait");
    clock.advance(attempts[0]!.delay + 10);
    await until(() => attempts.length === 2, "the refusal");
    assert(begun[1]! - begun[0]! >= 10_000 + attempts[0]!.delay, String(begun));
    assert(attempts[1]!.delay >= 60_000 && attempts[1]!.delay <= 60_500, String(attempts[1]!.delay));
    await until(() => clock.pending === 1, "the next wait");
    refuse = false;
    clock.advance(59_000);
    await settle();
    assertEquals(client.state, "connecting");
    clock.advance(2000);
    await until(() => client.active, "the connection");
    await client.disconnect();
    assertEquals(clock.pending, 0);
  });

  itOverSockets("rejects at once when a retry cannot succeed", async () => {
    await using there = await new ComingAndGoing({ onAllow: () => false }).start();
    const client = new WebSocketClient(there.url, { reconnect: QUICK });
    await assertRejects(() => client.connect(), HandshakeError, "403");
    assertEquals(client.state, "closed");
    const bounded = new WebSocketClient("ws://127.0.0.1:1/", { reconnect: { ...QUICK, maxAttempts: 3 } });
    await assertRejects(() => bounded.connect(), TransportError, "Cannot connect");
    assertEquals(bounded.stats().refusals, { ERR_CONNECT: 3 });
  });

  it("ends with terminal close codes, and when the program disconnects, wherever it is", async () => {
    await using there = await new ComingAndGoing().start();
    for (const when of ["terminal", "open", "handler", "deciding", "waiting"] as const) {
      const events: string[] = [];
      const decided = defer<boolean>();
      const client: WebSocketClient = new WebSocketClient(there.url, {
        reconnect: {
          minDelay: 100_000,
          maxDelay: 100_000,
          ...when === "deciding" && { shouldReconnect: () => decided.promise },
        },
        onDisconnect: ({ code }) => {
          events.push(`disconnect ${code}`);
          if (when === "handler") client.disconnect();
        },
        onReconnecting: () => void events.push("reconnecting"),
        onError: (error) => events.push(`error ${error}`),
      });
      await client.connect();
      const [connection] = there.server.connections;
      if (when === "open") await client.disconnect();
      else await connection!.close(when === "terminal" ? 1008 : 1011);
      await until(() => events.length > 0, "the end");
      if (when === "waiting") await until(() => events.includes("reconnecting"), "the wait");
      if (when === "deciding") {
        const gone = client.disconnect();
        decided.resolve(true);
        await gone;
      } else await client.disconnect();
      await settle();
      assertEquals([when, client.state], [when, "closed"]);
      assertEquals(events.filter((event) => event.startsWith("error")), []);
      assertEquals(events.includes("reconnecting"), when === "waiting");
    }
  });

  it("reports when it gives up", async () => {
    await using there = await new ComingAndGoing().start();
    const errors: TransportError[] = [];
    const client = new WebSocketClient(there.url, {
      reconnect: { ...QUICK, maxAttempts: 2 },
      onError: (error) => errors.push(error as TransportError),
    });
    await client.connect();
    await there.server.stop();
    await until(() => errors.length > 0, "the report");
    assertEquals(errors.map(({ code }) => code), ["ERR_RECONNECT_GIVEN_UP"]);
    assertInstanceOf(errors[0]!.cause, TransportError);
    assertEquals(client.state, "closed");
    await there.start();
    await client.connect();
    await client.disconnect();
  });

  it("ends the wait for another attempt with the signal of connect(), and then leaves its own signal", async () => {
    const [own, given] = [new AbortController(), new AbortController()];
    let listeners = 0;
    const { addEventListener, removeEventListener } = own.signal;
    own.signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(own.signal, given);
    };
    own.signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(own.signal, given);
    };
    await using there = await new ComingAndGoing().start();
    const { url } = there;
    await there.server.stop();
    const waits = Promise.withResolvers<void>();
    const onReconnecting = (): void => waits.resolve();
    const client = new WebSocketClient(url, {
      clock: new FakeClock(),
      signal: own.signal,
      reconnect: true,
      onReconnecting,
    });
    const connected = client.connect({ signal: given.signal });
    await waits.promise;
    await settle();
    assertEquals(listeners, 1);
    given.abort();
    await assertRejects(() => connected, TransportError, "aborted");
    assertEquals([client.state, listeners], ["closed", 0]);
  });

  it("ends with its signal, before, while connecting, and when it is connected", async () => {
    await using there = await new ComingAndGoing().start();
    await assertRejects(
      () => new WebSocketClient(there.url, { signal: AbortSignal.abort(), reconnect: true }).connect(),
      TransportError,
      "aborted",
    );
    for (const url of [there.url, "ws://127.0.0.1:1/"]) {
      const stop = new AbortController();
      const closed = defer<CloseInfo>();
      const client = new WebSocketClient(url, { signal: stop.signal, reconnect: QUICK, onDisconnect: closed.resolve });
      const connected = client.connect();
      if (url === there.url) await connected;
      stop.abort();
      if (url === there.url) assertEquals((await closed.promise).code, 1000);
      else await assertRejects(() => connected, TransportError);
      await assertRejects(() => client.connect(), TransportError, "aborted");
    }
  });

  itOverSockets("asks for URL, headers and token before each attempt", async () => {
    const requests: string[] = [];
    await using there = await new ComingAndGoing({
      onAllow: ({ request }) => {
        requests.push(`${request.path} ${request.headers.get("x-count")} ${request.headers.get("authorization")}`);
        return true;
      },
    }).start();
    let count = 0;
    await using client = new WebSocketClient({
      reconnect: QUICK,
      resolveUrl: () => Promise.resolve(new URL(`/${++count}`, there.url)),
      headers: () => Promise.resolve({ "x-count": String(count) }),
      token: () => `token ${count}`,
    });
    await client.connect();
    await there.restart();
    await until(() => requests.length === 2 && client.active, "the second");
    assertEquals(requests, ["/1 1 Bearer token 1", `/${count} ${count} Bearer token ${count}`]);
    // The network may be at fault for that too.
    let failures = 0;
    const failing = new WebSocketClient(there.url, {
      reconnect: QUICK,
      token: () => ++failures < 3 ? Promise.reject(new Error("no token")) : "token",
    });
    await failing.connect();
    assertEquals(failures, 3);
    await failing.disconnect();
    failures = 0;
    failing.reconnect = false;
    await assertRejects(() => failing.connect(), TransportError, 'The handler "token" failed: no token');
  });

  it("continues loops over the messages, and ends them at the end", async () => {
    await using there = await new ComingAndGoing().start();
    let opened = 0;
    const client = new WebSocketClient(there.url, { reconnect: QUICK, onConnect: () => void opened++ });
    await client.connect();
    const got: unknown[] = [];
    const loop = (async () => {
      for await (const message of client) got.push(message);
    })();
    for (let round = 0; round < 3; round++) {
      await until(() => client.active && opened === round + 1, "the connection");
      client.send(`round ${round}`);
      await until(() => got.length === round + 1, "the echo");
      if (round < 2) await there.restart();
    }
    await client.disconnect();
    await loop;
    assertEquals(got, ["round 0", "round 1", "round 2"]);
    // A loop that is left takes nothing from the next one.
    await client.connect();
    for (const text of ["one", "two"]) {
      client.send(text);
      for await (const message of client) {
        assertEquals(message, text);
        break;
      }
    }
    await client.disconnect();
  });

  it("throws in loops when it gives up after a loss, as one connection does", async () => {
    await using there = await new ComingAndGoing().start();
    const client = new WebSocketClient(there.url, { reconnect: { ...QUICK, maxAttempts: 1, minUptime: 60_000 } });
    await client.connect();
    const next = client[Symbol.asyncIterator]().next();
    for (const connection of there.server.connections) connection.terminate();
    await assertRejects(() => next, TransportError, "lost");
  });

  it("keeps messages sent meanwhile, up to a limit, in order, and reports their outcome", async () => {
    const got: unknown[] = [];
    await using there = await new ComingAndGoing({ onMessageReceived: (_, text) => void got.push(text) }).start();
    const client = new WebSocketClient(there.url, { reconnect: { ...QUICK, maxQueuedSize: 10 } });
    assertThrows(() => client.send("too early"), StateError);
    await client.connect();
    assertEquals(client.send("at once"), "sent");
    await until(() => got.length === 1, "the first");
    await there.server.stop();
    await until(() => !client.active, "the loss");
    assertEquals(["12345", "€", "a", "b", "c"].map((text) => client.send(text)), [
      "queued",
      "queued",
      "queued",
      "queued",
      "dropped",
    ]);
    assertEquals(client.queuedAmount, 10);
    assertThrows(() => client.send(1 as unknown as string), OptionError);
    await there.start();
    await until(() => got.length === 5, "the rest");
    assertEquals([got, client.queuedAmount], [["at once", "12345", "€", "a", "b"], 0]);
    assertEquals(client.send("directly"), "sent");
    await client.disconnect();
    assertThrows(() => client.send("too late"), StateError);
  });

  it("reports messages that were kept and never sent", async () => {
    await using there = await new ComingAndGoing().start();
    const errors: TransportError[] = [];
    const client = new WebSocketClient(there.url, {
      reconnect: { minDelay: 100_000, maxDelay: 100_000, maxQueuedSize: 100 },
      onError: (error) => errors.push(error as TransportError),
    });
    await client.connect();
    for (const connection of there.server.connections) connection.terminate();
    await until(() => client.state === "connecting", "the loss");
    client.send("one");
    client.send(new Uint8Array(7));
    await client.disconnect();
    assertEquals(errors.map(({ code }) => code), ["ERR_QUEUE_LOST"]);
    assertStringIncludes(errors[0]!.message, "2 messages of 10 bytes");
  });

  itOverSockets("does without for streams of the program, which one connection uses up", async () => {
    const server = new WebSocketServer();
    const [ours, theirs] = pipe();
    server.acceptStream(theirs);
    const client = new WebSocketClient("ws://localhost/", { reconnect: QUICK });
    await client.connect({ stream: ours });
    await server.stop();
    await until(() => client.state === "closed", "the end");
    assertEquals(client.stats().refusals, {});
  });

  it("logs each step", async () => {
    await using there = await new ComingAndGoing().start();
    const log: string[] = [];
    const client: WebSocketClient = new WebSocketClient(
      there.url,
      {
        reconnect: QUICK,
        onLog: ({ event, level }) => {
          log.push(`${level} ${event}`);
          throw new Error("is ignored");
        },
      } satisfies WebSocketClientOptions,
    );
    await client.connect();
    for (const connection of there.server.connections) connection.terminate();
    await until(() => log.filter((line) => line === "info client.open").length === 2, "the second");
    await client.disconnect();
    assertEquals(log, [
      "info client.open",
      "info client.closed",
      "info client.reconnecting",
      "info client.open",
      "info client.closed",
    ]);
  });
});

describeClients("WebSocketClient with reconnect, in odd moments", (WebSocketClient, itOverSockets) => {
  it("is given up wherever disconnect() is called: while it decides, and between two steps", async () => {
    for (const when of ["onReconnecting", "shouldReconnect"] as const) {
      await using there = await new ComingAndGoing().start();
      let connects = 0;
      const gone = defer<void>();
      const disconnect = async (): Promise<void> => {
        await Promise.resolve();
        await client.disconnect();
        gone.resolve();
      };
      const client: WebSocketClient = new WebSocketClient(there.url, {
        reconnect: {
          minDelay: 100_000,
          maxDelay: 100_000,
          ...when === "shouldReconnect" && { shouldReconnect: () => disconnect().then(() => true) },
        },
        onConnect: () => void connects++,
        ...when === "onReconnecting" && { onReconnecting: disconnect },
      });
      await client.connect();
      for (const connection of there.server.connections) connection.terminate();
      await gone.promise;
      assertEquals([when, client.state, connects], [when, "closed", 1]);
    }
  });

  it("goes on after an end that it would leave at that, if connect() is called since, as it does later", async () => {
    await using there = await new ComingAndGoing().start();
    const outcome = defer<unknown>();
    const reconnecting: unknown[] = [];
    const client: WebSocketClient = new WebSocketClient(there.url, {
      reconnect: QUICK,
      onDisconnect: () => void client.connect().then(() => outcome.resolve("connected"), outcome.resolve),
      // Not at once: the server would be asked without end.
      onReconnecting: ({ info }) => void reconnecting.push(info?.code),
      onError: outcome.resolve,
    });
    await client.connect();
    for (const connection of there.server.connections) connection.close(1000);
    assertEquals([await outcome.promise, client.state, reconnecting], ["connected", "open", [1000]]);
    Reflect.set(client, "onDisconnect", undefined);
    await client.disconnect();
  });

  it("gives up such a connect() with its signal", async () => {
    await using there = await new ComingAndGoing().start();
    const [outcome, waits] = [defer<unknown>(), defer<void>()];
    const stop = new AbortController();
    const client: WebSocketClient = new WebSocketClient(there.url, {
      reconnect: { minDelay: 100_000, maxDelay: 100_000 },
      onDisconnect: () => void client.connect({ signal: stop.signal }).catch(outcome.resolve),
      onReconnecting: () => waits.resolve(),
    });
    await client.connect();
    for (const connection of there.server.connections) connection.close(1000);
    await waits.promise;
    stop.abort();
    assertInstanceOf(await outcome.promise, TransportError);
    assertEquals(client.state, "closed");
  });

  it("rejects connect() when an option of reconnecting is out of range, and connects later", async () => {
    await using there = await new ComingAndGoing().start();
    const client = new WebSocketClient(there.url);
    client.reconnect = { minDelay: -1 };
    await assertRejects(() => client.connect(), OptionError, "reconnect.minDelay");
    assertEquals(client.state, "closed");
    client.reconnect = QUICK;
    await client.connect();
    await client.disconnect();
  });

  it("forgets a connect() that waits for the end of the last connection when it disconnects", async () => {
    await using there = await new ComingAndGoing().start();
    let connects = 0;
    const client = new WebSocketClient(there.url, { onConnect: () => void connects++ });
    await client.connect();
    const first = client.disconnect();
    const second = client.connect();
    client.disconnect();
    await first;
    await assertRejects(() => second, TransportError);
    assertEquals([client.state, connects], ["closed", 1]);
  });

  itOverSockets("sends credentials from resolveUrl on that attempt only, to that host only", async () => {
    const seen: (string | null)[] = [];
    const onAllow: WebSocketServerOptions["onAllow"] = ({ request }) => {
      seen.push(request.headers.get("authorization"));
      return new Response(null, { status: 503 });
    };
    await using one = await new ComingAndGoing({ onAllow }).start();
    await using two = await new ComingAndGoing({ onAllow }).start();
    const urls = [one.url.replace("//", "//u:secret@"), two.url, one.url.replace("//", "//v:other@")];
    const client = new WebSocketClient({ reconnect: { ...QUICK, maxAttempts: 3 }, resolveUrl: () => urls.shift()! });
    await assertRejects(() => client.connect(), HandshakeError);
    assertEquals(seen, [`Basic ${btoa("u:secret")}`, null, `Basic ${btoa("v:other")}`]);
  });

  itOverSockets("sends what it kept behind a fragmented message, and bytes as they were", async () => {
    const got: unknown[] = [];
    await using there = await new ComingAndGoing({
      onMessageReceived: (_, text) => void got.push(text),
      onBinaryDataReceived: (_, bytes) => void got.push(new TextDecoder().decode(bytes)),
    }).start();
    const client: WebSocketClient = new WebSocketClient(there.url, {
      reconnect: { ...QUICK, maxQueuedSize: 1000 },
      onConnect: () => void client.sendFrame(Opcode.Text, "head ", false),
    });
    const connected = client.connect();
    const bytes = Buffer.from("original");
    assertEquals(client.send(bytes), "queued");
    bytes.fill("x");
    await connected;
    await settle();
    client.sendFrame(Opcode.Continuation, "tail", true);
    await until(() => got.length === 2, "both");
    assertEquals([got, client.queuedAmount], [["head tail", "original"], 0]);
    await client.disconnect();
  });

  itOverSockets("returns `none` from checkIncoming() between two connections, and `closed` at the end", async () => {
    await using there = await new ComingAndGoing().start();
    const client = new WebSocketClient(there.url, { reconnect: QUICK, autoCheckMessages: false, checkTimeout: 20 });
    await client.connect();
    const results: string[] = [];
    const loop = (async () => {
      for (;;) {
        const result = await client.checkIncoming();
        results.push(result);
        if (result === "closed") return;
      }
    })();
    await there.restart();
    await until(() => client.stats().connections.opened === 2 && client.active, "the next connection");
    client.send("hi");
    await until(() => results.includes("message"), "the echo");
    await client.disconnect();
    await loop;
    assertEquals(results.indexOf("closed"), results.length - 1);
  });
});
