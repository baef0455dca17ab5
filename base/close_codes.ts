/**
 * The close codes that clients themselves use, one by one: a page need not have the names of all (`CloseCode`).
 *
 * @module
 */

/** `CloseCode.NormalClosure`. */
export const NORMAL_CLOSURE = 1000;
/** `CloseCode.NoStatusReceived`. */
export const NO_STATUS_RECEIVED = 1005;
/** `CloseCode.AbnormalClosure`. */
export const ABNORMAL_CLOSURE = 1006;
/** `CloseCode.InternalError`. */
export const INTERNAL_ERROR = 1011;
