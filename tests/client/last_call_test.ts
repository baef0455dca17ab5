/** The last call of connect() and disconnect() wins: every sequence of calls, at every moment, against a model. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { TransportError } from "../../base/errors.ts";
import type { ReconnectOptions } from "../../client/reconnect.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { PAGE_CLIENTS } from "../support/page.ts";
import { urlOf } from "../support/peers.ts";
import { defer, startEcho, turns, until } from "../support/support.ts";

/** Calls of a program. `abort` aborts the signal of the last `signalled`, a connect() with a signal. */
const CALLS = ["connect", "signalled", "abort", "disconnect", "drop", "on", "off"] as const;
type Call = typeof CALLS[number];

/** All sequences of some calls, up to a length. */
function* sequences(calls: readonly Call[], longest: number): Generator<Call[]> {
  yield [];
  if (longest === 0) return;
  for (const rest of sequences(calls, longest - 1)) for (const call of calls) yield [...rest, call];
}

/** The last call as a person would put it: the callers who want the client to be connected. */
class Model {
  /** Callers without a signal, or a connection that was open. */
  forGood: boolean;
  signals = 0;
  constructor(forGood: boolean) {
    this.forGood = forGood;
  }

  call(call: Call): void {
    if (call === "connect" || call === "on") this.forGood = true;
    else if (call === "signalled") this.signals++;
    else if (call === "abort") this.signals = Math.max(0, this.signals - 1);
    else this.forGood = (this.signals = 0) > 0;
  }

  get connected(): boolean {
    return this.forGood || this.signals > 0;
  }
}

/** A program that makes calls, and looks at what comes of them. */
class Program {
  readonly client: WebSocketClient;
  readonly events: string[] = [];
  readonly #signals: AbortController[] = [];
  #pending = 0;
  readonly failures: unknown[] = [];

  constructor(client: WebSocketClient) {
    this.client = client;
    const connections: { state: string }[] = [];
    client.onConnect = () => {
      this.events.push("connect");
      assert(connections.every(({ state }) => state === "closed"), "two connections are open");
      connections.push(client.connection!);
    };
    client.onDisconnect = () => void this.events.push("disconnect");
    client.onError = (error) => this.failures.push(error);
  }

  call(call: Call): void {
    const { client } = this;
    if (call === "abort") return this.#signals.pop()?.abort();
    if (call === "on" || call === "off") return void (client.active = call === "on");
    if (call === "disconnect" || call === "drop") {
      this.#signals.length = 0;
      return this.#watch(client.disconnect(call === "disconnect"));
    }
    if (call === "connect") return this.#watch(client.connect());
    const controller = new AbortController();
    this.#signals.push(controller);
    this.#watch(client.connect({ signal: controller.signal }));
  }

  #watch(promise: Promise<unknown>): void {
    this.#pending++;
    promise.catch((error) => {
      if (!(error instanceof TransportError && error.code === "ERR_ABORTED")) this.failures.push(error);
    }).finally(() => this.#pending--);
  }

  get settled(): boolean {
    return this.#pending === 0;
  }
}

/** Moments at which the calls begin; each returns `true` if a connection is wanted then. */
const MOMENTS = {
  idle: () => Promise.resolve(false),
  connecting: async ({ client }: Program, _network: MemoryNetwork, steps: number) => {
    client.connect().catch(() => {});
    for (let step = 0; step < steps; step++) await Promise.resolve();
    return true;
  },
  open: async ({ client }: Program) => {
    await client.connect();
    return true;
  },
  closing: async ({ client }: Program) => {
    await client.connect();
    client.disconnect();
    return false;
  },
  "closing by the connection": async ({ client }: Program) => {
    await client.connect();
    client.connection!.close(1000);
    return false;
  },
  "closing with a code after which it reconnects": async ({ client }: Program) => {
    await client.connect();
    client.connection!.close(4000);
    return client.reconnect !== false;
  },
  lost: async ({ client }: Program, { server }: MemoryNetwork) => {
    await client.connect();
    for (const connection of server.connections) connection.terminate();
    await client.connection!.closed;
    return client.reconnect !== false;
  },
  waiting: async ({ client }: Program, { server }: MemoryNetwork) => {
    const waits = defer<void>();
    client.onReconnecting = () => waits.resolve();
    await client.connect();
    for (const connection of server.connections) connection.terminate();
    if (client.reconnect === false) await until(() => !client.active, "the end");
    else await waits.promise;
    return client.reconnect !== false;
  },
} satisfies Record<string, (program: Program, network: MemoryNetwork, steps: number) => Promise<boolean>>;

