import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { SettingsStore } from "../../base/settings.ts";
import { ConnectTarget } from "../../client/connect_target.ts";
import { CLIENT_SETTINGS, type ClientSettings } from "../../client/settings.ts";

function makeTarget(
  settings: Partial<ClientSettings> = {},
): { store: SettingsStore<ClientSettings>; target: ConnectTarget } {
  const store = new SettingsStore(CLIENT_SETTINGS);
  store.assign(settings);
  return { store, target: new ConnectTarget(store) };
}

describe("ConnectTarget", () => {
  it("makes URL, Host and path of the settings", () => {
    const { store, target } = makeTarget({ hostname: "[::1]", port: 9000, pathName: "a?b" });
    assertEquals([target.url, target.hostHeader, target.hostname, target.path], [
      "ws://[::1]:9000/a?b",
      "[::1]:9000",
      "::1",
      "/a?b",
    ]);
    store.set("useSSL", true);
    store.set("port", 443);
    assertEquals(target.url, "wss://[::1]/a?b");
  });

  it("is replaced by a URL, whose credentials it returns", () => {
    const { store, target } = makeTarget();
    assertEquals(target.replace("wss://user:p%C3%A4ss@a.example/x?y"), `Basic ${btoa("user:p\u00c3\u00a4ss")}`);
    const { useSSL, hostname, port, pathName } = store.values;
    assertEquals([useSSL, hostname, port, pathName], [true, "a.example", 443, "/x?y"]);
    assertEquals(target.replace("ws://a.example:81/"), undefined);
    assertThrows(() => target.replace("http://a.example/"), OptionError, "neither");
    assertThrows(() => target.replace("ws://a.example/#b"), OptionError, "fragment");
  });

  it("drops credentials of the first URL from requests to another host, or without TLS", () => {
    const { store, target } = makeTarget();
    target.begin("wss://user:secret@a.example/");
    const headers = store.values.headers as Headers;
    const dropped = (replaced: boolean): boolean => {
      const copy = new Headers(headers);
      target.dropForeignCredentials(copy, replaced);
      return !copy.has("authorization");
    };
    assertEquals([headers.has("authorization"), dropped(false), dropped(true)], [true, false, true]);
    target.replace("wss://A.example/other");
    assertEquals(dropped(false), false);
    target.replace("ws://a.example:443/");
    assertEquals(dropped(false), true);
    target.replace("wss://b.example/");
    assertEquals(dropped(false), true);
  });
});
