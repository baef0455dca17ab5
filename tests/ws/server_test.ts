/** The server of the entry for `ws`: its modes, its end, and handshakes that are refused. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { HandlerError, OptionError } from "../../base/errors.ts";
import { WebSocketClient } from "../../client.ts";
import * as ours from "../../ws.ts";
import { WebSocket, WebSocketServer, type WebSocketServerOptions } from "../../ws.ts";
import { CaughtConsole } from "../support/caught_console.ts";
import { attackWith, upgradeHead } from "../support/hostile.ts";
import { until } from "../support/support.ts";
import { type Host, startRig } from "../support/ws_rig.ts";

const host = ours as Host;
const portOf = (server: WebSocketServer): number => (server.address() as AddressInfo).port;

/** Sends a handshake, and returns the answer. */
const ask = (port: number, head = upgradeHead()): Promise<string> =>
  attackWith(port, head, undefined, { answered: true, stay: 10_000 });

describe("WebSocketServer of the entry for ws", () => {
  it("takes exactly one of port, server and noServer", () => {
    const server = createServer();
    const wrong: WebSocketServerOptions[] = [{}, { port: 0, noServer: true }, { server, noServer: true }];
    for (const options of [...wrong, { port: 0, server }]) {
      assertThrows(() => new WebSocketServer(options), TypeError, "exactly one");
    }
    assertThrows(() => new WebSocketServer(), TypeError, "exactly one");
    assertThrows(() => new WebSocketServer({ noServer: true }).address(), Error, "noServer");
    assertThrows(() => new WebSocketServer({ noServer: true, maxPayload: -1 }), OptionError, "maxMessageSize");
  });

  it("listens on a port of its own, answers plain requests with 426, and ends with its connections", async () => {
    const events: string[] = [];
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => void events.push("callback"));
    server.on("listening", () => void events.push("listening"));
    server.on("connection", (socket, request) => {
      events.push(`connection ${request.url} ${request.headers.host !== undefined}`);
      socket.on("message", (data) => socket.send(String(data)));
    });
    await once(server as never, "listening");
    const port = portOf(server);
    const plain = await fetch(`http://127.0.0.1:${port}/`);
    assertEquals([plain.status, await plain.text()], [426, "Upgrade Required"]);
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/chat?a=b`);
    await client.connect();
    client.send("hello");
    assertEquals(await client.receive(), "hello");
    assertEquals(server.clients.size, 1);
    server.close(() => void events.push("closed"));
    server.close(() => void events.push("closed, too"));
    assertEquals(server.address(), null);
    assertEquals(client.connection?.state, "open");
    await client.disconnect();
    await until(() => events.includes("closed, too"), "the end");
    assertEquals(events, ["callback", "listening", "connection /chat?a=b true", "closed", "closed, too"]);
    const again = await new Promise<unknown>((resolve) => server.close(resolve));
    assertStringIncludes(String(again), "not running");
  });

  it("tells of a port that is taken", async () => {
    const first = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(first as never, "listening");
    const second = new WebSocketServer({ port: portOf(first), host: "127.0.0.1" });
    const [error] = await once(second as never, "error").catch((error) => [error]);
    assertEquals((error as { code?: string }).code, "EADDRINUSE");
    await new Promise<void>((resolve) => first.close(() => resolve()));
  });

  it("takes the upgrades of an HTTP server, and leaves it when it closes", async () => {
    const http = createServer((_request, response) => void response.end("plain"));
    const server = new WebSocketServer({ server: http, path: "/chat" });
    let listening = 0;
    server.on("listening", () => void listening++);
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    assertEquals([listening, portOf(server)], [1, (http.address() as AddressInfo).port]);
    server.on("connection", (socket) => socket.send("welcome"));
    const client = new WebSocketClient(`ws://127.0.0.1:${portOf(server)}/chat`);
    const welcome = new Promise<string>((resolve) => client.onMessageReceived = resolve);
    await client.connect();
    assertEquals(await welcome, "welcome");
    assertEquals(await fetch(`http://127.0.0.1:${portOf(server)}/`).then((answer) => answer.text()), "plain");
    assertStringIncludes(await ask(portOf(server)), "HTTP/1.1 400");
    for (const socket of server.clients) socket.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    assertEquals([server.clients.size, http.listenerCount("upgrade"), http.listening], [0, 0, true]);
    await client.disconnect();
    await new Promise((resolve) => http.close(resolve));
  });

  it("refuses handshakes with 503 once it closes, and waits for the open ones", async () => {
    let open: WebSocket | undefined;
    const rig = await startRig(host, {}, (socket) => open = socket);
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`);
    await client.connect();
    await until(() => open !== undefined, "the socket");
    let closed = false;
    rig.wss.close(() => closed = true);
    assertStringIncludes(await ask(rig.port), "HTTP/1.1 503");
    assertEquals([closed, open!.readyState], [false, 1]);
    await client.disconnect();
    await until(() => closed, "the end");
    await rig.close();
  });

  it("gives invalid handshakes to wsClientError, and only those", async () => {
    const seen: unknown[] = [];
    const rig = await startRig(host, {}, (socket) => socket.terminate());
    assertStringIncludes(await ask(rig.port, upgradeHead().replace("13", "12")), "HTTP/1.1 426");
    rig.wss.on("wsClientError", (error, socket, request) => {
      seen.push(error instanceof Error, request.url);
      (socket as unknown as Socket).end("HTTP/1.1 418 I am a teapot\r\n\r\n");
    });
    assertStringIncludes(await ask(rig.port, upgradeHead().replace("13", "12")), "HTTP/1.1 418");
    assertEquals(seen, [true, "/hostile"]);
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`);
    await client.connect().catch(() => {});
    assertEquals(seen.length, 2);
    await client.disconnect();
    await rig.close();
  });

  it("answers 500 when a function of the program fails, and tells of it", async () => {
    const fail = (): never => {
      throw new Error("secret");
    };
    const cases: [string, WebSocketServerOptions, (server: WebSocketServer) => void][] = [
      ["verifyClient", { verifyClient: fail }, () => {}],
      ["verifyClient", { verifyClient: () => Promise.reject(new Error("secret")) }, () => {}],
      ["verifyClient", { verifyClient: async (_info, _answer) => void await fail() }, () => {}],
      ["handleProtocols", { handleProtocols: fail }, () => {}],
      ["handleProtocols", { handleProtocols: () => "not offered" }, () => {}],
      ["on headers", {}, (server) => void server.on("headers", fail)],
      ["on headers", {}, (server) => void server.on("headers", (lines) => void lines.push("X: a\r\nY: b"))],
      ["on headers", {}, (server) => void server.on("headers", (lines) => void lines.push("no colon"))],
    ];
    for (const [name, options, prepare] of cases) {
      const errors: Error[] = [];
      const rig = await startRig(host, options, (socket) => socket.terminate());
      rig.wss.on("error", (error) => void errors.push(error));
      prepare(rig.wss);
      const answer = await ask(rig.port, upgradeHead("Sec-WebSocket-Protocol: a"));
      assertStringIncludes(answer, "HTTP/1.1 500");
      assert(!answer.includes("secret"));
      assertEquals(errors.length, 1, name);
      assert(errors[0] instanceof HandlerError);
      assertStringIncludes(errors[0].message, `"${name}" failed`);
      await rig.close();
    }
  });

  it("closes the connection whose class fails, and tells of it", async () => {
    class OwnSocket extends WebSocket {
      constructor(address: null) {
        super(address);
        throw new Error("of the class");
      }
    }
    const errors: unknown[] = [];
    const rig = await startRig(host, { WebSocket: OwnSocket }, () => {});
    rig.wss.on("error", (error) => void errors.push(error));
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`);
    await client.connect();
    assertEquals((await client.connection!.closed).code, 1011);
    assertEquals([errors.length, rig.wss.clients.size], [1, 0]);
    assertStringIncludes(String(errors[0]), '"WebSocket" failed: of the class');
    await client.disconnect();
    await rig.close();
  });

  it("prints the rejection of a listener for errors", async () => {
    const fail = (): never => {
      throw new Error("of verifyClient");
    };
    const rig = await startRig(host, { verifyClient: fail }, () => {});
    rig.wss.on("error", () => Promise.reject(new Error("again")));
    using caught = new CaughtConsole();
    await ask(rig.port);
    await until(() => caught.lines.length > 0, "the error");
    assertStringIncludes(caught.lines[0]!, '"on error" failed: again');
    await rig.close();
  });

  it("waits for a promise of verifyClient, which ws takes for consent", async () => {
    const rig = await startRig(host, { verifyClient: () => Promise.resolve(false) }, (socket) => socket.terminate());
    assertStringIncludes(await ask(rig.port), "HTTP/1.1 401");
    await rig.close();
  });

  it("closes the connection whose callback or listener of connection fails", async () => {
    const fails: ((socket: WebSocket) => unknown)[] = [() => {
      throw new Error("of the callback");
    }, () => Promise.reject(new Error("of the callback"))];
    for (const fail of fails) {
      const errors: unknown[] = [];
      const http = createServer();
      const server = new WebSocketServer({ server: http });
      server.on("connection", (socket) => void socket.on("error", (error) => void errors.push(error)));
      server.on("connection", fail);
      http.listen(0, "127.0.0.1");
      await once(http, "listening");
      const client = new WebSocketClient(`ws://127.0.0.1:${portOf(server)}/`);
      await client.connect();
      assertEquals((await client.connection!.closed).code, 1011);
      assertStringIncludes(String(errors[0]), '"on connection" failed: of the callback');
      await client.disconnect();
      server.close();
      await new Promise((resolve) => http.close(resolve));
    }
  });

  it("asks shouldHandle of a subclass, and makes connections of a class of the program", async () => {
    class OwnServer extends WebSocketServer {
      override shouldHandle(request: { url?: string | undefined }): boolean {
        return request.url === "/own";
      }
    }
    class OwnSocket extends WebSocket {
      readonly mark = "own";
    }
    const http = createServer();
    const server = new OwnServer({ noServer: true, WebSocket: OwnSocket, clientTracking: false });
    const opened: WebSocket[] = [];
    http.on("upgrade", (request: IncomingMessage, socket, head) => {
      server.handleUpgrade(request, socket, head, (view, given) => {
        assert(given === request);
        opened.push(view);
      });
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as AddressInfo;
    assertStringIncludes(await ask(port), "HTTP/1.1 400");
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/own`);
    await client.connect();
    assert(opened[0] instanceof OwnSocket && opened[0].mark === "own");
    assertEquals(server.clients, undefined as never);
    await client.disconnect();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise((resolve) => http.close(resolve));
  });

  it("keeps a copy of its options, which programs change", async () => {
    const options: WebSocketServerOptions = { noServer: true };
    const rig = await startRig(host, options, (socket) => socket.close());
    (rig.wss.options as WebSocketServerOptions).handleProtocols = (offers) => [...offers].at(-1)!;
    assertStringIncludes(await ask(rig.port, upgradeHead("Sec-WebSocket-Protocol: a, b")), "Sec-WebSocket-Protocol: b");
    assertEquals(options, { noServer: true });
    await rig.close();
  });

  it("opens no WebSocket if verifyClient has become something else than a function", async () => {
    const rig = await startRig(host, { noServer: true }, (socket) => socket.close());
    Reflect.set(rig.wss.options, "verifyClient", "no function");
    const errors: Error[] = [];
    rig.wss.on("error", (error) => errors.push(error as Error));
    assertStringIncludes(await ask(rig.port), "HTTP/1.1 500");
    assertEquals(errors.map(({ name }) => name), ["HandlerError"]);
    await rig.close();
  });

  it("takes settings of this library besides", async () => {
    const rig = await startRig(host, { settings: { maxConnections: 1 } }, () => {});
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`);
    await client.connect();
    assertStringIncludes(await ask(rig.port), "HTTP/1.1 503");
    await client.disconnect();
    await rig.close();
  });
});

