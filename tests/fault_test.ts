import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { WebSocketClient, type WebSocketClientOptions } from "../client.ts";
import type { CloseInfo } from "../connection/options.ts";
import { Opcode } from "../protocol/frame_header.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { HandlerError, TransportError, WebSocketError } from "../base/errors.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../server.ts";
import { FaultProxy, type Faults } from "./support/fault_proxy.ts";
import { RawSocket } from "./support/sockets.ts";
import { assertSameBytes, defer, FakeClock, Random, startEcho, until } from "./support/support.ts";

interface Bench {
  server: WebSocketServer;
  proxy: FaultProxy;
  errors: unknown[];
  infos: CloseInfo[];
  connect(options?: WebSocketClientOptions): Promise<WebSocketClient>;
}

/** A server behind the proxy; at the end nothing may be left of any connection. */
async function withFaults(
  options: WebSocketServerOptions,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  const infos: CloseInfo[] = [];
  await using server = await startEcho({
    onError: (error) => errors.push(error),
    onDisconnect: (_, info) => void infos.push(info),
    ...options,
  });
  await using proxy = await FaultProxy.listen(server.address!.port);
  const connect = async (more: WebSocketClientOptions = {}): Promise<WebSocketClient> => {
    const client = new WebSocketClient(`ws://127.0.0.1:${proxy.port}/`, more);
    await client.connect();
    return client;
  };
  await test({ server, proxy, errors, infos, connect });
  await proxy.close();
  await until(() => server.stats().connections.handshaking + server.connections.size === 0, "the end of all");
  for (const error of errors) assertInstanceOf(error, WebSocketError);
}

const cuts: Faults["cutBy"][] = ["end", "reset"];

describe("faults: a connection that is cut", () => {
  for (const cutBy of cuts) {
    it(`in its handshake, after any byte, by ${cutBy}`, () =>
      withFaults({}, async ({ proxy, connect, server }) => {
        for (let cutAfter = 1; cutAfter < 300; cutAfter += 23) {
          proxy.faults = () => ({ pieces: 7, cutAfter, cutBy });
          await assertRejects(() => connect(), TransportError);
        }
        proxy.faults = () => ({});
        const client = await connect();
        assertEquals(await echo(client, "alive"), "alive");
        await client.disconnect();
        assertEquals(server.stats().connections.opened >= 1, true);
      }));

    it(`when it is open, by ${cutBy}: 1006 at both ends, and nothing is taken for whole that is not`, () =>
      withFaults({ compression: true }, async ({ proxy, connect, infos }) => {
        for (let cutAfter = 1000; cutAfter < 9000; cutAfter += 800) {
          proxy.faults = () => ({ cutAfter, cutBy });
          const got: Uint8Array[] = [];
          const gone = defer<CloseInfo>();
          const client = await connect({
            compression: true,
            onBinaryDataReceived: (bytes) => void got.push(bytes),
            onDisconnect: gone.resolve,
          });
          const messages = Array.from({ length: 20 }, (_, index) => new Random(index).bytes(500));
          for (const message of messages) client.send(message);
          assertEquals((await gone.promise).code, 1006);
          got.forEach((bytes, index) => assertSameBytes(bytes, messages[index]!));
          await until(() => infos.length > 0, "the server's end");
          assertEquals(infos.pop()!.code, 1006);
        }
      }));

    it(`in the closing handshake, by ${cutBy}`, () =>
      withFaults({}, async ({ proxy, connect, infos }) => {
        const link = proxy.next();
        const client = await connect();
        const { faults } = await link;
        faults.stalled = "down";
        const closed = client.disconnect(true, 4000, "bye");
        await until(() => infos.length === 1 || infos.length === 0 && client.state === "closing", "the close frame");
        (await link).cut(cutBy);
        const info = await closed;
        assertEquals([info!.code, info!.clean, info!.sent], [1006, false, { code: 4000, reason: "bye" }]);
        await until(() => infos.length === 1, "the server's end");
      }));
  }
});

function echo(client: WebSocketClient, text: string): Promise<string> {
  return new Promise((resolve) => {
    client.onMessageReceived = resolve;
    client.send(text);
  });
}

