/**
 * A journal in a stream of Redis, for several servers: any of them takes notifications, and all of them deliver what any has taken.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { fromBase64, toBase64 } from "../base/encoding.ts";
import { systemClock } from "../base/clock.ts";
import { describe, JournalError, OptionError } from "../base/errors.ts";
import {
  type Appended,
  checkRetention,
  DIGEST_AGE,
  type Journal,
  type JournalEntry,
  type JournalListener,
  type JournalRetention,
  type NewEntry,
  type SharedPlace,
  tellAppended,
  tellTrimmed,
} from "../journal/journal.ts";
import { assertNumber, assertWellFormed } from "../base/ranges.ts";
import { assertRedisClient, type RedisClient, type RedisLink } from "./client.ts";
import { expiredError, tooManyError } from "../journal/receiver_names.ts";
import { ADMIT, EXPIRE, NAME_SCRIPTS, TOUCH } from "./name_scripts.ts";
import { RedisPlace } from "./shared_cursor.ts";
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
  SIGN,
  TRIM,
} from "./script.ts";
import { RedisSession } from "./session.ts";
import { KnownNumbers, parseRanges, type SequenceRange } from "../journal/sequence_ranges.ts";

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
  /**
   * What to do if Redis evicts keys when its memory is full, that is, if it has `maxmemory`, and a `maxmemory-policy` other than
   * `noeviction`: notifications that got their 200 would be lost. `"refuse"`: `open` rejects; `"warn"`: the listener gets an error with
   * the code `ERR_JOURNAL_EVICTION`, as it does later if Redis is found so after a new connection.
   * @default {"refuse"}
   */
  eviction?: "refuse" | "warn";
}

