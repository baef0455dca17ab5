/**
 * Messages of a server to many: to all connections, to chosen ones, to the subscribers of a topic; and with a
 * backplane to those of other nodes.
 *
 * @module
 */

import { isOpen, sendShared, type WebSocketConnection } from "../connection/connection.ts";
import { assertPayload, type MessageData } from "../protocol/payload.ts";
import { assertMessageOptions, type MessageOptions } from "../connection/options.ts";
import type { ServerContext } from "./context.ts";
import { type BackplaneError, OptionError } from "../base/errors.ts";
import { Relay } from "../pubsub/relay.ts";
import type { PublishOptions } from "./handlers.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import { assertTopic, Topics } from "../pubsub/topics.ts";

type Selector<Data> = (connection: WebSocketConnection<Data>) => boolean;

/** Sends the messages of one server to many. The methods are documented with those of `WebSocketServer`. */
export class Publisher<Data> {
  /** The subscriptions. */
  readonly topics: Topics<WebSocketConnection<Data>>;
  readonly #context: ServerContext<Data>;
  readonly #connections: () => ReadonlySet<WebSocketConnection<Data>>;
  readonly #relay: Relay;

  /**
   * Makes a publisher.
   *
   * @param context The server.
   * @param connections Returns the connections whose handshake is done.
   */
  constructor(context: ServerContext<Data>, connections: () => ReadonlySet<WebSocketConnection<Data>>) {
    const { settings, meter } = context;
    this.#context = context;
    this.#connections = connections;
    this.#relay = new Relay(() => settings.store.values.backplane, {
      relayed: (topic, data) => this.#relayed(topic, data),
      relayFailed: (error) => this.#relayFailed(error),
    }, meter);
    this.topics = new Topics(this.#relay, () => settings.current.maxTopics);
  }

  /**
   * Begins to receive messages of other nodes.
   *
   * @returns Resolves when they are heard, or if that takes too long.
   * @throws {StateError} If another server uses the backplane.
   */
  openRelay(): Promise<void> {
    return this.#relay.open(this.#context.settings.current.clock);
  }

  /** Stops receiving messages of other nodes. */
  closeRelay(): void {
    this.#relay.close();
  }

  #relayFailed(error: BackplaneError): void {
    this.#context.log.write("warn", "backplane.failed", { code: error.code }, error);
    this.#context.calls.report(error);
  }

  /**
   * Sends a text to every open connection.
   *
   * @param text The text.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
   */
  broadcastMessage(text: string, options?: MessageOptions): number {
    assertText(text);
    if (options !== undefined) assertMessageOptions(options);
    const taken = this.#sendTo(this.#connections(), text, options);
    this.#relay.publish(undefined, text);
    return taken;
  }

  /**
   * Sends bytes to every open connection.
   *
   * @param bytes The bytes.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
   */
  broadcastData(bytes: Uint8Array, options?: MessageOptions): number {
    assertBytes(bytes);
    if (options !== undefined) assertMessageOptions(options);
    const taken = this.#sendTo(this.#connections(), bytes, options);
    this.#relay.publish(undefined, bytes);
    return taken;
  }

  /**
   * Sends a text to chosen connections.
   *
   * @param text The text.
   * @param selector Called with each open connection; `true` chooses it.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
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
   * Sends bytes to chosen connections.
   *
   * @param bytes The bytes.
   * @param selector Called with each open connection; `true` chooses it.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
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
    if (options !== undefined) assertMessageOptions(options);
    // A selector that throws must not leave some connections with the message and some without.
    const chosen = new Set<WebSocketConnection<Data>>();
    for (const connection of this.#connections()) {
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
    const { settings: { current: { compression, splitMessage, frameSize } }, meter } = this.#context;
    const message = new SharedMessage(data, splitMessage ? frameSize : 0, compression, meter);
    let taken = 0;
    let tooLarge: unknown;
    for (const connection of chosen) {
      try {
        if (connection === except || !isOpen(connection)) continue;
        if (sendShared(connection, message, options) !== "dropped") taken++;
      } catch (error) {
        // Compressed for another connection, the message may fit into its limit.
        tooLarge = error;
      }
    }
    if (taken === 0 && tooLarge !== undefined) throw tooLarge;
    return taken;
  }

  /**
   * Sends a message to the subscribers of a topic.
   *
   * @param topic The topic.
   * @param data A text or bytes.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
   */
  publish(topic: string, data: MessageData, options?: PublishOptions<Data>): number {
    assertTopic(topic);
    assertPayload(data, "publish");
    if (options !== undefined) assertPublishOptions(options);
    const taken = this.#sendToSubscribers(topic, data, options);
    this.#relay.publish(topic, data);
    return taken;
  }

  #sendToSubscribers(topic: string, data: MessageData, options?: PublishOptions<Data>): number {
    return this.#sendTo(this.topics.subscribers(topic), data, options, options?.except);
  }

  /**
   * Counts the subscribers of a topic on this node.
   *
   * @param topic The topic.
   * @returns Their number.
   */
  subscriberCount(topic: string): number {
    return this.topics.subscribers(topic).size;
  }

  #relayed(topic: string | undefined, data: MessageData): void {
    try {
      if (topic === undefined) this.#sendTo(this.#connections(), data);
      else this.#sendToSubscribers(topic, data);
    } catch (error) {
      // The message is larger than maxBufferedAmount of this node.
      this.#context.calls.report(error);
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

/**
 * Checks the options of one message to the subscribers of a topic.
 *
 * @param options The options.
 * @throws {OptionError} If one is unknown, or has another value.
 */
function assertPublishOptions<Data>(options: PublishOptions<Data>): void {
  if (typeof options !== "object" || options === null) return assertMessageOptions(options);
  const { except: _, ...others } = options;
  assertMessageOptions(others);
}
