/**
 * The life of a connection as a state machine, above all its end: the closing handshake of RFC 6455 §7, failures, and
 * the end of the transport.
 *
 * "Close frame" is the frame; "transport" is TCP or whatever carries the bytes.
 *
 * | phase           | entered when                               | ends when                                          |
 * | --------------- | ------------------------------------------ | -------------------------------------------------- |
 * | `connecting`    | a transport is there                       | the handshake is done                              |
 * | `open`          | the handshake is done                      | either side sends a close frame, or fails          |
 * | `closeSent`     | `close()` sent ours first                  | the peer's comes: `ending`; `closeTimeout`: abort  |
 * | `closeReceived` | the peer's came first, `manualClose` is on | `close()` sends ours: `ending`                     |
 * | `ending`        | both were exchanged, or a failure          | the transport ends; `closeTimeout`: abort          |
 * | `closed`        | the transport has ended                    |                                                    |
 *
 * Progress of the peer renews `closeTimeout`, some times: `close_progress.ts`.
 *
 * @module
 */

import type {
  CloseFrame,
  CloseInfo,
  ConnectionEvents,
  ConnectionSettings,
  ConnectionState,
  Delivery,
  MessageWatch,
  StepResult,
} from "./options.ts";
import { CloseProgress } from "./close_progress.ts";
import { CloseCode, ProtocolError, StateError, TransportError, WebSocketError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { encodeClosePayload } from "../protocol/payload.ts";
import type { Sender, SenderOwner } from "./sender.ts";
import type { Transport } from "../transport/transport.ts";

/** State of a connection, as the table above has it. */
export type Phase = "connecting" | "open" | "closeSent" | "closeReceived" | "ending" | "closed";

/** The frame reader, as far as the end of the connection concerns it. */
export interface EndingReader {
  /** `true` if no unparsed bytes wait. */
  readonly empty: boolean;
  /** `true` while a parse is running. */
  readonly parsing: boolean;
  /** When bytes are parsed. */
  readonly delivery: Delivery;
  /** Bytes that have come. */
  readonly received: number;
  /** Parses on. */
  unblock(): void;
  /** Parses all bytes that wait. */
  parseRest(): void;
  /** Drops all bytes that wait or come later. */
  stop(): void;
  /** Frees the memory of decompression. */
  freeInflater(): void;
  /** Ends the step that waits. */
  finishStep(result: StepResult): void;
}

/** The delivery of messages, as far as the end of the connection concerns it. */
export interface EndingDelivery {
  /** Stops pings and the check for idleness. */
  stopKeepAlive(): void;
  /** The connection was lost: readers get the error behind the messages that wait. */
  lose(cause: unknown): void;
  /** Goes on with the messages that have come; returns `true` if some still wait for handlers. */
  waitsForHandlers(): boolean;
}

/** The phases of one connection. */
export class Closing<Connection> implements SenderOwner {
  // Configuration
  readonly #connection: Connection;
  readonly #transport: Transport;
  #handler: ConnectionEvents<Connection>;
  /** Limits and switches. */
  settings: ConnectionSettings;
  #reader!: EndingReader;
  #delivery!: EndingDelivery;
  #sender!: Sender;

  // Closing handshake
  #phase: Phase = "connecting";
  #sent: CloseFrame | undefined;
  #received: CloseFrame | undefined;
  /** `true` if our close frame was sent before the peer's came. */
  #begunHere = false;
  #cancelTimer: (() => void) | undefined;

  // Transport
  #endSent = false;
  /** `true` if the peer has sent FIN. */
  #transportEnded = false;
  #transportClosed = false;

  // Result
  /** `true` from the handshake on. */
  #opened = false;
  /** The error that broke the connection. */
  #cause: unknown;
  /** The error to report at the end. */
  #report: WebSocketError | undefined;
  #closeInfo: CloseInfo | undefined;
  /** Made on first use. */
  #closed: PromiseWithResolvers<CloseInfo> | undefined;

  /**
   * Makes the state machine of a connection before its handshake; `attach` completes it.
   *
   * @param connection The connection, for its handler.
   * @param transport Is ended.
   * @param handler Gets the errors and the end.
   * @param settings Limits and switches.
   */
  constructor(
    connection: Connection,
    transport: Transport,
    handler: ConnectionEvents<Connection>,
    settings: ConnectionSettings,
  ) {
    this.#connection = connection;
    this.#transport = transport;
    this.#handler = handler;
    this.settings = settings;
  }

  /**
   * Connects the parts that are stopped at the end.
   *
   * @param reader Parses incoming bytes.
   * @param delivery Delivers messages.
   * @param sender Sends.
   */
  attach(reader: EndingReader, delivery: EndingDelivery, sender: Sender): void {
    this.#reader = reader;
    this.#delivery = delivery;
    this.#sender = sender;
  }

  /**
   * Replaces handlers, and limits and switches, before the handshake is done.
   *
   * @param handler Gets the errors and the end.
   * @param settings Limits and switches.
   */
  configure(handler: ConnectionEvents<Connection>, settings: ConnectionSettings): void {
    this.#handler = handler;
    this.settings = settings;
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** The current phase. */
  get phase(): Phase {
    return this.#phase;
  }

  /** The phase in the words of the browser's `WebSocket`. */
  get state(): ConnectionState {
    if (this.#phase === "connecting" || this.#phase === "open" || this.#phase === "closed") return this.#phase;
    return "closing";
  }

  /** The end of the connection; never rejects. */
  get closed(): Promise<CloseInfo> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#closeInfo !== undefined) this.#closed.resolve(this.#closeInfo);
    }
    return this.#closed.promise;
  }

  /** `true` if our close frame was sent first, and the peer's is still to come. */
  get closeSent(): boolean {
    return this.#phase === "closeSent";
  }

  /** Code and reason of the peer's close frame; 1006 and "" without one. */
  get end(): CloseFrame {
    return this.#received ?? { code: CloseCode.AbnormalClosure, reason: "" };
  }

  /** The error that broke the connection, if one did. */
  get failure(): unknown {
    return this.#report ?? this.#cause;
  }

  /** Watches unfinished messages, if set. */
  get unfinished(): MessageWatch | undefined {
    return this.#handler.unfinished;
  }

  /** `true` if incoming bytes are ignored: RFC 6455 §5.5.1 lets nothing follow a close frame. */
  get discards(): boolean {
    return this.#phase === "closeReceived" || this.#phase === "ending" || this.#phase === "closed";
  }

  /**
   * Checks that frames can be sent.
   *
   * @param what The action of the program, for the message.
   * @throws {StateError} If the connection is not open.
   */
  assertOpen(what: string): void {
    if (this.#phase !== "open") this.#refuse(what);
  }

  #refuse(what: string): never {
    const state = this.#phase === "connecting" ? "not open yet" : this.state;
    const [frame, who] = this.#begunHere ? [this.#sent, "this end"] : [this.#received, "the peer"];
    const why = frame === undefined ? "" : `: ${who} closed it with ${frame.code} ${frame.reason}`.trimEnd();
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the connection is ${state}${why}`, { cause: this.failure });
  }

  // ---- Transitions ---------------------------------------------------------------------------------------------

  /**
   * Notes that the handshake is done.
   *
   * @returns `false` if the connection has ended meanwhile.
   */
  open(): boolean {
    if (this.#phase !== "connecting") return false;
    this.#phase = "open";
    this.#opened = true;
    this.#sender.allowMessages(true);
    return true;
  }

  /**
   * Answers a ping, unless `manualPong` is on or the closing handshake has begun.
   *
   * @param payload Its payload.
   */
  answerPing(payload: Uint8Array): void {
    if (this.#phase === "open" && !this.settings.options.manualPong) this.#sender.answerPing(payload);
  }

  /**
   * Starts the closing handshake, or answers the peer's; ends a connection without handshake.
   *
   * @param code The close code.
   * @param reason The reason.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code?: number, reason = ""): void {
    const payload = encodeClosePayload(code, reason);
    if (this.#phase === "connecting") this.abandon(undefined);
    else if (this.#phase === "open" || this.#phase === "closeReceived") this.#sendClose(code, reason, payload);
  }

  #sendClose(code: number | undefined, reason: string, payload: Uint8Array): void {
    this.#sent = { code: code ?? CloseCode.NoStatusReceived, reason };
    this.#sender.sendControl(Opcode.Close, payload);
    this.#sender.forgetPong();
    this.#setPhase(this.#received === undefined ? "closeSent" : "ending");
    // The peer's close frame lies behind unread bytes.
    if (this.#phase === "closeSent") this.#reader.unblock();
  }

  /**
   * Takes the peer's close frame, and answers it unless `manualClose` is on.
   *
   * @param code Its code; 1005 if it has none.
   * @param reason Its reason.
   */
  receiveClose(code: number, reason: string): void {
    this.#received = { code, reason };
    this.#begunHere = this.#sent !== undefined;
    this.#reader.stop();
    if (this.#phase === "closeSent") return this.#setPhase("ending");
    if (this.settings.options.manualClose) return this.#setPhase("closeReceived");
    // RFC 6455 §5.5.1: "it typically echos the status code it received".
    const echoed = code === CloseCode.NoStatusReceived ? undefined : code;
    this.#sendClose(echoed, "", encodeClosePayload(echoed, ""));
  }

  /**
   * Fails the connection (RFC 6455 §7.1.7): tells the peer why, reports the error, and ignores what still comes.
   *
   * @param error The error; its close code goes to the peer.
   */
  fail(error: unknown): void {
    if (this.#phase === "ending" || this.#phase === "closed") return;
    this.#cause = error;
    this.closeWith(isError(error, WebSocketError) ? error.closeCode : CloseCode.InternalError, error);
    this.#handler.error(this.#connection, error);
  }

  /**
   * Ends the connection because of an error that was reported already.
   *
   * @param code The close code.
   * @param error The error; only the message of a protocol violation goes to the peer.
   */
  closeWith(code: number, error: unknown): void {
    if (this.#phase === "connecting") return this.abandon(undefined);
    if (this.#phase === "open" || this.#phase === "closeReceived") {
      const reason = isError(error, ProtocolError) ? error.message : "";
      this.#sent = { code, reason };
      this.#sender.sendControl(Opcode.Close, encodeClosePayload(code, reason));
    }
    this.#setPhase("ending");
  }

  /**
   * Reports an error that does not end the connection.
   *
   * @param error The error.
   */
  report(error: unknown): void {
    this.#handler.error(this.#connection, error);
  }

  /** Closes a connection on which nothing has happened for `idleTimeout`. */
  closeIdle(): void {
    const { idleTimeout } = this.settings;
    const error = new TransportError("ERR_IDLE_TIMEOUT", `Nothing came and nothing was sent for ${idleTimeout} ms`);
    this.close(CloseCode.GoingAway, "idle");
    this.#handler.error(this.#connection, error);
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(): void {
    if (this.#phase === "closed") return;
    this.#sender.discard(undefined);
    if (this.#phase === "connecting") return this.abandon(undefined);
    this.#setPhase("ending");
    this.#transport.destroy();
  }

  /**
   * Ends the connection at once because of an error.
   *
   * @param report The error, reported when the transport has ended: the program must not be called back from within its
   * own `send`.
   */
  abort(report: TransportError): void {
    this.#transport.destroy();
    this.#setPhase("ending");
    this.#sender.discard(undefined);
    this.#report = report;
  }

  /**
   * Ends a connection whose handshake was not completed.
   *
   * @param error The reason, if there is one to report.
   */
  abandon(error: unknown): void {
    if (this.#phase === "closed") return;
    this.#cause ??= error;
    this.#transport.destroy();
    this.#finish();
  }

  /** The one place where the phase changes after the handshake. */
  #setPhase(phase: Phase): void {
    if (this.#phase === phase || this.#phase === "closed") return;
    this.#phase = phase;
    this.#sender.allowMessages(false);
    this.#delivery.stopKeepAlive();
    if (phase === "closed") return this.#cancelTimer?.();
    if (phase === "ending") this.#startEnding();
    if (phase !== "closeReceived") this.#startTimer();
  }

  #startTimer(): void {
    const { clock, closeTimeout } = this.settings;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (closeTimeout === 0) return;
    const progress = this.watchProgress();
    const wait = (): void => {
      this.#cancelTimer = clock.after(closeTimeout, () => {
        if (progress.renew()) wait();
        else this.#giveUp(closeTimeout * progress.periods);
      });
    };
    wait();
  }

  /**
   * Begins to watch how the peer goes on with the closing handshake and what was sent before; on a server, with the
   * response to a plain request.
   *
   * @returns The progress.
   */
  watchProgress(): CloseProgress {
    if (this.#phase === "connecting") return CloseProgress.ofResponse(this.#transport);
    // Behind a failure or the peer's close frame what comes is dropped.
    return new CloseProgress(this.#sender, () => this.#phase === "closeSent" ? this.#reader.received : 0);
  }

  #giveUp(time: number): void {
    if (this.#phase === "closeSent") {
      this.#report = new TransportError("ERR_CLOSE_TIMEOUT", `No close frame came within ${time} ms`);
    }
    this.#transport.destroy();
  }

  // ---- End of the transport ------------------------------------------------------------------------------------

  #startEnding(): void {
    this.#reader.stop();
    this.#reader.freeInflater();
    this.#sender.end();
    // From here on bytes are only read to be dropped: closing a socket with unread bytes would send a reset, which can
    // overtake the close frame.
    this.#transport.resume();
    if (this.#sender.bufferedAmount === 0 && !this.#reader.parsing) this.allSent();
    this.finishIfOver();
  }

  /**
   * Ends TCP after all was sent. RFC 6455 §7.1.1: the server ends TCP first; a client, which masks, only if the
   * connection failed.
   */
  allSent(): void {
    if (this.#endSent) return;
    if (this.#sender.masked && this.#received !== undefined && !this.#transportEnded) return;
    this.#endSent = true;
    if (this.#transportEnded) this.#transport.destroy();
    else this.#transport.end();
  }

  /** Notes that the peer has sent FIN. */
  transportEnds(): void {
    this.#transportEnded = true;
    // RFC 6455 has no half-open connections: without a close frame this is a loss.
    if (this.#phase !== "ending" || this.#sender.bufferedAmount === 0) return this.#transport.destroy();
    // A server that has closed reads no more (uvicorn after 1009). What leaves in the turn still does, such as the
    // answer to its close frame.
    if (this.#sender.masked && this.#received !== undefined) {
      this.#transport.deferWork(() => this.#transport.destroy());
    }
  }

  /**
   * Notes that the transport is closed.
   *
   * @param error The error that broke it, if one did.
   */
  transportCloses(error: unknown): void {
    this.#transportClosed = true;
    this.#cause ??= error;
    this.#sender.discard(error);
    // Messages that came before can still be fetched, or are handed over when handlers before them are done.
    if (this.#phase === "open") {
      if (this.#reader.delivery === "step" ? !this.#reader.empty : this.#delivery.waitsForHandlers()) return;
    }
    this.#reader.parseRest();
    this.#finish();
  }

  /** Finishes once the transport is closed, and earlier messages were fetched or never will be. */
  finishIfOver(): void {
    if (this.#transportClosed && this.#reader.empty && !this.#reader.parsing) this.#finish();
  }

  #finish(): void {
    if (this.#phase === "closed") return;
    this.#setPhase("closed");
    this.#sender.discard(this.#cause);
    this.#sender.freeDeflater();
    this.#reader.stop();
    this.#reader.freeInflater();
    const info = this.#makeCloseInfo();
    this.#closeInfo = info;
    if (this.#received === undefined) this.#delivery.lose(this.failure);
    if (this.#report !== undefined) this.#handler.error(this.#connection, this.#report);
    this.#handler.disconnect(this.#connection, info);
    this.#closed?.resolve(info);
    this.#reader.finishStep("closed");
  }

  #makeCloseInfo(): CloseInfo {
    const info: CloseInfo = {
      code: this.#received?.code ?? CloseCode.AbnormalClosure,
      reason: this.#received?.reason ?? "",
      clean: this.#sent !== undefined && this.#received !== undefined,
      opened: this.#opened,
    };
    if (this.#sent !== undefined) info.sent = this.#sent;
    if (this.#received !== undefined) info.received = this.#received;
    return info;
  }
}
