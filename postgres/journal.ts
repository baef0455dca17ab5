/**
 * The journal of several servers, in tables of PostgreSQL: each of them accepts notifications, and all of them deliver
 * them.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { JournalError, OptionError } from "../base/errors.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import { AgeClock } from "../journal/age_clock.ts";
import type {
  Appended,
  Journal,
  JournalEntry,
  JournalListener,
  JournalRetention,
  NewEntry,
  SharedCursor,
} from "../journal/journal.ts";
import { LEASE_DURATION, NodeLease } from "../journal/node_lease.ts";
import { notifyAppended, notifyTrimmed } from "../journal/notify.ts";
import { OrderedDelivery, type ReadResult } from "../journal/ordered_delivery.ts";
import { RETENTION_HINTS, RETENTION_SETTINGS, type RetentionSettings } from "../journal/retention.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { JournalTrimmer } from "../journal/trimmer.ts";
import { AppendBatches } from "./append_batches.ts";
import type { PostgresSource } from "./client.ts";
import { JournalConnections } from "./connections.ts";
import { type PostgresDurability, readDurability } from "./durability.ts";
import { decodeEntry, encodeEntries } from "./entry.ts";
import { JournalEpoch, type Opened } from "./epoch.ts";
import { readError, REPLACED, writeError } from "./journal_errors.ts";
import type { PostgresLink } from "./link.ts";
import { APPEND, HAS, READ, RESIGN, SIGN } from "./log_statements.ts";
import { JournalLosses } from "./losses.ts";
import { type LinkOpener, linkOpener } from "./open_link.ts";
import { PostgresReceivers } from "./receivers.ts";
import { PostgresRetention } from "./retention.ts";
import { StatementRunner } from "./runner.ts";
import { assertSchemaName, ensureSchema, schemaText } from "./schema.ts";
import { LogTail } from "./tail.ts";

/**
 * Options of a {@linkcode PostgresJournal}.
 *
 * Also from {@linkcode JournalRetention}:
 * - `maxAge` (default `2592000000`): Maximum age of notifications, in ms; 0: no limit.
 * - `maxBytes` (default `1073741824`): Maximum of bytes of all bodies, at least 16 MiB; 0: no limit.
 * - `maxReceivers` (default `10000`): Maximum of names of receivers; 0: no limit.
 * - `maxReceiverAge` (default `7776000000`): Maximum time that the name of a receiver is kept without a connection, in
 *   ms, at least an hour; 0: no limit.
 * - `clock`: Clock, to be replaced in tests.
 */
export interface PostgresJournalOptions extends JournalRetention {
  /**
   * Schema of the tables: the same on all nodes of one service. It is made if it does not exist.
   * @default {"tackline"}
   */
  schema?: string | undefined;
}

/** The settings of a journal in PostgreSQL. */
export const POSTGRES_JOURNAL_SETTINGS: SettingsTable<Complete<PostgresJournalOptions>> = {
  ...RETENTION_SETTINGS,
  schema: { kind: "string", default: "tackline", check: assertSchemaName },
};

const journalOptions = new FieldsReader("PostgresJournal", POSTGRES_JOURNAL_SETTINGS, {
  hints: {
    ...RETENTION_HINTS,
    prefix: 'use "schema"',
    keyPrefix: 'use "schema"',
    schemaName: 'use "schema"',
    table: 'use "schema"',
    url: "give a client as the first argument",
    connectionString: "give a client as the first argument",
  },
});

/** Reads the options, which are absent if a program calls the constructor. */
function readOptions(options: PostgresJournalOptions | undefined): Complete<PostgresJournalOptions> {
  if (options !== undefined) return journalOptions.read(options);
  throw new OptionError("A PostgresJournal is not made with new: use await PostgresJournal.open(client)");
}

const MIB = 1024 * 1024;
/** Maximum of bytes in one read, which one notification may exceed. */
const READ_BYTES = 4 * MIB;
/** Maximum of epochs that may begin while a batch is written. */
const MAX_EPOCHS = 5;
/** Time for a commit, in ms, until the server is asked whether it is there. */
const BATCH_PATIENCE = 2000;

