import { assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertProtocols } from "../../protocol/subprotocol.ts";

describe("assertProtocols", () => {
  it("takes different tokens, and none", () => {
    for (const protocols of [[], ["chat"], ["v1.json", "V1.json"]]) assertProtocols(protocols);
  });

  it("refuses what is no array, no token, or named twice, and names it", () => {
    assertThrows(() => assertProtocols("chat" as never), OptionError, '"chat" are not in an array');
    for (const name of ["", "a b", "a,b", "ü"]) {
      assertThrows(() => assertProtocols([name]), OptionError, `"${name}" is not a token`);
    }
    assertThrows(() => assertProtocols(["a", "b", "a"]), OptionError, 'named twice: "a, b, a"');
  });
});
