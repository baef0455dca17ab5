/** Servers and clients on Unix sockets. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { OptionError, TransportError } from "../base/errors.ts";
import {
  type LogRecord,
  WebSocketClient,
  type WebSocketClientOptions,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../mod.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../whatsapp.ts";
import { HeaderProxy, headerV1 } from "./support/proxy_header.ts";
import { tlsFile, until } from "./support/support.ts";
import { inFolder, leaveStaleSocket } from "./support/unix.ts";

const IS_DENO = "Deno" in globalThis;
const TLS = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const ROOTS = { rootCertificateFile: tlsFile("ca.pem") };

async function echoAt(path: string, options: WebSocketServerOptions = {}): Promise<WebSocketServer> {
  const server = new WebSocketServer({
    path,
    onMessageReceived: (connection, text) => void connection.send(text),
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...options,
  });
  await server.start();
  return server;
}

async function echo(client: WebSocketClient): Promise<void> {
  await client.connect();
  client.send("hi");
  assertEquals(await client.receive(), "hi");
}

/** Sends a request over a Unix socket, and reads the answer to its end. */
function request(path: string, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connectSocket({ path }, () => void socket.write(head));
    socket.on("data", (bytes) => answer += bytes);
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("a server on a Unix socket", () => {
  it("has its path as address, serves WebSockets and plain HTTP, and removes the file when it stops", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a b.sock");
      const seen: unknown[] = [];
      const records: LogRecord[] = [];
      await using server = await echoAt(path, {
        onOpen: ({ remoteAddress, localAddress, encrypted, request }) =>
          void seen.push(remoteAddress, localAddress, encrypted, request.headers.get("host")),
        onCommandGet: () => new Response("plain"),
        onLog: (record) => void records.push(record),
      });
      const address = { hostname: "", port: 0, path };
      assertEquals(server.address, address);
      const client = new WebSocketClient({ path, pathName: "/chat?room=1" });
      await echo(client);
      assertEquals(seen, [address, address, false, "localhost"]);
      assertEquals([client.connection?.remoteAddress, client.connection?.localAddress], [address, address]);
      const large = crypto.getRandomValues(new Uint8Array(65_536));
      client.send(large);
      assertEquals(await client.receive(), large);
      await client.disconnect();
      const answer = await request(path, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      assert(answer.startsWith("HTTP/1.1 200") && answer.endsWith("plain"), answer);
      await server.stop();
      assertEquals([readdirSync(folder), server.address], [[], undefined]);
      const listening = records.find(({ event }) => event === "server.listening")!.attributes;
      assertEquals([listening["server.address"], "server.port" in listening], [path, false]);
      const opened = records.find(({ event }) => event === "connection.open")!.attributes;
      assertEquals([opened["network.peer.address"], "network.peer.port" in opened], [path, false]);
      await server.start();
      await echo(new WebSocketClient({ path })).catch(() => {});
      await server.stop({ closeTimeout: 1 });
    }));

  it("takes the place of a socket that a killed process has left, and of no other file", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await leaveStaleSocket(path);
      await using first = await echoAt(path);
      const second = new WebSocketServer({ path });
      const error = await assertRejects(() => second.start(), TransportError, "a process listens on it already");
      assertEquals(error.code, "ERR_LISTEN");
      await using client = new WebSocketClient({ path });
      await echo(client);
      await client.disconnect();
      await first.stop();
      writeFileSync(path, "a file");
      await assertRejects(() => second.start(), TransportError, "there is a file that is no socket");
      const nowhere = new WebSocketServer({ path: join(folder, "none", "a.sock") });
      await assertRejects(() => nowhere.start(), TransportError, "its folder does not exist (ENOENT)");
    }));

  it("counts all its connections as one address", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await using server = await echoAt(path, { maxConnectionsPerAddress: 1 });
      await using one = new WebSocketClient({ path });
      await echo(one);
      await assertRejects(() => new WebSocketClient({ path }).connect(), Error, "429");
      assertEquals(server.connections.size, 1);
    }));

  it("gives up peers in time, and serves TLS", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const failed: unknown[] = [];
      await using server = await echoAt(path, {
        ...TLS,
        handshakeTimeout: 300,
        onLog: ({ event, attributes }) => void (event.includes("handshake") && failed.push(attributes)),
      });
      const silent = new Promise<void>((resolve) => {
        const socket = connectSocket({ path });
        socket.on("close", () => resolve());
        socket.on("error", () => {});
        socket.resume();
      });
      const options: WebSocketClientOptions = { ...ROOTS };
      for (const url of [`wss+unix:${path}`, `wss+unix://${path}:/x`]) {
        await using client = new WebSocketClient(url, options);
        await echo(client);
        assertEquals([client.connection?.encrypted, client.useSSL], [true, true]);
        await client.disconnect();
      }
      // The name is checked as everywhere.
      for (const serverName of ["b.example"]) {
        const other = new WebSocketClient(`wss+unix:${path}`, { ...options, serverName });
        await assertRejects(() => other.connect(), TransportError, "for other names");
      }
      const byAddress = (hostname: string) => new WebSocketClient({ path, useSSL: true, hostname, ...ROOTS });
      await assertRejects(() => byAddress("192.0.2.1").connect(), TransportError, "for other names");
      await using right = byAddress("127.0.0.1");
      await echo(right);
      await right.disconnect();
      await assertRejects(() => new WebSocketClient(`wss+unix:${path}`).connect(), TransportError, "not trusted");
      await silent;
      assertEquals(server.connections.size, 0);
    }));

  it("has no port", async () => {
    const path = "/run/a.sock";
    for (const options of [{ port: 0 }, { hostname: "127.0.0.1" }, { hostName: "127.0.0.1" }, { reusePort: true }]) {
      const [name] = Object.keys(options);
      const text = `The setting "${name}" does not go with "path"`;
      assertThrows(() => new WebSocketServer({ path, ...options }), OptionError, text);
    }
    assertThrows(() => new WebSocketServer({ port: 80, path: "/chat" }), OptionError, 'use "pathName"');
    assertThrows(() => new WebSocketServer({ path: "/" + "x".repeat(107) }), OptionError, "107 at most");
    const server = new WebSocketServer({ path });
    server.port = 9000;
    await assertRejects(() => server.start(), OptionError, '"port" does not go with "path"');
    assertThrows(() => new WebSocketServer({ unix: path } as object), OptionError, 'use "path"');
  });
});

