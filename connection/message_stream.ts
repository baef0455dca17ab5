/**
 * The writable streams of a connection: one of messages, and one message as a stream of fragments.
 *
 * @module
 */

import type { SendResult } from "./options.ts";
import { EMPTY } from "../base/bytes.ts";
import { INTERNAL_ERROR, NORMAL_CLOSURE } from "../base/close_codes.ts";
import { OptionError, StateError } from "../base/errors.ts";
import { assertFragment } from "./fragments.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { type Payload, readBlob, type SendData, toPayload } from "../protocol/payload.ts";

/** A connection that messages are written to. */
export interface WritableConnection {
  /** Sends a message. */
  send(data: Payload): SendResult;
  /** Sends a fragment. */
  sendFrame(opcode: Opcode, data: Payload, final: boolean): SendResult;
  /** Begins the closing handshake. */
  close(code: number): Promise<unknown>;
  /** Resolves when no bytes wait any more. */
  drained(): Promise<void>;
}

/** Tells a stream when to wait: the `Sender` of the connection. */
export interface SendCapacity {
  /** Tells whether a message must wait for room. */
  mustWaitFor(data: Payload): boolean;
}

/** Checks of a fragmented message besides. */
export interface FragmentCapacity extends SendCapacity {
  /** `true` if a fragmented message is not finished. */
  readonly fragmented: boolean;
}

/**
 * Makes a stream of messages. Closing it closes the connection.
 *
 * @param connection The connection.
 * @param sender Tells when to wait.
 * @returns The stream.
 */
export function messageStream(
  connection: Pick<WritableConnection, "send" | "close" | "drained">,
  sender: SendCapacity,
): WritableStream<SendData> {
  return new WritableStream<SendData>({
    async write(data) {
      const chunk = await readChunk(data);
      // Other streams may have waited for the same room.
      while (sender.mustWaitFor(chunk)) await connection.drained();
      if (connection.send(chunk) === "dropped") throw noRoom();
    },
    close: async () => void await connection.close(NORMAL_CLOSURE),
    abort: () => void connection.close(INTERNAL_ERROR),
  });
}

/**
 * Makes a stream of the fragments of one message.
 *
 * @param connection The connection.
 * @param sender Tells when to wait.
 * @param opcode Text or binary.
 * @returns The stream.
 * @throws {OptionError} If the opcode is another one.
 * @throws {StateError} If a fragmented message is not finished.
 */
export function messageWriter(
  connection: WritableConnection,
  sender: FragmentCapacity,
  opcode: Opcode,
): WritableStream<SendData> {
  if (opcode !== Opcode.Text && opcode !== Opcode.Binary) {
    throw new OptionError(
      `Cannot write a message: "${opcode}" is neither Opcode.Text nor Opcode.Binary`,
      "ERR_PAYLOAD",
    );
  }
  assertFragment(opcode, sender.fragmented);
  let next: Opcode = opcode;
  /** The first half of a surrogate pair whose second half has not come yet. */
  let half = "";
  const send = async (chunk: Payload, final: boolean): Promise<void> => {
    while (sender.mustWaitFor(chunk)) await connection.drained();
    try {
      if (connection.sendFrame(next, chunk, final) === "dropped") throw noRoom();
    } catch (error) {
      // No other message can follow half a message.
      if (next === Opcode.Continuation) connection.close(INTERNAL_ERROR);
      throw error;
    }
    next = Opcode.Continuation;
  };
  return new WritableStream<SendData>({
    async write(chunk) {
      let whole = await readChunk(chunk);
      if (typeof whole === "string") {
        whole = half + whole;
        half = "";
        if (endsInHalf(whole)) {
          half = whole.slice(-1);
          whole = whole.slice(0, -1);
        }
      } else if (half !== "") {
        await send(half, false);
        half = "";
      }
      if (whole.length > 0) await send(whole, false);
    },
    close: () => send(half === "" ? EMPTY : half, true),
    abort: () => void connection.close(INTERNAL_ERROR),
  });
}

function readChunk(chunk: unknown): Payload | Promise<Payload> {
  const payload = toPayload(chunk, "write");
  return typeof payload === "string" || payload instanceof Uint8Array ? payload : readBlob(payload, "write");
}

function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}

function noRoom(): StateError {
  return new StateError(
    "ERR_NOT_OPEN",
    "Cannot write: the message does not fit maxBufferedAmount, or the connection ends",
  );
}
