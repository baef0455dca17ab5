import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StateError } from "../../base/errors.ts";
import { dataForm } from "../../inbox/data_form.ts";
import {
  decodeInboxMessage,
  encodeInboxMessage,
  INBOX_PROTOCOL,
  INBOX_PROTOCOL_V2,
  inboxVersion,
} from "../../inbox/protocol.ts";
import { encode } from "../support/support.ts";

describe("dataForm", () => {
  it("carries bytes behind a line of 16 bytes in version 2, and reads them of any line that says so", () => {
    const form = dataForm(2, "server", {});
    const message = form.wrap(encode("x\ny")) as Uint8Array<ArrayBuffer>;
    assertEquals([message, form.overhead], [encode('{"type":"data"}\nx\ny'), 16]);
    assertEquals(decodeInboxMessage(message).body, encode("x\ny"));
    assertEquals(form.read(message), encode("x\ny"));
    assertEquals(form.read(encode('{ "later": 1, "type": "data" }\nx')), encode("x"));
    const own = [
      encodeInboxMessage({ type: "ack", seqs: [1] }),
      encode("no line"),
      encode("not JSON\n"),
      encode("{}\n"),
    ];
    assertEquals(own.map((bytes) => form.read(bytes)), own.map(() => undefined));
  });

  it("carries none in version 1, and names the peer and the remedy", () => {
    const form = dataForm(1, "receiver at 192.0.2.1:5", {});
    assertThrows(
      () => form.wrap(encode("x")),
      StateError,
      'the receiver at 192.0.2.1:5 speaks "whatsapp-inbox.v1", which carries none; both sides need ' +
        '"whatsapp-inbox.v2" in "protocols"',
    );
    assertEquals([form.wrap("text"), form.read("text"), form.read(encode('{"type":"data"}\nx'))], [
      "text",
      "text",
      undefined,
    ]);
  });
});

describe("inboxVersion", () => {
  it("knows both versions, and no other subprotocol", () => {
    const names = [INBOX_PROTOCOL, INBOX_PROTOCOL_V2, "whatsapp-inbox.v3", "whatsapp-notifications", ""];
    assertEquals(names.map(inboxVersion), [1, 2, undefined, undefined, undefined]);
  });
});
