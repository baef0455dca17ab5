/**
 * A journal in a stream of Redis, for several servers: any of them takes notifications, and all of them deliver what any has taken.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { fromBase64, toBase64 } from "./base64.ts";
import { systemClock } from "./clock.ts";
import { describe, JournalError, OptionError } from "./errors.ts";
import {
  type Appended,
  checkRetention,
  DIGEST_AGE,
  type Journal,
  type JournalEntry,
  type JournalListener,
  type JournalRetention,
  type NewEntry,
  tellAppended,
  tellTrimmed,
} from "./journal.ts";
import { assertNumber, assertWellFormed } from "./ranges.ts";
import { assertRedisClient, type RedisClient, type RedisLink } from "./redis_client.ts";
import { expiredError, tooManyError } from "./receiver_names.ts";
import { ADMIT, EXPIRE, NAME_SCRIPTS, TOUCH } from "./redis_names.ts";
import { RedisPlace } from "./redis_place.ts";
import {
  APPEND,
  CURSOR,
  CURSORS,
  OPEN,
  READ,
  type RedisScript,
  RELEASE,
  SAVE,
  SCRIPTS,
  TRIM,
} from "./redis_scripts.ts";
import { RedisSession } from "./redis_session.ts";
import type { SharedPlace } from "./shared_place.ts";

export type { SharedPlace, TakenEntries } from "./shared_place.ts";

/** Settings of a {@linkcode RedisJournal}. */
export interface RedisJournalOptions extends JournalRetention {
  /**
   * What the names of its keys begin with: the same on all nodes of one service. All keys are in one slot of a cluster.
   * @default {"{tackline}:"}
   */
  prefix?: string;
  /**
   * How many replicas must have a notification before Meta gets its 200 (`WAIT`); 0: the primary's disk is enough.
   * @default {0}
   */
  replicas?: number;
  /**
   * How long they may take, in ms, at most 4000; then it counts as not kept, and Meta tries again.
   * @default {1000}
   */
  replicaTimeout?: number;
}

const MIB = 1024 * 1024;
/** Retention by age runs so often, in ms. */
const TRIM_INTERVAL = 600_000;
/** Cursors are written so long after they moved, in ms. */
const CURSOR_DELAY = 100;
const READ_COUNT = 256;
/** Which receivers have lost something to retention is asked so often at most, in ms. */
const REPORT_INTERVAL = 1000;
/** At most so many bytes are read at once. */
const READ_BYTES = 4 * MIB;
/** So many are read at once that other nodes have taken: each may be large. */
const TAIL_COUNT = 16;
/** So long the stream is waited for at once, and its answer, in ms. */
const TAIL_BLOCK = 1000;
const TAIL_PATIENCE = 10_000;
/** A node says so often that it lives, and is dead if it has not for so long, in ms. */
const SIGN_INTERVAL = 1000;
const SIGN_AGE = 5000;
/** How long `open` waits for Redis, in ms. */
const OPEN_PATIENCE = 10_000;

const REPLACED = "another one is there now; start the server again to use it";

/** How sure it is that Redis keeps what it has said to keep. */
export type RedisDurability = "always" | "everysec" | "no" | "unknown";

/**
 * A journal in Redis 7 or later, which many servers may have open. It makes two connections of its own from the client it is given, which it
 * does not use otherwise and does not close.
 *
 * Each notification is one script: it is in the stream, or known as a retry, before `append` resolves. With `appendonly yes` and
 * `appendfsync always` it is on the disk of Redis by then; with `everysec` the last second may be gone after a power failure;
 * {@linkcode RedisJournal.durability} tells. Redis must not evict (`maxmemory-policy noeviction`).
 *
 * Receivers of one name that share the work are a consumer group: those of all servers share it. What a server had taken for them goes to the
 * others when its receivers leave, or some 5 s after it has died.
 *
 * @example
 * ```ts
 * import { type RedisClient, RedisJournal, WhatsAppServer } from "@tackline/websocket";
 *
 * // The client is one of npm:redis, npm:ioredis or Bun.
 * export async function makeServer(client: RedisClient) {
 *   const journal = await RedisJournal.open(client, { maxAge: 7 * 24 * 3600 * 1000 });
 *   return new WhatsAppServer({ port: 443, journal });
 * }
 * ```
 */
