/** Fate of notifications and of messages of the program for which no handler is set, and of `receive()`. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConnectionClosedError, StateError, type WebSocketError } from "../../base/errors.ts";
import type { WhatsAppReceiverOptions } from "../../whatsapp.ts";
import { settle, until } from "../support/support.ts";
import { changeOf, connect, post, startServer as start, type TestServer, texts, wrap } from "../support/whatsapp.ts";

const STATUS = { id: "s", status: "read", timestamp: "1790416800", recipient_id: "491700000001" };
const statuses = (...ids: string[]): string =>
  wrap([changeOf("1", { statuses: ids.map((id) => ({ ...STATUS, id })) })]);

/** Runs with a server that is stopped at the end. */
async function run(
  action: (server: TestServer) => Promise<void>,
  options: Parameters<typeof start>[0] = {},
): Promise<void> {
  const server = await start(options);
  try {
    await action(server);
  } finally {
    await server.stop();
  }
}

/** Collects what `onError` gets. */
function errorsTo(): { errors: string[]; onError: (error: unknown) => void } {
  const errors: string[] = [];
  return { errors, onError: (error) => void errors.push((error as WebSocketError).message) };
}

describe("receive() of a WhatsAppReceiver", () => {
  it("gives what came before the call: a notification, and a text of the program", () =>
    run(async (server) => {
      const receiver = await connect(server);
      await post(server, texts("1"));
      server.broadcastMessage("own");
      // The pong comes behind the text.
      await receiver.ping();
      assertEquals([await receiver.receive(), await receiver.receive()].sort(), ["own", texts("1")].sort());
      await receiver.disconnect();
    }));

  it("acknowledges a notification with the next call", () =>
    run(async (server) => {
      const receiver = await connect(server, { name: "asks" });
      const first = receiver.receive();
      await post(server, texts("1"));
      assertEquals(await first, texts("1"));
      assertEquals(receiver.position?.after, 0);
      const second = receiver.receive();
      await until(() => receiver.position?.after === 1, "the acknowledgement");
      await post(server, texts("2"));
      assertEquals(await second, texts("2"));
      await receiver.disconnect();
      await assertRejects(() => receiver.receive(), ConnectionClosedError);
      // The last one was not acknowledged.
      const ids: string[] = [];
      const next = await connect(server, { name: "asks", onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
      await until(() => ids.length > 0, "the second once more");
      assertEquals(ids, ["2"]);
      await next.disconnect();
    }));

  it("gives answers to questions beside handlers, which get all notifications too", () =>
    run(async (server) => {
      const ids: string[] = [];
      const receiver = await connect(server, { onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
      receiver.send("a");
      assertEquals(await receiver.receive(), "answer to a");
      // Called before the notification can come: without a call it would be for the handler alone.
      const next = receiver.receive();
      await post(server, texts("1"));
      assertEquals(await next, texts("1"));
      assertEquals(ids, ["1"]);
      await receiver.disconnect();
    }, {
      onMessageReceived: (connection, text) => void connection.send(`answer to ${text}`),
    }));

  it("begins anew with the next connection", () =>
    run(async (server) => {
      const receiver = await connect(server);
      for (const text of ["a", "b"]) {
        const next = receiver.receive();
        server.broadcastMessage(text);
        assertEquals(await next, text);
        await receiver.disconnect();
        if (text === "a") await receiver.connect();
      }
    }));
});

describe("a notification without a handler", () => {
  it("waits if there are handlers for bytes only", () =>
    run(async (server) => {
      const bytes: number[] = [];
      const { errors, onError } = errorsTo();
      const receiver = await connect(server, {
        name: "bytes",
        onError,
        onBinaryDataReceived: (data) => void bytes.push(data[0]!),
      });
      await post(server, texts("1"));
      server.broadcastData(Uint8Array.of(7));
      await until(() => bytes.length > 0, "the bytes");
      await settle();
      assertEquals([receiver.position?.after, bytes, errors], [0, [7], []]);
      const ids: string[] = [];
      receiver.onWhatsAppMessageReceived = ({ id }) => void ids.push(id);
      await until(() => receiver.position?.after === 1, "the acknowledgement");
      assertEquals(ids, ["1"]);
      await receiver.disconnect();
    }));

  it("is kept for the next run of the name", () =>
    run(async (server) => {
      const receiver = await connect(server, { name: "later", onBinaryDataReceived() {} });
      await post(server, texts("1"));
      await receiver.disconnect();
      const ids: string[] = [];
      const next = await connect(server, { name: "later", onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
      await until(() => ids.length > 0, "the notification");
      await next.disconnect();
      assertEquals(ids, ["1"]);
    }));

  const told: [name: string, options: WhatsAppReceiverOptions, body: string, reported: boolean][] = [
    ["a message with onStatusReceived", { onStatusReceived() {} }, texts("1"), true],
    ["a message with onNotification", { onNotification() {} }, texts("1"), true],
    ["a message with its own handler", { onWhatsAppMessageReceived() {} }, texts("1"), false],
    ["a message with a raw handler", { onStatusReceived() {}, onMessageReceived() {} }, texts("1"), false],
    ["a status with onWhatsAppMessageReceived", { onWhatsAppMessageReceived() {} }, statuses("1"), false],
  ];
  for (const [name, options, body, reported] of told) {
    it(`is acknowledged and ${reported ? "reported" : "not reported"}: ${name}`, () =>
      run(async (server) => {
        const errors: unknown[] = [];
        const receiver = await connect(server, { onError: (error) => void errors.push(error), ...options });
        await post(server, body);
        await until(() => receiver.position?.after === 1, "the acknowledgement");
        assertEquals(
          errors.map((error) => error instanceof StateError && error.code),
          reported ? ["ERR_NO_HANDLER"] : [],
        );
        if (reported) assertEquals((errors[0] as Error).message.includes('"onWhatsAppMessageReceived"'), true);
        await receiver.disconnect();
      }));
  }

  it("is reported once for each connection", () =>
    run(async (server) => {
      const { errors, onError } = errorsTo();
      const receiver = await connect(server, { onError, onStatusReceived() {} });
      for (const id of ["1", "2"]) await post(server, texts(id));
      await until(() => receiver.position?.after === 2, "both");
      assertEquals(errors.length, 1);
      await receiver.disconnect();
      await receiver.connect();
      await post(server, texts("3"));
      await until(() => receiver.position?.after === 3, "the third");
      assertEquals(errors.length, 2);
      await receiver.disconnect();
    }));

  it("is not reported if a loop has it", () =>
    run(async (server) => {
      const { errors, onError } = errorsTo();
      const receiver = await connect(server, { onError, onStatusReceived() {} });
      const next = receiver.messages.next();
      await post(server, texts("1"));
      assertEquals((await next).value?.id, "1");
      assertEquals(errors, []);
      await receiver.disconnect();
    }));
});

describe("a message of the server's program without a handler", () => {
  const cases: [name: string, options: WhatsAppReceiverOptions, missing: string[]][] = [
    ["handlers of records only", { onWhatsAppMessageReceived() {} }, ["onMessageReceived"]],
    ["a handler of texts only", { onMessageReceived() {} }, ["onBinaryDataReceived"]],
    ["a handler of bytes only", { onBinaryDataReceived() {} }, ["onMessageReceived"]],
    ["both handlers", { onMessageReceived() {}, onBinaryDataReceived() {} }, []],
  ];
  for (const [name, options, missing] of cases) {
    it(`is reported once for each connection: ${name}`, () =>
      run(async (server) => {
        const { errors, onError } = errorsTo();
        const receiver = await connect(server, { onError, ...options });
        for (const text of ["a", "b"]) server.broadcastMessage(text);
        server.broadcastData(Uint8Array.of(1));
        // An answer behind all of them.
        await receiver.ping();
        assertEquals(errors.map((error) => error.split('"')[1]), missing);
        await receiver.disconnect();
      }));
  }

  it("is not reported if a loop has it, or if it is a notification", () =>
    run(async (server) => {
      const { errors, onError } = errorsTo();
      const ids: string[] = [];
      const receiver = await connect(server, { onError, onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
      server.broadcastMessage(texts("1"));
      await until(() => ids.length > 0, "the text");
      const next = receiver.receive();
      server.broadcastMessage("own");
      assertEquals([await next, errors], ["own", []]);
      await receiver.disconnect();
    }));
});

describe("a message of a receiver without a handler at the server", () => {
  for (const frameByFrame of [false, true]) {
    for (const [kind, missing] of [["bytes", "onBinaryDataReceived"], ["text", "onMessageReceived"]] as const) {
      const other = kind === "bytes" ? { onMessageReceived() {} } : { onBinaryDataReceived() {} };
      it(`is reported: ${kind}${frameByFrame ? ", frame by frame" : ""}`, () =>
        run(async (server) => {
          const receiver = await connect(server, { onWhatsAppMessageReceived() {} });
          for (let count = 0; count < 2; count++) receiver.send(kind === "bytes" ? Uint8Array.of(1) : "x");
          await until(() => server.errors.length > 0, "the report");
          await receiver.ping();
          assertEquals(server.errors.map(({ code, message }) => [code, message.split('"')[1]]), [
            ["ERR_NO_HANDLER", missing],
          ]);
          await receiver.disconnect();
        }, { ...other, options: { frameByFrame } }));
    }
  }
});
