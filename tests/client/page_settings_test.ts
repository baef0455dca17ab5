import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../base/clock.ts";
import { OptionError, StateError } from "../../base/errors.ts";
import { browserFailures } from "../../client/browser_failures.ts";
import {
  assertHandler,
  assertNames,
  assertSameTarget,
  assertSignal,
  hostOf,
  PAGE_DEFAULTS,
  PAGE_HANDLERS,
  pageReconnect,
  pageSettings,
  setTarget,
  TERMINAL_CODES,
  urlOf,
} from "../../client/page_settings.ts";
import { reconnectSettings, TERMINAL_CODES as ALL_TERMINAL_CODES } from "../../client/reconnect.ts";
import { CLIENT_HANDLERS, CLIENT_SETTINGS } from "../../client/settings.ts";
import { defaultsOf } from "../../base/settings.ts";

/** Reads settings with some changed. */
function read(changes: object): unknown {
  return pageSettings({ ...PAGE_DEFAULTS, ...changes });
}

describe("the settings of the client of browser-client", () => {
  it("have the names and defaults of ./browser, and so have the fields of reconnect and the handlers", () => {
    const all: Record<string, unknown> = { ...defaultsOf(CLIENT_SETTINGS) };
    for (const [name, value] of Object.entries(PAGE_DEFAULTS)) assertEquals(all[name], value, name);
    for (const name of PAGE_HANDLERS) assert(name in CLIENT_HANDLERS, name);
    const { ownTerminalCodes: _, ...fields } = reconnectSettings(true)!;
    assertEquals(pageReconnect(true), fields);
    assertEquals([pageReconnect(false), TERMINAL_CODES], [undefined, ALL_TERMINAL_CODES]);
    assertEquals(browserFailures.retryAfter, undefined);
  });

  it("are copied, and refused by name with the value when they are out of range", () => {
    assertEquals(read({}), PAGE_DEFAULTS);
    const wrong: [name: string, values: unknown[]][] = [
      ["port", [-1, 65536, 1.5, "80", NaN]],
      ["connectTimeout", [-1, 2 ** 31, "5"]],
      ["maxMessageSize", [-1, 2 ** 53]],
      ["hostname", [1, undefined]],
      ["useSSL", ["yes", undefined]],
      ["protocols", ["chat", {}]],
      ["resolveUrl", ["ws://x", {}]],
      ["slowConsumer", ["wait"]],
      ["clock", [1, null, {}]],
      ["reconnect", ["yes", 1, null]],
    ];
    for (const [name, values] of wrong) {
      for (const value of values) assertThrows(() => read({ [name]: value }), OptionError, `The setting "${name}"`);
    }
    read({ clock: systemClock, resolveUrl: () => "ws://x", reconnect: { maxAttempts: 3 } });
  });

  it("let a default of reconnect give way to the other limit, as elsewhere", () => {
    for (const option of [{ minDelay: 60_000 }, { maxDelay: 100 }, { minDelay: 5, maxDelay: 5 }]) {
      const { ownTerminalCodes: _, ...fields } = reconnectSettings(option)!;
      assertEquals(pageReconnect(option), fields);
    }
    assertThrows(() => pageReconnect({ minDelay: 2, maxDelay: 1 }), OptionError, "more than");
    assertThrows(() => pageReconnect({ minDelay: -1 }), OptionError, '"reconnect.minDelay" is -1');
    assertThrows(() => pageReconnect({ terminalCodes: 5 as never }), OptionError, '"reconnect.terminalCodes" is 5');
    assertThrows(() => pageReconnect({ maxRetries: 3 } as never), OptionError, "maxAttempts");
  });

  it("are told apart from names of other clients and from mistakes, with the nearest name", () => {
    const known = Object.keys(PAGE_DEFAULTS);
    assertNames("X", { port: 1 }, known);
    for (const name of ["headers", "token", "autoCheckMessages", "onPing"]) {
      const error = assertThrows(() => assertNames("X", { [name]: 1 }, known), StateError, name);
      assertEquals(error.code, "ERR_UNSUPPORTED");
      assertStringIncludes(error.message, "@tackline/websocket/browser");
    }
    const nearest = { reconect: "reconnect", Port: "port", hostName: "hostname", conectTimeOut: "connectTimeout" };
    for (const [name, right] of Object.entries(nearest)) {
      assertThrows(() => assertNames("X", { [name]: 1 }, known), OptionError, `did you mean "${right}"?`);
    }
    assertThrows(() => assertNames("X", { ["x".repeat(10_000)]: 1 }, known), OptionError, "X has no option");
    for (const wrong of [null, 5, [1]]) {
      assertThrows(() => assertNames("X", wrong as never, known), OptionError, "object");
    }
    assertThrows(() => assertHandler("onError", 1), OptionError, 'The handler "onError" is 1');
    for (const none of [null, undefined, () => {}]) assertHandler("onError", none);
    assertThrows(() => assertSignal({ signal: {} }), OptionError, "AbortSignal");
    for (const signal of [null, undefined, new AbortController().signal]) assertSignal({ signal });
  });
});

describe("the URL of the client of browser-client", () => {
  const parse = (url: string | URL): string => {
    const target = { ...PAGE_DEFAULTS };
    setTarget(target, url);
    return urlOf(target);
  };

  it("is made of the settings, and they of it", () => {
    for (const url of ["ws://a/", "wss://a/b?c", "ws://a:81/b", "wss://[::1]:8443/", "ws://[::1]/x"]) {
      assertEquals([parse(url), parse(new URL(url))], [url, url]);
    }
    assertEquals(parse("wss://a:443"), "wss://a/");
    assertEquals(urlOf({ hostname: "::1", port: 80, pathName: "chat", useSSL: false }), "ws://[::1]/chat");
    assertEquals(hostOf({ ...PAGE_DEFAULTS, hostname: "a" }), "a:8888");
  });

  it("is refused if it is none, without what is secret in it", () => {
    const wrong = ["", "nothing", "http://a/", "ws://a/#b", "user:secret@host", "x://user:secret@host/?secret"];
    for (const url of [...wrong, "ws://user:secret@ho st/", "ws://a:secret/"]) {
      const error = assertThrows(() => parse(url), OptionError, "The URL");
      assert(!error.message.includes("secret"), error.message);
    }
    const error = assertThrows(() => parse("ws://user:secret@a/"), StateError, "a browser offers no way to");
    assert(error.code === "ERR_UNSUPPORTED" && !error.message.includes("secret"));
  });

  it("is not contradicted by options beside it", () => {
    const target = { ...PAGE_DEFAULTS };
    setTarget(target, "ws://a/b");
    assertSameTarget(target, "ws://a/b", { port: 80, hostname: "a", pathName: "/b", useSSL: false });
    for (const options of [{ port: 81 }, { hostname: "b" }, { pathName: "/" }, { useSSL: true }]) {
      assertThrows(() => assertSameTarget(target, "ws://a/b", options), OptionError, "give one of both");
    }
  });
});
