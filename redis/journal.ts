/**
 * The journal of several servers, in a stream of Redis: each of them accepts notifications, and all of them deliver
 * them.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { toBase64 } from "../base/encoding.ts";
import { describe, JournalError, OptionError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";
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
import { RETENTION_HINTS, RETENTION_SETTINGS, type RetentionSettings } from "../journal/retention.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { JournalTrimmer } from "../journal/trimmer.ts";
import { AnswerSize } from "./answer_size.ts";
import { explainSlots, isMoving } from "./cluster_errors.ts";
import { JournalConnections } from "./connections.ts";
import { CURSOR_SCRIPTS } from "./cursor_scripts.ts";
import { OrderedDelivery, type ReadResult } from "../journal/ordered_delivery.ts";
import { decodeEntry, encodeBody } from "./entry.ts";
import { JournalEpoch, type OpenAnswer } from "./epoch.ts";
import { evictionError, readError, REPLACED, writeError } from "./journal_errors.ts";
import type { LinkOpener, RedisLink } from "./link.ts";
import { APPEND, LOG_SCRIPTS, OPEN, READ, SIGN } from "./log_scripts.ts";
import { JournalLosses } from "./losses.ts";
import { NAME_SCRIPTS } from "./name_scripts.ts";
import { linkOpener } from "./open_link.ts";
import { RedisReceivers } from "./receivers.ts";
import { ReplicaConfirmation } from "./replicas.ts";
import { trimRedis } from "./retention.ts";
import { ScriptRunner } from "./script_runner.ts";
import { readDurability, readEviction, type RedisDurability } from "./server_config.ts";
import type { RedisSource } from "./source.ts";
import { StreamTail } from "./tail.ts";

/**
 * Options of a {@linkcode RedisJournal}.
 *
 * Also from {@linkcode JournalRetention}:
 * - `maxAge` (default `2592000000`): Maximum age of notifications, in ms; 0: no limit.
 * - `maxBytes` (default `1073741824`): Maximum of bytes of all bodies, at least 16 MiB; 0: no limit.
 * - `maxReceivers` (default `10000`): Maximum of names of receivers; 0: no limit.
 * - `maxReceiverAge` (default `7776000000`): Maximum time that the name of a receiver is kept without a connection, in
 *   ms, at least an hour; 0: no limit.
 * - `clock`: Clock, to be replaced in tests.
 */
export interface RedisJournalOptions extends JournalRetention {
  /**
   * Prefix of the keys: the same on all nodes of one service. Its hash tag keeps them in one slot of a cluster.
   * @default {"{tackline}:"}
   */
  prefix?: string | undefined;
  /**
   * Number of replicas that must have a notification before Meta gets its 200 (`WAIT`); 0: the disk of the primary
   * suffices.
   * @default {0}
   */
  replicas?: number | undefined;
  /**
   * Time for the replicas, in ms, at most 4000; then the notification counts as not kept, and Meta retries.
   * @default {1000}
   */
  replicaTimeout?: number | undefined;
  /**
   * Behaviour if Redis evicts keys when its memory is full, that is, if it has `maxmemory`, and a `maxmemory-policy`
   * other than `noeviction`: notifications that got their 200 would be lost. `"refuse"`: `open` rejects; `"warn"`: the
   * listener gets an error with the code `ERR_JOURNAL_EVICTION`, as it does later if a new connection finds such a
   * Redis.
   * @default {"refuse"}
   */
  eviction?: "refuse" | "warn" | undefined;
}

/** The settings of a journal in Redis. */
export const REDIS_JOURNAL_SETTINGS: SettingsTable<Complete<RedisJournalOptions>> = {
  ...RETENTION_SETTINGS,
  prefix: { kind: "string", default: "{tackline}:", check: (prefix) => assertWellFormed("The prefix", prefix) },
  replicas: { kind: "number", unit: "count", default: 0 },
  replicaTimeout: { kind: "number", unit: "ms", most: 4000, default: 1000 },
  eviction: { kind: "choice", choices: ["refuse", "warn"], default: "refuse" },
};

const journalOptions = new FieldsReader("RedisJournal", REDIS_JOURNAL_SETTINGS, {
  hints: {
    ...RETENTION_HINTS,
    keyPrefix: 'use "prefix"',
    name: 'use "prefix"',
    url: "give a client as the first argument",
  },
});

/** Reads the options, which are absent if a program calls the constructor. */
function readOptions(options: RedisJournalOptions | undefined): Complete<RedisJournalOptions> {
  if (options !== undefined) return journalOptions.read(options);
  throw new OptionError("A RedisJournal is not made with new: use await RedisJournal.open(client)");
}

