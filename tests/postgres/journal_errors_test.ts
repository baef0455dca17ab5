/** Errors of the journal in PostgreSQL: their codes, and the states of PostgreSQL in errors of each client. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { readError, REPLACED, stateOf, writeError } from "../../postgres/journal_errors.ts";

describe("stateOf()", () => {
  it("finds the state where each client has it", () => {
    assertEquals(stateOf(Object.assign(new Error(""), { code: "40001" })), "40001");
    assertEquals(stateOf(Object.assign(new Error(""), { code: "ERR_POSTGRES_SERVER_ERROR", errno: "57P01" })), "57P01");
  });

  it("finds none in errors of a connection, nor in other values", () => {
    for (const error of [{ code: "ECONNREFUSED" }, { code: "CONNECTION_CLOSED", errno: -111 }, new Error("40001")]) {
      assertEquals(stateOf(error), "");
    }
    for (const value of [undefined, null, "40001", 5]) assertEquals(stateOf(value), "");
  });
});

describe("errors of the journal in PostgreSQL", () => {
  it("have a code for reading, writing, and a journal that is another one now", () => {
    assertEquals(readError(new Error("x")).code, "ERR_JOURNAL_READ");
    assertEquals(writeError(new Error("x")).code, "ERR_JOURNAL_WRITE");
    assertEquals(writeError(new Error(REPLACED)).code, "ERR_JOURNAL_REPLACED");
    assertEquals(writeError(new Error("no disk")).message, "Cannot write the journal in PostgreSQL: no disk");
  });

  it("pass on what is such an error already", () => {
    const error = new JournalError("ERR_JOURNAL_CLOSED", "closed");
    assertStrictEquals(readError(error), error);
    assertStrictEquals(writeError(error), error);
  });
});
