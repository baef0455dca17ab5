import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { didYouMean, isNearly, suggest } from "../../base/did_you_mean.ts";

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

describe("suggest", () => {
  it("asks for a name", () => assertEquals(suggest("origins"), '; did you mean "origins"?'));
});

describe("isNearly", () => {
  it("takes one mistake, in the same case", () => {
    for (const name of ["port", "prt", "poort", "part", "prot", "portt", "ort"]) assert(isNearly(name, "port"), name);
    for (const name of ["Prot", "rpto", "po", "ports1", "", "pxxt"]) assert(!isNearly(name, "port"), name);
    assert(!isNearly("x".repeat(100_000), "port"));
  });
});