const MIB = 1024 * 1024;
/** Maximum of bytes in one read, which one notification may exceed. */
const READ_BYTES = 4 * MIB;
/** Maximum of epochs that may begin while one notification is written. */
const MAX_EPOCHS = 5;

/**
 * A journal in Redis 7 or later, which many servers may have open. It opens two or three connections of its own from
 * the client it is given; the client is not used otherwise, and not closed.
 *
 * Each notification is one script: it is in the stream, or known as a retry, before `append` resolves. With `appendonly
 * yes` and `appendfsync always` it is on the disk of Redis by then; with `everysec` the last second may be gone after a
 * power failure; {@linkcode RedisJournal.durability} tells. Redis must not evict (`maxmemory-policy noeviction`).
 *
 * Receivers of one name that share the work are a consumer group, across all servers. Notifications that a server has
 * taken for them go to the others when its receivers leave, or some 5 s after it has died.
 *
 * @example
 * ```ts
 * import { type RedisClient, RedisJournal, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * // The client is that of Bun, of npm:redis or of npm:ioredis.
 * export async function makeServer(client: RedisClient) {
 *   const journal = await RedisJournal.open(client, { maxAge: 7 * 24 * 3600 * 1000 });
 *   return new WhatsAppServer({ port: 443, journal });
 * }
 * ```
 */
export class RedisJournal implements Journal {
  /** `true`: the content outlives the process. */
  readonly durable = true;
  #prefix: string;
  #retention: RetentionSettings;
  #eviction: "refuse" | "warn";
  #listener: JournalListener | undefined;
  /** Errors from before there was a listener. */
  #unreported: JournalError[] = [];
  #closed = false;
  /** ID of this node among those that have the journal open. */
  readonly #node: string = randomUUID();

  #connections: JournalConnections;
  #runner: ScriptRunner;
  /** `true` while Redis has another journal, whose entries are not delivered. */
  #replaced = false;
  /** Writes that `close` waits for. */
  #writing = new Set<Promise<unknown>>();

  // Parts
  #age: AgeClock;
  #epoch: JournalEpoch;
  #reopening: Promise<void> | undefined;
  #losses: JournalLosses;
  #lease: NodeLease<RedisLink>;
  #tail: StreamTail;
  #replicas: ReplicaConfirmation;
  #receivers: RedisReceivers;
  #trimmer: JournalTrimmer<RedisLink>;
  #answerSize = new AnswerSize();

  #delivery: OrderedDelivery;
  #durability: RedisDurability = "unknown";

  /**
   * Opens a journal, or creates it.
   *
   * @param source The program's client, sentinels, or a function that makes a client for each attempt to connect.
   * @param options Settings.
   * @returns The journal.
   * @throws {OptionError} If the client is of an unknown kind, or a setting is out of range.
   * @throws {JournalError} If Redis cannot be reached within 10 s, evicts keys (see `eviction`), or has the journal of
   * other nodes with this prefix under other keys, since their client has another `keyPrefix`.
   */
  static async open(source: RedisSource, options: RedisJournalOptions = {}): Promise<RedisJournal> {
    const journal = new RedisJournal(source, options);
    try {
      await journal.#start();
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  /** @ignore */
  private constructor(source: RedisSource, options: RedisJournalOptions) {
    const { prefix, replicas, replicaTimeout, eviction, ...retention } = readOptions(options);
    const open = linkOpener(source, `${prefix}stream`);
    this.#eviction = eviction;
    this.#retention = retention;
    this.#prefix = prefix;
    this.#connections = this.#makeConnections(open, replicas > 0);
    this.#runner = new ScriptRunner(prefix, this.#connections);
    this.#age = new AgeClock(this.#retention.clock);
    this.#epoch = new JournalEpoch(this.#runner);
    this.#replicas = new ReplicaConfirmation(replicas, replicaTimeout);
    this.#delivery = this.#makeDelivery();
    this.#losses = this.#makeLosses();
    this.#lease = this.#makeLease();
    this.#tail = this.#makeTail();
    this.#receivers = this.#makeReceivers();
    this.#trimmer = this.#makeTrimmer();
  }

  #makeConnections(open: LinkOpener, waitsForReplicas: boolean): JournalConnections {
    // deno-lint-ignore no-this-alias -- a getter has a `this` of its own
    const journal = this;
    return new JournalConnections(open, waitsForReplicas, {
      prepare: (link) => this.#prepare(link),
      prepareAppender: (link) => this.#prepareAppender(link),
      startTail: (link) => this.#tail.start(link),
      mainLost: () => this.#tail.suspect(),
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
      read: (after, count) => this.#readEntries(after, count),
      get isClosed() {
        return journal.#closed;
      },
    });
  }

  #makeLosses(): JournalLosses {
    return new JournalLosses(`${this.#prefix}stream`, {
      deleted: (error) => this.#reportOrKeep(error),
      forgotten: (error) => this.#reportOrKeep(error),
      grew: () => this.#listener?.lost?.(),
    });
  }

