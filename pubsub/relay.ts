/**
 * The relay between a server and its backplane: publishes messages for other nodes, hands over those of other nodes,
 * and counts and reports losses.
 *
 * @module
 */

import type { Backplane, BackplaneSubscription } from "./backplane.ts";
import type { Clock } from "../base/clock.ts";
import { BackplaneError, describe, StateError } from "../base/errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { Meter } from "../base/stats.ts";
import type { TopicWatcher } from "./topics.ts";

/** Channel of messages for all connections. No topic has it: the channels of topics begin with "#". */
const BROADCASTS = "*";
/** Time that a starting server waits for the backplane, in ms. */
const START_TIMEOUT = 5000;

const READY = Promise.resolve();
/** Backplanes in use. One cannot serve two servers, since a node does not get its own messages. */
const inUse = new WeakSet<Backplane>();

/** Gets the messages and reports of a {@linkcode Relay}. */
export interface RelayOwner {
  /**
   * A message of another node arrived.
   *
   * @param topic Its topic; `undefined`: it is for all connections.
   * @param data The message.
   */
  relayed(topic: string | undefined, data: Payload): void;
  /**
   * Messages were lost, or may be.
   *
   * @param error The report.
   */
  relayFailed(error: BackplaneError): void;
}

/** Connects one server with other nodes. */
export class Relay implements TopicWatcher {
  #backplane: () => Backplane | undefined;
  #owner: RelayOwner;
  #meter: Meter;
  /** Set while the server runs. */
  #used: Backplane | undefined;
  #broadcasts: BackplaneSubscription | undefined;
  #topics = new Map<string, BackplaneSubscription | undefined>();
  /** Losses in a row: the first one is reported, and their number at the end. */
  #lost = 0;

  /**
   * Makes a relay that is not open.
   *
   * @param backplane Returns the backplane, if there is one.
   * @param owner The server.
   * @param meter The counters.
   */
  constructor(backplane: () => Backplane | undefined, owner: RelayOwner, meter: Meter) {
    this.#backplane = backplane;
    this.#owner = owner;
    this.#meter = meter;
  }

  /**
   * Begins to listen.
   *
   * @param clock The clock.
   * @returns Resolves when messages of other nodes arrive, or after 5 s: then they arrive later.
   * @throws {StateError} If another server uses the backplane.
   */
  async open(clock: Clock): Promise<void> {
    const backplane = this.#backplane();
    if (backplane === undefined) return;
    if (inUse.has(backplane)) throw new StateError("ERR_RUNNING", "Cannot start: another server uses the backplane");
    inUse.add(backplane);
    this.#used = backplane;
    backplane.listen({
      missed: (count) => void (this.#meter.backplaneMissed += count),
      error: (error) => this.#owner.relayFailed(error),
    });
    this.#broadcasts = backplane.subscribe(BROADCASTS, (data) => this.#receive(undefined, data));
    for (const topic of this.#topics.keys()) this.begun(topic);
    await this.#waitForStart(this.#broadcasts.ready, clock);
  }

  async #waitForStart(ready: Promise<void>, clock: Clock): Promise<void> {
    let cancel: () => void = () => {};
    const late = new Promise<string>((resolve) => cancel = clock.after(START_TIMEOUT, () => resolve("late")));
    const result = await Promise.race([ready, late]);
    cancel();
    if (result !== "late") return;
    const message = `The backplane is not connected after ${START_TIMEOUT} ms; the server starts without it`;
    this.#owner.relayFailed(new BackplaneError("ERR_BACKPLANE_AWAY", message));
  }

  #receive(topic: string | undefined, data: Payload): void {
    this.#meter.backplaneReceived++;
    this.#owner.relayed(topic, data);
  }

  /**
   * Sends a message to the other nodes.
   *
   * @param topic Its topic; `undefined`: it is for all connections.
   * @param data The message.
   */
  publish(topic: string | undefined, data: Payload): void {
    if (this.#used === undefined) return;
    this.#used.publish(topic === undefined ? BROADCASTS : `#${topic}`, data).then(
      () => this.#published(),
      (error) => this.#loseOne(error),
    );
  }

  #published(): void {
    this.#meter.backplanePublished++;
    if (this.#lost === 0) return;
    const message = `Messages reach the other nodes again; ${this.#lost} were lost`;
    this.#lost = 0;
    this.#owner.relayFailed(new BackplaneError("ERR_BACKPLANE_LOST", message));
  }

  #loseOne(cause: unknown): void {
    this.#meter.backplaneLost++;
    if (this.#lost++ > 0) return;
    const message = `A message did not reach the other nodes: ${describe(cause)}; more may follow it`;
    this.#owner.relayFailed(new BackplaneError("ERR_BACKPLANE_LOST", message, { cause }));
  }

  /**
   * A topic got its first subscriber.
   *
   * @param topic The topic.
   */
  begun(topic: string): void {
    this.#topics.set(topic, this.#used?.subscribe(`#${topic}`, (data) => this.#receive(topic, data)));
  }

  /**
   * Waits until messages of other nodes for a topic arrive here.
   *
   * @param topic The topic.
   * @returns Resolves when they do.
   */
  ready(topic: string): Promise<void> {
    return this.#topics.get(topic)?.ready ?? READY;
  }

  /**
   * A topic lost its last subscriber.
   *
   * @param topic The topic.
   */
  ended(topic: string): void {
    this.#topics.get(topic)?.close();
    this.#topics.delete(topic);
  }

  /** Stops listening. The backplane stays open: it belongs to the program. */
  close(): void {
    const backplane = this.#used;
    if (backplane === undefined) return;
    this.#used = undefined;
    this.#broadcasts?.close();
    for (const [topic, subscription] of this.#topics) {
      subscription?.close();
      this.#topics.set(topic, undefined);
    }
    backplane.listen(undefined);
    inUse.delete(backplane);
  }
}
