import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { connect as connectTls, createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { systemClock } from "../../base/clock.ts";
import { type LogRecord, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import { runtime } from "../support/needs.ts";
import { RawListener, RawSocket } from "../support/sockets.ts";
import { concatAll } from "../../base/bytes.ts";
import { defer, FakeClock, tlsFile, until } from "../support/support.ts";

interface Rig {
  server: WebSocketServer;
  records: LogRecord[];
  errors: unknown[];
}

async function start(options: WebSocketServerOptions = {}): Promise<Rig> {
  const records: LogRecord[] = [];
  const errors: unknown[] = [];
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    port: 0,
    useSSL: true,
    certificateFile: tlsFile("leaf.pem"),
    certificateKeyFile: tlsFile("leaf.key"),
    onLog: (record) => void records.push(record),
    onError: (error) => void errors.push(error),
    ...options,
  });
  await server.start();
  return { server, records, errors };
}

/** Octets that stand for a number, in network order. */
const big = (value: number, octets: number): number[] =>
  Array.from({ length: octets }, (_, index) => (value >> (8 * (octets - 1 - index))) & 0xff);

/** A ClientHello of TLS 1.1 (RFC 4346), which is not in use any more. */
function oldHello(): Uint8Array {
  const body = [3, 2, ...new Array<number>(32).fill(7), 0, ...big(2, 2), 0, 0x2f, 1, 0];
  return Uint8Array.from([22, 3, 1, ...big(body.length + 4, 2), 1, ...big(body.length, 3), ...body]);
}

/** Types of TLS records; alerts that are not encrypted as `alert N`. */
function listRecords(bytes: Uint8Array): string[] {
  const records: string[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (bytes[at] === 21) records.push(length === 2 ? `alert ${bytes[at + 6]}` : "alert");
    else records.push(bytes[at] === 22 ? "handshake" : bytes[at] === 23 ? "data" : "other");
    at += 5 + length;
  }
  return records;
}

/** Stands between a client and a server, and keeps what goes over the wire. */
class Relay {
  readonly #listener: RawListener;
  readonly fromServer: Uint8Array[] = [];
  readonly fromClient: Uint8Array[] = [];
  readonly serverEnded = defer<void>();
  readonly clientEnded = defer<void>();

  constructor(listener: RawListener) {
    this.#listener = listener;
  }

  static async to(port: number): Promise<Relay> {
    const relay = new Relay(await RawListener.listen());
    void relay.#run(port);
    return relay;
  }

  get port(): number {
    return this.#listener.port;
  }

  async #run(port: number): Promise<void> {
    const client = await this.#listener.accept();
    const server = await RawSocket.connect(port);
    await Promise.all([
      Relay.#copy(client, server, this.fromClient).then(() => this.clientEnded.resolve()),
      Relay.#copy(server, client, this.fromServer).then(() => this.serverEnded.resolve()),
    ]);
    await Promise.all([client.close(), server.close(), this.#listener.close()]);
  }

  static async #copy(from: RawSocket, to: RawSocket, kept: Uint8Array[]): Promise<void> {
    try {
      for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) {
        kept.push(bytes);
        await to.write(bytes);
      }
    } catch {
      // Reset: that is an end too.
    }
    to.end();
  }
}

const PROBES: Record<string, (socket: RawSocket) => Promise<unknown>> = {
  "a probe that connects and closes": (socket) => socket.close(),
  "a peer that sends FIN at once": (socket) => Promise.resolve(socket.end()),
  "plain HTTP": (socket) => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  "a version of TLS that nobody speaks": (socket) => socket.write(oldHello()),
};

