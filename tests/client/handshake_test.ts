import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, TransportError } from "../../base/errors.ts";
import { ClientHandshake } from "../../client/handshake.ts";
import type { Head } from "../../protocol/head.ts";
import { decode, encode, FakeClock, FakeTransport } from "../support/support.ts";

interface Begun {
  transport: FakeTransport;
  handshake: ClientHandshake;
  exchanged: Promise<Head>;
}

function begin({ encrypted = false }: { encrypted?: boolean } = {}): Begun {
  const transport: FakeTransport = Object.assign(new FakeTransport(), { encrypted });
  const handshake = new ClientHandshake(transport, new AbortController().signal);
  return { transport, handshake, exchanged: handshake.exchange(encode("request")) };
}

/** Refuses a handshake; returns the error that the body leads to, or "". No timer may fire. */
async function refusal(
  options: { encrypted?: boolean },
  head: string,
  body: string,
  size: number,
  ended: boolean,
): Promise<string> {
  const { transport, handshake, exchanged } = begin(options);
  const clock = new FakeClock();
  transport.receive(encode(head));
  const checked = handshake.assertNotTls(await exchanged, clock).then(() => "", (error) => error.message);
  const bytes = encode(body);
  for (let at = 0; at < bytes.length; at += size) transport.receive(bytes.subarray(at, at + size));
  if (ended) transport.handler.end();
  const message = await checked;
  assertEquals(clock.pending, 0);
  return message;
}

