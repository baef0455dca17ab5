/**
 * Remedies for mistakes with connections, which programs with sockets have.
 *
 * @module
 */

import type { OptionHints } from "../base/option_names.ts";
import { type Remedies, useRemedies } from "../base/remedies.ts";
import { refuseForeignNames } from "../base/unknown_names.ts";
import { PAYLOAD_REMEDIES } from "../protocol/payload_remedies.ts";
import { CONNECTION_MEMBERS, CONNECTION_NAMES } from "./option_hints.ts";

const TIME_LIMIT = 'use "signal: AbortSignal.timeout(5000)"';

/** Hints by the owner of options. */
const HINTS: Readonly<Record<string, OptionHints>> = {
  "receive": { timeout: TIME_LIMIT, timeoutms: TIME_LIMIT, deadline: TIME_LIMIT, abort: 'use "signal"' },
  'The setting "options"': {
    autopong: 'use "manualPong" to answer no ping',
    autoclose: 'use "manualClose" to answer no close frame',
  },
};

const CONNECTION_REMEDIES: Remedies = {
  ...PAYLOAD_REMEDIES,
  forOption: (owner, name) => HINTS[owner]?.[name.toLowerCase()],
  exampleOf(owner, value) {
    if (owner !== "receive") return undefined;
    return value instanceof AbortSignal ? "{ signal }" : "{ signal: AbortSignal.timeout(5000) }";
  },
};

/**
 * Installs them, and refuses names of other libraries.
 *
 * @param prototype The prototype of connections.
 */
export function useConnectionRemedies(prototype: object): void {
  useRemedies(CONNECTION_REMEDIES);
  refuseForeignNames(prototype, "WebSocketConnection", CONNECTION_NAMES, CONNECTION_MEMBERS);
}
