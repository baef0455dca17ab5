import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertReceiverName,
  badMessage,
  checkReceiverMessage,
  checkServerMessage,
  decodeInboxMessage,
  encodeInboxMessage,
} from "../../inbox/protocol.ts";
import { encode } from "../support/support.ts";

const parse = (line: string) => decodeInboxMessage(encode(`${line}\n`));

describe("messages of whatsapp-inbox.v1", () => {
  it("are a line of JSON and a body that may hold line feeds", () => {
    const body = Uint8Array.of(0, 10, 255);
    const message = decodeInboxMessage(encodeInboxMessage({ type: "ack", seqs: [1, 2] }, body));
    assertEquals([message.head, message.body], [{ type: "ack", seqs: [1, 2] }, body]);
  });

  it("are refused without line feed, JSON, UTF-8, object or type", () => {
    assertThrows(() => decodeInboxMessage(encode('{"type":"ack"}')), OptionError, "line feed");
    assertThrows(() => decodeInboxMessage(Uint8Array.of(0xff, 10)), OptionError, "JSON");
    for (const line of ["", "{", "null", "[]", "1", "{}"]) assertThrows(() => parse(line), OptionError);
  });

  it("of receivers are checked field by field", () => {
    assertEquals(checkReceiverMessage(parse('{"type":"later","x":1}')), undefined);
    assertEquals(checkReceiverMessage(parse('{"type":"ack","seqs":[0,7]}')), { type: "ack", seqs: [0, 7] });
    for (
      const fields of [
        '"type":"ack"',
        '"type":"ack","seqs":[-1]',
        '"type":"ack","seqs":[1.5]',
        '"type":"hello","name":""',
        '"type":"hello","name":"x\\u0007"',
        '"type":"hello","share":true',
        '"type":"hello","share":1,"name":"x"',
        '"type":"hello","after":-1',
        '"type":"hello","journal":1',
        '"type":"hello","window":0',
        '"type":"hello","filter":{"unknown":[]}',
      ]
    ) assertThrows(() => checkReceiverMessage(parse(`{${fields}}`)), OptionError);
  });

  it("of servers are checked by their type", () => {
    assertEquals(checkServerMessage(parse('{"type":"later"}')), undefined);
    assertEquals(checkServerMessage(parse('{"type":"toString"}')), undefined);
    const gap = { type: "gap", after: 1, until: 3 };
    assertEquals(checkServerMessage(parse(JSON.stringify(gap))) as unknown, gap);
    for (
      const fields of [
        '"type":"welcome","after":0,"last":0,"window":1',
        '"type":"gap","after":1',
        '"type":"current","seq":"1"',
        '"type":"notification","seq":1,"signature":"","receivedAt":1',
      ]
    ) assertThrows(() => checkServerMessage(parse(`{${fields}}`)), OptionError);
  });
});

describe("badMessage", () => {
  it("fits into a close frame, as printable ASCII", () => {
    const { message, closeCode } = badMessage(new OptionError(`é\n${"x".repeat(300)}`));
    assertEquals(closeCode, 4400);
    assert(message.length <= 123);
    for (const char of message) assert(char >= " " && char <= "~");
  });
});

describe("assertReceiverName", () => {
  it("takes 1 to 128 characters without control characters and lone surrogates", () => {
    for (const name of ["a", "x".repeat(128), "Büro 🚲"]) assertReceiverName(name);
    for (const name of ["", "x".repeat(129), "a\n", "\u0085", "\ud800", 1, undefined]) {
      assertThrows(() => assertReceiverName(name), OptionError);
    }
  });
});
