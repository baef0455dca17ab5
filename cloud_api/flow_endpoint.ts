/**
 * The data exchange endpoint of WhatsApp Flows: a handler for plain HTTP that checks, decrypts and answers requests.
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import { concatAll } from "../base/bytes.ts";
import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { assertHandlers, OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertSecrets, listOf } from "../base/secrets.ts";
import {
  assertKeyText,
  type DecryptedFlowRequest,
  decryptWith,
  encryptFlowResponse,
  type FlowRequest,
  loadFlowKey,
} from "./flow_crypto.ts";
import { FlowEndpointError } from "./flow_endpoint_error.ts";
import type { JsonObject } from "./json.ts";
import { isSignature, verifySignature } from "./signature.ts";

/** The next screen of a flow, for each screen by name. */
export type FlowScreen<Screens extends object = Record<string, JsonObject>> = {
  [Name in keyof Screens & string]: {
    /** The name of the screen. */
    screen: Name;
    /** Values that the screen shows. */
    data: Screens[Name];
    /** Text that is shown as an error for a moment: the input was not good. */
    errorMessage?: string | undefined;
  };
}[keyof Screens & string];

/**
 * Answer to a request of a flow:
 *
 * - `{ screen, data }`: the next screen, or the same again, with `errorMessage` if its input was not good.
 * - `{ complete }`: the flow ends, and its message in the chat has these values; `flow_token` is added.
 * - `{ invalidToken }`: the flow token is not valid any more (427). The user sees the text, and cannot open the flow
 *   again.
 */
export type FlowAnswer<Screens extends object = Record<string, JsonObject>> =
  | FlowScreen<Screens>
  | { complete: JsonObject }
  | { invalidToken: string };

/** Options of {@linkcode flowEndpoint}. */
export interface FlowEndpointOptions<Screens extends object = Record<string, JsonObject>> {
  /** PEM text of the RSA private key; Meta has its public half: `api.flows.setPublicKey`. */
  privateKey: string;
  /** Pass phrase of the private key, if it is encrypted. */
  passphrase?: string | undefined;
  /**
   * Secret of the app that the flow is connected to, or several, as while one is replaced. Requests without a valid
   * signature get 432 before anything is decrypted. `null` waives the check.
   */
  appSecret: string | readonly string[] | null;
  /**
   * Called for the next screen. WhatsApp waits 10 seconds. An error is answered with 500, and goes to `onError` of the
   * server.
   */
  onRequest: (request: FlowRequest) => FlowAnswer<Screens> | Promise<FlowAnswer<Screens>>;
  /** Called when a client could not use an answer; `request.error` says why. It is acknowledged without it, too. */
  onErrorNotification?: ((request: FlowRequest) => void) | undefined;
  /** Called for each refused request: a wrong signature, or one that cannot be decrypted. */
  onRefused?: ((error: FlowEndpointError) => void) | undefined;
  /**
   * The path of the endpoint, such as "/flow"; other requests are left to the program. Without it each POST is taken,
   * as fits a route.
   */
  pathName?: string | undefined;
  /**
   * Largest request, in bytes; larger ones get 413. 0: no limit.
   * @default {1048576}
   */
  maxBodySize?: number | undefined;
}

const NAMES: OptionTable<FlowEndpointOptions> = {
  privateKey: true,
  passphrase: true,
  appSecret: true,
  onRequest: true,
  onErrorNotification: true,
  onRefused: true,
  pathName: true,
  maxBodySize: true,
};
const OPTIONS = /* @__PURE__ */ new OptionNames("flowEndpoint", {
  tables: [NAMES],
  hints: { path: 'use "pathName"', secret: 'use "appSecret"', key: 'use "privateKey"', password: 'use "passphrase"' },
  example: () => "{ privateKey, appSecret, onRequest }",
});

const ACTIVE = { data: { status: "active" } };
const ACKNOWLEDGED = { data: { acknowledged: true } };

