/**
 * A server in memory, which clients reach attempt by attempt as over a network, and a clock that the test moves.
 *
 * @module
 */

import { extendClient, type WebSocketClient } from "../../client/client.ts";
import { socketConnector } from "../../client/socket_connector.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import type { BytePair } from "../../transport/stream.ts";
import { encode, FakeClock, pipe } from "./support.ts";

/** Answer to an attempt instead of the server's: an error of the connector, or the bytes of a response. */
export type Fault = Error | string;

/** A server, and the way to it. */
export class MemoryNetwork {
  readonly clock: FakeClock = new FakeClock();
  readonly server: WebSocketServer;
  /** Sockets that the server holds, their handshakes included. */
  sockets = 0;
  /** Attempts so far. */
  attempts = 0;
  /** Faults of the next attempts, in order; then the server answers. */
  readonly faults: Fault[] = [];
  #toClient: TransformStreamDefaultController<Uint8Array> | undefined;

  constructor(options: WebSocketServerOptions = {}) {
    this.server = new WebSocketServer({ clock: new FakeClock(), onError: () => {}, ...options });
  }

  /** Makes all attempts of a client lead to the server. */
  lead<Client extends WebSocketClient>(client: Client): Client {
    extendClient(client, {
      connector: {
        ...socketConnector,
        connect: (plan, program) => {
          this.attempts++;
          const fault = this.faults.shift();
          if (fault instanceof Error) return Promise.reject(fault);
          const stream = fault === undefined ? this.#dial() : answerWith(fault);
          return socketConnector.connect({ ...plan, stream }, program);
        },
      },
    });
    return client;
  }

  #dial(): BytePair {
    const [{ readable, writable }, theirs] = pipe();
    this.sockets++;
    this.server.acceptStream(theirs).closed.then(() => this.sockets--);
    const injectable = new TransformStream<Uint8Array, Uint8Array>({
      start: (controller) => void (this.#toClient = controller),
    });
    return { readable: readable.pipeThrough(injectable), writable };
  }

  /** Sends bytes to the client that connected last, as a proxy that mixes its own in. */
  inject(bytes: Uint8Array): void {
    this.#toClient!.enqueue(bytes);
  }
}

function answerWith(response: string): BytePair {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  writer.write(encode(response)).then(() => writer.close()).catch(() => {});
  return { readable, writable: new WritableStream() };
}
