/**
 * An accepted connection until it is a WebSocket or has ended: reads HTTP requests, has them answered, upgrades.
 *
 * | state        | meaning                                              | next                              |
 * |--------------|------------------------------------------------------|-----------------------------------|
 * | `head`       | a request head is awaited or being read              | `deciding`, `answering`           |
 * | `deciding`   | a valid handshake waits for the program's `onAllow`  | `upgraded`, `answering`, `closed` |
 * | `answering`  | a request waits for its response, its body may come  | `head`, `lingering`               |
 * | `upgraded`   | the connection has the transport now                 |                                   |
 * | `lingering`  | all is written; what still comes is dropped until FIN| `closed`                          |
 * | `closed`     | the transport has ended                              |                                   |
 *
 * @module
 */

import type { AcceptHost, AllowDecision } from "./accept_host.ts";
import type { AdmissionTicket } from "./admission.ts";
import { AskedRequest } from "./asked_request.ts";
import { concat, EMPTY } from "../base/bytes.ts";
import { abandonConnection, openConnection, setRequest, type WebSocketConnection } from "../connection/connection.ts";
import { DirectRequest } from "./direct_request.ts";
import { HandlerError, HandshakeError, HttpError, TransportError } from "../base/errors.ts";
import { type UpgradeRequest, wantsWebSocket } from "../protocol/handshake.ts";
import { timeHandler } from "../base/handler_time.ts";
import { type Head, type HeaderFields, HeadReader, type RequestLine } from "../protocol/head.ts";
import { bodyFraming, makeRequest, refusalResponse, textResponse } from "../protocol/http.ts";
import { healthResponse, isHealthCheck } from "./health.ts";
import { Lingering } from "./lingering.ts";
import { checkHost, openHandshake, receiveHandshake, receiveRequest } from "./received_request.ts";
import { forgetRequest, Refusal } from "./client_identity.ts";
import { RequestBody } from "../protocol/request_body.ts";
import { RequestMemory } from "./request_memory.ts";
import { RequestTimer } from "./request_timer.ts";
import { BodyTooLong, ResponseWriter } from "./response_writer.ts";
import type { Holder } from "../base/memory_budget.ts";
import { isError } from "../base/thrown.ts";
import { directLength, TextReply } from "./text_reply.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";
import type { UpgradeFields } from "./upgrade_headers.ts";
import type { UpgradeHead } from "./upgrade_request.ts";

type State = "head" | "deciding" | "answering" | "upgraded" | "lingering" | "closed";

/** Largest number of bytes read while the program decides: a client should send none before the answer. */
const MAX_EARLY = 64 * 1024;
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Reads requests from one accepted connection. */
export class AcceptSession<Data> implements TransportHandler, Holder {
  readonly #transport: Transport;
  readonly #connection: WebSocketConnection<Data>;
  readonly #server: AcceptHost<Data>;
  /** The server, or the route of the current request. */
  #host: AcceptHost<Data>;
  readonly #ticket: AdmissionTicket;

  #state: State = "head";
  #headReader: HeadReader;
  /** Bytes behind the current request, or of its body that the program has not read yet. */
  #unread: Uint8Array = EMPTY;
  readonly #timer: RequestTimer;
  #peerEnded = false;
  readonly #lingering: Lingering;
  /** Number of plain requests so far. */
  #requests = 0;
  readonly #memory: RequestMemory;
  /** Set if bytes were dropped for lack of memory: no request can follow. */
  #overloaded = false;
  readonly #asked: AskedRequest = new AskedRequest();
  /** Set while the program makes the response. */
  #awaitsResponse = false;
  /** Set if the last request was a health check. */
  #checksHealth = false;

  // The current request and its response
  #fields: HeaderFields | undefined;
  #body: RequestBody | undefined;
  #expectsContinue = false;
  /** Made with the first response. */
  #responses: ResponseWriter | undefined;
  #direct: DirectRequest | undefined;
  /** Set while the answer to a direct request is written, and the next request may follow. */
  #replying = false;

