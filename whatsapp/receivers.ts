/**
 * Receivers of a `WhatsAppServer`: their tokens, the handshake of the inbox subprotocol, and forwarding to those that
 * speak another subprotocol.
 *
 * @module
 */

import {
  failConnection,
  sendSubprotocolShared,
  setBinaryForm,
  type WebSocketConnection,
} from "../connection/connection.ts";
import type { MessageResult } from "../connection/options.ts";
import { concatAll } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { OptionError } from "../base/errors.ts";
import { Envelope, mayHave, type WhatsAppFilter } from "../cloud_api/filter.ts";
import { dataForm } from "../inbox/data_form.ts";
import type { InboxHub } from "../inbox/hub.ts";
import type { InboxMember, InboxSink } from "../inbox/member.ts";
import {
  badMessage,
  checkReceiverMessage,
  decodeInboxMessage,
  InboxCloseCode,
  inboxVersion,
  isData,
  LINE_FEED,
  MAX_RECEIVER_MESSAGE,
  type ReceiverMessage,
} from "../inbox/protocol.ts";
import { type FrameInfo, Opcode } from "../protocol/frame_header.ts";
import { textResponse } from "../protocol/http.ts";
import type { MessageData } from "../protocol/payload.ts";
import {
  checkReceiverTokens,
  cursorName,
  type FailedAttempts,
  findReceiver,
  type ReceiverToken,
  type ReceiverTokens,
} from "./access.ts";
import { decodeExact } from "./notification_text.ts";

/** Server of {@linkcode Receivers}. */
export interface ReceiversHost<Data> {
  /** Time. */
  readonly clock: Clock;
  /** Time limit of the hello, in ms; 0: none. */
  readonly handshakeTimeout: number;
  /** Sequence number at the end of the journal; `undefined` while it is not open. */
  readonly lastSeq: number | undefined;
  /** Tokens of receivers; `null`: none is asked for. */
  readonly receiverTokens: ReceiverTokens | null | undefined;
  /** `true` if the program decides about receivers too. */
  readonly asksProgram: boolean;
  /** Opens the journal, if it is not open. */
  openHub(): Promise<InboxHub>;
  /** Refuses a token without comparing it, if its network was wrong too often. */
  refuseGuess(connection: WebSocketConnection<Data>): Response | undefined;
  /** Delays the answer to a wrong token. */
  delayAnswer(response: Response, connection: WebSocketConnection<Data>): Promise<Response>;
  /** Counts a refused attempt. */
  countFailure(reason: keyof FailedAttempts): void;
  /** Hands a message, or a frame of one, to the handlers of the program; says what became of it. */
  deliver(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): MessageResult;
  /** Reports that a receiver could join: an outage of the journal may have ended. */
  readSucceeded(): void;
  /** Reports that the journal could not be read. */
  readFailed(error: unknown, connection: WebSocketConnection<Data>): void;
  /** Reports an error. */
  reportError(error: unknown, connection?: WebSocketConnection<Data>): void;
  /** Sends a text to the connections that a function selects. */
  sendText(text: string, selector: (connection: WebSocketConnection<Data>) => boolean): void;
  /** Sends bytes to the connections that a function selects. */
  sendBytes(bytes: Uint8Array, selector: (connection: WebSocketConnection<Data>) => boolean): void;
}

/** State of one open connection. */
interface Receiver {
  token: ReceiverToken | undefined;
  /** Its state in the inbox subprotocol; `undefined`: it speaks another one. */
  inbox?: InboxState | undefined;
}

interface InboxState {
  version: 1 | 2;
  sink: InboxSink;
  /** Last sequence number of the journal when it connected. */
  last: number | undefined;
  member: InboxMember | "joining" | undefined;
  cancelTimer: () => void;
  /** With `frameByFrame`, the message that comes: not known yet, of the subprotocol, or bytes of the program. */
  incoming: "unknown" | "own" | "data";
  /** Its pieces, unless they are for the program. */
  partial: Uint8Array<ArrayBuffer>[];
  /** Bytes of all pieces. */
  partialSize: number;
}

/** Pause before a message is sent again that could not be sent, in ms. */
const RETRY_DELAY = 50;

/** Open receivers of a server. */
export class Receivers<Data> {
  #host: ReceiversHost<Data>;
  #open = new Map<WebSocketConnection<Data>, Receiver>();
  /** Token that a connection showed, from the handshake on. */
  #tokens = new WeakMap<object, ReceiverToken>();

  /**
   * Begins without receivers.
   *
   * @param host The server.
   */
  constructor(host: ReceiversHost<Data>) {
    this.#host = host;
  }

  // ---- Handshake -----------------------------------------------------------------------------------------------

