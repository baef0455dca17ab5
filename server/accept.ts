/**
 * An accepted connection until it is a WebSocket, or gone: reads HTTP requests, has them answered, upgrades.
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

import type { Pass } from "./admission.ts";
import { concat } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { HandshakeRequest, HandshakeResult, ProtocolOptions } from "../connection/options.ts";
import {
  abandonConnection,
  openConnection,
  setRequest,
  startConnection,
  type WebSocketConnection,
} from "../connection/connection.ts";
import { acceptDeflateOffer, type CompressionSettings } from "../protocol/deflate.ts";
import { type BodyTaker, directLength, TextReply } from "./direct.ts";
import { HandshakeError, HttpError, TransportError } from "../base/errors.ts";
import {
  checkUpgradeRequest,
  encodeUpgradeResponse,
  type UpgradeRequest,
  wantsWebSocket,
} from "../protocol/handshake.ts";
import type { Extension } from "../protocol/extensions.ts";
import { timeHandler } from "../base/handler_time.ts";
import { type Head, type HeaderFields, HeadReader, parseRequestLine, type RequestLine } from "../protocol/head.ts";
import {
  bodyFraming,
  encodeChunk,
  makeRequest,
  planResponse,
  refusalResponse,
  textResponse,
} from "../protocol/http.ts";
import { RequestBody } from "../protocol/request_body.ts";
import type { Holder, MemoryBudget } from "../base/memory_budget.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** What a server decides for an accepted connection. */
export interface AcceptHost<Data> {
  /** Limits and habits. */
  settings(): AcceptSettings;
  /** Whether the server stops: no connection is kept alive then. */
  stopping(): boolean;
  /** Memory that requests of all connections hold. */
  readonly bodies: MemoryBudget;
  /** Asks the program whether to open the WebSocket. `awaited` tells it whether the answer still matters. */
  allow(
    connection: WebSocketConnection<Data>,
    awaited: () => boolean,
  ): boolean | Response | Promise<boolean | Response>;
  /** Chooses a subprotocol; "" for none. */
  selectProtocol(connection: WebSocketConnection<Data>, offered: string[]): string;
  /**
   * Decides about a POST with a short body of known length without the objects of the web.
   *
   * @param line Its request line; the path is one that `URL` leaves as it is.
   * @param fields Its header fields.
   * @param connection The connection it came on.
   * @returns The answer, if the head is enough for one; what takes the body; `undefined`: `respond` is to be asked.
   */
  direct?(
    line: RequestLine,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): TextReply | BodyTaker | undefined;
  /** Answers a plain HTTP request. */
  respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response>;
  /** The handshake is done. */
  opened(connection: WebSocketConnection<Data>): void;
  /** A connection was refused, for a reason that is not reported as an error. */
  refused(reason: string, connection: WebSocketConnection<Data>): void;
  /** Something failed. */
  error(error: unknown, connection: WebSocketConnection<Data>): void;
}

/** Limits and habits of an {@linkcode AcceptSession}. */
export interface AcceptSettings {
  /** Non-empty: the only path that opens a WebSocket. */
  pathName: string;
  /** What the handshake does not insist on. */
  options: ProtocolOptions;
  /** Origins whose pages may open a WebSocket; empty: all. */
  origins: readonly string[];
  /** Names under which the server is reached; empty: all. */
  hosts: readonly string[];
  /** How to compress, if the client can. */
  compression: CompressionSettings | undefined;
  /** How long a request may take to come, and the next one to begin, in ms; 0: no limit. */
  handshakeTimeout: number;
  /** How long the body of a plain request may take to come, in ms; 0: no limit. */
  bodyTimeout: number;
  /** The most plain requests of one connection; 0: no limit. */
  maxRequests: number;
  /** How long the peer may take to end TCP after the last response, in ms; 0: no limit. */
  closeTimeout: number;
  /** The most bytes of the body of a plain request; 0: no limit. */
  maxBodySize: number;
  /** The most bytes of a request head; 0: no limit. */
  maxHeadSize: number;
  /** The most header fields; 0: no limit. */
  maxHeaderFields: number;
  /** Time. */
  clock: Clock;
}

/** A request that is answered without the objects of the web. */
interface DirectRequest {
  /** Takes its body; unset once it has. */
  take: BodyTaker | undefined;
  /** The bytes of its body. */
  length: number;
  /** Whether the connection may live on. */
  mayKeepAlive: boolean;
}