describe("a client of a Unix socket", () => {
  it("takes its path as an option, in a URL, and beside a URL", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a?b c.sock");
      const seen: unknown[] = [];
      await using _server = await echoAt(path, {
        onOpen: ({ request }) => void seen.push([request.path, request.query, request.headers.get("host")]),
      });
      const url = `ws+unix:${folder}/a%3Fb%20c.sock:/chat?room=1`;
      const clients: [client: WebSocketClient, ...seen: string[]][] = [
        [new WebSocketClient({ path, pathName: "/chat?room=1" }), "/chat", "room=1", "localhost"],
        [new WebSocketClient(url), "/chat", "room=1", "localhost"],
        [new WebSocketClient(new URL(url.replace(":/", ":///"))), "/chat", "room=1", "localhost"],
        [new WebSocketClient("ws://docker:9000/events", { path }), "/events", "", "docker"],
        [new WebSocketClient({ path, hostname: "a.example" }), "/", "", "a.example"],
        [new WebSocketClient({ resolveUrl: () => url }), "/chat", "room=1", "localhost"],
      ];
      for (const [client, ...expected] of clients) {
        await echo(client);
        assertEquals([client.path, seen.pop()], [path, expected]);
        await client.disconnect();
      }
      assertEquals(clients[0]![0].url, url);
      assertEquals(new WebSocketClient(url).url, url);
    }));

  it("reconnects when the server comes back, also at a port", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await using server = await echoAt(path);
      const failures: string[] = [];
      await using client = new WebSocketClient({
        path,
        reconnect: { minDelay: 1, maxDelay: 5, maxAttempts: 0 },
        onReconnecting: ({ error }) => void failures.push(String(error)),
      });
      await echo(client);
      await server.stop();
      await until(() => failures.some((text) => text.includes("there is no such file (ENOENT)")), "a failed attempt");
      assertEquals(existsSync(path), false);
      await server.start();
      await until(() => client.state === "open", "the next connection");
      client.send("again");
      assertEquals(await client.receive(), "again");
    }));

  it("says what is wrong", async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const failure = (options: WebSocketClientOptions) => new WebSocketClient(options).connect();
      const missing = await assertRejects(() => failure({ path }), TransportError, "there is no such file (ENOENT)");
      assert(missing.message.includes(`the Unix socket "${path}"`) && missing.message.includes('"pathName"'));
      await leaveStaleSocket(path);
      await assertRejects(() => failure({ path }), TransportError, "nothing accepts connections there");
      await assertRejects(
        () => failure({ path, proxy: "http://localhost:1" }),
        OptionError,
        '"proxy" does not go with',
      );
    });
    assertThrows(() => new WebSocketClient({ path: "/a", port: 1 }), OptionError, '"port" does not go with "path"');
    assertThrows(() => new WebSocketClient("ws+unix://host/a.sock"), OptionError, "has the host");
    assertThrows(() => new WebSocketClient("ws+unix:/a", { path: "/b" }), OptionError, 'The setting "path" is "/b"');
    assertThrows(() => new WebSocketClient("unix:/a"), OptionError, "neither");
    await assertRejects(() => new WebSocketClient({ path: "x".repeat(108) }).connect(), OptionError, "107 at most");
  });

  it("follows redirects on the same socket, and off it without credentials", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const seen: unknown[] = [];
      const onOpen: WebSocketServerOptions["onOpen"] = ({ request, remoteAddress }) =>
        void seen.push([request.path, request.headers.get("authorization"), remoteAddress.path]);
      await using tcp = new WebSocketServer({ port: 0, hostname: "127.0.0.1", onOpen });
      await tcp.start();
      await using _server = await echoAt(path, {
        onOpen,
        onAllow: ({ request }) => {
          if (request.path === "/there") return true;
          const location = request.path === "/near" ? "/there" : `http://127.0.0.1:${tcp.address!.port}/far`;
          return new Response(null, { status: 307, headers: { location } });
        },
      });
      for (const pathName of ["/near", "/off"]) {
        await using client = new WebSocketClient({ path, pathName, maxRedirects: 1, token: "secret" });
        await client.connect();
        await client.disconnect();
      }
      assertEquals(seen, [["/there", "Bearer secret", path], ["/far", null, undefined]]);
    }));

  it("can be given up", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<boolean>();
      await using _server = await echoAt(path, {
        onAllow: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      const client = new WebSocketClient({ path });
      const connecting = client.connect();
      connecting.catch(() => {});
      await asked.promise;
      await client.disconnect();
      await assertRejects(() => connecting, TransportError, "aborted");
      answer.resolve(false);
    }));
});

