/**
 * The first part of a connection behind its transport: hands incoming bytes to the frame parser at once, in batches, or
 * step by step, and keeps those that have to wait.
 *
 * Invariant: while bytes wait here, the transport is paused, except in batches, where up to 1 MiB may wait.
 *
 * @module
 */

import { concat, EMPTY } from "../base/bytes.ts";
import type { Closing } from "./closing.ts";
import type { Delivery, MessageOwner, StepResult } from "./options.ts";
import type { RateLimit } from "./rate_limit.ts";
import { ReservedBit } from "../protocol/frame_header.ts";
import { StateError, TransportError } from "../base/errors.ts";
import type { FrameParser } from "../protocol/frame.ts";
import type { MessageAssembler } from "../protocol/message.ts";
import type { MessageInflater } from "../protocol/deflate.ts";
import type { Meter } from "../base/stats.ts";
import type { Sender } from "./sender.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** Bytes that may wait between two batches. */
const BATCH_LIMIT = 1024 * 1024;

/** The parts around a {@linkcode FrameReader}. */
export interface FrameReaderParts<Connection> {
  /** Is paused when enough bytes wait. */
  readonly transport: Transport;
  /** Gets the bytes. */
  readonly parser: FrameParser;
  /** Gets the frames: asked for the message that is not finished. */
  readonly assembler: MessageAssembler;
  /** Sends what handlers send during a parse at its end. */
  readonly sender: Sender;
  /** Decides whether bytes are still wanted. */
  readonly closing: Closing<Connection>;
  /** Counts bytes and frames. */
  readonly meter: Meter;
}

/** Stands between the transport and the frame parser of one connection. */
export class FrameReader<Connection> implements TransportHandler, MessageOwner {
  readonly #transport: Transport;
  #parser: FrameParser;
  #assembler: MessageAssembler;
  readonly #sender: Sender;
  readonly #closing: Closing<Connection>;
  readonly #meter: Meter;
  #inflater: MessageInflater | undefined;
  #rates: RateLimit | undefined;

  #delivery: Delivery = "immediate";
  /** Bytes that came while parsing had to wait. */
  #unread: Uint8Array = EMPTY;
  /** `true` while parsing has to wait: a full queue, between batches, between steps. */
  #blocked = false;
  #parsing = false;
  #endStep: ((result: StepResult) => void) | undefined;

  /** Bytes that have come. */
  #received = 0;
  /** Frames that the meter has counted. */
  #framesCounted = 0;
  /** Value of `finished` of the assembler when the reported unfinished message began; -1: none is reported. */
  #unfinished = -1;

  /**
   * Makes a reader without bytes.
   *
   * @param parts The parts around it.
   */
  constructor(parts: FrameReaderParts<Connection>) {
    this.#transport = parts.transport;
    this.#parser = parts.parser;
    this.#assembler = parts.assembler;
    this.#sender = parts.sender;
    this.#closing = parts.closing;
    this.#meter = parts.meter;
  }

  /**
   * Replaces the parser, before bytes have come.
   *
   * @param parts The parser, and the assembler behind it.
   */
  useParser({ assembler, parser }: Pick<FrameReaderParts<Connection>, "assembler" | "parser">): void {
    this.#assembler = assembler;
    this.#parser = parser;
  }

  /**
   * Accepts compressed messages from now on.
   *
   * @param inflater Decompresses them; the reader frees it.
   */
  useInflater(inflater: MessageInflater): void {
    this.#inflater = inflater;
    this.#assembler.useInflater(inflater, this.#meter);
    this.#parser.allowReserved(ReservedBit.Rsv1);
  }

  /**
   * Limits the rates of bytes and messages from now on.
   *
   * @param rates The limit.
   */
  limit(rates: RateLimit): void {
    this.#rates = rates;
  }

