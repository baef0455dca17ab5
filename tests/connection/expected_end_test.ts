import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConnectionClosedError, StateError } from "../../base/errors.ts";
import { isExpectedEnd } from "../../connection/expected_end.ts";
import { WebSocketClient } from "../../client.ts";
import { RawSocket } from "../support/sockets.ts";
import { urlOf } from "../support/peers.ts";
import { defer, startEcho, until } from "../support/support.ts";

const closed = new ConnectionClosedError("receive", { code: 1000, reason: "" });
const notOpen = new StateError("ERR_NOT_OPEN", "Cannot send: the connection is closing");

describe("isExpectedEnd", () => {
  it("is the end of the handler's own connection, and nothing else", () => {
    for (const state of ["closing", "closed"] as const) {
      for (const error of [closed, notOpen]) assert(isExpectedEnd(error, "onMessageReceived", state), state);
      for (const error of [new Error("x"), "x", new StateError("ERR_UNSUPPORTED", "x")]) {
        assert(!isExpectedEnd(error, "onMessageReceived", state));
      }
    }
    // Another connection is not open, or not yet this one.
    for (const error of [closed, notOpen]) assert(!isExpectedEnd(error, "onMessageReceived", "open"));
    for (const state of ["connecting", undefined] as const) assert(!isExpectedEnd(notOpen, "onConnect", state));
  });

  it("is not what a handler of the end sends: it never can", () => {
    for (const name of ["onClose", "onEnd", "onDisconnect"]) {
      assert(!isExpectedEnd(notOpen, name, "closed"));
      assert(isExpectedEnd(closed, name, "closed"));
    }
  });
});

/** Frames of a client, masked with zeros. */
const text = (char: string): Uint8Array => new Uint8Array([0x81, 0x81, 0, 0, 0, 0, char.charCodeAt(0)]);
const CLOSE_1001 = new Uint8Array([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
const HANDSHAKE = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

describe("a handler that sends while its connection ends", () => {
  for (const kind of ["at once", "later"] as const) {
    it(`${kind}, is no failure: a stop closes with 1001 while messages come, and nothing is reported`, async () => {
      const errors: unknown[] = [];
      const ends: number[] = [];
      const opened = defer<void>();
      const late = defer<void>();
      const server = await startEcho({
        onOpen: () => opened.resolve(),
        onError: (error) => void errors.push(error),
        onMessageReceived(connection, message) {
          late.resolve();
          if (kind === "later") return Promise.resolve().then(() => void connection.send(message));
          return void connection.send(message);
        },
        onEnd: (_connection, info) => void ends.push(info.code),
      });
      const client = await RawSocket.connect(server.address!.port);
      await client.write(HANDSHAKE);
      await opened.promise;
      const stopped = server.stop();
      // It was on its way when the server began to close.
      await client.write(text("a"));
      await late.promise;
      await client.write(CLOSE_1001);
      const answer = await client.readText();
      await stopped;
      assertEquals([ends, errors], [[1001], []]);
      // The echo is not sent behind the close frame.
      assert(!answer.includes("\x81\x01a"), answer);
      await client.close();
    });
  }

  it("is reported where it sends too early, to another connection, or at the end", async () => {
    const errors: string[] = [];
    const ended = defer<void>();
    const server = await startEcho({
      onConnect: (connection) => void connection.send("early"),
      onEnd: (connection) => void connection.send("late"),
      onError: (error) => void errors.push(String((error as Error).message).slice(0, 40)),
      onDisconnect: () => ended.resolve(),
    });
    const client = new WebSocketClient(urlOf(server));
    await client.connect().catch(() => {});
    await client.disconnect();
    await ended.promise;
    assert(errors.some((message) => message.includes('"onConnect" failed')), errors.join());
    await server.stop();
  });

  it("is no failure of a client either", async () => {
    const errors: unknown[] = [];
    const handled = defer<void>();
    const server = await startEcho({ onOpen: (connection) => void connection.send("hello") });
    const client = new WebSocketClient(urlOf(server), {
      onError: (error) => void errors.push(error),
      async onMessageReceived(message) {
        await server.stop();
        await until(() => !client.active, "the end");
        handled.resolve();
        client.send(message);
      },
    });
    await client.connect();
    await handled.promise;
    await until(() => !client.active, "the end");
    assertEquals(errors, []);
  });
});
