import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { OptionError } from "../../base/errors.ts";
import { SettingsStore } from "../../base/settings.ts";
import { ConnectTarget } from "../../client/connect_target.ts";
import { CLIENT_SETTINGS, type ClientSettings } from "../../client/settings.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";
import { startEcho, tlsFile } from "../support/support.ts";

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

  it("takes all parts of a URL, and returns its credentials", () => {
    const { settings, target } = makeTarget();
    assertEquals(target.replace("wss://user:p%40ss@[::1]/a?b"), `Basic ${btoa("user:p@ss")}`);
    const { hostname, port, pathName, useSSL } = settings.values;
    assertEquals([hostname, port, pathName, useSSL], ["::1", 443, "/a?b", true]);
    assertEquals(target.replace("ws://b:81"), undefined);
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

  it("drops the credentials of its first URL for another origin", () => {
    const { settings, target } = makeTarget();
    target.begin("wss://user:pass@a/");
    const given = (): Headers => new Headers(settings.values.headers as Headers);
    const kept = (replaced: boolean): boolean => {
      const headers = given();
      target.dropForeignCredentials(headers, replaced);
      return headers.has("authorization");
    };
    assertEquals([kept(false), kept(true)], [true, false]);
    for (const url of ["wss://b/", "ws://a:443/", "wss://a:444/"]) {
      target.replace(url);
      assertEquals(kept(false), false, url);
    }
    const own = new Headers({ authorization: "mine" });
    target.dropForeignCredentials(own, true);
    assertEquals(own.get("authorization"), "mine");
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

describe("credentials in a client's URL", () => {
  it("go to the host that the URL names, and not where resolveUrl leads", async () => {
    const seen: (string | null)[] = [];
    const onAllow = ({ request }: { request: { headers: Headers } }): boolean => {
      seen.push(request.headers.get("authorization"));
      return true;
    };
    await using one = await startEcho({ onAllow });
    await using two = await startEcho({ onAllow });
    const connect = async (url: string, options: WebSocketClientOptions = {}): Promise<void> => {
      await using client = new WebSocketClient(url, options);
      await client.connect();
    };
    const first = `ws://user:pass@127.0.0.1:${one.address!.port}/`;
    const basic = (text: string): string => `Basic ${btoa(text)}`;
    await connect(first);
    await connect(first, { resolveUrl: () => `ws://127.0.0.1:${one.address!.port}/other` });
    await connect(first, { resolveUrl: () => `ws://127.0.0.1:${two.address!.port}/` });
    await connect(first, { resolveUrl: () => `ws://a:b@127.0.0.1:${two.address!.port}/` });
    await connect(first, { resolveUrl: () => `ws://c:d@127.0.0.1:${one.address!.port}/` });
    // What is given as a header is the program's word, wherever it goes.
    const headers = { authorization: "Bearer mine" };
    await connect(first, { headers, resolveUrl: () => `ws://127.0.0.1:${two.address!.port}/` });
    assertEquals(seen, [basic("user:pass"), basic("user:pass"), null, basic("a:b"), basic("c:d"), "Bearer mine"]);
  });

  it("do not go to the same host without TLS", async () => {
    let seen: string | null = "";
    await using server = await startEcho({
      onAllow: ({ request }) => {
        seen = request.headers.get("authorization");
        return true;
      },
    });
    const port = server.address!.port;
    await using client = new WebSocketClient(`wss://user:pass@localhost:${port}/`, {
      rootCertificateFile: tlsFile("ca.pem"),
      resolveUrl: () => `ws://localhost:${port}/`,
    });
    await client.connect();
    assertEquals(seen, null);
  });
});
