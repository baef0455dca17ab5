/**
 * What a server sends to many: to all, to those that are chosen, to the subscribers of a topic; and with a backplane to those of other nodes.
 *
 * @module
 */

import type { Backplane } from "../pubsub/backplane.ts";
import { type ConnectionTopics, isOpen, sendShared, type WebSocketConnection } from "../connection/connection.ts";
import { assertPayload, type MessageData } from "../protocol/payload.ts";
import type { MessageOptions } from "../connection/options.ts";
import { type BackplaneError, OptionError } from "../base/errors.ts";
import { Relay } from "../pubsub/relay.ts";
import type { PublishOptions } from "./handlers.ts";
import { ConfigurableServer, type ServerSettings } from "./settings.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import { Meter } from "../base/stats.ts";
import { assertTopic, Topics } from "../pubsub/topics.ts";

type Selector<Data> = (connection: WebSocketConnection<Data>) => boolean;

/**
 * A server, as far as it sends to many.
 *
 * @typeParam Data The type of `connection.data`.
 */
export abstract class PublishingServer<Data = unknown> extends ConfigurableServer {
  /** Counts. */
  protected readonly meter: Meter = new Meter();
  #backplane: Backplane | undefined;
  readonly #relay: Relay;
  readonly #topics: Topics<WebSocketConnection<Data>>;

