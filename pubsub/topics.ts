/**
 * The subscriptions of one server. The cost of finding the subscribers of a topic does not grow with the other
 * connections.
 *
 * @module
 */

import { OptionError, StateError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";

/** Longest name of a topic, in UTF-16 units; names often come from peers. */
const MAX_NAME = 1024;
const NO_MEMBERS: ReadonlySet<never> = new Set<never>();
const NO_TOPICS: ReadonlySet<string> = new Set<string>();

/** Follows which topics have subscribers on this server. */
export interface TopicWatcher {
  /**
   * A topic got its first subscriber.
   *
   * @param topic The topic.
   */
  begun(topic: string): void;
  /**
   * Waits until messages of other nodes for a topic arrive here.
   *
   * @param topic The topic.
   * @returns Resolves when they do, or when the topic has no subscriber any more.
   */
  ready(topic: string): Promise<void>;
  /**
   * A topic lost its last subscriber.
   *
   * @param topic The topic.
   */
  ended(topic: string): void;
}

/**
 * Checks the name of a topic.
 *
 * @param topic The name.
 * @throws {OptionError} If it is not a string, empty, too long, or has a lone surrogate.
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
   * Makes a table without subscriptions.
   *
   * @param watcher Follows which topics have subscribers.
   * @param maxTopics Returns the largest number of topics of one member; 0: no limit.
   */
  constructor(watcher: TopicWatcher, maxTopics: () => number) {
    this.#watcher = watcher;
    this.#maxTopics = maxTopics;
  }

  /**
   * Subscribes a member to a topic. Calling it again changes nothing.
   *
   * @param member The member.
   * @param topic The topic.
   * @returns Resolves when messages of other nodes arrive too.
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
   * @param member The member.
   * @param topic The topic.
   * @returns `true` if the member had subscribed to it.
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
   * Removes a member and its subscriptions.
   *
   * @param member The member.
   */
  leave(member: Member): void {
    const topics = this.#topics.get(member);
    if (topics === undefined) return;
    this.#topics.delete(member);
    for (const topic of topics) this.#remove(member, topic);
  }

  /**
   * Returns the subscribers of a topic.
   *
   * @param topic The topic.
   * @returns The members; changes with them.
   */
  subscribers(topic: string): ReadonlySet<Member> {
    return this.#subscribers.get(topic) ?? NO_MEMBERS;
  }

  /**
   * Returns the topics of a member.
   *
   * @param member The member.
   * @returns The topics; changes with them, while there are some.
   */
  of(member: Member): ReadonlySet<string> {
    return this.#topics.get(member) ?? NO_TOPICS;
  }
}
