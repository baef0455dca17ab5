/** The Graph API over a bare socket, for faults in the middle of a head or a body, and for sockets that stay open. */

import { type AddressInfo, createServer, type Socket } from "node:net";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import type { WhatsAppApiOptions } from "../../cloud_api/api_settings.ts";

/** A connection whose request head has come. */
export interface RawCall {
  socket: Socket;
  /** Request line and header fields. */
  head: string;
}

/** Answers heads as the test says; counts sockets and bytes. */
export class RawGraph implements AsyncDisposable {
  /** Number of bytes that came. */
  received = 0;
  /** Requests whose head has come. */
  readonly calls: RawCall[] = [];
  /** Called once for each head. */
  onHead: (call: RawCall) => void = () => {};
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#take(socket));

  /** Listens on loopback. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  /** Number of connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** URL of the API, for `baseUrl`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Makes a client of this API. */
  api(options: Partial<WhatsAppApiOptions> = {}): WhatsAppApi {
    return new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065", baseUrl: this.url, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {}); // the client has given up
    let head = "";
    let isHead = true;
    socket.on("data", (bytes) => {
      this.received += bytes.length;
      if (!isHead) return;
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      isHead = false;
      const call = { socket, head: head.slice(0, end) };
      this.calls.push(call);
      this.onHead(call);
    });
  }
}

/** Makes the head of an answer. */
export function rawHead(status: number, fields: Record<string, string | number> = {}): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Made up\r\n${lines.join("")}\r\n`;
}