const RECONNECT: ReconnectOptions = { minDelay: 100, maxDelay: 100 };

interface Case {
  moment: keyof typeof MOMENTS;
  calls: readonly Call[];
  /** Microtasks between two calls. */
  steps: number;
  make(options: WebSocketClientOptions): WebSocketClient;
  reconnect: boolean;
}

async function play({ moment, calls, steps, make, reconnect }: Case): Promise<string> {
  const network = new MemoryNetwork();
  const { clock } = network;
  const options = { clock, pingInterval: 0, closeTimeout: 0, connectTimeout: 0 };
  const program = new Program(network.lead(make({ ...options, reconnect: reconnect && RECONNECT })));
  const { client } = program;
  const model = new Model(await MOMENTS[moment](program, network, calls.length + steps));
  for (const [index, call] of calls.entries()) {
    for (let step = 0; index > 0 && step < steps; step++) await Promise.resolve();
    program.call(call);
    model.call(call);
  }
  const wanted = model.connected ? ["open", 1] : ["closed", 0];
  const got = (): unknown[] => [client.state, network.sockets];
  for (let turn = 0; turn < 200; turn++) {
    await turns();
    if (program.settled && String(got()) === String(wanted)) break;
    clock.advance(100);
  }
  // And so it stays.
  await turns(2);
  clock.advance(1000);
  await turns(2);
  const outcome = [...got(), program.settled, program.failures, clock.pending];
  await client.disconnect();
  await network.server.stop();
  const { events } = program;
  const inTurn = events.every((event, index) => event === ["connect", "disconnect"][index % 2]);
  const expected = [...wanted, true, [], 0];
  return JSON.stringify(outcome) === JSON.stringify(expected) && inTurn && events.length % 2 === 0
    ? ""
    : JSON.stringify({ moment, calls, steps, reconnect, outcome, expected, events });
}

function* cases(
  make: Case["make"],
  calls: readonly Call[],
  longest: number,
  stepsBetween: readonly number[],
): Generator<Case> {
  for (const moment of Object.keys(MOMENTS) as (keyof typeof MOMENTS)[]) {
    for (const reconnect of [false, true]) {
      for (const steps of stepsBetween) {
        for (const sequence of sequences(calls, longest)) yield { moment, calls: sequence, steps, make, reconnect };
      }
    }
  }
}

/** Plays cases, many at a time: most of the time of each goes by in turns of the event loop. */
async function playAll(all: Iterable<Case>): Promise<void> {
  const faults: string[] = [];
  const iterator = all[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      const fault = await play(next.value);
      if (fault !== "") faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: 200 }, work));
  assertEquals(faults.slice(0, 5), [], `${faults.length} faults`);
}

const makeClient = (options: WebSocketClientOptions): WebSocketClient =>
  new WebSocketClient("ws://memory.example/", options);
const makeReceiver = (options: WebSocketClientOptions): WebSocketClient =>
  new WhatsAppReceiver("wss://memory.example/", { ...options, protocols: [] });