type State = "head" | "deciding" | "answering" | "upgraded" | "lingering" | "closed";

const EMPTY = new Uint8Array(0);
/** The most bytes that are read behind the last answer; and behind one to a head, which no honest peer makes so long. */
const MAX_DROPPED = 1024 * 1024;
const MAX_DROPPED_HEAD = 128 * 1024;
/** The most bytes that are read while the program decides: a client should send none before its answer. */
const MAX_EARLY = 64 * 1024;
/** The most bytes of a response body in one write. */
const WRITE_SLICE = 64 * 1024;
const INTERNAL_ERROR = new TextReply(500, "Internal server error");
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Reads requests from one accepted connection. */
export class AcceptSession<Data> implements TransportHandler, Holder {
  readonly #transport: Transport;
  readonly #connection: WebSocketConnection<Data>;
  readonly #host: AcceptHost<Data>;
  readonly #pass: Pass;

  #state: State = "head";
  #headReader: HeadReader;
  /** Bytes behind the current request, or of its body that nobody has asked for yet. */
  #unread: Uint8Array = EMPTY;
  #cancelTimer: (() => void) | undefined;
  #peerEnded = false;
  /** Bytes that may still come behind the last answer. */
  #dropsLeft = MAX_DROPPED;
  /** Plain requests so far. */
  #requests = 0;
  /** Whether the memory that it holds is counted. */
  #counted = false;
  /** Whether bytes were dropped for lack of memory, so that no request can follow. */
  #overloaded = false;
  /** The handshake request about which the program decides. */
  #handshake: ReceivedRequest | undefined;

  // The current request and its response
  #body: RequestBody | undefined;
  /** Until when the body has to be there; `undefined` before anybody asks for it. */
  #bodyDeadline: number | undefined;
  #expectsContinue = false;
  #responseReader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  #writeWaiter: { resolve(): void; reject(error: unknown): void } | undefined;
  #cancelWriteTimer: (() => void) | undefined;
  #direct: DirectRequest | undefined;
  /** Whether the answer to a direct request is being written, and the next request may follow. */
  #replying = false;

  /**
   * Takes over an accepted transport.
   *
   * @param transport The transport, not opened yet.
   * @param connection The connection it is to become.
   * @param host The server.
   * @param pass Counts it.
   */
  constructor(
    transport: Transport,
    connection: WebSocketConnection<Data>,
    host: AcceptHost<Data>,
    pass: Pass,
  ) {
    this.#pass = pass;
    pass.evict = () => transport.destroy();
    this.#transport = transport;
    this.#connection = connection;
    this.#host = host;
    this.#headReader = new HeadReader(host.settings());
  }

