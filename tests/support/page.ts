/**
 * A client, a receiver and a socket as in a page.
 *
 * @module
 */

import { browserConnector } from "../../client/browser_connector.ts";
import { extendClient } from "../../client/client.ts";
import { WebSocketClient } from "../../client.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";

/** A client that behaves as in a page. */
export class PageClient extends WebSocketClient {
  constructor(...given: ConstructorParameters<typeof WebSocketClient>) {
    super(...given);
    extendClient(this, { connector: browserConnector });
  }
}

/** A receiver that behaves as in a page. */
export class PageReceiver extends WhatsAppReceiver {
  constructor(...given: ConstructorParameters<typeof WhatsAppReceiver>) {
    super(...given);
    extendClient(this, { connector: browserConnector });
  }
}

/** The browser's side, by hand. */
export class FakeSocket extends EventTarget {
  readyState: number = WebSocket.OPEN;
  binaryType = "blob";
  bufferedAmount = 0;
  protocol = "";
  extensions = "permessage-deflate; server_no_context_takeover; client_max_window_bits=15, x-other";
  sent: unknown[] = [];
  closes: unknown[][] = [];

  send(data: unknown): void {
    this.sent.push(data);
    // A browser counts what can never leave.
    if (this.readyState === WebSocket.CLOSED) this.bufferedAmount += String(data).length;
  }
  close(...args: unknown[]): void {
    this.closes.push(args);
    this.readyState = WebSocket.CLOSING;
  }
  receive(...contents: (string | ArrayBuffer)[]): void {
    for (const data of contents) this.dispatchEvent(new MessageEvent("message", { data }));
  }
  end(code = 1006, reason = "", wasClean: boolean = code !== 1006): void {
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason, wasClean }));
  }
}
