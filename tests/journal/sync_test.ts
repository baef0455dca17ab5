import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { DatabaseSync } from "node:sqlite";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";
import { withFile } from "../support/whatsapp.ts";

describe("SqliteJournal", () => {
  it("syncs each commit to the disk: nothing that got its 200 is lost when the machine loses power", () =>
    withFile(async (file) => {
      // The setting is that of a connection, which no other connection can ask.
      const opened = new Set<DatabaseSync>();
      const { exec } = DatabaseSync.prototype;
      DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
        opened.add(this);
        return exec.call(this, sql);
      };
      let journal: SqliteJournal;
      try {
        journal = await SqliteJournal.open(file);
      } finally {
        DatabaseSync.prototype.exec = exec;
      }
      const settings = [...opened].map((db) => ({
        ...db.prepare("PRAGMA journal_mode").get(),
        ...db.prepare("PRAGMA synchronous").get(),
      }));
      // 2 is FULL, 3 is EXTRA: with a write-ahead log, 1 (NORMAL) syncs at check-points only.
      const safe = settings.map(({ synchronous }) => Number(synchronous) >= 2);
      assertEquals([settings.map(({ journal_mode }) => journal_mode), safe], [["wal"], [true]]);
      await journal.close();
    }));
});
