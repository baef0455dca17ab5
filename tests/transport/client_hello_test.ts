import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import type { AddressInfo } from "node:net";
import { MAX_HELLO, readServerName } from "../../transport/client_hello.ts";
import { concat, concatAll, encode, withSeed } from "../support/support.ts";

/** Bytes behind their length. */
function vector(octets: number, ...parts: Uint8Array[]): Uint8Array {
  const body = concatAll(parts);
  const length = Uint8Array.from({ length: octets }, (_, at) => body.length / 256 ** (octets - 1 - at));
  return concat(length, body);
}

const serverName = (name: string): Uint8Array =>
  concat(Uint8Array.of(0, 0), vector(2, vector(2, Uint8Array.of(0), vector(2, encode(name)))));
const OTHER = concat(Uint8Array.of(0, 43), vector(2, Uint8Array.of(2, 3, 4)));

function helloOf(...extensions: Uint8Array[]): Uint8Array {
  const head = [
    Uint8Array.of(3, 3),
    new Uint8Array(32),
    vector(1, new Uint8Array(32)),
    vector(2, Uint8Array.of(19, 1)),
  ];
  const body = concatAll([...head, vector(1, Uint8Array.of(0)), vector(2, ...extensions)]);
  return concat(Uint8Array.of(1), vector(3, body));
}

const record = (part: Uint8Array): Uint8Array => concat(Uint8Array.of(22, 3, 1), vector(2, part));

const done = (name: string) => ({ complete: true, name });

describe("readServerName", () => {
  it("reads the name in lower case, wherever its extension stands", () => {
    const hellos = [[serverName("A.example")], [OTHER, serverName("a.example")], [serverName("a.example"), OTHER]];
    for (const extensions of hellos) assertEquals(readServerName(record(helloOf(...extensions))), done("a.example"));
    assertEquals(readServerName(record(helloOf(OTHER))), done(""));
    assertEquals(readServerName(record(helloOf())), done(""));
  });

  it("waits for the rest, in one record or several", () => {
    const hello = helloOf(OTHER, serverName("a.example"));
    const whole = record(hello);
    for (let length = 0; length < whole.length; length++) {
      assertEquals(readServerName(whole.subarray(0, length)), { complete: false }, String(length));
    }
    for (let cut = 1; cut < hello.length; cut++) {
      const records = concat(record(hello.subarray(0, cut)), record(hello.subarray(cut)));
      assertEquals(readServerName(records), done("a.example"));
      assertEquals(readServerName(records.subarray(0, -1)), { complete: false });
    }
  });

  it("has no name for bytes that are no ClientHello, or a malformed or large one", () => {
    const others = [
      encode("GET / HTTP/1.1\r\n"),
      Uint8Array.of(22, 4),
      Uint8Array.of(22, 3, 1, 0, 0),
      record(Uint8Array.of(2, 0, 0, 0)),
      record(concat(Uint8Array.of(1), vector(3, new Uint8Array(20)))),
      record(Uint8Array.of(1, 0xff, 0xff, 0xff)),
      record(Uint8Array.of(1, 0, (MAX_HELLO >> 8) + 1, 0)),
    ];
    for (const bytes of others) assertEquals(readServerName(bytes), done(""));
    // Records of one byte each, for ever.
    const drip = concatAll(Array(8000).fill(record(Uint8Array.of(1))));
    assertEquals(readServerName(drip), done(""));
  });

  it("never throws, and always ends", () =>
    withSeed((random) => {
      const hello = record(helloOf(OTHER, serverName("a.example"), OTHER));
      for (let turn = 0; turn < 2000; turn++) {
        const bytes = hello.slice();
        for (let changes = random.int(4); changes >= 0; changes--) bytes[random.int(bytes.length)] = random.int(256);
        const result = readServerName(bytes.subarray(0, random.int(bytes.length + 1)));
        assertEquals(typeof result.complete, "boolean");
      }
    }));

  it("reads what this runtime sends", async () => {
    const first = Promise.withResolvers<Uint8Array>();
    const server = createServer((socket: Socket) => {
      let bytes = new Uint8Array(0);
      socket.on("error", () => {});
      socket.on("data", (more: Uint8Array) => {
        bytes = concat(bytes, more);
        if (readServerName(bytes).complete) first.resolve(bytes);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const client = connect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      servername: "b.example",
    });
    client.on("error", () => {});
    assertEquals(readServerName(await first.promise), done("b.example"));
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
