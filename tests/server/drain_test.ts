import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { WebSocketClient } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import { TransportError } from "../../base/errors.ts";
import { type Backplane, WebSocketServer } from "../../server.ts";
import { RawSocket } from "../support/sockets.ts";
import { defer, FakeClock, startEcho, tlsFile, until } from "../support/support.ts";

const HANDSHAKE = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/** A peer that never answers a close frame. */
async function deaf(server: WebSocketServer): Promise<RawSocket> {
  const before = server.connections.size;
  const socket = await RawSocket.connect(server.address!.port);
  await socket.write(HANDSHAKE);
  await until(() => server.connections.size > before, "the handshake");
  return socket;
}

describe("stop", () => {
  it("refuses new ones, closes with 1001, waits, and gives up", async () => {
    const clock = new FakeClock();
    const infos: CloseInfo[] = [];
    const server = await startEcho({ clock, closeTimeout: 5000, onDisconnect: (_, info) => void infos.push(info) });
    const port = server.address!.port;
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/`);
    await client.connect();
    const silent = await deaf(server);
    const stopped = server.stop();
    assertEquals((await client.connection!.closed).code, 1001);
    await assertRejects(() => new WebSocketClient(`ws://127.0.0.1:${port}/`).connect(), TransportError);
    await until(() => infos.length === 1, "the first");
    clock.advance(4999);
    assertEquals(infos.length, 1);
    clock.advance(20);
    await stopped;
    assertEquals(infos.map(({ code, clean }) => [code, clean]), [[1001, true], [1006, false]]);
    await silent.close();
    assertEquals(clock.pending, 0);
  });

  it("is hastened by a signal, by a second call, and by the signal of that", async () => {
    for (const how of ["signal", "aborted", "second", "second signal", "second aborted"] as const) {
      const clock = new FakeClock();
      const server = await startEcho({ clock });
      const socket = await deaf(server);
      const hasten = new AbortController();
      if (how === "aborted" || how === "second aborted") hasten.abort();
      const stopped = server.stop(how === "signal" || how === "aborted" ? { signal: hasten.signal } : {});
      await until(() => !server.active, "the beginning");
      if (how === "second") server.stop({ closeTimeout: 10 });
      if (how === "second signal" || how === "second aborted") server.stop({ signal: hasten.signal });
      hasten.abort();
      clock.advance(20);
      await stopped;
      assertEquals([how, server.connections.size, clock.pending], [how, 0, 0]);
      await socket.close();
    }
  });

  it("follows from the signal of the server while its port is opened, and leaves the signal at the end", async () => {
    const stop = new AbortController();
    const backplane: Backplane = {
      publish: () => Promise.resolve(),
      subscribe: () => {
        stop.abort();
        return { ready: Promise.resolve(), close() {} };
      },
      listen() {},
      close: () => Promise.resolve(),
    };
    const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", signal: stop.signal, backplane });
    await server.start();
    assertEquals(server.active, false);
    await server.stop();
    assertEquals(server.address, undefined);

    const later = new AbortController();
    const stopped = await startEcho({ signal: later.signal });
    await stopped.stop();
    let called = false;
    stopped.stop = () => {
      called = true;
      return Promise.resolve();
    };
    later.abort();
    assertEquals(called, false);
  });

  it("follows from the signal of the server, at any time", async () => {
    const stop = new AbortController();
    const gone = defer<CloseInfo>();
    const server = await startEcho({ signal: stop.signal });
    const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, { onDisconnect: gone.resolve });
    await client.connect();
    stop.abort();
    assertEquals((await gone.promise).code, 1001);
    await until(() => server.address === undefined, "the end");
    await assertRejects(() => server.start(), TransportError, "the signal is aborted");
    const early = new AbortController();
    const starting = startEcho({ signal: early.signal });
    early.abort();
    const other = await starting.catch(() => undefined);
    if (other !== undefined) await until(() => other.address === undefined, "the end of the other");
  });

  it("ends with `await using`, in whatever way the block is left", async () => {
    let address: unknown;
    let kept: WebSocketServer | undefined;
    await assertRejects(
      async () => {
        await using server = await startEcho();
        kept = server;
        address = server.address;
        throw new Error("left");
      },
      Error,
      "left",
    );
    assert(address !== undefined);
    assertEquals(kept!.address, undefined);
  });
});

/** The certificate that a new connection is shown. */
function shownBy(server: WebSocketServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port: server.address!.port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      resolve(new X509Certificate(raw).toString().trim());
    });
  });
}

describe("reloadCertificates", () => {
  it("shows the new certificate to new connections, and loses none of the old ones", async () => {
    const folder = mkdtempSync(join(tmpdir(), "reload-"));
    const [certificateFile, certificateKeyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const use = (name: string): void => {
      copyFileSync(tlsFile(`${name}.pem`), certificateFile);
      copyFileSync(tlsFile(`${name}.key`), certificateKeyFile);
    };
    try {
      use("leaf");
      await using server = await startEcho({ useSSL: true, certificateFile, certificateKeyFile });
      const options = { rootCertificateFile: tlsFile("ca.pem") };
      const url = `wss://localhost:${server.address!.port}/`;
      await using client = new WebSocketClient(url, options);
      await client.connect();
      const messages = client[Symbol.asyncIterator]();
      for (let round = 0; round < 5; round++) {
        use(round % 2 === 0 ? "other" : "leaf");
        await server.reloadCertificates();
        client.send(`round ${round}`);
        assertEquals((await messages.next()).value, `round ${round}`);
        assertEquals(await shownBy(server), readFileSync(certificateFile, "utf8").trim());
      }
      assertEquals(server.stats().connections.opened, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("examples/echo_server.ts", () => {
  const example = fileURLToPath(new URL("../../examples/echo_server.ts", import.meta.url));
  const isDeno = "Deno" in globalThis;

  it("closes its connections at SIGTERM, and gives up at a second signal", async () => {
    const child = spawn(process.execPath, isDeno ? ["run", "-A", "--no-check", example, "0"] : [example, "0"]);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    let output = "";
    child.stdout.on("data", (text) => output += text);
    await until(() => output.includes("/\n"), "the port");
    const port = Number(output.slice(output.lastIndexOf(":") + 1, output.lastIndexOf("/")));
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/`);
    await client.connect();
    const silent = await RawSocket.connect(port);
    await silent.write(HANDSHAKE);
    await silent.read();
    process.kill(child.pid!, "SIGTERM");
    assertEquals((await client.connection!.closed).code, 1001);
    process.kill(child.pid!, "SIGTERM");
    assertEquals(await ended, 0);
    await silent.close();
  });
});
