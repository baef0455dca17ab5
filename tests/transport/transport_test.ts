import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../base/clock.ts";
import type { Admittance, Listener, ProxyProtocolHandler, Transport } from "../../transport/transport.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import { StreamTlsSide } from "../../transport/bun_stream_tls.ts";
import { giveBack, lease } from "../../base/leased_memory.ts";
import { secureClient } from "../../transport/node_tls.ts";
import { duplexTransport } from "../../transport/duplex.ts";
import { streamTransport } from "../../transport/stream.ts";
import { runtime } from "../support/needs.ts";
import { headerV1 } from "../support/proxy_header.ts";
import { heldSockets, RawListener, type RawSocket } from "../support/sockets.ts";
import {
  assertSameBytes,
  decode,
  defer,
  encode,
  FakeClock,
  pipe,
  Random,
  tlsFile,
  turns,
  until,
} from "../support/support.ts";
import { concat } from "../../base/bytes.ts";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Lets everybody in. */
const admit = (): Admittance => ({ acceptedAt: 0, evict: () => {}, leave: () => {} });

/** Events of a transport. */
class Log {
  received: Uint8Array[] = [];
  events: string[] = [];
  error: unknown;
  constructor(readonly transport: Transport) {
    transport.open({
      data: (bytes) => {
        this.received.push(bytes.slice());
        // Handlers may change the bytes in place.
        bytes.fill(0);
      },
      drain: () => void this.events.push("drain"),
      end: () => void this.events.push("end"),
      close: (error) => {
        this.events.push("close");
        this.error = error;
      },
    });
  }
  get bytes(): Uint8Array {
    return concat(...this.received);
  }
  async write(bytes: Uint8Array): Promise<void> {
    const drains = this.events.filter((event) => event === "drain").length;
    if (this.transport.write(bytes)) return;
    await until(() => this.events.filter((event) => event === "drain").length > drains, "drain");
  }
}

/** Sends one byte, and waits for it: what the event loop had to do at both ends before has been done. */
async function goesThrough(from: Log, to: Log): Promise<void> {
  const before = to.bytes.length;
  from.transport.write(Uint8Array.of(1));
  await until(() => to.bytes.length > before, "a byte the other way");
  await turns(3);
}

interface Pair {
  client: Log;
  server: Log;
  close: () => Promise<void>;
}

async function socketPair(
  tls: boolean,
  connect?: (port: number) => Promise<Transport>,
  proxyProtocol?: ProxyProtocolHandler,
): Promise<Pair> {
  const accepted = defer<Transport>();
  const identity = {
    certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
    key: readFileSync(tlsFile("leaf.key"), "utf8"),
  };
  const listener: Listener = await runtimeTransport().listen(
    {
      hostname: "127.0.0.1",
      port: 0,
      tls: tls ? identity : undefined,
      handshakeTimeout: 5000,
      clock: systemClock,
      proxyProtocol,
    },
    { admit, accept: accepted.resolve, handshakeFailed: accepted.reject, error: accepted.reject },
  );
  const client = await (connect?.(listener.address.port) ?? runtimeTransport().connect({
    hostname: "localhost",
    port: listener.address.port,
    tls,
    rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
    clock: systemClock,
    signal: new AbortController().signal,
  }));
  const server = await accepted.promise;
  assertEquals([client.encrypted, server.encrypted], [tls, tls]);
  assertEquals(server.localAddress.port, listener.address.port);
  assertEquals(client.remoteAddress.port, listener.address.port);
  assertEquals(server.remoteAddress.port, client.localAddress.port);
  const logs = { client: new Log(client), server: new Log(server) };
  const close = async (): Promise<void> => {
    client.destroy();
    server.destroy();
    await until(() => logs.client.events.includes("close") && logs.server.events.includes("close"), "both ends");
    await listener.close();
  };
  return { ...logs, close };
}

