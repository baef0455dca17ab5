import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { systemClock } from "../../base/clock.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { secureClient, TlsServerSide } from "../../transport/node_tls.ts";
import { runtime } from "../support/needs.ts";
import { heldSockets } from "../support/sockets.ts";
import { decode, defer, encode, FakeClock, settle, tlsFile, turns, until } from "../support/support.ts";

/** Two ends in memory: bytes go over when the test, or `flow`, says so, and a paused end gets none. */
class MemoryTransport implements Transport {
  readonly remoteAddress = { hostname: "192.0.2.1", port: 1 };
  readonly localAddress = { hostname: "192.0.2.2", port: 2 };
  readonly encrypted = false;
  bytesWritten = 0;
  peer!: MemoryTransport;
  handler: TransportHandler | undefined;
  paused = false;
  destroyed = false;
  /** Bytes that wait for this end. */
  incoming: Uint8Array[] = [];
  ended = false;
  /** True if a write waits for `drain` of the test. */
  stalled = false;
  #writing = false;
  #endTold = false;

  static pair(): [MemoryTransport, MemoryTransport] {
    const [one, other] = [new MemoryTransport(), new MemoryTransport()];
    [one.peer, other.peer] = [other, one];
    return [one, other];
  }

  open(handler: TransportHandler): void {
    this.handler = handler;
    queueMicrotask(() => this.flow());
  }
  write(bytes: Uint8Array): boolean {
    assert(!this.#writing, "write before drain");
    if (this.destroyed) return false;
    this.#writing = true;
    this.bytesWritten += bytes.length;
    this.peer.incoming.push(bytes.slice());
    queueMicrotask(() => {
      this.peer.flow();
      if (!this.stalled) this.drain();
    });
    return false;
  }
  drain(): void {
    if (!this.#writing || this.destroyed) return;
    this.#writing = false;
    this.handler!.drain();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    queueMicrotask(() => this.flow());
  }
  deferWork(goOn: () => void): void {
    queueMicrotask(goOn);
  }
  end(): void {
    this.ended = true;
    queueMicrotask(() => this.peer.flow());
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => this.handler?.close());
  }
  /** Hands over what waits. */
  flow(): void {
    while (this.handler !== undefined && !this.paused && !this.destroyed && this.incoming.length > 0) {
      this.handler.data(this.incoming.shift()!);
    }
    if (this.handler === undefined || this.paused || this.destroyed || !this.peer.ended || this.#endTold) return;
    this.#endTold = true;
    this.handler.end();
  }
}

/** Events of a transport. */
class Log {
  events: string[] = [];
  text = "";
  onData: () => void = () => {};
  readonly handler: TransportHandler = {
    data: (bytes) => {
      this.text += decode(bytes);
      this.events.push("data");
      this.onData();
    },
    drain: () => void this.events.push("drain"),
    end: () => void this.events.push("end"),
    close: () => void this.events.push("close"),
  };
}

interface Secured {
  client: Transport;
  server: Transport;
  clientRaw: MemoryTransport;
  serverRaw: MemoryTransport;
  close(): Promise<void>;
}

const identity = {
  certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
  key: readFileSync(tlsFile("leaf.key"), "utf8"),
};
const roots = [readFileSync(tlsFile("ca.pem"), "utf8")];

const clientOptions = (changes: { hostname?: string; rootCertificates?: string[]; signal?: AbortSignal } = {}) => ({
  hostname: "localhost",
  rootCertificates: roots,
  signal: new AbortController().signal,
  clock: systemClock,
  ...changes,
});

/** Both ends of TLS over memory, not opened. */
async function secure(): Promise<Secured> {
  const [clientRaw, serverRaw] = MemoryTransport.pair();
  const side = new TlsServerSide(identity, 0, systemClock);
  const [client, server] = await Promise.all([secureClient(clientRaw, clientOptions()), side.secure(serverRaw)]);
  const close = async (): Promise<void> => {
    client.destroy();
    server.destroy();
    await until(() => clientRaw.destroyed && serverRaw.destroyed, "both ends");
  };
  return { client, server, clientRaw, serverRaw, close };
}

function describeNodeTls(): void {
  describe("TLS over a transport", () => {
    it("hands over what came before it was opened first, though more comes at once", async () => {
      const { client, server, clientRaw, close } = await secure();
      const sent = new Log();
      server.open(sent.handler);
      await turns();
      server.write(encode("one,"));
      await until(() => sent.events.includes("drain") && clientRaw.incoming.length === 0, "the first");
      // Held back below until the client is open.
      clientRaw.pause();
      server.write(encode("two"));
      await until(() => clientRaw.incoming.length === 1, "the second");
      const got = new Log();
      client.open(got.handler);
      clientRaw.paused = false;
      clientRaw.flow();
      await until(() => got.text.length === 7, "both");
      assertEquals(got.text, "one,two");
      await close();
    });

    it("stays paused until the program resumes it, even if the stream of node:tls asks for data", async () => {
      const { client, server, clientRaw, close } = await secure();
      const [sent, got] = [new Log(), new Log()];
      server.open(sent.handler);
      client.open(got.handler);
      client.pause();
      await turns();
      assertEquals(clientRaw.paused, true);
      server.write(encode("held"));
      await until(() => clientRaw.incoming.length > 0, "bytes below");
      await turns();
      await turns();
      assertEquals([clientRaw.paused, got.text], [true, ""]);
      client.resume();
      await until(() => got.text === "held", "the bytes");
      await close();
    });

    it("says drain only when what was encrypted has left, and sends FIN behind it", async () => {
      const { client, server, clientRaw, close } = await secure();
      const got = new Log();
      const sent = new Log();
      server.open(got.handler);
      client.open(sent.handler);
      await turns();
      clientRaw.stalled = true;
      const before = clientRaw.bytesWritten;
      client.write(new Uint8Array(300_000));
      client.end();
      await turns();
      // One part of it is below, and waits there.
      assert(clientRaw.bytesWritten - before < 100_000, `${clientRaw.bytesWritten - before} bytes at a time`);
      assertEquals([sent.events, clientRaw.ended], [[], false]);
      clientRaw.stalled = false;
      clientRaw.drain();
      await until(() => got.events.includes("end"), "FIN");
      assertEquals(got.text.length, 300_000);
      assertEquals(sent.events, ["drain"]);
      await close();
    });

    it("says nothing but close after destroy, once and not within the call, and writes nothing more", async () => {
      const { client, server, clientRaw, serverRaw, close } = await secure();
      const [got, other] = [new Log(), new Log()];
      client.open(got.handler);
      server.open(other.handler);
      await turns();
      server.write(new Uint8Array(300_000));
      clientRaw.stalled = true;
      client.write(new Uint8Array(300_000));
      got.onData = () => {
        client.destroy();
        assertEquals(got.events, ["data"]);
        client.destroy();
      };
      await until(() => got.events.includes("close"), "close");
      const written = clientRaw.bytesWritten;
      assertEquals(client.write(encode("late")), false);
      clientRaw.handler!.drain();
      clientRaw.handler!.data(Uint8Array.of(23, 3, 3, 0, 0));
      clientRaw.handler!.end();
      serverRaw.flow();
      await turns();
      assertEquals(got.events, ["data", "close"]);
      assertEquals(clientRaw.bytesWritten, written);
      await close();
    });

    it("says close once when the transport below has ended, also if that was before it was opened", async () => {
      for (const early of [false, true]) {
        const { client, clientRaw, close } = await secure();
        const got = new Log();
        if (!early) client.open(got.handler);
        clientRaw.destroy();
        await turns();
        if (early) client.open(got.handler);
        await until(() => got.events.includes("close"), "close");
        await turns();
        assertEquals(got.events.filter((event) => event === "close").length, 1);
        await close();
      }
    });
  });

  describe("a client of TLS over a transport", () => {
    it("refuses a certificate of another host or of an unknown root, in any environment", async () => {
      Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", "0");
      try {
        for (const changes of [{ hostname: "example.com" }, { hostname: "127.0.0.2" }, { rootCertificates: [] }]) {
          const [clientRaw, serverRaw] = MemoryTransport.pair();
          const served = new TlsServerSide(identity, 0, systemClock).secure(serverRaw);
          served.catch(() => {});
          const error = await assertRejects(() => {
            const client = secureClient(clientRaw, { ...clientOptions(changes), clock: new FakeClock() });
            void settle().then(() => until(() => clientRaw.ended, "the end of the client")).then(() =>
              serverRaw.destroy()
            );
            void until(() => serverRaw.destroyed, "the end of the server").then(() => clientRaw.destroy());
            return client;
          }, Error);
          assert(error.message !== "The peer left inside the TLS handshake", error.message);
          assertEquals(clientRaw.destroyed, true);
        }
      } finally {
        Deno.env.delete("NODE_TLS_REJECT_UNAUTHORIZED");
      }
    });

    it("is given up by its signal at once, before and inside the handshake, and destroys what is below", async () => {
      for (const early of [true, false]) {
        const [clientRaw] = MemoryTransport.pair();
        const controller = new AbortController();
        if (early) controller.abort(new Error("enough"));
        const connecting = secureClient(clientRaw, clientOptions({ signal: controller.signal }));
        const refused = assertRejects(() => connecting, Error, "enough");
        await turns();
        controller.abort(new Error("enough"));
        await refused;
        assertEquals(clientRaw.destroyed, true);
      }
    });

    it("hears when the peer leaves inside the handshake", async () => {
      const [clientRaw, peer] = MemoryTransport.pair();
      const refused = assertRejects(() => secureClient(clientRaw, clientOptions()), Error, "left");
      peer.end();
      await refused;
      assertEquals(clientRaw.destroyed, true);
    });
  });
}

/** A connection over loopback; both ends are open and idle. */
async function connectPair(): Promise<[Transport, Transport]> {
  const accepted = defer<Transport>();
  const listener = await runtimeTransport().listen(
    { hostname: "127.0.0.1", port: 0, handshakeTimeout: 0, clock: systemClock },
    { admit: () => undefined, accept: accepted.resolve, handshakeFailed: () => {}, error: accepted.reject },
  );
  const client = await runtimeTransport().connect({
    hostname: "127.0.0.1",
    port: listener.address.port,
    tls: false,
    rootCertificates: [],
    clock: systemClock,
    signal: new AbortController().signal,
  });
  const server = await accepted.promise;
  for (const transport of [client, server]) transport.open(new Log().handler);
  await listener.close();
  return [client, server];
}

const deferWork = (transport: Transport): Promise<void> =>
  new Promise((resolve) => transport.deferWork(() => resolve()));

/** Has connections that are opened meanwhile watched: those of the pair through which passes go. */
async function withConnectionsWatched(
  test: (opened: () => Deno.Conn[], isOpen: (conn: Deno.Conn) => boolean) => Promise<void>,
): Promise<void> {
  const original = Deno.connect;
  const opened: Deno.Conn[] = [];
  const connect = async (options: Deno.ConnectOptions): Promise<Deno.TcpConn> => {
    const conn = await original(options);
    opened.push(conn);
    return conn;
  };
  Object.assign(Deno, { connect });
  const isOpen = (conn: Deno.Conn): boolean => {
    try {
      conn.ref();
      (conn as Deno.TcpConn).setNoDelay(true);
      return true;
    } catch {
      return false;
    }
  };
  try {
    await test(() => opened, isOpen);
  } finally {
    Object.assign(Deno, { connect: original });
  }
}

function describeDeno(): void {
  describe("turns on Deno", () => {
    it("use a socket pair that lives as long as the connections that waited for it", async () => {
      const [[one, third], [other, idle]] = [await connectPair(), await connectPair()];
      await withConnectionsWatched(async (opened, isOpen) => {
        await Promise.all([deferWork(one), deferWork(other)]);
        await deferWork(one);
        await deferWork(third);
        // One pair for all.
        assertEquals(opened().length, 1);
        const { port } = opened()[0]!.localAddr as Deno.NetAddr;
        // Twice, and one that has never waited.
        for (const gone of [one, one, idle, third]) {
          gone.destroy();
          await settle();
        }
        assertEquals(isOpen(opened()[0]!), true);
        await deferWork(other);
        other.destroy();
        await until(() => !isOpen(opened()[0]!), "the end of the pair");
        const isHeld = (): boolean | undefined => heldSockets()?.some(({ remotePort }) => remotePort === port);
        await until(() => !isHeld(), "the end of its other end");
      });
    });

    it("open no pair for a connection that has ended", async () => {
      const [one, far] = await connectPair();
      const log = new Log();
      one.open(log.handler);
      one.destroy();
      far.destroy();
      await until(() => log.events.includes("close"), "close");
      await withConnectionsWatched(async (opened) => {
        one.deferWork(() => {});
        await turns();
        assertEquals(opened().length, 0);
      });
    });

    it("are handled even after the pair was closed in the middle of a pass", async () => {
      const [one, far] = await connectPair();
      await deferWork(one);
      let called = false;
      one.deferWork(() => called = true);
      one.destroy();
      await settle();
      const [other, third] = await connectPair();
      await deferWork(other);
      assertEquals(called, false);
      for (const end of [far, other, third]) end.destroy();
    });

    it("close the pair if it is open only after the last waiting connection is gone", async () => {
      const [one, far] = await connectPair();
      far.destroy();
      await withConnectionsWatched(async (opened, isOpen) => {
        one.deferWork(() => {});
        one.destroy();
        await until(() => opened().length === 1, "the pair");
        await until(() => !isOpen(opened()[0]!), "the end of the pair");
      });
    });
  });

  describe("a transport on Deno", () => {
    it("hands over no further slice of a read once it is destroyed inside one", async () => {
      const [[talker, listener], [client, server]] = [await connectPair(), await connectPair()];
      let slices = 0;
      let more = 0;
      const closed = defer<void>();
      server.open({
        data(bytes) {
          if (slices > 0) more++;
          // Whole reads are longer.
          if (bytes.length >= 1024) return;
          slices++;
          server.destroy();
        },
        drain() {},
        end() {},
        close: () => closed.resolve(),
      });
      // While others talk, what is much is cut.
      const talk = setInterval(() => talker.write(new Uint8Array(10)), 1);
      await turns();
      client.write(new Uint8Array(2_000_000));
      await closed.promise;
      clearInterval(talk);
      await deferWork(talker);
      assertEquals([slices, more], [1, 0]);
      for (const end of [talker, listener, client]) end.destroy();
    });

    it("hands over nothing once it is destroyed, inside data and while a read is under way", async () => {
      const [client, server] = await connectPair();
      const log = new Log();
      log.onData = () => server.destroy();
      server.open(log.handler);
      client.write(new Uint8Array(500_000));
      await until(() => log.events.includes("close"), "close");
      assertEquals(log.events, ["data", "close"]);
      client.destroy();

      const [far, near] = await connectPair();
      const quiet = new Log();
      near.open(quiet.handler);
      far.write(encode("too late"));
      near.write(encode("under way"));
      // The write begins at the end of the turn.
      await Promise.resolve();
      near.destroy();
      await until(() => quiet.events.length > 0, "close");
      await turns();
      assertEquals(quiet.events, ["close"]);
      far.destroy();
    });
  });
}

// Bun does TLS by itself.
if (runtime === "Deno") {
  describeNodeTls();
  describeDeno();
}
