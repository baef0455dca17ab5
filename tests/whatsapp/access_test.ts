import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { signNotification } from "../../cloud_api/signature.ts";
import { checkReceiverTokens, cursorName, findReceiver, isAuthentic, isOneOf } from "../../whatsapp/access.ts";
import { encode } from "../support/support.ts";

describe("isOneOf", () => {
  it("finds a secret among several, and never an empty one", () => {
    assertEquals(isOneOf("b", ["a", "b"]), true);
    assertEquals(isOneOf("c", ["a", "b"]), false);
    assertEquals(isOneOf("", ["", "a"]), false);
    assertEquals(isOneOf("", []), false);
  });
});

describe("isAuthentic", () => {
  it("takes signatures of any of the secrets, and each body where no signature is asked for", () => {
    const body = encode("{}");
    const signature = signNotification(body, "new");
    const app = { pathName: "/x" };
    assertEquals(isAuthentic({ ...app, appSecret: ["old", "new"] }, body, signature), true);
    assertEquals(isAuthentic({ ...app, appSecret: "old" }, body, signature), false);
    assertEquals(isAuthentic({ ...app, appSecret: [] }, body, signature), false);
    assertEquals(isAuthentic({ ...app, appSecret: null }, body, ""), true);
  });
});

describe("checkReceiverTokens", () => {
  it("makes a list of one token, several, and tokens with names", () => {
    assertEquals(checkReceiverTokens("a"), [{ token: "a" }]);
    const named = { token: "b", name: "billing", filter: { fields: ["messages"] } };
    assertEquals(checkReceiverTokens(["a", named]), [{ token: "a" }, named]);
  });

  it("refuses empty tokens, names of several lines, and ambiguous names and tokens", () => {
    const filter = { fields: ["messages"] };
    for (
      const tokens of [
        "",
        ["a", ""],
        [{ token: "a", name: "" }],
        [{ token: "a", name: "x\ny" }],
        [{ token: "a", name: "x" }, { token: "b", name: "x", filter }],
        [{ token: "a", name: "x" }, { token: "a", name: "y" }],
        ["a", { token: "a", filter }],
      ]
    ) assertThrows(() => checkReceiverTokens(tokens), OptionError);
  });

  it("takes tokens of one name whose filters differ in order only", () => {
    const one = { token: "a", name: "x", filter: { fields: ["m", "n"] } };
    const other = { token: "b", name: "x", filter: { fields: ["n", "m", "n"] } };
    assertEquals(checkReceiverTokens([one, other]).length, 2);
  });
});

describe("findReceiver", () => {
  it("reads Authorization, regardless of the case of its scheme", () => {
    const tokens = [{ token: "a" }, { token: "b", name: "x" }];
    for (const authorization of ["Bearer b", "bearer b", "BEARER  b "]) {
      assertEquals(findReceiver(new Headers({ authorization }), tokens), tokens[1]);
    }
    for (const authorization of ["Basic b", "b", "Bearer", "Bearer c"]) {
      assertEquals(findReceiver(new Headers({ authorization }), tokens), undefined);
    }
  });
});

describe("cursorName", () => {
  it("is the name itself for tokens without name and filter", () => {
    assertEquals(cursorName("bot", undefined), "bot");
    assertEquals(cursorName("bot", { token: "a" }), "bot");
  });

  it("differs by the name of the token, or else by its digest if it has a filter", () => {
    const filter = { fields: ["messages"] };
    assertEquals(cursorName("bot", { token: "a", name: "x" }), cursorName("bot", { token: "b", name: "x" }));
    assertNotEquals(cursorName("bot", { token: "a", name: "x" }), cursorName("bot", { token: "a", name: "y" }));
    const digests = ["first", "second"].map((token) => cursorName("bot", { token, filter }));
    assertNotEquals(digests[0], digests[1]);
    assert(digests.every((name) => !name.includes("first") && !name.includes("second")));
  });
});
