/**
 * Messages of a server to many: to all connections, to chosen ones, to the subscribers of a topic; and with a
 * backplane to those of other nodes.
 *
 * @module
 */

import { isOpen, sendShared, sendSharedLater, WebSocketConnection } from "../connection/connection.ts";
import { type Payload, readBlob, type SendBytes, type SendData, toPayload } from "../protocol/payload.ts";
import { assertMessageOptions, type MessageOptions } from "../connection/options.ts";
import type { ServerContext } from "./context.ts";
import { type BackplaneError, OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { Relay } from "../pubsub/relay.ts";
import type { PublishOptions } from "./handlers.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import { assertTopic, Topics } from "../pubsub/topics.ts";

/** Chooses connections. */
export type Selector<Data> = (connection: WebSocketConnection<Data>) => boolean;

/** A message for many: ready, or a `Blob` that is being read; `undefined` then stands for one that cannot be. */
interface Shared {
  readonly ready?: Payload;
  readonly read?: Promise<Uint8Array | undefined>;
  readonly size?: number;
  readonly encoded?: Promise<SharedMessage | undefined>;
}

/** Sends the messages of one server to many. The methods are documented with those of `WebSocketServer`. */
export class Publisher<Data> {
  /** The subscriptions. */
  readonly topics: Topics<WebSocketConnection<Data>>;
  readonly #context: ServerContext<Data>;
  readonly #connections: () => ReadonlySet<WebSocketConnection<Data>>;
  readonly #relay: Relay;
  /** While a `Blob` is read, until it and those after it are sent to the other nodes. */
  #relaying: Promise<void> | undefined;

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
    const message = this.#share(text);
    const taken = this.#sendTo(this.#connections(), message, options);
    this.#relayMessage(undefined, message);
    return taken;
  }

  /**
   * Sends bytes to every open connection.
   *
   * @param bytes The bytes.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it.
   */
  broadcastData(bytes: SendBytes, options?: MessageOptions): number {
    if (options !== undefined) assertMessageOptions(options);
    const message = this.#share(toBytes(bytes));
    const taken = this.#sendTo(this.#connections(), message, options);
    this.#relayMessage(undefined, message);
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
    bytes: SendBytes,
    selector: (connection: WebSocketConnection<Data>) => boolean,
    options?: MessageOptions,
  ): number {
    return this.#sendToChosen(toBytes(bytes), selector, options);
  }

  #sendToChosen(data: Payload | Blob, selector: Selector<Data>, options?: MessageOptions): number {
    if (options !== undefined) assertMessageOptions(options);
    // A selector that throws must not leave some connections with the message and some without.
    const chosen = new Set<WebSocketConnection<Data>>();
    const selects = checkedSelector(selector);
    for (const connection of this.#connections()) {
      if (connection.state === "open" && selects(connection)) chosen.add(connection);
    }
    return this.#sendTo(chosen, this.#share(data), options);
  }

  /** Prepares a message, and begins to read a `Blob`. */
  #share(data: Payload | Blob): Shared {
    if (typeof data === "string" || data instanceof Uint8Array) return { ready: data };
    const read = readBlob(data, "send").catch((error) => {
      this.#context.calls.report(error);
      return undefined;
    });
    return { read, size: data.size, encoded: read.then((bytes) => bytes && this.#encode(bytes)) };
  }

  #encode(data: Payload): SharedMessage {
    const { settings: { current: { compression, splitMessage, frameSize } }, meter } = this.#context;
    return new SharedMessage(data, splitMessage ? frameSize : 0, compression, meter);
  }

  /** Sends a message to the other nodes, behind those that are still being read. */
  #relayMessage(topic: string | undefined, message: Shared): void {
    const { ready, read } = message;
    const before = this.#relaying;
    if (ready !== undefined && before === undefined) return this.#relay.publish(topic, ready);
    const relaying = this.#relaying = Promise.all([read ?? ready, before]).then(([data]) => {
      if (data !== undefined) this.#relay.publish(topic, data);
      if (this.#relaying === relaying) this.#relaying = undefined;
    });
  }

  #sendTo(
    chosen: ReadonlySet<WebSocketConnection<Data>>,
    shared: Shared,
    options?: MessageOptions,
    except?: WebSocketConnection<Data | undefined>,
  ): number {
    if (chosen.size === 0) return 0;
    const message = shared.ready === undefined ? undefined : this.#encode(shared.ready);
    let taken = 0;
    let tooLarge: unknown;
    for (const connection of chosen) {
      try {
        if (connection === except || !isOpen(connection)) continue;
        const result = message === undefined
          ? sendSharedLater(connection, shared.encoded!, shared.size!, options)
          : sendShared(connection, message, options);
        if (result !== "dropped") taken++;
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
  publish(topic: string, data: SendData, options?: PublishOptions<Data>): number {
    assertTopic(topic);
    if (options !== undefined) assertPublishOptions(options);
    const message = this.#share(toPayload(data, "publish"));
    const taken = this.#sendToSubscribers(topic, message, options);
    this.#relayMessage(topic, message);
    return taken;
  }

  #sendToSubscribers(topic: string, message: Shared, options?: PublishOptions<Data>): number {
    return this.#sendTo(this.topics.subscribers(topic), message, options, options?.except);
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

  #relayed(topic: string | undefined, data: Payload): void {
    try {
      if (topic === undefined) this.#sendTo(this.#connections(), { ready: data });
      else this.#sendToSubscribers(topic, { ready: data });
    } catch (error) {
      // The message is larger than maxBufferedAmount of this node.
      this.#context.calls.report(error);
    }
  }
}

/**
 * Makes a selector that refuses promises: they would count as true, and a secret would go to all.
 *
 * @param selector The selector of the program.
 * @returns Throws an `OptionError` if the selector returns a promise.
 * @throws {OptionError} If it is not a function.
 */
export function checkedSelector<Data>(selector: Selector<Data>): Selector<Data> {
  if (typeof selector !== "function") {
    const given = showValue(selector);
    throw new OptionError(`The selector is ${given} instead of a function such as (connection) => connection === one`);
  }
  return (connection) => {
    const answer: unknown = selector(connection);
    if (!isThenable(answer)) return Boolean(answer);
    // Its rejection would otherwise end the program, beside the error that is thrown here.
    answer.then(undefined, () => {});
    throw new OptionError(
      "The selector returned a promise, which counts for no connection: find the connections first, await that, " +
        "and select with a function that is not async",
    );
  };
}

function isThenable(answer: unknown): answer is PromiseLike<unknown> {
  return typeof answer === "object" && answer !== null && typeof Reflect.get(answer, "then") === "function";
}

function assertText(text: string): void {
  if (typeof text === "string") return;
  const bytes = ArrayBuffer.isView(text) || text as unknown instanceof ArrayBuffer || text as unknown instanceof Blob;
  const use = bytes ? "use broadcastData or sendDataTo for bytes" : "use JSON.stringify or String";
  throw new OptionError(`Cannot send: "${typeof text}" is not a string: ${use}`, "ERR_PAYLOAD");
}

function toBytes(bytes: SendBytes): Uint8Array | Blob {
  const payload = toPayload(bytes, "send");
  if (typeof payload !== "string") return payload;
  throw new OptionError('Cannot send as bytes: it is a "string": use broadcastMessage or sendMessageTo', "ERR_PAYLOAD");
}

/**
 * Checks the options of one message to the subscribers of a topic.
 *
 * @param options The options.
 * @throws {OptionError} If one is unknown, or has another value.
 */
function assertPublishOptions<Data>(options: PublishOptions<Data>): void {
  if (typeof options !== "object" || options === null) return assertMessageOptions(options);
  const { except, ...others } = options;
  assertMessageOptions(others);
  if (except === undefined || except === null || except instanceof WebSocketConnection) return;
  throw new OptionError(`The option "except" is ${showValue(except)} instead of one connection`);
}
