import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, TransportError } from "../../base/errors.ts";
import { ClientHandshake } from "../../client/handshake.ts";
import { decode, encode, FakeTransport } from "../support/support.ts";

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
