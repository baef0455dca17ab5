/**
 * A process that appends to a journal, one after the other, and prints the number of each one that is kept; for
 * `journal_test.ts`, which kills it. FILE COUNT [stay: lives on at the end] [retry: tries each failure once more, and
 * ends with the tenth].
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { WebSocketError } from "../../base/errors.ts";
import { SqliteJournal } from "../../journal/sqlite_journal.ts";

const [file, count, mode] = process.argv.slice(2);
const print = (text: string): boolean => process.stdout.write(`${text}\n`);

try {
  const journal = await SqliteJournal.open(file!);
  let failures = 0;
  for (let at = 1; at <= Number(count) && failures < 10; at++) {
    const bytes = crypto.getRandomValues(new Uint8Array(500));
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    try {
      const { seq } = await journal.append({ bytes, signature: "", receivedAt: new Date(), digest, forward: true });
      print(`seq ${seq}`);
    } catch (error) {
      if (mode !== "retry") throw error;
      failures++;
      print(`failed ${(error as WebSocketError).code}`);
    }
    print(`kept ${at}`);
  }
  print("done");
  // The journal's timers keep the process alive. It ends without close: nothing may depend on that.
  if (mode !== "stay") process.exit();
} catch (error) {
  print(error instanceof WebSocketError ? error.code : String(error));
}
