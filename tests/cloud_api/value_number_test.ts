import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { own } from "../../cloud_api/json.ts";
import { phoneNumberIdOf } from "../../cloud_api/value_number.ts";

const [ONE, TWO] = ["1", "2"].map((phone_number_id) => ({ phone_number_id }));

function idOf(value: unknown): string | undefined {
  return phoneNumberIdOf(value, (raw, key) => {
    const read = own(raw, key);
    return typeof read === "string" ? read : undefined;
  });
}

describe("phoneNumberIdOf", () => {
  it("finds the number in each of its places", () => {
    const places: { metadata?: object; recipient?: object }[] = [
      { metadata: ONE },
      { standby: { metadata: ONE } } as object,
      { recipient: ONE },
      { phone_number_settings: ONE } as object,
      { entity_type: "PHONE_NUMBER", entity_id: "1" } as object,
    ];
    for (const place of places) {
      for (const other of places) assertEquals(idOf({ ...place, ...other }), "1");
      assertEquals(
        idOf({ ...place, metadata: null, recipient: place.recipient ?? { display_phone_number: "1" } }),
        place.metadata ? undefined : "1",
      );
    }
  });

  it("takes an alert as about the number that it names", () => {
    const alert = { entity_type: "PHONE_NUMBER", entity_id: "1" };
    for (const value of [alert, { ...alert, metadata: ONE }]) assertEquals(idOf(value), "1");
    for (const other of [{ entity_type: "BUSINESS" }, { entity_type: null }, { entity_id: 1 }, { metadata: TWO }]) {
      assertEquals(idOf({ ...alert, ...other }), undefined);
    }
  });

  it("finds none if there are two, or one that cannot be read", () => {
    for (
      const value of [
        { metadata: ONE, standby: { metadata: TWO } },
        { metadata: ONE, recipient: TWO },
        { recipient: ONE, phone_number_settings: TWO },
        { metadata: ONE, recipient: { phone_number_id: 1 } },
        { metadata: { phone_number_id: {} }, recipient: ONE },
        { metadata: { phone_number_id: null } },
        { recipient: "1" },
        { metadata: ONE, entity_type: "PHONE_NUMBER", entity_id: "2" },
        { metadata: ONE, entity_type: "PHONE_NUMBER", entity_id: ["1"] },
        { entity_type: "BUSINESS", entity_id: "1" },
        { entity_id: "1" },
        {},
        null,
        "text",
      ]
    ) {
      assertEquals(idOf(value), undefined, JSON.stringify(value));
    }
  });
});
