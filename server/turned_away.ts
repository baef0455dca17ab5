/**
 * Connections beyond a limit: they are told so, if that costs little, and get no further.
 *
 * @module
 */

import type { AdmissionLimit } from "./admission.ts";
import type { Clock } from "../base/clock.ts";
import { encodeHead } from "../protocol/head.ts";
import type { Transport } from "../transport/transport.ts";

/** So many are told at the same time at most; others are closed at once. */
const MAX_TOLD = 256;
/** How long one may take to hear it, in ms. */
const PATIENCE = 1000;

/** Tells them. */
export class TurnedAway {
  #told = new Set<Transport>();

  /**
   * Tells one, and ends it.
   *
   * @param transport The connection, not opened yet.
   * @param limit The limit it is beyond.
   * @param clock Time.
   */
  add(transport: Transport, limit: AdmissionLimit, clock: Clock): void {
    if (this.#told.size >= MAX_TOLD) return transport.destroy();
    this.#told.add(transport);
    const cancel = clock.after(PATIENCE, () => transport.destroy());
    transport.open({
      // Read, since closing a socket with unread bytes would send a reset, which overtakes the answer.
      data() {},
      drain() {},
      end: () => transport.destroy(),
      close: () => {
        cancel();
        this.#told.delete(transport);
      },
    });
    transport.write(limit === "maxConnectionsPerAddress" ? TOO_MANY : UNAVAILABLE);
    transport.end();
  }

  /** Waits for nobody any longer. */
  end(): void {
    for (const transport of this.#told) transport.destroy();
  }
}

const TOO_MANY = answer("429 Too Many Requests");
const UNAVAILABLE = answer("503 Service Unavailable");

function answer(status: string): Uint8Array {
  return encodeHead(`HTTP/1.1 ${status}`, [["content-length", "0"], ["connection", "close"], ["retry-after", "1"]]);
}
