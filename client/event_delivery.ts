/**
 * Delivers the events of a client's connection by the settings `autoCheckMessages` and `autoCheckInterval`: as they
 * come, in batches, or step by step.
 *
 * @module
 */

import type { SettingsStore } from "../base/settings.ts";
import type { Delivery } from "../connection/options.ts";
import type { ClientConnection, ClientConnectionHandler, OpenedConnection } from "./connector.ts";
import type { ClientSettings } from "./settings.ts";

/** Delivery of the events of one client. */
export class EventDelivery {
  readonly #settings: SettingsStore<ClientSettings>;
  #connection: OpenedConnection | undefined;
  #cancelBatch: (() => void) | undefined;

  /**
   * Reads the settings of a client.
   *
   * @param settings The settings.
   */
  constructor(settings: SettingsStore<ClientSettings>) {
    this.#settings = settings;
  }

  get #mode(): Delivery {
    const { autoCheckMessages, autoCheckInterval } = this.#settings.values;
    if (!autoCheckMessages) return "step";
    return autoCheckInterval > 0 ? "batched" : "immediate";
  }

  /**
   * Attaches a handler to a new connection.
   *
   * @param opened The connection.
   * @param handler Takes its events.
   * @param handlesMessages `false`: messages wait for a handler of the program, except single frames.
   * @returns The connection for the program.
   */
  attach(opened: OpenedConnection, handler: ClientConnectionHandler, handlesMessages: boolean): ClientConnection {
    const { autoCheckMessages, options } = this.#settings.values;
    const waitForHandler = autoCheckMessages && options.frameByFrame !== true && !handlesMessages;
    const connection = opened.attach(handler, { delivery: this.#mode, waitForHandler });
    this.#connection = opened;
    this.#schedule();
    return connection;
  }

  /** Applies changed settings to the connection, if there is one. */
  apply(): void {
    this.#cancel();
    if (this.#connection === undefined) return;
    this.#connection.setDelivery(this.#mode);
    this.#schedule();
  }

  /** Ends with the connection. */
  stop(): void {
    this.#cancel();
    this.#connection = undefined;
  }

  #cancel(): void {
    this.#cancelBatch?.();
    this.#cancelBatch = undefined;
  }

  #schedule(): void {
    if (this.#mode !== "batched") return;
    const { clock, autoCheckInterval } = this.#settings.values;
    this.#cancelBatch = clock.after(autoCheckInterval, () => {
      this.#schedule();
      this.#connection?.deliverBatch();
    });
  }
}