describe("a proxy before a Unix socket", () => {
  it("is believed if trustedProxies has the word unix, and then only", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const headers = { "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https" };
      for (const trustedProxies of [["unix"], ["loopback"]]) {
        const logs: LogRecord[] = [];
        const seen: unknown[] = [];
        await using _server = await echoAt(path, {
          trustedProxies,
          onLog: (record) => void logs.push(record),
          onOpen: ({ remoteAddress, proxyAddress, encrypted }) =>
            void seen.push(remoteAddress.hostname, remoteAddress.path, proxyAddress?.path, encrypted),
        });
        await using client = new WebSocketClient({ path, headers });
        await echo(client);
        const isTrusted = trustedProxies[0] === "unix";
        assertEquals(seen, isTrusted ? ["192.0.2.1", undefined, path, true] : ["", path, undefined, false]);
        const { attributes } = logs.find(({ event }) => event === "connection.open")!;
        assertEquals(attributes["network.peer.address"], path);
        assertEquals(attributes["client.address"], isTrusted ? "192.0.2.1" : undefined);
        assertEquals(attributes["network.peer.port"], undefined);
      }
    }));

  it("may send the PROXY protocol, before TLS too", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      for (const options of [{}, TLS]) {
        const seen: unknown[] = [];
        await using _server = await echoAt(path, {
          ...options,
          proxyProtocol: true,
          trustedProxies: ["unix"],
          onOpen: ({ remoteAddress, proxyAddress, encrypted }) =>
            void seen.push(remoteAddress.hostname, proxyAddress?.path, encrypted),
        });
        const useSSL = options === TLS;
        await using proxy = await HeaderProxy.listen(path, headerV1("192.0.2.1", 5000));
        const url = `${useSSL ? "wss" : "ws"}://localhost:${proxy.port}/`;
        await using client = new WebSocketClient(url, useSSL ? ROOTS : {});
        await echo(client);
        assertEquals(seen, ["192.0.2.1", path, useSSL]);
      }
    }));
});

if (IS_DENO) {
  describe("Unix sockets with the permissions of the documentation", () => {
    const program = fileURLToPath(new URL("./support/unix_permissions.ts", import.meta.url));
    const run = (path: string, files: string): string => {
      const permissions = [`--allow-read=${files}`, `--allow-write=${files}`, `--allow-net=unix:${path}`];
      const args = ["run", "--no-check", "--no-prompt", "--quiet", ...permissions, program, path];
      return spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 }).stdout;
    };

    it("work with those of the path, and with those of its folder after a killed process", () =>
      inFolder(async (folder) => {
        const path = join(folder, "a.sock");
        assertEquals(run(path, path), "permitted\n");
        await leaveStaleSocket(path);
        assertEquals([run(path, path), run(path, folder)], ["", "permitted\n"]);
      }));
  });
}

describe("a WhatsAppServer on a Unix socket", () => {
  it("may be behind a proxy, and receivers connect without TLS", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const options = { path, behindProxy: true, appSecret: "s", receiverToken: "t", journal: null };
      await using server = new WhatsAppServer(options);
      await server.start();
      await using receiver = new WhatsAppReceiver(`ws+unix:${path}:/`, { receiverToken: "t" });
      await receiver.connect();
      assertEquals([receiver.state, server.address?.path], ["open", path]);
      await using wrong = new WhatsAppReceiver({ path, useSSL: false, receiverToken: "wrong" });
      await assertRejects(() => wrong.connect(), Error, "401");
    }));

  it("takes requests of the proxy alone, once the proxies are listed", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      for (const trustedProxies of [["unix"], ["10.0.0.1"]]) {
        const options = { path, behindProxy: true, trustedProxies, appSecret: "s", receiverToken: "t", journal: null };
        await using server = new WhatsAppServer(options);
        await server.start();
        await using receiver = new WhatsAppReceiver(`ws+unix:${path}:/`, { receiverToken: "t" });
        if (trustedProxies[0] === "unix") await receiver.connect();
        else await assertRejects(() => receiver.connect(), Error, "403");
      }
    }));
});
