/**
 * Who has subscribed to what, on one server. Finding the subscribers of a topic costs nothing for all the other connections.
 *
 * @module
 */

import { OptionError, StateError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";

/** The longest name of a topic, in UTF-16 units: peers often choose it. */
const MAX_NAME = 1024;
const NOBODY: ReadonlySet<never> = new Set<never>();
const NOTHING: ReadonlySet<string> = new Set<string>();

/** Told when somebody here wants a topic, and when nobody does any more. */
export interface TopicWatcher {
  /**
   * The first subscriber has come.
   *
   * @param topic The topic.
   */
  begun(topic: string): void;
  /**
   * Whether other nodes know by now that the topic is wanted here.
   *
   * @param topic The topic.
   * @returns Resolves when they do, or when nobody here wants it any more.
   */
  ready(topic: string): Promise<void>;
  /**
   * The last subscriber has gone.
   *
   * @param topic The topic.
   */
  ended(topic: string): void;
}

/**
 * Checks the name of a topic.
 *
 * @param topic The name.
 * @throws {OptionError} If it is no string, empty, or too long, or has a lone surrogate.
 */
export function assertTopic(topic: string): void {
  if (typeof topic !== "string") throw new OptionError(`The topic is a ${typeof topic} instead of a string`);
  if (topic === "" || topic.length > MAX_NAME) {
    throw new OptionError(`The name of a topic has ${topic.length} characters: 1 to ${MAX_NAME} are allowed`);
  }
  assertWellFormed("The name of a topic", topic);
}

/** Subscriptions of one server. */
export class Topics<Member> {
  #subscribers = new Map<string, Set<Member>>();
  #topics = new Map<Member, Set<string>>();
  #watcher: TopicWatcher;
  #maxTopics: () => number;

  /**
   * Makes one without subscriptions.
   *
   * @param watcher Told what is wanted here.
   * @param maxTopics The most topics of one member; 0: no limit.
   */
  constructor(watcher: TopicWatcher, maxTopics: () => number) {
    this.#watcher = watcher;
    this.#maxTopics = maxTopics;
  }

  /**
   * Subscribes. Calling it again changes nothing.
   *
   * @param member Who.
   * @param topic To what.
   * @returns Resolves when messages of other nodes reach it too.
   * @throws {OptionError} If the name is out of range.
   * @throws {StateError} If the member has too many topics.
   */
  subscribe(member: Member, topic: string): Promise<void> {
    assertTopic(topic);
    let topics = this.#topics.get(member);
    if (!topics?.has(topic)) {
      const limit = this.#maxTopics();
      if (limit > 0 && (topics?.size ?? 0) >= limit) {
        throw new StateError("ERR_TOO_MANY_TOPICS", `Cannot subscribe to "${topic}": "maxTopics" is ${limit}`);
      }
      if (topics === undefined) this.#topics.set(member, topics = new Set());
      topics.add(topic);
      this.#add(member, topic);
    }
    return this.#watcher.ready(topic);
  }

  #add(member: Member, topic: string): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers !== undefined) return void subscribers.add(member);
    this.#subscribers.set(topic, new Set([member]));
    this.#watcher.begun(topic);
  }

  /**
   * Undoes `subscribe`.
   *
   * @param member Who.
   * @param topic From what.
   * @returns Whether it had subscribed.
   */
  unsubscribe(member: Member, topic: string): boolean {
    const topics = this.#topics.get(member);
    if (!topics?.delete(topic)) return false;
    if (topics.size === 0) this.#topics.delete(member);
    this.#remove(member, topic);
    return true;
  }

  #remove(member: Member, topic: string): void {
    const subscribers = this.#subscribers.get(topic)!;
    subscribers.delete(member);
    if (subscribers.size > 0) return;
    this.#subscribers.delete(topic);
    this.#watcher.ended(topic);
  }

  /**
   * A member is gone.
   *
   * @param member Who.
   */
  leave(member: Member): void {
    const topics = this.#topics.get(member);
    if (topics === undefined) return;
    this.#topics.delete(member);
    for (const topic of topics) this.#remove(member, topic);
  }

  /**
   * Who has subscribed.
   *
   * @param topic To what.
   * @returns The members, as they are now and will be.
   */
  subscribers(topic: string): ReadonlySet<Member> {
    return this.#subscribers.get(topic) ?? NOBODY;
  }

  /**
   * What a member has subscribed to.
   *
   * @param member Who.
   * @returns The topics, as they are now and will be while there are some.
   */
  of(member: Member): ReadonlySet<string> {
    return this.#topics.get(member) ?? NOTHING;
  }
}