describe("a TLS handshake that fails", () => {
  for (const [name, probe] of Object.entries(PROBES)) {
    it(`is counted, logged at debug with its address, and neither warned of nor reported: ${name}`, async () => {
      const { server, records, errors } = await start();
      const count = (): number => server.stats().refusals.ERR_TLS_HANDSHAKE ?? 0;
      for (let index = 1; index <= 3; index++) {
        const socket = await RawSocket.connect(server.address!.port);
        await probe(socket);
        await until(() => count() === index, "the count");
        await socket.close();
      }
      await until(() => server.stats().connections.handshaking === 0, "the end of all");
      assertEquals(errors, []);
      assertEquals(records.filter(({ level }) => level === "warn" || level === "error"), []);
      const refused = records.filter(({ event }) => event === "connection.refused");
      assertEquals(refused.length, 3);
      for (const { level, attributes } of refused) {
        assertEquals([level, attributes.reason], ["debug", "ERR_TLS_HANDSHAKE"]);
        assertEquals(attributes["network.peer.address"], "127.0.0.1");
        assert((attributes["network.peer.port"] as number) > 0);
      }
      await server.stop();
    });
  }

  it("is as quiet when it comes too late", async () => {
    const clock = new FakeClock();
    const { server, records, errors } = await start({ clock, handshakeTimeout: 3000 });
    const socket = await RawSocket.connect(server.address!.port);
    await until(() => clock.pending === 1, "the time limit");
    clock.advance(2999);
    assertEquals(server.stats().refusals, {});
    clock.advance(1);
    assertEquals(await socket.read(), null);
    await until(() => server.stats().refusals.ERR_TLS_HANDSHAKE === 1, "the count");
    assertEquals([errors, records.filter(({ level }) => level === "warn")], [[], []]);
    await socket.close();
    await server.stop();
    assertEquals(clock.pending, 0);
  });

  it("gets an alert with the reason before the end: an unsupported version", async () => {
    const { server } = await start();
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(oldHello());
    const chunks: Uint8Array[] = [];
    for (let bytes = await socket.read(); bytes !== null; bytes = await socket.read()) chunks.push(bytes);
    const [alert, ...more] = listRecords(concatAll(chunks));
    // protocol_version; rustls says handshake_failure, since the extensions are missing too.
    assert(["alert 70", "alert 40"].includes(alert!), alert);
    assertEquals(more, []);
    await socket.close();
    await server.stop();
  });

  it("gets an alert with the reason before the end: an unsupported protocol", async () => {
    const { server } = await start();
    const relay = await Relay.to(server.address!.port);
    const failed = defer<void>();
    const client = connectTls({
      port: relay.port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: readFileSync(tlsFile("ca.pem"), "utf8"),
      ALPNProtocols: ["h2"],
      maxVersion: "TLSv1.2",
    });
    client.on("error", () => failed.resolve());
    await failed.promise;
    client.destroy();
    await Promise.all([relay.serverEnded.promise, relay.clientEnded.promise]);
    // no_application_protocol (RFC 7301)
    assertEquals(listRecords(concatAll(relay.fromServer)), ["alert 120"]);
    await server.stop();
  });

  it("does not hold a peer that takes no notice of the alert", async () => {
    const clock = new FakeClock();
    const { server } = await start({ clock, handshakeTimeout: 0 });
    const socket = await RawSocket.connect(server.address!.port);
    socket.pause();
    await socket.write(oldHello());
    const handshaking = (): number => server.stats().connections.handshaking;
    // Bun does not wait.
    await until(() => clock.pending === 1 || (runtime === "Bun" && handshaking() === 0), "the time limit");
    assertEquals(handshaking(), clock.pending);
    clock.advance(1000);
    await until(() => handshaking() === 0, "the end");
    await socket.close();
    await server.stop();
  });
});