describe("faults: a bad way", () => {
  it("that splits everything into single bytes, and delays it", () =>
    withFaults({ compression: true }, async ({ proxy, connect, errors }) => {
      proxy.faults = () => ({ pieces: 1 });
      const client = await connect({ compression: true });
      for (const length of [0, 1, 125, 126, 3000]) {
        assertEquals((await echo(client, "x".repeat(length))).length, length);
      }
      [...proxy.links][0]!.faults = { delay: 2, pieces: 50 };
      assertEquals(await echo(client, "€".repeat(200)), "€".repeat(200));
      const info = await client.disconnect(true, 1000);
      assertEquals([info!.clean, errors], [true, []]);
    }));

  it("that is down for a while: everything comes in the end, in order", () =>
    withFaults({}, async ({ proxy, connect }) => {
      const client = await connect();
      const got: string[] = [];
      client.onMessageReceived = (text) => void got.push(text);
      const [link] = proxy.links;
      for (const stalled of ["up", "down", "both"] as const) {
        link!.faults = { stalled };
        for (let index = 0; index < 50; index++) client.send(`${stalled} ${index}`);
        await until(() => link!.held > 0, "what is held up");
        link!.heal();
        await until(() => got.at(-1) === `${stalled} 49`, "the last");
      }
      assertEquals(got.length, 150);
      await client.disconnect();
    }));

  for (const stalled of ["up", "down"] as const) {
    it(`that stays down ${stalled === "up" ? "to" : "from"} the server: both ends notice by pings`, () =>
      withFaults({ pingInterval: 30, pongTimeout: 60 }, async ({ proxy, connect, infos, errors }) => {
        const codes: string[] = [];
        const gone = defer<CloseInfo>();
        await connect({
          pingInterval: 30,
          pongTimeout: 60,
          onError: (error) => codes.push((error as WebSocketError).code),
          onDisconnect: gone.resolve,
        });
        [...proxy.links][0]!.faults = { stalled };
        const [info] = await Promise.all([gone.promise, until(() => infos.length === 1, "the server's end")]);
        assertEquals([info.code, infos[0]!.code], [1006, 1006]);
        const reports = [...codes, ...errors.map((error) => (error as WebSocketError).code)];
        // The end that notices first cuts the connection of the other.
        assert(reports.includes("ERR_PONG_TIMEOUT"), reports.join());
      }));
  }

  it("on which the handshake does not come to an end: both give up", () =>
    withFaults({ handshakeTimeout: 100 }, async ({ proxy, connect, server }) => {
      proxy.faults = () => ({ stalled: "up" });
      await assertRejects(() => connect({ connectTimeout: 50 }), TransportError, "50 ms");
      const silent = await RawSocket.connect(server.address!.port);
      await silent.write("GET / HTTP/1.1\r\nHost");
      assert((await silent.readText()).startsWith("HTTP/1.1 408 "));
    }));

  it("on which the closing handshake does not come to an end: closeTimeout", () =>
    withFaults({ closeTimeout: 100 }, async ({ proxy, connect, server, errors, infos }) => {
      const client = await connect({ closeTimeout: 100_000 });
      [...proxy.links][0]!.faults = { stalled: "both" };
      for (const connection of server.connections) connection.close(1000);
      await until(() => infos.length === 1, "the server's end");
      assertEquals(errors.map((error) => (error as WebSocketError).code), ["ERR_CLOSE_TIMEOUT"]);
      await client.disconnect(false);
    }));

  it("a client with reconnect comes back over it, and what it kept arrives", () =>
    withFaults({}, async ({ proxy, server }) => {
      const got: string[] = [];
      server.onMessageReceived = (_, text) => void got.push(text);
      const client = new WebSocketClient(`ws://127.0.0.1:${proxy.port}/`, {
        reconnect: { minDelay: 1, maxDelay: 10, maxQueuedSize: 1000 },
      });
      await client.connect();
      for (let round = 0; round < 5; round++) {
        for (const link of proxy.links) link.cut(round % 2 === 0 ? "reset" : "end");
        await until(() => !client.active, "the loss");
        client.send(`round ${round}`);
        await until(() => got.length === round + 1, "the message");
      }
      assertEquals(got, [0, 1, 2, 3, 4].map((round) => `round ${round}`));
      await client.disconnect();
    }));
});