  /**
   * Checks the token of a connection.
   *
   * @param connection The connection.
   * @returns The refusal; `undefined`: the token is valid, or none is asked for.
   */
  refuse(connection: WebSocketConnection<Data>): Response | Promise<Response> | undefined {
    const { receiverTokens, asksProgram } = this.#host;
    // No token is asked for where the program has waived it, or decides alone.
    if (receiverTokens === null || (receiverTokens === undefined && asksProgram)) return undefined;
    const refused = this.#host.refuseGuess(connection);
    if (refused !== undefined) return refused;
    const token = receiverTokens && findReceiver(connection.request.headers, checkReceiverTokens(receiverTokens));
    if (!token) {
      this.#host.countFailure("receiverToken");
      const refusal = textResponse(401, "The token is missing or wrong", { "www-authenticate": "Bearer" });
      return this.#host.delayAnswer(refusal, connection);
    }
    this.#tokens.set(connection, token);
    return undefined;
  }

  /**
   * Finds the name of the token that a connection showed.
   *
   * @param connection The connection.
   * @returns The `name` in `receiverToken`; `undefined` if there is none.
   */
  tokenNameOf(connection: WebSocketConnection<Data | undefined>): string | undefined {
    return this.#tokens.get(connection)?.name;
  }

  /**
   * Takes a connection that has opened.
   *
   * @param connection The connection.
   */
  opened(connection: WebSocketConnection<Data>): void {
    const receiver: Receiver = { token: this.#tokens.get(connection) };
    this.#open.set(connection, receiver);
    const version = inboxVersion(connection.protocol);
    if (version === undefined) return;
    const { hostname, port } = connection.remoteAddress;
    // Earlier receivers would end with bytes of the program: they get none, and the program is told once.
    const leftOut = (error: unknown): void => this.#host.reportError(error, connection);
    setBinaryForm(connection, dataForm(version, `receiver at ${hostname}:${port}`, { leftOut }));
    const { clock, handshakeTimeout, lastSeq } = this.#host;
    const late = (): void => void connection.close(InboxCloseCode.NoHello, "The hello did not come in time");
    receiver.inbox = {
      version,
      sink: makeSink(connection, clock),
      last: lastSeq,
      member: undefined,
      cancelTimer: handshakeTimeout > 0 ? clock.after(handshakeTimeout, late) : () => {},
      incoming: "unknown",
      partial: [],
      partialSize: 0,
    };
  }

  /**
   * Removes a connection that has ended.
   *
   * @param connection The connection.
   */
  ended(connection: WebSocketConnection<Data>): void {
    const inbox = this.#open.get(connection)?.inbox;
    this.#open.delete(connection);
    inbox?.cancelTimer();
    if (inbox?.member instanceof Object) inbox.member.leave();
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Takes a message of a receiver; those that are not of the inbox subprotocol go to the program.
   *
   * @param connection The connection.
   * @param data The message, or a piece of it.
   * @param frame The frame, with `frameByFrame`.
   * @returns What became of a message of the program, as from a server without receivers.
   */
  receive(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): MessageResult {
    const receiver = this.#open.get(connection);
    const inbox = receiver?.inbox;
    if (inbox === undefined || typeof data === "string") return this.#host.deliver(connection, data, frame);
    try {
      return frame === undefined
        ? this.#onWhole(connection, receiver!, inbox, data)
        : this.#onFrame(connection, receiver!, inbox, data, frame);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      const failure = badMessage(error);
      failConnection(connection, InboxCloseCode.BadMessage, failure);
      this.#host.reportError(failure, connection);
      return undefined;
    }
  }

  #onWhole(
    connection: WebSocketConnection<Data>,
    receiver: Receiver,
    inbox: InboxState,
    bytes: Uint8Array<ArrayBuffer>,
  ): MessageResult {
    const message = decodeInboxMessage(bytes, MAX_RECEIVER_MESSAGE);
    // A copy, as each binary message is: programs look at its whole buffer.
    if (inbox.version > 1 && isData(message)) return this.#host.deliver(connection, message.body.slice());
    assertSize(bytes.length);
    const checked = checkReceiverMessage(message);
    if (checked !== undefined) this.#onMessage(connection, receiver, inbox, checked);
    return undefined;
  }

  /** Takes a frame: those of a message of the program go on to it as they come, behind the line. */
  #onFrame(
    connection: WebSocketConnection<Data>,
    receiver: Receiver,
    inbox: InboxState,
    bytes: Uint8Array<ArrayBuffer>,
    frame: FrameInfo,
  ): MessageResult {
    if (frame.first) inbox.incoming = inbox.version > 1 ? "unknown" : "own";
    if (inbox.incoming === "data") return this.#host.deliver(connection, bytes, frame);
    if (inbox.incoming === "unknown" && bytes.includes(LINE_FEED)) {
      const message = decodeInboxMessage(concatAll([...inbox.partial, bytes]), MAX_RECEIVER_MESSAGE);
      inbox.incoming = isData(message) ? "data" : "own";
      if (isData(message)) {
        takePieces(inbox);
        const start = { ...frame, opcode: Opcode.Binary, first: true };
        return this.#host.deliver(connection, message.body.slice(), start);
      }
    }
    if (bytes.length > 0) inbox.partial.push(bytes);
    inbox.partialSize += bytes.length;
    assertSize(inbox.partialSize);
    return frame.final ? this.#onWhole(connection, receiver, inbox, concatAll(takePieces(inbox))) : undefined;
  }

