/**
 * The address of a service that fails over, as clouds have it: a port of loopback that leads to the present primary.
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** A port that leads to one server, then to another. What is connected stays where it is, until it is cut. */
export class ServiceAddress implements AsyncDisposable {
  target: number;
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    server.on("connection", (client) => {
      // Port 0: no server answers.
      if (this.target === 0) client.destroy();
      else this.#join(client, connect(this.target, "127.0.0.1"));
    });
  }

  static listen(target: number): Promise<ServiceAddress> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(new ServiceAddress(server, target))));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  #join(client: Socket, redis: Socket): void {
    for (const [socket, other] of [[client, redis], [redis, client]]) {
      this.#sockets.add(socket!);
      socket!.on("error", () => {});
      socket!.on("close", () => {
        this.#sockets.delete(socket!);
        other!.destroy();
      });
      socket!.pipe(other!);
    }
  }

  /** Nothing goes any more over what is connected, in either direction. */
  stall(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Leads elsewhere from now on, and ends what is connected. */
  lead(target: number): void {
    this.target = target;
    this.cut();
  }

  /** Ends what is connected. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.lead(0);
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
