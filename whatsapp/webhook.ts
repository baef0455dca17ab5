/**
 * The webhook of a `WhatsAppServer`: answers Meta's verification (GET), and keeps its notifications (POST).
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { HandlerError, HttpError, JournalError } from "../base/errors.ts";
import { listOf } from "../base/secrets.ts";
import { promiseOf } from "../base/promises.ts";
import { isError } from "../base/thrown.ts";
import { isSignature } from "../cloud_api/signature.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ClientCertificateMode } from "../server/named_certificates.ts";
import type { Journal } from "../journal/journal.ts";
import type { HeaderFields } from "../protocol/head.ts";
import { textResponse } from "../protocol/http.ts";
import { decodeAscii } from "../protocol/utf8.ts";
import { callWithin } from "../server/handler_scope.ts";
import { type BodyTaker, TextReply } from "../server/text_reply.ts";
import { type FailedAttempts, isAuthentic, isOneOf, type WhatsAppApp } from "./access.ts";
import { hasCommonName } from "./distinguished_name.ts";
import { collectNotification } from "./notification_body.ts";
import { OutageReport } from "./outage_report.ts";
import {
  bodyFault,
  contentTypeFault,
  delayFault,
  LENGTH_FAULT,
  ownCertificateFault,
  type RefusalReason,
  type RefusedRequest,
  reportedCertificateFault,
  signatureFault,
  verificationFault,
} from "./refusals.ts";
import { appsOf, type RawMessageHandler, type WhatsAppDelivery, type WhatsAppSettings } from "./settings.ts";

/** Server of a {@linkcode Webhook}. */
export interface WebhookHost<Data> {
  /** Time. */
  readonly clock: Clock;
  /** Path of the server's own app. */
  readonly pathName: string;
  /** Setting of the server for certificates of clients: with one, the server checks them itself. */
  readonly clientCertificate: ClientCertificateMode;
  /** `true` if the program has set `onRawMessage`. */
  readonly asksAboutMessages: boolean;
  /** Calls `onRawMessage`. */
  askProgram: RawMessageHandler;
  /** Opens the journal, if it is not open. */
  openHub(): Promise<{ readonly journal: Journal }>;
  /** Refuses a token without comparing it, if its network was wrong too often. */
  refuseGuess(connection: WebSocketConnection<Data>): Response | undefined;
  /** Delays the answer to a wrong token. */
  delayAnswer(response: Response, connection: WebSocketConnection<Data>): Promise<Response>;
  /** Counts a refused attempt. */
  countFailure(reason: keyof FailedAttempts): void;
  /** Largest body, in bytes; 0: no limit. */
  readonly maxBodySize: number;
  /** Logs a refused request. */
  logRefusal(reason: RefusalReason, status: number, fault: string, request: RefusedRequest<Data>): void;
  /** Reports an error. */
  reportError(error: unknown, connection?: WebSocketConnection<Data>): void;
}

const SIGNATURE_HEADER = "x-hub-signature-256";
const KEPT = new TextReply(200, "OK");
const NOT_KEPT = new TextReply(503, "The notification cannot be kept", { "retry-after": "5" });
const NO_CERTIFICATE = new TextReply(403, "The client certificate is not Meta's");
const NO_JSON = new TextReply(415, "A notification is application/json");
const NO_LENGTH = new TextReply(411, "A notification has a Content-Length");
const NO_SIGNATURE = new TextReply(401, "X-Hub-Signature-256 is missing or malformed");
const WRONG_SIGNATURE = new TextReply(401, "The signature does not match the body");
/** Longest time that requests with the same notification wait for a journal that does not answer, in ms. */
const JOURNAL_PATIENCE = 30_000;

/** A notification that is being kept. */
interface Keeping {
  answer?: Promise<TextReply> | undefined;
  /** Time until which the same notification gets this answer; later it is tried anew. */
  until: number;
}

/** A call of `onRawMessage`. */
interface Asking {
  /** Goes on without the promise of the handler. */
  readonly goOn: () => void;
  /** Resolves with `goOn`. */
  readonly wentOn: Promise<undefined>;
}

/** Takes Meta's requests, and keeps notifications. */
export class Webhook<Data> {
  #host: WebhookHost<Data>;
  #settings: WhatsAppSettings;
  /** Notifications that are being kept, by their digest: a copy that comes meanwhile waits for the first. */
  #keeping = new Map<string, Keeping>();
  /** Cancels the timers of notifications that wait for `onRawMessage`. */
  #undecided = new Set<() => void>();
  /** Calls of `onRawMessage` that wait for its promise. */
  #asking = new Set<Asking>();
  /** Failed appends, of which an outage has many. */
  #outage: OutageReport | undefined;