  #onMessage(
    connection: WebSocketConnection<Data>,
    receiver: Receiver,
    inbox: InboxState,
    message: ReceiverMessage,
  ): void {
    if (message.type === "ack") {
      if (inbox.member === undefined) throw new OptionError("An acknowledgement came before the hello");
      if (inbox.member !== "joining") inbox.member.acknowledge(message.seqs);
      return;
    }
    if (inbox.member !== undefined) throw new OptionError("A second hello came");
    inbox.member = "joining";
    inbox.cancelTimer();
    const { token } = receiver;
    const name = message.name === undefined ? undefined : cursorName(message.name, token);
    // Earlier versions gave a token with a filter and without a name no names of its own.
    const former = token?.name === undefined && token?.filter !== undefined ? message.name : undefined;
    this.#host.openHub().then((hub) => hub.join(inbox.sink, { ...message, name }, token?.filter, inbox.last, former))
      .then((member) => {
        this.#host.readSucceeded();
        inbox.member = member;
        // The connection may have ended while it joined.
        if (!this.#open.has(connection)) member?.leave();
      }).catch((error) => {
        this.#host.readFailed(error, connection);
        connection.close(InboxCloseCode.JournalFailed, "The journal cannot be read");
      });
  }

  // ---- Forwarding ----------------------------------------------------------------------------------------------

  /**
   * Forwards a notification to receivers that do not acknowledge, as it came, or the part that their token allows.
   *
   * @param bytes The notification.
   */
  forward(bytes: Uint8Array): void {
    this.#sendPlain(bytes, (connection) => this.#isPlain(connection, undefined));
    const filters = new Set<WhatsAppFilter>();
    for (const { inbox, token } of this.#open.values()) {
      if (inbox === undefined && token?.filter !== undefined) filters.add(token.filter);
    }
    if (filters.size === 0) return;
    const envelope = new Envelope(bytes);
    for (const filter of filters) {
      if (envelope.changes.some((change) => mayHave(change, filter))) this.#sendPart(bytes, envelope, filter);
    }
  }

  #sendPart(bytes: Uint8Array, envelope: Envelope, filter: WhatsAppFilter): void {
    try {
      const part = envelope.partFor(filter) ?? bytes;
      this.#sendPlain(part, (connection) => this.#isPlain(connection, filter));
    } catch (error) {
      // The body is nested too deeply to be taken apart; receivers with other filters get their part.
      this.#host.reportError(error);
    }
  }

  #isPlain(connection: WebSocketConnection<Data>, filter: WhatsAppFilter | undefined): boolean {
    const receiver = this.#open.get(connection);
    return receiver !== undefined && receiver.inbox === undefined && receiver.token?.filter === filter;
  }

  /** Sends the bytes as they came: a receiver gets exactly the text that Meta signed. */
  #sendPlain(bytes: Uint8Array, selector: (connection: WebSocketConnection<Data>) => boolean): void {
    let any = false;
    for (const connection of this.#open.keys()) any ||= selector(connection);
    if (!any) return;
    try {
      const text = decodeExact(bytes);
      if (text === undefined) this.#host.sendBytes(bytes, selector);
      else this.#host.sendText(text, selector);
    } catch (error) {
      // The message is larger than maxBufferedAmount; receivers that acknowledge get the close code 1009.
      this.#host.reportError(error);
    }
  }
}

function makeSink<Data>(connection: WebSocketConnection<Data>, clock: Clock): InboxSink {
  return {
    get open(): boolean {
      return connection.state === "open";
    },
    send: (message) => sendSubprotocolShared(connection, message),
    drained: () => connection.drained(),
    later: (callback) => clock.after(RETRY_DELAY, callback),
    close: (code, reason) => void connection.close(code, reason),
  };
}

function takePieces(inbox: InboxState): Uint8Array<ArrayBuffer>[] {
  const { partial } = inbox;
  inbox.partial = [];
  inbox.partialSize = 0;
  return partial;
}

function assertSize(length: number): void {
  if (length > MAX_RECEIVER_MESSAGE) throw new OptionError(`A message is larger than ${MAX_RECEIVER_MESSAGE} bytes`);
}
