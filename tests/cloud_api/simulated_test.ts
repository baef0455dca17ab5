import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { escapeLikeMeta, SIMULATED_TYPES, simulateNotification } from "../../cloud_api/simulated.ts";

describe("simulateNotification", () => {
  it("makes a notification of each type that is parsed to one record of that type", () => {
    for (const [at, type] of SIMULATED_TYPES.entries()) {
      const { json, type: made, id } = simulateNotification(at);
      assertEquals(made, type);
      const { records, skipped } = parseNotification(json);
      assertEquals([records.length, skipped], [1, []], type);
      const [record] = records;
      if (record?.kind === "message") {
        assertEquals([record.id, record.type], [id, type === "hologram" ? "unknown" : type]);
      } else if (record?.kind === "status" || record?.kind === "payment") {
        assertEquals([record.id, type], [id, record.kind]);
      } else assertEquals(record?.field, type);
    }
  });

  it("gives the same number the same notification, and other numbers other ids", () => {
    assertEquals(simulateNotification(3), simulateNotification(3));
    const ids = Array.from({ length: 200 }, (_, at) => simulateNotification(at, { type: "text" }).id);
    assertEquals(new Set(ids).size, 200);
    // A body that is sent twice is taken for a retry.
    for (const type of SIMULATED_TYPES) {
      const bodies = Array.from({ length: 20 }, (_, at) => simulateNotification(at, { type }).json);
      assertEquals(new Set(bodies).size, 20, type);
    }
  });

  it("takes phone number id and time", () => {
    const { json } = simulateNotification(0, { type: "text", phoneNumberId: "42", time: new Date(5000) });
    const [record] = parseNotification(json).records;
    assert(record?.kind === "message");
    assertEquals([record.phoneNumberId, record.timestamp], ["42", new Date(5000)]);
  });

  it("takes contents and sender of a message", () => {
    const contents = { type: "list_reply", list_reply: { id: "bill", title: "A bill" } };
    const { json } = simulateNotification(0, { type: "interactive", contents, from: "16505551234" });
    const [record] = parseNotification(json).records;
    assert(record?.kind === "message" && record.type === "interactive");
    assertEquals([record.interactive.id, record.sender.phone, record.sender.id], [
      "bill",
      "16505551234",
      "16505551234",
    ]);
    const [other] = parseNotification(simulateNotification(0, { type: "payment", from: "1650" }).json).records;
    assert(other?.kind === "payment");
    assertEquals(other.recipientId, "1650");
  });

  it("takes further members of a message, which go before others", () => {
    const fields = { id: "wamid.ORDER", context: { id: "wamid.MENU", from: "15550000000" } };
    const [record] = parseNotification(simulateNotification(0, { type: "order", fields }).json).records;
    assert(record?.kind === "message" && record.type === "order");
    assertEquals([record.id, record.context?.messageId, record.order.productItems.length], [
      "wamid.ORDER",
      "wamid.MENU",
      1,
    ]);
  });

  it("refuses unknown options", () => {
    for (
      const [options, text] of [[{ contnts: {} }, 'mean "contents"?'], [{ text: "Hi" }, "contents: { body"]] as const
    ) {
      assertThrows(() => simulateNotification(0, options as object), OptionError, text);
    }
  });
});

describe("escapeLikeMeta", () => {
  it("gives ASCII with escaped slashes that means the same", () => {
    const value = { text: "José 🚲 €/h", "a/b": "\u007f" };
    const escaped = escapeLikeMeta(JSON.stringify(value));
    assertEquals(escaped, '{"text":"Jos\\u00e9 \\ud83d\\udeb2 \\u20ac\\/h","a\\/b":"\\u007f"}');
    assertEquals(JSON.parse(escaped), value);
  });
});
