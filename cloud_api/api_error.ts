/**
 * The error of a call of the Graph API.
 *
 * @module
 */

import { WebSocketError, type WebSocketErrorOptions, type WhatsAppApiErrorCode } from "../base/errors.ts";
import { isTransient } from "./retry.ts";

/** Error that Meta reports for a refused call. */
export interface GraphError {
  /**
   * Meta's error code, such as 131047 (more than 24 hours since the customer wrote) or 190 (the access token has
   * expired).
   */
  readonly code: number;
  /** A closer code, if there is one. */
  readonly subcode?: number | undefined;
  /** The class of the error, such as `OAuthException`. */
  readonly type?: string | undefined;
  /** Description. */
  readonly message?: string | undefined;
  /** Details. */
  readonly details?: string | undefined;
  /** Heading for people, in English: mostly for templates, flows and settings. */
  readonly userTitle?: string | undefined;
  /** Explanation for people, such as the part of a template that is not allowed. */
  readonly userMessage?: string | undefined;
  /** Id of the call, which Meta's support asks for. */
  readonly traceId?: string | undefined;
  /** `true` if Meta says that the error passes; absent if it says nothing. */
  readonly isTransient?: boolean | undefined;
}

/**
 * A call of the Graph API failed.
 *
 * Also from {@linkcode WebSocketError}: `closeCode`.
 */
export class WhatsAppApiError extends WebSocketError {
  /** The name of the class. */
  override readonly name: string = "WhatsAppApiError";
  /** Stable over versions: compare this, not the message. */
  declare readonly code: WhatsAppApiErrorCode;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Error that Meta reports, if there is one. */
  readonly graph: GraphError | undefined;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message The call that failed, and the reason.
   * @param status The HTTP status, or 0.
   * @param options The cause, and the error that Meta reports.
   */
  constructor(
    code: WhatsAppApiErrorCode,
    message: string,
    status: number,
    options: WebSocketErrorOptions & { graph?: GraphError | undefined } = {},
  ) {
    super(code, message, 1011, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.graph = options.graph;
  }

  /**
   * `true` if the same call may succeed later: the API did not answer, had a fault that passes, or had too many calls,
   * and the retries were not enough. Without an answer (`ERR_API_UNREACHABLE`) it may have done what was asked. `false`
   * for all that a program or a person must change before, such as an access token that has expired.
   */
  get isTransient(): boolean {
    if (this.code === "ERR_API_REFUSED") return isTransient(this);
    return this.code === "ERR_API_UNREACHABLE" || this.code === "ERR_API_QUEUE";
  }
}