  /**
   * Begins with nothing being kept.
   *
   * @param host The server.
   * @param settings Its settings.
   */
  constructor(host: WebhookHost<Data>, settings: WhatsAppSettings) {
    this.#host = host;
    this.#settings = settings;
  }

  /** Notes that the journal is open: from now on failures of an outage are counted. */
  journalOpened(): void {
    const end = "Notifications are kept again";
    this.#outage ??= new OutageReport(this.#host.clock, { byMessage: false, more: "got a 503", end });
  }

  /** Forgets requests: the server has stopped, and none of them waits any more. */
  stopped(): void {
    for (const cancel of this.#undecided) cancel();
    this.#undecided.clear();
    this.#keeping.clear();
  }

  /**
   * Goes on with the notification whose `onRawMessage` waits for the end of the server, which waits for its answer: it
   * is kept and forwarded.
   *
   * @param caller The handler that the running code belongs to.
   */
  stopCalledWithin(caller: object | undefined): void {
    if (this.#asking.has(caller as Asking)) (caller as Asking).goOn();
  }

  /**
   * Finds the app of a path.
   *
   * @param path The path of a request.
   * @returns The app; `undefined` if there is none.
   */
  appAt(path: string): WhatsAppApp | undefined {
    return appsOf(this.#settings, this.#host.pathName).find(({ pathName }) => pathName === "" || path === pathName);
  }

  /**
   * Takes a notification with a short body without `Request` and `Response`.
   *
   * @param path The path of the request.
   * @param fields The header fields.
   * @param connection The connection.
   * @returns The refusal, or a function that takes the body; `undefined` if no app has the path.
   */
  respondDirectly(
    path: string,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): TextReply | BodyTaker | undefined {
    const app = this.appAt(path);
    if (app === undefined) return undefined;
    const refusal = this.#refuseBeforeReading(app, (name) => fields.combined(name.toLowerCase()), path, connection);
    if (refusal !== undefined) return refusal;
    const signature = fields.combined(SIGNATURE_HEADER) ?? "";
    return (body) => this.#takeBody(app, body, signature, path, connection);
  }

  /**
   * Answers Meta.
   *
   * @param app The app.
   * @param request The request.
   * @param url Its URL.
   * @param connection The connection.
   * @returns The answer; `undefined`: the request is neither a verification nor a notification.
   */
  respond(
    app: WhatsAppApp,
    request: Request,
    url: URL,
    connection: WebSocketConnection<Data>,
  ): Promise<Response> | undefined {
    if (request.method === "POST") return this.#takeRequest(app, request, url.pathname, connection);
    if (request.method === "GET" && url.searchParams.has("hub.mode")) return this.#verify(app, url, connection);
    return undefined;
  }

  // ---- Verification --------------------------------------------------------------------------------------------

  async #verify(
    app: WhatsAppApp,
    { pathname, searchParams: query }: URL,
    connection: WebSocketConnection<Data>,
  ): Promise<Response> {
    const request = { method: "GET", path: pathname, connection };
    const refused = this.#host.refuseGuess(connection);
    if (refused !== undefined) {
      this.#host.logRefusal("failureDelay", refused.status, delayFault(this.#settings.failureDelay), request);
      return refused;
    }
    const mode = query.get("hub.mode") ?? "";
    const tokens = listOf(app.verifyToken);
    if (!isOneOf(query.get("hub.verify_token") ?? "", tokens) || mode !== "subscribe") {
      this.#host.countFailure("verifyToken");
      this.#host.logRefusal("verifyToken", 403, verificationFault(mode, tokens.length > 0), request);
      return await this.#host.delayAnswer(textResponse(403, "The verify token is wrong"), connection);
    }
    // Never as HTML: each client that knows the token can choose this text.
    return new Response(query.get("hub.challenge") ?? "", {
      headers: {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
      },
    });
  }

  // ---- Checks --------------------------------------------------------------------------------------------------

  /** Refuses a notification whose head is enough for it, before its body is read. */
  #refuseBeforeReading(
    app: WhatsAppApp,
    field: (name: string) => string | null,
    path: string,
    connection: WebSocketConnection<Data>,
  ): TextReply | undefined {
    const certificateFault = this.#certificateFault(field, connection);
    if (certificateFault !== undefined) {
      this.#host.countFailure("clientCertificate");
      return this.#refuse(NO_CERTIFICATE, "clientCertificate", certificateFault, path, connection);
    }
    const type = field("content-type");
    if ((type ?? "").split(";")[0]!.trim().toLowerCase() !== "application/json") {
      return this.#refuse(NO_JSON, "contentType", contentTypeFault(type), path, connection);
    }
    if (field("content-length") === null && field("transfer-encoding") === null) {
      return this.#refuse(NO_LENGTH, "contentLength", LENGTH_FAULT, path, connection);
    }
    const signature = field(SIGNATURE_HEADER) ?? "";
    if (app.appSecret === null || isSignature(signature)) return undefined;
    this.#host.countFailure("signature");
    return this.#refuse(NO_SIGNATURE, "signature", signatureFault(signature), path, connection);
  }

  /** Logs the refusal of a notification. */
  #refuse(
    reply: TextReply,
    reason: RefusalReason,
    fault: string,
    path: string,
    connection: WebSocketConnection<Data>,
  ): TextReply {
    this.#host.logRefusal(reason, reply.status, fault, { method: "POST", path, connection });
    return reply;
  }

