import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect as connectTcp, createServer } from "node:net";
import type { ConnectPlan } from "../../client/connector.ts";
import { OptionError, TransportError } from "../../base/errors.ts";
import { assertTls, assertTlsAt } from "../../client/tls_requirement.ts";
import { socketConnector } from "../../client/socket_connector.ts";
import { WhatsAppReceiver, type WhatsAppReceiverOptions } from "../../whatsapp.ts";
import { PageReceiver } from "../support/page.ts";
import { pipe, startEcho } from "../support/support.ts";

/** A port of all addresses to which nothing may connect. */
async function withListener(test: (port: number) => Promise<void>): Promise<void> {
  let connections = 0;
  const listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, "0.0.0.0", resolve));
  try {
    await test((listener.address() as { port: number }).port);
    // A connection that was made would be seen before this one.
    await new Promise<void>((resolve) => {
      listener.once("connection", () => queueMicrotask(resolve));
      connectTcp((listener.address() as { port: number }).port, "127.0.0.1").on("error", () => {});
    });
    assertEquals(connections, 1);
  } finally {
    await new Promise((resolve) => listener.close(resolve));
  }
}

const secrets: WhatsAppReceiverOptions = { receiverToken: "secret", token: "secret", headers: { cookie: "a=secret" } };

describe("a receiver without TLS", () => {
  const elsewhere = [
    "0.0.0.0",
    "[::]",
    "192.0.2.1",
    "[::ffff:127.0.0.1]",
    "localhost.",
    "a.localhost",
    "127.0.0.1.nip.io",
  ];
  for (const Receiver of [WhatsAppReceiver, PageReceiver]) {
    it(`connects nowhere but to a loopback address, wherever resolveUrl leads (${Receiver.name})`, () =>
      withListener(async (port) => {
        const more = Receiver === PageReceiver ? { receiverToken: "secret" } : secrets;
        for (const host of elsewhere) {
          const resolveUrl = (): string => `ws://${host}:${port}/`;
          const receiver = new Receiver("wss://hooks.example.com/", { ...more, resolveUrl });
          await assertRejects(() => receiver.connect(), OptionError, "without TLS");
          const fixed = new Receiver({
            ...more,
            hostname: host.replace("[", "").replace("]", ""),
            port,
            useSSL: false,
          });
          await assertRejects(() => fixed.connect(), OptionError, "without TLS");
        }
        // What is refused once does not stand in the way of a better answer.
        const urls = [`ws://0.0.0.0:${port}/`, "wss://127.0.0.1:1/"];
        const receiver = new Receiver({ ...more, resolveUrl: () => urls.shift()! });
        await assertRejects(() => receiver.connect(), OptionError, "without TLS");
        await assertRejects(() => receiver.connect(), TransportError, "Cannot connect to 127.0.0.1:1");
      }));
  }

  it("is checked at each attempt", async () => {
    await using server = await startEcho({ protocols: ["whatsapp-notifications"] });
    const port = server.address!.port;
    const urls = [`ws://127.0.0.1:${port}/`, `ws://0.0.0.0:${port}/`];
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const receiver = new WhatsAppReceiver({
      receiverToken: "secret",
      resolveUrl: () => urls.shift()!,
      reconnect: { minDelay: 0, maxDelay: 0 },
      onError: resolve,
    });
    await receiver.connect();
    server.disconnectClients(() => true, 1012);
    const error = await promise as TransportError;
    assertEquals(error.code, "ERR_RECONNECT_GIVEN_UP");
    assertEquals(
      (error.cause as Error).message,
      'Cannot connect to "0.0.0.0" without TLS: it is not a loopback address',
    );
  });

  it("goes through no proxy: what is local there is not local here", () =>
    withListener(async (port) => {
      const proxy = `http://127.0.0.1:${port}`;
      for (const hostname of ["127.0.0.1", "localhost", "0.0.0.0"]) {
        const receiver = new WhatsAppReceiver({ ...secrets, hostname, port: 1, useSSL: false, proxy });
        await assertRejects(() => receiver.connect(), OptionError, "through a proxy");
      }
    }));

  it("follows no redirects, which could lead anywhere", () =>
    withListener(async (port) => {
      const given: WhatsAppReceiverOptions[] = [
        { useSSL: false, hostname: "127.0.0.1", port },
        { resolveUrl: () => `ws://127.0.0.1:${port}/` },
      ];
      for (const options of given) {
        const receiver = new WhatsAppReceiver({ ...secrets, ...options, maxRedirects: 1 });
        await assertRejects(() => receiver.connect(), OptionError, "maxRedirects");
      }
    }));

  it("may go over streams of the program, and to loopback addresses", async () => {
    await using server = await startEcho({ protocols: ["whatsapp-notifications"] });
    const [ours, theirs] = pipe();
    server.acceptStream(theirs);
    await using over = new WhatsAppReceiver("ws://hooks.example.com/", secrets);
    await over.connect({ stream: ours });
    for (const host of ["localhost", "127.0.0.1", "127.1"]) {
      await using receiver = new WhatsAppReceiver(`ws://${host}:${server.address!.port}/`, secrets);
      await receiver.connect();
    }
  });
});

