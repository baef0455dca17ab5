/** The client of `browser-client`: the same as that of `./browser`, where it has a member, and an error where not. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient as BrowserClient } from "../../browser.ts";
import { WebSocketClient } from "../../browser_client.ts";
import { type HandlerError, OptionError, StateError, WebSocketError } from "../../base/errors.ts";
import { CLIENT_HANDLERS, CLIENT_SETTINGS } from "../../client/settings.ts";
import { describePages } from "../support/page.ts";
import { urlOf } from "../support/peers.ts";
import { defer, settle, startEcho, until } from "../support/support.ts";

const NOWHERE = "ws://127.0.0.1:1/";

describe("WebSocketClient of browser-client", () => {
  it("has each member of ./browser, or names the entry that has it", async () => {
    const client = new WebSocketClient(NOWHERE);
    const leftOut: string[] = [];
    const silent: string[] = [];
    for (const name of Object.getOwnPropertyNames(BrowserClient.prototype)) {
      if (name in CLIENT_SETTINGS || name in CLIENT_HANDLERS || name === "hostName") continue;
      if (!(name in client)) silent.push(name);
      else if (name in WebSocketClient.prototype) {
        try {
          Reflect.get(client, name);
        } catch (error) {
          assert(error instanceof StateError && error.code === "ERR_UNSUPPORTED");
          assertStringIncludes(error.message, `"${name}" here: see "@tackline/websocket/browser"`);
          leftOut.push(name);
        }
      }
    }
    assertEquals(leftOut.sort(), [
      "checkIncoming",
      "messageWriter",
      "ping",
      "pong",
      "readable",
      "sendFrame",
      "stats",
      "writable",
    ]);
    assertEquals(silent, ["extensions"]);
    await client.disconnect();
  });

  it("refuses each option of ./browser that it has not, by the same error or as unknown", () => {
    const unknown: string[] = [];
    for (const name of [...Object.keys(CLIENT_SETTINGS), ...Object.keys(CLIENT_HANDLERS)]) {
      if (name in WebSocketClient.prototype) continue;
      try {
        new WebSocketClient(NOWHERE, { [name]: undefined });
      } catch (error) {
        assert(error instanceof WebSocketError || error instanceof OptionError);
        if (error instanceof OptionError) unknown.push(name);
        else assertEquals(error.code, "ERR_UNSUPPORTED");
      }
    }
    assertEquals(unknown.sort(), [
      ...["certificate", "certificateFile", "certificateKey", "certificateKeyFile"],
      "idleTimeout",
      ...["maxByteRate", "maxMessageRate"],
      "onGetSSLPassword",
      "path",
      ...["pingInterval", "pongTimeout"],
      ...["rateBurstSeconds", "rootCertificate"],
      "serverName",
      "splitMessage",
    ]);
  });

  it("has types without what it leaves out", () => {
    const client = new WebSocketClient(NOWHERE);
    // @ts-expect-error -- streams are left out
    assertThrows(() => client.readable, StateError);
    // @ts-expect-error -- and so is this option
    assertThrows(() => new WebSocketClient(NOWHERE, { autoCheckMessages: false }), StateError);
  });
});

describePages("handlers and options of a page's client", (Client) => {
  it("may be methods and fields of subclasses and properties; a field without a value hides no method", async () => {
    const server = await startEcho();
    const calls: string[] = [];
    class Methods extends Client {
      override onConnect(): void {
        calls.push("method connect");
      }
      override onMessageReceived(text: string): void {
        calls.push(`method ${text}`);
      }
    }
    class Fields extends Methods {
      override onConnect = (): void => void calls.push("field connect");
      // deno-lint-ignore no-explicit-any -- as plain JavaScript has it
      override onMessageReceived: any = undefined;
    }
    for (const Mine of [Methods, Fields]) {
      const client = new Mine(urlOf(server));
      await client.connect();
      client.send("1");
      await until(() => calls.length === 2, "the method");
      client.onMessageReceived = (text: string) => void calls.push(`assigned ${text}`);
      client.send("2");
      await until(() => calls.length === 3, "the assigned one");
      await client.disconnect();
      const connect = Mine === Fields ? "field connect" : "method connect";
      assertEquals(calls.splice(0), [connect, "method 1", "assigned 2"]);
    }
    await server.stop();
  });

  it("get what waited when they are set, at once and in order; null is none", async () => {
    const server = await startEcho();
    const client = new Client(urlOf(server), { onMessageReceived: null as never, onConnect: undefined });
    assertEquals([client.onMessageReceived, "onMessageReceived" in client], [undefined, true]);
    await client.connect();
    client.send("one");
    client.send("two");
    const probe = new Client(urlOf(server));
    await probe.connect();
    probe.send("behind them");
    await probe.receive();
    await settle();
    const got: string[] = [];
    client.onMessageReceived = (text) => void got.push(text);
    await until(() => got.length === 2, "both");
    assertEquals(got, ["one", "two"]);
    await Promise.all([client.disconnect(), probe.disconnect()]);
    await server.stop();
  });

  it("run with loops side by side, and concurrency 1 keeps async handlers apart", async () => {
    const server = await startEcho();
    const events: string[] = [];
    const client = new Client(urlOf(server), {
      concurrency: 1,
      async onMessageReceived(text) {
        events.push(`begin ${text}`);
        await settle();
        events.push(`end ${text}`);
      },
    });
    await client.connect();
    for (const text of ["1", "2", "3"]) client.send(text);
    const got: unknown[] = [];
    for await (const message of client) if (got.push(message) === 3) break;
    await until(() => events.length === 6, "the handlers");
    assertEquals(events, ["1", "2", "3"].flatMap((text) => [`begin ${text}`, `end ${text}`]));
    assertEquals(got, ["1", "2", "3"]);
    await client.disconnect();
    await server.stop();
  });

  it("that fail are reported as HandlerError, also late, and close the connection", async () => {
    const server = await startEcho();
    for (const late of [false, true]) {
      const failed = defer<HandlerError>();
      const client = new Client(urlOf(server), {
        onMessageReceived: () => {
          if (!late) throw new Error("mine");
          return Promise.reject(new Error("mine")) as never;
        },
        onError: (error) => failed.resolve(error as HandlerError),
      });
      await client.connect();
      client.send("x");
      const error = await failed.promise;
      assertEquals([error.code, error.message], [
        "ERR_HANDLER",
        'The handler "onMessageReceived" failed: mine',
      ]);
      assertEquals((await client.connection!.closed).clean, false);
    }
    await server.stop();
  });

  it("are refused by name with the value", async () => {
    const refuse = (options: object, part: string, url: string | undefined = NOWHERE): void => {
      const make = (): unknown => url === undefined ? new Client(options) : new Client(url, options);
      assertStringIncludes(assertThrows(make, OptionError).message, part);
    };
    refuse({ onMessageReceived: 1 }, 'The handler "onMessageReceived" is 1');
    refuse({ onLog: "x" }, 'The handler "onLog" is "x"');
    refuse({ reconect: true }, 'has no option "reconect"; did you mean "reconnect"?');
    refuse({ reconnect: { minDelais: 1 } }, 'did you mean "minDelay"?');
    refuse({ maxMessageSize: -1 }, 'The setting "maxMessageSize" is -1');
    refuse({ signal: 1 }, 'The option "signal" is 1');
    refuse({ port: 2 }, "give one of both");
    refuse({ useSSL: "yes" }, '"useSSL"', undefined as never);
    assertThrows(() => new Client({}, { port: 1 }), OptionError, "put all options into one object");
    const client = new Client(NOWHERE);
    assertThrows(() => client.onMessageReceived = 5 as never, OptionError, "instead of a function");
    await assertRejects(() => client.connect({ timeout: 1 } as never), OptionError, 'no option "timeout"');
    await assertRejects(() => client.disconnect(4000 as never), OptionError, "disconnect(true, 4000");
    client.connectTimeout = -1;
    await assertRejects(() => client.connect(), OptionError, "connectTimeout");
  });
});

describePages("a page's client", (Client) => {
  it("connects and disconnects by active, with failures going to onError, and disposes itself", async () => {
    const errors: string[] = [];
    const lost = new Client(NOWHERE, { onError: (error) => void errors.push((error as WebSocketError).code) });
    lost.active = true;
    await until(() => errors.length === 1, "the failure");
    assertEquals(errors, ["ERR_CONNECT"]);
    const server = await startEcho();
    const connected = defer<void>();
    const client = new Client({
      hostname: "127.0.0.1",
      port: server.address!.port,
      onConnect: () => connected.resolve(),
    });
    client.active = true;
    await connected.promise;
    assertEquals([client.active, client.state, client.url], [true, "open", urlOf(server, "/")]);
    await client[Symbol.asyncDispose]();
    assertEquals([client.active, client.state], [false, "closed"]);
    await server.stop();
  });

  it("ends receive() with its signal, and takes no message for it", async () => {
    const server = await startEcho();
    const client = new Client(urlOf(server));
    await client.connect();
    const stop = new AbortController();
    const waiting = client.receive({ signal: stop.signal });
    stop.abort(new Error("enough"));
    await assertRejects(() => waiting, Error, "enough");
    client.send("kept");
    assertEquals(await client.receive(), "kept");
    await client.disconnect();
    await server.stop();
  });
});
