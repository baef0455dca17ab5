import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { ConnectPlan } from "../../client/connector.ts";
import { HandshakeError, OptionError } from "../../base/errors.ts";
import { locationOf, redirect } from "../../client/redirect.ts";
import { NO_TLS_SETTINGS } from "../../client/tls_settings.ts";
import type { WebSocketServer } from "../../server.ts";
import { startEcho } from "../support/support.ts";

const plan = (options: Partial<ConnectPlan> = {}): ConnectPlan => ({
  url: "wss://one.example/a/b?c",
  hostname: "one.example",
  port: 443,
  socketPath: "",
  tls: true,
  host: "one.example",
  target: "/a/b?c",
  headers: new Headers({ authorization: "Bearer x", "x-key": "y" }),
  protocols: ["chat", "bearer.abc"],
  tlsSettings: { ...NO_TLS_SETTINGS, rootCertificate: "roots", certificateFile: "client.pem", serverName: "x.example" },
  ...options,
} as ConnectPlan);

const follow = (location: string, from = plan()): ConnectPlan => redirect(from, location, undefined);

describe("redirect", () => {
  it("resolves the target as a URL reference does", () => {
    const targets = [
      ["d", "wss://one.example/a/d"],
      ["/d?e", "wss://one.example/d?e"],
      ["?f", "wss://one.example/a/b?f"],
      ["https://one.example/", "wss://one.example/"],
      ["wss://two.example:99/x#part", "wss://two.example:99/x"],
      ["//two.example", "wss://two.example/"],
      ["https://[::1]:8443/", "wss://[::1]:8443/"],
    ];
    for (const [location, url] of targets) assertEquals(follow(location!).url, url);
    const { hostname, port, host, target, tls } = follow("https://[::1]:8443/p?q");
    assertEquals([hostname, port, host, target, tls], ["::1", 8443, "[::1]:8443", "/p?q", true]);
  });

  it("keeps headers and protocols at the same origin, and takes no credentials to another one", () => {
    const near = follow("/d");
    assertEquals(near.tlsSettings, plan().tlsSettings);
    assertEquals([near.headers.get("authorization"), near.protocols], ["Bearer x", ["chat", "bearer.abc"]]);
    for (const location of ["https://two.example/", "https://one.example:8443/", "wss://one.example.evil.example/"]) {
      const far = follow(location);
      assertEquals([[...far.headers], far.protocols], [[], ["chat"]]);
      // A certificate of the client names it, as a token does.
      assertEquals(far.tlsSettings, { ...NO_TLS_SETTINGS, rootCertificate: "roots" });
    }
    const upgraded = follow("wss://one.example/", plan({ url: "ws://one.example/", port: 80, tls: false }));
    assertEquals([[...upgraded.headers], upgraded.tls], [[], true]);
    // Host and port are the same, the scheme is not.
    const plain = plan({ url: "ws://one.example:8443/", host: "one.example:8443", port: 8443, tls: false });
    const other = follow("wss://one.example:8443/", plain);
    assertEquals([[...other.headers], other.protocols, other.tls], [[], ["chat"], true]);
  });

  it("stays on a Unix socket at the same origin, and leaves it for another one", () => {
    const unix = plan({
      url: "ws+unix:/run/a%20b.sock:/a/b?c",
      socketPath: "/run/a b.sock",
      hostname: "localhost",
      host: "localhost",
      port: 8888,
      tls: false,
    });
    for (const location of ["d", "/a/d", "http://localhost/a/d", "ws://localhost/a/d"]) {
      const { url, socketPath, target, headers } = follow(location, unix);
      assertEquals([url, socketPath, target], ["ws+unix:/run/a%20b.sock:/a/d", "/run/a b.sock", "/a/d"]);
      assertEquals(headers.get("authorization"), "Bearer x");
    }
    for (const location of ["http://localhost:8888/d", "https://localhost/d", "ws://two.example/d"]) {
      const far = follow(location, unix);
      assertEquals([far.socketPath, [...far.headers], far.url.includes("unix")], ["", [], false]);
    }
  });

  it("never leads from wss to ws, nor to another scheme", () => {
    for (
      const location of ["http://one.example/", "ws://one.example/", "ftp://one.example/", "javascript:1", "http://["]
    ) {
      const error = assertThrows(() => follow(location), HandshakeError, "The redirect is not followed");
      assertEquals(error.code, "ERR_REDIRECT");
    }
  });

  it("is one by its status and Location", () => {
    const headers = new Headers({ location: "/x" });
    const answer = (status: number, fields?: Headers): HandshakeError =>
      new HandshakeError("ERR_HANDSHAKE_STATUS", "", status, { headers: fields });
    for (const status of [301, 302, 303, 307, 308]) assertEquals(locationOf(answer(status, headers)), "/x");
    for (const status of [101, 200, 300, 304, 305, 401]) assertEquals(locationOf(answer(status, headers)), undefined);
    assertEquals([locationOf(answer(302)), locationOf(new Error())], [undefined, undefined]);
  });
});

describe("a client that is redirected", () => {
  async function withServers(
    test: (near: WebSocketServer, far: WebSocketServer, seen: string[]) => Promise<void>,
  ): Promise<void> {
    const seen: string[] = [];
    const note = (name: string, { path, headers }: { path: string; headers: Headers }): void =>
      void seen.push(`${name}${path} ${headers.get("authorization") ?? "-"}`);
    await using far = await startEcho({
      onAllow: ({ request }) => {
        note("far", request);
        return true;
      },
    });
    await using near = await startEcho({
      onAllow: ({ request }) => {
        note("near", request);
        const far1 = `http://127.0.0.1:${far.address!.port}/end`;
        const targets = new Map([["/near", "/end"], ["/far", far1], ["/loop", "/loop"]]);
        const location = targets.get(request.path);
        return location === undefined || new Response(null, { status: 302, headers: { location } });
      },
    });
    await test(near, far, seen);
  }

  const connect = async (server: WebSocketServer, path: string, options: WebSocketClientOptions): Promise<void> => {
    const headers = { authorization: "Bearer mine" };
    await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}${path}`, { headers, ...options });
    await client.connect();
    client.send("hi");
    for await (const message of client) {
      assertEquals(message, "hi");
      return;
    }
  };

  it("refuses by default", () =>
    withServers(async (near) => {
      const error = await assertRejects(() => connect(near, "/near", {}), HandshakeError, "302");
      assertEquals([error.status, error.headers?.get("location")], [302, "/end"]);
    }));

  it("follows as many as it may, with credentials at the same origin only", () =>
    withServers(async (near, _far, seen) => {
      await connect(near, "/near", { maxRedirects: 1 });
      await connect(near, "/far", { maxRedirects: 1 });
      assertEquals(seen, ["near/near Bearer mine", "near/end Bearer mine", "near/far Bearer mine", "far/end -"]);
      const error = await assertRejects(() => connect(near, "/loop", { maxRedirects: 3 }), HandshakeError, "3 already");
      assertEquals([error.code, seen.length], ["ERR_REDIRECT", 8]);
      assertThrows(() => new WebSocketClient({ maxRedirects: -1 }), OptionError, "maxRedirects");
    }));
});