describe("an attempt that needs TLS", () => {
  const plan = (more: Partial<ConnectPlan>): ConnectPlan =>
    ({
      requiresTls: true,
      tls: false,
      hostname: "127.0.0.1",
      socketPath: "",
      proxy: "",
      maxRedirects: 0,
      ...more,
    }) as ConnectPlan;

  it("is checked by the connector too, where redirects lead it", async () => {
    for (const hostname of ["0.0.0.0", "192.0.2.1"]) {
      await assertRejects(() => socketConnector.connect(plan({ hostname }), {} as never), OptionError, "without TLS");
    }
    assertTls(plan({ hostname: "192.0.2.1", tls: true }));
    assertTls(plan({ hostname: "192.0.2.1", requiresTls: false }));
    assertTls(plan({ hostname: "docker", socketPath: "/run/a.sock" }));
    assertThrows(() => assertTls(plan({ socketPath: "/run/a.sock", maxRedirects: 1 })), OptionError, "maxRedirects");
    assertTlsAt(plan({ socketPath: "/run/a.sock" }), "");
    assertThrows(() => assertTlsAt(plan({}), ""), OptionError, "not a loopback address");
  });

  it("is given up if a name leads to another machine, before anything is sent", () => {
    for (const address of ["192.0.2.1", "0.0.0.0", "::", ""]) {
      assertThrows(() => assertTlsAt(plan({}), address), OptionError, "without TLS");
      assertTlsAt(plan({ tls: true }), address);
      assertTlsAt(plan({ requiresTls: false }), address);
    }
    for (const address of ["127.0.0.1", "::1"]) assertTlsAt(plan({}), address);
  });
});

// Where the function that connects can be replaced: what `localhost` stands for is the system's to say.
if ("Deno" in globalThis) {
  describe("a receiver whose system takes localhost for another machine", () => {
    it("sends nothing", async () => {
      const { connect } = Deno;
      let sent = 0;
      let closed = false;
      const conn = {
        remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 80 },
        localAddr: { transport: "tcp", hostname: "192.0.2.2", port: 1 },
        setNoDelay: () => {},
        read: () => Promise.resolve(null),
        write: (bytes: Uint8Array) => Promise.resolve(sent += bytes.length),
        close: () => void (closed = true),
      };
      Deno.connect = (() => Promise.resolve(conn)) as unknown as typeof Deno.connect;
      try {
        const receiver = new WhatsAppReceiver("ws://localhost:80/", { receiverToken: "secret" });
        await assertRejects(() => receiver.connect(), OptionError, '"192.0.2.1" without TLS');
      } finally {
        Deno.connect = connect;
      }
      assertEquals([sent, closed], [0, true]);
    });
  });
}
