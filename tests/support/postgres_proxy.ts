/**
 * A proxy between clients and a PostgreSQL server that sees where each message of the protocol ends, and cuts a
 * connection at the place that a test names: when a client has sent its n-th request, or before the answer to it.
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** One message of a client, as the proxy saw it. */
export interface SeenMessage {
  /** Number of the connection, from 0. */
  readonly connection: number;
  /** Type: `Q`, `P`, `B`, `E`, `S` and so on; "start" for the first one of a connection. */
  readonly type: string;
  /** Text of the statement, for `Q` and `P`; else "". */
  readonly text: string;
}

/** Place of a cut: the message does not reach the server, or the server takes it and its answer does not come back. */
export type CutPlace = "before" | "after";

/** Decision about a message. */
export type Decide = (message: SeenMessage, count: number) => CutPlace | undefined;

const SSL_REQUEST = 80877103;

/** Cuts a stream of bytes into messages. */
class MessageReader {
  #rest = new Uint8Array(0);
  /** `false`: the next message has no type yet. */
  #started = false;

  /** Yields each complete message, with its type. */
  *push(bytes: Uint8Array): Generator<{ type: string; bytes: Uint8Array }> {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    this.#rest = all;
    for (;;) {
      const head = this.#started ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const length = head + new DataView(this.#rest.buffer, this.#rest.byteOffset).getUint32(head);
      if (this.#rest.length < length) return;
      const message = this.#rest.slice(0, length);
      this.#rest = this.#rest.slice(length);
      const isRequest = !this.#started && new DataView(message.buffer).getUint32(4) === SSL_REQUEST;
      const type = this.#started ? String.fromCharCode(message[0]!) : isRequest ? "ssl" : "start";
      if (!this.#started && !isRequest) this.#started = true;
      yield { type, bytes: message };
    }
  }
}

function textOf(type: string, bytes: Uint8Array): string {
  const text = (from: number): string => {
    const end = bytes.indexOf(0, from);
    return new TextDecoder().decode(bytes.subarray(from, end === -1 ? undefined : end));
  };
  if (type === "Q") return text(5);
  // The name of the statement comes first.
  return type === "P" ? text(bytes.indexOf(0, 5) + 1) : "";
}

/** The proxy. */
export class PostgresProxy implements AsyncDisposable {
  /** All messages of clients so far. */
  readonly seen: SeenMessage[] = [];
  /** Decides about each message of a client; by default all pass. */
  decide: Decide = () => undefined;
  /** Cuts so far. */
  cuts = 0;
  target: number;
  #server: Server;
  #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    server.on("connection", (client) => this.#join(client, this.#connections++));
  }

  static listen(target: number): Promise<PostgresProxy> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(new PostgresProxy(server, target))));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  #join(client: Socket, connection: number): void {
    const server = connect(this.target, "127.0.0.1");
    const reader = new MessageReader();
    // After the cut the answers of the server are read, and thrown away.
    let deaf = false;
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (!deaf) other.destroy();
      });
    }
    client.on("data", (bytes) => {
      for (const message of reader.push(bytes)) {
        if (deaf) return;
        const seen = { connection, type: message.type, text: textOf(message.type, message.bytes) };
        this.seen.push(seen);
        const cut = this.decide(seen, this.seen.length - 1);
        if (cut !== "before") server.write(message.bytes);
        if (cut === undefined) continue;
        this.cuts++;
        deaf = true;
        // Of a closed connection PostgreSQL learns when it has done what came before.
        if (cut === "before") server.destroy();
        else server.end();
        client.resetAndDestroy();
        return;
      }
    });
    server.on("data", (bytes) => void (deaf || client.destroyed || client.write(bytes)));
  }

  /** Cuts all that is open. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
