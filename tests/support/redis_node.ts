/** For tests of several servers with a journal in Redis: one server's journal, and what it was told. */

import type { JournalError } from "../../base/errors.ts";
import type { JournalEntry } from "../../journal/journal.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import { entry } from "./journal_entry.ts";
import type { ClientMaker, ProgramClient } from "./redis.ts";
import { decode, repeatUntil } from "./support.ts";

export const bodies = (entries: readonly JournalEntry[]): string[] => entries.map(({ bytes }) => decode(bytes));

/** One server's journal, and what it was told. */
export class Node implements AsyncDisposable {
  readonly told: string[] = [];
  readonly seqs: number[] = [];
  readonly errors: JournalError[] = [];

  private constructor(readonly journal: RedisJournal, readonly program: ProgramClient) {
    journal.listen({
      appended: ({ seq, bytes }) => {
        this.told.push(decode(bytes));
        this.seqs.push(seq);
      },
      error: (error) => void this.errors.push(error),
    });
  }

  static async open(make: ClientMaker, url: string, options: RedisJournalOptions = {}): Promise<Node> {
    const program = await make(url);
    try {
      return new Node(await RedisJournal.open(program.client, options), program);
    } catch (error) {
      await program.close();
      throw error;
    }
  }

  /** Appends bodies, each as soon as Redis takes it. */
  async append(...bodies: string[]): Promise<number[]> {
    const seqs: number[] = [];
    for (const body of bodies) {
      let seq = 0;
      await repeatUntil(
        () => this.journal.append(entry(body)).then((appended) => seq = appended.seq, () => {}),
        () => seq > 0,
        `"${body}" to be appended`,
      );
      seqs.push(seq);
    }
    return seqs;
  }

  /** The messages of errors with a code. */
  messages(code: string): string[] {
    return this.errors.filter((error) => error.code === code).map(({ message }) => message);
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.program.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