const MIB = 1024 * 1024;
/** Retention by age runs so often, in ms. */
const TRIM_INTERVAL = 600_000;
/** Cursors are written so long after they moved, in ms. */
const CURSOR_DELAY = 100;
const READ_COUNT = 256;
/** Least interval between reports of receivers that have lost something to retention, in ms. */
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
/** Maximum of epochs that may begin while one notification is written. */
const MAX_EPOCHS = 5;
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
 * import { type RedisClient, RedisJournal, WhatsAppServer } from "@tackline/websocket/whatsapp";
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
  /** The one that was there when the main connection was lost. */
  #staleTail: RedisLink | undefined;
  #away = false;
  #awaySince = 0;
  #awayReason = "";
  /** Whether another journal is where this one was: none of it is to be told. */
  #replaced = false;
  #toldReplaced = false;
  #lastFailure = "";
  #refused: PromiseWithResolvers<string> = Promise.withResolvers<string>();
  #cancelSign: () => void = () => {};
  #appending = new Set<Promise<unknown>>();

  // What is there
  #id = "";
  /** The ID of the journal, if there is none. */
  readonly #newId: string = randomUUID();
  /** Numbers of the epoch are greater. */
  #base = "";
  #reopening: Promise<void> | undefined;
  /** All numbers of which this node was told, also of those that it could not read. */
  #known = new KnownNumbers();
  /** News of Redis for all nodes: "deleted|lost". */
  #news: string | undefined;
  #lost: readonly SequenceRange[] = [];
  #eviction: "refuse" | "warn";
  /** How Redis evicts keys; "": it does not, or does not tell. */
  #evicts = "";
  /** Errors from before there was a listener. */
  #untold: JournalError[] = [];
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
  /** Losses to retention that are not reported yet. */
  #unreported: { before: number; trimmed: number } | undefined;
  #cancelReport: (() => void) | undefined;
  #placeCount = 0;

  /**
   * Opens a journal; it is made if it is not there.
   *
   * @param client The program's client.
   * @param options How long to keep what, and where.
   * @returns The journal.
   * @throws {OptionError} If the client is of no kind that is known, or a setting is out of range.
   * @throws {JournalError} If Redis cannot be reached within 10 s, or evicts keys; see `eviction`.
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
    const { prefix = "{tackline}:", replicas = 0, replicaTimeout = 1000, eviction = "refuse", ...retention } = options;
    assertRedisClient(client);
    if (typeof prefix !== "string") throw new OptionError(`The prefix is a ${typeof prefix} instead of a string`);
    assertWellFormed("The prefix", prefix);
    assertNumber("replicas", replicas);
    assertNumber("replicaTimeout", replicaTimeout, 4000);
    if (eviction !== "refuse" && eviction !== "warn") {
      throw new OptionError(`The setting "eviction" is ${JSON.stringify(eviction)}, neither "refuse" nor "warn"`);
    }
    this.#eviction = eviction;
    this.#retention = checkRetention(retention, 1024 * MIB);
    this.#prefix = prefix;
    this.#replicas = replicas;
    this.#replicaTimeout = replicaTimeout;
    this.#session = this.#connect(client, (link) => this.#up(link));
    this.#appender = replicas === 0 ? this.#session : this.#connect(client, (link) => this.#prepareAppender(link));
    this.#tail = this.#connect(client, (link) => this.#startTail(link));
  }

  /** Connections, and the sign that a node lives, have the time of Redis, not the one of tests. */
  #connect(client: RedisClient, up: (link: RedisLink) => Promise<void>): RedisSession {
    const session: RedisSession = new RedisSession(client, systemClock, {
      up: async (link) => {
        await up(link);
        void session.ready.then(() => this.#cameUp(session));
      },
      down: (error) => this.#wentDown(session, error),
    });
    return session;
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
    const eviction = await this.#checkEviction(link);
    if (eviction !== undefined && this.#eviction === "refuse" && this.#id === "") throw eviction;
    const before = this.#base;
    const opened = await this.#open(link, true);
    this.#replaced = opened === undefined;
    if (opened === undefined) throw new Error(REPLACED);
    this.#adopt(opened);
    if (eviction !== undefined) this.#tellOrKeep(eviction);
    await this.#giveSign(link);
    // It may be connected to a server that is not the primary any more.
    const stale = this.#staleTail !== undefined && this.#staleTail === this.#tailLink;
    if (stale && this.#base !== before) this.#tail.restart(new Error("the numbers come from another server"));
    // What waited for it, once others may use the connection.
    void this.#session.ready.then(() => {
      this.#flushCursors();
      for (const place of this.#places) place.flush();
    });
  }

  /** The epoch is checked on this connection too: it may be the first one to the server that gives numbers now. */
  async #prepareAppender(link: RedisLink): Promise<void> {
    await Promise.all([OPEN.load(link), APPEND.load(link)]);
    if (await this.#open(link, true) === undefined) throw new Error(REPLACED);
  }

  /** Opens the journal on a connection; `undefined`: another one is there. */
  async #open(link: RedisLink, fresh: boolean): Promise<Opened | undefined> {
    const isOurs = this.#id !== "";
    const args = [this.#id || this.#newId, isOurs ? 1 : 0, fresh ? 1 : 0, ...this.#known.pairs];
    const opened = await this.#run(OPEN, args, link) as Opened;
    return isOurs && opened[0] !== this.#id ? undefined : opened;
  }

  #adopt([id, last, trimmed, age, base, eras, news, found]: Opened): void {
    if (this.#id === "") {
      this.#id = id;
      this.#delivered = Number(last);
      this.#rebase(Number(age));
      // What has been lost before this node has come is no news, unless nobody has noticed it yet.
      this.#news = found === 1 ? "|" : news;
      this.#lost = parseRanges(news.split("|")[1]);
    }
    this.#base = base;
    this.#known.reset(eras, Number(last));
    // Others may have come in by another connection while Redis answered.
    this.#known.add(this.#delivered);
    this.#learn(Number(trimmed), news);
  }

  /**
   * Another epoch has begun. The connections are asked again; if they have come to different servers, they are made anew, since numbers of one
   * of them mean nothing on the other.
   */
  #reopen(): Promise<void> {
    return this.#reopening ??= this.#openAnew().finally(() => this.#reopening = undefined);
  }

  async #openAnew(): Promise<void> {
    const links = new Set([this.#link(), this.#appender.link ?? this.#link()]);
    const bases = new Set<string>();
    for (const link of links) {
      const opened = await this.#open(link, false);
      if (opened === undefined) throw new Error(REPLACED);
      if (link === this.#session.link) this.#adopt(opened);
      bases.add(opened[4]);
    }
    if (bases.size === 1) return;
    const error = new Error("the connections have come to different servers");
    this.#restart(error);
    throw error;
  }

  #restart(error: unknown): void {
    for (const session of new Set([this.#session, this.#appender])) session.restart(error);
  }

  /** Takes note of what scripts say to all nodes. */
  #learn(trimmed: number, news: string): void {
    this.#trimmed = Math.max(this.#trimmed, trimmed);
    if (news === this.#news) return;
    const [deletedBefore] = (this.#news ?? "|").split("|");
    const [deleted, lost] = news.split("|");
    this.#news = news;
    if (deleted !== deletedBefore) this.#tellDeleted(deleted);
    const before = this.#lost;
    this.#lost = parseRanges(lost);
    const fresh = this.#lost.filter(({ after, until }) =>
      !before.some((range) => range.after === after && range.until === until)
    );
    for (const { after, until } of fresh) {
      const which = `${after + 1} to ${until}`;
      const message =
        `Redis has forgotten the notifications ${which}: it was started with older data, or a replica took over ` +
        `that was behind; see "appendfsync", and the option "replicas"`;
      this.#tell("ERR_JOURNAL_LOST", message);
    }
    if (fresh.length > 0) this.#listener?.lost?.();
  }

  #tellDeleted(deleted: string): void {
    const [after, until, count] = deleted.split(" ").map(Number);
    const which = until > after ? `, up to ${until}` : "";
    const evicted = this.#evicts === "" ? "" : `, or Redis has evicted it, as ${this.#evicts} says`;
    const message =
      `${count} notifications are gone from Redis${which}: something else than this journal has deleted or trimmed the ` +
      `stream "${this.#prefix}stream"${evicted}`;
    this.#tellOrKeep(new JournalError("ERR_JOURNAL_LOST", message));
  }

  /** Tells the listener; errors from before there is one are kept for the first listener. */
  #tellOrKeep(error: JournalError): void {
    if (this.#listener === undefined) this.#untold.push(error);
    else this.#listener.error(error);
  }

  #wentDown(session: RedisSession, cause: Error): void {
    this.#lastFailure = `: ${describe(cause)}`;
    if (session === this.#session) this.#staleTail = this.#tailLink;
    if (this.#closed) return;
    // The other connections may lead to the same server, which may be no primary any more.
    for (const other of this.#sessions) if (other !== session) other.check();
    if (this.#replaced || cause.message === REPLACED) return this.#tellReplaced(cause);
    if (this.#away) return;
    this.#away = true;
    this.#awaySince = systemClock.now();
    this.#awayReason = describe(cause);
    this.#tell("ERR_JOURNAL_AWAY", `Redis is away: ${describe(cause)}`, cause);
  }

  /** Redis is there again when all connections are. */
  #cameUp(session: RedisSession): void {
    if (session.link === undefined || this.#closed || !this.#away) return;
    for (const other of this.#sessions) if (other.link === undefined) return;
    const seconds = ((systemClock.now() - this.#awaySince) / 1000).toFixed(1);
    this.#away = false;
    this.#tell("ERR_JOURNAL_AWAY", `Redis is there again after ${seconds} s; it was away: ${this.#awayReason}`);
  }

  get #sessions(): Set<RedisSession> {
    return new Set([this.#session, this.#appender, this.#tail]);
  }

  #tellReplaced(cause: unknown): void {
    if (this.#toldReplaced) return;
    this.#toldReplaced = true;
    this.#tell("ERR_JOURNAL_REPLACED", `The journal in Redis is gone: ${REPLACED}`, cause);
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
    const [base, trimmed, news] = await this.#run(SIGN, [this.#node, SIGN_AGE], link) as [string, string, string];
    this.#learn(Number(trimmed), news);
    if (base !== this.#base && link === this.#session.link) await this.#reopen();
  }

  /** An evicted key takes what is in it away without a word. */
  async #checkEviction(link: RedisLink): Promise<JournalError | undefined> {
    const [maxMemory, policy] = await readMemorySettings(link);
    const evicts = maxMemory !== "0" && policy !== "noeviction";
    this.#evicts = evicts ? `"maxmemory-policy ${policy}"` : "";
    if (!evicts) return undefined;
    const message =
      `Redis evicts keys when its memory is full ("maxmemory" is ${maxMemory}, "maxmemory-policy" is ${policy}), ` +
      `and notifications with them: set "maxmemory-policy" to noeviction`;
    return new JournalError("ERR_JOURNAL_EVICTION", message);
  }

  async #readDurability(): Promise<void> {
    try {
      const names = ["appendonly", "appendfsync"];
      const [on, sync] = await Promise.all(names.map((name) => readSetting(this.#link(), name)));
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

  /** Ranges behind that which Redis has forgotten, as far as any node has known them. */
  get lost(): readonly SequenceRange[] {
    return this.#lost;
  }

  /**
   * Sets who is told.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
    if (listener === undefined) return;
    for (const error of this.#untold.splice(0)) listener.error(error);
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
    const age = this.#age;
    const args = [
      toBase64(digest),
      forward ? 1 : 0,
      kind,
      body,
      bytes.length,
      signature,
      receivedAt.getTime(),
      maxBytes,
    ];
    const [seq, duplicate, before, trimmed, newAge] = await this.#runAppend(link, [age, ...args]);
    this.#rebase(newAge);
    this.#known.add(seq);
    if (trimmed > before) await this.#reportTrimmed(before, trimmed);
    if (duplicate === 0) await this.#deliverOwn({ seq, bytes, signature, receivedAt }, forward);
    const copies = this.#replicas === 0 ? 0 : await this.#waitForReplicas(link);
    if (copies < this.#replicas) {
      throw new JournalError("ERR_JOURNAL_WRITE", `${copies} of ${this.#replicas} replicas have notification ${seq}`);
    }
    return { seq, duplicate: duplicate === 1 };
  }

  async #runAppend(link: RedisLink, args: (string | number)[]): Promise<number[]> {
    const run = (): Promise<unknown> => this.#run(APPEND, [this.#id, this.#base, this.#known.last, ...args], link);
    for (let tries = 1;; tries++) {
      try {
        return (await run() as unknown[]).map(Number);
      } catch (error) {
        if (!describe(error).includes("EPOCH") || tries === MAX_EPOCHS) throw error;
        await this.#reopen();
      }
    }
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
    this.#known.add(last);
  }

  #deliver(entry: JournalEntry): void {
    if (entry.seq <= this.#delivered) return;
    this.#delivered = entry.seq;
    this.#known.add(entry.seq);
    tellAppended(this.#listener, entry);
  }

  // ---- What other nodes have taken -----------------------------------------------------------------------------

  #startTail(link: RedisLink): Promise<void> {
    this.#cancelTail();
    this.#tailLink = link;
    this.#tailing = this.#followTail(link).catch((error) => {
      this.#tail.restart(error);
      // A server that changes its role ends what waits, and nothing else: numbers may go on elsewhere.
      if (describe(error).includes("UNBLOCKED")) this.#restart(error);
    });
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
      const entries = entriesOf(answer).map(([id, fields]) =>
        decodeEntry([id.split("-")[0], fields[0], fields[1], fields[3], fields[5]])
      );
      // Whether something is gone is to be known before what comes behind it is handed on.
      if (entries[0].seq > this.#delivered + 1) await this.#giveSign(this.#link());
      if (!goesOn()) return;
      for (const entry of entries) this.#deliver(entry);
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
    const answer = await this.#run(READ, [after, count, READ_BYTES]) as [string, string, string[][], string];
    const [trimmed, last, entries, news] = answer;
    this.#learn(Number(trimmed), news);
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
        // A lost connection is reported elsewhere.
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
      learn: (trimmed, news) => this.#learn(trimmed, news),
      lost: () => this.#lost,
      failed: (error) => this.#listener?.error(this.#writeError(error)),
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
    this.#unreported = {
      before: Math.min(before, this.#unreported?.before ?? before),
      trimmed: Math.max(trimmed, this.#unreported?.trimmed ?? trimmed),
    };
    if (this.#cancelReport !== undefined) return;
    this.#cancelReport = systemClock.after(REPORT_INTERVAL, () => {
      this.#cancelReport = undefined;
      const { before, trimmed } = this.#unreported ?? { before: 0, trimmed: 0 };
      if (trimmed > before) {
        this.#reportTrimmed(before, trimmed).catch((error) => this.#listener?.error(this.#writeError(error)));
      }
    });
    await this.#reportTrims();
  }

  /** Reports in one error all that retention took since the last one, since each report looks at all names. */
  async #reportTrims(): Promise<void> {
    const { before, trimmed } = this.#unreported!;
    this.#unreported = undefined;
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
    if (this.#unreported !== undefined) this.#appending.add(this.#reportTrims().catch(() => {}));
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

/** Answer of the script that opens a journal. */
type Opened = [
  id: string,
  last: string,
  trimmed: string,
  age: string,
  base: string,
  eras: string,
  news: string,
  found: number,
];

/** `maxmemory` and `maxmemory-policy`; where Redis is a service, one of the ways to ask is often forbidden. "0": it is unknown. */
async function readMemorySettings(link: RedisLink): Promise<[maxMemory: string, policy: string]> {
  try {
    const lines = String(await link.send(["INFO", "memory"])).split("\r\n");
    const value = (name: string): string =>
      lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1) ?? "";
    const [maxMemory, policy] = [value("maxmemory"), value("maxmemory_policy")];
    if (maxMemory !== "" && policy !== "") return [maxMemory, policy];
  } catch {
    // The other way may be allowed.
  }
  try {
    return [await readSetting(link, "maxmemory"), await readSetting(link, "maxmemory-policy")];
  } catch {
    return ["0", ""];
  }
}

async function readSetting(link: RedisLink, name: string): Promise<string> {
  const answer = await link.send(["CONFIG", "GET", name]);
  // Two texts, or an object, by the version of the protocol.
  return String(Array.isArray(answer) ? answer[1] : Object.values(answer as object)[0]);
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