/**
 * A client that does TLS by `node:tls` over a transport of the runtime, as on Deno with hosts that were silent once.
 */
async function secureLater(port: number): Promise<Transport> {
  const { signal } = new AbortController();
  const options = { hostname: "localhost", port, tls: false, rootCertificates: [], clock: systemClock, signal };
  const raw = await runtimeTransport().connect(options);
  return await secureClient(raw, { ...options, rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")] });
}

/** A client that sends a header of the PROXY protocol, which names itself. */
async function connectAsProxy(port: number, tls: boolean): Promise<Transport> {
  const { signal } = new AbortController();
  const options = { hostname: "localhost", port, tls: false, rootCertificates: [], clock: systemClock, signal };
  const raw = await runtimeTransport().connect(options);
  await new Log(raw).write(headerV1("127.0.0.1", raw.localAddress.port));
  if (!tls) return raw;
  return await secureClient(raw, { ...options, rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")] });
}

const HEADERS: ProxyProtocolHandler = {
  sends: () => true,
  identified: () => true,
  failed: (error) => {
    throw error;
  },
};

/** A server on Bun that does TLS by `node:tls`, as behind a PROXY header. */
async function streamTlsPair(): Promise<Pair> {
  const identity = {
    certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
    key: readFileSync(tlsFile("leaf.key"), "utf8"),
  };
  const accepted = defer<Transport>();
  const side = new StreamTlsSide(identity, 5000, systemClock);
  const handler = { admit, accept: accepted.resolve, handshakeFailed: accepted.reject, error: accepted.reject };
  const options = { hostname: "127.0.0.1", port: 0, handshakeTimeout: 5000, clock: systemClock };
  const listener = await runtimeTransport().listen(options, {
    ...handler,
    accept: (raw) => side.accept(raw, handler, admit()),
  });
  const client = await runtimeTransport().connect({
    hostname: "localhost",
    port: listener.address.port,
    tls: true,
    rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
    clock: systemClock,
    signal: new AbortController().signal,
  });
  const server = await accepted.promise;
  const logs = { client: new Log(client), server: new Log(server) };
  const close = async (): Promise<void> => {
    client.destroy();
    server.destroy();
    await until(() => logs.client.events.includes("close") && logs.server.events.includes("close"), "both ends");
    await listener.close();
  };
  return { ...logs, close };
}

async function streamPair(): Promise<Pair> {
  const [ours, theirs] = pipe();
  const client = new Log(streamTransport(ours));
  const server = new Log(streamTransport(theirs, { encrypted: true }));
  await Promise.resolve();
  const close = async (): Promise<void> => {
    client.transport.destroy();
    server.transport.destroy();
    await until(() => client.events.includes("close") && server.events.includes("close"), "both ends");
  };
  return { client, server, close };
}

/** Sockets as a server of `node:http` gives them away. */
async function nodePair(): Promise<Pair> {
  const accepted = defer<Socket>();
  const listener = createServer({ allowHalfOpen: true }, accepted.resolve);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  const client = new Log(duplexTransport(socket));
  const server = new Log(duplexTransport(await accepted.promise));
  const close = async (): Promise<void> => {
    client.transport.destroy();
    server.transport.destroy();
    await until(() => client.events.includes("close") && server.events.includes("close"), "both ends");
    await new Promise<void>((resolve) => listener.close(() => resolve()));
  };
  return { client, server, close };
}

const KINDS: [name: string, make: () => Promise<Pair>][] = [
  ["TCP", () => socketPair(false)],
  ["TLS", () => socketPair(true)],
  ["streams", streamPair],
  ["TCP behind a PROXY header", () => socketPair(false, (port) => connectAsProxy(port, false), HEADERS)],
  ["sockets of node:net", nodePair],
  // Bun does TLS by itself, always.
  ...runtime === "Deno"
    ? [
      ["TLS of node:tls", () => socketPair(true, secureLater)],
      ["TLS behind a PROXY header", () => socketPair(true, (port) => connectAsProxy(port, true), HEADERS)],
    ] as [string, () => Promise<Pair>][]
    : [["TLS of node:tls", streamTlsPair]] as [string, () => Promise<Pair>][],
];

/** All buffers that can be leased at the moment. */
function takeAll(): Uint8Array<ArrayBuffer>[] {
  const taken: Uint8Array<ArrayBuffer>[] = [];
  for (const size of [32768, 262144] as const) {
    for (let slot = lease(size); slot !== undefined; slot = lease(size)) taken.push(slot);
  }
  return taken;
}

function countLeasable(): number {
  const taken = takeAll();
  for (const slot of taken) giveBack(slot);
  return taken.length;
}

for (const [name, make] of KINDS) {
  describe(`a transport over ${name}`, () => {
    it("carries bytes of every size, both ways", async () => {
      const { client, server, close } = await make();
      const random = new Random(1);
      const sent: Uint8Array[] = [];
      for (const size of [1, 2047, 2048, 2049, 65_536, 300_000, 1_000_000, 5]) {
        const bytes = new Uint8Array(size).fill(random.int(256));
        sent.push(bytes);
        await Promise.all([client.write(bytes), server.write(bytes)]);
      }
      const whole = concat(...sent);
      await until(() => client.bytes.length === whole.length && server.bytes.length === whole.length, "all bytes");
      assertSameBytes(client.bytes, whole);
      assertSameBytes(server.bytes, whole);
      await close();
    });

    it("gives back all the buffers that it leased, also when it is destroyed while it reads", async () => {
      const before = countLeasable();
      for (const destroyed of [false, true]) {
        const { client, server, close } = await make();
        await Promise.all([client.write(new Uint8Array(1_000_000)), server.write(new Uint8Array(1_000_000))]);
        await until(() => client.bytes.length === 1_000_000 && server.bytes.length === 1_000_000, "all bytes");
        if (destroyed) server.transport.destroy();
        await close();
      }
      await until(() => countLeasable() === before, "all buffers");
    });

    it("carries bytes even when no buffer can be leased", async () => {
      const taken = takeAll();
      const { client, server, close } = await make();
      const bytes = new Random(3).bytes(700_000);
      await Promise.all([client.write(bytes), server.write(bytes)]);
      await until(() => client.bytes.length === bytes.length && server.bytes.length === bytes.length, "all bytes");
      assertSameBytes(client.bytes, bytes);
      assertSameBytes(server.bytes, bytes);
      await close();
      for (const slot of taken) giveBack(slot);
    });

    it("sends FIN after what was written, and still receives", async () => {
      const { client, server, close } = await make();
      client.transport.write(encode("last words"));
      client.transport.end();
      await until(() => server.events.includes("end"), "FIN");
      assertEquals(decode(server.bytes), "last words");
      // Bun 1.4 ends a connection of node:tls when its peer has sent FIN.
      if (runtime === "Bun" && name === "TLS of node:tls") return await close();
      await server.write(encode("answer"));
      await until(() => client.bytes.length === 6, "the answer");
      server.transport.end();
      await until(() => client.events.includes("end"), "FIN");
      await close();
    });

    it("delivers only bytes already on their way after pause, and continues after resume", async () => {
      const { client, server, close } = await make();
      server.transport.pause();
      for (let index = 0; index < 20; index++) await Promise.race([client.write(new Uint8Array(1000)), turns(3)]);
      await goesThrough(server, client);
      const arrived = server.bytes.length;
      await goesThrough(server, client);
      assertEquals(server.bytes.length, arrived);
      assert(arrived < 20_000, `${arrived} bytes`);
      server.transport.resume();
      await until(() => server.bytes.length === 20_000, "the rest");
      await close();
    });

    for (const from of ["client", "server"]) {
      it(`carries more than all buffers hold, and FIN behind it, from the ${from} to a reader that is slow`, async () => {
        const { close, ...ends } = await make();
        const [writer, reader] = from === "client" ? [ends.client, ends.server] : [ends.server, ends.client];
        const bytes = new Uint8Array(12_000_000).map((_, index) => (index * 31 + (index >> 12)) & 0xff);
        const sent = bytes.slice();
        reader.transport.pause();
        assertEquals(writer.transport.write(sent), false);
        writer.transport.end();
        await goesThrough(reader, writer);
        // Streams hand over a whole chunk that was asked for.
        assertEquals(writer.events.includes("drain"), name === "streams");
        for (let turn = 0; turn < 20; turn++) {
          reader.transport.resume();
          await turns();
          reader.transport.pause();
        }
        reader.transport.resume();
        await until(() => reader.events.includes("end"), "FIN");
        assertSameBytes(reader.bytes, bytes);
        assertEquals(writer.events.filter((event) => event === "drain").length, 1);
        await close();
      });
    }

    it("reports close exactly once, after destroy, and to the other end", async () => {
      const { client, server, close } = await make();
      client.transport.destroy();
      assertEquals(client.events, []);
      client.transport.destroy();
      await until(() => server.events.length > 0, "the other end");
      await close();
      assertEquals(client.events.filter((event) => event === "close").length, 1);
      assertEquals(server.events.filter((event) => event === "close").length, 1);
      assertEquals(client.error, undefined);
      assertEquals(client.transport.write(encode("late")), false);
    });

    it("may be destroyed while it is paused, and while it writes", async () => {
      const { client, server, close } = await make();
      server.transport.pause();
      client.transport.write(new Uint8Array(20_000_000));
      await turns();
      client.transport.destroy();
      server.transport.destroy();
      await close();
    });
  });
}

describe("the end of a peer that leaves much unread", () => {
  for (const tls of [false, true]) {
    it(`is reported behind its bytes, ${tls ? "with" : "without"} TLS, however often the reading was paused`, async () => {
      const { client, server, close } = await socketPair(tls);
      let received = 0;
      let pauses = 0;
      const ended = defer<void>();
      server.transport.open({
        data(bytes) {
          received += bytes.length;
          server.transport.pause();
          pauses++;
          turns(2).then(() => {
            pauses--;
            server.transport.resume();
          });
        },
        drain() {},
        end: () => ended.resolve(),
        close: () => void server.events.push("close"),
      });
      for (let index = 0; index < 30; index++) await client.write(new Uint8Array(20_000));
      client.transport.end();
      await ended.promise;
      assertEquals(received, 600_000);
      await until(() => pauses === 0, "the last pause");
      await close();
    });
  }
});

describe("a connection that is given up before it is established", () => {
  for (const tls of [false, true]) {
    it(`is closed when it comes, ${tls ? "with" : "without"} TLS`, async () => {
      const listener = await RawListener.listen();
      const options = { hostname: "127.0.0.1", port: listener.port, rootCertificates: [], clock: systemClock };
      const controller = new AbortController();
      const connecting = runtimeTransport().connect({ ...options, tls, signal: controller.signal });
      controller.abort();
      await assertRejects(() => connecting);
      // Whatever has come before this one must end.
      const marker = await runtimeTransport().connect({ ...options, tls: false, signal: new AbortController().signal });
      const log = new Log(marker);
      await log.write(encode("marker"));
      for (;;) {
        const socket = await listener.accept();
        const bytes = await socket.read();
        const isMarker = bytes !== null && decode(bytes) === "marker";
        // At most a ClientHello stood before the end.
        if (bytes !== null && !isMarker) assertEquals(await socket.read(), null);
        await socket.close();
        if (isMarker) break;
      }
      await until(() => log.events.length > 0, "the end");
      marker.destroy();
      await until(() => log.events.includes("close"), "close");
      await listener.close();
    });
  }
});

describe("a TLS client", () => {
  it("holds one socket at most of all attempts that were given up while the server was silent", async () => {
    const listener = await RawListener.listen();
    const options = { hostname: "127.0.0.1", port: listener.port, tls: true, rootCertificates: [], clock: systemClock };
    const first: RawSocket[] = [];
    for (let index = 0; index < 20; index++) {
      const controller = new AbortController();
      const connecting = runtimeTransport().connect({ ...options, signal: controller.signal });
      const socket = await listener.accept();
      // It has come so far that it waits for the server.
      await socket.read();
      controller.abort(new Error("enough"));
      await assertRejects(() => connecting);
      // Deno closes the first one only when the server does.
      if (index === 0) first.push(socket);
      else {
        assertEquals(await socket.read(), null);
        await socket.close();
      }
    }
    const held = (): number => heldSockets()?.filter(({ remotePort }) => remotePort === listener.port).length ?? 0;
    await until(() => held() <= 1, "the end of the others");
    await first[0]!.close();
    await until(() => held() === 0, "the end of the first");
    await listener.close();
  });

  it("names the host it wants, but never an address", async () => {
    const listener = await RawListener.listen();
    for (const [hostname, named] of [["localhost", true], ["127.0.0.1", false]] as const) {
      const accepted = listener.accept();
      const controller = new AbortController();
      const options = {
        hostname,
        port: listener.port,
        tls: true,
        rootCertificates: [],
        signal: controller.signal,
        clock: systemClock,
      };
      const connecting = runtimeTransport().connect(options);
      const socket = await accepted;
      const hello = decode((await socket.read())!);
      assertEquals(hello.includes(hostname), named, hostname);
      controller.abort();
      await assertRejects(() => connecting);
      await socket.close();
    }
    await listener.close();
  });

  it("refuses a certificate of another host or address, or of a root it does not know", async () => {
    const { close, port } = await listenForTls();
    const roots = [readFileSync(tlsFile("ca.pem"), "utf8")];
    const connectTo = (hostname: string, rootCertificates: string[]): Promise<Transport> =>
      runtimeTransport().connect({
        hostname,
        port,
        tls: true,
        rootCertificates,
        signal: new AbortController().signal,
        clock: systemClock,
      });
    await assertRejects(() => connectTo("127.0.0.2", roots));
    await assertRejects(() => connectTo("localhost", []));
    for (const hostname of ["localhost", "127.0.0.1"]) {
      const log = new Log(await connectTo(hostname, roots));
      log.transport.destroy();
      await until(() => log.events.includes("close"), "close");
    }
    await close();
  });
});

/** A TLS listener that closes what it accepts when its peer does. */
async function listenForTls(): Promise<{ port: number; close: () => Promise<void> }> {
  const identity = {
    certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
    key: readFileSync(tlsFile("leaf.key"), "utf8"),
  };
  const accepted: Log[] = [];
  const listener = await runtimeTransport().listen(
    { hostname: "0.0.0.0", port: 0, tls: identity, handshakeTimeout: 5000, clock: systemClock },
    {
      admit,
      accept: (transport) => void accepted.push(new Log(transport)),
      handshakeFailed: () => {},
      error: () => {},
    },
  );
  return {
    port: listener.address.port,
    async close() {
      for (const log of accepted) {
        log.transport.destroy();
        await until(() => log.events.includes("close"), "close");
      }
      await listener.close();
    },
  };
}

describe("destroy", () => {
  for (const tls of [false, true]) {
    it(`frees the socket at once, ${tls ? "with" : "without"} TLS, even if the peer does not read`, async () => {
      const { client, server, close } = await socketPair(tls);
      client.transport.pause();
      const { localAddress, remoteAddress } = server.transport;
      const isHeld = (): boolean | undefined =>
        heldSockets()?.some(({ localPort, remotePort }) =>
          localPort === localAddress.port && remotePort === remoteAddress.port
        );
      assert(isHeld() !== false);
      server.transport.write(new Uint8Array(20_000_000));
      server.transport.destroy();
      await until(() => !isHeld(), "the end of the socket");
      await close();
    });
  }
});

describe("a listener", () => {
  it("sets TCP_NODELAY: small messages are not held back, with TLS neither", async () => {
    for (const tls of [false, true]) {
      const { client, server, close } = await socketPair(tls);
      const gaps: number[] = [];
      for (let index = 0; index < 60; index++) {
        const started = performance.now();
        await server.write(new Uint8Array(16));
        await server.write(new Uint8Array(16));
        await until(() => client.bytes.length === 32 * (index + 1), "both");
        gaps.push(performance.now() - started);
      }
      // With Nagle's algorithm, each second write waits some 40 ms for a delayed acknowledgement.
      const slow = gaps.filter((gap) => gap > 30).length;
      assert(slow < 10, `${slow} of ${gaps.length} were held back`);
      await close();
    }
  });

  it("accepts others while a TLS handshake hangs, and closes although it does", async () => {
    const accepted: Transport[] = [];
    const identity = {
      certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
      key: readFileSync(tlsFile("leaf.key"), "utf8"),
    };
    const listener = await runtimeTransport().listen(
      { hostname: "127.0.0.1", port: 0, tls: identity, handshakeTimeout: 0, clock: systemClock },
      { admit, accept: (transport) => accepted.push(transport), handshakeFailed: () => {}, error: () => {} },
    );
    const plain = {
      hostname: "127.0.0.1",
      port: listener.address.port,
      tls: false,
      rootCertificates: [],
      clock: systemClock,
    };
    const { signal } = new AbortController();
    const hanging = new Log(await runtimeTransport().connect({ ...plain, signal }));
    const roots = [readFileSync(tlsFile("ca.pem"), "utf8")];
    const client = new Log(await runtimeTransport().connect({ ...plain, tls: true, rootCertificates: roots, signal }));
    await until(() => accepted.length === 1, "the second connection");
    const server = new Log(accepted[0]!);
    await listener.close();
    await until(() => hanging.events.length > 0, "the end of the first");
    await client.write(encode("lives on"));
    await until(() => decode(server.bytes) === "lives on", "bytes after the listener is closed");
    for (const log of [hanging, client, server]) {
      log.transport.destroy();
      await until(() => log.events.includes("close"), "close");
    }
  });

  it("limits the time of the TLS handshake only, not that of the connection", async () => {
    const accepted = defer<Transport>();
    const identity = {
      certificate: readFileSync(tlsFile("leaf.pem"), "utf8"),
      key: readFileSync(tlsFile("leaf.key"), "utf8"),
    };
    const clock = new FakeClock();
    const listener = await runtimeTransport().listen(
      { hostname: "127.0.0.1", port: 0, tls: identity, handshakeTimeout: 100, clock },
      { admit, accept: accepted.resolve, handshakeFailed: () => {}, error: () => {} },
    );
    const client = new Log(
      await runtimeTransport().connect({
        hostname: "localhost",
        port: listener.address.port,
        tls: true,
        rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
        clock: systemClock,
        signal: new AbortController().signal,
      }),
    );
    const server = new Log(await accepted.promise);
    clock.advance(150);
    await client.write(encode("alive"));
    await until(() => decode(server.bytes) === "alive", "bytes after the time of the handshake");
    for (const log of [client, server]) {
      log.transport.destroy();
      await until(() => log.events.includes("close"), "close");
    }
    await listener.close();
  });

  it("frees its port when it is closed", async () => {
    const options = { hostname: "127.0.0.1", port: 0, handshakeTimeout: 0, clock: systemClock };
    const handler = { admit, accept: () => {}, handshakeFailed: () => {}, error: () => {} };
    const first = await runtimeTransport().listen(options, handler);
    const { port } = first.address;
    await first.close();
    const second = await runtimeTransport().listen({ ...options, port }, handler);
    await second.close();
    await second.close();
  });
});
