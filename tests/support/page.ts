/**
 * A client, a receiver and a socket as in a page.
 *
 * @module
 */

import { describe, it } from "@std/testing/bdd";
import { WebSocketClient as SmallClient } from "../../browser_client.ts";
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

/** The client of the entry `browser-client`, with a type that its tests can share; members may be left out. */
export const SmallPageClient = SmallClient as unknown as typeof WebSocketClient;

/** Clients of the two entries for pages. */
export const PAGE_CLIENTS: readonly (typeof WebSocketClient)[] = [PageClient, SmallPageClient];

/**
 * Describes the clients of both entries for pages.
 *
 * @param title Title of the tests.
 * @param tests Makes the tests of one class; those by its second parameter are for members that only `./browser` has.
 */
export function describePages(
  title: string,
  tests: (Client: typeof WebSocketClient, itHasAll: typeof it) => void,
): void {
  describe(`${title}, of ./browser`, () => tests(PageClient, it));
  describe(`${title}, of ./browser-client`, () => tests(SmallPageClient, (() => {}) as unknown as typeof it));
}

/**
 * Describes the clients of all entries.
 *
 * @param title Title of the tests.
 * @param tests Makes the tests of one class; those by its second parameter are for sockets only.
 */
export function describeClients(
  title: string,
  tests: (Client: typeof WebSocketClient, itOverSockets: typeof it) => void,
): void {
  describe(`${title}, over sockets`, () => tests(WebSocketClient, it));
  for (const Client of PAGE_CLIENTS) {
    const entry = Client === PageClient ? "browser" : "browser-client";
    describe(`${title}, of ./${entry}`, () => tests(Client, (() => {}) as unknown as typeof it));
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
