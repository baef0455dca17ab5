import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { UsageError } from "../../cli/io.ts";
import { type DatabasePlace, type JournalFlags, type JournalPlace, readJournalPlace } from "../../cli/journal_place.ts";

const read = (journal: string | undefined, env: Record<string, string> = {}, flags: JournalFlags = {}): JournalPlace =>
  readJournalPlace({ journal, ...flags }, env);

describe("readJournalPlace", () => {
  it("takes anything but a URL for a file", () => {
    for (const path of ["file.db", "./postgres:x", "./redis://x", "C:\\x.db", "c:/x.db", "C://x.db", "a:b", "/var/x"]) {
      assertEquals(read(path), { kind: "file", path });
    }
    assertEquals(read(undefined), { kind: "file", path: "whatsapp.db" });
    // Refused by the journal itself, which names fileURLToPath.
    assertEquals(read("file:///x.db").kind, "file");
  });

  it("names the place of a database, but neither user nor password", () => {
    const urls: [url: string, kind: DatabasePlace["kind"], shown: string][] = [
      ["redis://localhost", "redis", "Redis at localhost:6379"],
      ["redis://:hidden@10.0.0.1:7000/2", "redis", "Redis at 10.0.0.1:7000/2"],
      ["REDISS://hidden:hidden@cache.example.com/", "redis", "Redis at cache.example.com:6379"],
      ["redis://[::1]:7000", "redis", "Redis at [::1]:7000"],
      ["postgres://hidden:h%2Fdden@db.example.com/wa", "postgres", "PostgreSQL at db.example.com:5432/wa"],
      ["postgresql://hidden@localhost:6000/wa?sslmode=require", "postgres", "PostgreSQL at localhost:6000/wa"],
    ];
    for (const [url, kind, shown] of urls) assertEquals(read(` ${url} `), { kind, url, shown });
  });

  it("reads the environment, unless a flag says something else", () => {
    const env = { WHATSAPP_JOURNAL: "redis://:hidden@cache" };
    assertEquals(read(undefined, env).kind, "redis");
    assertEquals(read("file.db", env), { kind: "file", path: "file.db" });
    assertEquals(read(undefined, env, { memory: true }), { kind: "memory" });
  });

  it("refuses a URL that is no place, without a word of what may be a password", () => {
    const wrong: [journal: string, why: string][] = [
      ["", "--journal is empty; for a journal in memory use --memory"],
      ["postgre://hidden@localhost/wa", "there are redis:, rediss: (TLS) and postgres:"],
      ["postgre://localhost", 'did you mean "postgres:"?'],
      ["mysql://hidden:hidden@localhost/wa", 'a file of that name begins with "./"'],
      ["redis+sentinel://localhost/wa", '"redis+sentinel:"'],
      ["redis:hidden", "has the form redis://HOST:6379/DATABASE, with USER:PASSWORD@ before HOST"],
      ["redis:///1", "is malformed"],
      ["postgres:///hidden", "is malformed"],
      // Passwords with a character that ends a part of a URL.
      ["redis://:hid/den@localhost", "write %23 for #, %2F for /"],
      ["redis://:hid#den@localhost", "write %23 for #"],
      ["redis://user:1#den@hidden", "write %23 for #"],
      ["redis://user:1/den@hidden", "has more behind the host than the number of a database"],
      ["postgres://user:1/den@hidden/wa", "has more behind the host than the name of a database"],
      ["postgres://user:1?den@hidden/wa", "write %23 for #, %2F for /, %3A for :, %3F for ?"],
      ["redis://localhost/wa", "the number of a database"],
      ["redis://localhost?replicas=1", "see --redis-prefix and --redis-replicas"],
    ];
    for (const [journal, why] of wrong) {
      const { message } = assertThrows(() => read(journal), UsageError);
      assertStringIncludes(message, why);
      assert(!/hid|den@/.test(message), message);
    }
    assertThrows(() => read(undefined, { WHATSAPP_JOURNAL: "" }), UsageError, "WHATSAPP_JOURNAL is empty");
    assertThrows(() => read(undefined, { WHATSAPP_JOURNAL: "redis:" }), UsageError, "WHATSAPP_JOURNAL, a URL");
  });

  it("refuses flags of another journal", () => {
    const wrong: [journal: string, flags: JournalFlags, why: string][] = [
      ["redis://localhost", { memory: true }, "--memory and --journal cannot be used together"],
      ["file.db", { "redis-prefix": "x:" }, "--redis-prefix is for a journal in Redis"],
      ["postgres://localhost", { "redis-replicas": "1" }, "--redis-replicas is for a journal in Redis"],
      ["redis://localhost", { "postgres-schema": "x" }, "--postgres-schema is for a journal in PostgreSQL"],
    ];
    for (const [journal, flags, why] of wrong) assertThrows(() => read(journal, {}, flags), UsageError, why);
    assertEquals(read("redis://localhost", {}, { "redis-prefix": "x:", "redis-replicas": "1" }).kind, "redis");
  });
});
