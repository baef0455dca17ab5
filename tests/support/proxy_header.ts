/** Headers of the PROXY protocol, and a proxy that sends them. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { parseAddress } from "../../base/address_ranges.ts";
import { concat } from "../../base/bytes.ts";
import { encode } from "./support.ts";

/** Parts of a header of version 2. */
export interface HeaderParts {
  /** Version and command; 0x21 is PROXY. */
  command?: number;
  /** Family and transport; by default that of the address. */
  family?: number;
  /** Address of the client. */
  source?: string;
  /** Port of the client. */
  port?: number;
  /** Bytes behind the addresses. */
  more?: Uint8Array;
}

/** Makes a header of version 2. */
export function headerV2(
  { command = 0x21, family, source, port = 1, more = new Uint8Array(0) }: HeaderParts,
): Uint8Array<ArrayBuffer> {
  const address = source === undefined ? new Uint8Array(0) : parseAddress(source)!;
  const ports = Uint8Array.of(port >> 8, port & 0xff, 0x01, 0xbb);
  const ends = source === undefined ? new Uint8Array(0) : concat(address, address, ports);
  const size = ends.length + more.length;
  const kind = family ?? (address.length === 16 ? 0x21 : address.length === 4 ? 0x11 : 0x00);
  const fixed = Uint8Array.of(command, kind, size >> 8, size & 0xff);
  return concat(encode("\r\n\r\n\0\r\nQUIT\n"), fixed, ends, more);
}

/** Makes a header of version 1. */
export function headerV1(source: string, port: number): Uint8Array<ArrayBuffer> {
  const [family, target] = source.includes(":") ? ["TCP6", "2001:db8::ff"] : ["TCP4", "198.51.100.255"];
  return encode(`PROXY ${family} ${source} ${target} ${port} 443\r\n`);
}

/** Passes connections on, as a proxy for TCP does, each with a header in front. */
export class HeaderProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on loopback, and passes on to a port or a Unix socket, with the first bytes of the client or before. */
  static listen(to: number | string, header: Uint8Array): Promise<HeaderProxy> {
    const place = typeof to === "string" ? { path: to } : { port: to, host: "127.0.0.1" };
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const target = connect({ ...place, allowHalfOpen: true });
      target.write(header);
      for (const socket of [client, target]) {
        proxy.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          proxy.#sockets.delete(socket);
          client.destroy();
          target.destroy();
        });
      }
      client.pipe(target).pipe(client);
    });
    const proxy = new HeaderProxy(server);
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(proxy)));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