/**
 * Makes the endpoint of flows: a handler for `onCommandGet` of a server, or of a route, on the port of the webhook. It
 * checks the signature, decrypts, answers health checks and error notifications by itself, and encrypts your answers.
 *
 * On a `WhatsAppServer` set its `pathName`: without one it takes each POST for a notification.
 *
 * @typeParam Screens Data of each screen by its name, so that answers are checked by the compiler.
 * @param options Keys, the handler of requests, and limits.
 * @returns The handler. Its result is a promise for a POST to `pathName`, and `undefined` for other requests.
 * @throws {OptionError} If an option is unknown, missing, or of another kind.
 *
 * @example A flow with two screens
 * ```ts
 * import { flowEndpoint, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * interface Screens {
 *   DATES: { dates: string[] };
 *   SUMMARY: { text: string };
 * }
 *
 * export function serve(privateKey: string, appSecret: string): WhatsAppServer {
 *   return new WhatsAppServer({
 *     port: 8080,
 *     behindProxy: true,
 *     pathName: "/whatsapp",
 *     appSecret,
 *     receiverToken: "given to receivers",
 *     journal: "notifications.db",
 *     onCommandGet: flowEndpoint<Screens>({
 *       pathName: "/flow",
 *       privateKey,
 *       appSecret,
 *       onRequest({ action, screen, data }) {
 *         if (action === "INIT") return { screen: "DATES", data: { dates: ["2026-12-01", "2026-12-02"] } };
 *         if (screen === "DATES") return { screen: "SUMMARY", data: { text: `On ${data.date}` } };
 *         return { complete: { date: data.date } };
 *       },
 *     }),
 *   });
 * }
 * ```
 */
export function flowEndpoint<Screens extends object = Record<string, JsonObject>>(
  options: FlowEndpointOptions<Screens>,
): (request: Request) => Promise<Response> | undefined {
  assertOptions(options);
  const endpoint = new Endpoint(options);
  const handler = (request: Request): Promise<Response> | undefined => {
    if (request.method !== "POST") return undefined;
    if (options.pathName !== undefined && new URL(request.url).pathname !== options.pathName) return undefined;
    return endpoint.answer(request);
  };
  paths.set(handler, options.pathName);
  return handler;
}

/** Paths of endpoints, by their handlers. */
const paths = /* @__PURE__ */ new WeakMap<object, string | undefined>();

/**
 * Checks that requests of flows come to their endpoint: the webhook takes each POST to its path before.
 *
 * @param handler Handler of plain requests of a server; only one that {@linkcode flowEndpoint} made is checked.
 * @param webhookPaths Paths of the webhook; "": any path.
 * @throws {OptionError} If the webhook would take the requests for notifications.
 */
export function assertReachable(handler: unknown, webhookPaths: readonly string[]): void {
  if (typeof handler !== "function" || !paths.has(handler)) return;
  const path = paths.get(handler);
  const fault = "takes the requests for flowEndpoint for notifications";
  if (webhookPaths.includes("")) {
    throw new OptionError(`Cannot start: without "pathName" the server ${fault}; set it, such as to "/whatsapp"`);
  }
  if (path !== undefined && webhookPaths.includes(path)) {
    throw new OptionError(`Cannot start: the server ${fault}: both have the path ${quote(path)}`);
  }
}

function assertOptions<Screens extends object>(options: FlowEndpointOptions<Screens>): void {
  OPTIONS.assert(options);
  assertHandlers(options, { onRequest: true, onErrorNotification: true, onRefused: true });
  const { privateKey, passphrase, appSecret, onRequest, pathName, maxBodySize = 0 } = options;
  assertKeyText(privateKey);
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new OptionError(`The option "passphrase" is of type ${typeof passphrase} instead of a text`);
  }
  if (typeof onRequest !== "function") {
    throw new OptionError('flowEndpoint has no "onRequest": give a function that returns { screen, data }');
  }
  if (appSecret !== null) assertSecrets("appSecret", appSecret);
  if (pathName !== undefined && (typeof pathName !== "string" || !pathName.startsWith("/"))) {
    const shown = typeof pathName === "string" ? quote(pathName) : showValue(pathName);
    throw new OptionError(`The option "pathName" is ${shown}: give a path such as "/flow"`);
  }
  if (typeof maxBodySize === "number" && maxBodySize >= 0) return;
  throw new OptionError(`The option "maxBodySize" is ${showValue(maxBodySize)} instead of a number of bytes`);
}

