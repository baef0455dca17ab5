/**
 * Between a server and its backplane: what is for all nodes goes out, what comes from others is handed to the connections here, and what
 * is lost is counted and reported.
 *
 * @module
 */

import type { Backplane, BackplaneSubscription } from "./backplane.ts";
import type { Clock } from "../base/clock.ts";
import { BackplaneError, describe, StateError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { Meter } from "../base/stats.ts";
import type { TopicWatcher } from "./topics.ts";

/** For all connections. No topic has this channel: theirs begin with "#". */
const EVERYBODY = "*";
/** So long a server waits at its start until other nodes hear it, in ms. */
const START_PATIENCE = 5000;

const READY = Promise.resolve();
/** The backplanes that servers use: one cannot serve two, since a node gets nothing of its own. */
const inUse = new WeakSet<Backplane>();

/** What a {@linkcode Relay} works for. */
export interface RelayOwner {
  /**
   * A message of another node.
   *
   * @param topic Its topic; `undefined`: it is for all connections.
   * @param data The message.
   */
  relayed(topic: string | undefined, data: MessageData): void;
  /**
   * Something was lost, or may be.
   *
   * @param error What.
   */
  relayFailed(error: BackplaneError): void;
}

/** Connects one server with the others. */
export class Relay implements TopicWatcher {
  #backplane: () => Backplane | undefined;
  #owner: RelayOwner;
  #meter: Meter;
  /** Set while the server runs. */
  #used: Backplane | undefined;
  #everybody: BackplaneSubscription | undefined;
  #topics = new Map<string, BackplaneSubscription | undefined>();
  /** Losses in a row: the first one is reported, and at the end how many there were. */
  #lost = 0;

  /**
   * Makes one that is not open.
   *
   * @param backplane The backplane, if there is one.
   * @param owner The server.
   * @param meter Counts.
   */
  constructor(backplane: () => Backplane | undefined, owner: RelayOwner, meter: Meter) {
    this.#backplane = backplane;
    this.#owner = owner;
    this.#meter = meter;
  }

  /**
   * Begins to listen.
   *
   * @param clock Time.
   * @returns Resolves when other nodes are heard, or if that takes too long: then it happens by itself later.
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
    this.#everybody = backplane.subscribe(EVERYBODY, (data) => this.#receive(undefined, data));
    for (const topic of this.#topics.keys()) this.begun(topic);
    await this.#patience(this.#everybody.ready, clock);
  }

  async #patience(ready: Promise<void>, clock: Clock): Promise<void> {
    let cancel: () => void = () => {};
    const late = new Promise<string>((resolve) => cancel = clock.after(START_PATIENCE, () => resolve("late")));
    const result = await Promise.race([ready, late]);
    cancel();
    if (result !== "late") return;
    const message = `The backplane is not there after ${START_PATIENCE} ms; the server starts without it`;
    this.#owner.relayFailed(new BackplaneError("ERR_BACKPLANE_AWAY", message));
  }

  #receive(topic: string | undefined, data: MessageData): void {
    this.#meter.backplaneReceived++;
    this.#owner.relayed(topic, data);
  }

  /**
   * Sends a message to the other nodes.
   *
   * @param topic Its topic; `undefined`: it is for all connections.
   * @param data The message.
   */
  publish(topic: string | undefined, data: MessageData): void {
    if (this.#used === undefined) return;
    this.#used.publish(topic === undefined ? EVERYBODY : `#${topic}`, data).then(
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
   * The first subscriber of a topic has come.
   *
   * @param topic The topic.
   */
  begun(topic: string): void {
    this.#topics.set(topic, this.#used?.subscribe(`#${topic}`, (data) => this.#receive(topic, data)));
  }

  /**
   * Whether other nodes know that a topic is wanted here.
   *
   * @param topic The topic.
   * @returns Resolves when they do.
   */
  ready(topic: string): Promise<void> {
    return this.#topics.get(topic)?.ready ?? READY;
  }

  /**
   * The last subscriber of a topic has gone.
   *
   * @param topic The topic.
   */
  ended(topic: string): void {
    this.#topics.get(topic)?.close();
    this.#topics.delete(topic);
  }

  /** Listens no more. The backplane stays open: it is the program's. */
  close(): void {
    const backplane = this.#used;
    if (backplane === undefined) return;
    this.#used = undefined;
    this.#everybody?.close();
    for (const [topic, subscription] of this.#topics) {
      subscription?.close();
      this.#topics.set(topic, undefined);
    }
    backplane.listen(undefined);
    inUse.delete(backplane);
  }
}
