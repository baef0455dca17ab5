import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { OptionError } from "../../base/errors.ts";
import { SettingsStore } from "../../base/settings.ts";
import { ConnectTarget } from "../../client/connect_target.ts";
import { CLIENT_SETTINGS, type ClientSettings } from "../../client/settings.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";

function makeTarget(): { settings: SettingsStore<ClientSettings>; target: ConnectTarget } {
  const settings = new SettingsStore(CLIENT_SETTINGS);
  return { settings, target: new ConnectTarget(settings) };
}

describe("ConnectTarget", () => {
  it("shows the settings as a URL and as Host, without the default port", () => {
    const { settings, target } = makeTarget();
    assertEquals([target.url, target.hostHeader], ["ws://localhost:8888/", "localhost:8888"]);
    for (const [useSSL, port, host] of [[false, 80, "a"], [true, 443, "a"], [true, 80, "a:80"]] as const) {
      settings.assign({ useSSL, port, hostname: "a", pathName: "path?q" });
      assertEquals([target.hostHeader, target.url], [host, `${useSSL ? "wss" : "ws"}://${host}/path?q`]);
    }
    settings.assign({ hostname: "[::1]", port: 81 });
    assertEquals([target.hostname, target.hostHeader], ["::1", "[::1]:81"]);
  });

  it("takes all parts of a URL", () => {
    const { settings, target } = makeTarget();
    assertEquals(target.replace("wss://user:p%40ss@[::1]/a?b").username, "user");
    const { hostname, port, pathName, useSSL } = settings.values;
    assertEquals([hostname, port, pathName, useSSL], ["::1", 443, "/a?b", true]);
    target.replace("ws://b:81");
    assertEquals([target.url, settings.values.useSSL], ["ws://b:81/", false]);
  });

  it("refuses what is no WebSocket URL, and shows no password", () => {
    const { target } = makeTarget();
    for (const url of ["nothing", "http://a/", "ws://u:secret@a/#b"]) {
      const error = assertThrows(() => target.replace(url), OptionError, "The URL");
      assertEquals(error.message.includes("secret"), false);
    }
    assertEquals(target.url, "ws://localhost:8888/");
  });
});

describe("a Unix socket of a client", () => {
  it("is refused beside another place, and may stand beside a URL with a host", () => {
    const unix = "ws+unix:/run/a.sock:/chat";
    const cases: [url: string, options: WebSocketClientOptions, says: string][] = [
      [unix, { hostname: "a" }, '"hostname" is "a"'],
      [unix, { port: 81 }, '"port" is 81'],
      [unix, { path: "/run/b.sock" }, '"path" is "/run/b.sock"'],
      [unix, { useSSL: true }, "speaks no TLS"],
      [unix, { pathName: "/" }, '"pathName" is "/"'],
      ["ws://a/", { path: "/run/a.sock", port: 81 }, '"port" does not go with "path"'],
      ["ws://a/", { path: "/run/a.sock", hostname: "b" }, '"hostname" is "b"'],
    ];
    for (const [url, options, says] of cases) assertThrows(() => new WebSocketClient(url, options), OptionError, says);
    const same = { path: "/run/a.sock", pathName: "chat", hostname: "localhost" };
    assertEquals(new WebSocketClient(unix, same).url, unix);
    const beside = new WebSocketClient("ws://a:81/chat", { path: "/run/a.sock", hostname: "A" });
    assertEquals([beside.url, beside.hostname, beside.path], [unix, "a", "/run/a.sock"]);
  });
});

describe("options beside a client's URL", () => {
  const url = "ws://user:secret@[::1]:81/a%20b?c=1";

  it("are refused if they name another target, in place of being ignored", () => {
    const cases: [options: WebSocketClientOptions, shown: string[]][] = [
      [{ useSSL: true }, ['"useSSL" is true', "speaks no TLS"]],
      [{ hostname: "a" }, ['"hostname" is "a"', '"::1"']],
      [{ hostName: "a" }, ['"hostname" is "a"', '"::1"']],
      [{ port: 80 }, ['"port" is 80', "has 81"]],
      [{ port: "81" as unknown as number }, ['"port" is "81"', "has 81"]],
      [{ pathName: "/a" }, ['"pathName" is "/a"', '"/a%20b?c=1"']],
      [{ pathName: "" }, ['"pathName" is ""']],
    ];
    for (const [options, shown] of cases) {
      const { message } = assertThrows(() => new WebSocketClient(url, options), OptionError);
      for (const text of [...shown, "ws://"]) assertEquals(message.includes(text), true, message);
      assertEquals(message.includes("secret"), false, message);
    }
    assertThrows(() => new WebSocketClient("wss://a", { useSSL: false }), OptionError, "speaks TLS");
  });

  it("may say the same", () => {
    const same: WebSocketClientOptions[] = [
      {},
      { useSSL: undefined, hostname: undefined },
      { useSSL: false, hostname: "::1", port: 81, pathName: "/a%20b?c=1" },
      { hostName: "[::1]", pathName: "a b?c=1" },
    ];
    for (const options of same) assertEquals(new WebSocketClient(url, options).url, "ws://[::1]:81/a%20b?c=1");
    assertEquals(new WebSocketClient("wss://A/", { useSSL: true, port: 443, hostname: "A" }).url, "wss://a/");
  });

  it("may be assigned afterwards", () => {
    const client = new WebSocketClient(url);
    client.port = 82;
    assertEquals(client.url, "ws://[::1]:82/a%20b?c=1");
  });

  it("of a receiver too, whose default of useSSL is none of them", () => {
    assertThrows(() => new WhatsAppReceiver("ws://127.0.0.1/", { useSSL: true }), OptionError, "speaks no TLS");
    assertEquals(new WhatsAppReceiver("ws://127.0.0.1/").useSSL, false);
    assertEquals(new WhatsAppReceiver({ hostname: "a" }).useSSL, true);
  });
});
