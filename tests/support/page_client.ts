/**
 * A page that uses the client alone: what its bundle must not have is left out of it.
 *
 * @module
 */

export { WebSocketClient } from "../../browser.ts";
