/**
 * Steps in which a connection is set up, each with the settings that count then: the parser before the handshake,
 * compression with it, limits on rates and keep-alive after it.
 *
 * @module
 */

import type { Closing } from "./closing.ts";
import type { DeliveryControl } from "./delivery.ts";
import type { FrameReader } from "./frame_reader.ts";
import { KeepAlive } from "./keep_alive.ts";
import type { ConnectionSettings, HandshakeResult } from "./options.ts";
import { RateLimit } from "./rate_limit.ts";
import type { Sender } from "./sender.ts";
import { MessageDeflater, MessageInflater } from "../protocol/deflate.ts";
import { FrameParser } from "../protocol/frame.ts";
import type { Role } from "../protocol/frame_header.ts";
import { MessageAssembler, type MessageHandler } from "../protocol/message.ts";

/**
 * Makes the part of a connection from bytes to messages.
 *
 * @param handler Takes the messages.
 * @param role Role of this end.
 * @param settings Limits and switches.
 * @param textAsBytes `true` if texts come as bytes.
 * @returns The assembler, and the parser before it.
 */
export function makeParser(
  handler: MessageHandler,
  role: Role,
  { maxMessageSize, maxFragments, options: { frameByFrame } }: ConnectionSettings,
  textAsBytes?: boolean,
): { assembler: MessageAssembler; parser: FrameParser } {
  const assembler = new MessageAssembler(handler, { maxMessageSize, maxFragments, frameByFrame, textAsBytes });
  return { assembler, parser: new FrameParser(assembler, { role }) };
}

/** Parts of a connection that another view of it works with. */
export interface ConnectionParts {
  /** Stops and continues the reading. */
  readonly delivery: Pick<DeliveryControl<never>, "pause" | "resume">;
  /** Sends. */
  readonly sender: Sender;
}

/** The parts of a connection that are set up when it opens. */
export interface OpeningParts<Connection> {
  /** Reads. */
  readonly reader: FrameReader<Connection>;
  /** Delivers. */
  readonly delivery: DeliveryControl<Connection>;
  /** Sends. */
  readonly sender: Sender;
  /** Has the settings. */
  readonly closing: Closing<Connection>;
}

/**
 * Compresses messages, and accepts compressed ones, from now on.
 *
 * @param parts The connection.
 * @param role Role of this end.
 * @param agreed The agreement; nothing is done without one.
 */
export function useCompression<Connection>(
  { sender, reader }: Pick<OpeningParts<Connection>, "sender" | "reader">,
  role: Role,
  agreed: HandshakeResult["compression"],
): void {
  if (agreed === undefined) return;
  sender.useDeflater(new MessageDeflater(role, agreed.parameters, agreed.settings));
  reader.useInflater(new MessageInflater(role, agreed.parameters));
}

/**
 * Limits the rates of a connection that opens, and watches its peer, as far as the settings ask for it.
 *
 * @param parts The connection.
 */
export function watchPeer<Connection>({ reader, delivery, sender, closing }: OpeningParts<Connection>): void {
  const { settings } = closing;
  const { clock, pingInterval, idleTimeout, maxMessageRate, maxByteRate } = settings;
  if (maxMessageRate > 0 || maxByteRate > 0) reader.limit(new RateLimit(settings, clock.now()));
  if (closing.phase !== "open" || (pingInterval === 0 && idleTimeout === 0)) return;
  delivery.useKeepAlive(new KeepAlive(reader, sender, closing));
}