describe("The last call of connect() and disconnect()", () => {
  it("wins in every sequence of up to four calls in one turn, at any moment", async () => {
    await playAll(cases(makeClient, ["connect", "signalled", "abort", "drop"], 4, [0]));
  });

  it("wins in every sequence of up to three calls with microtasks in between", async () => {
    await playAll(cases(makeClient, ["connect", "signalled", "abort", "drop"], 3, [1, 3]));
  });

  it("wins with each kind of call, and on a receiver", async () => {
    await playAll(cases(makeClient, CALLS, 2, [0, 2]));
    await playAll(cases(makeReceiver, ["connect", "abort", "disconnect"], 2, [0]));
  });

  it("begins when what was disconnected is over, with its own loops and messages", async () => {
    const network = new MemoryNetwork({
      options: { manualClose: true },
      onMessageReceived: (connection, text) => void connection.send(text),
    });
    const program = new Program(network.lead(makeClient({ reconnect: { ...RECONNECT, maxQueuedSize: 100 } })));
    const { client, events } = program;
    const read = async (): Promise<unknown[]> => {
      const got: unknown[] = [];
      for await (const message of client) got.push(message);
      return got;
    };
    await client.connect();
    const [before] = network.server.connections;
    const first = read();
    const gone = client.disconnect();
    client.connect();
    const second = read();
    assertEquals([client.state, client.send("for the second")], ["closing", "queued"]);
    await turns(5);
    assertEquals([network.attempts, client.state], [1, "closing"]);
    before!.close(1000);
    assertEquals([(await gone)?.received?.code, await first], [1000, []]);
    await until(() => client.active && client.queuedAmount === 0, "the next connection");
    // What waits for the next connection of the old run is lost with it.
    client.disconnect(false);
    assertEquals(await second.catch(({ code }) => code), "ERR_CONNECTION_LOST");
    await until(() => client.state === "closed", "the end");
    assertEquals([events, program.failures], [["connect", "disconnect", "connect", "disconnect"], []]);
    await network.server.stop();
  });

  it("drops what waits for a connection that was given up, and keeps what comes after", async () => {
    const network = new MemoryNetwork();
    const program = new Program(network.lead(makeClient({ reconnect: { ...RECONNECT, maxQueuedSize: 100 } })));
    const { client } = program;
    client.connect();
    client.send("for the first");
    const loop = client[Symbol.asyncIterator]().next();
    client.disconnect();
    const connected = client.connect();
    client.send("two");
    assertEquals([(await loop).done, client.queuedAmount], [true, 3]);
    await connected;
    assertEquals(program.failures.map((error) => (error as TransportError).code), ["ERR_QUEUE_LOST"]);
    await client.disconnect();
    await network.server.stop();
  });

  it("wins over sockets and in a page, each attempt with the settings of its call", async () => {
    for (const Client of [WebSocketClient, ...PAGE_CLIENTS]) {
      for (const calls of sequences(["connect", "signalled", "abort", "disconnect"], 3)) {
        const [first, server] = [await startEcho(), await startEcho()];
        const program = new Program(new Client(urlOf(first)));
        const model = new Model(false);
        program.call("connect");
        program.call("disconnect");
        // Only from here on.
        program.client.port = server.address!.port;
        for (const call of calls) {
          program.call(call);
          model.call(call);
        }
        const wanted = model.connected ? ["open", 1] : ["closed", 0];
        const got = (): unknown[] => [program.client.state, server.connections.size];
        await until(() => program.settled && String(got()) === String(wanted), `${wanted} after ${calls}`);
        assertEquals([first.connections.size, program.failures], [0, []]);
        await program.client.disconnect();
        await Promise.all([first.stop(), server.stop()]);
      }
    }
  });

  it("leaves nothing to handle: what the program gave up itself is no failure of its own", async () => {
    const server = await startEcho();
    for (const Client of [WebSocketClient, ...PAGE_CLIENTS]) {
      let opened = 0;
      const client = new Client(urlOf(server), { onConnect: () => void opened++ });
      const stop = new AbortController();
      client.connect();
      client.connect({ signal: stop.signal });
      stop.abort();
      client.connect({ signal: stop.signal });
      client.disconnect();
      await client.connect();
      assertEquals([client.state, opened], ["open", 1]);
      client.disconnect();
      client.connect();
      await client.disconnect();
      assertEquals([client.state, opened], ["closed", 1]);
    }
    await server.stop();
  });
});