/**
 * A journal in PostgreSQL 14 or later, which many servers may have open. It opens two connections of its own from the
 * client it is given (with `npm:postgres` two that the client lends), and a third one to listen where the client needs
 * that; the client is not closed.
 *
 * Notifications that come at the same time share a transaction: each is committed, or known as a retry, before `append`
 * resolves. {@linkcode PostgresJournal.durability} tells how durable a commit is.
 *
 * @example
 * ```ts
 * import { type PostgresClient, PostgresJournal, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * // The client is a pool of npm:pg, one of npm:postgres, or that of Bun (SQL).
 * export async function makeServer(client: PostgresClient) {
 *   const journal = await PostgresJournal.open(client, { maxAge: 7 * 24 * 3600 * 1000 });
 *   return new WhatsAppServer({ port: 443, journal });
 * }
 * ```
 */
export class PostgresJournal implements Journal {
  /** `true`: the content outlives the process. */
  readonly durable = true;
  #schema: string;
  #retention: RetentionSettings;
  #listener: JournalListener | undefined;
  /** Errors from before there was a listener. */
  #unreported: JournalError[] = [];
  #closed = false;
  /** ID of this node among those that have the journal open. */
  readonly #node: string = randomUUID();

  #connections: JournalConnections;
  #runner: StatementRunner;
  /** `true` while PostgreSQL has another journal, whose entries are not delivered. */
  #replaced = false;
  /** Writes that `close` waits for. */
  #writing = new Set<Promise<unknown>>();

  // Parts
  #age: AgeClock;
  #epoch: JournalEpoch;
  #reopening: Promise<void> | undefined;
  #losses: JournalLosses;
  #lease: NodeLease<PostgresLink>;
  #tail: LogTail;
  #batches: AppendBatches;
  #delivery: OrderedDelivery;
  #receivers: PostgresReceivers;
  #trims: PostgresRetention;
  #trimmer: JournalTrimmer<PostgresLink>;
  #durability: PostgresDurability = "off";

  /**
   * Opens a journal, or creates it.
   *
   * @param client The program's client, or a function that gives one for each attempt to connect.
   * @param options Settings.
   * @returns The journal.
   * @throws {OptionError} If the client is of an unknown kind, or a setting is out of range.
   * @throws {JournalError} If PostgreSQL cannot be reached within 10 s, or cannot be used.
   */
  static async open(client: PostgresSource, options: PostgresJournalOptions = {}): Promise<PostgresJournal> {
    const journal = new PostgresJournal(client, options);
    try {
      await journal.#start();
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  /**
   * Writes the SQL that makes the schema, for an administrator who does not let the program make it.
   *
   * @param schema Name of the schema.
   * @returns Statements in one transaction.
   * @throws {OptionError} If the name cannot be used.
   */
  static schema(schema = "tackline"): string {
    return schemaText(schema);
  }

  /** @ignore */
  private constructor(client: PostgresSource, options: PostgresJournalOptions) {
    const { schema, ...retention } = readOptions(options);
    const open = linkOpener(client);
    this.#retention = retention;
    this.#schema = schema;
    this.#connections = this.#makeConnections(open);
    this.#runner = new StatementRunner(schema, this.#connections);
    this.#age = new AgeClock(this.#retention.clock);
    this.#epoch = new JournalEpoch(this.#runner);
    this.#delivery = this.#makeDelivery();
    this.#losses = this.#makeLosses();
    this.#lease = this.#makeLease();
    this.#tail = this.#makeTail();
    this.#batches = new AppendBatches((entries) => this.#writeInTime(entries));
    this.#receivers = this.#makeReceivers();
    this.#trims = new PostgresRetention(this.#runner, this.#age, this.#retention.maxAge);
    this.#trimmer = this.#makeTrimmer();
  }

  #makeConnections(open: LinkOpener): JournalConnections {
    // deno-lint-ignore no-this-alias -- a getter has a `this` of its own
    const journal = this;
    return new JournalConnections(open, {
      prepare: (link) => this.#prepare(link),
      prepareAppender: (link) => this.#prepareAppender(link),
      notified: (payload) => this.#tail.notified(payload),
      get isReplaced() {
        return journal.#replaced;
      },
      report: (error) => this.#report(error),
    });
  }

  #makeDelivery(): OrderedDelivery {
    // deno-lint-ignore no-this-alias -- a getter has a `this` of its own
    const journal = this;
    return new OrderedDelivery(this.#epoch.given, {
      notify: (entry) => notifyAppended(this.#listener, entry),
      read: (after, count) => this.#readEntries(after, count, this.#connections.requireLink()),
      get isClosed() {
        return journal.#closed || journal.#replaced;
      },
    });
  }

