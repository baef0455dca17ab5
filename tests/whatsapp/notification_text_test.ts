import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeExact, resemblesNotification } from "../../whatsapp/notification_text.ts";

describe("decodeExact", () => {
  it("gives a text that encodes to the same bytes, byte order mark included", () => {
    for (const text of ["", "{}", "\ufeff{}", "é 🚲"]) {
      const bytes = new TextEncoder().encode(text);
      assertEquals(decodeExact(bytes), text);
    }
  });

  it("gives undefined for bytes that are not UTF-8", () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      assertEquals(decodeExact(Uint8Array.from(bytes)), undefined);
    }
  });
});

describe("resemblesNotification", () => {
  it("finds objects with a member of notifications, after a byte order mark too", () => {
    for (const text of ['{"object":1}', '{"entry":[]}', '\ufeff{"object":""}', '{"__proto__":{"object":"x"}}']) {
      assertEquals(resemblesNotification(text), true, text);
      assertEquals(resemblesNotification(new TextEncoder().encode(text)), true, text);
    }
  });

  it("leaves other texts alone", () => {
    for (
      const text of ["", "object", '"object"', "null", "[]", '["object"]', "{}", '{"a":{"object":1}}', '{"object":1']
    ) {
      assertEquals(resemblesNotification(text), false, text);
      assertEquals(resemblesNotification(new TextEncoder().encode(text)), false, text);
    }
    assertEquals(resemblesNotification(Uint8Array.of(0xff, 0xfe, 0)), false);
  });
});
