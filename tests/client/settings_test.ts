import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, TransportError } from "../../base/errors.ts";
import { defaultsOf } from "../../base/settings.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { CLIENT_SETTINGS, type ClientSettings, connectionSettings } from "../../client/settings.ts";
import { assertDocumented } from "../support/setting_docs.ts";
import { FakeClock, pipe } from "../support/support.ts";

describe("WebSocketClient settings", () => {
  it("come from a URL or from options", () => {
    const client = new WebSocketClient("wss://[::1]:9000/a/b?c=d", { connectTimeout: 5 });
    assertEquals([client.hostname, client.port, client.pathName, client.useSSL], ["::1", 9000, "/a/b?c=d", true]);
    assertEquals([client.url, client.connectTimeout], ["wss://[::1]:9000/a/b?c=d", 5]);
    const other = new WebSocketClient({ hostname: "example.com", port: 80, pathName: "x" });
    assertEquals([other.url, other.useSSL, other.state, other.active], ["ws://example.com/x", false, "closed", false]);
    assertEquals(new WebSocketClient("ws://a").port, 80);
    assertEquals(new WebSocketClient(new URL("wss://a")).port, 443);
  });

  it("are properties with the defaults of the table", () => {
    // A row without a property of the class would not compile.
    const client: ClientSettings = new WebSocketClient();
    for (const [name, value] of Object.entries(defaultsOf(CLIENT_SETTINGS))) {
      const expected = name === "options" ? { frameByFrame: false, manualPong: false, manualClose: false } : value;
      assertEquals(client[name as keyof ClientSettings], expected, name);
      assertEquals([name in client, Object.keys(client).includes(name)], [true, false], name);
    }
  });

  it("have the defaults, units and kinds that their documentation names", () => {
    const pem = ["certificate", "certificateKey", "rootCertificate"];
    const ownChecks = ["headers", "token", "reconnect", "compression", ...pem];
    assertDocumented(CLIENT_SETTINGS, ["connection/options.ts", "client/settings.ts"], ownChecks);
  });

  it("may be fields of a subclass", async () => {
    class Mine extends WebSocketClient {
      override port = 9;
      override hostname = "";
    }
    const client = new Mine();
    await assertRejects(() => client.connect(), OptionError, "hostname");
    client.hostname = "a.example";
    assertEquals([client.url, Object.keys(client).includes("port")], ["ws://a.example:9/", false]);
  });

  it("take the former name of hostname, as an option, a property, and a field of a subclass", async () => {
    class Mine extends WebSocketClient {
      override hostName = "127.0.0.2";
    }
    const mine = new Mine();
    await assertRejects(() => mine.connect({ signal: AbortSignal.abort() }), TransportError, "aborted");
    assertEquals([mine.hostname, mine.hostName], ["127.0.0.2", "127.0.0.2"]);
    const client = new WebSocketClient({ hostName: "a.example", port: 80 });
    assertEquals([client.hostname, client.hostName, client.url], ["a.example", "a.example", "ws://a.example/"]);
    client.hostName = "b.example";
    assertEquals([client.hostname, client.url], ["b.example", "ws://b.example/"]);
    client.hostname = "c.example";
    assertEquals(client.hostName, "c.example");
    assertEquals(new WebSocketClient({ hostName: "a.example", hostname: "d.example" }).hostname, "d.example");
  });

  it("refuse what is no WebSocket URL, and values out of range", async () => {
    for (const url of ["", "example.com", "http://a/", "ws://a/#fragment", "ws://"]) {
      assertThrows(() => new WebSocketClient(url), OptionError, "URL");
    }
    const wrong: [WebSocketClientOptions, string][] = [
      [{ port: 70000 }, "70000"],
      [{ port: "80" as unknown as number }, "string"],
      [{ connectTimeout: -1 }, "connectTimeout"],
      [{ checkTimeout: 1.5 }, "checkTimeout"],
      [{ autoCheckInterval: -1 }, "autoCheckInterval"],
      [{ maxMessageSize: NaN }, "maxMessageSize"],
      [{ maxBufferedAmount: -1 }, "maxBufferedAmount"],
      [{ closeTimeout: Infinity }, "closeTimeout"],
      [{ slowConsumer: "explode" as "drop" }, "slowConsumer"],
      [{ frameSize: 9 }, "9"],
      [{ protocols: ["a", "a"] }, "twice"],
      [{ protocols: "chat" as unknown as string[] }, "array"],
      [{ headers: { x: "a\r\nb" } }, "headers"],
      [{ origin: "a\r\nb: c" }, "origin"],
      [{ hostname: "a\r\nX: y" }, "hostname"],
      [{ hostname: "" }, "hostname"],
      [{ pathName: "/a#b" }, "fragment"],
      [{ token: "" }, "token"],
      [{ proxy: "https://proxy.example" }, "proxy"],
      [{ reconnect: { minDelay: -1 } }, "minDelay"],
    ];
    for (const [options, says] of wrong) {
      assertThrows(() => new WebSocketClient(options), OptionError, says);
      const client = Object.assign(new WebSocketClient(), { ...options, autoCheckInterval: 0 });
      if (options.autoCheckInterval === undefined) await assertRejects(() => client.connect(), OptionError, says);
    }
    await assertRejects(
      () => new WebSocketClient({ headers: { host: "x" } }).connect({ stream: pipe()[0] }),
      OptionError,
      "host",
    );
  });

  it("are checked by connect, but autoCheckInterval when it is set, since it counts at once", () => {
    const client = new WebSocketClient();
    assertThrows(() => client.autoCheckInterval = -1, OptionError, "autoCheckInterval");
    client.connectTimeout = -1;
    assertEquals([client.autoCheckInterval, client.connectTimeout], [0, -1]);
  });

  it("keep the defaults for null, and a copy of the switches that are given", () => {
    const options = { manualPong: true };
    const client = new WebSocketClient({ port: null as unknown as number, options });
    options.manualPong = false;
    assertEquals([client.port, client.options], [8888, { frameByFrame: false, manualPong: true, manualClose: false }]);
  });

  it("of a connection are picked once it is made: later changes of its switches do not reach it", () => {
    const settings = {
      ...defaultsOf(CLIENT_SETTINGS),
      options: { manualPong: true },
      maxFragments: 5,
    } as ClientSettings;
    const clock = new FakeClock();
    const picked = connectionSettings(settings, { timers: () => clock });
    settings.options.manualPong = false;
    assertEquals([picked.options.manualPong, picked.maxFragments, "port" in picked], [true, 5, false]);
    assert(picked.clock === clock);
  });

  it("of a URL with credentials become an Authorization header, unless one is given", () => {
    const client = new WebSocketClient("ws://user:p%C3%A4ss@a/");
    assertEquals(new Headers(client.headers as Headers).get("authorization"), `Basic ${btoa("user:p\u00c3\u00a4ss")}`);
    const authorization = (url: string): string | null =>
      new Headers(new WebSocketClient(url).headers as Headers).get("authorization");
    // A "%" without two hexadecimal digits stands for itself.
    assertEquals(authorization("ws://%41%%42%4:%zz%4g%2Bx%@a/"), `Basic ${btoa("A%B%4:%zz%4g+x%")}`);
    const other = new WebSocketClient("ws://user@a/", { headers: { authorization: "Bearer x" } });
    assertEquals(new Headers(other.headers as Headers).get("authorization"), "Bearer x");
    assertEquals(new WebSocketClient({ hostname: "[::1]", port: 1 }).url, "ws://[::1]:1/");
  });
});