describe("ClientHandshake", () => {
  it("remembers bytes, FIN and loss that come before the connection takes over", async () => {
    const head = "HTTP/1.1 101 x\r\nA: b\r\n\r\n";
    for (const end of ["end", "close"] as const) {
      const transport = new FakeTransport();
      const handshake = new ClientHandshake(transport, new AbortController().signal);
      const exchanged = handshake.exchange(encode("request"));
      transport.receive(encode(head.slice(0, 10)));
      transport.receive(encode(head.slice(10) + "one"));
      assertEquals(transport.paused, true);
      await exchanged;
      transport.receive(encode("two"));
      transport.handler[end]();
      assertEquals([decode(transport.written), decode(handshake.leftover)], ["request", "onetwo"]);
      assertEquals([handshake.ended, handshake.closed !== undefined], [end === "end", end === "close"]);
    }
  });

  it("rejects when the transport ends, and when the head is broken", async () => {
    for (const end of ["end", "close"] as const) {
      const transport = new FakeTransport();
      const exchanged = new ClientHandshake(transport, new AbortController().signal).exchange(encode("request"));
      transport.handler[end]();
      assertEquals((await assertRejects(() => exchanged, TransportError)).code, "ERR_CONNECTION_LOST");
    }
    const transport = new FakeTransport();
    const exchanged = new ClientHandshake(transport, new AbortController().signal).exchange(encode("request"));
    transport.receive(encode("HTTP/1.1 101 x\r\n broken: y\r\n\r\n"));
    await assertRejects(() => exchanged, HandshakeError);
  });

  it("reads over interim responses, cut at every byte, also when they end in nothing", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    for (const [final, status] of [["HTTP/1.1 101 x\r\n\r\n", "101"], ["HTTP/1.1 401 x\r\n\r\n", "401"]] as const) {
      const answer = encode(hints + final + "rest");
      for (let size = 1; size <= answer.length; size++) {
        const transport = new FakeTransport();
        const handshake = new ClientHandshake(transport, new AbortController().signal);
        const exchanged = handshake.exchange(encode("request"));
        for (let at = 0; at < answer.length; at += size) transport.receive(answer.subarray(at, at + size));
        const { startLine } = await exchanged;
        assertEquals([startLine.slice(9, 12), decode(handshake.leftover)], [status, "rest"]);
      }
    }
    const { transport, exchanged } = begin();
    transport.receive(encode(hints));
    transport.handler.end();
    assertEquals((await assertRejects(() => exchanged, TransportError)).code, "ERR_CONNECTION_LOST");
    const flooded = begin();
    for (let count = 0; count < 100; count++) flooded.transport.receive(encode(hints));
    assertEquals((await assertRejects(() => flooded.exchanged, HandshakeError)).code, "ERR_HEAD_TOO_LARGE");
  });

  it("names a port that speaks TLS, or another protocol, with the remedy", async () => {
    const remedy = 'use "wss:", or "useSSL: true"';
    for (const size of [1, 2, 7]) {
      const { transport, exchanged } = begin();
      const alert = Uint8Array.of(0x15, 3, 1, 0, 2, 2, 0x46);
      for (let at = 0; at < alert.length; at += size) transport.receive(alert.subarray(at, at + size));
      transport.handler.end();
      const error = await assertRejects(() => exchanged, HandshakeError);
      assertEquals([error.message, error.code, error.status], [`The port speaks TLS: ${remedy}`, "ERR_HEAD_SYNTAX", 0]);
      assertEquals(error.cause instanceof HandshakeError, true);
    }
    const inside = begin({ encrypted: true });
    inside.transport.receive(Uint8Array.of(0x15, 3));
    await assertRejects(() => inside.exchanged, HandshakeError, "it seems to speak TLS");
    const ssh = begin();
    ssh.transport.receive(encode("SSH-2.0-secret\r\n"));
    const error = await assertRejects(() => ssh.exchanged, HandshakeError, "it seems to speak SSH");
    assertEquals(error.message.includes("secret"), false);
    const unfinished = begin();
    unfinished.transport.receive(encode("22"));
    unfinished.transport.handler.end();
    await assertRejects(() => unfinished.exchanged, HandshakeError, "does not speak HTTP; check host and port");
  });

  it("says why the connection was lost, and what may help if nothing was received", async () => {
    const lost = async (encrypted: boolean, bytes: string, error?: unknown): Promise<string> => {
      const { transport, exchanged } = begin({ encrypted });
      if (bytes !== "") transport.receive(encode(bytes));
      transport.handler.close(error);
      const failure = await assertRejects(() => exchanged, TransportError);
      assertEquals([failure.code, failure.cause], ["ERR_CONNECTION_LOST", error]);
      return failure.message;
    };
    const text = "The connection was lost during the handshake";
    const hint = '; nothing was received: if the port speaks TLS, use "wss:", or "useSSL: true"';
    const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
    assertEquals(await lost(false, ""), text + hint);
    assertEquals(await lost(false, "", reset), `${text}: the peer has reset the connection (ECONNRESET)${hint}`);
    assertEquals(await lost(false, "HTTP/1.1 101"), text);
    assertEquals(await lost(true, ""), text);
  });

  it("finds in the body of a refusal that the port speaks TLS", async () => {
    const bodies = [
      "<title>400 The plain HTTP request was sent to HTTPS port</title>",
      "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
      "Client sent an HTTP request to an HTTPS server.\n",
      "Bad Request\r\nThis combination of host and port requires TLS.\r\n",
    ];
    for (const body of bodies) {
      for (const framing of [`Content-Length: ${body.length}\r\n`, ""]) {
        for (const size of [1, 50, 1000]) {
          const found = await refusal({}, `HTTP/1.1 400 Bad\r\n${framing}\r\n`, body, size, framing === "");
          assertEquals(found, 'The port speaks TLS (400): use "wss:", or "useSSL: true"');
        }
      }
    }
  });

  it("waits for no other body, and for that of a refusal at most a second", async () => {
    const body = "The plain HTTP request was sent to HTTPS port";
    const head = "HTTP/1.1 400 Bad\r\nContent-Length: ";
    const others = [
      await refusal({}, `${head}5\r\n\r\n`, "other", 1000, false),
      await refusal({}, `${head}0\r\n\r\n`, "", 1000, false),
      await refusal({}, `${head}x\r\n\r\n`, "", 1000, false),
      await refusal({}, "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n", "", 1000, false),
      await refusal({}, "HTTP/1.1 403 No\r\nContent-Length: 45\r\n\r\n", body, 1000, false),
      await refusal({ encrypted: true }, `${head}45\r\n\r\n`, body, 1000, false),
    ];
    assertEquals(others, ["", "", "", "", "", ""]);
    const { transport, exchanged, handshake } = begin();
    const clock = new FakeClock();
    transport.receive(encode(`${head}99\r\n\r\nsilence`));
    const checked = handshake.assertNotTls(await exchanged, clock);
    clock.advance(1000);
    await checked;
    assertEquals([clock.pending, transport.destroyed], [0, false]);
  });

  it("destroys the transport when its signal is aborted", async () => {
    const transport = new FakeTransport();
    const controller = new AbortController();
    const exchanged = new ClientHandshake(transport, controller.signal).exchange(encode("request"));
    controller.abort(new Error("mine"));
    assertEquals(transport.destroyed, true);
    transport.handler.close();
    await assertRejects(() => exchanged);
    await assertRejects(() => new ClientHandshake(transport, controller.signal).exchange(encode("")), Error, "mine");
  });
});