  #certificateFault(
    field: (name: string) => string | null,
    { peerCertificate }: WebSocketConnection<Data>,
  ): string | undefined {
    const { clientCertificateHeader, clientCertificateForm, clientCertificateName } = this.#settings;
    if (this.#host.clientCertificate !== "none") {
      const [name, ...others] = peerCertificate?.commonNames ?? [];
      const isRight = name === clientCertificateName && others.length === 0;
      return isRight ? undefined : ownCertificateFault(clientCertificateName, peerCertificate?.commonNames);
    }
    if (clientCertificateHeader === "") return undefined;
    const subject = field(clientCertificateHeader);
    const isRight = hasCommonName(subject ?? "", clientCertificateForm, clientCertificateName);
    return isRight ? undefined : reportedCertificateFault(this.#settings, subject);
  }

  async #takeRequest(
    app: WhatsAppApp,
    request: Request,
    path: string,
    connection: WebSocketConnection<Data>,
  ): Promise<Response> {
    const { headers } = request;
    const refusal = this.#refuseBeforeReading(app, (name) => headers.get(name), path, connection);
    if (refusal !== undefined) return refusal.toResponse();
    const signature = headers.get(SIGNATURE_HEADER) ?? "";
    const secrets = app.appSecret === null ? null : listOf(app.appSecret);
    const { bytes, authentic, digest } = await collectNotification(
      request.body,
      signature,
      secrets,
      this.#digestPrefix(app),
    ).catch((error) => {
      if (isError(error, HttpError)) {
        const fault = bodyFault(error, this.#host.maxBodySize);
        this.#host.logRefusal("body", error.status, fault, { method: "POST", path, connection });
      }
      throw error;
    });
    return (await this.#takeCollected(app, bytes, authentic, signature, path, connection, digest)).toResponse();
  }

  /** @param body The bytes, valid during the call only. */
  #takeBody(
    app: WhatsAppApp,
    body: Uint8Array,
    signature: string,
    path: string,
    connection: WebSocketConnection<Data>,
  ): TextReply | Promise<TextReply> {
    const authentic = isAuthentic(app, body, signature);
    // A forged body is not copied.
    const bytes = authentic ? body.slice() : body as Uint8Array<ArrayBuffer>;
    return this.#takeCollected(app, bytes, authentic, signature, path, connection);
  }

  /** @param digest Its digest, if it is known already. */
  #takeCollected(
    app: WhatsAppApp,
    bytes: Uint8Array<ArrayBuffer>,
    authentic: boolean,
    signature: string,
    path: string,
    connection: WebSocketConnection<Data>,
    digest?: Uint8Array,
  ): TextReply | Promise<TextReply> {
    if (!authentic) {
      this.#host.countFailure("signature");
      return this.#refuse(WRONG_SIGNATURE, "signature", signatureFault(signature), path, connection);
    }
    const delivery: WhatsAppDelivery = {
      bytes,
      signature,
      verified: app.appSecret !== null,
      receivedAt: new Date(),
      remoteAddress: connection.remoteAddress.hostname,
    };
    return this.#keepOnce(delivery, connection, digest ?? this.#digestOf(app, bytes));
  }

  /** Digest of a notification; the same notification for another app has another digest. */
  #digestOf(app: WhatsAppApp, bytes: Uint8Array): Uint8Array {
    const hash = createHash("sha256");
    const prefix = this.#digestPrefix(app);
    if (prefix !== "") hash.update(prefix);
    return new Uint8Array(hash.update(bytes).digest());
  }

  #digestPrefix(app: WhatsAppApp): string {
    return this.#settings.apps.includes(app) ? `${app.pathName}\n` : "";
  }

  // ---- Journal -------------------------------------------------------------------------------------------------

  /** Keeps a notification once, though it comes twice at the same time; both requests get the same answer. */
  #keepOnce(
    delivery: WhatsAppDelivery,
    connection: WebSocketConnection<Data>,
    digest: Uint8Array,
  ): Promise<TextReply> {
    const key = decodeAscii(digest, 0, digest.length);
    const now = this.#host.clock.now();
    const first = this.#keeping.get(key);
    if (first?.answer !== undefined && now < first.until) return first.answer;
    const keeping: Keeping = { until: now + JOURNAL_PATIENCE };
    this.#keeping.set(key, keeping);
    return keeping.answer = this.#keep(delivery, digest, key, keeping, connection);
  }

  async #keep(
    delivery: WhatsAppDelivery,
    digest: Uint8Array,
    key: string,
    keeping: Keeping,
    connection: WebSocketConnection<Data>,
  ): Promise<TextReply> {
    try {
      const { journal } = await this.#host.openHub();
      let forward = true;
      if (this.#host.asksAboutMessages) {
        // The program is not asked about a retry; without a handler, append detects the retry.
        if (await journal.has(digest)) return KEPT;
        // The handler has a time limit of its own, if the program wants one.
        keeping.until = Infinity;
        forward = !await this.#vetoes(delivery, connection);
        keeping.until = this.#host.clock.now() + JOURNAL_PATIENCE;
      }
      const { bytes, signature, receivedAt } = delivery;
      // Meta tries again for 7 days.
      await journal.append({ bytes, signature, receivedAt, digest, forward });
      const report = this.#outage?.succeeded();
      if (report !== undefined) this.#host.reportError(report);
      return KEPT;
    } catch (error) {
      if (!isError(error, JournalError)) throw error;
      const report = this.#outage === undefined ? error : this.#outage.failed(error);
      if (report !== undefined) this.#host.reportError(report, connection);
      return NOT_KEPT;
    } finally {
      if (this.#keeping.get(key) === keeping) this.#keeping.delete(key);
    }
  }

  /** Asks the program. Neither its error nor a promise that never settles loses the notification. */
  #vetoes(delivery: WhatsAppDelivery, connection: WebSocketConnection<Data>): boolean | Promise<boolean> {
    const { promise: wentOn, resolve } = Promise.withResolvers<undefined>();
    const asking: Asking = { goOn: () => resolve(undefined), wentOn };
    this.#asking.add(asking);
    try {
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(delivery.bytes);
      const answer: unknown = callWithin(asking, () => this.#host.askProgram(text, delivery));
      const promise = promiseOf(answer);
      if (promise !== undefined) return this.#waitForVeto(promise, asking, connection);
      this.#asking.delete(asking);
      return answer === false;
    } catch (error) {
      this.#asking.delete(asking);
      this.#host.reportError(new HandlerError("onRawMessage", error), connection);
      return false;
    }
  }

  async #waitForVeto(
    answer: Promise<unknown>,
    asking: Asking,
    connection: WebSocketConnection<Data>,
  ): Promise<boolean> {
    const limit = this.#settings.rawMessageTimeout;
    const cancel = limit === 0 ? () => {} : this.#host.clock.after(limit, () => {
      const cause = new Error(`no answer after ${limit} ms; the notification is kept and forwarded`);
      this.#host.reportError(new HandlerError("onRawMessage", cause, "ERR_HANDLER_TIMEOUT"), connection);
      asking.goOn();
    });
    this.#undecided.add(cancel);
    // An error of the promise is reported even after the time limit.
    const decided = answer.catch((error) =>
      this.#host.reportError(new HandlerError("onRawMessage", error), connection)
    );
    const result = await Promise.race([decided, asking.wentOn]);
    cancel();
    this.#undecided.delete(cancel);
    this.#asking.delete(asking);
    return result === false;
  }
}
