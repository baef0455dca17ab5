/**
 * Members as users of other libraries write them, on objects and in subclasses: each is an `OptionError` that names the
 * remedy. What runtimes and programs read of any object is not affected.
 */

import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { inspect } from "node:util";
import { OptionError } from "../base/errors.ts";
import { WebSocketClient, WebSocketServer } from "../mod.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../whatsapp.ts";
import { join } from "./support/ends.ts";
import { pipe } from "./support/support.ts";

const URL_TEXT = "ws://127.0.0.1:1/";
const local = { hostname: "127.0.0.1", port: 0 };

function refusesReads(owner: object, names: Readonly<Record<string, string>>): void {
  for (const [name, remedy] of Object.entries(names)) {
    const error = assertThrows(() => Reflect.get(owner, name), OptionError);
    assertStringIncludes(error.message, ` has no "${name}": `);
    assertStringIncludes(error.message, remedy);
  }
}

describe("members of other libraries", () => {
  it("are refused on servers", () => {
    const names = {
      on: "onOpen",
      once: "onOpen",
      addListener: "onOpen",
      addEventListener: "onOpen",
      emit: "broadcastMessage()",
      close: "call stop()",
      listen: "call start()",
      clients: 'use "connections"',
    };
    refusesReads(new WebSocketServer(), names);
    refusesReads(new WhatsAppServer(), names);
  });

  it("are refused on clients", () => {
    const names = {
      on: "onConnect",
      once: "onConnect",
      addEventListener: "onConnect",
      close: "disconnect(true, code, reason)",
      open: "connect()",
      emit: "send()",
      readyState: 'use "state"',
    };
    refusesReads(new WebSocketClient(URL_TEXT), names);
    refusesReads(new WhatsAppReceiver(URL_TEXT), names);
  });

  it("are refused on connections, which may have other properties", async () => {
    const { peer, client, close } = await join({}, {});
    for (const connection of [peer, client.connection!]) {
      refusesReads(connection, {
        on: "onMessageReceived",
        once: "onMessageReceived",
        addEventListener: "onMessageReceived",
        readyState: 'use "state"',
        publish: "publish() of the server",
        publishText: "publish() of the server",
        isSubscribed: "topics.has()",
      });
      for (const name of ["onmessage", "onMessageReceived", "onclose", "onEnd"]) {
        const error = assertThrows(() => Reflect.set(connection, name, () => {}), OptionError);
        assertStringIncludes(error.message, `Cannot set "${name}" of a WebSocketConnection: `);
        assertEquals(Object.hasOwn(connection, name), false);
      }
      assertEquals([Reflect.set(connection, "isAlive", true), Reflect.get(connection, "isAlive")], [true, true]);
    }
    await close();
  });

  it("are all that is refused: objects can be awaited, shown and copied as before", async () => {
    const { server, peer, client, close } = await join({}, {});
    for (const owner of [server, peer, client]) {
      assertEquals(await Promise.resolve(owner), owner);
      assertEquals(["foo", "then", "toJSON", "on "].map((name) => Reflect.get(owner, name)), Array(4).fill(undefined));
      assertStringIncludes(inspect(owner), owner.constructor.name);
      assertEquals([String(owner), "on" in owner, "readyState" in owner], ["[object Object]", false, false]);
      assertInstanceOf(JSON.parse(JSON.stringify(owner)), Object);
    }
    assertEquals(structuredClone<unknown>(new WebSocketClient(URL_TEXT)), {});
    await close();
  });
});

describe("members of subclasses", () => {
  it("that are nearly handlers are refused at the start, and admit no client", async () => {
    class Guarded extends WebSocketServer {
      onAlow(): boolean {
        return false;
      }
    }
    const guarded = new Guarded(local);
    const says = 'The subclass has "onAlow", which is never used; did you mean "onAllow"?';
    await assertRejects(() => guarded.start(), OptionError, says);
    assertEquals([guarded.active, guarded.address], [false, undefined]);
    assertThrows(() => guarded.acceptStream(pipe()[0]), OptionError, says);
    class Hook extends WhatsAppServer {
      onRawMesage = (): boolean => false;
    }
    const hook = new Hook({ ...local, appSecret: null, receiverToken: null, journal: null, behindProxy: true });
    await assertRejects(() => hook.start(), OptionError, 'did you mean "onRawMessage"?');
  });

  it("of other libraries are refused in any case", async () => {
    const members: [string, string][] = [
      ["onmessage", "onMessageReceived"],
      ["onMessage", "onMessageReceived"],
      ["onConnection", "onOpen"],
      ["onopen", "onOpen"],
      ["onClosE", "onEnd"],
      ["onRequest", "onCommandGet"],
      ["verifyClient", "onAllow"],
      ["handleProtocols", "onSelectProtocol"],
    ];
    for (const [name, meant] of members) {
      class Chat extends WebSocketServer {}
      Object.defineProperty(Chat.prototype, name, { value: () => {} });
      await assertRejects(
        () => new Chat(local).start(),
        OptionError,
        `"${name}", which is never used; did you mean "${meant}"`,
      );
    }
  });

  it("are refused when a client connects, with its own handlers and those of a receiver", async () => {
    class Bot extends WebSocketClient {
      onMessage(): void {}
    }
    await assertRejects(() => new Bot(URL_TEXT).connect(), OptionError, '"onMessageReceived"?');
    class Inbox extends WhatsAppReceiver {
      onNotificaton(): void {}
    }
    const inbox = new Inbox(URL_TEXT, { receiverToken: "secret" });
    await assertRejects(() => inbox.connect(), OptionError, 'did you mean "onNotification"?');
  });

  it("may stand beside the handler that is meant, as its helpers", async () => {
    const texts: string[] = [];
    class Chat extends WebSocketServer {
      _onAllow = true;
      override onMessageReceived(_: unknown, text: string): void {
        this.onMessage(text);
      }
      onMessage(text: string): void {
        texts.push(text);
      }
    }
    await using server = new Chat(local);
    await server.start();
    await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, { onMessageReceived() {} });
    await client.connect();
    client.send("hello");
    await client.disconnect();
    assertEquals(texts, ["hello"]);
  });
});
