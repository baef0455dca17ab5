/** The HTTP server of the runtime, beside which ours is compared. */

/** A server that listens on loopback. */
export interface NativeServer extends AsyncDisposable {
  readonly port: number;
}

interface BunServe {
  serve(options: {
    port: number;
    hostname: string;
    fetch: (request: Request) => Response | Promise<Response>;
    error: () => Response;
  }): { port: number; stop(closeAll: boolean): Promise<void> };
  file(path: string): Blob;
}

/** The API of Bun, if this is Bun. */
export const bun: BunServe | undefined = (globalThis as { Bun?: BunServe }).Bun;

/** Serves with `Deno.serve` or `Bun.serve`. A handler that fails is answered with 500. */
export function serveNatively(handler: (request: Request) => Response | Promise<Response>): NativeServer {
  const failed = (): Response => new Response(null, { status: 500 });
  if (bun !== undefined) {
    const server = bun.serve({ port: 0, hostname: "127.0.0.1", fetch: handler, error: failed });
    return { port: server.port, [Symbol.asyncDispose]: () => server.stop(true) };
  }
  const abort = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: abort.signal, onListen() {}, onError: failed },
    handler,
  );
  return {
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}
