/** Notices from a journal to its listener. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JournalError } from "../../base/errors.ts";
import type { JournalEntry } from "../../journal/journal.ts";
import { notifyAppended, notifyTrimmed } from "../../journal/notify.ts";

const ENTRY: JournalEntry = { seq: 7, bytes: new Uint8Array(), signature: "", receivedAt: new Date(0) };

describe("notifyAppended", () => {
  it("hands the entry over, and reports an exception of the listener", () => {
    const got: number[] = [];
    const errors: JournalError[] = [];
    notifyAppended(undefined, ENTRY);
    notifyAppended({ appended: ({ seq }) => void got.push(seq), error: (error) => errors.push(error) }, ENTRY);
    assertEquals([got, errors.length], [[7], 0]);
    const appended = (): void => {
      throw new Error("full");
    };
    notifyAppended({ appended, error: (error) => errors.push(error) }, ENTRY);
    assertEquals(errors.map(({ code, message }) => [code, message]), [
      ["ERR_JOURNAL_LISTENER", "Notification 7 cannot be handed on: full"],
    ]);
  });
});

describe("notifyTrimmed", () => {
  it("reports the receivers between the old and the new limit in one error", () => {
    const errors: string[] = [];
    const listener = { appended: (): void => {}, error: ({ message }: JournalError) => void errors.push(message) };
    const cursors = new Map([["before", 1], ["first", 2], ["last", 4], ["beyond", 5]]);
    notifyTrimmed(listener, cursors, 2, 5);
    assertEquals(errors, [
      'Retention has removed notifications that 2 receivers have not acknowledged: "first" from 3 on, "last" from 5 on',
    ]);
    notifyTrimmed(listener, cursors, 5, 5);
    assertEquals(errors.length, 1);
  });
});
