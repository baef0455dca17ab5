/** Cursors that are written soon: together, forward only, again after a failure, and not after the end. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CursorWrites, type MovedCursor } from "../../journal/cursor_writes.ts";
import { turns, until } from "../support/support.ts";

/** Cursors whose writes fail as long as the test says so. */
class Writer {
  link: object | undefined = {};
  refuses = false;
  readonly written: unknown[] = [];
  readonly failures: unknown[] = [];
  readonly tracked: Promise<unknown>[] = [];
  readonly cursors: CursorWrites = new CursorWrites(this, this);

  write(moved: ReadonlyMap<string, MovedCursor>, released: ReadonlySet<string>): Promise<unknown> {
    if (this.refuses) return Promise.reject(new Error("no"));
    this.written.push([...[...moved].map(([name, { start, cursor }]) => [name, start, cursor]), ...released]);
    return Promise.resolve();
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }

  track(writing: Promise<unknown>): void {
    this.tracked.push(writing);
  }
}

describe("CursorWrites", () => {
  it("writes a new name at once, and then all moves of 100 ms together", async () => {
    const writer = new Writer();
    const { cursors, written } = writer;
    cursors.save("a", 3);
    cursors.save("b", 1);
    assertEquals(written.splice(0), [[["a", 3, 3]], [["b", 1, 1]]]);
    cursors.save("a", 4);
    cursors.save("b", 2);
    cursors.save("a", 6);
    cursors.save("a", 5);
    assertEquals(written, []);
    await until(() => written.length > 0, "the write");
    assertEquals(written, [[["a", 4, 6], ["b", 2, 2]]]);
    cursors.cancel();
  });

  it("writes the last move before the release, and neither if the receiver is back", () => {
    const writer = new Writer();
    const { cursors, written } = writer;
    cursors.save("a", 3);
    written.length = 0;
    cursors.save("a", 4);
    cursors.release("a");
    assertEquals(written.splice(0), [[["a", 4, 4], "a"]]);
    writer.link = undefined;
    cursors.release("a");
    cursors.save("a", 4);
    writer.link = {};
    cursors.flush();
    assertEquals(written, [[["a", 4, 4]]]);
    cursors.cancel();
  });

  it("reports a failure once, repeats what was not written, and does not release who is back", async () => {
    const writer = new Writer();
    const { cursors, written, failures } = writer;
    for (const name of ["a", "b"]) cursors.save(name, 1);
    written.length = 0;
    writer.refuses = true;
    cursors.save("a", 2);
    for (const name of ["a", "b"]) cursors.release(name);
    cursors.save("a", 3);
    await until(() => failures.length > 0, "the report");
    await turns(2);
    writer.refuses = false;
    await until(() => written.length > 0, "the repetition");
    assertEquals([written, failures.length], [[[["a", 2, 3], "b"]], 1]);
    cursors.cancel();
  });

  it("waits for a connection, whose loss it does not report", async () => {
    const writer = new Writer();
    const { cursors, written, failures, tracked } = writer;
    writer.refuses = true;
    cursors.save("a", 1);
    writer.link = undefined;
    await Promise.all(tracked);
    cursors.save("a", 2);
    writer.refuses = false;
    writer.link = {};
    cursors.flush();
    assertEquals([written, failures], [[[["a", 1, 2]]], []]);
    cursors.cancel();
  });

  it("reports a failure at the end, and takes no more", async () => {
    const writer = new Writer();
    const { cursors, written, failures, tracked } = writer;
    writer.refuses = true;
    cursors.save("a", 1);
    cursors.close();
    await Promise.all(tracked);
    cursors.save("b", 1);
    cursors.release("a");
    cursors.cancel();
    assertEquals([written, failures.length], [[], 1]);
  });
});
