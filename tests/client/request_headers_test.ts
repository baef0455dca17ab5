import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { join } from "node:path";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { SettingsStore } from "../../base/settings.ts";
import { ConnectTarget } from "../../client/connect_target.ts";
import { requestHeaders, withCredentials } from "../../client/request_headers.ts";
import { CLIENT_SETTINGS } from "../../client/settings.ts";
import { WebSocketServer } from "../../server.ts";
import { startEcho, tlsFile } from "../support/support.ts";
import { inFolder } from "../support/unix.ts";

describe("requestHeaders", () => {
  it("drops the credentials of the client's first URL for another origin", async () => {
    const settings = new SettingsStore(CLIENT_SETTINGS);
    const target = new ConnectTarget(settings);
    settings.set("headers", withCredentials({}, target.begin("wss://user:pass@a/")) as Headers);
    const ask = <Answer>(_name: string, handler: () => Answer | Promise<Answer>): Promise<Answer> =>
      Promise.resolve(handler());
    const sent = async (url?: URL): Promise<string | null> => {
      return (await requestHeaders(settings.values, target, ask, url)).get("authorization");
    };
    const own = `Basic ${btoa("user:pass")}`;
    assertEquals([await sent(), await sent(new URL("wss://a/")), await sent(new URL("wss://c:d@a/"))], [
      own,
      own,
      `Basic ${btoa("c:d")}`,
    ]);
    for (const url of ["wss://b/", "ws://a:443/", "wss://a:444/"]) {
      assertEquals(await sent(target.replace(url)), null, url);
    }
    target.begin("ws://user:pass@a/", { path: "/run/a.sock" });
    assertEquals([await sent(), await sent(target.replace("ws://a/"))], [own, null]);
    settings.set("headers", new Headers({ authorization: "mine" }));
    assertEquals(await sent(target.replace("wss://x:y@b/")), "mine");
  });
});

describe("credentials in a client's URL", () => {
  it("go to a Unix socket that stands beside it, and then not to the host", async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const seen: (string | null)[] = [];
      const onAllow = ({ request }: { request: { headers: Headers } }): boolean => {
        seen.push(request.headers.get("authorization"));
        return true;
      };
      await using tcp = await startEcho({ onAllow });
      await using server = new WebSocketServer({ path, onAllow });
      await server.start();
      const host = `127.0.0.1:${tcp.address!.port}`;
      for (const resolveUrl of [undefined, () => `ws+unix:${path}:/`, () => `ws://${host}/`]) {
        await using client = new WebSocketClient(`ws://user:pass@${host}/`, { path, resolveUrl });
        await client.connect();
      }
      assertEquals(seen, [`Basic ${btoa("user:pass")}`, null, null]);
    });
  });

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
