import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type LogRecord, printable, writeLog } from "../../base/log.ts";

const RECORD: LogRecord = { level: "info", event: "server.listening", time: 0, attributes: {} };

describe("writeLog", () => {
  it("passes a record on, and ignores errors and rejections of the handler", async () => {
    const records: LogRecord[] = [];
    writeLog({ onLog: (record) => records.push(record) }, RECORD);
    writeLog({}, RECORD);
    const failing = [
      () => {
        throw new Error("disk full");
      },
      () => Promise.reject(new Error("disk full")),
      () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error("disk full")) }),
    ];
    for (const onLog of failing) writeLog({ onLog }, RECORD);
    // A rejection that is not handled would fail the test here.
    await Promise.resolve();
    assertEquals(records, [RECORD]);
  });
});

describe("printable", () => {
  it("shows controls, line separators, changes of direction and lone surrogates, and leaves the rest", () => {
    assertEquals(printable("plain text, ü and 👋"), "plain text, ü and 👋");
    assertEquals(printable("\x00\x1f\x7f\x9f"), "\\u{0}\\u{1f}\\u{7f}\\u{9f}");
    assertEquals(
      printable("\u2028\u2029\u202e\u2066\u200f\u061c"),
      "\\u{2028}\\u{2029}\\u{202e}\\u{2066}\\u{200f}\\u{61c}",
    );
    assertEquals(printable("a\ud800b\udfff"), "a\\u{d800}b\\u{dfff}");
  });
});
