/**
 * The entry for pages: `WebSocketClient` and `WhatsAppReceiver` over the browser's own `WebSocket`. Nothing here, nor in what it
 * imports, names a runtime or `node:`. The size of a bundle is in the README.
 *
 * The classes are those of the main entry. What a browser does not offer (`ping`, headers, frames, parameters of compression)
 * throws a `StateError` with the code `ERR_UNSUPPORTED` that says so, when it is called or when `connect` meets it.
 *
 * Differences that follow from the browser's interface:
 * - It cannot be told to read more slowly. What the program does not take waits up to 1 MiB, or `maxMessageSize` if that is more, and
 *   one message; then the connection is given up with `ERR_SLOW_CONSUMER`.
 * - A message beyond `maxMessageSize` is refused when it has come. The server sees a close frame without a code.
 * - Behind `close()`, messages that are still on their way may not be delivered.
 * - Why a connection could not be made is not told. A loss that nobody notices, such as a cable that is pulled, is reported when the
 *   browser notices: let the server send pings.
 *
 * @example A receiver in a page
 * ```ts
 * import { WhatsAppReceiver } from "@tackline/websocket/browser";
 *
 * export async function show(receiverToken: string, list: { append(line: string): void }): Promise<void> {
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", { receiverToken });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     if (message.type === "text") list.append(`${message.sender.name}: ${message.text.body}`);
 *   }
 * }
 * ```
 *
 * @module
 */

export {
  CloseCode,
  HandlerError,
  HandshakeError,
  OptionError,
  ProtocolError,
  StateError,
  TransportError,
  WebSocketError,
} from "./base/errors.ts";
export type {
  HandlerErrorCode,
  HandshakeErrorCode,
  OptionErrorCode,
  ProtocolErrorCode,
  StateErrorCode,
  TransportErrorCode,
  WebSocketErrorCode,
  WebSocketErrorOptions,
} from "./base/errors.ts";
export * from "./cloud_api/parse.ts";
export * from "./whatsapp/receiver.ts";
