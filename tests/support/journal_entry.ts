/** Entries for the tests of journals. */

import { createHash } from "node:crypto";
import type { NewEntry } from "../../journal/journal.ts";
import { encode } from "./support.ts";

/** Makes an entry with the digest of its body; `more` replaces members. */
export function entry(body: string | Uint8Array, more: Partial<NewEntry> = {}): NewEntry {
  const bytes = typeof body === "string" ? encode(body) : body;
  const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
  return { bytes, signature: "", receivedAt: new Date(0), digest, forward: true, ...more };
}
