/**
 * The error of a request of a flow that is refused.
 *
 * @module
 */

import { type FlowEndpointErrorCode, WebSocketError, type WebSocketErrorOptions } from "../base/errors.ts";

/**
 * Status that Meta expects for each code. 421 lets the WhatsApp client fetch the public key again and repeat its
 * request, 432 says that the signature is wrong
 * (developers.facebook.com, WhatsApp Flows, "Error codes", "Business endpoint error codes").
 */
const STATUSES: Readonly<Record<FlowEndpointErrorCode, number>> = {
  ERR_FLOW_SIGNATURE: 432,
  ERR_FLOW_BODY: 400,
  ERR_FLOW_TOO_LARGE: 413,
  ERR_FLOW_KEY: 421,
  ERR_FLOW_DATA: 421,
  ERR_FLOW_MEDIA: 400,
};

/**
 * A request of a flow, or a file of one, is refused. Messages hold no key and nothing that was decrypted.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class FlowEndpointError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "FlowEndpointError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: FlowEndpointErrorCode;
  /** The HTTP status to answer with. */
  readonly status: number;

  /**
   * Makes an error; the status follows from the code.
   *
   * @param code The stable code.
   * @param message The fault of the request.
   * @param options The cause, if there is one.
   */
  constructor(code: FlowEndpointErrorCode, message: string, options?: WebSocketErrorOptions) {
    super(code, message, 1008, options);
    this.status = STATUSES[code];
  }
}
