/**
 * Bytes of a request that are read on behind an early answer, such as 413 or 401, and dropped: closing a socket with
 * unread bytes sends a reset, which overtakes the answer at clients and proxies that send all of a body before they
 * read.
 *
 * @module
 */

import type { HeaderFields } from "../protocol/head.ts";
import { bodyFraming } from "../protocol/http.ts";

/** Bytes that may follow any request; fewer behind a head that is refused, since honest heads are short. */
export const MAX_DROPPED: number = 1024 * 1024;
/** The same behind a head that is malformed. */
export const MAX_DROPPED_HEAD: number = 128 * 1024;
/** Most bytes of a body that are dropped, unless `maxBodySize` is more. */
const MAX_DROPPED_BODY = 64 * 1024 * 1024;

/**
 * Computes how many bytes of a body are dropped behind an early answer.
 *
 * @param fields The header fields of the request.
 * @param maxBodySize Largest body that the server takes, in bytes; 0: no limit.
 * @returns The bytes; 0: the request has no body, or it is not known where it ends.
 */
export function droppedBodySize(fields: HeaderFields, maxBodySize: number): number {
  const most = Math.max(MAX_DROPPED_BODY, maxBodySize);
  try {
    const framing = bodyFraming(fields, 1);
    if (framing.kind === "none") return 0;
    return framing.kind === "length" ? Math.min(framing.length, most) : most;
  } catch {
    // Ignored on purpose: the request was refused for it.
    return 0;
  }
}
