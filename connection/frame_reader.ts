/**
 * When incoming bytes are parsed: at once, in batches, or step by step; and what waits meanwhile.
 *
 * Invariant: while bytes wait here, the transport is paused, but for batches, which let up to 1 MiB wait.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Delivery, StepResult } from "./options.ts";
import { StateError } from "../base/errors.ts";
import type { FrameParser } from "../protocol/frame.ts";
import type { Transport } from "../transport/transport.ts";

/** What an {@linkcode Intake} asks and tells its connection. */
export interface IntakeOwner {
  /** Whether parsing may have to wait: only as long as no closing handshake has begun. */
  mayBlock(): boolean;
  /** Whether what still comes is of no interest. */
  discards(): boolean;
  /** A parse begins; what is sent meanwhile leaves at its end. */
  parseBegins(): void;
  /** A parse has ended. */
  parseEnds(): void;
  /** The bytes broke the protocol. */
  parseFails(error: unknown): void;
  /** Nothing waits any more. */
  drained(): void;
}

/** Bytes that may wait between two batches. */
const BATCH_LIMIT = 1024 * 1024;
const EMPTY = new Uint8Array(0);

/** Stands between the transport and the parser of one connection. */
export class Intake {
  #transport: Transport;
  #parser: FrameParser;
  #owner: IntakeOwner;
  #clock: Clock;
  #delivery: Delivery = "immediate";
  /** Bytes that came while parsing had to wait. */
  #unread: Uint8Array = EMPTY;
  /** Whether parsing has to wait: a full inbox, between batches, between steps. */
  #blocked = false;
  #parsing = false;
  #endStep: ((result: StepResult) => void) | undefined;

  /**
   * Makes an intake without bytes.
   *
   * @param transport Is paused when enough waits.
   * @param parser Gets the bytes.
   * @param owner The connection.
   * @param clock For steps that wait.
   */
  constructor(transport: Transport, parser: FrameParser, owner: IntakeOwner, clock: Clock) {
    this.#transport = transport;
    this.#parser = parser;
    this.#owner = owner;
    this.#clock = clock;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#unread.length === 0;
  }

  /** Whether a handler runs within a parse. */
  get parsing(): boolean {
    return this.#parsing;
  }

  /** Whether bytes are read as they come, be it to wait for a batch. */
  get reads(): boolean {
    return !this.#blocked || this.#delivery === "batched";
  }

  /** When bytes are parsed. */
  get delivery(): Delivery {
    return this.#delivery;
  }

  /** Whether somebody waits for the end of a step. */
  get stepping(): boolean {
    return this.#endStep !== undefined;
  }

  /**
   * The delivery to begin with, before any byte has come.
   *
   * @param delivery When bytes are parsed.
   */
  begin(delivery: Delivery): void {
    this.#delivery = delivery;
    this.#blocked = delivery !== "immediate";
  }