  /** Starts the reading. */
  begin(): void {
    const { handshakeTimeout, clock } = this.#host.settings();
    // What TLS took counts.
    const left = handshakeTimeout - (clock.now() - this.#pass.acceptedAt);
    if (handshakeTimeout > 0) this.#startTimer(Math.max(1, Math.round(left)));
    this.#transport.open(this);
  }

  /** The server stops: an idle connection ends at once, a busy one after its response. */
  shutdown(): void {
    if (this.#state === "head" && this.#headReader.untouched && this.#unread.length === 0) {
      abandonConnection(this.#connection);
    }
  }

  // ---- From the transport --------------------------------------------------------------------------------------

  data(bytes: Uint8Array): void {
    if (this.#connection.state !== "connecting") return;
    if (this.#state === "head") {
      // Behind requests that are there already.
      if (this.#unread.length > 0) this.#keep(bytes);
      else this.#readHead(bytes);
    } else if (this.#state === "deciding") {
      this.#keep(bytes);
      this.#awaitDecision();
    } else if (this.#state === "answering") {
      // They can lead to nothing any more.
      if (this.#overloaded) return;
      // Without a copy of what is copied into the body anyway.
      if (this.#body?.pulling && this.#unread.length === 0) return this.#feedBody(bytes, false);
      this.#keep(bytes);
      if (this.#direct?.take !== undefined) this.#feedDirect(this.#unread, true);
      else if (this.#body?.pulling) this.#feedUnread();
    } else if (this.#state === "lingering") this.#drop(bytes.length);
  }

  /** A client that goes on sending does not wait for the answer. */
  #drop(length: number): void {
    this.#dropsLeft -= length;
    if (this.#dropsLeft < 0) this.#transport.destroy();
  }

  drain(): void {
    this.#cancelWriteTimer?.();
    if (this.#replying) return this.#replied();
    const waiter = this.#writeWaiter;
    this.#writeWaiter = undefined;
    waiter?.resolve();
  }

  end(): void {
    this.#peerEnded = true;
    // A peer that has sent FIN may still read its response; without one on its way there is nothing to wait for.
    const more = this.#state === "head" && this.#unread.length > 0;
    if (this.#state !== "answering" && !more) return this.#transport.destroy();
    if (this.#direct?.take !== undefined) this.#failDirect(lostBody("The request ends inside its body"));
    else if (this.#body?.pulling) this.#body.fail(lostBody("The request ends inside its body"));
  }

  close(error?: unknown): void {
    this.#state = "closed";
    this.#cancelTimer?.();
    this.#cancelWriteTimer?.();
    const lost = lostBody("The connection was lost inside a request");
    this.#release();
    if (this.#handshake !== undefined) {
      this.#abortHandshake(
        error ?? new TransportError("ERR_CONNECTION_LOST", "The peer left before it had its answer"),
      );
    }
    this.#body?.fail(lost);
    this.#writeWaiter?.reject(lost);
    this.#writeWaiter = undefined;
    // A stream of events must learn that nobody listens any more.
    this.#responseReader?.cancel(lost).catch(ignore);
    // It is ours, and not the peer's, that it has ended.
    if (error instanceof TransportError) this.#host.refused(error.code, this.#connection);
    abandonConnection(this.#connection, error);
  }

  // ---- Heads ---------------------------------------------------------------------------------------------------

  /** @param owned Whether the bytes stay as they are. */
  #readHead(bytes: Uint8Array, owned = false): void {
    let used: number;
    try {
      used = this.#headReader.push(bytes);
    } catch (error) {
      this.#dropsLeft = MAX_DROPPED_HEAD;
      this.#refuse(error);
      return;
    }
    const { head } = this.#headReader;
    if (head === undefined) return;
    this.#cancelTimer?.();
    this.#pass.works();
    this.#handleHead(head, bytes.subarray(used), owned);
  }

  /** Without a copy where that is possible: of many requests in one read, each leaves nearly all of it for the next. */
  #keep(bytes: Uint8Array, owned = false): void {
    if (bytes.length === 0) return;
    this.#unread = owned && this.#unread.length === 0 ? bytes : concat(this.#unread, bytes);
    this.#transport.pause();
    this.#count();
  }

  /** @param rest What came behind it. */
  #handleHead(head: Head, rest: Uint8Array, owned: boolean): void {
    try {
      const line = parseRequestLine(head.startLine);
      // RFC 9112 §3.2.2: what the target names counts, and not the header.
      if (line.authority !== "") head.fields.replace("host", line.authority);
      checkHost(head.fields, this.#host.settings().hosts);
      if (this.#answerDirectly(line, head.fields, rest, owned)) return;
      this.#keep(rest, owned);
      if (wantsWebSocket(head.fields)) this.#handleUpgrade(line, head.fields);
      else this.#handleRequest(line, head.fields);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Answers what cannot be taken, and ends: what follows on the connection cannot be trusted to be a request. */
  #refuse(error: unknown): void {
    this.#state = "answering";
    this.#cancelTimer?.();
    this.#pass.works();
    this.#abortHandshake(error);
    const known = error instanceof HandshakeError || error instanceof HttpError;
    this.#host.error(error, this.#connection);
    const response = known ? refusalResponse(error) : textResponse(500, "Internal server error");
    this.#finishWith(response);
  }

  // ---- WebSocket handshakes ------------------------------------------------------------------------------------

  #handleUpgrade(line: RequestLine, fields: HeaderFields): void {
    const { pathName, options, origins } = this.#host.settings();
    if (pathName !== "" && line.path !== pathName) {
      throw new HandshakeError("ERR_HANDSHAKE_REQUEST", "There is no WebSocket at this path", 404);
    }
    const upgrade = checkUpgradeRequest(line.method, line.minorVersion, fields, options);
    checkOrigin(fields, origins);
    this.#handshake = new ReceivedRequest(line, fields, upgrade);
    setRequest(this.#connection, this.#handshake);
    this.#state = "deciding";
    const allowed = this.#host.allow(this.#connection, () => this.#state === "deciding");
    if (!(allowed instanceof Promise)) return this.#decide(upgrade, allowed);
    this.#startTimer();
    this.#awaitDecision();
    allowed.then((answer) => this.#decide(upgrade, answer)).catch((error) => this.#refuse(error));
  }

  /** Reading goes on meanwhile, to notice when the peer leaves. */
  #awaitDecision(): void {
    if (this.#unread.length <= MAX_EARLY) this.#transport.resume();
  }

  /** Aborts `request.signal`: the program's decision is not needed any more. */
  #abortHandshake(reason: unknown): void {
    const request = this.#handshake;
    this.#handshake = undefined;
    request?.abort(reason);
  }

  #decide(upgrade: UpgradeRequest, allowed: boolean | Response): void {
    if (this.#state !== "deciding") {
      if (allowed instanceof Response) allowed.body?.cancel().catch(ignore);
      return;
    }
    this.#handshake = undefined;
    this.#cancelTimer?.();
    if (allowed === true) return this.#upgrade(upgrade);
    this.#state = "answering";
    this.#host.refused("allow", this.#connection);
    this.#finishWith(allowed === false ? textResponse(403, "The connection is not allowed") : allowed);
  }

  #upgrade(upgrade: UpgradeRequest): void {
    const protocol = this.#host.selectProtocol(this.#connection, upgrade.protocols);
    const { compression } = this.#host.settings();
    const agreed = compression && acceptDeflateOffer(upgrade.extensions, compression);
    const extensions = agreed === undefined ? [] : [agreed.extension];
    const result: HandshakeResult = { protocol, extensions, compression: agreed };
    const head = encodeUpgradeResponse({ key: upgrade.key, protocol, extensions });
    // Program or peer may have ended the connection; asked last, since the first hash lets Deno run pending microtasks.
    if (!startConnection(this.#connection, result, { preface: head })) return;
    this.#state = "upgraded";
    this.#cancelTimer?.();
    this.#pass.opened();
    this.#release();
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
    this.#bodyDeadline = undefined;
    this.#requests++;
    this.#expectsContinue = line.minorVersion === 1 &&
      fields.list("expect").some((value) => value.toLowerCase() === "100-continue");
    const request = makeRequest(line, fields, this.#connection.encrypted, body.stream);
    this.#state = "answering";
    this.#answer(request, line, this.#mayKeepAlive(line, fields));
  }

  /** Whether another request may follow this one, which is counted already. */
  #mayKeepAlive(line: RequestLine, fields: HeaderFields): boolean {
    const { maxRequests } = this.#host.settings();
    if (line.minorVersion === 0 || (maxRequests > 0 && this.#requests >= maxRequests)) return false;
    return !fields.list("connection").some((option) => option.toLowerCase() === "close");
  }

  async #answer(request: Request, line: RequestLine, mayKeepAlive: boolean): Promise<void> {
    let response: Response;
    try {
      response = await timeHandler(() => this.#host.respond(request, this.#connection));
    } catch (error) {
      response = this.#failedResponse(error);
    }
    if (this.#state !== "answering") return void response.body?.cancel().catch(ignore);
    this.#expectsContinue = false;
    this.#dropBufferedBody();
    const { done, error } = this.#body!;
    const keepAlive = mayKeepAlive && done && error === undefined && !this.#overloaded && !this.#host.stopping();
    try {
      await this.#send(response, line, keepAlive);
      if (keepAlive) this.#nextRequest();
      else this.#linger();
    } catch (error) {
      // The head is out already, so the only way to say that the body is not complete is to break off.
      if (this.#state !== "answering") return;
      this.#host.error(error, this.#connection);
      this.#transport.destroy();
    }
  }

  #failedResponse(error: unknown): Response {
    if (this.#body?.error !== undefined) return refusalResponse(this.#body.error);
    this.#host.error(error, this.#connection);
    return textResponse(500, "Internal server error");
  }

  #finishWith(response: Response): void {
    this.#send(response, { method: "GET", minorVersion: 1 }, false).then(() => this.#linger()).catch((error) => {
      if (this.#state !== "answering") return;
      this.#host.error(error, this.#connection);
      this.#transport.destroy();
    });
  }

  async #send(
    response: Response,
    request: Pick<RequestLine, "method" | "minorVersion">,
    keepAlive: boolean,
  ): Promise<void> {
    const date = new Date().toUTCString();
    const { head, chunked, hasBody } = planResponse(response, request, keepAlive, date);
    if (!hasBody) {
      await response.body?.cancel();
      return await this.#write(head);
    }
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body!.getReader();
    this.#responseReader = reader;
    let pending = head;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      // In slices, since the time of a write is limited and a slow reader is no reason to break off.
      for (let at = 0; at < part.value.length; at += WRITE_SLICE) {
        const slice = part.value.subarray(at, at + WRITE_SLICE);
        await this.#write(concat(pending, chunked ? encodeChunk(slice) : slice));
        pending = EMPTY;
      }
    }
    this.#responseReader = undefined;
    const last = chunked ? encodeChunk(EMPTY) : EMPTY;
    if (pending.length + last.length > 0) await this.#write(concat(pending, last));
  }

  /** Writes after what is being written. */
  #write(bytes: Uint8Array): Promise<void> {
    const written = this.#lastWrite.then(() => this.#writeNow(bytes));
    this.#lastWrite = written.catch(ignore);
    return written;
  }

  #writeNow(bytes: Uint8Array): Promise<void> {
    if (this.#state === "closed") return Promise.reject(lostBody("The peer is gone"));
    if (this.#transport.write(bytes)) return Promise.resolve();
    this.#startWriteTimer();
    return new Promise((resolve, reject) => this.#writeWaiter = { resolve, reject });
  }

  /** For a peer that does not read. */
  #startWriteTimer(): void {
    const { clock, handshakeTimeout } = this.#host.settings();
    if (handshakeTimeout === 0) return;
    this.#cancelWriteTimer = clock.after(handshakeTimeout, () => this.#transport.destroy());
  }

  #nextRequest(): void {
    if (this.#state !== "answering") return;
    this.#state = "head";
    this.#headReader = new HeadReader(this.#host.settings());
    this.#body = undefined;
    this.#recount();
    this.#pass.waits();
    this.#startTimer();
    // Others come first: a thousand requests in one read must not keep them waiting.
    if (this.#unread.length > 0) this.#transport.takeTurn(() => this.#readNext());
    else this.#awaitRequest();
  }

  #readNext(): void {
    if (this.#state !== "head") return;
    const unread = this.#unread;
    this.#unread = EMPTY;
    this.#release();
    this.#readHead(unread, true);
    if (this.#state === "head") this.#awaitRequest();
  }

  #awaitRequest(): void {
    // A server that stops has asked before: this one was answering then.
    const over = this.#peerEnded || (this.#host.stopping() && this.#headReader.untouched);
    if (over) this.#transport.destroy();
    else this.#transport.resume();
  }

  /** Ends the connection so that the peer can still read the response: a reset would overtake it. */
  #linger(): void {
    if (this.#state !== "answering") return;
    this.#state = "lingering";
    this.#pass.waits();
    this.#unread = EMPTY;
    this.#release();
    this.#body?.fail(lostBody("The request was answered before its body was read"));
    if (this.#peerEnded) return this.#transport.destroy();
    this.#startTimer(this.#host.settings().closeTimeout);
    this.#transport.end();
    this.#transport.resume();
  }

  // ---- Plain HTTP without the objects of the web ---------------------------------------------------------------

  /** Whether it can be; then it is answered, or will be. */
  #answerDirectly(line: RequestLine, fields: HeaderFields, rest: Uint8Array, owned: boolean): boolean {
    if (this.#host.direct === undefined || wantsWebSocket(fields)) return false;
    const length = directLength(line, fields, this.#host.settings().maxBodySize);
    const decision = length === 0 ? undefined : this.#host.direct(line, fields, this.#connection);
    if (decision === undefined) return false;
    this.#state = "answering";
    this.#requests++;
    // A FIN is to be seen behind the answer only.
    this.#transport.pause();
    const mayKeepAlive = this.#mayKeepAlive(line, fields);
    if (decision instanceof TextReply) {
      // A body that has come already is no reason to end the connection.
      const complete = rest.length >= length;
      if (complete) this.#keep(rest.subarray(length), owned);
      this.#reply(decision, mayKeepAlive && complete);
      return true;
    }
    this.#bodyDeadline = undefined;
    this.#direct = { take: decision, length, mayKeepAlive };
    this.#feedDirect(rest, owned);
    return true;
  }

  /** Hands the body on when it is complete: as it lies in what was read, if all of it is there. */
  #feedDirect(bytes: Uint8Array, owned: boolean): void {
    const direct = this.#direct!;
    const { length, take } = direct;
    if (bytes.length < length) return this.#awaitDirectBody(bytes, owned);
    direct.take = undefined;
    this.#cancelTimer?.();
    this.#pass.works();
    this.#unread = EMPTY;
    this.#release();
    let reply: TextReply | Promise<TextReply>;
    try {
      reply = timeHandler(() => take!(bytes.subarray(0, length)));
    } catch (error) {
      this.#host.error(error, this.#connection);
      reply = INTERNAL_ERROR;
    }
    this.#keep(bytes.subarray(length), owned);
    if (reply instanceof TextReply) return this.#reply(reply, direct.mayKeepAlive);
    reply.then((reply) => this.#reply(reply, direct.mayKeepAlive), (error) => {
      this.#host.error(error, this.#connection);
      this.#reply(INTERNAL_ERROR, direct.mayKeepAlive);
    });
  }

  #awaitDirectBody(bytes: Uint8Array, owned: boolean): void {
    this.#unread = owned ? bytes : bytes.slice();
    this.#count();
    this.#startBodyTimer();
    this.#pass.waits();
    if (this.#peerEnded) this.end();
    else this.#transport.resume();
  }

  /** The body will not come. */
  #failDirect(error: HttpError): void {
    this.#direct = undefined;
    this.#unread = EMPTY;
    this.#release();
    this.#cancelTimer?.();
    this.#pass.works();
    this.#finishWith(refusalResponse(error));
  }

  #reply(reply: TextReply, mayKeepAlive: boolean): void {
    if (this.#state !== "answering") return;
    this.#direct = undefined;
    if (!mayKeepAlive || this.#overloaded || this.#host.stopping()) return this.#finishWith(reply.toResponse());
    this.#replying = true;
    if (this.#transport.write(reply.encode())) this.#replied();
    else this.#startWriteTimer();
  }

  #replied(): void {
    this.#replying = false;
    this.#nextRequest();
  }

  // ---- Request bodies ------------------------------------------------------------------------------------------

  #pullBody(body: RequestBody): void {
    if (this.#body !== body || this.#state !== "answering") {
      return body.fail(lostBody("The request was answered before its body was read"));
    }
    this.#startBodyTimer();
    // A body that does not come is waited for like a head.
    this.#pass.waits();
    if (!this.#expectsContinue || this.#unread.length > 0) return this.#feedUnread();
    this.#expectsContinue = false;
    this.#write(CONTINUE).then(() => this.#feedUnread(), ignore);
  }

  #pauseBody(body: RequestBody): void {
    if (this.#body !== body) return;
    if (this.#state === "answering") this.#pass.works();
    this.#cancelTimer?.();
    if (!body.done) this.#transport.pause();
  }

  #feedUnread(): void {
    const bytes = this.#unread;
    this.#unread = EMPTY;
    this.#feedBody(bytes, true);
  }

  /** Hands what is there to the body; goes on reading if that was not enough for a piece of it. */
  #feedBody(bytes: Uint8Array, owned: boolean): void {
    const body = this.#body!;
    const used = body.feed(bytes);
    if (used < bytes.length) this.#keep(bytes.subarray(used), owned);
    else this.#count();
    if (!body.pulling) return;
    if (this.#peerEnded) this.end();
    else this.#transport.resume();
  }

  /** A body that has come already, and that the handler did not read, is no reason to end the connection. */
  #dropBufferedBody(): void {
    const body = this.#body!;
    if (body.done || body.pulling) return;
    const unread = this.#unread;
    this.#unread = EMPTY;
    this.#keep(unread.subarray(body.feed(unread)), true);
  }

  // ---- Memory --------------------------------------------------------------------------------------------------

  /** Counts the bytes held of requests, for all connections together. */
  #count(): void {
    const body = this.#body?.held ?? 0;
    const unread = this.#unread.length === 0 ? 0 : this.#unread.buffer.byteLength;
    if (body + unread === 0) return this.#release();
    this.#counted = true;
    // The program has all of a complete body: to give it up would free nothing.
    this.#host.bodies.hold(this, body + unread, unread > 0 || !this.#body!.done);
  }

  /** A request has been answered: the time that another one takes begins anew. */
  #recount(): void {
    this.#release();
    if (this.#unread.length > 0) this.#count();
  }

  #release(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#host.bodies.release(this);
  }

  giveUp(): void {
    this.#counted = false;
    this.#overloaded = true;
    this.#unread = EMPTY;
    this.#transport.pause();
    this.#host.refused("maxTotalBodySize", this.#connection);
    const error = new HttpError("ERR_HTTP_OVERLOAD", "There is no room for the request now", 503);
    if (this.#state === "deciding") return this.#refuse(error);
    if (this.#state !== "answering") return this.#transport.destroy();
    if (this.#direct?.take !== undefined) return this.#failDirect(error);
    // The handler that reads the body gets the error, and the peer the answer to that.
    if (this.#body?.done === false) this.#body.fail(error);
    else this.#count();
  }

  // ---- Time ----------------------------------------------------------------------------------------------------

  /** For the next piece of a body, and for all of it: one octet now and then would hold the connection for ever. */
  #startBodyTimer(): void {
    const { handshakeTimeout, bodyTimeout, clock } = this.#host.settings();
    if (bodyTimeout === 0) return this.#startTimer();
    this.#bodyDeadline ??= clock.now() + bodyTimeout;
    const left = Math.max(1, Math.round(this.#bodyDeadline - clock.now()));
    this.#startTimer(handshakeTimeout === 0 ? left : Math.min(left, handshakeTimeout));
  }

  #startTimer(delay: number = this.#host.settings().handshakeTimeout): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (delay > 0) this.#cancelTimer = this.#host.settings().clock.after(delay, () => this.#timeOut());
  }

  #timeOut(): void {
    if (this.#state === "deciding") {
      this.#refuse(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", "The server did not decide in time", 503));
    } else if (this.#state === "head" && !this.#headReader.untouched) {
      this.#refuse(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", "The request did not come in time", 408));
    } else if (this.#state === "answering" && (this.#body?.pulling || this.#direct?.take !== undefined)) {
      const late = new HttpError("ERR_HTTP_BODY_LOST", "The body did not come in time", 408);
      if (this.#direct !== undefined) this.#failDirect(late);
      else this.#body!.fail(late);
    } else this.#transport.destroy();
  }
}

/** RFC 6454: a browser names the page it acts for; nothing else has to. */
function checkOrigin(fields: HeaderFields, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const given = fields.all("origin");
  if (given.length === 0 || (given.length === 1 && origins.includes(given[0]))) return;
  throw new HandshakeError("ERR_ORIGIN", "Pages of this origin may not connect", 403);
}

function checkHost(fields: HeaderFields, hosts: readonly string[]): void {
  if (hosts.length === 0) return;
  const given = (fields.get("host") ?? "").toLowerCase();
  const colon = given.lastIndexOf(":");
  const name = colon > given.lastIndexOf("]") ? given.slice(0, colon) : given;
  if (hosts.some((host) => host.toLowerCase() === given || host.toLowerCase() === name)) return;
  throw new HandshakeError("ERR_HOST", "This server does not go by that name", 421);
}

function lostBody(message: string): HttpError {
  return new HttpError("ERR_HTTP_BODY_LOST", message, 400);
}

function ignore(): void {
  // Nothing is to be done.
}

/** The request of a handshake; its `Headers` are made when somebody asks for them. */
class ReceivedRequest implements HandshakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly Extension[];
  #fields: HeaderFields;
  #headers: Headers | undefined;
  /** Made when the program asks for the signal, or when it must abort. */
  #controller: AbortController | undefined;

  constructor(line: RequestLine, fields: HeaderFields, upgrade: UpgradeRequest) {
    this.protocols = upgrade.protocols;
    this.extensions = upgrade.extensions;
    this.method = line.method;
    this.path = line.path;
    this.query = line.query;
    this.#fields = fields;
  }

  get headers(): Headers {
    this.#headers ??= this.#fields.toHeaders();
    return this.#headers;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** The program's decision is not needed any more. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}