  /**
   * Takes over an accepted transport.
   *
   * @param transport The transport, not opened yet.
   * @param connection The connection it is to become.
   * @param host The server.
   * @param ticket Counts the connection.
   */
  constructor(
    transport: Transport,
    connection: WebSocketConnection<Data>,
    host: AcceptHost<Data>,
    ticket: AdmissionTicket,
  ) {
    this.#ticket = ticket;
    ticket.evict = () => transport.destroy();
    this.#transport = transport;
    this.#connection = connection;
    this.#server = this.#host = host;
    this.#headReader = new HeadReader(host.settings(), "request");
    this.#memory = new RequestMemory(host.bodies, this);
    this.#timer = new RequestTimer(host.settings, ticket, () => this.#timeOut());
    this.#lingering = new Lingering(transport, this.#timer);
  }

  /** Starts reading; or with a request that another HTTP server has read, and the bytes behind it. */
  begin(given?: UpgradeHead, early: Uint8Array = EMPTY): void {
    if (given === undefined) this.#timer.startFirst();
    this.#transport.open(this);
    if (given !== undefined) this.#handleHead(given, early, false);
  }

  /** The server stops: an idle connection ends at once, one whose peer has left too, a busy one after its response. */
  shutdown(): void {
    const over = this.#idle && !this.#checksHealth;
    if (over || (this.#peerEnded && this.awaitsHandler)) abandonConnection(this.#connection);
  }

  /** `true` between two health checks: a stop does not wait for the next one, which is told of it if it comes. */
  get awaitsHealthCheck(): boolean {
    return this.#checksHealth && this.#idle;
  }

  get #idle(): boolean {
    return this.#state === "head" && this.#headReader.untouched && this.#unread.length === 0;
  }

  /** `true` while a handler of the program decides about the answer. */
  get awaitsHandler(): boolean {
    return this.#state === "deciding" || (this.#state === "answering" && this.#awaitsResponse);
  }

  // ---- From the transport --------------------------------------------------------------------------------------

  data(bytes: Uint8Array): void {
    if (this.#connection.state !== "connecting") return;
    if (this.#state === "head") {
      // Earlier requests come first.
      if (this.#unread.length > 0) this.#keep(bytes);
      else this.#readHead(bytes);
    } else if (this.#state === "deciding") {
      this.#keep(bytes);
      this.#awaitDecision();
    } else if (this.#state === "answering") {
      // Dropped: no request can follow.
      if (this.#overloaded) return;
      // The body copies the bytes, so no other copy is made.
      if (this.#body?.pulling && this.#unread.length === 0) return this.#feedBody(bytes, false);
      this.#keep(bytes);
      if (this.#direct?.awaitsBody) this.#feedDirect(this.#unread, true);
      else if (this.#body?.pulling) this.#feedUnread();
      else if (this.#asked.watched) this.#watchPeer();
    } else if (this.#state === "lingering") {
      this.#lingering.drop(bytes.length);
    }
  }

  drain(): void {
    this.#responses?.drain();
    if (this.#replying) this.#nextRequest();
  }

  end(): void {
    this.#peerEnded = true;
    // A peer that has sent FIN may still read its response; without one on its way there is nothing to wait for.
    const answers = this.#state === "answering" || (this.#state === "head" && this.#unread.length > 0);
    const left = this.awaitsHandler && this.#host.stopping(this.#connection);
    if (left || !answers) return this.#transport.destroy();
    this.#asked.abort();
    if (this.#direct?.awaitsBody) this.#failDirect(lostBody("The request ends inside its body"));
    else if (this.#body?.pulling) this.#body.fail(lostBody("The request ends inside its body"));
  }

  close(error?: unknown): void {
    this.#state = "closed";
    this.#timer.cancel();
    const lost = lostBody("The connection was lost inside a request");
    this.#memory.release();
    this.#asked.abort(error);
    this.#body?.fail(lost);
    this.#responses?.lose(lost);
    // An error of the transport itself, not an end by the peer.
    if (isError(error, TransportError)) this.#host.refused(error.code, this.#connection);
    abandonConnection(this.#connection, error);
  }

  // ---- Heads ---------------------------------------------------------------------------------------------------

  /** @param owned `true` if the bytes stay as they are. */
  #readHead(bytes: Uint8Array, owned = false): void {
    this.#timer.beginHead();
    let used: number;
    try {
      used = this.#headReader.push(bytes);
    } catch (error) {
      return this.#refuse(error);
    }
    const { head } = this.#headReader;
    if (head === undefined) return;
    this.#handleHead(head, bytes.subarray(used), owned);
  }

  /** Keeps bytes without a copy, if possible: each of many requests in one read leaves nearly all for the next. */
  #keep(bytes: Uint8Array, owned = false): void {
    if (bytes.length === 0) return;
    this.#unread = owned && this.#unread.length === 0 ? bytes : concat(this.#unread, bytes);
    this.#transport.pause();
    this.#memory.count(this.#unread, this.#body);
  }

  /** @param rest Bytes behind the head. */
  #handleHead(head: Head, rest: Uint8Array, owned: boolean): void {
    this.#timer.servePeer();
    this.#fields = head.fields;
    this.#timer.beginBody();
    try {
      const line = receiveRequest(this.#connection, head, this.#host.settings());
      const { hosts, healthPath } = this.#host.settings();
      this.#checksHealth = isHealthCheck(line, head.fields, healthPath);
      if (!this.#checksHealth) {
        this.#host.identify(this.#connection, this.#transport, this.#ticket, head.fields);
        checkHost(head.fields, hosts);
        this.#host = this.#server.route?.(line, head.fields, this.#connection) ?? this.#server;
      }
      if (this.#answerDirectly(line, head.fields, rest, owned)) return;
      this.#keep(rest, owned);
      if (wantsWebSocket(head.fields)) this.#handleUpgrade(line, head.fields);
      else this.#handleRequest(line, head.fields);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Refuses a request, and ends: the bytes behind it cannot be trusted to be a request. */
  #refuse(error: unknown): void {
    this.#state = "answering";
    this.#timer.servePeer();
    this.#asked.abort(error);
    this.#host.error(error, this.#connection);
    this.#finishWith(refusalOf(error));
  }

  // ---- WebSocket handshakes ------------------------------------------------------------------------------------

  #handleUpgrade(line: RequestLine, fields: HeaderFields): void {
    const { upgrade, request } = receiveHandshake(line, fields, this.#host.settings());
    this.#asked.beginHandshake(request);
    setRequest(this.#connection, request);
    this.#state = "deciding";
    const allowed = this.#host.allow(this.#connection, () => this.#state === "deciding");
    if (!(allowed instanceof Promise)) return this.#decide(upgrade, allowed);
    this.#timer.start();
    this.#awaitDecision();
    allowed.then((answer) => this.#decide(upgrade, answer)).catch((error) => this.#refuse(error));
  }

  /** Reads on meanwhile, to notice when the peer leaves. */
  #awaitDecision(): void {
    if (this.#unread.length <= MAX_EARLY) this.#transport.resume();
  }

  /** The program wants to know when the peer leaves. */
  readonly #watchPeer = (): void => {
    if (this.#peerEnded) this.#asked.abort();
    else if (this.#asked.pending && !this.#overloaded) this.#awaitDecision();
  };

  #decide(upgrade: UpgradeRequest, allowed: AllowDecision): void {
    if (this.#state !== "deciding") return dropAnswer(allowed);
    this.#asked.end();
    this.#timer.cancel();
    if (allowed !== false && !(allowed instanceof Response)) {
      return this.#upgrade(upgrade, allowed === true ? undefined : allowed);
    }
    this.#state = "answering";
    this.#host.refused("allow", this.#connection);
    this.#finishWith(allowed || textResponse(403, "The connection is not allowed"), "onAllow");
  }

  #upgrade(upgrade: UpgradeRequest, headers: UpgradeFields | undefined): void {
    if (!openHandshake(this.#host, this.#connection, upgrade, headers)) return;
    this.#state = "upgraded";
    this.#timer.cancel();
    this.#ticket.opened();
    this.#memory.release();
    this.#host.opened(this.#connection);
    openConnection(this.#connection, this.#unread, { ended: this.#peerEnded, closed: undefined });
    this.#unread = EMPTY;
  }

  // ---- Plain HTTP ----------------------------------------------------------------------------------------------

  #handleRequest(line: RequestLine, fields: HeaderFields): void {
    const framing = bodyFraming(fields, line.minorVersion);
    const body: RequestBody = new RequestBody(framing, this.#host.settings().maxBodySize, {
      pull: () => this.#pullBody(body),
      pause: () => this.#pauseBody(body),
    });
    this.#body = body;
    this.#requests++;
    this.#expectsContinue = expectsContinue(line, fields);
    const request = makeRequest(line, fields, this.#connection.encrypted, body.stream);
    this.#state = "answering";
    this.#asked.begin(request, this.#watchPeer);
    this.#answer(request, line, allowsNext(line, fields, this.#requests, this.#host.settings().maxRequests));
  }

  async #answer(request: Request, line: RequestLine, mayKeepAlive: boolean): Promise<void> {
    let response: Response;
    this.#awaitsResponse = true;
    try {
      response = this.#checksHealth
        ? healthResponse(this.#host.stopping(this.#connection))
        : await timeHandler(() => this.#host.respond(request, this.#connection));
    } catch (error) {
      if (this.#body?.error === undefined) this.#host.error(error, this.#connection);
      response = refusalOf(this.#body?.error);
    }
    this.#awaitsResponse = false;
    if (this.#state !== "answering") return void response.body?.cancel().catch(ignore);
    this.#expectsContinue = false;
    this.#dropBufferedBody();
    const { done, error } = this.#body!;
    const keepAlive = mayKeepAlive && done && error === undefined && !this.#overloaded &&
      !this.#host.stopping(this.#connection);
    try {
      await this.#writer.send(response, line, keepAlive);
      this.#asked.end();
      if (keepAlive) this.#nextRequest();
      else this.#linger();
    } catch (error) {
      this.#sendFailed(error, "onCommandGet");
    }
  }

  /** Once the head is sent, only the end of the connection tells the peer that the body is not complete. */
  #sendFailed(error: unknown, handler: "onAllow" | "onCommandGet"): void {
    if (this.#state !== "answering") return;
    this.#host.error(new HandlerError(handler, error), this.#connection);
    if (!this.#writer.begun) this.#finishWith(refusalOf(undefined));
    else if (error instanceof BodyTooLong) this.#linger();
    else this.#transport.destroy();
  }

  #finishWith(response: Response, handler: "onAllow" | "onCommandGet" = "onCommandGet"): void {
    this.#writer.send(response, { method: "GET", minorVersion: 1 }, false)
      .then(() => this.#linger()).catch((error) => this.#sendFailed(error, handler));
  }

  get #writer(): ResponseWriter {
    return this.#responses ??= new ResponseWriter(this.#transport, this.#host.settings);
  }

  #nextRequest(): void {
    this.#replying = false;
    if (this.#state !== "answering") return;
    this.#state = "head";
    this.#host = this.#server;
    this.#headReader = new HeadReader(this.#host.settings(), "request");
    this.#body = undefined;
    this.#fields = undefined;
    // The time that the next request takes begins anew.
    this.#memory.release();
    forgetRequest(this.#connection, this.#transport, this.#ticket);
    if (this.#unread.length === 0) {
      this.#timer.startIdle();
      return this.#awaitRequest();
    }
    this.#memory.count(this.#unread, this.#body);
    this.#timer.startHead();
    // Other connections come first: a thousand requests in one read must not keep them waiting.
    this.#transport.deferWork(() => this.#readNext());
  }

  #readNext(): void {
    if (this.#state !== "head") return;
    const unread = this.#unread;
    this.#unread = EMPTY;
    this.#memory.release();
    this.#readHead(unread, true);
    if (this.#state === "head") this.#awaitRequest();
  }

  #awaitRequest(): void {
    // The connection was answering when the server stopped, so that shutdown() did not end it.
    const over = this.#peerEnded || (this.#host.stopping(this.#connection) && this.#headReader.untouched);
    if (over) this.#transport.destroy();
    else this.#transport.resume();
  }

  /** Ends the connection so that the peer can still read the response: a reset would overtake it. */
  #linger(): void {
    if (this.#state !== "answering") return;
    this.#state = "lingering";
    this.#ticket.awaitingPeer();
    this.#unread = EMPTY;
    this.#memory.release();
    this.#body?.fail(lostBody("The request was answered before its body was read"));
    if (this.#peerEnded) return this.#transport.destroy();
    this.#lingering.begin(this.#host.settings(), this.#fields, this.#body?.done === true);
  }

  // ---- Plain HTTP without Request and Response -----------------------------------------------------------------

  /** Answers a request without `Request` and `Response`, now or later; returns `false` if that is not possible. */
  #answerDirectly(line: RequestLine, fields: HeaderFields, rest: Uint8Array, owned: boolean): boolean {
    if (this.#host.direct === undefined || wantsWebSocket(fields)) return false;
    const length = directLength(line, fields, this.#host.settings().maxBodySize);
    const decision = length === 0 ? undefined : this.#host.direct(line, fields, this.#connection);
    if (decision === undefined) return false;
    this.#state = "answering";
    this.#requests++;
    // A FIN must not be seen before the answer.
    this.#transport.pause();
    const mayKeepAlive = allowsNext(line, fields, this.#requests, this.#host.settings().maxRequests);
    if (decision instanceof TextReply) {
      // A body that has arrived already is no reason to end the connection.
      const complete = rest.length >= length;
      if (complete) this.#keep(rest.subarray(length), owned);
      this.#reply(decision, mayKeepAlive && complete);
      return true;
    }
    this.#direct = new DirectRequest(decision, length, mayKeepAlive);
    this.#feedDirect(rest, owned);
    return true;
  }

  /** Hands over the body when it is complete, without a copy if one read brought all of it. */
  #feedDirect(bytes: Uint8Array, owned: boolean): void {
    const direct = this.#direct!;
    const { length, mayKeepAlive } = direct;
    if (bytes.length < length) return this.#awaitDirectBody(bytes, owned);
    this.#timer.servePeer();
    this.#unread = EMPTY;
    this.#memory.release();
    const reply = direct.answer(bytes, (error) => this.#host.error(error, this.#connection));
    this.#keep(bytes.subarray(length), owned);
    if (reply instanceof TextReply) this.#reply(reply, mayKeepAlive);
    else reply.then((reply) => this.#reply(reply, mayKeepAlive));
  }

  #awaitDirectBody(bytes: Uint8Array, owned: boolean): void {
    this.#unread = owned ? bytes : bytes.slice();
    this.#memory.count(this.#unread, this.#body);
    this.#timer.startBody();
    if (this.#peerEnded) this.end();
    else this.#transport.resume();
  }

  /** Refuses a request whose body will not arrive. */
  #failDirect(error: HttpError): void {
    this.#direct = undefined;
    this.#unread = EMPTY;
    this.#memory.release();
    this.#timer.servePeer();
    this.#finishWith(refusalResponse(error));
  }

  #reply(reply: TextReply, mayKeepAlive: boolean): void {
    if (this.#state !== "answering") return;
    this.#direct = undefined;
    if (!mayKeepAlive || this.#overloaded || this.#host.stopping(this.#connection)) {
      return this.#finishWith(reply.toResponse());
    }
    this.#replying = true;
    if (this.#writer.writeAtOnce(reply.encode())) this.#nextRequest();
  }

  // ---- Request bodies ------------------------------------------------------------------------------------------

  #pullBody(body: RequestBody): void {
    if (this.#body !== body || this.#state !== "answering") {
      return body.fail(lostBody("The request was answered before its body was read"));
    }
    this.#timer.startBody();
    if (!this.#expectsContinue || this.#unread.length > 0) return this.#feedUnread();
    this.#expectsContinue = false;
    this.#writer.write(CONTINUE).then(() => this.#feedUnread(), ignore);
  }

  #pauseBody(body: RequestBody): void {
    if (this.#body !== body) return;
    if (this.#state === "answering") this.#ticket.servingPeer();
    this.#timer.cancel();
    if (body.done) return;
    this.#transport.pause();
    if (this.#asked.watched) this.#watchPeer();
  }

  #feedUnread(): void {
    const bytes = this.#unread;
    this.#unread = EMPTY;
    this.#feedBody(bytes, true);
  }

  /** Hands bytes to the body; reads on if they were not enough for a piece of it. */
  #feedBody(bytes: Uint8Array, owned: boolean): void {
    const body = this.#body!;
    const used = body.feed(bytes);
    if (used < bytes.length) this.#keep(bytes.subarray(used), owned);
    else this.#memory.count(this.#unread, this.#body);
    if (!body.pulling) return;
    if (this.#peerEnded) this.end();
    else this.#transport.resume();
  }

  /** Drops a body that has arrived already and was not read: it is no reason to end the connection. */
  #dropBufferedBody(): void {
    const body = this.#body!;
    if (body.done || body.pulling) return;
    const unread = this.#unread;
    this.#unread = EMPTY;
    this.#keep(unread.subarray(body.feed(unread)), true);
  }

  // ---- Memory --------------------------------------------------------------------------------------------------

  giveUp(): void {
    this.#memory.forget();
    this.#overloaded = true;
    this.#unread = EMPTY;
    this.#transport.pause();
    this.#host.refused("maxTotalBodySize", this.#connection);
    const error = new HttpError("ERR_HTTP_OVERLOAD", "The server has no memory for the request now", 503);
    if (this.#state === "deciding") return this.#refuse(error);
    if (this.#state !== "answering") return this.#transport.destroy();
    if (this.#direct?.awaitsBody) return this.#failDirect(error);
    // The handler that reads the body gets the error, and the peer the response to it.
    if (this.#body?.done === false) this.#body.fail(error);
    else this.#memory.count(this.#unread, this.#body);
  }

  #timeOut(): void {
    if (this.#state === "deciding") {
      this.#refuse(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", "The server did not decide in time", 503));
    } else if (this.#state === "head" && !this.#headReader.untouched) {
      this.#refuse(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", "The request did not come in time", 408));
    } else if (this.#state === "answering" && (this.#body?.pulling || this.#direct?.awaitsBody)) {
      const late = new HttpError("ERR_HTTP_BODY_LOST", "The body did not come in time", 408);
      if (this.#direct !== undefined) this.#failDirect(late);
      else this.#body!.fail(late);
    } else this.#transport.destroy();
  }
}

/** Tells whether the client waits for 100 before it sends the body. */
function expectsContinue(line: RequestLine, fields: HeaderFields): boolean {
  return line.minorVersion === 1 && fields.list("expect").some((value) => value.toLowerCase() === "100-continue");
}

/** Tells whether another request may follow one that is counted already. */
function allowsNext(line: RequestLine, fields: HeaderFields, requests: number, maxRequests: number): boolean {
  if (line.minorVersion === 0 || (maxRequests > 0 && requests >= maxRequests)) return false;
  return !fields.list("connection").some((option) => option.toLowerCase() === "close");
}

function refusalOf(error: unknown): Response {
  if (error instanceof Refusal) return error.response;
  const isOurs = isError(error, HandshakeError) || isError(error, HttpError);
  return isOurs ? refusalResponse(error) : textResponse(500, "Internal server error");
}

/** Drops an answer that came too late. */
function dropAnswer(answer: AllowDecision): void {
  if (answer instanceof Response) answer.body?.cancel().catch(ignore);
}

function lostBody(message: string): HttpError {
  return new HttpError("ERR_HTTP_BODY_LOST", message, 400);
}

function ignore(): void {
  // Ignored on purpose: the failure is reported elsewhere.
}
