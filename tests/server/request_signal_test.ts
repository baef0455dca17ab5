/** `request.signal` of `onCommandGet`: aborts when no client waits for the response any more, and not otherwise. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect, type Socket } from "node:net";
import { TransportError } from "../../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { readResponses, textOf } from "../support/responses.ts";
import { RawSocket } from "../support/sockets.ts";
import { decode, encode, FakeClock, until } from "../support/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** A server whose handler waits for the test, having read the signal. */
class Waiting implements AsyncDisposable {
  readonly requests: Request[] = [];
  readonly answers: PromiseWithResolvers<Response>[] = [];
  readonly errors: unknown[] = [];
  readonly server: WebSocketServer;

  private constructor(options: WebSocketServerOptions) {
    this.server = new WebSocketServer({
      hostname: "127.0.0.1",
      port: 0,
      onCommandGet: (request) => {
        assertEquals(request.signal.aborted, false);
        const answer = Promise.withResolvers<Response>();
        this.requests.push(request);
        this.answers.push(answer);
        return answer.promise;
      },
      onError: (error) => void this.errors.push(error),
      ...options,
    });
  }

  static async start(options: WebSocketServerOptions = {}): Promise<Waiting> {
    const waiting = new Waiting(options);
    await waiting.server.start();
    return waiting;
  }

  get port(): number {
    return this.server.address!.port;
  }

  async asked(count = 1): Promise<Request> {
    await until(() => this.requests.length === count, `request ${count}`);
    return this.requests[count - 1]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { resolve } of this.answers) resolve(new Response("too late"));
    await this.server.stop({ signal: AbortSignal.abort() });
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => resolve(socket));
    socket.on("error", reject);
  });
}

const aborted = (request: Request): Promise<void> => until(() => request.signal.aborted, "the abort");

describe("request.signal", () => {
  const ways: [name: string, leave: (socket: Socket) => void][] = [
    ["closes the connection", (socket) => socket.destroy()],
    ["resets it", (socket) => socket.resetAndDestroy()],
  ];
  const requests: [name: string, wire: string][] = [
    ["a GET", GET],
    ["a GET with another behind", GET + LAST],
    ["a body that the handler does not read", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nwhole one"],
    ["a part of such a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\npart"],
  ];
  for (const [way, leave] of ways) {
    for (const [name, wire] of requests) {
      it(`aborts when the client ${way} after ${name}`, async () => {
        await using waiting = await Waiting.start();
        const socket = await open(waiting.port);
        socket.write(wire);
        const request = await waiting.asked();
        leave(socket);
        await aborted(request);
        assertEquals(request.signal.aborted, true);
        socket.destroy();
      });
    }
  }

  it("aborts when the client leaves inside a streamed response, cancelled with the next write", async () => {
    let cancelled = false;
    await using waiting = await Waiting.start();
    const socket = await open(waiting.port);
    let got = "";
    socket.on("data", (bytes: Uint8Array) => got += decode(bytes));
    socket.write(GET);
    const request = await waiting.asked();
    let source!: ReadableStreamDefaultController<Uint8Array>;
    waiting.answers[0]!.resolve(
      new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => void (source = controller),
          cancel: () => void (cancelled = true),
        }),
      ),
    );
    await until(() => source !== undefined, "the stream");
    source.enqueue(encode("event"));
    await until(() => got.includes("event"), "the event");
    assertEquals(request.signal.aborted, false);
    socket.destroy();
    await aborted(request);
    assertInstanceOf(request.signal.reason, TransportError);
    await until(() => {
      if (!cancelled) source.enqueue(encode("event"));
      return cancelled;
    }, "the cancellation");
    assertEquals(waiting.errors, []);
  });

  it("aborts when stop() gives the request up", async () => {
    const clock = new FakeClock();
    await using waiting = await Waiting.start({ clock });
    const socket = await open(waiting.port);
    socket.write(GET);
    const { signal } = await waiting.asked();
    const stopped = waiting.server.stop({ closeTimeout: 1000 });
    await until(() => clock.pending > 0, "the time limit");
    assertEquals(signal.aborted, false);
    clock.advance(1000);
    await until(() => signal.aborted, "the abort");
    await stopped;
    assertEquals(clock.pending, 0);
    socket.destroy();
  });

  it("does not abort after a response that was sent whole, even if it is read then", async () => {
    await using waiting = await Waiting.start();
    const early: Request[] = [];
    waiting.server.onCommandGet = (request) => {
      early.push(request);
      const { pathname } = new URL(request.url);
      if (pathname === "/stream") return new Response(ReadableStream.from([encode("streamed")]));
      if (pathname !== "/late") assertEquals(request.signal.aborted, false);
      return new Response(request.method === "HEAD" ? null : "whole");
    };
    const socket = await RawSocket.connect(waiting.port);
    await socket.write(GET + GET.replace("/", "/stream") + GET.replace("/", "/late") + LAST);
    const answers = readResponses(encode(await socket.readText()));
    assertEquals(answers.map(textOf), ["whole", "streamed", "whole", "whole"]);
    await until(() => waiting.server.stats().connections.handshaking === 0, "the end");
    assertEquals(early.map(({ signal }) => signal.aborted), [false, false, false, false]);
  });

  it("aborts when the client sends FIN; a response of the handler is still sent", async () => {
    await using waiting = await Waiting.start();
    const socket = await RawSocket.connect(waiting.port);
    await socket.write(GET);
    const request = await waiting.asked();
    socket.end();
    await aborted(request);
    waiting.answers[0]!.resolve(new Response("still here"));
    assertStringIncludes(await socket.readText(), "\r\n\r\nstill here");
    assertEquals(waiting.errors, []);
  });

  it("is aborted already for a request behind which the client has sent FIN", async () => {
    await using waiting = await Waiting.start();
    const seen: boolean[] = [];
    waiting.server.onCommandGet = async (request) => {
      if (request.url.endsWith("/last")) seen.push(request.signal.aborted);
      else await aborted(request);
      return new Response("answer");
    };
    const socket = await RawSocket.connect(waiting.port);
    await socket.write(GET + LAST);
    socket.end();
    assertEquals(readResponses(encode(await socket.readText())).map(textOf), ["answer", "answer"]);
    assertEquals(seen, [true]);
  });

  it("reaches what is fetched meanwhile", async () => {
    await using upstream = await Waiting.start();
    await using waiting = await Waiting.start();
    const failed = Promise.withResolvers<unknown>();
    waiting.server.onCommandGet = (request) => {
      const fetched = fetch(`http://127.0.0.1:${upstream.port}/`, { signal: request.signal });
      fetched.catch(failed.resolve);
      return fetched;
    };
    const socket = await open(waiting.port);
    socket.write(GET);
    const request = await upstream.asked();
    socket.destroy();
    assert(await failed.promise !== undefined);
    await aborted(request);
  });
});
