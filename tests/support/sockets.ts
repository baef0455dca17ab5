/**
 * Bare TCP for tests, on `node:net`: peers that send and see exact bytes, on every runtime.
 */

import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server, Socket } from "node:net";
import { encode } from "./support.ts";

/** One bare TCP connection. */
export class RawSocket {
  #socket: Socket;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};
  #closed: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => {
      this.#chunks.push(new Uint8Array(bytes));
      this.#wake();
    });
    socket.on("error", (error) => this.#error = error);
    socket.on("end", () => this.#end());
    this.#closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.#end();
        resolve();
      })
    );
  }

  /** Connects to a port of loopback, from 127.0.0.1 or from another of its addresses, such as 127.0.0.2. */
  static connect(port: number, localAddress?: string): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = new Socket();
      socket.once("error", reject);
      socket.connect({ port, host: "127.0.0.1", ...localAddress !== undefined && { localAddress } }, () => {
        socket.off("error", reject);
        resolve(new RawSocket(socket));
      });
    });
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? encode(data) : data;
    return new Promise((resolve, reject) =>
      this.#socket.write(bytes, (error?: Error | null) => error ? reject(error) : resolve())
    );
  }

  /** The next bytes as they come; `null` at the end. Rejects if the connection broke. */
  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#chunks.length > 0) return this.#chunks.shift()!;
    if (this.#error !== undefined) throw this.#error;
    return null;
  }

  /** All text until the end. */
  async readText(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    for (let bytes = await this.read(); bytes !== null; bytes = await this.read()) {
      text += decoder.decode(bytes, { stream: true });
    }
    await this.close();
    return text;
  }

  /** Ends the connection with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  /** The next bytes, of a socket that reads no more than it must. */
  async readSome(): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#socket.resume();
    const bytes = await this.read();
    this.#socket.pause();
    return bytes;
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.end();
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return this.#closed;
  }
}

/**
 * Has a server answer a whole request on a connection of its own. The server has read by then what other connections
 * sent before.
 */
export async function roundTrip(port: number): Promise<void> {
  const socket = await RawSocket.connect(port);
  await socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const answer = await socket.readText();
  if (!answer.startsWith("HTTP/1.1 ")) throw new Error(`no answer: ${answer}`);
}

/** A port of loopback whose connections the test takes. */
export class RawListener {
  #server: Server;
  #accepted: RawSocket[] = [];
  #wake: () => void = () => {};

  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      // At once: nothing of it may be missed.
      this.#accepted.push(new RawSocket(socket));
      this.#wake();
    });
  }

  static listen(): Promise<RawListener> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(new RawListener(server))));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async accept(): Promise<RawSocket> {
    while (this.#accepted.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#accepted.shift()!;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/**
 * IPv4 sockets of TCP that programs hold, by their ports; `undefined` where the system does not tell. Such as were
 * closed and still have bytes to send belong to the system alone, and are not among them.
 */
export function heldSockets(): { localPort: number; remotePort: number }[] | undefined {
  const file = "/proc/self/net/tcp";
  if (!existsSync(file)) return undefined;
  const held = [];
  for (const line of readFileSync(file, "utf8").trim().split("\n").slice(1)) {
    const [, local, remote, , , , , , , inode] = line.trim().split(" ").filter((field) => field !== "");
    const portOf = (address: string): number => parseInt(address.split(":")[1]!, 16);
    if (inode !== "0") held.push({ localPort: portOf(local!), remotePort: portOf(remote!) });
  }
  return held;
}
