/**
 * A TCP proxy that does to connections what bad networks do: it delays, splits, stalls one direction, cuts, resets. On
 * `node:net`.
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** Faults of a connection; all can be changed while it is open. */
export interface Faults {
  /** Delay of each piece, in ms. */
  delay?: number;
  /** Pieces are at most so many bytes; each goes out in a write of its own. */
  pieces?: number;
  /** The direction in which nothing goes any more: bytes wait, as on a link that is down. */
  stalled?: "up" | "down" | "both";
  /** After so many bytes of both directions the connection is cut, by FIN or by a reset. */
  cutAfter?: number;
  /** Way in which the connection is cut. */
  cutBy?: "end" | "reset" | undefined;
}

/** One connection through the proxy. */
export class FaultyLink {
  faults: Faults;
  readonly client: Socket;
  readonly server: Socket;
  #passed = 0;
  #queues = { up: [] as Uint8Array[], down: [] as Uint8Array[] };
  #moving = { up: false, down: false };
  #closed: Promise<void>;

  constructor(client: Socket, port: number, faults: Faults) {
    this.faults = faults;
    this.client = client;
    this.server = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const closed = [client, this.server].map((socket) => new Promise<void>((resolve) => socket.on("close", resolve)));
    this.#closed = Promise.all(closed).then(() => {});
    for (const socket of [client, this.server]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.cut("reset"));
    }
    client.on("data", (bytes) => this.#take("up", bytes));
    this.server.on("data", (bytes) => this.#take("down", bytes));
    client.on("end", () => this.#take("up", new Uint8Array(0)));
    this.server.on("end", () => this.#take("down", new Uint8Array(0)));
  }

  /** Ends both sides. */
  cut(by: "end" | "reset" = "end"): void {
    for (const socket of [this.client, this.server]) {
      if (by === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Lets everything pass again. */
  heal(): void {
    this.faults = {};
    this.#move("up");
    this.#move("down");
  }

  /** Pieces that wait because their direction is stalled or slow. */
  get held(): number {
    return this.#queues.up.length + this.#queues.down.length;
  }

  get closed(): Promise<void> {
    return this.#closed;
  }

  /** An empty piece stands for FIN. */
  #take(direction: "up" | "down", bytes: Uint8Array): void {
    const size = Math.max(1, this.faults.pieces ?? bytes.length);
    if (bytes.length === 0) this.#queues[direction].push(bytes);
    for (let at = 0; at < bytes.length; at += size) this.#queues[direction].push(bytes.slice(at, at + size));
    this.#move(direction);
  }

  async #move(direction: "up" | "down"): Promise<void> {
    if (this.#moving[direction]) return;
    this.#moving[direction] = true;
    const queue = this.#queues[direction];
    const [from, to] = direction === "up" ? [this.client, this.server] : [this.server, this.client];
    while (queue.length > 0 && !to.destroyed) {
      const { delay = 0, stalled, cutAfter = Infinity, cutBy } = this.faults;
      if (stalled === "both" || stalled === direction) break;
      // Real time: it plays the way of the bytes, which no clock of the program controls.
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      const bytes = queue.shift()!;
      this.#passed += bytes.length;
      if (bytes.length === 0) to.end();
      else if (!to.write(bytes)) {
        from.pause();
        await new Promise<void>((resolve) => {
          to.once("drain", resolve);
          to.once("close", resolve);
        });
        from.resume();
      }
      if (this.#passed >= cutAfter) {
        this.cut(cutBy);
        break;
      }
    }
    // Like a link that is down: what comes fills the buffers on the way, and no more.
    if (queue.length > 64) from.pause();
    else if (!to.destroyed) from.resume();
    this.#moving[direction] = false;
  }
}

/** The proxy: each connection gets the faults that are set when it comes. */
export class FaultProxy {
  readonly links: Set<FaultyLink> = new Set();
  faults: () => Faults = () => ({});
  #server: Server;
  #onLink: (link: FaultyLink) => void = () => {};

  constructor(server: Server, target: number) {
    this.#server = server;
    server.on("connection", (socket) => {
      const link = new FaultyLink(socket, target, this.faults());
      this.links.add(link);
      link.closed.then(() => this.links.delete(link));
      this.#onLink(link);
    });
  }

  static listen(target: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(new FaultProxy(server, target))));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The next connection. */
  next(): Promise<FaultyLink> {
    return new Promise((resolve) => this.#onLink = resolve);
  }

  async close(): Promise<void> {
    const links = [...this.links];
    for (const link of links) link.cut();
    await Promise.all(links.map(({ closed }) => closed));
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
