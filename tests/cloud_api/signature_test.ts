import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  equalSecrets,
  isSignature,
  SignatureCheck,
  signNotification,
  verifySignature,
} from "../../cloud_api/signature.ts";
import { encode } from "../support/support.ts";

const BODY = encode('{"object":"whatsapp_business_account","entry":[]}');
const SIGNATURE = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";
const SECRET = "test_app_secret";

describe("signatures", () => {
  it("are made and checked as a known example", () => {
    assertEquals(signNotification(BODY, SECRET), SIGNATURE);
    assertEquals(verifySignature(BODY, SIGNATURE, SECRET), true);
    assertEquals(verifySignature(BODY, SIGNATURE.toUpperCase().replace("SHA256", "sha256"), SECRET), true);
    assertEquals(verifySignature(BODY, SIGNATURE, ["other", SECRET]), true);
  });

  it("do not match another body, secret or digit", () => {
    assertEquals(verifySignature(encode("{}"), SIGNATURE, SECRET), false);
    assertEquals(verifySignature(BODY, SIGNATURE, "other"), false);
    assertEquals(verifySignature(BODY, `${SIGNATURE.slice(0, -1)}7`, SECRET), false);
  });

  it("are refused in another form", () => {
    for (
      const text of ["", "sha256=", SIGNATURE.slice(7), `${SIGNATURE}0`, SIGNATURE.replace("d", "g"), ` ${SIGNATURE}`]
    ) {
      assertEquals([isSignature(text), verifySignature(BODY, text, SECRET)], [false, false], text);
    }
    assertEquals(isSignature(SIGNATURE), true);
  });

  it("need a secret that is not empty", () => {
    for (const secret of ["", [], ["", SECRET]]) {
      assertThrows(() => verifySignature(BODY, SIGNATURE, secret), OptionError);
    }
    assertThrows(() => signNotification(BODY, ""), OptionError);
  });
});

describe("SignatureCheck", () => {
  it("checks a body that comes in pieces of any size", () => {
    for (const size of [1, 7, BODY.length]) {
      const check = new SignatureCheck(SIGNATURE, ["other", SECRET]);
      for (let at = 0; at < BODY.length; at += size) check.update(BODY.subarray(at, at + size));
      assertEquals(check.finish(), true);
    }
  });

  it("matches neither a part of the body nor an empty secret", () => {
    const part = new SignatureCheck(SIGNATURE, [SECRET]);
    part.update(BODY.subarray(1));
    assertEquals(part.finish(), false);
    const empty = new SignatureCheck(SIGNATURE, [""]);
    empty.update(BODY);
    assertEquals(empty.finish(), false);
  });
});

describe("equalSecrets", () => {
  it("compares texts of any length", () => {
    assertEquals([equalSecrets("a", "a"), equalSecrets("a", "b"), equalSecrets("a", "aa")], [true, false, false]);
  });
});