  #makeLosses(): JournalLosses {
    return new JournalLosses({
      forgotten: (error) => this.#reportOrKeep(error),
      grew: () => this.#listener?.lost?.(),
    });
  }

  #makeLease(): NodeLease<PostgresLink> {
    return new NodeLease<PostgresLink>(this.#runner, {
      sign: async (link) => {
        const [row] = await this.#runner.run(SIGN, [this.#node, LEASE_DURATION, this.#schema], link);
        const [base, last, trimmed, lost = ""] = String(row![0]).split("|");
        this.#losses.learn(Number(trimmed), lost);
        if (Number(base) !== this.#epoch.base && link === this.#runner.link) await this.#reopen();
        this.#tail.renewed(Number(last));
      },
      remove: (link) => this.#runner.run(RESIGN, [this.#node], link),
      failed: (error) => this.#connections.restartMain(error),
    });
  }

  #makeTail(): LogTail {
    // deno-lint-ignore no-this-alias -- getters have a `this` of their own
    const journal = this;
    return new LogTail({
      node: this.#node,
      get isOpen() {
        return !journal.#closed && !journal.#replaced && journal.#runner.link !== undefined;
      },
      get delivered() {
        return journal.#delivery.delivered;
      },
      catchUp: () => this.#delivery.catchUp(),
      failed: (error) => this.#connections.restartMain(error),
    });
  }

  #makeReceivers(): PostgresReceivers {
    return new PostgresReceivers(this.#node, this.#runner, this.#retention, this.#age, {
      learn: (trimmed, lost) => this.#losses.learn(trimmed, lost),
      lost: () => this.#losses.ranges,
      report: (error) => this.#report(error),
      track: (writing) => this.#track(writing),
    });
  }

  #makeTrimmer(): JournalTrimmer<PostgresLink> {
    return new JournalTrimmer<PostgresLink>(this.#runner, this.#retention.clock, {
      isAlive: (link) => link.query("SELECT 1").then(() => true, () => false),
      trim: async () => {
        const removal = await this.#trims.trim();
        this.#sweep();
        return removal;
      },
      trimmed: (trimmed) => this.#losses.trim(trimmed),
      report: async ({ before, trimmed }) => {
        const overtaken = await this.#receivers.cursors.readOvertaken(before, trimmed);
        notifyTrimmed(this.#listener, overtaken, before, trimmed);
        this.#sweep();
      },
      expire: () => this.#receivers.cursors.expire(),
      failed: (error) => this.#report(writeError(error)),
    });
  }

  /** Deletes in the background what retention has removed; if that fails, the next run of retention deletes it. */
  #sweep(): void {
    this.#track(this.#trims.sweep().catch(() => {}));
  }

  // ---- Opening -------------------------------------------------------------------------------------------------

  async #start(): Promise<void> {
    await this.#connections.opened();
    this.#trimmer.start();
  }

  async #prepare(link: PostgresLink): Promise<void> {
    this.#tail.stop();
    await ensureSchema(link, this.#schema);
    if (this.#closed) return;
    const opened = await this.#epoch.open(link);
    this.#replaced = opened === undefined;
    if (opened === undefined) throw new Error(REPLACED);
    this.#adopt(opened);
    this.#durability = await readDurability(link);
    // If it does not come, or not in time, a poll takes its place.
    link.listen?.(this.#schema).catch(() => {});
    await this.#lease.renew(link);
    void this.#connections.ready.then(() => {
      this.#tail.wake();
      this.#receivers.flush();
    });
  }

  /** Checks the epoch on this connection too, which may be the first one to the server that gives the numbers now. */
  async #prepareAppender(link: PostgresLink): Promise<void> {
    await ensureSchema(link, this.#schema);
    if (await this.#epoch.open(link) === undefined) throw new Error(REPLACED);
  }

  #adopt(opened: Opened): void {
    if (this.#epoch.id === "") {
      this.#delivery.begin(opened.last);
      this.#age.raise(opened.age);
      this.#losses.begin(opened.lost);
    }
    this.#epoch.adopt(opened);
    // Another connection may have brought later numbers while PostgreSQL answered.
    this.#epoch.given.add(this.#delivery.delivered);
    this.#losses.learn(opened.trimmed, opened.lost);
  }

  /**
   * Opens the journal again after another epoch has begun. If the connections turn out to lead to different servers,
   * they are replaced, since the numbers of one server mean nothing on the other.
   */
  #reopen(): Promise<void> {
    return this.#reopening ??= this.#openAgain().finally(() => this.#reopening = undefined);
  }

  async #openAgain(): Promise<void> {
    const main = this.#connections.requireLink();
    const bases = new Set<number>();
    for (const link of [main, this.#connections.appenderLink ?? main]) {
      const opened = await this.#epoch.open(link);
      if (opened === undefined) throw new Error(REPLACED);
      if (link === this.#runner.link) this.#adopt(opened);
      bases.add(opened.base);
    }
    if (bases.size === 1) return;
    const error = new Error("the connections lead to different servers");
    this.#connections.restartAll(error);
    throw error;
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** Durability of acknowledged writes, as configured in PostgreSQL when it was connected last. */
  get durability(): PostgresDurability {
    return this.#durability;
  }

  /** Permanent ID of the journal. */
  get id(): string {
    return this.#epoch.id;
  }

  /** Highest sequence number that this node has delivered. */
  get last(): number {
    return this.#delivery.delivered;
  }

  /** Sequence number up to which retention has removed notifications. */
  get trimmed(): number {
    return this.#losses.trimmed;
  }

  /** Ranges beyond `trimmed` that PostgreSQL has forgotten, as far as any node has known them. */
  get lost(): readonly SequenceRange[] {
    return this.#losses.ranges;
  }

  /**
   * Sets the listener.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
    if (listener === undefined) return;
    for (const error of this.#unreported.splice(0)) listener.error(error);
  }

  #report(error: JournalError): void {
    this.#listener?.error(error);
  }

  /** Keeps errors from before there is a listener, for the first one. */
  #reportOrKeep(error: JournalError): void {
    if (this.#listener === undefined) this.#unreported.push(error);
    else this.#listener.error(error);
  }

  #assertOpen(): void {
    if (this.#closed) throw new JournalError("ERR_JOURNAL_CLOSED", "The journal in PostgreSQL is closed");
  }

  #track(writing: Promise<unknown>): void {
    this.#writing.add(writing);
    void writing.finally(() => this.#writing.delete(writing));
  }

  // ---- Appending -----------------------------------------------------------------------------------------------

  /**
   * Recognises a retry.
   *
   * @param digest SHA-256 digest of a body.
   * @returns `true` if the same body is in the journal.
   */
  async has(digest: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    return await reading(async () => {
      const rows = await this.#runner.run(HAS, [digest], this.#connections.requireLink());
      return rows.length > 0;
    });
  }

  /**
   * Keeps a notification.
   *
   * @param entry The notification.
   * @returns Resolves when it is committed. Rejects with a {@linkcode JournalError} if not, or if that is unknown: the
   * retry of Meta settles it.
   */
  async append(entry: NewEntry): Promise<Appended> {
    this.#assertOpen();
    const appending = this.#append(entry);
    this.#writing.add(appending);
    try {
      return await appending;
    } catch (cause) {
      throw writeError(cause);
    } finally {
      this.#writing.delete(appending);
    }
  }

  async #append(entry: NewEntry): Promise<Appended> {
    const appended = await this.#batches.add(entry);
    const { bytes, signature, receivedAt, forward } = entry;
    if (!appended.duplicate) {
      await this.#delivery.deliverOwn({ seq: appended.seq, bytes, signature, receivedAt }, forward);
    }
    return appended;
  }

  async #writeInTime(entries: readonly NewEntry[]): Promise<Appended[]> {
    const cancel = systemClock.after(BATCH_PATIENCE, () => this.#connections.doubt());
    try {
      return await this.#write(entries);
    } finally {
      cancel();
    }
  }

  async #write(entries: readonly NewEntry[]): Promise<Appended[]> {
    const link = this.#connections.requireAppender();
    const encoded = encodeEntries(entries);
    for (let tries = 1;; tries++) {
      const { id, base, given } = this.#epoch;
      const log = [id, base, given.last, this.#age.age, this.#retention.maxBytes, this.#schema, this.#node];
      const [row] = await this.#runner.run(APPEND, [...log, ...encoded], link);
      const answer = String(row![0]);
      if (answer === "REPLACED") throw new Error(REPLACED);
      if (answer !== "EPOCH") return this.#settle(answer);
      if (tries === MAX_EPOCHS) throw new Error("other servers give the numbers, again and again");
      await this.#reopen();
    }
  }

  #settle(answer: string): Appended[] {
    const [before, trimmed, age, numbers = ""] = answer.split("|");
    this.#age.raise(Number(age));
    if (Number(trimmed) > Number(before)) {
      this.#track(this.#trimmer.note({ before: Number(before), trimmed: Number(trimmed) }));
    }
    const flat = numbers.split(" ").map(Number);
    const results: Appended[] = [];
    for (let at = 0; at < flat.length; at += 2) results.push({ seq: flat[at]!, duplicate: flat[at + 1] === 1 });
    this.#epoch.given.add(Math.max(...results.map(({ seq }) => seq)));
    return results;
  }

  // ---- Reading -------------------------------------------------------------------------------------------------

  /**
   * Reads notifications to deliver.
   *
   * @param after Sequence number after which to begin.
   * @param count Maximum of entries.
   * @returns Entries in the order of `seq`.
   */
  async read(after: number, count: number): Promise<JournalEntry[]> {
    this.#assertOpen();
    return await reading(async () => (await this.#readEntries(after, count)).entries);
  }

  async #readEntries(after: number, count: number, link?: PostgresLink): Promise<ReadResult> {
    const rows = await this.#runner.run(READ, [after, count, READ_BYTES], link);
    const [last, trimmed, lost] = rows[0] as string[];
    this.#losses.learn(Number(trimmed), lost!);
    const entries = rows.filter(([, , , seq]) => seq !== null).map((row) => decodeEntry(row.slice(3)));
    return { last: Number(last), entries };
  }

  // ---- Receivers -----------------------------------------------------------------------------------------------

  /**
   * Reads the cursor of a receiver, on whichever node it was.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  async cursor(name: string): Promise<number | undefined> {
    this.#assertOpen();
    return await reading(() => this.#receivers.cursors.read(name));
  }

  /**
   * Admits a receiver; a new name is committed before this resolves.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @param shared `true` if its cursor is one of `share`.
   * @returns Sequence number up to which it has acknowledged all notifications, on whichever node.
   */
  async admit(name: string, start: number, shared: boolean): Promise<number> {
    this.#assertOpen();
    try {
      return await this.#receivers.cursors.admit(name, start, shared);
    } catch (cause) {
      throw writeError(cause);
    }
  }

  /**
   * Moves the cursor of a receiver on this node; it is written soon.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  saveCursor(name: string, seq: number): void {
    this.#receivers.cursors.save(name, seq);
  }

  /**
   * Releases a receiver whose last connection to this node has ended; it may connect to another node next.
   *
   * @param name Its name.
   */
  release(name: string): void {
    this.#receivers.cursors.release(name);
  }

  /**
   * Joins a cursor that the receivers of a name share, on all nodes.
   *
   * @param name The name.
   * @param start Sequence number to begin after, if the cursor is new.
   * @param wanted Filters of the receivers: those of all nodes must be the same.
   * @param wake Called when there may be notifications to take.
   * @returns The part of this node in the cursor.
   */
  share(name: string, start: number, wanted: string, wake: () => void): SharedCursor {
    return this.#receivers.share(name, start, wanted, wake);
  }

  /** Writes all that is not written yet, and closes the connections. The content of PostgreSQL stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#receivers.beginClose();
    if (this.#trimmer.isPending) this.#writing.add(this.#trimmer.flush().catch(() => {}));
    this.#closed = true;
    this.#connections.beginClose();
    this.#trimmer.stop();
    this.#trims.stop();
    this.#lease.stop();
    this.#tail.stop();
    await Promise.allSettled(this.#writing);
    await this.#receivers.closed();
    await this.#lease.remove();
    await this.#runner.stop();
    await this.#connections.close();
    this.#receivers.cursors.cancel();
  }
}

async function reading<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    throw readError(cause);
  }
}