  /**
   * Takes the settings.
   *
   * @param settings Those that differ from the default.
   * @param backplane Carries messages to other nodes, if there is one.
   * @throws {OptionError} If one is out of range.
   */
  constructor(settings: ServerSettings, backplane: Backplane | undefined) {
    super(settings);
    this.#backplane = backplane;
    this.#relay = new Relay(() => this.#backplane, {
      relayed: (topic, data) => this.#relayed(topic, data),
      relayFailed: (error) => this.relayFailed(error),
    }, this.meter);
    this.#topics = new Topics(this.#relay, () => this.settings.maxTopics);
  }

  /** The connections whose handshake is done, until they have ended. */
  abstract get connections(): ReadonlySet<WebSocketConnection<Data>>;

  /**
   * Reports what failed.
   *
   * @param error What.
   */
  protected abstract reportError(error: unknown): void;

  /**
   * Other nodes are not reached, or not heard.
   *
   * @param error Why.
   */
  protected abstract relayFailed(error: BackplaneError): void;

  /** Carries broadcasts and topics to the other nodes. */
  get backplane(): Backplane | undefined {
    return this.#backplane;
  }
  set backplane(value: Backplane | undefined) {
    this.assertStopped("backplane");
    this.#backplane = value;
  }

  /**
   * Begins to hear other nodes.
   *
   * @returns Resolves when they are heard, or if that takes too long.
   * @throws {StateError} If another server uses the backplane.
   */
  protected openRelay(): Promise<void> {
    return this.#relay.open(this.settings.clock);
  }

  /** Who has subscribed to what. */
  protected get topics(): ConnectionTopics<Data> {
    return this.#topics;
  }

  /**
   * A connection has ended, and its subscriptions with it.
   *
   * @param connection The connection.
   */
  protected forgetTopics(connection: WebSocketConnection<Data>): void {
    this.#topics.leave(connection);
  }

  /** Hears other nodes no more. */
  protected closeRelay(): void {
    this.#relay.close();
  }

  /**
   * Sends a text to every open connection; it is encoded once, and compressed once for each window size. With a `backplane` those of
   * all other nodes get it too.
   *
   * @param text The text.
   * @param options What is different for this one.
   * @returns How many connections of this node took it: those that drop it as slow consumers, close, are in the middle of a message sent by
   * `sendFrame`, or can never hold it within `maxBufferedAmount` (some may in its compressed form) do not.
   * @throws {OptionError} If it is larger than `maxBufferedAmount` for each of them.
   */
  broadcastMessage(text: string, options?: MessageOptions): number {
    assertText(text);
    const taken = this.#sendTo(this.connections, text, options);
    this.#relay.publish(undefined, text);
    return taken;
  }

  /**
   * Sends bytes to every open connection; they are encoded once, and compressed once for each window size. With a `backplane` those of
   * all other nodes get them too.
   *
   * @param bytes The bytes.
   * @param options What is different for this one.
   * @returns How many connections took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If they are larger than `maxBufferedAmount` for each connection.
   */
  broadcastData(bytes: Uint8Array, options?: MessageOptions): number {
    assertBytes(bytes);
    const taken = this.#sendTo(this.connections, bytes, options);
    this.#relay.publish(undefined, bytes);
    return taken;
  }

  /**
   * Sends a text to the open connections for which `selector` is true; it is encoded once, and compressed
   * once for each window size. Only those of this node: a function cannot go to another. What all nodes are to choose by is a topic.
   *
   * @param text The text.
   * @param selector Chooses.
   * @param options What is different for this one.
   * @returns How many connections took it: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If it is larger than `maxBufferedAmount` for each of them.
   */
  sendMessageTo(
    text: string,
    selector: (connection: WebSocketConnection<Data>) => boolean,
    options?: MessageOptions,
  ): number {
    assertText(text);
    return this.#sendToChosen(text, selector, options);
  }

  /**
   * Sends bytes to the open connections for which `selector` is true; they are encoded once, and compressed once for each window size.
   * Only those of this node: see {@linkcode WebSocketServer.sendMessageTo}.
   *
   * @param bytes The bytes.
   * @param selector Chooses.
   * @param options What is different for this one.
   * @returns How many connections took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If they are larger than `maxBufferedAmount` for each connection.
   */
  sendDataTo(
    bytes: Uint8Array,
    selector: (connection: WebSocketConnection<Data>) => boolean,
    options?: MessageOptions,
  ): number {
    assertBytes(bytes);
    return this.#sendToChosen(bytes, selector, options);
  }

  #sendToChosen(data: MessageData, selector: Selector<Data>, options?: MessageOptions): number {
    // A selector that throws must not leave some with the message and some without.
    const chosen = new Set<WebSocketConnection<Data>>();
    for (const connection of this.connections) {
      if (connection.state === "open" && selector(connection)) chosen.add(connection);
    }
    return this.#sendTo(chosen, data, options);
  }

  #sendTo(
    chosen: ReadonlySet<WebSocketConnection<Data>>,
    data: MessageData,
    options?: MessageOptions,
    except?: WebSocketConnection<Data>,
  ): number {
    if (chosen.size === 0) return 0;
    const { compression } = this.settings;
    const message = new SharedMessage(data, this.splitMessage ? this.frameSize : 0, compression, this.meter);
    let taken = 0;
    let tooLarge: unknown;
    for (const connection of chosen) {
      try {
        if (connection === except || !isOpen(connection)) continue;
        if (sendShared(connection, message, options) !== "dropped") taken++;
      } catch (error) {
        // Compressed it may fit for others.
        tooLarge = error;
      }
    }
    if (taken === 0 && tooLarge !== undefined) throw tooLarge;
    return taken;
  }

  /**
   * Sends a message to the subscribers of a topic: see `WebSocketConnection.subscribe`. It is encoded once, and compressed once for each
   * window size; the cost grows with the subscribers, not with the connections. With a `backplane` those of all other nodes get it too.
   *
   * @param topic The topic.
   * @param data A text or bytes.
   * @param options What is different for this one.
   * @returns How many connections of this node took it: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If the topic or `data` is of another type, or `data` is larger than `maxBufferedAmount` for each of them.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * const server = new WebSocketServer({
   *   onMessageReceived: (connection, topic) => void connection.subscribe(topic),
   * });
   * assertEquals(server.publish("weather", "It rains"), server.subscriberCount("weather"));
   * ```
   */
  publish(topic: string, data: MessageData, options?: PublishOptions<Data>): number {
    assertTopic(topic);
    assertPayload(data, "publish");
    const taken = this.#sendToSubscribers(topic, data, options);
    this.#relay.publish(topic, data);
    return taken;
  }

  #sendToSubscribers(topic: string, data: MessageData, options?: PublishOptions<Data>): number {
    return this.#sendTo(this.#topics.subscribers(topic), data, options, options?.except);
  }

  /**
   * How many connections of this node have subscribed to a topic.
   *
   * @param topic The topic.
   * @returns Their number.
   */
  subscriberCount(topic: string): number {
    return this.#topics.subscribers(topic).size;
  }

  #relayed(topic: string | undefined, data: MessageData): void {
    try {
      if (topic === undefined) this.#sendTo(this.connections, data);
      else this.#sendToSubscribers(topic, data);
    } catch (error) {
      // It is larger than maxBufferedAmount of this node.
      this.reportError(error);
    }
  }
}

function assertText(text: string): void {
  if (typeof text !== "string") throw new OptionError(`Cannot send: "${typeof text}" is not a string`, "ERR_PAYLOAD");
}

function assertBytes(bytes: Uint8Array): void {
  if (bytes instanceof Uint8Array) return;
  throw new OptionError(`Cannot send: "${typeof bytes}" is not a Uint8Array`, "ERR_PAYLOAD");
}
