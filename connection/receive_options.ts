/**
 * Options of `receive`, on connections and clients.
 *
 * @module
 */

import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";

/** Options of `receive`. */
export interface ReceiveOptions {
  /**
   * Ends the wait: the call rejects with the reason of the signal, and takes no message. `AbortSignal.timeout(5000)` is
   * a time limit.
   */
  signal?: AbortSignal | undefined;
}

const RECEIVE_NAMES: OptionTable<ReceiveOptions> = { signal: true };
const RECEIVE_OPTIONS = /* @__PURE__ */ new OptionNames("receive", { tables: [RECEIVE_NAMES] });

/**
 * Checks the options of `receive`.
 *
 * @param options The options.
 * @returns Rejects with an `OptionError` if one is unknown, or of another kind; `undefined` if all can be used.
 */
export function refuseReceiveOptions(options: ReceiveOptions): Promise<never> | undefined {
  try {
    RECEIVE_OPTIONS.assert(options);
    assertSignal(options);
    return undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}
