import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { hideSecrets, SetupReport, withoutSecrets } from "../../cli/setup_report.ts";
import { printable } from "../../base/log.ts";
import { Io } from "../support/cli_io.ts";

describe("SetupReport", () => {
  it("prints a line for each finding as it comes, its remedy below it, and a count", () => {
    const io = new Io();
    const report = new SetupReport(io, false);
    report.add("token", "ok", "It is valid");
    report.add("number", "wrong", "It has a \u001b[2J name", "Change it");
    report.add("signed", "skipped", "It cannot be tried");
    assertEquals(io.lines.length, 4);
    report.end();
    assertEquals([report.wrong, io.lines], [1, [
      "ok       token: It is valid",
      "WRONG    number: It has a \\u{1b}[2J name",
      "         To mend it: Change it",
      "skipped  signed: It cannot be tried",
      "1 of 3 checks found something wrong.",
    ]]);
  });

  it("prints one object for programs", () => {
    const io = new Io();
    const report = new SetupReport(io, true);
    report.add("token", "note", "It expires", "Renew it");
    assertEquals(io.lines, []);
    report.end();
    assertEquals(io.lines.map((line) => JSON.parse(line)), [{
      ok: true,
      findings: [{ check: "token", state: "note", text: "It expires", remedy: "Renew it" }],
    }]);
  });
});

describe("the JSON of a report", () => {
  it("has no character that a terminal obeys, and the same value", () => {
    const io = new Io();
    const report = new SetupReport(io, true);
    const name = "a\u001b[2J\u009b2J\u007f\u202eb \u{1f600}\u2028\ud800 \u00e4";
    report.add("number", "note", name);
    report.end();
    const [line = ""] = io.lines;
    assertEquals(printable(line), line);
    assertEquals(line.includes("\u{1f600}"), true);
    assertEquals(JSON.parse(line).findings[0].text, name);
  });
});

describe("withoutSecrets", () => {
  it("hides secrets in both outputs, also encoded as in a URL or in JSON", async () => {
    const io = new Io();
    io.stdin = "a text";
    const safe = withoutSecrets(io, ["EAAG/long+token", undefined, 'with "quotes"', "short"]);
    safe.out("token EAAG/long+token, EAAG%2Flong%2Btoken, short");
    safe.err(JSON.stringify({ a: 'with "quotes"' }));
    assertEquals([io.lines, io.text], [["token …, …, short"], '{"a":"…"}']);
    assertEquals(await safe.input!(), "a text");
  });

  it("hides a secret with spaces as a form writes it", () => {
    const secret = "chosen by (the) operator";
    const query = new URLSearchParams({ token: secret });
    assertEquals(hideSecrets(`${query}, ${secret}`, [secret]), "token=…, …");
  });

  it("passes signals on", () => {
    const io = new Io();
    let stops = 0;
    const ignore = withoutSecrets(io, []).onStop(() => void stops++);
    io.stop();
    ignore();
    io.stop();
    assertEquals(stops, 1);
  });
});