  #makeLease(): NodeLease<RedisLink> {
    return new NodeLease<RedisLink>(this.#runner, {
      sign: async (link) => {
        const answer = await this.#runner.run(SIGN, [this.#node, LEASE_DURATION], link);
        const [base, trimmed, news] = answer as [string, string, string];
        this.#losses.learn(Number(trimmed), news);
        if (base !== this.#epoch.base && link === this.#runner.link) await this.#reopen();
      },
      remove: (link) => link.send(["DEL", `${this.#prefix}node:${this.#node}`]),
      failed: (error) => {
        // Until the keys have moved, another connection leads to the same server.
        if (!isMoving(error)) this.#connections.restartMain(error);
      },
    });
  }

  #makeTail(): StreamTail {
    // deno-lint-ignore no-this-alias -- a getter has a `this` of its own
    const journal = this;
    return new StreamTail(`${this.#prefix}stream`, {
      get ready() {
        return journal.#connections.ready;
      },
      get delivered() {
        return journal.#delivery.delivered;
      },
      get isOver() {
        return journal.#closed || journal.#replaced;
      },
      gap: () => this.#lease.renew(this.#connections.requireLink()),
      deliver: (entry) => this.#delivery.deliver(entry),
      restart: (error, all) => {
        this.#connections.restartTail(error);
        if (all) this.#connections.restartWriters(error);
      },
    });
  }

  #makeReceivers(): RedisReceivers {
    return new RedisReceivers(this.#node, this.#runner, this.#answerSize, this.#retention, this.#age, {
      learn: (trimmed, news) => this.#losses.learn(trimmed, news),
      lost: () => this.#losses.ranges,
      report: (error) => this.#report(error),
      track: (writing) => this.#track(writing),
      confirmsNames: this.#replicas.isRequired,
      confirmName: () => this.#confirmName(),
    });
  }

  #makeTrimmer(): JournalTrimmer<RedisLink> {
    return new JournalTrimmer<RedisLink>(this.#runner, this.#retention.clock, {
      isAlive: (link) => link.send(["PING"]).then(() => true, () => false),
      trim: () => trimRedis(this.#runner, this.#age, this.#retention.maxAge),
      trimmed: (trimmed) => this.#losses.trim(trimmed),
      report: async ({ before, trimmed }) =>
        notifyTrimmed(this.#listener, await this.#receivers.cursors.readAll(), before, trimmed),
      expire: () => this.#receivers.cursors.expire(),
      failed: (error) => this.#report(writeError(error)),
    });
  }

  // ---- Opening -------------------------------------------------------------------------------------------------

  async #start(): Promise<void> {
    const link = await this.#connections.opened();
    this.#durability = await readDurability(link);
    this.#trimmer.start();
  }

  async #prepare(link: RedisLink): Promise<void> {
    await Promise.all([...LOG_SCRIPTS, ...CURSOR_SCRIPTS, ...NAME_SCRIPTS].map((script) => script.load(link)));
    if (this.#closed) return;
    const eviction = await this.#checkEviction(link);
    if (eviction !== undefined && this.#eviction === "refuse" && this.#epoch.id === "") throw eviction;
    const before = this.#epoch.base;
    const opened = await this.#epoch.open(link, true).catch((error) => {
      throw explainSlots(error, this.#prefix);
    });
    this.#replaced = opened === undefined;
    if (opened === undefined) throw new Error(REPLACED);
    this.#adopt(opened);
    if (eviction !== undefined) this.#reportOrKeep(eviction);
    await this.#lease.renew(link);
    // A tail that was connected before the epoch began may be connected to a former primary.
    if (this.#tail.isSuspect && this.#epoch.base !== before) {
      this.#connections.restartTail(new Error("the numbers come from another server"));
    }
    // Written once the connection is ready for others.
    void this.#connections.ready.then(() => this.#receivers.flush());
  }

  async #checkEviction(link: RedisLink): Promise<JournalError | undefined> {
    const settings = await readEviction(link);
    this.#losses.eviction = settings === undefined ? "" : `"maxmemory-policy ${settings.policy}"`;
    return settings && evictionError(settings);
  }

  /** Checks the epoch on this connection too, which may be the first one to the server that gives the numbers now. */
  async #prepareAppender(link: RedisLink): Promise<void> {
    await Promise.all([OPEN.load(link), APPEND.load(link)]);
    if (await this.#epoch.open(link, true) === undefined) throw new Error(REPLACED);
  }

  #adopt(opened: OpenAnswer): void {
    const [, last, trimmed, age, , , news, found] = opened;
    if (this.#epoch.id === "") {
      this.#delivery.begin(Number(last));
      this.#age.raise(Number(age));
      this.#losses.begin(news, found === 1);
    }
    this.#epoch.adopt(opened);
    // Another connection may have brought later numbers while Redis answered.
    this.#epoch.given.add(this.#delivery.delivered);
    this.#losses.learn(Number(trimmed), news);
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
    const bases = new Set<string>();
    for (const link of new Set([main, this.#connections.appenderLink ?? main])) {
      const opened = await this.#epoch.open(link, false);
      if (opened === undefined) throw new Error(REPLACED);
      if (link === this.#runner.link) this.#adopt(opened);
      bases.add(opened[4]);
    }
    if (bases.size === 1) return;
    const error = new Error("the connections lead to different servers");
    this.#connections.restartWriters(error);
    throw error;
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** Durability of acknowledged writes, as configured in Redis when the journal was opened. */
  get durability(): RedisDurability {
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

  /** Ranges beyond `trimmed` that Redis has forgotten, as far as any node has known them. */
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
    if (this.#closed) throw new JournalError("ERR_JOURNAL_CLOSED", "The journal in Redis is closed");
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
    const command = ["HEXISTS", `${this.#prefix}digests`, toBase64(digest)];
    return await this.#reads(async () => Number(await this.#connections.requireLink().send(command)) === 1);
  }

  async #reads<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (cause) {
      throw readError(cause);
    }
  }

  /**
   * Keeps a notification.
   *
   * @param entry The notification.
   * @returns Resolves when Redis has it, and as many replicas as required. Rejects with a {@linkcode JournalError} if
   * not, or if that is unknown: the retry of Meta settles it.
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
    const { bytes, signature, receivedAt, digest, forward } = entry;
    const link = this.#connections.requireAppender();
    const [kind, body] = encodeBody(bytes);
    const args = [
      this.#age.age,
      toBase64(digest),
      forward ? 1 : 0,
      kind,
      body,
      bytes.length,
      signature,
      receivedAt.getTime(),
      this.#retention.maxBytes,
    ];
    const [seq = 0, duplicate, before = 0, trimmed = 0, age = 0] = await this.#runAppend(link, args);
    this.#age.raise(age);
    this.#epoch.given.add(seq);
    if (trimmed > before) await this.#trimmer.report({ before, trimmed });
    if (duplicate === 0) await this.#delivery.deliverOwn({ seq, bytes, signature, receivedAt }, forward);
    if (this.#replicas.isRequired) await this.#replicas.confirm(link, `notification ${seq}`);
    return { seq, duplicate: duplicate === 1 };
  }

  async #runAppend(link: RedisLink, args: (string | number)[]): Promise<number[]> {
    for (let tries = 1;; tries++) {
      const { id, base, given } = this.#epoch;
      try {
        return (await this.#runner.run(APPEND, [id, base, given.last, ...args], link) as unknown[]).map(Number);
      } catch (error) {
        if (!describe(error).includes("EPOCH") || tries === MAX_EPOCHS) throw error;
        await this.#reopen();
      }
    }
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
    return await this.#reads(async () => (await this.#readEntries(after, count)).entries);
  }

  async #readEntries(after: number, count: number): Promise<ReadResult> {
    const link = this.#connections.requireLink();
    const answer = await this.#answerSize.ask((share) => {
      return this.#runner.run(READ, [after, count, Math.ceil(READ_BYTES * share)], link);
    }) as [string, string, string[][], string];
    const [trimmed, last, entries, news] = answer;
    this.#losses.learn(Number(trimmed), news);
    return { last: Number(last), entries: entries.map(decodeEntry) };
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
    return await this.#reads(() => this.#receivers.cursors.read(name));
  }

  /**
   * Admits a receiver; a new name is in Redis before this resolves, and in as many replicas as required.
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

  /** Like a notification, a new name must survive the loss of the primary before a receiver relies on it. */
  async #confirmName(): Promise<void> {
    const link = this.#connections.requireAppender();
    // WAIT is for all that Redis had written by the last command of the same connection.
    await link.send(["PING"]);
    await this.#replicas.confirm(link, "the name of a receiver");
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

  /** Writes all that is not written yet, and closes the connections. The content of Redis stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#receivers.beginClose();
    if (this.#trimmer.isPending) this.#writing.add(this.#trimmer.flush().catch(() => {}));
    this.#closed = true;
    this.#connections.beginClose();
    this.#trimmer.stop();
    this.#lease.stop();
    this.#tail.cancelPatience();
    await Promise.allSettled(this.#writing);
    await this.#receivers.closed();
    await this.#lease.remove();
    await this.#connections.close();
    await this.#tail.stopped();
    this.#receivers.cursors.cancel();
  }
}
