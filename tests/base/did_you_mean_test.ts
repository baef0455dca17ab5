import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { didYouMean } from "../../base/did_you_mean.ts";

const NAMES = ["origins", "origin", "maxDelay", "minDelay", "port", "hostname", "useSSL", "maxMessageSize"];

const NEAREST: Record<string, string | undefined> = {
  orgins: "origins",
  orignis: "origins",
  maxDely: "maxDelay",
  minDealy: "minDelay",
  prot: "port",
  HOSTNAME: "hostname",
  host_name: "hostname",
  "host-name": "hostname",
  usessl: "useSSL",
  useSLL: "useSSL",
  maxMesageSize: "maxMessageSize",
  pot: "port",
  p: undefined,
  colour: undefined,
  "": undefined,
};

describe("didYouMean", () => {
  for (const [name, nearest] of Object.entries(NEAREST)) {
    it(`"${name}": ${nearest ?? "none"}`, () => {
      assertEquals(didYouMean(name, NAMES), nearest === undefined ? "" : `; did you mean "${nearest}"?`);
    });
  }

  it("the same in another case is nearer than any other name", () => {
    assertEquals(didYouMean("ORIGIN", ["origins", "origin"]), '; did you mean "origin"?');
    assertEquals(didYouMean("ab", ["AC", "AB"]), '; did you mean "AB"?');
  });

  it("a very long name gets no hint, and costs nothing", () => {
    const long = "x".repeat(100_000);
    assertEquals(didYouMean(long, [long + "y"]), "");
    assertEquals(didYouMean("x".repeat(60), [long]), "");
  });
});
