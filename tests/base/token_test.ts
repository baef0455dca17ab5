import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { isFieldContent, isFieldValue, isToken, isVisibleAscii } from "../../base/token.ts";

describe("isToken", () => {
  it("is RFC 9110 §5.6.2", () => {
    for (const token of ["a", "Z9", "!#$%&'*+-.^_`|~"]) assertEquals(isToken(token), true);
    for (
      const text of [
        "",
        " ",
        "a b",
        "a,b",
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        "\\",
        '"',
        "/",
        "[",
        "]",
        "?",
        "=",
        "{",
        "}",
        "\t",
        "ä",
        "\x7f",
      ]
    ) {
      assertEquals(isToken(text), false);
    }
  });
});

describe("isVisibleAscii", () => {
  it("accepts characters from ! to ~, and an empty text", () => {
    for (const text of ["", "!~", "secret-1"]) assertEquals(isVisibleAscii(text), true);
    for (const text of [" ", "a b", "\t", "\x7f", "ü"]) assertEquals(isVisibleAscii(text), false);
  });
});

describe("isFieldValue", () => {
  it("accepts the values that Headers accepts", () => {
    for (const text of ["", " a b\t", "a\n", "\x7f", "ÿ", "a\tb", "a\nb", "a\rb", "a\0b", "Ā", "\x01"]) {
      let taken = true;
      try {
        new Headers({ x: text });
      } catch {
        taken = false;
      }
      assertEquals(isFieldValue(text), taken, JSON.stringify(text));
    }
  });
});

describe("isFieldContent", () => {
  it("refuses controls at the ends too", () => {
    for (const text of ["", " a b\t", "ÿ", "a\tb", "\x80"]) {
      assertEquals(isFieldContent(text), true, JSON.stringify(text));
    }
    for (const text of ["a\n", "\r\na", "a\0", "\x0ba", "\x01", "\x7f", "\u2028a", "Ā"]) {
      assertEquals(isFieldContent(text), false, JSON.stringify(text));
    }
  });
});
