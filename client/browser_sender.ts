/**
 * The sending half of a WebSocket of the platform: the limits of the client, back-pressure, and lost data.
 *
 * @module
 */

import type { BinaryForm } from "../connection/binary_form.ts";
import { NORMAL_CLOSURE } from "../base/close_codes.ts";
import { OptionError, TransportError } from "../base/errors.ts";
import { messageStream } from "../connection/message_stream.ts";
import type { ConnectionSettings, MessageOptions, SendResult } from "../connection/options.ts";
import { byteLength, type Payload, type SendData } from "../protocol/payload.ts";

/** A browser has no event for data that was sent: `drained` looks at this interval, in ms. */
const DRAIN_INTERVAL = 10;

/** Connection of a {@linkcode BrowserSender}. */
export interface BrowserSenderOwner {
  /** Sends a message of the stream, if the connection is open. */
  send(data: Payload): SendResult;
  /** Starts the closing handshake. */
  close(code?: number): Promise<unknown>;
  /** Aborts the connection of a server that reads too slowly. */
  abort(error: TransportError): void;
}

/** Sends the messages of one connection in a page. */
export class BrowserSender {
  readonly #socket: WebSocket;
  readonly #settings: ConnectionSettings;
  readonly #owner: BrowserSenderOwner;
  #writable: WritableStream<SendData> | undefined;
  #closed = false;
  /** Form of binary messages of the program, if the subprotocol has others too. */
  #binaryForm: BinaryForm | undefined;
  /** Error of `drained`, once data was lost. */
  #loss: TransportError | undefined;

  /**
   * Makes the sending half of a socket.
   *
   * @param socket The socket.
   * @param settings Limits.
   * @param owner The connection.
   */
  constructor(socket: WebSocket, settings: ConnectionSettings, owner: BrowserSenderOwner) {
    this.#socket = socket;
    this.#settings = settings;
    this.#owner = owner;
  }

  /**
   * Gives binary messages of the program a form of their own: the subprotocol has other binary messages.
   *
   * @param form The form.
   * @param assertOpen Throws if the connection is not open.
   * @returns Sends a message of the subprotocol, in the form that it has.
   */
  useBinaryForm(form: BinaryForm, assertOpen: () => void): (message: Uint8Array) => SendResult {
    this.#binaryForm = form;
    return (message) => {
      assertOpen();
      return this.#send(message);
    };
  }

  /** Bytes that were sent by the program and not yet taken by the network; 0 after the end. */
  get bufferedAmount(): number {
    return this.#closed ? 0 : this.#socket.bufferedAmount;
  }

  /**
   * Sends a message.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead.
   * @throws {OptionError} If the message is larger than `maxBufferedAmount`.
   */
  send(data: Payload | Blob, options?: MessageOptions): SendResult {
    return this.#send(this.#binaryForm === undefined ? data : this.#binaryForm.wrap(data), options);
  }

  #send(data: Payload | Blob, options?: MessageOptions): SendResult {
    const length = byteLength(data);
    if (!this.#fits(length)) return this.#refuse(length, options);
    this.#socket.send(data instanceof Uint8Array ? unshared(data) : data);
    // The server has closed, while messages that came before are still delivered.
    if (this.#closed) this.noteLoss(undefined);
    return this.#congested ? "backpressure" : "sent";
  }

  get #congested(): boolean {
    return this.bufferedAmount > this.#settings.highWaterMark;
  }

  #fits(length: number): boolean {
    const { maxBufferedAmount } = this.#settings;
    return maxBufferedAmount === 0 || this.bufferedAmount + length <= maxBufferedAmount;
  }

  #refuse(length: number, { slowConsumer = this.#settings.slowConsumer }: MessageOptions = {}): SendResult {
    const { maxBufferedAmount } = this.#settings;
    if (length > maxBufferedAmount) {
      const message =
        `Cannot send: ${length} bytes are more than maxBufferedAmount (${maxBufferedAmount}) allows at all`;
      throw new OptionError(message, "ERR_MESSAGE_EXCEEDS_BUFFER");
    }
    if (slowConsumer === "close") {
      const message = `The peer reads too slowly: ${this.bufferedAmount} bytes wait for it`;
      this.#owner.abort(new TransportError("ERR_SLOW_CONSUMER", message));
    }
    return "dropped";
  }

  /**
   * Waits until the network has taken everything that was sent.
   *
   * @returns Rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void> {
    const drained = this.#waitForDrain();
    // The program need not wait for it.
    drained.catch(() => {});
    return drained;
  }

  async #waitForDrain(): Promise<void> {
    const { clock } = this.#settings;
    while (this.bufferedAmount > 0) await new Promise<void>((resolve) => clock.after(DRAIN_INTERVAL, resolve));
    if (this.#loss !== undefined) throw this.#loss;
  }

  /** Messages to the server as a stream. */
  get writable(): WritableStream<SendData> {
    const mustWaitFor = (data: Payload): boolean =>
      this.bufferedAmount > 0 && (this.#congested || !this.#fits(byteLength(data) + (this.#binaryForm?.overhead ?? 0)));
    const sender = {
      send: (data: Payload) => this.#owner.send(data),
      drained: () => this.drained(),
      // A browser does not send the code of an aborted stream.
      close: (code?: number) => this.#owner.close(code === NORMAL_CLOSURE ? code : undefined),
    };
    return this.#writable ??= messageStream(sender, { mustWaitFor });
  }

  /**
   * Takes note of the end of the socket.
   *
   * @param cause The failure before, if there was one.
   */
  close(cause: unknown): void {
    this.#closed = true;
    this.noteLoss(cause);
  }

  /**
   * Keeps an error for `drained`, if the socket has not sent everything.
   *
   * @param cause The failure before, if there was one.
   */
  noteLoss(cause: unknown): void {
    if (this.#loss !== undefined || this.#socket.bufferedAmount === 0) return;
    const message = "The connection was lost before all bytes were sent";
    this.#loss = new TransportError("ERR_CONNECTION_LOST", message, { cause });
  }
}

/** Copies memory that other threads may change: a browser refuses it. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : bytes.slice();
}