export class RedisJournal implements Journal {
  /** What is in it outlives the process. */
  readonly durable = true;
  #prefix: string;
  #retention: Required<JournalRetention>;
  #replicas: number;
  #replicaTimeout: number;
  #listener: JournalListener | undefined;
  #closed = false;
  /** This node, among those that have the journal open. */
  readonly #node: string = randomUUID();

  // Connections
  #session: RedisSession;
  /** What has to wait for replicas goes over a connection of its own: the wait holds up all that comes behind it. */
  #appender: RedisSession;
  #wait: Promise<number> | undefined;
  #nextWait: Promise<number> | undefined;
  #tail: RedisSession;
  #tailing: Promise<void> = Promise.resolve();
  #tailLink: RedisLink | undefined;
  #cancelTail: () => void = () => {};
  #away = false;
  /** Whether another journal is where this one was: none of it is to be told. */
  #replaced = false;
  #toldReplaced = false;
  #lastFailure = "";
  #refused: PromiseWithResolvers<string> = Promise.withResolvers<string>();
  #cancelSign: () => void = () => {};
  #appending = new Set<Promise<unknown>>();

  // What is there
  #id = "";
  /** Everything up to here was told to the listener. */
  #delivered = 0;
  #trimmed = 0;
  #reading: Promise<void> | undefined;
  #durability: RedisDurability = "unknown";
  /** `now()` of the clock when the age clock stood at 0. */
  #epoch: number | undefined;
  #cancelTrim: () => void = () => {};

  // Receivers
  #movedCursors = new Map<string, { start: number; cursor: number }>();
  #cancelCursors: (() => void) | undefined;
  /** Whether it was reported that they cannot be written. */
  #cursorsFail = false;
  /** Names that this server has said to be here. */
  #here = new Set<string>();
  /** Names that have a connection here. */
  #admitted = new Set<string>();
  /** Names that are left, and not yet said to be. */
  #released = new Set<string>();
  #places = new Set<RedisPlace>();
  /** What retention has taken, and nobody was told. */
  #untold: { before: number; trimmed: number } | undefined;
  #cancelReport: (() => void) | undefined;
  #placeCount = 0;

