import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setImmediate } from "node:timers";
import { systemClock } from "../../base/clock.ts";
import type { TransportError } from "../../base/errors.ts";
import type { Transport } from "../../transport/transport.ts";
import { bunTransport } from "../../transport/bun.ts";
import { settle, until } from "../support/support.ts";

/** Socket handler of the transport. */
interface Handlers {
  open(socket: FakeSocket): void;
  data(socket: FakeSocket, bytes: Uint8Array): void;
  end(socket: FakeSocket): void;
  close(socket: FakeSocket, error?: Error): void;
}

/** The most bytes that a read of Bun brings; 16 of them fill the room for bytes that wait. */
const READ = 512 * 1024;
const PLACES = 16;

let ports = 0;

/** A socket of Bun that the test plays. */
class FakeSocket {
  data: unknown;
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort: number = ++ports;
  readonly localAddress = "192.0.2.2";
  readonly localPort = 80;
  /** Calls made, other than `pause` and `resume`. */
  calls: string[] = [];
  paused = false;
  resumed = 0;
  #handlers: Handlers;
  #closed = false;

  constructor(handlers: Handlers) {
    this.#handlers = handlers;
  }

  /** Returns the number of bytes that are taken. */
  onWrite: (bytes: Uint8Array) => number = ({ length }) => length;

  write(bytes: Uint8Array): number {
    this.calls.push("write");
    return this.onWrite(bytes);
  }
  shutdown(): void {
    this.calls.push("shutdown");
  }
  close(): void {
    this.calls.push("close");
    this.lose();
  }
  terminate(): void {
    this.calls.push("terminate");
    this.lose();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    this.resumed++;
  }
  setNoDelay(): boolean {
    return true;
  }

  /** Bytes come. */
  receive(length: number, value = 1): void {
    this.#handlers.data(this, new Uint8Array(length).fill(value));
  }
  /** FIN comes. */
  end(): void {
    this.#handlers.end(this);
  }
  /** It is gone. */
  lose(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.report(error);
  }
  /** It says that it is gone. */
  report(error?: Error): void {
    this.#handlers.close(this, error);
  }
}

/** An accepted connection, and what was told of it. */
class Accepted {
  events: string[] = [];
  /** Bytes that were handed over. */
  received = 0;
  onData: () => void = () => {};

  constructor(readonly transport: Transport, readonly socket: FakeSocket) {}

  open(): this {
    this.transport.open({
      data: (bytes) => {
        this.received += bytes.length;
        if (this.events.at(-1) !== "data") this.events.push("data");
        this.onData();
      },
      drain: () => {},
      end: () => void this.events.push("end"),
      close: (error) => void this.events.push(`close ${(error as TransportError | undefined)?.code ?? ""}`.trim()),
    });
    return this;
  }
}

/** A port on a runtime that the test plays. */
class Rig {
  #handlers!: Handlers;
  #latest: Transport | undefined;
  #talker: Accepted | undefined;
  all: Accepted[] = [];

  async listen(): Promise<this> {
    const runtime = {
      listen: ({ socket }: { socket: Handlers }) => {
        this.#handlers = socket;
        return { hostname: "192.0.2.2", port: 80, stop() {} };
      },
    };
    await bunTransport(runtime)!.listen({
      hostname: "192.0.2.2",
      port: 80,
      handshakeTimeout: 0,
      clock: systemClock,
    }, {
      admit: () => undefined,
      accept: (transport) => this.#latest = transport,
      handshakeFailed: () => {},
      error: () => {},
    });
    return this;
  }

