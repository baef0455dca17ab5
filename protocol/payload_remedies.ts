/**
 * Remedies for values that a program tries to send and that are no messages.
 *
 * @module
 */

import type { Remedies } from "../base/remedies.ts";
import { kindOf } from "./payload.ts";

/** Remedies for objects that JSON would not show. */
const BY_KIND: ReadonlyMap<string, string> = new Map([
  ["ReadableStream", "pipe it to messageWriter()"],
  ["FormData", "use JSON.stringify([...form]) for its fields"],
  ["Map", "use JSON.stringify([...map])"],
  ["Set", "use JSON.stringify([...set])"],
  ["URLSearchParams", "use String"],
  ["URL", "use String"],
  ["String", "use String"],
  ["Response", "await its bytes() or text() first"],
  ["Request", "await its bytes() or text() first"],
]);

/** Remedies for messages. */
export const PAYLOAD_REMEDIES: Remedies = {
  forPayload(data) {
    try {
      if (Array.isArray(data)) return "use Uint8Array.from for bytes, JSON.stringify for anything else";
      if (data instanceof Promise) return "await it first";
      if (typeof data === "number" || typeof data === "boolean" || typeof data === "bigint") return "use String";
      return typeof data === "object" && data !== null ? BY_KIND.get(kindOf(data)) ?? "use JSON.stringify" : undefined;
    } catch {
      // A revoked Proxy.
      return undefined;
    }
  },
};