  /**
   * Opens a journal; it is made if it is not there.
   *
   * @param client The program's client.
   * @param options How long to keep what, and where.
   * @returns The journal.
   * @throws {OptionError} If the client is of no kind that is known, or a setting is out of range.
   * @throws {JournalError} If Redis cannot be reached within 10 s.
   */
  static async open(client: RedisClient, options: RedisJournalOptions = {}): Promise<RedisJournal> {
    const journal = new RedisJournal(client, options);
    try {
      await journal.#start();
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  private constructor(client: RedisClient, options: RedisJournalOptions) {
    const { prefix = "{tackline}:", replicas = 0, replicaTimeout = 1000, ...retention } = options;
    assertRedisClient(client);
    if (typeof prefix !== "string") throw new OptionError(`The prefix is a ${typeof prefix} instead of a string`);
    assertWellFormed("The prefix", prefix);
    assertNumber("replicas", replicas);
    assertNumber("replicaTimeout", replicaTimeout, 4000);
    this.#retention = checkRetention(retention, 1024 * MIB);
    this.#prefix = prefix;
    this.#replicas = replicas;
    this.#replicaTimeout = replicaTimeout;
    const down = (error: unknown): void => this.#wentDown(error);
    // Connections, and the sign that a node lives, have the time of Redis, not the one of tests.
    this.#session = new RedisSession(client, systemClock, { up: (link) => this.#up(link), down });
    this.#appender = replicas === 0
      ? this.#session
      : new RedisSession(client, systemClock, { up: (link) => APPEND.load(link), down: () => {} });
    this.#tail = new RedisSession(client, systemClock, { up: (link) => this.#startTail(link), down: () => {} });
  }

  async #start(): Promise<void> {
    let cancel: () => void = () => {};
    const late = new Promise<string>((resolve) => cancel = systemClock.after(OPEN_PATIENCE, () => resolve("late")));
    const ready = this.#session.ready.then(() => this.#appender.ready);
    const result = await Promise.race([ready, this.#refused.promise, late]);
    cancel();
    if (result !== undefined || this.#session.link === undefined) {
      throw new JournalError("ERR_JOURNAL_OPEN", `Cannot open the journal in Redis${this.#lastFailure}`);
    }
    this.#away = false;
    await this.#readDurability();
    this.#trim();
  }

  async #up(link: RedisLink): Promise<void> {
    try {
      await this.#prepare(link);
    } catch (error) {
      // A Redis that answers, but not as it should, does so the next time too.
      if (await link.send(["PING"]).then(() => true, () => false)) {
        this.#lastFailure = `: ${describe(error)}`;
        this.#refused.resolve("refused");
      }
      throw error;
    }
  }

  async #prepare(link: RedisLink): Promise<void> {
    await Promise.all([...SCRIPTS, ...NAME_SCRIPTS].map((script) => script.load(link)));
    if (this.#closed) return;
    await this.#giveSign(link);
    // Others may come in by another connection while Redis answers: they are not lost.
    const delivered = this.#delivered;
    const opened = await this.#run(OPEN, [this.#id || randomUUID(), delivered], link) as string[];
    this.#replaced = this.#id !== "" && opened[0] !== this.#id;
    if (this.#replaced) throw new Error(REPLACED);
    this.#tellLost(Number(opened[1]), delivered);
    if (this.#id === "") {
      this.#id = opened[0];
      this.#delivered = Number(opened[1]);
      this.#trimmed = Number(opened[2]);
      this.#rebase(Number(opened[3]));
    }
    if (this.#away) this.#tell("ERR_JOURNAL_AWAY", "Redis is there again");
    this.#away = false;
    // What waited for it, once others may use the connection.
    void this.#session.ready.then(() => {
      this.#flushCursors();
      for (const place of this.#places) place.flush();
    });
  }

  #wentDown(cause: unknown): void {
    this.#lastFailure = `: ${describe(cause)}`;
    if (this.#closed) return;
    if (this.#replaced) return this.#tellReplaced(cause);
    if (this.#away) return;
    this.#away = true;
    this.#tell("ERR_JOURNAL_AWAY", `Redis is away: ${describe(cause)}`, cause);
  }

  #tellReplaced(cause: unknown): void {
    if (this.#toldReplaced) return;
    this.#toldReplaced = true;
    this.#tell("ERR_JOURNAL_REPLACED", `The journal in Redis is gone: ${REPLACED}`, cause);
  }

  #tellLost(known: number, delivered: number): void {
    if (known >= delivered) return;
    const message = `Redis has forgotten notifications: it knows ${known} of ${delivered}; see "appendfsync"`;
    this.#tell("ERR_JOURNAL_LOST", message);
  }

  /** Other nodes take over what belongs to one that gives no sign. */
  async #giveSign(link: RedisLink): Promise<void> {
    this.#cancelSign();
    this.#cancelSign = systemClock.after(SIGN_INTERVAL, () => {
      const current = this.#session.link;
      if (current !== undefined && !this.#closed) {
        this.#giveSign(current).catch((error) => this.#session.restart(error));
      }
    });
    const key = `${this.#prefix}node:${this.#node}`;
    // Where Redis has no memory left, the sign that is there can still be renewed.
    if (Number(await link.send(["PEXPIRE", key, String(SIGN_AGE)])) === 1) return;
    await link.send(["SET", key, "1", "PX", String(SIGN_AGE)]).catch((error) => {
      if (!describe(error).includes("OOM")) throw error;
    });
  }

  async #readDurability(): Promise<void> {
    try {
      const texts = await Promise.all(
        ["appendonly", "appendfsync"].map((name) => this.#link().send(["CONFIG", "GET", name])),
      );
      // Two texts, or an object, by the version of the protocol.
      const [on, sync] = texts.map((text) => Array.isArray(text) ? text[1] : Object.values(text as object)[0]);
      this.#durability = on === "yes" ? sync as RedisDurability : "no";
    } catch {
      // Where Redis is a service, the command is often forbidden.
    }
  }

  /** How sure it is that Redis keeps what it has said to keep, as it was when the journal was opened; `"unknown"`: it does not tell. */
  get durability(): RedisDurability {
    return this.#durability;
  }

  /** Names this journal for ever. */
  get id(): string {
    return this.#id;
  }

  /** The highest sequence number that this node has heard of. */
  get last(): number {
    return this.#delivered;
  }

  /** Up to here retention has taken notifications away. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /**
   * Sets who is told.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
  }

  #tell(code: JournalError["code"] & `ERR_JOURNAL_${string}`, message: string, cause?: unknown): void {
    this.#listener?.error(new JournalError(code, message, cause === undefined ? undefined : { cause }));
  }

  get #age(): number {
    return Math.round(this.#retention.clock.now() - (this.#epoch ?? 0));
  }

  /** The age clock runs as long as any node has the journal open. */
  #rebase(age: number): void {
    if (this.#epoch === undefined || age > this.#age) this.#epoch = this.#retention.clock.now() - age;
  }

  #assertOpen(): void {
    if (this.#closed) throw new JournalError("ERR_JOURNAL_CLOSED", "The journal in Redis is closed");
  }

  #link(): RedisLink {
    const { link } = this.#session;
    if (link === undefined) throw new Error(`Redis is away${this.#lastFailure}`);
    return link;
  }