  /** Limits the rates of bytes and messages, if set. */
  get rates(): RateLimit | undefined {
    return this.#rates;
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** `true` if no bytes wait. */
  get empty(): boolean {
    return this.#unread.length === 0;
  }

  /** `true` while a parse, and perhaps a handler within it, is running. */
  get parsing(): boolean {
    return this.#parsing;
  }

  /** When bytes are parsed. */
  get delivery(): Delivery {
    return this.#delivery;
  }

  /** `true` while a step waits for its end. */
  get stepping(): boolean {
    return this.#endStep !== undefined;
  }

  /** Bytes that have come. */
  get received(): number {
    return this.#received;
  }

  /**
   * Tells whether bytes are read as they come, be it to wait for a batch.
   *
   * @returns `false` while the program holds up the reading.
   */
  reads(): boolean {
    return !this.#blocked || this.#delivery === "batched";
  }

  /** `true` while a full queue or pending handlers hold up the reading. */
  get held(): boolean {
    return this.#blocked && this.#delivery === "immediate";
  }

  // ---- Transport -----------------------------------------------------------------------------------------------

  /**
   * Takes bytes of the transport.
   *
   * @param bytes The bytes, valid only during the call.
   */
  data(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#meter.bytesReceived += bytes.length;
    if (this.#rates !== undefined) {
      const error = this.#rates.check(0, bytes.length, this.#closing.settings.clock.now());
      if (error !== undefined) return this.#closing.fail(error);
    }
    this.#receive(bytes);
  }

  /** The transport is ready for another write. */
  drain(): void {
    this.#sender.drain();
  }

  /** The peer has sent FIN. */
  end(): void {
    this.#closing.transportEnds();
  }

  /**
   * The transport is closed.
   *
   * @param error The error that broke it, if one did.
   */
  close(error?: unknown): void {
    this.#closing.transportCloses(error);
  }

  // ---- Parsing -------------------------------------------------------------------------------------------------

  /**
   * Sets the delivery to begin with, before any byte has come.
   *
   * @param delivery When bytes are parsed.
   */
  begin(delivery: Delivery): void {
    this.#delivery = delivery;
    this.#blocked = delivery !== "immediate";
  }

  /** Opens the transport, and lets it read unless each step asks for it. */
  open(): void {
    this.#transport.open(this);
    if (this.#delivery === "step") this.#transport.pause();
    else this.#transport.resume();
  }

  /**
   * Changes when bytes are parsed.
   *
   * @param delivery From now on.
   * @param held `true` if messages have to wait in any case.
   */
  setDelivery(delivery: Delivery, held: boolean): void {
    this.#delivery = delivery;
    if (delivery !== "step") this.finishStep("none");
    if (delivery === "immediate" && !held) this.unblock();
    else this.block();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#blocked || this.#unread.length > 0) {
      this.#keep(bytes);
      if (this.stepping) this.#runStep();
      return;
    }
    const used = this.#closing.discards ? bytes.length : this.#parse(bytes);
    if (used === bytes.length) return;
    this.#keep(bytes.subarray(used));
    // The handler may have stopped the parsing and allowed it again within one call.
    if (!this.#blocked) this.unblock();
  }

  #keep(bytes: Uint8Array): void {
    if (this.#closing.discards) return;
    this.#unread = concat(this.#unread, bytes);
    if (this.#delivery !== "batched" || this.#unread.length >= BATCH_LIMIT) this.#transport.pause();
  }

  /** Returns the number of bytes that were used. */
  #parse(bytes: Uint8Array): number {
    this.#parsing = true;
    this.#sender.cork();
    try {
      return this.#parser.parse(bytes);
    } catch (error) {
      this.#closing.fail(error);
      return bytes.length;
    } finally {
      this.#parsing = false;
      this.#finishParse();
    }
  }

  #finishParse(): void {
    const { frames } = this.#parser;
    this.#meter.framesReceived += frames - this.#framesCounted;
    this.#framesCounted = frames;
    this.#countUnfinished();
    this.#sender.uncork();
  }

  #parseUnread(): void {
    while (!this.#blocked && this.#unread.length > 0) {
      const bytes = this.#unread;
      this.#unread = EMPTY;
      const used = this.#parse(bytes);
      // Without a copy: if one read brings many messages, each step leaves nearly all bytes for the next.
      if (used < bytes.length && !this.#closing.discards) this.#unread = bytes.subarray(used);
    }
  }

  /**
   * Runs handlers for messages that were parsed before, as if they were parsed now: whatever the handlers do, later
   * messages are delivered later.
   *
   * @param deliver Calls the handlers.
   */
  replay(deliver: () => void): void {
    const nested = this.#parsing;
    this.#parsing = true;
    this.#sender.cork();
    try {
      deliver();
    } finally {
      this.#parsing = nested;
      if (!nested) this.#finishParse();
    }
  }

  /** Stops parsing until `unblock`. */
  block(): void {
    // Not in the closing handshake: the peer's close frame must be found whatever the program does.
    if (this.#closing.phase !== "open") return;
    this.#blocked = true;
    if (this.#parsing) this.#parser.stop();
    if (this.#delivery !== "batched") this.#transport.pause();
  }

  /** Goes on parsing. */
  unblock(): void {
    this.#blocked = false;
    if (!this.#parsing) this.#parseUnread();
    if (!this.#blocked) this.#transport.resume();
    this.#finishIfDrained();
  }

  /**
   * Calls back in a later turn, after other connections.
   *
   * @param work The rest of the work.
   */
  deferWork(work: () => void): void {
    this.#transport.deferWork(work);
  }

  /** Goes on parsing, unless it waits for a batch or a step. */
  unblockImmediate(): void {
    if (this.#delivery === "immediate" && this.#blocked) this.unblock();
  }

  #finishIfDrained(): void {
    if (this.#unread.length === 0 && !this.#parsing) this.#closing.finishIfOver();
  }

  /** Parses all bytes that wait, for whatever reason: no more will come. */
  parseRest(): void {
    while (this.#unread.length > 0 && !this.#closing.discards) {
      this.#blocked = false;
      this.#parseUnread();
    }
  }

  /**
   * Takes no more messages: drops the bytes that wait, the rest of the current chunk, and the memory of an unfinished
   * message.
   */
  stop(): void {
    this.#parser.stop();
    this.#unread = EMPTY;
    this.#assembler.abandon();
    this.#unfinished = -1;
    this.#closing.unfinished?.forget(this);
  }

  /** Frees the memory of decompression; called once nothing is parsed any more. */
  freeInflater(): void {
    this.#inflater?.close();
  }

  // ---- Batches and steps ---------------------------------------------------------------------------------------

  /** Parses the bytes that have come since the last batch. */
  deliverBatch(): void {
    if (this.#delivery !== "batched" || this.#closing.phase !== "open") return;
    this.unblock();
    // A handler may have chosen another delivery.
    if (this.#delivery === "batched") this.block();
  }

  /**
   * Parses until one message or control frame is delivered.
   *
   * @param timeout Longest wait for a message, in ms; 0: no limit.
   * @returns The kind of the event.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult> {
    if (this.stepping) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: a check is running already");
    }
    return new Promise((resolve) => {
      const { clock } = this.#closing.settings;
      const cancel = timeout > 0 ? clock.after(timeout, () => this.finishStep("none")) : undefined;
      this.#endStep = (result) => {
        cancel?.();
        resolve(result);
      };
      this.#runStep();
    });
  }

  #runStep(): void {
    this.#blocked = false;
    this.#parseUnread();
    if (this.#delivery === "step" && this.#closing.phase === "open") this.#blocked = true;
    if (this.stepping) this.#transport.resume();
    this.#finishIfDrained();
  }

  /**
   * Ends the step that waits, if one does, since something was delivered or nothing will be; parsing waits for the next
   * step.
   *
   * @param result The kind of the event.
   */
  finishStep(result: StepResult): void {
    const end = this.#endStep;
    this.#endStep = undefined;
    if (this.#delivery === "step") this.block();
    end?.(result);
  }

  // ---- Unfinished messages -------------------------------------------------------------------------------------

  /** Reports a message that has begun and not ended, which counts for all connections together. */
  #countUnfinished(): void {
    const held = this.#assembler.held;
    if (held === 0 && this.#unfinished === -1) return;
    const { unfinished } = this.#closing;
    if (unfinished === undefined) return;
    const { finished } = this.#assembler;
    // Another message counts anew: its peer does not hold the memory, but sends one message after the other.
    if (this.#unfinished !== -1 && (held === 0 || finished !== this.#unfinished)) unfinished.finish(this);
    this.#unfinished = held === 0 ? -1 : finished;
    if (held > 0) unfinished.update(this, held);
  }

  /**
   * A number that grows with each piece of the unfinished message.
   *
   * @returns The number.
   */
  progress(): number {
    return this.#assembler.progress;
  }

  /**
   * Fails the connection: unfinished messages of all connections hold too much, and this one is among the largest and
   * slowest.
   */
  giveUp(): void {
    this.#unfinished = -1;
    const message = "Unfinished messages of all connections hold too much memory";
    this.#closing.fail(new TransportError("ERR_OVERLOAD", message));
  }

  /** Fails the connection: no piece of the unfinished message came within `messageTimeout`. */
  stalled(): void {
    const { messageTimeout } = this.#closing.settings;
    const message = `No more of a message came within ${messageTimeout} ms`;
    this.#closing.fail(new TransportError("ERR_MESSAGE_TIMEOUT", message));
  }
}
