/**
 * A server in memory, which clients reach attempt by attempt as over a network, and a clock that the test moves.
 *
 * @module
 */

import { extendClient, type WebSocketClient } from "../../client/client.ts";
import { socketConnector } from "../../client/socket_connector.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { FakeClock, pipe } from "./support.ts";

/** A server, and the way to it. */
export class MemoryNetwork {
  readonly clock: FakeClock = new FakeClock();
  readonly server: WebSocketServer;
  /** Sockets that the server holds, their handshakes included. */
  sockets = 0;
  /** Attempts so far. */
  attempts = 0;

  constructor(options: WebSocketServerOptions = {}) {
    this.server = new WebSocketServer({ clock: new FakeClock(), onError: () => {}, ...options });
  }

  /** Makes all attempts of a client lead to the server. */
  lead<Client extends WebSocketClient>(client: Client): Client {
    extendClient(client, {
      connector: {
        ...socketConnector,
        connect: (plan, program) => {
          const [ours, theirs] = pipe();
          this.attempts++;
          this.sockets++;
          this.server.acceptStream(theirs).closed.then(() => this.sockets--);
          return socketConnector.connect({ ...plan, stream: ours }, program);
        },
      },
    });
    return client;
  }
}