/** A class of connections of a program. */
class Member extends WebSocket {
  isAlive = true;
}

/** Compiles: connections have the class of the option, events their types, and names are those of `@types/ws`. */
export function typed(options: ours.ServerOptions): void {
  const server = new WebSocketServer({ ...options, WebSocket: Member });
  server.on("connection", (member) => {
    member.isAlive = false;
    member.addEventListener("message", ({ data, target }: ours.MessageEvent) => {
      const text: ours.Data = data;
      target.send(text.toString());
    });
    member.onclose = ({ code, target }) => void (member.isAlive = code === 1000 && target.readyState === 3);
    member.onerror = ({ target }: ours.ErrorEvent) => target.close();
  });
  server.on("wsClientError", (error, socket) => void socket.destroy(error));
  for (const member of server.clients) member.isAlive = true;
  server.handleUpgrade({} as IncomingMessage, {} as Socket, new Uint8Array(), (member) => void (member.isAlive = true));
  const verifyClient = ({ req }: { origin: string; secure: boolean; req: IncomingMessage }): boolean => req.complete;
  const handleProtocols = (_offers: Set<string>, request: IncomingMessage): string => request.url ?? "";
  const plain: WebSocketServer = new WebSocketServer({ noServer: true, verifyClient, handleProtocols });
  plain.on("connection", (socket: WebSocket) => socket.close());
}
