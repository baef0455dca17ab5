/**
 * Names of subprotocols (RFC 6455 §1.9).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { isToken } from "../base/token.ts";

/**
 * Checks a list of subprotocols.
 *
 * @param protocols The subprotocols.
 * @throws {OptionError} If one is no token, or named twice.
 */
export function assertProtocols(protocols: readonly string[]): void {
  if (!Array.isArray(protocols)) throw new OptionError(`The subprotocols "${protocols}" are not in an array`);
  for (const protocol of protocols) {
    if (!isToken(protocol)) throw new OptionError(`The subprotocol "${protocol}" is not a token`);
  }
  if (new Set(protocols).size < protocols.length) {
    throw new OptionError(`A subprotocol is named twice: "${protocols.join(", ")}"`);
  }
}
