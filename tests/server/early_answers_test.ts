/** Answers that are sent before the body of their request has come. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { onFreePort } from "../support/free_port.ts";
import { describePeer } from "../support/peers.ts";
import { memoryPair } from "../support/kept_pair.ts";
import { decode, FakeClock, settle, tlsFile, turns, until } from "../support/support.ts";

const PIECE = new Uint8Array(64 * 1024).fill(0x61);
const CHUNK = new Uint8Array([...new TextEncoder().encode("10000\r\n"), ...PIECE, 0x0d, 0x0a]);
/** More than sockets of both sides hold. */
const LARGE = 32 * 1024 * 1024;

/** A request, whose body is sent in pieces. */
interface Upload {
  head: string;
  piece: Uint8Array;
  pieces: number;
  end: string;
}

function upload(size: number, chunked: boolean, path = "/", host = "a"): Upload {
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${size}`;
  return {
    head:
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`,
    piece: chunked ? CHUNK : PIECE,
    pieces: size / PIECE.length,
    end: chunked ? "0\r\n\r\n" : "",
  };
}

/** Sends all of a request before it reads a byte, as many clients and proxies do; returns all that comes then. */
async function sendThenRead(socket: Socket, { head, piece, pieces, end }: Upload): Promise<string> {
  const lost = new Promise<never>((_, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("The connection was closed while the body was being sent")));
  });
  lost.catch(() => {});
  socket.pause();
  const write = (bytes: Uint8Array | string): Promise<void> => {
    const taken = new Promise<void>((resolve) => void socket.write(bytes, () => resolve()));
    return Promise.race([taken, lost]);
  };
  await write(head);
  for (let sent = 0; sent < pieces; sent++) await write(piece);
  if (end !== "") await write(end);
  let text = "";
  const ended = new Promise<void>((resolve) => socket.once("end", resolve));
  socket.on("data", (bytes: Uint8Array) => text += decode(new Uint8Array(bytes)));
  socket.resume();
  await Promise.race([ended, lost]);
  socket.destroy();
  return text;
}

function connect(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ allowHalfOpen: true });
    socket.once("error", reject);
    socket.connect(port, "127.0.0.1", () => resolve(socket));
  });
}

const REFUSED = { maxBodySize: LARGE, onCommandGet: (): Response => new Response("Who are you?", { status: 401 }) };

async function serve(options: WebSocketServerOptions): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", onError: () => {}, ...options });
  await server.start();
  return server;
}

describe("an answer before its body", () => {
  const reading = { onCommandGet: async (request: Request): Promise<Response> => new Response(await request.text()) };
  const cases: [name: string, status: number, options: WebSocketServerOptions][] = [
    ["413 for a body beyond maxBodySize", 413, reading],
    ["401 of a handler that does not read the body", 401, REFUSED],
    ["421 for another host", 421, { ...reading, hosts: ["example.com"] }],
    ["426 of a server without onCommandGet", 426, { maxBodySize: LARGE }],
  ];
  for (const [name, status, options] of cases) {
    for (const chunked of [false, true]) {
      it(`reaches a client that sends all of the body first: ${name}, ${chunked ? "chunked" : "by length"}`, async () => {
        await using server = await serve(options);
        const text = await sendThenRead(await connect(server.address!.port), upload(LARGE, chunked));
        assertStringIncludes(text, `HTTP/1.1 ${status} `);
        await until(() => server.stats().connections.handshaking === 0, "the end");
      });
    }
  }

  it("reaches Meta's proxies: a forged notification that is not read", async () => {
    const secrets = { appSecret: "s", receiverToken: "t", verifyToken: "v" };
    await using server = new WhatsAppServer({
      ...secrets,
      hostname: "127.0.0.1",
      port: 0,
      behindProxy: true,
      journal: null,
    });
    await server.start();
    const text = await sendThenRead(await connect(server.address!.port), upload(LARGE, true, "/hook"));
    assertStringIncludes(text, "HTTP/1.1 401 ");
  });

  it("reaches a client over TLS", async () => {
    const tls = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
    await using server = await serve({ ...REFUSED, ...tls });
    const socket = connectTls({ port: server.address!.port, host: "127.0.0.1", rejectUnauthorized: false });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    assertStringIncludes(await sendThenRead(socket, upload(LARGE, false)), "HTTP/1.1 401 ");
  });
});

