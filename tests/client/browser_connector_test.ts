import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, StateError, TransportError, WebSocketError } from "../../base/errors.ts";
import type { WebSocketClientOptions } from "../../client.ts";
import { browserConnector } from "../../client/browser_connector.ts";
import type { CloseInfo } from "../../connection/options.ts";
import { describePages, PageClient } from "../support/page.ts";
import { urlOf } from "../support/peers.ts";
import { RawListener } from "../support/sockets.ts";
import { defer, FakeClock, pipe, startEcho, until } from "../support/support.ts";

async function failure(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, WebSocketError)).code;
}

describePages("connecting in a page", (Client) => {
  it("fails to connect with a reason as good as a browser gives, in time, and when it is given up", async () => {
    const silent = await RawListener.listen();
    const { port } = silent;
    const url = `ws://127.0.0.1:${port}/`;
    const accepted = silent.accept();
    assertEquals(await failure(() => new Client(url, { connectTimeout: 30 }).connect()), "ERR_CONNECT_TIMEOUT");
    await (await accepted).close();
    const again = silent.accept();
    const controller = new AbortController();
    const aborted = new Client(url).connect({ signal: controller.signal });
    const socket = await again;
    controller.abort();
    assertEquals(await failure(() => aborted), "ERR_ABORTED");
    await socket.close();
    await silent.close();
    const error = await assertRejects(() => new Client(url).connect(), TransportError, `127.0.0.1:${port}`);
    assertEquals(error.code, "ERR_CONNECT");
    const server = await startEcho({ onAllow: () => false });
    assertEquals(await failure(() => new Client(urlOf(server)).connect()), "ERR_CONNECT");
    await server.stop();
  });
});

describe("browserConnector", () => {
  it("can be refused by the program, which closes the open connection", async () => {
    const gone = defer<CloseInfo>();
    const server = await startEcho({ onDisconnect: (_, info) => gone.resolve(info) });
    const client = new PageClient(urlOf(server), { onHandshakeResponse: () => false });
    await assertRejects(() => client.connect(), HandshakeError, "refused");
    assertEquals((await gone.promise).received?.code, 1005);
    await server.stop();
  });

  it("leaves nothing open when it is given up while the program looks at the answer", async () => {
    for (const giveUp of ["time", "disconnect"]) {
      const server = await startEcho();
      const asked = defer<void>();
      const clock = new FakeClock();
      const client = new PageClient(urlOf(server), {
        clock,
        connectTimeout: giveUp === "time" ? 50 : 0,
        onHandshakeResponse: () => {
          asked.resolve();
          return new Promise(() => {});
        },
      });
      const connecting = client.connect();
      await asked.promise;
      if (giveUp === "disconnect") await client.disconnect();
      else clock.advance(50);
      assertEquals(await failure(() => connecting), giveUp === "time" ? "ERR_CONNECT_TIMEOUT" : "ERR_ABORTED");
      await until(() => server.connections.size === 0, "the end");
      await server.stop();
    }
  });

  it("uses the clock of the program as it is", () => {
    const clock = new FakeClock();
    assert(browserConnector.timers(clock) === clock);
  });

  it("refuses each setting that a browser cannot apply", async () => {
    const url = "ws://127.0.0.1:1/";
    const settings: [name: string, options: WebSocketClientOptions][] = [
      ["headers", { headers: { "X-Test": "1" } }],
      ["headers", { onSendHandshake: ({ headers }) => headers.set("x-test", "1") }],
      ["origin", { origin: "https://example.com" }],
      ["rootCertificateFile", { rootCertificateFile: "ca.pem" }],
      ["certificate", { certificate: "-----BEGIN CERTIFICATE-----" }],
      ["serverName", { serverName: "a.example" }],
      ["path", { path: "/run/a.sock" }],
      ["proxy", { proxy: "http://proxy.example" }],
      ["maxRedirects", { maxRedirects: 1 }],
      ["frameSize", { frameSize: 100 }],
      ["maxFragments", { maxFragments: 3 }],
      ["messageTimeout", { messageTimeout: 3 }],
      ["frameByFrame", { options: { frameByFrame: true } }],
      ["manualPong", { options: { manualPong: true } }],
      ["manualClose", { options: { manualClose: true } }],
      ["onPing", { onPing: () => {} }],
      ["onPong", { onPong: () => {} }],
    ];
    for (const [name, options] of settings) {
      const error = await assertRejects(() => new PageClient(url, options).connect(), StateError, name);
      assertEquals(error.code, "ERR_UNSUPPORTED");
    }
    assertThrows(() => new PageClient(url, { compression: { level: 1 } }), StateError, "compression");
    for (const compression of [true, false, []]) new PageClient(url, { compression });
    const [ours] = pipe();
    await assertRejects(() => new PageClient(url).connect({ stream: ours }), StateError, "stream");
  });

  it("refuses credentials, which a browser cannot send", async () => {
    const url = "ws://127.0.0.1:1/";
    const secret = new PageClient("ws://user:secret@localhost/");
    const refused = await assertRejects(() => secret.connect(), StateError, "authorization");
    assert(!refused.message.includes("secret"));
    // In a real page the settings are those of the browser's connector from the beginning.
    const { requestHeaders } = browserConnector;
    const none = { headers: {}, token: undefined };
    const ask = <Answer>(_name: string, handler: () => Answer | Promise<Answer>): Promise<Answer> =>
      Promise.resolve(handler());
    const refuses = async (first: string, next?: string, more: Partial<typeof none> | { token: string } = {}) => {
      const target = { first: new URL(first), firstOrigin: "", origin: "" };
      const fields = await requestHeaders(
        { ...none, ...more },
        target,
        ask,
        next === undefined ? undefined : new URL(next),
      );
      return fields.has("authorization");
    };
    assertEquals(
      [
        await refuses("ws://u:p@a/"),
        await refuses("ws://u:p@a/", "ws://a/next"),
        await refuses("ws://a/", "ws://u@b/"),
        await refuses("ws://a/", undefined, { token: "secret" }),
        await refuses("ws://u:p@a/", "ws://b/"),
        await refuses("ws://a/"),
      ],
      [true, true, true, true, false, false],
    );
    const page = new PageClient(url, { token: "secret" });
    const token = await assertRejects(() => page.connect(), StateError, 'connect with "token"');
    assert(token.message.includes('"receiverToken"') && !token.message.includes("secret"), token.message);
  });
});
