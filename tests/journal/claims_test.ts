/** Claims of a journal: one server at a time. */

import { assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StateError } from "../../base/errors.ts";
import { claimJournal, releaseJournal } from "../../journal/claims.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";

describe("claimJournal", () => {
  it("refuses a second server until the first one releases the journal", () => {
    const [journal, other] = [new MemoryJournal(), new MemoryJournal()];
    claimJournal(journal);
    claimJournal(other);
    assertThrows(() => claimJournal(journal), StateError, "another server uses the journal");
    releaseJournal(journal);
    claimJournal(journal);
    releaseJournal(journal);
    releaseJournal(other);
  });
});
