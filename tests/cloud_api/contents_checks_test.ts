import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  assertDistinct,
  choiceOf,
  countCharacters,
  integerIn,
  listOf,
  numberIn,
  objectOf,
  onlyMember,
  optionalObject,
  optionalText,
  textOf,
  urlOf,
} from "../../cloud_api/contents_checks.ts";
import { assertRefused } from "../support/limits.ts";

describe("Checks of contents", () => {
  it("count code points", () => {
    assertEquals(["", "abc", "äöü", "👍🏽", "\ud800"].map(countCharacters), [0, 3, 3, 2, 1]);
  });

  it("take texts up to their limit, and name the length but not the text of others", () => {
    assertEquals(textOf("title", "👍👍", 2), "👍👍");
    assertRefused(() => textOf("title", "👍👍👍", 2), '"title" has 3 characters: the Cloud API takes 2 at most');
    assertRefused(() => textOf("title", "", 2), '"title" is empty');
    assertRefused(() => textOf("title", null, 2), '"title" is null instead of a text');
    assertEquals([optionalText("title", undefined), optionalText("title", "a")], [undefined, "a"]);
    assertRefused(() => optionalText("title", ""), '"title" is empty');
  });

  it("take lists of so many entries", () => {
    assertEquals(listOf("rows", [1, 2], 2), [1, 2]);
    assertRefused(() => listOf("rows", [], 2), '"rows" are 0: the Cloud API takes at least 1');
    assertRefused(() => listOf("rows", [1, 2, 3], 2), '"rows" are 3: the Cloud API takes 2 at most');
    assertRefused(() => listOf("rows", "ab" as unknown as string[], 2), '"rows" are "ab" instead of an array');
  });

  it("find values that are the same", () => {
    assertDistinct("rows", "id", ["a", "b"]);
    assertRefused(() => assertDistinct("rows", "id", ["a", "b", "a"]), '"rows[2].id" is the same as "rows[0].id"');
  });

  it("take numbers and integers in their range", () => {
    assertEquals([numberIn("latitude", -90, -90, 90), integerIn("index", 0, 0, 9)], [-90, 0]);
    for (const value of [90.1, NaN, "1"]) {
      assertRefused(() => numberIn("latitude", value, -90, 90), "instead of a number from -90 to 90");
    }
    for (const value of [-1, 10, 1.5, "1"]) assertRefused(() => integerIn("index", value, 0, 9), "from 0 to 9");
  });

  it("take URLs of the web, and hide secrets of others", () => {
    assertEquals(urlOf("link", "https://example.com/a?b"), "https://example.com/a?b");
    for (const url of ["file:///etc/passwd", "example.com/a", "javascript:1"]) {
      assertRefused(() => urlOf("link", url), '"link" is', "not an http or https URL");
    }
    assertRefused(() => urlOf("link", "ftp://user:word@example.com/"), '"ftp://…@example.com/"');
  });

  it("take one of a few texts, objects, and one of a few members", () => {
    assertEquals([choiceOf("mode", "a", ["a", "b"]), choiceOf("mode", undefined, ["a"])], ["a", undefined]);
    assertRefused(() => choiceOf<string>("mode", "c", ["a", "b"]), '"mode" is "c" instead of "a" or "b"');
    assertEquals(objectOf("data", { a: 1 }), { a: 1 });
    for (const value of [[], null, "a"]) assertRefused(() => objectOf("data", value), "instead of an object");
    assertEquals([optionalObject("data", {}), optionalObject("data", undefined)], [{}, undefined]);
    assertRefused(() => optionalObject("data", null), '"data" is null instead of an object');
    assertRefused(() => onlyMember("It", "ab" as never, ["a"]), 'It is "ab" instead of an object');
    assertEquals(onlyMember("It", { a: 1, b: undefined }, ["a", "b"]), "a");
    assertRefused(() => onlyMember("It", {}, ["a", "b"]), 'It needs one of "a", "b": it has none');
    assertRefused(() => onlyMember("It", { a: 1, b: 2 }, ["a", "b"]), "it has a, b");
  });
});
