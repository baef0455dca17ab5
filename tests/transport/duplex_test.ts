import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { acquire, release } from "../../base/buffer_pool.ts";
import { concat } from "../../base/bytes.ts";
import { OptionError } from "../../base/errors.ts";
import { type DuplexSocket, duplexTransport } from "../../transport/duplex.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { assertSameBytes, Random, turns } from "../support/support.ts";

/** A socket whose writes end, and whose bytes come, when the test says so. */
class HeldSocket implements DuplexSocket {
  readonly written: Uint8Array[] = [];
  readonly calls: string[] = [];
  #done: ((error?: Error | null) => void)[] = [];
  #listeners = new Map<string, (value?: unknown) => void>();

  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean {
    this.written.push(bytes);
    this.#done.push(done);
    return true;
  }
  end(): void {
    this.calls.push("end");
  }
  destroy(): void {
    this.calls.push("destroy");
  }
  pause(): void {}
  resume(): void {}
  on(event: string, listener: (value?: unknown) => void): void {
    this.#listeners.set(event, listener);
  }

  emit(event: string, value?: unknown): void {
    this.#listeners.get(event)!(value);
  }
  /** Ends the write that waits; there must be exactly one. */
  finish(error?: Error): void {
    assertEquals(this.#done.length, 1, "writes that wait");
    this.#done.pop()!(error);
  }
  /** Lengths of the writes so far, which it forgets. */
  takeLengths(): number[] {
    return this.written.splice(0).map(({ length }) => length);
  }
}

function open(handler: Partial<TransportHandler> = {}): { socket: HeldSocket; transport: Transport; events: string[] } {
  const socket = new HeldSocket();
  const transport = duplexTransport(socket);
  const events: string[] = [];
  transport.open({
    data: () => {},
    drain: () => void events.push("drain"),
    end: () => void events.push("end"),
    close: (error) => void events.push(error instanceof Error ? `close: ${error.message}` : "close"),
    ...handler,
  });
  return { socket, transport, events };
}

describe("writes of a transport over a socket of node:net", () => {
  it("hands over a message of a round size and its header at once", () => {
    for (const length of [1, 1024 + 4, 16 * 1024 + 4, 64 * 1024, 64 * 1024 + 10, 68 * 1024]) {
      const { socket, transport, events } = open();
      const bytes = new Random(length).bytes(length);
      assertEquals(transport.write(bytes), false);
      // The array belongs to the socket until its callback: no copy is needed.
      assert(socket.written[0]!.buffer === bytes.buffer);
      assertEquals([socket.takeLengths(), transport.bytesWritten, events], [[length], 0, []]);
      socket.finish();
      assertEquals([socket.takeLengths(), transport.bytesWritten, events], [[], length, ["drain"]]);
    }
  });

  it("hands over more in parts, each after the one before it, and counts them as they go", () => {
    for (
      const [length, parts] of [
        [68 * 1024 + 1, [65_536, 4 * 1024 + 1]],
        [128 * 1024 + 10, [65_536, 65_546]],
        [200_000, [65_536, 65_536, 68_928]],
      ] as const
    ) {
      const { socket, transport, events } = open();
      const bytes = new Random(length).bytes(length);
      transport.write(bytes);
      const got: Uint8Array[] = [];
      let written = 0;
      for (const part of parts) {
        assertEquals([transport.bytesWritten, events], [written, []]);
        got.push(...socket.written);
        assertEquals(socket.takeLengths(), [part]);
        socket.finish();
        written += part;
      }
      assertEquals([transport.bytesWritten, events, socket.written.length], [length, ["drain"], 0]);
      assertSameBytes(concat(...got), bytes);
    }
  });

  it("sends FIN behind the last part, also of a write that drain begins", () => {
    const { socket, transport, events } = open({
      drain() {
        events.push("drain");
        if (events.length === 1) transport.write(new Uint8Array(3));
      },
    });
    transport.write(new Uint8Array(100_000));
    transport.end();
    for (const length of [65_536, 34_464, 3]) {
      assertEquals([socket.takeLengths(), socket.calls], [[length], []]);
      socket.finish();
    }
    assertEquals([socket.calls, events], [["end"], ["drain", "drain"]]);
  });

  it("stops between two parts when it is destroyed, or the socket fails", async () => {
    for (const error of [undefined, new Error("the cable")]) {
      const { socket, transport, events } = open();
      transport.write(new Uint8Array(200_000));
      if (error === undefined) transport.destroy();
      socket.finish(error);
      assertEquals(socket.takeLengths(), [65_536]);
      assertEquals(transport.write(new Uint8Array(1)), false);
      await turns(1);
      assertEquals([socket.written, socket.calls], [[], ["destroy"]]);
      assertEquals(events, [error === undefined ? "close" : "close: the cable"]);
    }
  });
});

describe("bytes that come to a transport over a socket of node:net", () => {
  it("are handed on whole, and stay as they are in the array of the socket", () => {
    const got: Uint8Array[] = [];
    const { socket } = open({
      data(bytes) {
        got.push(bytes.slice());
        bytes.fill(0);
      },
    });
    for (const length of [1, 16_383, 16_384, 65_536, 524_288, 6_000_000]) {
      const chunk = new Random(length).bytes(length);
      const before = chunk.slice();
      socket.emit("data", chunk);
      assertSameBytes(chunk, before);
      assertEquals(got.length, 1);
      assertSameBytes(got.pop()!, before);
    }
    socket.emit("data", new Uint8Array(0));
    assertEquals(got, []);
  });

  it("lie in memory of their own for each socket, also when another one gets bytes meanwhile", () => {
    const bytes = [1, 2].map((octet) => new Uint8Array(65_536).fill(octet));
    const inner = open({ data: (got) => void got.fill(9) });
    const seen: number[] = [];
    const outer = open({
      data(got) {
        inner.socket.emit("data", bytes[1]);
        seen.push(got[0]!, got[65_535]!);
      },
    });
    outer.socket.emit("data", bytes[0]);
    assertEquals(seen, [1, 1]);
  });

  it("lie in memory that is used again, and that is given back when the handler throws", () => {
    for (const throws of [false, true]) {
      const buffers = new Set<ArrayBufferLike>();
      const { socket } = open({
        data(bytes) {
          buffers.add(bytes.buffer);
          if (throws) throw new Error("a fault of the handler");
        },
      });
      const chunk = new Uint8Array(65_536);
      for (let count = 0; count < 10; count++) {
        if (throws) assertThrows(() => socket.emit("data", chunk), Error, "a fault of the handler");
        else socket.emit("data", chunk);
      }
      assertEquals(buffers.size, 1);
      const free = acquire(chunk.length);
      assert(buffers.has(free.buffer));
      release(free);
    }
  });

  it("end with the connection that is destroyed, or when they are text", async () => {
    let count = 0;
    const { socket, transport, events } = open({ data: () => void count++ });
    socket.emit("data", "text");
    await turns(1);
    assertEquals([socket.calls, events.length], [["destroy"], 1]);
    socket.emit("data", new Uint8Array(20_000));
    socket.emit("end");
    assertEquals([count, events.length], [0, 1]);
    transport.destroy();
    await turns(1);
    assertEquals(events.length, 1);
  });

  it("come to one transport of a socket", () => {
    const socket = new HeldSocket();
    duplexTransport(socket);
    assertThrows(() => duplexTransport(socket), OptionError, "in use");
  });
});