describe("an orderly end over TLS", () => {
  it("is said by close_notify: of a server", async () => {
    const { server } = await start({ onCommandGet: () => new Response("hello") });
    const relay = await Relay.to(server.address!.port);
    const client = connectTls({
      port: relay.port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: readFileSync(tlsFile("ca.pem"), "utf8"),
      ALPNProtocols: ["http/1.1"],
      maxVersion: "TLSv1.2",
    });
    let text = "";
    client.on("data", (bytes) => text += bytes);
    client.on("error", () => {});
    client.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await relay.serverEnded.promise;
    assertEquals(listRecords(concatAll(relay.fromServer)).at(-1), "alert");
    await until(() => text.includes("hello"), "the answer");
    client.destroy();
    await relay.clientEnded.promise;
    await server.stop();
  });

  it("is said by close_notify: of a client", async () => {
    const listening = defer<void>();
    const identity = { cert: readFileSync(tlsFile("leaf.pem")), key: readFileSync(tlsFile("leaf.key")) };
    const server: TlsServer = createTlsServer({ ...identity, maxVersion: "TLSv1.2" }, (socket) => {
      socket.on("error", () => {});
      socket.resume();
    });
    server.listen(0, "127.0.0.1", () => listening.resolve());
    await listening.promise;
    const relay = await Relay.to((server.address() as { port: number }).port);
    const transport = await runtimeTransport().connect({
      hostname: "localhost",
      port: relay.port,
      tls: true,
      rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
      clock: systemClock,
      signal: new AbortController().signal,
    });
    const closed = defer<void>();
    transport.open({ data: () => {}, drain: () => {}, end: () => {}, close: () => closed.resolve() });
    transport.write(new Uint8Array(5));
    transport.end();
    await relay.clientEnded.promise;
    assertEquals(listRecords(concatAll(relay.fromClient)).slice(-2), ["data", "alert"]);
    transport.destroy();
    await closed.promise;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
});

describe("the time limit of the handshake", () => {
  it("includes the time spent on TLS", async () => {
    const clock = new FakeClock();
    const connected = defer<void>();
    const { server } = await start({ clock, handshakeTimeout: 1000, onConnect: () => connected.resolve() });
    const { port } = server.address!;
    // TLS is held up until the test lets it go.
    const listener = await RawListener.listen();
    const accepted = listener.accept();
    const transport = runtimeTransport().connect({
      hostname: "localhost",
      port: listener.port,
      tls: true,
      rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
      clock: systemClock,
      signal: new AbortController().signal,
    });
    const near = await accepted;
    const far = await RawSocket.connect(port);
    await until(() => clock.pending === 1, "the time limit of TLS");
    const hello = (await near.read())!;
    clock.advance(900);
    await far.write(hello);
    const copying = Promise.all([copy(near, far), copy(far, near)]);
    const secured = await transport;
    const ended = defer<void>();
    secured.open({ data: () => {}, drain: () => {}, end: () => ended.resolve(), close: () => ended.resolve() });
    secured.write(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
    await connected.promise;
    clock.advance(99);
    assertEquals(server.stats().refusals, {});
    clock.advance(1);
    await ended.promise;
    secured.destroy();
    await copying;
    await Promise.all([near.close(), far.close(), listener.close()]);
    await server.stop();
  });
});

describe("a TLS handshake that is done", () => {
  it("leaves no timer", async () => {
    const clock = new FakeClock();
    const gone = defer<void>();
    const { server } = await start({ clock, onDisconnect: () => gone.resolve() });
    const transport = await runtimeTransport().connect({
      hostname: "localhost",
      port: server.address!.port,
      tls: true,
      rootCertificates: [readFileSync(tlsFile("ca.pem"), "utf8")],
      clock: systemClock,
      signal: new AbortController().signal,
    });
    transport.destroy();
    await gone.promise;
    assertEquals(clock.pending, 0);
    await server.stop();
  });
});

async function copy(from: RawSocket, to: RawSocket): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) await to.write(bytes);
  } catch {
    // Reset: that is an end too.
  }
  to.end();
}

describe("a plain probe that connects and closes", () => {
  it("is neither warned of nor reported", async () => {
    const { server, records, errors } = await start({ useSSL: false, certificateFile: "", certificateKeyFile: "" });
    const gone = defer<void>();
    server.onDisconnect = () => gone.resolve();
    const socket = await RawSocket.connect(server.address!.port);
    await socket.close();
    await gone.promise;
    assertEquals([errors, records.filter(({ level }) => level === "warn")], [[], []]);
    await server.stop();
  });
});