  accept(): Accepted {
    const socket = new FakeSocket(this.#handlers);
    this.#handlers.open(socket);
    const accepted = new Accepted(this.#latest!, socket);
    this.all.push(accepted);
    return accepted;
  }

  /** From now on others are there: what is large has to wait for its turn. */
  talk(): void {
    this.#talker = this.accept().open();
    for (let index = 0; index < 6; index++) this.#talker.socket.receive(10);
  }

  /** One that has sent something already, so that it is not given up for the sake of others. */
  acceptHonest(): Accepted {
    const honest = this.accept().open();
    honest.socket.receive(10);
    assertEquals(honest.received, 10);
    honest.received = 0;
    honest.events = [];
    return honest;
  }

  /** Connections whose bytes wait. */
  hold(count: number, accept: () => Accepted): Accepted[] {
    return Array.from({ length: count }, () => {
      const holder = accept();
      // Others count for 100 ms only, which many reads may take on a busy machine.
      this.#talker?.socket.receive(10);
      holder.socket.receive(READ);
      assertEquals(holder.received, 0);
      return holder;
    });
  }

  /** One behind all that waits now has had its turn. */
  async pass(): Promise<void> {
    const passed = Promise.withResolvers<void>();
    this.accept().open().transport.deferWork(() => passed.resolve());
    await passed.promise;
    await settle();
  }

  /** There is room for large reads again: each of some connections has one, and reads on. */
  async assertRoom(count: number): Promise<void> {
    const readers = this.hold(count, () => this.acceptHonest());
    const done = ({ received, socket }: Accepted): boolean => received === READ && !socket.paused;
    await until(() => readers.every(done), "room for the next read", 10_000);
  }

  close(): void {
    for (const { transport } of this.all) transport.destroy();
  }
}

/** Runs a test on a port of its own, and destroys what it has left. */
async function withRig(test: (rig: Rig) => void | Promise<void>): Promise<void> {
  const rig = await new Rig().listen();
  try {
    rig.talk();
    await test(rig);
  } finally {
    rig.close();
    // Reserved room is given back behind the next pass.
    for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(() => resolve()));
  }
}

describe("bytes that wait for their turn on Bun", () => {
  it("are handled at once where there is no room and no connection to drop", () =>
    withRig(async (rig) => {
      const holders = rig.hold(PLACES, () => rig.acceptHonest());
      const refused = rig.acceptHonest();
      refused.socket.receive(READ);
      assertEquals(refused.received, READ);
      assertEquals(holders.map(({ received }) => received), new Array(PLACES).fill(0));
      await until(() => holders.every(({ received }) => received === READ), "the turn of all");
      for (const { socket, events } of [...holders, refused]) assertEquals([socket.calls, events], [[], ["data"]]);
    }));

  it("are dropped for others if none of them was handled: the connection ends once, ERR_OVERLOAD", () =>
    withRig(async (rig) => {
      const [newcomer] = rig.hold(1, () => rig.accept().open());
      const holders = rig.hold(PLACES - 1, () => rig.acceptHonest());
      const next = rig.acceptHonest();
      next.socket.receive(READ);
      assertEquals([next.received, newcomer!.events], [0, []]);
      // What still comes of it is dropped too.
      newcomer!.socket.receive(100);
      await until(() => [...holders, next].every(({ received }) => received === READ), "the turn of all others");
      await until(() => newcomer!.events.length > 0, "the end");
      assertEquals(newcomer!.socket.calls, ["terminate"]);
      newcomer!.transport.destroy();
      await settle();
      assertEquals([newcomer!.received, newcomer!.events], [0, ["close ERR_OVERLOAD"]]);
      for (const { socket } of holders) assertEquals(socket.calls, []);
    }));

  it("are dropped if their peer has gone, and its end is reported once", () =>
    withRig(async (rig) => {
      const [gone] = rig.hold(1, () => rig.acceptHonest());
      gone!.socket.lose();
      assertEquals(gone!.events, []);
      rig.hold(PLACES - 1, () => rig.acceptHonest());
      const next = rig.acceptHonest();
      next.socket.receive(READ);
      assertEquals(next.received, 0);
      await settle();
      assertEquals([gone!.received, gone!.events, gone!.socket.calls], [0, ["close"], []]);
      await until(() => next.received === READ, "the turn of the next");
      assertEquals(gone!.events, ["close"]);
    }));

  it("are dropped, and their peer leaves before their turn: its end is reported once", () =>
    withRig(async (rig) => {
      const [newcomer] = rig.hold(1, () => rig.accept().open());
      rig.hold(PLACES - 1, () => rig.acceptHonest());
      const next = rig.acceptHonest();
      next.socket.receive(READ);
      newcomer!.socket.lose();
      await settle();
      assertEquals(newcomer!.events.filter((event) => event.startsWith("close")), ["close"]);
      await until(() => next.received === READ, "the turn of the next");
      assertEquals([newcomer!.received, newcomer!.socket.calls], [0, []]);
      assertEquals(newcomer!.events.filter((event) => event.startsWith("close")).length, 1);
    }));

  it("leave their room when their connection is destroyed, and are never handed over", () =>
    withRig(async (rig) => {
      const destroyed = rig.hold(PLACES, () => rig.accept().open());
      for (const { transport } of destroyed) transport.destroy();
      // All places are free: a leak would have the bytes of the last one handled at once.
      const holders = rig.hold(PLACES, () => rig.acceptHonest());
      await until(() => holders.every(({ received }) => received === READ), "the turn of all");
      for (const { received, events } of destroyed) assertEquals([received, events], [0, ["close"]]);
    }));

  it("leave their room when their connection is destroyed: others read on", () =>
    withRig(async (rig) => {
      for (const { transport } of rig.hold(4, () => rig.acceptHonest())) transport.destroy();
      await rig.assertRoom(1);
    }));

  it("leave their room at their turn, and the room that was kept for a read that brings nothing", () =>
    withRig(async (rig) => {
      const holders = rig.hold(4, () => rig.acceptHonest());
      for (const { transport } of holders) transport.pause();
      await until(() => holders.every(({ received }) => received === READ), "the turn of all");
      await rig.assertRoom(4);
      await rig.assertRoom(4);
    }));

  it("come before the end and the close of their connection", () =>
    withRig(async (rig) => {
      const [holder] = rig.hold(1, () => rig.acceptHonest());
      holder!.socket.end();
      holder!.socket.lose();
      await settle();
      assertEquals(holder!.events, []);
      await until(() => holder!.events.length === 3, "all");
      assertEquals([holder!.received, holder!.events], [READ, ["data", "end", "close"]]);
    }));

  it("keep the socket paused, also when the program resumes it meanwhile", () =>
    withRig(async (rig) => {
      const [holder] = rig.hold(1, () => rig.acceptHonest());
      assertEquals(holder!.socket.paused, true);
      holder!.transport.resume();
      assertEquals(holder!.socket.paused, true);
      await until(() => holder!.received === READ && !holder!.socket.paused, "its turn");
    }));

  it("do not resume the socket at their turn if the program has paused it", () =>
    withRig(async (rig) => {
      const [holder] = rig.hold(1, () => rig.acceptHonest());
      holder!.transport.pause();
      const { resumed } = holder!.socket;
      await until(() => holder!.received === READ, "its turn");
      await rig.pass();
      assertEquals([holder!.socket.paused, holder!.socket.resumed], [true, resumed]);
      holder!.transport.resume();
      await until(() => !holder!.socket.paused, "resume");
    }));
});

describe("a transport on Bun", () => {
  it("leaves its socket alone once it is destroyed or lost while it waits to read", () =>
    withRig(async (rig) => {
      const [destroyed, lost] = [rig.acceptHonest(), rig.acceptHonest()];
      const before = [destroyed, lost].map(({ socket }) => socket.resumed);
      assertEquals([destroyed.socket.paused, lost.socket.paused], [true, true]);
      destroyed.transport.destroy();
      lost.socket.lose(new Error("reset"));
      await rig.pass();
      assertEquals([destroyed, lost].map(({ socket }) => socket.resumed), before);
      assertEquals([destroyed.events, lost.events], [["close"], ["close"]]);
    }));

  it("is not resumed by open if the program has paused it before", () =>
    withRig((rig) => {
      const paused = rig.accept();
      paused.transport.pause();
      paused.open();
      assertEquals(paused.socket.paused, true);
      paused.transport.resume();
      assertEquals(paused.socket.paused, false);
    }));

  it("reports an end that Bun does not, when both sent FIN, but not of a broken connection", () =>
    withRig(async (rig) => {
      const [ended, broken] = [rig.accept().open(), rig.accept().open()];
      ended.socket.lose();
      broken.socket.lose(new Error("reset"));
      await settle();
      assertEquals([ended.events, broken.events], [["end", "close"], ["close"]]);
    }));

  it("reports the end once, and not after destroy", () =>
    withRig(async (rig) => {
      const ended = rig.accept().open();
      ended.socket.end();
      ended.socket.end();
      ended.socket.lose();
      const destroyed = rig.accept().open();
      destroyed.transport.destroy();
      destroyed.socket.end();
      destroyed.socket.receive(10);
      destroyed.transport.destroy();
      await settle();
      assertEquals([ended.events, destroyed.events], [["end", "close"], ["close"]]);
      assertEquals(destroyed.socket.calls, ["close"]);
    }));

  it("takes nothing more once its close was reported, and can still be destroyed, once", () =>
    withRig(async (rig) => {
      const [lost, destroyed] = [rig.accept().open(), rig.accept().open()];
      lost.socket.lose(new Error("reset"));
      destroyed.transport.destroy();
      assertEquals([destroyed.events, destroyed.transport.write(new Uint8Array(64 * 1024))], [[], false]);
      await settle();
      const late = [lost, destroyed];
      for (let round = 0; round < 2; round++) {
        for (const { transport, socket } of late) {
          socket.receive(10);
          socket.report(new Error("again"));
          assertEquals(transport.write(new Uint8Array(64 * 1024)), false);
          transport.destroy();
        }
        await settle();
        assertEquals(late.map(({ events }) => events), [["close"], ["close"]]);
        assertEquals(late.map(({ received, socket }) => [received, socket.calls]), [[0, ["close"]], [0, ["close"]]]);
      }
    }));

  it("is not told of its close from within its own write", () =>
    withRig(async (rig) => {
      const [lost, destroyed] = [rig.accept().open(), rig.accept().open()];
      const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
      for (const { transport, socket, events } of [lost, destroyed]) {
        socket.onWrite = () => {
          socket.lose(reset);
          return 0;
        };
        assertEquals([transport.write(new Uint8Array(64 * 1024)), events], [false, []]);
      }
      destroyed.transport.destroy();
      await settle();
      assertEquals([lost.events, destroyed.events], [["close ECONNRESET"], ["close"]]);
    }));

  it("says nothing of the error of a peer that left while bytes waited, once it is destroyed", () =>
    withRig(async (rig) => {
      const [holder] = rig.hold(1, () => rig.acceptHonest());
      holder!.socket.lose(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
      holder!.transport.destroy();
      await rig.pass();
      assertEquals([holder!.received, holder!.events], [0, ["close"]]);
    }));

  it("sends what it is given while its bytes were dropped and its turn has not come", () =>
    withRig((rig) => {
      const [holder] = rig.hold(PLACES + 1, () => rig.accept().open());
      assertEquals(holder!.transport.write(new Uint8Array(64 * 1024)), true);
      assertEquals(holder!.socket.calls, ["write"]);
    }));

  it("reports events from before it was opened in order: bytes, end, close", () =>
    withRig(async (rig) => {
      const early = rig.accept();
      early.socket.receive(10);
      early.socket.end();
      early.socket.lose(new Error("reset"));
      assertEquals(early.events, []);
      early.open();
      await settle();
      assertEquals([early.received, early.events], [10, ["data", "end", "close"]]);
    }));

  it("hands over nothing that came before it was opened, nor its end, once it is destroyed", () =>
    withRig(async (rig) => {
      const early = rig.accept();
      early.socket.receive(10);
      early.socket.end();
      early.open();
      early.transport.destroy();
      await settle();
      assertEquals([early.received, early.events], [0, ["close"]]);
    }));

  it("leaves the turn that it waits for when it is destroyed", () =>
    withRig(async (rig) => {
      const leaver = rig.accept().open();
      let called = false;
      leaver.transport.deferWork(() => called = true);
      leaver.transport.destroy();
      await rig.pass();
      assertEquals(called, false);
    }));

  it("hands over no further slice once it is destroyed inside one", () =>
    withRig(async (rig) => {
      const [holder] = rig.hold(1, () => rig.acceptHonest());
      holder!.onData = () => holder!.transport.destroy();
      await until(() => holder!.events.includes("close"), "close");
      await rig.pass();
      assert(holder!.received > 0 && holder!.received < READ);
      assertEquals(holder!.events, ["data", "close"]);
    }));
});
