import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JsonObject } from "../../cloud_api/json.ts";
import type { ChangeOrigin } from "../../cloud_api/origin.ts";
import {
  businessPhone,
  businessSender,
  findContact,
  matchContact,
  namesOf,
  phoneDigits,
  plainUsername,
} from "../../cloud_api/people.ts";

const ANNA = { profile: { name: "Anna", username: "@anna" }, wa_id: "+49 170 0000001", user_id: "DE.1" };
const LUCA = { profile: { name: "" }, wa_id: "393300000002", user_id: "IT.2" };

const originOf = (...contacts: JsonObject[]): ChangeOrigin & { taken: Set<JsonObject> } => {
  return { field: "messages", accountId: "1", contacts, taken: new Set() };
};

describe("phoneDigits", () => {
  it("takes digits, with a + and spaces", () => {
    for (const phone of ["4917000", "+4917000", "+49 170 00", " 49 17000 "]) {
      assertEquals(phoneDigits(phone), "4917000");
    }
  });

  it("takes nothing else for a phone number", () => {
    const none = [undefined, "", "+", "1234", "1".repeat(21), "US.13491208", "49+17000", "49-17000", "٤٩١٧٠٠٠"];
    for (const value of [...none, "1 ".repeat(100)]) assertEquals(phoneDigits(value), undefined, value);
  });
});

describe("findContact", () => {
  it("compares numbers in any form, then user ids, and notes what it finds", () => {
    const origin = originOf(LUCA, ANNA);
    for (const phone of ["491700000001", "+491700000001"]) assertEquals(findContact(phone, undefined, origin), ANNA);
    assertEquals(findContact(undefined, "IT.2", origin), LUCA);
    assertEquals(findContact("491700000001", "IT.2", origin), ANNA);
    assertEquals([...origin.taken], [ANNA, LUCA]);
  });

  it("takes a sole contact for that of any sender, other than matchContact", () => {
    const origin = originOf(ANNA);
    assertEquals(matchContact("15550000000", "US.1", origin), undefined);
    assertEquals(origin.taken.size, 0);
    assertEquals(findContact("15550000000", "US.1", origin), ANNA);
    assertEquals([...origin.taken], [ANNA]);
    assertEquals(findContact(undefined, undefined, originOf(ANNA, LUCA)), undefined);
    assertEquals(findContact("", "", originOf()), undefined);
  });

  it("finds the same in a long list as in a short one", () => {
    const many = Array.from(
      { length: 500 },
      (_, at) => ({ wa_id: `+49 171 ${1_000_000 + at}`, user_id: `DE.${at + 10}` }),
    );
    const origin = originOf(ANNA, ...many, LUCA, { ...ANNA, profile: {} }, {});
    for (const [phone, userId] of [["491700000001", ""], ["+49 1700000001", "IT.2"], ["", "DE.1"], ["US.7", "IT.2"]]) {
      assertEquals(matchContact(phone, userId, origin), matchContact(phone, userId, originOf(LUCA, ANNA)));
    }
    assertEquals(matchContact("491711000007", undefined, origin), many[7]);
    assertEquals(matchContact(undefined, "DE.17", origin), many[7]);
    for (const none of [["", ""], [undefined, undefined], ["15550000000", "US.1"]] as const) {
      assertEquals(matchContact(none[0], none[1], origin), undefined);
    }
  });
});

describe("findContact in a long list", () => {
  it("reads each contact once, however many persons are looked for", () => {
    let reads = 0;
    const contacts = Array.from({ length: 500 }, (_, at) => ({
      get wa_id(): string {
        reads++;
        return `4917${1_000_000 + at}`;
      },
    }));
    const origin = originOf(...contacts);
    for (let at = 0; at < 500; at++) findContact(`4917${1_000_000 + at}`, "DE.1", origin);
    for (let at = 0; at < 500; at++) findContact("15550000000", "US.1", origin);
    assertEquals(reads, contacts.length);
    assertEquals(origin.taken.size, 500);
  });
});

describe("names", () => {
  it("are absent if they are empty, and have no @", () => {
    assertEquals(namesOf(ANNA), { name: "Anna", username: "anna" });
    assertEquals([namesOf(LUCA), namesOf(undefined)], Array(2).fill({ name: undefined, username: undefined }));
    assertEquals(["@a", "a", "@", "", undefined].map(plainUsername), ["a", "a", undefined, undefined, undefined]);
  });
});

describe("the business as a sender", () => {
  it("is the number of the message, else that for display", () => {
    const origin = { ...originOf(), displayPhoneNumber: "+1 (555) 000-1111" };
    assertEquals(businessPhone(origin), "15550001111");
    assertEquals(businessSender({ from: "15550009999" }, origin), { id: "15550009999", phone: "15550009999" });
    assertEquals(businessSender({}, origin), { id: "15550001111", phone: "15550001111" });
    assertEquals(businessSender({}, originOf()), { id: "" });
    assertEquals(businessPhone({ ...origin, displayPhoneNumber: "1".repeat(1000) }), undefined);
  });
});
