import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../base/clock.ts";
import { TransportError } from "../../base/errors.ts";
import type { Listener, Transport } from "../../transport/transport.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import { RawSocket } from "../support/sockets.ts";
import { assertSameBytes, Random, until } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

const isDeno = "Deno" in globalThis;

/** Command given by the first byte of a connection. */
const [LIGHT, HEAVY] = [0, 1];

/** One connection as the server sees it. */
class Served {
  received: Uint8Array[] = [];
  events: string[] = [];
  error: unknown;
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
    transport.open({
      data: (bytes) => this.#take(bytes),
      drain: () => {},
      end: () => void this.events.push("end"),
      close: (error) => {
        this.events.push("close");
        this.error = error;
      },
    });
  }

  #take(bytes: Uint8Array): void {
    this.received.push(bytes.slice());
    // Light ones get an answer, heavy ones keep the program busy.
    if (this.received[0]![0] === LIGHT) this.transport.write(Uint8Array.of(LIGHT));
    else for (const end = performance.now() + bytes.length / 32_768; performance.now() < end;);
  }

  get bytes(): Uint8Array {
    return concat(...this.received);
  }
}

/** A port, and four light connections that say something, wait for the answer, and so on until the end. */
class Port {
  served: Served[] = [];
  answers = 0;
  #listener!: Listener;
  #light: RawSocket[] = [];
  #loops: Promise<void>[] = [];
  #over = false;

  async open(): Promise<void> {
    this.#listener = await runtimeTransport().listen(
      { hostname: "127.0.0.1", port: 0, handshakeTimeout: 0, clock: systemClock },
      {
        admit: () => undefined,
        accept: (transport) => void this.served.push(new Served(transport)),
        handshakeFailed: () => {},
        error: (error) => {
          throw error;
        },
      },
    );
    for (let index = 0; index < 4; index++) {
      const socket = await this.connect();
      this.#light.push(socket);
      this.#loops.push(this.#pingPong(socket));
    }
    await until(() => this.answers > 200, "light connections");
  }

  connect(): Promise<RawSocket> {
    return RawSocket.connect(this.#listener.address.port);
  }

  async #pingPong(socket: RawSocket): Promise<void> {
    while (!this.#over) {
      await socket.write(Uint8Array.of(LIGHT));
      if (await socket.read() === null) break;
      this.answers++;
    }
  }

  async close(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
    for (const { transport } of this.served) transport.destroy();
    await until(() => this.served.every(({ events }) => events.includes("close")), "the ends");
    await Promise.all(this.#light.map((socket) => socket.close()));
    await this.#listener.close();
  }
}

async function withPort(body: (port: Port) => Promise<void>): Promise<void> {
  const port = new Port();
  await port.open();
  try {
    await body(port);
  } finally {
    await port.close();
  }
}

/** Bytes of a connection that keeps the program busy. */
function heavyBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Random(seed).bytes(length);
  bytes[0] = HEAVY;
  return bytes;
}

describe("connections that keep the program busy", () => {
  it("wait while others are there, lose nothing, and end once, behind all they have sent", () =>
    withPort(async (port) => {
      const sent = [1, 2, 3].map((seed) => heavyBytes(1_500_000, seed));
      const before = port.answers;
      const sockets = await Promise.all(sent.map(() => port.connect()));
      await Promise.all(sockets.map(async (socket, index) => {
        await socket.write(sent[index]!);
        socket.end();
      }));
      const heavy = (): Served[] => port.served.filter(({ received }) => received[0]?.[0] === HEAVY);
      await until(() => heavy().filter(({ events }) => events.includes("end")).length === 3, "the ends");
      // An end that comes a second time would come later.
      const [ended, answers] = [port.answers, port.answers - before];
      await until(() => port.answers > ended + 200, "what follows");
      assert(answers > 100, `${answers} answers meanwhile`);
      for (const bytes of sent) {
        const served = heavy().find(({ received }) => received[0]![1] === bytes[1] && received[0]![2] === bytes[2])!;
        assertSameBytes(served.bytes, bytes);
        assertEquals(served.events, ["end"]);
      }
      await Promise.all(sockets.map((socket) => socket.close()));
    }));

  it("do not hold up a light one, however many have sent much at the same time", () =>
    withPort(async (port) => {
      const light = port.served.length;
      const bytes = heavyBytes(33_000, 7);
      const sockets = await Promise.all(Array.from({ length: 200 }, () => port.connect()));
      await until(() => port.served.length === light + 200, "all of them");
      const before = port.answers;
      await Promise.all(sockets.map((socket) => socket.write(bytes)));
      const rest = (): Served[] =>
        port.served.slice(light).filter(({ received }) =>
          received.reduce((sum, { length }) => sum + length, 0) < bytes.length
        );
      await until(() => rest().length === 0, "their bytes");
      // Each of them takes a millisecond: light ones had some of it, over and over.
      assert(port.answers - before > 100, `${port.answers - before} answers meanwhile`);
      for (const { bytes: arrived } of port.served.slice(light)) assertSameBytes(arrived, bytes);
      await Promise.all(sockets.map((socket) => socket.close()));
    }));

  it("get no more than what is on its way after pause, wait though they may, and all of it after resume", () =>
    withPort(async (port) => {
      const bytes = heavyBytes(4_000_000, 1);
      const socket = await port.connect();
      const written = socket.write(bytes);
      await until(() => port.served.some(({ received }) => received[0]?.[0] === HEAVY), "the first bytes");
      const served = port.served.find(({ received }) => received[0]?.[0] === HEAVY)!;
      served.transport.pause();
      const counts: number[] = [];
      for (let round = 0; round < 2; round++) {
        const before = port.answers;
        await until(() => port.answers > before + 200, "light connections");
        counts.push(served.bytes.length);
      }
      assertEquals(counts[0], counts[1]);
      assert(counts[1]! < bytes.length / 2, `${counts[1]} bytes`);
      served.transport.resume();
      await until(() => served.bytes.length === bytes.length, "the rest");
      assertSameBytes(served.bytes, bytes);
      await written;
      await socket.close();
    }));

  it("have to go before anything of them was handled, if what they have sent at first finds no room", () =>
    withPort(async (port) => {
      let [whole, refused] = [0, 0];
      for (let round = 0; round < (isDeno ? 1 : 20) && refused === 0; round++) {
        const light = port.served.length;
        const bytes = heavyBytes(200_000, round);
        const sockets = await Promise.all(Array.from({ length: 160 }, () => port.connect()));
        await Promise.allSettled(sockets.map((socket) => socket.write(bytes)));
        const newcomers = (): Served[] => port.served.slice(light);
        const isOver = ({ events, received }: Served): boolean =>
          events.includes("close") || received.reduce((sum, { length }) => sum + length, 0) === bytes.length;
        await until(() => newcomers().length === 160 && newcomers().every(isOver), "all");
        for (const { error, received, bytes: arrived } of newcomers()) {
          if (error === undefined) {
            assertSameBytes(arrived, bytes);
            whole++;
            continue;
          }
          assert(error instanceof TransportError && error.code === "ERR_OVERLOAD", String(error));
          assertEquals(received.length, 0);
          refused++;
        }
        await Promise.allSettled(sockets.map((socket) => socket.close()));
      }
      // Deno reads no more than it can handle.
      assertEquals([whole > 0, refused > 0], [true, !isDeno]);
    }));
});
