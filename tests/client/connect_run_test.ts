import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, TransportError } from "../../base/errors.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { ReconnectAttempt } from "../../client/reconnect.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";
import { type Fault, MemoryNetwork } from "../support/memory_network.ts";
import { urlOf } from "../support/peers.ts";
import { encode, startEcho, turns, until } from "../support/support.ts";

const RECONNECT = { minDelay: 1000, maxDelay: 4000 };
const status = (code: number): string => `HTTP/1.1 ${code} Any\r\nContent-Length: 0\r\n\r\n`;
const failed = (cause: object): Error => new TransportError("ERR_CONNECT", "", { cause });
const because = (fields: { name?: string; code?: string; message?: string }): Error =>
  failed(Object.assign(new Error(fields.message), fields));

/** Faults, and the attempts that end at them: the first one, those after a connection, both or none. */
const FAULTS: readonly [name: string, fault: Fault, ends: "always" | "first" | "never"][] = [
  ["521", status(521), "never"],
  ["505", status(505), "never"],
  ["507", status(507), "never"],
  ["599", status(599), "never"],
  ["404", status(404), "first"],
  ["403", status(403), "always"],
  ["501", status(501), "always"],
  ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n\r\n", "first"],
  ["an answer that is cut", "HTTP/1.1 10", "never"],
  ["a refused connection", because({ code: "ECONNREFUSED" }), "never"],
  ["no permission", because({ name: "NotCapable" }), "always"],
  ["no trust on Deno", because({ message: "invalid peer certificate: UnknownIssuer" }), "always"],
  ["no trust on Bun", because({ code: "SELF_SIGNED_CERT_IN_CHAIN" }), "always"],
  ["an old certificate", because({ code: "CERT_HAS_EXPIRED" }), "first"],
  ["mixed content", because({ name: "SecurityError" }), "always"],
];

/** A client in memory whose pauses pass at once, and what it was told. */
class Rig {
  readonly network: MemoryNetwork = new MemoryNetwork();
  readonly client: WebSocketClient;
  readonly attempts: ReconnectAttempt[] = [];
  readonly errors: unknown[] = [];

  constructor(
    options: WebSocketClientOptions = {},
    make = (options: WebSocketClientOptions) => new WebSocketClient("ws://memory.example/", options),
  ) {
    const { clock } = this.network;
    this.client = this.network.lead(make({ reconnect: RECONNECT, clock, pingInterval: 0, ...options }));
    this.client.onReconnecting = (attempt) => {
      this.attempts.push(attempt);
      // Behind the timer of this wait.
      turns().then(() => clock.advance(attempt.delay + 20));
    };
    this.client.onError = (error) => this.errors.push(error);
  }

  /** Loses the connection, and waits for the next one or the end. */
  async lose(): Promise<string> {
    for (const connection of this.network.server.connections) connection.terminate();
    return await this.afterLoss();
  }

  async afterLoss(): Promise<string> {
    await this.client.connection?.closed;
    await until(() => this.client.state !== "connecting", "the outcome");
    return this.client.state;
  }

  async end(): Promise<void> {
    await this.client.disconnect();
    assertEquals([this.network.clock.pending, this.network.sockets], [0, 0]);
    await this.network.server.stop();
  }
}