  /** The transport has been opened: lets it read, or not. */
  opened(): void {
    if (this.#delivery === "step") this.#transport.pause();
    else this.#transport.resume();
  }

  /**
   * Changes when bytes are parsed.
   *
   * @param delivery From now on.
   */
  setDelivery(delivery: Delivery): void {
    this.#delivery = delivery;
    if (delivery !== "step") this.finishStep("none");
    if (delivery === "immediate") this.unblock();
    else this.block();
  }

  /**
   * Takes bytes of the transport.
   *
   * @param bytes The bytes, valid only during the call.
   */
  receive(bytes: Uint8Array): void {
    if (this.#blocked || this.#unread.length > 0) {
      this.#keep(bytes);
      if (this.stepping) this.#runStep();
      return;
    }
    const used = this.#owner.discards() ? bytes.length : this.#parse(bytes);
    if (used === bytes.length) return;
    this.#keep(bytes.subarray(used));
    // The handler may have stopped the parsing and allowed it again within one call.
    if (!this.#blocked) this.unblock();
  }

  #keep(bytes: Uint8Array): void {
    if (this.#owner.discards()) return;
    this.#unread = concat(this.#unread, bytes);
    if (this.#delivery !== "batched" || this.#unread.length >= BATCH_LIMIT) this.#transport.pause();
  }

  /** Returns how many bytes are used. */
  #parse(bytes: Uint8Array): number {
    this.#parsing = true;
    this.#owner.parseBegins();
    try {
      return this.#parser.parse(bytes);
    } catch (error) {
      this.#owner.parseFails(error);
      return bytes.length;
    } finally {
      this.#parsing = false;
      this.#owner.parseEnds();
    }
  }

  #parseUnread(): void {
    while (!this.#blocked && this.#unread.length > 0) {
      const bytes = this.#unread;
      this.#unread = EMPTY;
      const used = this.#parse(bytes);
      // Without a copy: of many messages in one read, each step leaves nearly all of it for the next.
      if (used < bytes.length && !this.#owner.discards()) this.#unread = bytes.subarray(used);
    }
  }

  /**
   * Runs handlers for what was parsed before, as if it were parsed now: whatever they do, what comes later is delivered later.
   *
   * @param deliver Calls them.
   */
  replay(deliver: () => void): void {
    const nested = this.#parsing;
    this.#parsing = true;
    this.#owner.parseBegins();
    try {
      deliver();
    } finally {
      this.#parsing = nested;
      if (!nested) this.#owner.parseEnds();
    }
  }

  /** Parsing has to wait. */
  block(): void {
    // Once the closing handshake has begun, the peer's close frame must be found whatever the program does.
    if (!this.#owner.mayBlock()) return;
    this.#blocked = true;
    if (this.#parsing) this.#parser.stop();
    if (this.#delivery !== "batched") this.#transport.pause();
  }

  /** Parsing goes on. */
  unblock(): void {
    this.#blocked = false;
    if (!this.#parsing) this.#parseUnread();
    if (!this.#blocked) this.#transport.resume();
    this.#checkDrained();
  }

  /** Parsing goes on, unless it waits for a batch or a step. */
  unblockImmediate(): void {
    if (this.#delivery === "immediate" && this.#blocked) this.unblock();
  }

  #checkDrained(): void {
    if (this.#unread.length === 0 && !this.#parsing) this.#owner.drained();
  }

  /** Parses what waits, whatever it waits for: nothing more will come. */
  parseRest(): void {
    while (this.#unread.length > 0 && !this.#owner.discards()) {
      this.#blocked = false;
      this.#parseUnread();
    }
  }

  /** Drops what waits, and what still comes of the current chunk. */
  drop(): void {
    this.#parser.stop();
    this.#unread = EMPTY;
  }

  /** Parses what has come since the last batch. */
  deliverBatch(): void {
    if (this.#delivery !== "batched" || !this.#owner.mayBlock()) return;
    this.unblock();
    // A handler may have chosen another delivery.
    if (this.#delivery === "batched") this.block();
  }

  /**
   * Parses until one message or control frame is delivered.
   *
   * @param timeout How long to wait for one, in ms; 0: no limit.
   * @returns What came.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult> {
    if (this.stepping) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: a check is running already");
    }
    return new Promise((resolve) => {
      const cancel = timeout > 0 ? this.#clock.after(timeout, () => this.finishStep("none")) : undefined;
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
    if (this.#delivery === "step" && this.#owner.mayBlock()) this.#blocked = true;
    if (this.stepping) this.#transport.resume();
    this.#checkDrained();
  }

  /**
   * Something was delivered, or nothing will be: the step that waits is over, and parsing waits for the next.
   *
   * @param result What came.
   */
  finishStep(result: StepResult): void {
    const end = this.#endStep;
    this.#endStep = undefined;
    if (this.#delivery === "step") this.block();
    end?.(result);
  }
}