  #run(script: RedisScript, args: readonly (string | number)[], link: RedisLink = this.#link()): Promise<unknown> {
    return script.run(link, this.#prefix, args);
  }

  // ---- Appending -----------------------------------------------------------------------------------------------

  /**
   * Whether a body is there already.
   *
   * @param digest Its SHA-256 digest.
   * @returns `true` for a retry.
   */
  async has(digest: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    return await this.#reads(async () =>
      Number(await this.#link().send(["HEXISTS", `${this.#prefix}digests`, toBase64(digest)])) === 1
    );
  }

  async #reads<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (cause) {
      throw new JournalError("ERR_JOURNAL_READ", `Cannot read the journal in Redis: ${describe(cause)}`, { cause });
    }
  }

  /**
   * Keeps a notification.
   *
   * @param entry The notification.
   * @returns Resolves when Redis has it, and as many replicas as are asked for. Rejects with a {@linkcode JournalError} if not, or if that
   * is not known: then the retry tells.
   */
  async append(entry: NewEntry): Promise<Appended> {
    this.#assertOpen();
    const appending = this.#append(entry);
    this.#appending.add(appending);
    try {
      return await appending;
    } catch (cause) {
      throw this.#writeError(cause);
    } finally {
      this.#appending.delete(appending);
    }
  }

  #writeError(cause: unknown): JournalError {
    if (cause instanceof JournalError) return cause;
    const why = describe(cause);
    const replaced = why.includes("REPLACED") || why.includes(REPLACED);
    const message = `Cannot write the journal in Redis: ${replaced ? REPLACED : why}`;
    return new JournalError(replaced ? "ERR_JOURNAL_REPLACED" : "ERR_JOURNAL_WRITE", message, { cause });
  }

  async #append(entry: NewEntry): Promise<Appended> {
    const { bytes, signature, receivedAt, digest, forward } = entry;
    const { link } = this.#appender;
    if (link === undefined) throw new Error(`Redis is away${this.#lastFailure}`);
    const [kind, body] = encodeBody(bytes);
    const { maxBytes } = this.#retention;
    const args = [this.#id, this.#delivered, this.#age, toBase64(digest), forward ? 1 : 0, kind, body, bytes.length];
    const running = this.#run(APPEND, [...args, signature, receivedAt.getTime(), maxBytes], link);
    const delivered = this.#delivered;
    const [seq, duplicate, before, trimmed, age, known] = (await running as unknown[]).map(Number);
    this.#rebase(age);
    this.#tellLost(known, delivered);
    if (trimmed > before) await this.#reportTrimmed(before, trimmed);
    if (duplicate === 0) await this.#deliverOwn({ seq, bytes, signature, receivedAt }, forward);
    const copies = this.#replicas === 0 ? 0 : await this.#waitForReplicas(link);
    if (copies < this.#replicas) {
      throw new JournalError("ERR_JOURNAL_WRITE", `${copies} of ${this.#replicas} replicas have notification ${seq}`);
    }
    return { seq, duplicate: duplicate === 1 };
  }

  /** One wait at a time: the next one is for all that were kept before it begins. */
  #waitForReplicas(link: RedisLink): Promise<number> {
    return this.#nextWait ??= (this.#wait ?? Promise.resolve()).catch(() => {}).then(() => {
      this.#nextWait = undefined;
      const command = ["WAIT", `${this.#replicas}`, `${this.#replicaTimeout}`];
      return this.#wait = link.send(command).then(Number);
    });
  }

  /** In order: what other nodes have taken before goes before it. */
  async #deliverOwn(entry: JournalEntry, forward: boolean): Promise<void> {
    if (entry.seq === this.#delivered + 1) {
      if (forward) this.#deliver(entry);
      this.#delivered = entry.seq;
    }
    for (let before = -1; this.#delivered < entry.seq && before < this.#delivered && !this.#closed;) {
      before = this.#delivered;
      this.#reading ??= this.#readOn().finally(() => this.#reading = undefined);
      try {
        await this.#reading;
      } catch {
        // It is kept all the same; the tail brings it.
        return;
      }
    }
  }

  async #readOn(): Promise<void> {
    const { last, entries } = await this.#readEntries(this.#delivered, READ_COUNT);
    for (const entry of entries) this.#deliver(entry);
    // What is not to be forwarded leaves numbers out.
    if (entries.length === 0) this.#delivered = Math.max(this.#delivered, last);
  }

  #deliver(entry: JournalEntry): void {
    if (entry.seq <= this.#delivered) return;
    this.#delivered = entry.seq;
    tellAppended(this.#listener, entry);
  }

  // ---- What other nodes have taken -----------------------------------------------------------------------------

  #startTail(link: RedisLink): Promise<void> {
    this.#cancelTail();
    this.#tailLink = link;
    this.#tailing = this.#followTail(link).catch((error) => this.#tail.restart(error));
    return Promise.resolve();
  }

  async #followTail(link: RedisLink): Promise<void> {
    const stream = `${this.#prefix}stream`;
    const goesOn = (): boolean => !this.#closed && !this.#replaced && this.#tailLink === link;
    // Before the journal is open nobody knows where to begin.
    await this.#session.ready;
    while (goesOn()) {
      this.#cancelTail = systemClock.after(TAIL_PATIENCE, () => this.#tail.restart(new Error("no answer")));
      const command = [
        "XREAD",
        "BLOCK",
        `${TAIL_BLOCK}`,
        "COUNT",
        `${TAIL_COUNT}`,
        "STREAMS",
        stream,
        `${this.#delivered}-0`,
      ];
      const answer = await link.send(command);
      if (!goesOn()) return;
      this.#cancelTail();
      if (answer === null) continue;
      for (const [id, fields] of entriesOf(answer)) {
        this.#deliver(decodeEntry([id.split("-")[0], fields[0], fields[1], fields[3], fields[5]]));
      }
    }
  }

  // ---- Reading -------------------------------------------------------------------------------------------------

  /**
   * Reads what is to be delivered.
   *
   * @param after Only what comes behind this sequence number.
   * @param count The most entries.
   * @returns In the order of `seq`.
   */
  async read(after: number, count: number): Promise<JournalEntry[]> {
    this.#assertOpen();
    return await this.#reads(async () => (await this.#readEntries(after, count)).entries);
  }

  async #readEntries(after: number, count: number): Promise<{ last: number; entries: JournalEntry[] }> {
    const answer = await this.#run(READ, [after, count, READ_BYTES]) as [string, string, string[][]];
    const [trimmed, last, entries] = answer;
    this.#trimmed = Math.max(this.#trimmed, Number(trimmed));
    return { last: Number(last), entries: entries.map(decodeEntry) };
  }

  // ---- Receivers -----------------------------------------------------------------------------------------------

  /**
   * How far a receiver has come, wherever it was.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined`: it never came.
   */
  async cursor(name: string): Promise<number | undefined> {
    this.#assertOpen();
    return await this.#reads(async () => {
      this.#flushCursors();
      const cursor = Number(await this.#run(CURSOR, [name]));
      return cursor < 0 ? undefined : cursor;
    });
  }

  /**
   * Lets a receiver in under a name; one that is new is in Redis before this resolves, and in as many replicas as are asked for.
   *
   * @param name Its name.
   * @param start Where it begins, if the name is new.
   * @param shared Whether its place is one of `share`.
   * @returns The sequence number up to which it has acknowledged everything, wherever it was.
   */
  async admit(name: string, start: number, shared: boolean): Promise<number> {
    this.#assertOpen();
    const { maxReceivers, maxReceiverAge } = this.#retention;
    const confirm = this.#replicas > 0 ? 1 : 0;
    try {
      this.#flushCursors();
      const args = [name, start, shared ? 1 : 0, this.#age, maxReceivers, maxReceiverAge, confirm];
      const [cursor, isNew, expired] = await this.#run(ADMIT, args) as [string, number, string[]];
      if (expired.length > 0) this.#listener?.error(expiredError(expired, maxReceiverAge));
      if (Number(cursor) < 0) throw tooManyError(maxReceivers);
      if (Number(isNew) === 1 && confirm === 1) await this.#confirmName(name);
      this.#admitted.add(name);
      if (!shared) this.saveCursor(name, Number(cursor));
      return Number(cursor);
    } catch (cause) {
      throw this.#writeError(cause);
    }
  }

  /** As with notifications: what is to survive the loss of the primary is in the replicas before anybody relies on it. */
  async #confirmName(name: string): Promise<void> {
    const { link } = this.#appender;
    if (link === undefined) throw new Error(`Redis is away${this.#lastFailure}`);
    // WAIT is for all that Redis had written by the last command of the same connection.
    await link.send(["PING"]);
    const copies = await this.#waitForReplicas(link);
    if (copies < this.#replicas) {
      throw new JournalError(
        "ERR_JOURNAL_WRITE",
        `${copies} of ${this.#replicas} replicas have the name of a receiver`,
      );
    }
    await this.#run(TOUCH, [name, this.#age]);
  }

  /** Forgets the names that had no connection for too long, on any node. */
  async #expire(): Promise<void> {
    const { maxReceiverAge } = this.#retention;
    const expired = await this.#run(EXPIRE, [this.#age, maxReceiverAge, ...this.#admitted]) as string[];
    if (expired.length > 0) this.#listener?.error(expiredError(expired, maxReceiverAge));
  }

  /**
   * Keeps how far a receiver has come on this node, soon.
   *
   * @param name Its name.
   * @param seq The sequence number up to which it has acknowledged everything.
   */
  saveCursor(name: string, seq: number): void {
    if (this.#closed) return;
    this.#moveCursor(name, seq, seq);
    this.#released.delete(name);
    if (!this.#here.has(name)) {
      // From its first hello on a name is known to the other servers.
      this.#here.add(name);
      this.#flushCursors();
    }
    this.#cancelCursors ??= systemClock.after(CURSOR_DELAY, () => this.#flushCursors());
  }

  /** Where it began counts too, if it is new here: what nodes had that it has left is taken over from there. */
  #moveCursor(name: string, start: number, cursor: number): void {
    const moved = this.#movedCursors.get(name);
    this.#movedCursors.set(name, {
      start: Math.min(start, moved?.start ?? start),
      cursor: Math.max(cursor, moved?.cursor ?? cursor),
    });
  }

  /**
   * No connection of a receiver is here any more; the next one may come to another node.
   *
   * @param name Its name.
   */
  release(name: string): void {
    if (this.#closed) return;
    if (this.#admitted.delete(name) && this.#session.link !== undefined) {
      this.#write(TOUCH, [name, this.#age], () => {});
    }
    this.#here.delete(name);
    this.#released.add(name);
    this.#flushCursors();
  }

  /** What cannot be written now is written with the next connection. */
  #flushCursors(): void {
    this.#cancelCursors?.();
    this.#cancelCursors = undefined;
    if (this.#session.link === undefined) return;
    const moved = this.#movedCursors;
    const released = this.#released;
    this.#movedCursors = new Map();
    this.#released = new Set();
    for (const [name, { start, cursor }] of moved) {
      this.#write(SAVE, [name, this.#node, start, cursor], () => this.#moveCursor(name, start, cursor));
    }
    for (const name of released) this.#write(RELEASE, [name, this.#node], () => this.#released.add(name));
  }

  #write(script: RedisScript, args: (string | number)[], again: () => void): void {
    const { link } = this.#session;
    const writing = this.#run(script, args).then(() => this.#cursorsFail = false, (error) => {
      again();
      if (this.#closed) return void this.#listener?.error(this.#writeError(error));
      this.#cancelCursors ??= systemClock.after(CURSOR_DELAY, () => {
        // Where the connection is lost there is nothing more to say.
        if (this.#session.link === link && !this.#cursorsFail) {
          this.#cursorsFail = true;
          this.#listener?.error(this.#writeError(error));
        }
        this.#flushCursors();
      });
    });
    this.#appending.add(writing);
    void writing.finally(() => this.#appending.delete(writing));
  }

  /**
   * A place that the receivers of a name share, on all nodes.
   *
   * @param name The name.
   * @param start Where it begins, if it is new.
   * @param wanted Tells what its receivers want: those of all nodes must want the same.
   * @param wake Called when there may be something to take.
   * @returns The place.
   */
  share(name: string, start: number, wanted: string, wake: () => void): SharedPlace {
    const consumer = `${this.#node}.${this.#placeCount++}`;
    const place = new RedisPlace({ name, start, wanted, consumer, wake }, {
      link: () => this.#session.link,
      prefix: this.#prefix,
      decode: decodeEntry,
      trimmed: (seq) => void (this.#trimmed = Math.max(this.#trimmed, seq)),
      ended: (ended) => void this.#places.delete(ended),
    });
    this.#places.add(place);
    return place;
  }

  // ---- Retention -----------------------------------------------------------------------------------------------

  /** Takes away what is too old, and looks again later. */
  #trim(): void {
    this.#cancelTrim = this.#retention.clock.after(TRIM_INTERVAL, () => this.#trim());
    const { maxAge } = this.#retention;
    const args = [this.#age, maxAge, Math.max(maxAge, DIGEST_AGE)];
    if (this.#session.link === undefined) return;
    this.#run(TRIM, args).then((answer) => {
      const [before, trimmed, age] = (answer as unknown[]).map(Number);
      this.#rebase(age);
      return trimmed > before ? this.#reportTrimmed(before, trimmed) : undefined;
    }).then(() => this.#expire()).catch((error) => this.#listener?.error(this.#writeError(error)));
  }

  async #reportTrimmed(before: number, trimmed: number): Promise<void> {
    this.#trimmed = Math.max(this.#trimmed, trimmed);
    this.#untold = {
      before: Math.min(before, this.#untold?.before ?? before),
      trimmed: Math.max(trimmed, this.#untold?.trimmed ?? trimmed),
    };
    if (this.#cancelReport !== undefined) return;
    this.#cancelReport = systemClock.after(REPORT_INTERVAL, () => {
      this.#cancelReport = undefined;
      const { before, trimmed } = this.#untold ?? { before: 0, trimmed: 0 };
      if (trimmed > before) {
        this.#reportTrimmed(before, trimmed).catch((error) => this.#listener?.error(this.#writeError(error)));
      }
    });
    await this.#reportUntold();
  }

  /** One error for all that retention took since the last one: each looks at all names. */
  async #reportUntold(): Promise<void> {
    const { before, trimmed } = this.#untold!;
    this.#untold = undefined;
    this.#flushCursors();
    const flat = await this.#run(CURSORS, []) as string[];
    const cursors = new Map<string, number>();
    for (let at = 0; at < flat.length; at += 2) cursors.set(flat[at], Number(flat[at + 1]));
    tellTrimmed(this.#listener, cursors, before, trimmed);
  }

  /** Writes what is not written yet, and ends. What is in Redis stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flushCursors();
    for (const place of this.#places) place.leave();
    if (this.#untold !== undefined) this.#appending.add(this.#reportUntold().catch(() => {}));
    this.#closed = true;
    this.#cancelTrim();
    this.#cancelReport?.();
    this.#cancelSign();
    this.#cancelTail();
    await Promise.allSettled(this.#appending);
    await Promise.all([...this.#places].map((place) => place.ended));
    // Others need not wait until its last sign has expired.
    await this.#session.link?.send(["DEL", `${this.#prefix}node:${this.#node}`]).catch(() => {});
    await Promise.all([this.#session.close(), this.#appender.close(), this.#tail.close()]);
    await this.#tailing;
    this.#cancelTail();
    this.#cancelCursors?.();
  }
}

/** What a read of one stream brings: a list of lists, one list, or an object, by the client and the version of the protocol. */
function entriesOf(answer: unknown): [id: string, fields: string[]][] {
  if (!Array.isArray(answer)) return Object.values(answer as object)[0];
  return typeof answer[0] === "string" ? answer[1] : answer[0][1];
}

/** Text where that brings the same bytes back, as with all that Meta sends; else Base64. */
function encodeBody(bytes: Uint8Array): [kind: string, body: string] {
  try {
    return ["t", new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return ["b", toBase64(bytes)];
  }
}

function decodeEntry([seq, kind, body, signature, time]: string[]): JournalEntry {
  const bytes = kind === "t" ? new TextEncoder().encode(body) : fromBase64(body);
  return { seq: Number(seq), bytes, signature, receivedAt: new Date(Number(time)) };
}
