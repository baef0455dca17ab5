/** Errors of the journal in PostgreSQL: codes, texts, and the state that PostgreSQL gives. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { readError, REPLACED, stateOf, writeError } from "../../postgres/journal_errors.ts";

describe("stateOf", () => {
  it("finds the state that each client gives, and none in other errors", () => {
    assertEquals(stateOf({ code: "40P01" }), "40P01");
    assertEquals(stateOf({ code: "ERR_POSTGRES_SERVER_ERROR", errno: "57P01" }), "57P01");
    for (const other of [undefined, null, "40P01", {}, { code: "ECONNRESET" }, { code: 40001 }, { errno: -104 }]) {
      assertEquals(stateOf(other), "");
    }
  });
});

describe("writeError and readError", () => {
  it("keep the cause, its text, and errors that are a journal's already", () => {
    const cause = new Error("disk full");
    for (
      const [error, code] of [[writeError(cause), "ERR_JOURNAL_WRITE"], [readError(cause), "ERR_JOURNAL_READ"]] as const
    ) {
      assertEquals([error.code, error.cause], [code, cause]);
      assertEquals(error.message.endsWith("the journal in PostgreSQL: disk full"), true);
    }
    const own = new JournalError("ERR_JOURNAL_CLOSED", "closed");
    assertStrictEquals(writeError(own), own);
    assertStrictEquals(readError(own), own);
  });

  it("have a code of their own for a journal that was replaced", () => {
    assertEquals(writeError(new Error(REPLACED)).code, "ERR_JOURNAL_REPLACED");
  });
});
