/**
 * Delivers the events of a client's connection by the settings `autoCheckMessages` and `autoCheckInterval`: as they
 * come, in batches, or step by step.
 *
 * @module
 */

import type { SettingsStore } from "../base/settings.ts";
import type { Delivery } from "../connection/options.ts";
import type { OpenedConnection } from "./connector.ts";
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

  /** The mode that the settings ask for. */
  get mode(): Delivery {
    const { autoCheckMessages, autoCheckInterval } = this.#settings.values;
    if (!autoCheckMessages) return "step";
    return autoCheckInterval > 0 ? "batched" : "immediate";
  }

  /**
   * Begins with a connection that was attached with this mode.
   *
   * @param connection The connection.
   */
  start(connection: OpenedConnection): void {
    this.#connection = connection;
    this.#schedule();
  }

  /** Applies changed settings to the connection, if there is one. */
  apply(): void {
    this.#cancel();
    if (this.#connection === undefined) return;
    this.#connection.setDelivery(this.mode);
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
    if (this.mode !== "batched") return;
    const { clock, autoCheckInterval } = this.#settings.values;
    this.#cancelBatch = clock.after(autoCheckInterval, () => {
      this.#schedule();
      this.#connection?.deliverBatch();
    });
  }
}
