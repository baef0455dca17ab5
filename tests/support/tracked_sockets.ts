/** WebSockets of the runtime that the clients of packages use, so that a test sees them and waits for their end. */

/** How one ended. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** The sockets of a test. */
export class TrackedSockets {
  /** All sockets, in the order in which they were made. */
  readonly sockets: WebSocket[] = [];
  readonly #ends: Promise<SocketEnd>[] = [];
  /** Class for clients, which they take as an option. */
  readonly WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;

  constructor() {
    const track = (socket: WebSocket): void => {
      this.sockets.push(socket);
      this.#ends.push(
        new Promise((resolve) =>
          // Deno gives code 0 when no close frame came (findings/deno_websocket_code_zero.sh).
          socket.addEventListener("close", ({ code, reason }) => resolve({ code: code || 1006, reason }))
        ),
      );
    };
    this.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        track(this);
      }
    };
  }

  /** The newest socket. */
  get last(): WebSocket {
    return this.sockets.at(-1)!;
  }

  /** Waits for the end of the newest socket. */
  ended(): Promise<SocketEnd> {
    return this.#ends.at(-1)!;
  }

  /** Closes those that are still open, and waits for the end of all. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.close();
    await Promise.all(this.#ends);
  }
}