describe("a body behind its answer", () => {
  const HEAD = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

  it("has bodyTimeout in all, and closeTimeout for each piece", async () => {
    for (const [pause, most] of [[9000, 60_000], [10_000, 10_000]] as const) {
      const clock = new FakeClock();
      const peer = memoryPair({ ...REFUSED, clock });
      peer.write(HEAD);
      await peer.answers(" 401 ", 1);
      await settle();
      let time = 0;
      while (!peer.lost && time < 100_000) {
        peer.write("1\r\na\r\n");
        await settle();
        clock.advance(pause);
        await turns(2);
        time += pause;
      }
      assertEquals([Math.min(time, most), clock.pending], [most, 0]);
      assert(time < most + pause, `${time} ms`);
    }
  });

  it("has that time anew on a connection that was kept, whatever refuses it", async () => {
    const clock = new FakeClock();
    for (const second of [HEAD, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"]) {
      const peer = memoryPair({
        clock,
        closeTimeout: 3000,
        onCommandGet: async (request) => {
          if (request.headers.has("content-length")) return new Response(await request.text());
          return new Response("no", { status: 401 });
        },
      });
      peer.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
      await turns(2);
      peer.write("body");
      await peer.answers("body", 1);
      clock.advance(70_000);
      peer.write(second);
      await peer.answers("connection: close", 1);
      for (let piece = 0; piece < 5; piece++) {
        await turns(2);
        clock.advance(2000);
        peer.write("1\r\na\r\n");
      }
      await turns(2);
      assertEquals(peer.lost, false);
      clock.advance(3000);
      await until(() => peer.lost, "the end");
      assertEquals(clock.pending, 0);
    }
  });

  it("holds no memory, and leaves its place to others", async () => {
    const server = new WebSocketServer({ ...REFUSED, maxHandshakes: 1, maxTotalBodySize: 1, clock: new FakeClock() });
    const sender = memoryPair(server);
    sender.write(HEAD);
    await sender.answers(" 401 ", 1);
    for (let piece = 0; piece < 10; piece++) sender.write("10000\r\n" + "a".repeat(0x10000) + "\r\n");
    await turns(3);
    // Otherwise maxTotalBodySize would have ended it.
    assertEquals([sender.lost, server.stats().refusals], [false, {}]);
    const other = memoryPair(server);
    await until(() => sender.lost, "its end");
    assertEquals(server.stats().refusals, { maxHandshakes: 1 });
    other.end();
    await until(() => other.ended, "the end");
  });
});

describePeer("nginx before a server that answers early", "nginx", ([nginx]) => {
  for (const buffering of ["on", "off"]) {
    it(`passes the answer on, with proxy_request_buffering ${buffering}`, async () => {
      await using server = await serve(REFUSED);
      const folder = mkdtempSync(join(tmpdir(), "nginx-"));
      const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name};`);
      const configuration = (port: number): string =>
        `${
          process.getuid?.() === 0 ? "user root;" : ""
        } daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
        events {}
        http {
          access_log off; client_max_body_size 0; ${paths.join(" ")}
          upstream node { server 127.0.0.1:${server.address!.port}; keepalive 4; }
          server {
            listen 127.0.0.1:${port};
            location / {
              proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection "";
              proxy_request_buffering ${buffering};
            }
          }
        }`;
      let child: ChildProcess | undefined;
      let gone: Promise<unknown> = Promise.resolve();
      const start = async (port: number): Promise<number> => {
        writeFileSync(join(folder, "nginx.conf"), configuration(port));
        const nginxProcess = spawn(nginx!, ["-p", folder, "-c", join(folder, "nginx.conf")], {
          stdio: ["ignore", "ignore", "pipe"],
        });
        child = nginxProcess;
        let [output, ended] = ["", false];
        nginxProcess.stderr.on("data", (data) => output += data);
        gone = new Promise<void>((resolve) => nginxProcess.once("close", resolve)).then(() => ended = true);
        const answers = (): Promise<boolean> => connect(port).then((socket) => (socket.destroy(), true), () => false);
        await until(async () => ended || await answers(), "nginx");
        if (ended) throw new Error(`nginx ended: ${output}`);
        return port;
      };
      try {
        const port = await onFreePort(start);
        for (const chunked of [false, true]) {
          for (let request = 0; request < 5; request++) {
            const text = await sendThenRead(await connect(port), upload(8 * 1024 * 1024, chunked));
            assertEquals(text.split("\r\n")[0], "HTTP/1.1 401 Unauthorized");
          }
        }
      } finally {
        child?.kill("SIGTERM");
        await gone;
        rmSync(folder, { recursive: true });
      }
    });
  }
});