/** Options of an endpoint, for whatever screens. */
interface EndpointOptions extends Omit<FlowEndpointOptions, "onRequest"> {
  onRequest: (request: FlowRequest) => unknown;
}

/** The endpoint behind {@linkcode flowEndpoint}. */
class Endpoint {
  readonly #options: EndpointOptions;
  /** Read with the first request, once. */
  #privateKey: Promise<KeyObject> | undefined;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  async answer(httpRequest: Request): Promise<Response> {
    try {
      const { request, key } = await this.#decrypt(await this.#readSigned(httpRequest));
      const response = await this.#respond(request);
      if (response instanceof Response) return response;
      return new Response(encryptFlowResponse(response, key), { headers: { "content-type": "text/plain" } });
    } catch (error) {
      if (!(error instanceof FlowEndpointError)) throw error;
      this.#options.onRefused?.(error);
      return new Response(null, { status: error.status });
    }
  }

  /** Reads a body, once its signature has the right form, and checks the signature. */
  async #readSigned({ headers, body }: Request): Promise<Uint8Array> {
    const { appSecret, maxBodySize = 1_048_576 } = this.#options;
    const signature = headers.get("x-hub-signature-256") ?? "";
    if (appSecret !== null && !isSignature(signature)) {
      throw new FlowEndpointError("ERR_FLOW_SIGNATURE", 'The request of the flow has no valid "X-Hub-Signature-256"');
    }
    const bytes = await readBody(body, maxBodySize === 0 ? Infinity : maxBodySize);
    if (appSecret === null || verifySignature(bytes, signature, listOf(appSecret))) return bytes;
    throw new FlowEndpointError("ERR_FLOW_SIGNATURE", "The signature of the flow's request is not made with appSecret");
  }

  async #decrypt(body: Uint8Array): Promise<DecryptedFlowRequest> {
    const { privateKey, passphrase } = this.#options;
    this.#privateKey ??= loadFlowKey(privateKey, passphrase);
    return decryptWith(await this.#privateKey, body);
  }

  async #respond(request: FlowRequest): Promise<Response | object> {
    if (request.action === "ping") return ACTIVE;
    if (request.error !== undefined) {
      this.#options.onErrorNotification?.(request);
      return ACKNOWLEDGED;
    }
    return responseOf(await this.#options.onRequest(request) as FlowAnswer, request);
  }
}

/** Brings an answer of the program into the form of Meta's protocol. */
function responseOf(answer: FlowAnswer, { flowToken }: FlowRequest): Response | object {
  if (typeof answer === "object" && answer !== null) {
    if ("invalidToken" in answer) return Response.json({ error_msg: answer.invalidToken }, { status: 427 });
    if ("complete" in answer) {
      const params = { flow_token: flowToken, ...answer.complete };
      return { screen: "SUCCESS", data: { extension_message_response: { params } } };
    }
    const { screen, data, errorMessage } = answer;
    if (typeof screen === "string" && typeof data === "object" && data !== null) {
      return { screen, data: errorMessage === undefined ? data : { ...data, error_message: errorMessage } };
    }
  }
  throw new OptionError(
    `onRequest of flowEndpoint returned ${
      showValue(answer)
    }: return { screen, data }, { complete } or { invalidToken }`,
  );
}

/** Reads a body of limited size. */
async function readBody(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.length;
    if (size > limit) {
      throw new FlowEndpointError("ERR_FLOW_TOO_LARGE", `The request of the flow has more than ${limit} bytes`);
    }
    pieces.push(piece);
  }
  return concatAll(pieces);
}
