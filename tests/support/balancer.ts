/** A TCP load balancer for tests: each connection goes to the next server that takes it, bytes pass as they are. */

import { createServer, type Server, Socket } from "node:net";

/** Balances a port of loopback. */
export class Balancer {
  readonly port: number;
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as { port: number }).port;
  }

  /** Listens before so many ports of loopback. */
  static listen(ports: readonly number[]): Promise<Balancer> {
    const sockets = new Set<Socket>();
    let next = 0;
    const track = (socket: Socket): void => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    };
    const server = createServer({ allowHalfOpen: true }, (client) => {
      track(client);
      client.on("error", () => {});
      client.pause();
      const attempt = (left: number): void => {
        if (left === 0) return void client.destroy();
        const upstream = new Socket({ allowHalfOpen: true });
        track(upstream);
        let connected = false;
        upstream.on("error", () => connected || attempt(left - 1));
        upstream.connect(ports[next++ % ports.length]!, "127.0.0.1", () => {
          connected = true;
          client.on("close", () => upstream.destroy());
          upstream.on("close", () => client.destroy());
          client.pipe(upstream);
          upstream.pipe(client);
        });
      };
      attempt(ports.length);
    });
    return new Promise((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(new Balancer(server, sockets)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}