describe("handlers", () => {
  const names = [
    "onConnect",
    "onAllow",
    "onHandshakeResponseSent",
    "onMessageReceived",
    "onBinaryDataReceived",
    "onPing",
    "onPong",
    "onClose",
    "onDisconnect",
    "onCommandGet",
    "onSelectProtocol",
  ] as const;
  const ways: [string, (connection: WebSocketConnection | undefined) => unknown][] = [
    ["throw", () => {
      throw new Error("on purpose");
    }],
    ["reject", () => Promise.reject(new Error("on purpose"))],
    ["never return", () => new Promise(() => {})],
    ["close the connection they are called for", (connection) => void connection?.close(1000)],
    ["terminate the connection they are called for", (connection) => void connection?.terminate()],
  ];

  for (const [way, act] of ways) {
    it(`may ${way}: the others are served, and nothing is left behind`, async () => {
      const clock = new FakeClock();
      for (const name of names) {
        const errors: unknown[] = [];
        let bad = true;
        let calls = 0;
        let disconnects = 0;
        const server = await startEcho({ clock, onError: (error) => errors.push(error), protocols: ["a"] });
        server.onDisconnect = () => void disconnects++;
        const original = server[name] as ((...args: unknown[]) => unknown) | undefined;
        const faulty = (...args: unknown[]): unknown => {
          if (name === "onDisconnect") disconnects++;
          if (!bad) return name === "onDisconnect" ? undefined : original?.apply(server, args);
          const connection = name === "onCommandGet" ? args[1] : args[0];
          calls++;
          return act(connection as WebSocketConnection);
        };
        if (name === "onAllow" || name === "onSelectProtocol") {
          server[name] = ((...args: unknown[]) => bad ? faulty(...args) ?? true : name === "onAllow" || "a") as never;
        } else server[name] = faulty as never;
        const port = server.address!.port;
        const victim = new WebSocketClient(`ws://127.0.0.1:${port}/`, { protocols: ["a"], clock });
        const connected = victim.connect().then(() => exercise(victim), () => {});
        const http = await RawSocket.connect(port);
        await http.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        const hangs = way === "never return" && (name === "onAllow" || name === "onCommandGet");
        if (hangs) await until(() => calls > 0, "the call");
        else if (name === "onCommandGet") await http.readText().catch(() => "");
        else await connected;
        bad = false;
        const other = new WebSocketClient(`ws://127.0.0.1:${port}/`, { protocols: ["a"], clock });
        await other.connect();
        assertEquals(await echo(other, "served"), "served");
        await other.disconnect();
        await Promise.all([http.close(), victim.disconnect(false)]);
        let stopped = false;
        server.stop().then(() => stopped = true);
        // A connection that waits for a handler is given up after closeTimeout.
        await until(() => (clock.advance(1000), stopped), "the end");
        // One for each connection, HTTP's included, whatever the handlers did.
        assertEquals([name, disconnects], [name, 3]);
        for (const error of errors) assertInstanceOf(error, WebSocketError, `${name}: ${error}`);
        if (way === "throw" || (way === "reject" && name !== "onSelectProtocol")) {
          assert(errors.some((error) => error instanceof HandlerError), `${name} was not reported`);
        }
        assertEquals([name, server.stats().connections.handshaking, clock.pending], [name, 0, 0]);
      }
    });
  }

  /** Has each handler called. */
  async function exercise(client: WebSocketClient): Promise<void> {
    try {
      client.send("text");
      client.send(new Uint8Array(1));
      client.ping("ping");
      client.connection!.sendSimpleFrame(Opcode.Pong, "pong");
      client.disconnect();
    } catch {
      // The server has closed it already.
    }
    await client.connection?.closed;
  }
});

describe("exhausted file descriptors", () => {
  const child = fileURLToPath(new URL("./support/few_descriptors.ts", import.meta.url));
  const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

  it("at accept: the server goes on when there are some again", async () => {
    const isDeno = "Deno" in globalThis;
    const command = [process.execPath, ...isDeno ? ["run", "-A", "--no-check"] : [], child].map((part) => `'${part}'`);
    const server = spawn("sh", ["-c", `ulimit -n 60; exec ${command.join(" ")}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise<number | null>((resolve) => server.on("close", resolve));
    let output = "";
    let trouble = "";
    server.stdout.on("data", (text) => output += text);
    server.stderr.on("data", (text) => trouble += text);
    await until(() => output.includes("\n"), "the port");
    const port = Number(output.split("\n")[0]);
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 100; index++) sockets.push(await RawSocket.connect(port));
    // Deno reports it; Bun only has no descriptor left.
    await until(() => isDeno ? output.includes("ERR_ACCEPT") : descriptorsOf(server.pid!) >= 60, "the shortage");
    for (const socket of sockets) await socket.close();
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/`);
    await client.connect();
    assertEquals(await echo(client, "served again"), "served again");
    await client.disconnect();
    process.kill(server.pid!, "SIGTERM");
    assertEquals([await ended, trouble], [0, ""]);
    // Bun does not say so: see transport_bun.ts.
    if (isDeno) assert(output.includes("ERR_ACCEPT"), output);
  });
});
