/** The life of a connection in the handlers of a server: which are called, in which order, with which data. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { WebSocketServer } from "../../server.ts";
import { SERVER_HANDLERS } from "../../server/handlers.ts";
import { RawSocket } from "../support/sockets.ts";
import { urlOf } from "../support/peers.ts";
import { until } from "../support/support.ts";

interface Guest {
  name: string;
}

/** A server whose handlers write down that they are called, and what `connection.data` is. */
async function startLogged(): Promise<{ server: WebSocketServer<Guest>; log: string[]; errors: unknown[] }> {
  const log: string[] = [];
  const errors: unknown[] = [];
  const server = new WebSocketServer<Guest>({
    port: 0,
    hostname: "127.0.0.1",
    onConnect: (connection) => void log.push(`connect ${connection.data?.name}`),
    onAllow(connection) {
      if (connection.request.path === "/refused") return false;
      connection.data = { name: connection.request.path.slice(1) };
      return true;
    },
    onHandshakeResponseSent: (connection) => void log.push(`handshake ${connection.data.name}`),
    onOpen: (connection) => void log.push(`open ${connection.data.name}`),
    onMessageReceived: (connection, text) => void log.push(`text ${connection.data.name} ${text}`),
    onClose: (connection, code) => void log.push(`close ${connection.data.name} ${code}`),
    onEnd: (connection, { code, opened }) => void log.push(`end ${connection.data.name} ${code} ${opened}`),
    onDisconnect: (connection, { opened }) => void log.push(`disconnect ${connection.data?.name} ${opened}`),
    onError: (error) => void errors.push(error),
  });
  await server.start();
  return { server, log, errors };
}

describe("onOpen and onEnd", () => {
  it("enclose all other handlers of a WebSocket but onConnect and onDisconnect", async () => {
    const { server, log, errors } = await startLogged();
    const client = new WebSocketClient(urlOf(server, "/ann"));
    await client.connect();
    client.send("hello");
    await client.disconnect();
    await server.stop();
    assertEquals(log, [
      "connect undefined",
      "open ann",
      "handshake ann",
      "text ann hello",
      "close ann 1000",
      "end ann 1000 true",
      "disconnect ann true",
    ]);
    assertEquals(errors, []);
  });

  it("are not called for a port scan, plain HTTP and a refused handshake", async () => {
    const { server, log, errors } = await startLogged();
    const count = (): number => log.filter((line) => line === "disconnect undefined false").length;
    const scan = await RawSocket.connect(server.address!.port);
    await scan.close();
    await until(() => count() === 1, "the end of the scan");
    const plain = await RawSocket.connect(server.address!.port);
    await plain.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await until(() => count() === 2, "the end of plain HTTP");
    await plain.close();
    const client = new WebSocketClient(urlOf(server, "/refused"));
    await client.connect().catch(() => {});
    await until(() => count() === 3, "the end of the handshake");
    await server.stop();
    const once = ["connect undefined", "disconnect undefined false"];
    assertEquals([log, errors], [[...once, ...once, ...once], []]);
  });

  it("are called for a connection that is lost, too, whose info says that it was open", async () => {
    const { server, log } = await startLogged();
    const client = new WebSocketClient(urlOf(server, "/bob"));
    await client.connect();
    const ended = client.disconnect(false);
    await until(() => log.length === 5, "the loss");
    assertEquals((await ended)?.opened, true);
    await server.stop();
    assertEquals(log.slice(3), ["end bob 1006 true", "disconnect bob true"]);
  });
});

describe("SERVER_HANDLERS", () => {
  it("names each handler that a server has", () => {
    const given = Object.fromEntries(Object.keys(SERVER_HANDLERS).map((name) => [name, () => {}]));
    const server = new WebSocketServer(given);
    const missing = Object.entries(given).filter(([name, handler]) => Reflect.get(server, name) !== handler);
    assertEquals(missing, []);
  });
});
