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
    const found = [
      '{"object":"whatsapp_business_account"}',
      '{"object":"page","entry":[]}',
      '\ufeff{"entry":[]}',
      // `entry[0].changes` works with it.
      '{"entry":{"0":{"changes":{}}}}',
      '{"entry":1,"entry":[]}',
      '{"\\u0065ntry":[]}',
      '{"__proto__":{"entry":[]}}',
    ];
    for (const text of found) {
      assertEquals(resemblesNotification(text), true, text);
      assertEquals(resemblesNotification(new TextEncoder().encode(text)), true, text);
    }
  });

  it("leaves other texts alone", () => {
    const others = ["", "object", '"object"', "null", "[]", '["object"]', "{}", '{"a":{"entry":[]}}', '{"entry":['];
    // Values of the program's own under the same names.
    others.push('{"object":"order","id":1}', '{"object":1}', '{"object":{}}', '{"entry":"hall 3"}', '{"entry":null}');
    for (const text of others) {
      assertEquals(resemblesNotification(text), false, text);
      assertEquals(resemblesNotification(new TextEncoder().encode(text)), false, text);
    }
    assertEquals(resemblesNotification(Uint8Array.of(0xff, 0xfe, 0)), false);
  });
});
