import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { camelKeys, snakeKeys } from "../../cloud_api/key_case.ts";

const SNAKE = {
  call_icon_visibility: "DEFAULT",
  call_hours: { weekly_operating_hours: [{ day_of_week: "MONDAY" }], status: null },
  sip: { servers: [{ hostname: "x", request_uri_user_params: { MY_KEY: "v", otherKey: 1 } }] },
};
const CAMEL = {
  callIconVisibility: "DEFAULT",
  callHours: { weeklyOperatingHours: [{ dayOfWeek: "MONDAY" }], status: null },
  sip: { servers: [{ hostname: "x", requestUriUserParams: { MY_KEY: "v", otherKey: 1 } }] },
};

describe("names of members", () => {
  it("change their form at all depths, but not those that a business chose", () => {
    assertEquals(camelKeys(SNAKE), CAMEL);
    assertEquals(snakeKeys(CAMEL), SNAKE);
    assertEquals(snakeKeys(camelKeys(SNAKE)), SNAKE);
  });

  it("keep underscores that are not before a letter, and lose members that are undefined", () => {
    assertEquals(Object.keys(camelKeys({ _id: 1, a_1: 1, a_: 1, a__b: 1, A_B: 1 })), [
      "_id",
      "a_1",
      "a_",
      "a_B",
      "A_B",
    ]);
    assertEquals(snakeKeys({ a: undefined, b: [undefined], c: 0 }), { b: [undefined], c: 0 });
  });

  it("do not reach prototypes", () => {
    const raw = JSON.parse('{"__proto__":{"is_admin":true}}');
    const copy = camelKeys(raw);
    assertEquals(Object.getPrototypeOf(copy), Object.prototype);
    assertEquals(Object.getOwnPropertyDescriptor(copy, "__proto__")?.value, { isAdmin: true });
  });
});
