import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertDigits,
  assertFields,
  assertLength,
  assertPageSize,
  assertUrl,
  isDigits,
} from "../../cloud_api/argument_checks.ts";

const messageOf = (check: () => void): string => assertThrows(check, OptionError).message;

describe("checks of arguments", () => {
  it("count characters, not halves of them", () => {
    assertLength("about", "😀".repeat(139), { min: 1, max: 139 });
    assertThrows(
      () => assertLength("about", "😀".repeat(140), { min: 1, max: 139 }),
      OptionError,
      "has 140 characters",
    );
  });

  it("give the length at fault, and not the text", () => {
    assertLength("about", "", { max: 3 });
    assertLength("about", "abc", { min: 3, max: 3 });
    assertEquals(
      messageOf(() => assertLength("about", "abcd", { max: 3 })),
      'The "about" has 4 characters: the Cloud API takes 3 at most',
    );
    assertEquals(
      messageOf(() => assertLength("about", "", { min: 1, max: 3 })),
      'The "about" has 0 characters: the Cloud API takes 1 to 3',
    );
    assertEquals(messageOf(() => assertLength("about", 7, { max: 3 })), 'The "about" is 7 instead of a text');
  });

  it("want sizes of pages that are whole numbers from 1 on", () => {
    for (const size of [undefined, 1, 100]) assertPageSize(size, 100);
    for (const size of [0, -1, 1.5, NaN, 101, "5"]) {
      const message = messageOf(() => assertPageSize(size as number, 100));
      assert(message.endsWith("instead of a whole number from 1 to 100"), message);
    }
    assertEquals(
      messageOf(() => assertPageSize(0)),
      'The option "pageSize" is 0 instead of a whole number from 1 on',
    );
  });

  it("want URLs of some schemes, and hide what may be secret in others", () => {
    assertUrl("callbackUrl", `https://a.example/${"x".repeat(182)}`, 200, ["https:"]);
    assertEquals(
      messageOf(() => assertUrl("callbackUrl", `https://a.example/${"x".repeat(183)}`, 200, ["https:"])),
      'The "callbackUrl" has 201 characters: the Cloud API takes 200 at most',
    );
    assertEquals(
      messageOf(() => assertUrl("callbackUrl", "http://a.example/x?token=1", 200, ["https:"])),
      'The "callbackUrl" is "http://a.example/x?…": a URL that begins with https:// is wanted',
    );
    assertEquals(
      messageOf(() => assertUrl("website", "example.com", 200, ["https:", "http:"])),
      'The "website" is "example.com": a URL that begins with https:// or http:// is wanted',
    );
  });

  it("want digits, and never show them", () => {
    assertDigits("PIN", "012345", 6);
    assertDigits("code", "1");
    assertEquals([isDigits("0189"), isDigits("1a"), isDigits("١٢")], [true, false, false]);
    assertEquals(
      messageOf(() => assertDigits("PIN", "98765", 6)),
      "The PIN is a text of 5 characters instead of 6 digits",
    );
    assertEquals(
      messageOf(() => assertDigits("PIN", "98765x", 6)),
      "The PIN is a text of 6 characters instead of 6 digits",
    );
    assertEquals(
      messageOf(() => assertDigits("PIN", 987654, 6)),
      "The PIN is of the type number instead of a text of 6 digits",
    );
    assertEquals(messageOf(() => assertDigits("code", "")), "The code is a text of 0 characters instead of digits");
  });

  it("want names of fields", () => {
    assertFields(undefined);
    assertFields(["status"]);
    for (const fields of [[], [""], "status", [1]]) {
      const message = messageOf(() => assertFields(fields as string[]));
      assertEquals(message, 'The option "fields" wants an array with names of fields, such as ["status"]');
    }
  });
});
