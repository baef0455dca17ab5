/**
 * Tells `stop()` that it is called within a handler for whose answer it would wait: it does not wait for itself.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

const scope = new AsyncLocalStorage<object>();

/**
 * Calls a handler for whose answer the library waits.
 *
 * @param waiting Stands for what waits: a connection before its handshake, or the start of a server.
 * @param call Calls the handler.
 * @returns The result of the handler.
 */
export function callWithin<Result>(waiting: object, call: () => Result): Result {
  return scope.run(waiting, call);
}

/**
 * Finds the call that the running code belongs to, whatever it has awaited since.
 *
 * @returns What waits for the handler; `undefined` outside of such a handler.
 */
export function waitingCaller(): object | undefined {
  return scope.getStore();
}