describe("ConnectRun", () => {
  for (const [name, fault, ends] of FAULTS) {
    const what = ends === "never" ? "goes on after" : "ends with";
    it(`${what} ${name}${ends === "first" ? ", but not later" : ""}`, async () => {
      const { network, client, attempts } = new Rig();
      network.faults.push(fault);
      const error = await client.connect().then(() => undefined, (error) => error);
      assertEquals([client.state, attempts.length], ends === "never" ? ["open", 1] : ["closed", 0]);
      if (fault instanceof Error) assert(error === (ends === "never" ? undefined : fault));
      else if (ends !== "never") assertInstanceOf(error, HandshakeError);
      await client.disconnect();
      await network.server.stop();

      const later = new Rig();
      await later.client.connect();
      const loop = later.client[Symbol.asyncIterator]().next().catch((error) => error);
      later.network.faults.push(fault);
      assertEquals(await later.lose(), ends === "always" ? "closed" : "open");
      if (ends === "always") {
        const [given] = later.errors as TransportError[];
        assertEquals([given!.code, later.errors.length], ["ERR_RECONNECT_GIVEN_UP", 1]);
        assert(await loop === given);
        assert(fault instanceof Error ? given!.cause === fault : given!.cause instanceof HandshakeError);
      }
      await later.end();
      assertEquals(later.attempts.length, ends === "always" ? 1 : 2);
    });
  }

  it("comes back after each of eight frames that a proxy has cut, and waits longer each time", async () => {
    const rig = new Rig({ onMessageReceived: () => {}, onBinaryDataReceived: () => {} });
    await rig.client.connect();
    const closeFrame = [0x88, 0x02, 0x03, 0xe9];
    // A header of which one byte has come, and a text of which two bytes have.
    const cut = { 1002: [0x82, ...closeFrame], 1007: [0x81, 0x06, ...encode("ab"), ...closeFrame] };
    for (let round = 0; round < 8; round++) {
      const code = round % 2 === 0 ? 1002 : 1007;
      rig.network.inject(Uint8Array.from(cut[code]));
      assertEquals(await rig.afterLoss(), "open");
      const { info, failures, delay } = rig.attempts[round]!;
      assertEquals([info?.sent?.code, info?.received, failures], [code, undefined, round + 1]);
      assert(delay <= Math.min(4000, 1000 * 2 ** round));
    }
    await rig.end();
  });

  it("asks for credentials once more after a 401, again after each connection, and then ends", async () => {
    let asked = 0;
    const ask = (): string => `token ${++asked}`;
    const sources: WebSocketClientOptions[] = [
      { token: ask },
      { headers: () => ({ "x-token": ask() }) },
      { resolveUrl: () => `ws://user:${encodeURIComponent(ask())}@memory.example/` },
    ];
    for (const source of sources) {
      asked = 0;
      const rig = new Rig(source);
      rig.network.faults.push(status(401));
      await rig.client.connect();
      assertEquals([asked, rig.client.state], [2, "open"]);
      rig.network.faults.push(status(401), status(503));
      assertEquals([await rig.lose(), asked, rig.errors], ["open", 5, []]);
      rig.network.faults.push(status(401), status(503), status(401));
      assertEquals([await rig.lose(), asked], ["closed", 8]);
      const [{ cause }] = rig.errors as [TransportError];
      assert(cause instanceof HandshakeError && cause.status === 401);
      await rig.end();
    }
  });

  it("ends with the first 401 if each attempt would show the same credentials", async () => {
    for (const source of [{}, { token: "fixed" }, { headers: { authorization: "Basic fixed" } }]) {
      const rig = new Rig(source);
      rig.network.faults.push(status(401));
      await assertRejects(() => rig.client.connect(), HandshakeError, "401");
      assertEquals([rig.network.attempts, rig.attempts], [1, []]);
      await rig.end();
    }
  });

  it("asks a receiver for its token once more, and ends its loops with what ended it", async () => {
    let asked = 0;
    const receiver = new WhatsAppReceiver("wss://memory.example/", { receiverToken: () => `token ${++asked}` });
    const rig = new Rig({}, (options) => Object.assign(receiver, options));
    rig.network.server.protocols = ["whatsapp-inbox.v1"];
    rig.network.faults.push(status(401));
    await receiver.connect();
    assertEquals(asked, 2);
    const ended = assertRejects(() => receiver.messages.next(), TransportError);
    rig.network.faults.push(status(401), status(521), status(403));
    assertEquals([await rig.lose(), asked], ["closed", 5]);
    const error = await ended;
    assertEquals([error.code, rig.errors], ["ERR_RECONNECT_GIVEN_UP", [error]]);
    assert(error.cause instanceof HandshakeError && error.cause.status === 403);
    await rig.end();
  });

  it("tells what ended it: callers of connect() directly, onError and loops as the cause", async () => {
    const rig = new Rig({ reconnect: { ...RECONNECT, maxAttempts: 2, minUptime: 0 } });
    await rig.client.connect();
    const [first, second] = [rig.client[Symbol.asyncIterator](), rig.client[Symbol.asyncIterator]()];
    rig.network.faults.push(status(502), status(521));
    let joined: Promise<unknown> | undefined;
    rig.client.onDisconnect = () => {
      joined = rig.client.connect().catch((error) => error);
    };
    const outcomes = [first.next(), second.next()].map((next) => next.catch((error) => error));
    assertEquals(await rig.lose(), "closed");
    const cause = await joined;
    assert(cause instanceof HandshakeError && cause.status === 521);
    const [error, more] = rig.errors as TransportError[];
    assert(error!.cause === cause && more === undefined, "onError");
    assertEquals(error!.code, "ERR_RECONNECT_GIVEN_UP");
    for (const outcome of outcomes) assert(await outcome === error, "loops");
    await rig.end();
  });

  it("ends loops that wait for the first connection with what connect() rejects with, as the cause", async () => {
    const rig = new Rig();
    rig.network.faults.push(status(521), status(403));
    const connecting = rig.client.connect();
    const ended = assertRejects(() => rig.client[Symbol.asyncIterator]().next(), TransportError);
    const cause = await assertRejects(() => connecting, HandshakeError);
    const error = await ended;
    assert(error.cause === cause);
    // The rejection says it already.
    assertEquals([rig.errors, rig.attempts.length], [[], 1]);
    await rig.end();
  });

  it("says nothing of an end that the program or the server wanted", async () => {
    const rig = new Rig();
    await rig.client.connect();
    const loop = rig.client[Symbol.asyncIterator]().next();
    for (const connection of rig.network.server.connections) connection.close(1008, "not you");
    assertEquals([await rig.afterLoss(), await loop, rig.errors], ["closed", { done: true, value: undefined }, []]);
    await rig.end();
  });
});

describe("A client with reconnect, over sockets", () => {
  it("goes on while a server answers 521, and has it as the cause when its attempts are used up", async () => {
    let answers = 0;
    const server = await startEcho({ onAllow: () => ++answers % 4 === 1 || new Response(null, { status: 521 }) });
    const errors: TransportError[] = [];
    const client = new WebSocketClient(urlOf(server), {
      reconnect: { minDelay: 1, maxDelay: 2, maxAttempts: 4 },
      onError: (error) => errors.push(error as TransportError),
    });
    await client.connect();
    const ended = assertRejects(() => client[Symbol.asyncIterator]().next(), TransportError);
    for (const connection of server.connections) connection.terminate();
    const error = await ended;
    assertEquals([errors, client.state, answers], [[error], "closed", 4]);
    assert(error.cause instanceof HandshakeError && error.cause.status === 521);
    await server.stop();
  });
});
