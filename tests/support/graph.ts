/** The Graph API on loopback: answers as the test says, and with each fault that a real one may have. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import type { WhatsAppApiOptions } from "../../cloud_api/api_settings.ts";
import { decode } from "./support.ts";

/** A request that came. */
export interface GraphRequest {
  method: string;
  /** Path and query behind the version, such as `/1065/messages`. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** The body as it came. */
  bytes: Uint8Array;
  /** The body, if it is JSON. */
  json: unknown;
}

/** An answer: JSON, or a status with JSON, or a fault. */
export type GraphAnswer =
  | { json: unknown; status?: number; headers?: Record<string, string> }
  | { bytes: Uint8Array; status?: number; headers?: Record<string, string> }
  /** Nothing comes; a head and a piece of a body come; the connection is cut. */
  | { fault: "silence" | "stalledBody" | "cut"; status?: number };

/** An error as the Graph API sends it. */
export function refusal(status: number, code: number, more: object = {}): GraphAnswer {
  const error = { message: `(#${code}) Made up`, type: "OAuthException", code, fbtrace_id: "trace", ...more };
  return { json: { error }, status };
}

/** The fake Graph API. */
export class GraphServer implements AsyncDisposable {
  /** All requests, in order. */
  readonly requests: GraphRequest[] = [];
  /** Answers each request without an answer of its own. */
  answer: (request: GraphRequest) => GraphAnswer | Promise<GraphAnswer> = () => ({ json: { success: true } });
  /** Answers of the next requests, in order; these come first. */
  readonly next: GraphAnswer[] = [];
  readonly #server = createServer((request, response) => void this.#take(request, response));
  #arrived: (() => void)[] = [];

  /** Listens on loopback. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  /** URL of the API, for `baseUrl`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Makes a client of this API. */
  api(options: Partial<WhatsAppApiOptions> = {}): WhatsAppApi {
    return new WhatsAppApi({
      accessToken: "secret",
      phoneNumberId: "1065",
      accountId: "1022",
      baseUrl: this.url,
      ...options,
    });
  }

  /** Waits until so many requests have come. */
  async count(count: number): Promise<void> {
    while (this.requests.length < count) await new Promise<void>((resolve) => this.#arrived.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Uint8Array[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Uint8Array);
    } catch {
      return; // the client has given up
    }
    const bytes = new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    const [, , ...path] = request.url!.split("/");
    const isJson = request.headers["content-type"] === "application/json";
    const made: GraphRequest = {
      method: request.method!,
      path: `/${path.join("/")}`,
      headers: request.headers,
      bytes,
      json: isJson ? JSON.parse(decode(bytes)) : undefined,
    };
    this.requests.push(made);
    for (const resolve of this.#arrived.splice(0)) resolve();
    send(response, this.next.shift() ?? await this.answer(made));
  }
}

function send(response: ServerResponse, answer: GraphAnswer): void {
  // A client that is gone is no fault of the test.
  response.on("error", () => {});
  if (!("fault" in answer)) {
    const isJson = "json" in answer;
    response.writeHead(
      answer.status ?? 200,
      isJson ? { "content-type": "application/json", ...answer.headers } : {
        ...answer.headers,
      },
    );
    response.end(isJson ? JSON.stringify(answer.json) : answer.bytes);
  } else if (answer.fault === "cut") {
    response.destroy();
  } else if (answer.fault === "stalledBody") {
    response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
    response.write('{"data":');
  }
}

/**
 * Runs a test with a Graph API.
 *
 * @param answer Answers its requests.
 * @param action The test.
 * @param options Options of the client.
 */
export async function withGraph(
  answer: GraphServer["answer"],
  action: (api: WhatsAppApi, graph: GraphServer) => Promise<void>,
  options: Partial<WhatsAppApiOptions> = {},
): Promise<void> {
  await using graph = await new GraphServer().start();
  graph.answer = answer;
  await action(graph.api(options), graph);
}

/** One public method of a `WhatsAppApi` or of a part of it, and the call that it makes. */
export interface GraphCase {
  /** Its name: `sendText`, `templates.list`. */
  method: string;
  /** Calls it; a list is read to its end. */
  call: (api: WhatsAppApi, options: { signal?: AbortSignal | undefined }) => Promise<unknown>;
  /** The request: `POST /1065/messages`. */
  request: string;
  /** Its body, if it is JSON. */
  body?: unknown;
  /** Answer of the API, as documented, or a function that chooses it; by default `{ success: true }`. */
  answer?: unknown;
  /** Number of its requests; by default 1. */
  requests?: number;
  /** Result of the call; by default `undefined`. */
  result?: unknown;
  /** Documented errors: HTTP status and code; beside those that every call may have. */
  errors?: readonly (readonly [status: number, code: number])[];
}

/** Reads a list to its end. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
