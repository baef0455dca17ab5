/** A `WhatsAppReceiver`: acknowledgements, positions, records, a server that misbehaves, reconnecting. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  ConnectionClosedError,
  HandlerError,
  HandshakeError,
  OptionError,
  TransportError,
  type WebSocketError,
} from "../../base/errors.ts";
import { encodeInboxMessage } from "../../inbox/protocol.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import {
  INBOX_PROTOCOL,
  INBOX_PROTOCOL_V2,
  laterStatus,
  signNotification,
  type WhatsAppNotification,
  WhatsAppReceiver,
  type WhatsAppReceiverOptions,
  type WhatsAppStatus,
} from "../../whatsapp.ts";
import { defer, encode, settle, until } from "../support/support.ts";
import {
  changeOf,
  connect,
  makeReceiver,
  post,
  SECRET,
  startVerified as start,
  texts,
  textsTo,
  withFile,
  wrap,
} from "../support/whatsapp.ts";

describe("WhatsAppReceiver: acknowledging", () => {
  it("happens when handlers are done, and their promises", async () => {
    const server = await start();
    const done = Promise.withResolvers<void>();
    const got: string[] = [];
    const receiver = await connect(server, {
      window: 1,
      onWhatsAppMessageReceived: ({ id }) => {
        got.push(id);
        return id === "1" ? done.promise : undefined;
      },
    });
    for (const id of ["1", "2"]) await post(server, texts(id));
    await until(() => got.length === 1, "the first");
    await settle();
    assertEquals([got, receiver.position?.after], [["1"], 0]);
    done.resolve();
    await until(() => got.length === 2, "the second");
    await until(() => receiver.position?.after === 2, "both acknowledged");
    await receiver.disconnect();
    await server.stop();
  });

  it("does not happen when a handler fails: the connection is closed, and the notification comes again", async () => {
    const server = await start();
    const errors: unknown[] = [];
    const ended: number[] = [];
    const got: string[] = [];
    let fails = true;
    const receiver = await connect(server, {
      name: "x",
      onError: (error) => errors.push(error),
      onDisconnect: ({ code }) => void ended.push(code),
      onWhatsAppMessageReceived: async ({ id }) => {
        got.push(id);
        await settle();
        if (id === "2" && fails) throw new Error("the database is down");
      },
    });
    await post(server, texts("1", "2"));
    await until(() => ended.length === 1, "the end");
    assert(errors[0] instanceof HandlerError);
    fails = false;
    await receiver.connect();
    await until(() => receiver.position?.after === 1, "the acknowledgement");
    assertEquals(got, ["1", "2", "1", "2"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("happens in loops when the next one is asked for, also by another loop, and not by leaving", async () => {
    const server = await start();
    const receiver = await connect(server, { name: "x" });
    for (const id of ["1", "2", "3"]) await post(server, texts(id));
    const ids: string[] = [];
    for await (const { id } of receiver.messages) {
      ids.push(id);
      if (id === "2") break;
    }
    await settle();
    assertEquals(receiver.position?.after, 1);
    for await (const notification of receiver.notifications) {
      assertEquals([notification.seq, notification.raw, notification.redelivered], [3, texts("3"), false]);
      assertEquals(receiver.position?.after, 2);
      break;
    }
    await receiver.disconnect();
    const again = await connect(server, { name: "x" });
    for await (const { raw, seq } of again.notifications) {
      assertEquals([raw, seq], [texts("3"), 3]);
      break;
    }
    await again.disconnect();
    await server.stop();
  });

  it("waits for loop and handlers where both are there; both get everything", async () => {
    const server = await start();
    const handled: string[] = [];
    const receiver = await connect(server, { onWhatsAppMessageReceived: ({ id }) => void handled.push(id) });
    const { messages } = receiver;
    const next = messages.next();
    await post(server, texts("1"));
    await post(server, texts("2"));
    await until(() => handled.length === 2, "the handler");
    assertEquals(receiver.position?.after, 0);
    assertEquals((await next).value?.id, "1");
    assertEquals((await messages.next()).value?.id, "2");
    assertEquals(receiver.position?.after, 1);
    await receiver.disconnect();
    await server.stop();
  });

  it("is not held up by a receive() that was answered, with a handler or before one is set", async () => {
    for (const early of [true, false]) {
      const server = await start();
      const handled: string[] = [];
      const onWhatsAppMessageReceived = ({ id }: { id: string }): void => void handled.push(id);
      const receiver = await connect(server, { window: 1, ...early && { onWhatsAppMessageReceived } });
      const first = receiver.receive();
      await post(server, texts("1"));
      assertEquals(await first, texts("1"));
      if (!early) receiver.onWhatsAppMessageReceived = onWhatsAppMessageReceived;
      for (const id of ["2", "3", "4"]) await post(server, texts(id));
      await until(() => receiver.position?.after === 4, "all are acknowledged");
      assertEquals(handled, early ? ["1", "2", "3", "4"] : ["2", "3", "4"]);
      await receiver.disconnect();
      await server.stop();
    }
  });

  it("continues within a notification where a loop was left, by a loop or a handler", async () => {
    const server = await start();
    const receiver = await connect(server, { window: 2 });
    await post(server, texts("1", "2", "3", "4"));
    await post(server, texts("5"));
    const ids: string[] = [];
    for (const stop of ["1", "3"]) {
      for await (const { id } of receiver.messages) {
        ids.push(id);
        if (id === stop) break;
      }
    }
    assertEquals([ids, receiver.position?.after], [["1", "2", "3"], 0]);
    receiver.onWhatsAppMessageReceived = ({ id }) => void ids.push(id);
    await until(() => ids.length === 5, "those that were left");
    assertEquals(ids, ["1", "2", "3", "4", "5"]);
    for (let id = 6; id < 20; id++) await post(server, texts(`${id}`));
    await until(() => ids.length === 19, "all the others");
    await until(() => receiver.position?.after === 16, "the acknowledgements");
    await receiver.disconnect();
    await server.stop();
  });

  it("waits for all running loops; each gets everything, and the others continue when one ends", async () => {
    const server = await start();
    const receiver = await connect(server, { window: 4 });
    const got: Record<string, string[]> = { messages: [], statuses: [], left: [] };
    const loops = [
      (async () => {
        for await (const { id } of receiver.messages) got.messages!.push(id);
      })(),
      (async () => {
        for await (const { id } of receiver.statuses) got.statuses!.push(id);
      })(),
      (async () => {
        for await (const { seq } of receiver.notifications) {
          got.left!.push(`${seq}`);
          if (seq === 2) break;
        }
      })(),
    ];
    for (let at = 0; at < 6; at++) {
      await post(server, texts(`m${at}`));
      await post(server, wrap([changeOf("1", { statuses: [{ id: `s${at}`, status: "sent" }] })]));
    }
    await until(() => got.messages!.length === 6 && got.statuses!.length === 6, "everything for everybody");
    await until(() => receiver.position!.after >= 11, "the acknowledgements");
    assertEquals([got.messages![5], got.statuses![5], got.left], ["m5", "s5", ["1", "2"]]);
    await receiver.disconnect();
    await Promise.all(loops);
    await server.stop();
  });

  it("continues after a message that the program sends in pieces", async () => {
    const server = await start();
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (text) => void got.push(text) });
    await until(() => server.connections.size === 1, "the connection");
    const [connection] = server.connections;
    connection!.sendFrame(1, "a piece, ", false);
    await post(server, texts("1"));
    // The server lives on meanwhile.
    for (let turn = 0; turn < 5; turn++) await settle();
    connection!.sendFrame(0, "and the rest", true);
    await until(() => got.length === 2, "both");
    assertEquals(got, ["a piece, and the rest", texts("1")]);
    await receiver.disconnect();
    await server.stop();
  });

  it("takes no more than the window, and delivers held notifications to a handler set late", async () => {
    const server = await start();
    const receiver = await connect(server, { window: 3 });
    for (let id = 1; id <= 10; id++) await post(server, texts(`${id}`));
    await settle();
    const ids: string[] = [];
    receiver.onMessageReceived = (raw) => void ids.push(JSON.parse(raw).entry[0].changes[0].value.messages[0].id);
    await Promise.resolve();
    assertEquals(ids, ["1", "2", "3"]);
    await until(() => ids.length === 10, "the others");
    assertEquals(ids, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("delivers held messages to handlers that are set late, one after the other", async () => {
    const server = await start();
    const receiver = await connect(server, { after: 0 });
    const value = {
      metadata: { phone_number_id: "1" },
      messages: [{ id: "m", type: "text", text: { body: "a" } }],
      statuses: [{ id: "s", status: "read" }],
    };
    const entry = [{ id: "2", changes: [{ field: "messages", value }] }];
    const caughtUp = defer<number>();
    receiver.onCaughtUp = caughtUp.resolve;
    await caughtUp.promise;
    const before = receiver.stats().messages.received;
    await post(server, JSON.stringify({ object: "whatsapp_business_account", entry }));
    await until(() => receiver.stats().messages.received > before, "the notification");
    await settle();
    const ids: string[] = [];
    receiver.onWhatsAppMessageReceived = ({ id }) => void ids.push(id);
    receiver.onStatusReceived = ({ id }) => void ids.push(id);
    assertEquals(ids, []);
    await until(() => receiver.position?.after === 1, "the acknowledgement");
    assertEquals(ids.sort(), ["m", "s"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("ends loops with the connection: in order, or with an error when it was lost", async () => {
    const server = await start();
    const [one, two] = [await connect(server), await connect(server)];
    const collect = async (receiver: WhatsAppReceiver): Promise<string[]> => {
      const got: string[] = [];
      for await (const raw of receiver) got.push(raw as string);
      return got;
    };
    const results = [collect(one), collect(two).catch((error) => error.code)];
    await post(server, texts("1"));
    await until(() => one.position?.after === 1 && two.position !== undefined, "what came");
    await two.disconnect(false);
    await server.stop();
    assertEquals(await Promise.all<unknown>(results), [[texts("1")], "ERR_CONNECTION_LOST"]);
  });

  it("gives the next raw notification by receive(), which acknowledges the one before", async () => {
    const server = await start();
    const receiver = await connect(server, { window: 1 });
    const waiting = [receiver.receive(), receiver.receive()];
    for (const id of ["1", "2"]) await post(server, texts(id));
    assertEquals(await Promise.all(waiting), [texts("1"), texts("2")]);
    assertEquals(receiver.position?.after, 1);
    const end = receiver.receive();
    await until(() => receiver.position?.after === 2, "the acknowledgement");
    await receiver.disconnect(true, 4000, "enough");
    const error = await assertRejects(() => end, ConnectionClosedError);
    assertEquals([error.code, error.closeCode], ["ERR_CONNECTION_CLOSED", 4000]);
    await server.stop();
  });

  it("gives raw notifications as a stream too", async () => {
    const server = await start();
    const receiver = await connect(server, { window: 1 });
    const reader = receiver.readable.getReader();
    for (const id of ["1", "2"]) await post(server, texts(id));
    assertEquals([(await reader.read()).value, (await reader.read()).value], [texts("1"), texts("2")]);
    await reader.cancel();
    await receiver.connection!.closed;
    await server.stop();
  });

  it("works with checkIncoming, at the program's pace", async () => {
    const server = await start();
    const got: string[] = [];
    const receiver = makeReceiver(server, { autoCheckMessages: false, onMessageReceived: (raw) => void got.push(raw) });
    await receiver.connect();
    await post(server, texts("1"));
    // The welcome, and that there is nothing yet.
    for (let message = 0; message < 2; message++) assertEquals(await receiver.checkIncoming(), "message");
    assertEquals(got, []);
    await receiver.checkIncoming();
    assertEquals(got, [texts("1")]);
    await receiver.disconnect();
    await server.stop();
  });
});

describe("WhatsAppReceiver: going on", () => {
  it("continues without a name where it was, another receiver from its position", async () => {
    const server = await start();
    const got: string[] = [];
    const options = { onWhatsAppMessageReceived: ({ id }: { id: string }) => void got.push(id) };
    const receiver = await connect(server, options);
    await post(server, texts("1"));
    await until(() => receiver.position?.after === 1, "the first");
    await receiver.disconnect();
    await post(server, texts("2"));
    await receiver.connect();
    await until(() => receiver.position?.after === 2, "the second");
    await receiver.disconnect();
    await post(server, texts("3"));
    const other = await connect(server, { ...options, after: receiver.position });
    await until(() => got.length === 3, "the third");
    assertEquals(got, ["1", "2", "3"]);
    const everything = await connect(server, { ...options, after: 0 });
    await until(() => got.length === 6, "all again");
    await Promise.all([other.disconnect(), everything.disconnect()]);
    await server.stop();
  });

  it("gets from a journal that is new everything", async () => {
    const first = await start();
    const receiver = await connect(first);
    for (const id of ["1", "2", "3"]) await post(first, texts(id));
    const { port } = first.address!;
    await receiver.disconnect();
    await first.stop();
    const second = await start({ port });
    await post(second, texts("4"));
    const ids: string[] = [];
    receiver.onWhatsAppMessageReceived = ({ id }) => void ids.push(id);
    await receiver.connect();
    await until(() => ids.length === 4, "what waited, and the one of the new journal");
    assertEquals(ids, ["1", "2", "3", "4"]);
    await receiver.disconnect();
    await second.stop();
  });

  it("is informed of entries removed by retention", async () => {
    const server = await start({ journal: new MemoryJournal({ maxBytes: 16 * 1024 * 1024 }) });
    for (let id = 0; id < 6; id++) await post(server, texts(`${id}`.padEnd(3_900_000, "x")));
    const gaps: number[][] = [];
    const receiver = await connect(server, {
      after: 1,
      onGap: (after, until) => void gaps.push([after, until]),
      onMessageReceived: () => {},
    });
    await until(() => receiver.position?.after === 6, "the others");
    assertEquals(gaps, [[1, 2]]);
    await receiver.disconnect();
    await server.stop();
  });

  it("refuses a server that lacks a requested feature", async () => {
    const server = await start({ protocols: ["whatsapp-notifications"] });
    for (const options of [{ name: "x" }, { after: 0 }, { window: 1 }, { appSecret: SECRET }]) {
      await assertRejects(() => connect(server, options), HandshakeError, "whatsapp-inbox.v1");
    }
    await (await connect(server)).disconnect();
    await server.stop();
  });

  it("refuses settings that cannot work", () => {
    const wrong: WhatsAppReceiverOptions[] = [
      { name: "" },
      { share: true },
      { window: 0 },
      { window: 5000 },
      { after: -1 },
      { appSecret: "" },
      { appSecret: [] },
      { filter: { fields: "x" } as object },
    ];
    for (const options of wrong) assertThrows(() => new WhatsAppReceiver(options), OptionError);
  });
});

describe("WhatsAppReceiver: records", () => {
  it("come once, though Meta batches them anew; those that failed come again", async () => {
    const server = await start();
    const events: string[] = [];
    const receiver = await connect(server, {
      onWhatsAppMessageReceived: ({ id }) => void events.push(id),
      onStatusReceived: ({ status, recipientParticipantId }) => void events.push(`${status} ${recipientParticipantId}`),
    });
    const status = (status: string, participant: string): object => ({
      id: "s",
      status,
      recipient_participant_id: participant,
    });
    await post(server, texts("1", "2", "1"));
    await post(server, texts("2", "3"));
    await post(server, textsTo("2", "3"));
    await post(
      server,
      wrap([changeOf("1", { statuses: [status("sent", "a"), status("sent", "b"), status("read", "a")] })]),
    );
    await post(server, wrap([changeOf("1", { statuses: [status("sent", "b"), status("read", "b")] })]));
    await until(() => events.length === 8, "all");
    await until(() => receiver.position?.after === 5, "the end");
    assertEquals(events, ["1", "2", "3", "3", "sent a", "sent b", "read a", "read b"]);
    await receiver.disconnect();
    await server.stop();
  });

  it("come once while they are being handled too, on this connection and the next; not if that failed", async () => {
    const server = await start();
    const got: string[] = [];
    let release = Promise.withResolvers<void>();
    const receiver = await connect(server, {
      name: "x",
      onError: () => {},
      onWhatsAppMessageReceived: ({ id }) => {
        got.push(id);
        return id === "1" ? release.promise : undefined;
      },
    });
    await post(server, texts("1"));
    await post(server, texts("1", "2"));
    await until(() => got.length === 2, "both");
    assertEquals([got, receiver.position?.after], [["1", "2"], 0]);
    await receiver.disconnect(false);
    await receiver.connect();
    await until(() => server.connections.size === 1, "the connection");
    await settle();
    release.resolve();
    await until(() => receiver.position?.after === 2, "the acknowledgements");
    assertEquals(got.filter((id) => id === "1"), ["1"]);
    // A failure is none of that.
    release = Promise.withResolvers();
    release.promise.catch(() => {});
    const closed = receiver.connection!.closed;
    await post(server, wrap([changeOf("2", { messages: [{ id: "1", type: "text", text: { body: "a" } }] })]));
    await until(() => got.filter((id) => id === "1").length === 2, "the other number's");
    release.reject(new Error("mine"));
    await closed;
    release = Promise.withResolvers();
    release.resolve();
    await receiver.connect();
    await until(() => got.filter((id) => id === "1").length === 3, "the same again");
    await receiver.disconnect();
    await server.stop();
  });

  it("close the connection when the store fails, and come again", async () => {
    const server = await start();
    const errors: WebSocketError[] = [];
    let broken = true;
    const fail = (): boolean => {
      if (broken) throw new Error("SQLITE_BUSY");
      return false;
    };
    const got: string[] = [];
    for (const store of [{ has: () => false, add: fail }, { has: fail, add: () => {} }]) {
      broken = true;
      const name = `${got.length}`;
      const receiver = await connect(server, {
        name,
        deduplicate: store as { has: () => boolean; add: () => void },
        onError: (error) => errors.push(error as WebSocketError),
        onWhatsAppMessageReceived: ({ id }) => Promise.resolve(void got.push(id)),
      });
      const closed = receiver.connection!.closed;
      await post(server, texts(`${name} a`));
      assertEquals((await closed).sent?.code, 1011);
      broken = false;
      await receiver.connect();
      await until(() => got.at(-1) === `${name} a` && receiver.position!.after > 0, "the same again");
      await receiver.disconnect();
    }
    assert(errors.some(({ message }) => message.includes('"deduplicate"')));
    await server.stop();
  });

  it("are remembered in a store of the program's, or not at all", async () => {
    const server = await start();
    const keys: string[] = [];
    const store = { has: (key: string) => keys.includes(key), add: (key: string) => void keys.push(key) };
    const got: string[] = [];
    const add = (who: string) => ({ id }: { id: string }): void => void got.push(`${who} ${id}`);
    const one = await connect(server, { deduplicate: store, onWhatsAppMessageReceived: add("one") });
    await post(server, texts("1"));
    await until(() => keys.length === 1, "the key");
    await one.disconnect();
    const two = await connect(server, { after: 0, deduplicate: store, onWhatsAppMessageReceived: add("two") });
    const three = await connect(server, { after: 0, deduplicate: false, onWhatsAppMessageReceived: add("three") });
    await post(server, texts("1", "1", "2"));
    await until(() => two.position?.after === 2 && three.position?.after === 2, "both");
    assertEquals(got.filter((line) => line.startsWith("two")), ["two 2"]);
    assertEquals(got.filter((line) => line.startsWith("three")), ["three 1", "three 1", "three 1", "three 2"]);
    await Promise.all([two.disconnect(), three.disconnect()]);
    await server.stop();
  });

  it("of other kinds go to onNotification and to loops", async () => {
    const server = await start();
    const kinds: string[] = [];
    const receiver = await connect(server, { onNotification: ({ kind }) => void kinds.push(kind) });
    const looped: string[] = [];
    const loop = (async () => {
      for await (const { kind } of receiver.records) looped.push(kind);
    })();
    const echo = { id: "e", to: "49", type: "text", text: { body: "a" } };
    await post(
      server,
      wrap([
        changeOf("1", { errors: [{ code: 1 }], messages: [{ id: "m", type: "text", text: { body: "a" } }] }),
        changeOf("1", { message_echoes: [echo] }, "smb_message_echoes"),
        changeOf("1", {}, "account_update"),
      ]),
    );
    await until(() => kinds.length === 3 && looped.length === 4, "all");
    assertEquals([kinds, looped], [["error", "echo", "account"], ["error", "message", "echo", "account"]]);
    await receiver.disconnect();
    await loop;
    await server.stop();
  });

  it("are those of the filter; a mixed notification comes whole, as raw text", async () => {
    const server = await start();
    const raws: string[] = [];
    const ids: string[] = [];
    const receiver = await connect(server, {
      filter: { phoneNumberIds: ["1"], fields: ["messages"] },
      onMessageReceived: (raw) => void raws.push(raw),
      onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
      onNotification: ({ kind }) => void ids.push(kind),
    });
    const message = (id: string): object => ({ messages: [{ id, type: "text", text: { body: "a" } }] });
    const mixed = wrap([changeOf("2", message("x")), changeOf("1", message("y")), changeOf("1", {}, "account_update")]);
    for (const body of [textsTo("2", "a"), mixed, textsTo("1", "b")]) await post(server, body);
    await until(() => ids.length === 2, "both");
    assertEquals([raws, ids], [[mixed, textsTo("1", "b")], ["y", "b"]]);
    await receiver.disconnect();
    await server.stop();
  });

  it("are checked against Meta's signature, where the app secret is given", async () => {
    const server = await start({ appSecret: ["right", "other"] });
    const errors: unknown[] = [];
    const got: WhatsAppNotification[] = [];
    const receiver = await connect(server, { appSecret: ["older", "right"], onError: (error) => errors.push(error) });
    const loop = (async () => {
      for await (const notification of receiver.notifications) got.push(notification);
    })().catch((error: WebSocketError) => error.code);
    await post(server, texts("1"), { secret: "right" });
    await post(server, texts("2"), { secret: "other" });
    await post(server, texts("3"), { secret: "right" });
    assertEquals((await receiver.connection!.closed).sent?.code, 1008);
    assertEquals(got.map(({ seq, signature }) => [seq, signature]), [[
      1,
      signNotification(encode(texts("1")), "right"),
    ]]);
    assert(errors[0] instanceof TransportError && errors[0].code === "ERR_SIGNATURE");
    // Nothing is lost by a secret that is wrong.
    receiver.appSecret = ["right", "other"];
    assertEquals(await loop, "ERR_SIGNATURE");
    await receiver.connect();
    for await (const notification of receiver.notifications) if (got.push(notification) === 3) break;
    assertEquals(got.map(({ seq }) => seq), [1, 2, 3]);
    await receiver.disconnect();
    await server.stop();
  });

  it("come once with plain text too, to handlers and to loops", async () => {
    const server = await start({ protocols: ["whatsapp-notifications"] });
    const handled: string[] = [];
    const receiver = await connect(server, { onWhatsAppMessageReceived: ({ id }) => void handled.push(id) });
    const looped: string[] = [];
    const loop = (async () => {
      for await (const { id } of receiver.messages) looped.push(id);
    })();
    for (const body of [texts("1", "2"), texts("2", "3")]) await post(server, body);
    await until(() => handled.length === 3 && looped.length === 3, "all");
    assertEquals([handled, looped], [["1", "2", "3"], ["1", "2", "3"]]);
    await receiver.disconnect();
    await loop;
    await server.stop();
  });
});

describe("WhatsAppReceiver against a server that misbehaves", () => {
  it("ends with 4400, and accepts no more than it asked for", async () => {
    const { WebSocketServer } = await import("../../server/server.ts");
    const notification = (seq: number): Uint8Array =>
      encodeInboxMessage({ type: "notification", seq, signature: "", receivedAt: "" }, encode("{}"));
    const welcome = encodeInboxMessage({ type: "welcome", journal: "j", after: 0, last: 0, window: 2 });
    const cases: Uint8Array[][] = [
      [notification(1)],
      [welcome, encode('{"type":"notification","seq":"1"}\n')],
      [welcome, encode('{"type":"notification","seq":1}\n')],
      [encode('{"type":"welcome","journal":1,"after":0,"last":0,"window":1}\n')],
      [welcome, encode('{"type":"gap"}\n')],
      [welcome, notification(1), notification(2), notification(3)],
      [welcome, notification(1), notification(1)],
      [welcome, welcome],
    ];
    const runs = [INBOX_PROTOCOL, INBOX_PROTOCOL_V2].flatMap((protocol) =>
      cases.map((messages) => ({ protocol, messages }))
    );
    // In version 1 they are bytes of a program: see program_bytes_test.ts.
    for (const text of ["no line feed", "not JSON\n", "{}\n"]) {
      runs.push({ protocol: INBOX_PROTOCOL_V2, messages: [welcome, encode(text)] });
    }
    for (const { protocol, messages } of runs) {
      const codes: number[] = [];
      const server = new WebSocketServer({
        hostname: "127.0.0.1",
        port: 0,
        protocols: [protocol],
        onHandshakeResponseSent: (connection) => {
          for (const message of messages) connection.send(message);
        },
        onClose: (_connection, code) => void codes.push(code),
      });
      await server.start();
      const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, { onError: () => {} });
      await receiver.connect();
      await until(() => codes.length === 1, "the end");
      assertEquals(codes, [4400]);
      await server.stop();
    }
  });
});

describe("laterStatus", () => {
  const make = (status: string, seconds = 0): WhatsAppStatus => ({
    kind: "status",
    id: "wamid",
    status,
    timestamp: new Date(seconds * 1000),
    field: "messages",
    accountId: "1",
    errors: [],
    raw: {},
  });

  it("never goes back, in any order of arrival", () => {
    for (
      const order of [["sent", "delivered", "read", "played"], ["played", "read", "sent", "delivered"], [
        "sent",
        "failed",
      ]]
    ) {
      let current: WhatsAppStatus | undefined;
      for (const status of order) current = laterStatus(current, make(status));
      assertEquals(current?.status, order.includes("played") ? "played" : "failed");
    }
    assertEquals(laterStatus(make("failed"), make("delivered")).status, "delivered");
    assertEquals(laterStatus(make("delivered"), make("failed")).status, "delivered");
  });

  it("compares times where the order is unknown", () => {
    assertEquals(laterStatus(make("in_orbit", 1), make("read", 2)).status, "read");
    assertEquals(laterStatus(make("read", 2), make("in_orbit", 1)).status, "read");
    assertEquals(laterStatus(make("read", 2), make("read", 1)).timestamp, new Date(2000));
  });
});

describe("WhatsAppReceiver with reconnect", () => {
  const QUICK = { minDelay: 1, maxDelay: 5 };
  const texting = (record: { kind: string; id?: string }): string => `${record.kind} ${record.id}`;

  it("continues its loop over losses and restarts, nothing lost and nothing twice", () =>
    withFile(async (file) => {
      let server = await start({ journal: file });
      const port = server.address!.port;
      const receiver = makeReceiver(server, { name: "billing", reconnect: QUICK, deduplicate: false });
      await receiver.connect();
      const got: string[] = [];
      const loop = (async () => {
        for await (const message of receiver.messages) got.push(message.id);
      })();
      const expected: string[] = [];
      for (let round = 0; round < 6; round++) {
        const ids = [`r${round}a`, `r${round}b`];
        expected.push(...ids);
        if (round % 3 === 1) { for (const connection of server.connections) connection.terminate(); }
        if (round % 3 === 2) {
          await server.stop();
          server = await start({ journal: file, port });
        }
        assertEquals(await post(server, texts(...ids)), 200);
        await until(() => new Set(got).size === expected.length, `round ${round}`);
        // Asking for the next one acknowledges the last.
        await settle();
      }
      await receiver.disconnect();
      await loop;
      assertEquals([...new Set(got)], expected);
      await server.stop();
    }));

  it("does not repeat a notification still being handled, and acknowledges it after reconnecting", async () => {
    await using server = await start();
    const got: string[] = [];
    const busy = Promise.withResolvers<void>();
    const receiver = makeReceiver(server, {
      name: "slow",
      reconnect: QUICK,
      onWhatsAppMessageReceived: (message) => {
        got.push(message.id);
        return message.id === "one" ? busy.promise : undefined;
      },
    });
    await receiver.connect();
    await post(server, texts("one"));
    await until(() => got.length === 1, "the first");
    for (const connection of server.connections) connection.terminate();
    await until(() => receiver.active, "the next connection");
    await post(server, texts("two"));
    await until(() => got.includes("two"), "the second");
    assertEquals(got, ["one", "two"]);
    busy.resolve();
    await settle();
    await receiver.disconnect();
    // Nothing comes again.
    const again = makeReceiver(server, {
      name: "slow",
      onWhatsAppMessageReceived: (message) => void got.push(texting(message)),
    });
    const caughtUp = Promise.withResolvers<number>();
    again.onCaughtUp = caughtUp.resolve;
    await again.connect();
    await caughtUp.promise;
    assertEquals(got, ["one", "two"]);
    await again.disconnect();
  });

  it("calls the token provider on each attempt, and stops on an answer that will not change", async () => {
    await using server = await start();
    // One more attempt, with a fresh token: the first may have expired.
    const tokens = ["token", "token", "wrong", "wrong too"];
    const errors: unknown[] = [];
    const receiver = makeReceiver(server, {
      reconnect: QUICK,
      receiverToken: () => Promise.resolve(tokens.shift()!),
      onError: (error) => errors.push(error),
    });
    await receiver.connect();
    const next = receiver.notifications.next();
    for (const connection of server.connections) connection.terminate();
    await until(() => server.stats().connections.opened === 2, "the second");
    for (const connection of server.connections) connection.terminate();
    const error = await assertRejects(() => next, TransportError);
    assertEquals([receiver.state, tokens, errors], ["closed", [], [error]]);
    assertEquals(error.code, "ERR_RECONNECT_GIVEN_UP");
    assertInstanceOf(error.cause, HandshakeError);
    assertEquals(error.cause.status, 401);
    assertEquals(server.stats().refusals.receiverToken, 2);
  });
});

describe("WhatsAppReceiver with reconnect, in odd moments", () => {
  const QUICK = { minDelay: 1, maxDelay: 5 };

  it("receives a notification again whose handler failed on an earlier connection", async () => {
    await using server = await start();
    const got: string[] = [];
    const slow = Promise.withResolvers<void>();
    const receiver = makeReceiver(server, {
      name: "late",
      reconnect: QUICK,
      onWhatsAppMessageReceived: ({ id }) => {
        got.push(id);
        return got.length === 1 ? slow.promise : undefined;
      },
    });
    await receiver.connect();
    await post(server, texts("1"));
    await until(() => got.length === 1, "the first time");
    for (const connection of server.connections) connection.terminate();
    await until(() => server.stats().connections.opened === 2 && receiver.active, "the next connection");
    await post(server, texts("2"));
    await until(() => got.includes("2"), "the second message");
    slow.reject(new Error("not handled"));
    await until(() => got.filter((id) => id === "1").length === 2, "the second time");
    await receiver.disconnect();
  });

  it("gives a loop that has ended nothing of a later connection", async () => {
    await using server = await start();
    const receiver = makeReceiver(server, { name: "loops" });
    await receiver.connect();
    const gate = Promise.withResolvers<void>();
    const got: string[] = [];
    const loop = (async () => {
      for await (const { id } of receiver.messages) {
        got.push(id);
        await gate.promise;
      }
    })();
    await post(server, texts("1"));
    await until(() => got.length === 1, "the first");
    await receiver.disconnect();
    await receiver.connect();
    await post(server, texts("2"));
    const later: string[] = [];
    for await (const { id } of receiver.messages) {
      later.push(id);
      if (id === "2") break;
    }
    gate.resolve();
    await loop;
    assertEquals([got, later.includes("2")], [["1"], true]);
    await receiver.disconnect();
  });
});
