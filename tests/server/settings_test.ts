import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError } from "../../base/errors.ts";
import { defaultsOf } from "../../base/settings.ts";
import { WebSocketClient } from "../../client.ts";
import { WebSocketServer } from "../../server.ts";
import { LockableSettings, SERVER_SETTINGS, type ServerProperties } from "../../server/settings.ts";
import { assertDocumented } from "../support/setting_docs.ts";

describe("LockableSettings", () => {
  it("are one object as long as none changes", () => {
    const settings = new LockableSettings({ maxTopics: 5, compression: true });
    const { current } = settings;
    assertStrictEquals(settings.current, current);
    assertEquals([current.maxTopics, current.compression?.level, current.options.manualPong], [5, 6, false]);
    settings.store.set("maxTopics", 6);
    assertEquals([current.maxTopics, settings.current.maxTopics], [5, 6]);
    const { options } = settings.store.values;
    options.manualPong = true;
    assertEquals([current.options.manualPong, settings.current.options.manualPong], [false, true]);
  });

  it("have no switches with unknown names", () => {
    const { options } = new LockableSettings({}).store.values;
    assertThrows(
      () => Object.assign(options, { manualpong: true }),
      OptionError,
      'Cannot set "manualpong": a setting "options" has no such property; did you mean "manualPong"?',
    );
    assertEquals(Object.keys(options), []);
  });

  it("cannot be changed while they are locked", () => {
    const settings = new LockableSettings({});
    settings.locked = true;
    assertThrows(() => settings.store.set("port", 1), StateError, 'Cannot set "port": the server is running');
    assertThrows(() => settings.store.values.options.manualPong = true, StateError, "options.manualPong");
    settings.locked = false;
    settings.store.set("port", 1);
    assertEquals(settings.current.port, 1);
  });
});

describe("WebSocketServer settings", () => {
  it("has the defaults of the design", () => {
    const server = new WebSocketServer();
    assertEquals([server.port, server.hostname, server.pathName, server.useSSL], [8888, "0.0.0.0", "", false]);
    assertEquals([server.splitMessage, server.frameSize, server.active, server.address], [false, 0, false, undefined]);
    const { frameByFrame, skipUpgradeCheck, skipVersionCheck, manualPong, manualClose } = server.options;
    assertEquals([frameByFrame, skipUpgradeCheck, skipVersionCheck, manualPong, manualClose], Array(5).fill(false));
  });

  it("are properties with the defaults of the table", () => {
    // A row without a property of the class would not compile.
    const server: ServerProperties = new WebSocketServer();
    const { options, ...values } = defaultsOf(SERVER_SETTINGS);
    for (const [name, value] of Object.entries(values)) {
      assertEquals(server[name as keyof ServerProperties], value, name);
      assertEquals([name in server, Object.keys(server).includes(name)], [true, false], name);
    }
    assertEquals(options, {});
  });

  it("have the defaults, units and kinds that their documentation names", () => {
    assertDocumented(SERVER_SETTINGS, ["connection/options.ts", "server/settings.ts"], [
      "compression",
      "certificate",
      "certificateKey",
      "rootCertificate",
      "clientRootCertificate",
    ]);
  });

  it("may be fields of a subclass", async () => {
    class Mine extends WebSocketServer {
      override port = 0;
      override hostname = "127.0.0.1";
      override maxTopics = 5;
    }
    await using server = new Mine();
    await server.start();
    assertEquals([server.address?.hostname, server.maxTopics, Object.hasOwn(server, "port")], ["127.0.0.1", 5, false]);
    assertThrows(() => server.maxTopics = 6, StateError, "maxTopics");
  });

  it("can be set in options or on the object, while it is stopped", async () => {
    const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", options: { manualPong: true } });
    server.pathName = "/a";
    server.options.manualClose = true;
    assertEquals([server.options.manualPong, server.options.manualClose], [true, true]);
    server.options = { frameByFrame: true };
    assertEquals([server.options.manualPong, server.options.frameByFrame], [false, true]);
    await server.start();
    assertThrows(() => server.port = 1, StateError, 'Cannot set "port": the server is running');
    assertThrows(() => server.options = {}, StateError);
    assertThrows(() => server.options.manualPong = true, StateError, "options.manualPong");
    assertThrows(() => server.splitMessage = true, StateError);
    server.onMessageReceived = () => {};
    await server.stop();
    server.pathName = "/b";
  });

  it("refuses values out of range", () => {
    for (const port of [-1, 65536, 1.5, NaN, "80" as unknown as number]) {
      assertThrows(() => new WebSocketServer({ port }), OptionError, "port");
    }
    assertThrows(() => new WebSocketServer({ frameSize: 5 }), RangeError, "one code point");
    assertEquals(new WebSocketServer({ frameSize: 6 }).frameSize, 6);
    assertThrows(() => new WebSocketServer({ maxMessageSize: -1 }), OptionError, "maxMessageSize");
    // A timer with more would run at once.
    assertThrows(() => new WebSocketServer({ handshakeTimeout: 2 ** 31 }), OptionError, "2147483647");
    assertThrows(() => new WebSocketClient({ connectTimeout: 2 ** 31 }), OptionError, "2147483647");
    assertThrows(() => new WebSocketClient({ autoCheckInterval: 2 ** 31 }), OptionError, "2147483647");
    assertEquals(new WebSocketServer({ maxMessageSize: 2 ** 40, closeTimeout: 2 ** 31 - 1 }).maxMessageSize, 2 ** 40);
    assertThrows(() => new WebSocketServer({ pathName: "ws://a/b" }), OptionError, "URL");
    assertThrows(() => new WebSocketServer({ pathName: "/a#b" }), OptionError, "fragment");
    assertThrows(() => new WebSocketServer({ pathName: "/a?b" }), OptionError, "query");
    assertThrows(() => new WebSocketServer({ slowConsumer: "x" as "drop" }), OptionError);
    assertThrows(() => new WebSocketServer({ protocols: ["a b"] }), OptionError);
    assertThrows(() => new WebSocketServer({ protocols: "chat" as unknown as string[] }), OptionError, "array");
    assertThrows(() => new WebSocketServer({ compression: { level: 10 } }), OptionError, "level");
    assertThrows(() => new WebSocketServer({ origins: ["https://a.example/"] }), OptionError, "https://a.example");
    assertThrows(() => new WebSocketServer({ hosts: ["a/b"] }), OptionError, "hosts");
    assertThrows(() => new WebSocketServer({ hostname: 1 as unknown as string }), OptionError);
  });
});
