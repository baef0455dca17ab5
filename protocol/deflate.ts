/**
 * The extension permessage-deflate of RFC 7692: its negotiation, and the transformation of messages.
 *
 * Each direction has parameters of its own, named after the endpoint that compresses. "Context takeover" means that a
 * message may refer to those before it: good for many small similar messages, at the price of a zlib state in each
 * connection. Without it the states are shared: one serves all connections, and an idle connection holds none.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { showValue } from "../base/option_names.ts";
import { defaultsOf, FieldsReader, type SettingsTable } from "../base/settings.ts";
import type { Role } from "./frame_header.ts";
import { HandshakeError, OptionError } from "../base/errors.ts";
import type { Extension } from "./extensions.ts";
import {
  assertDeflateAvailable,
  type OutputSink,
  RawDeflate,
  type RawDeflateSettings,
  RawInflate,
} from "./raw_deflate.ts";
import type { CompressionOptions, CompressionSettings, DeflateAgreement, DeflateParameters } from "./compression.ts";

/** The name of the extension (RFC 7692 §7). */
export const PERMESSAGE_DEFLATE = "permessage-deflate";

/** The fields of `compression`. */
export const COMPRESSION_SETTINGS: SettingsTable<CompressionSettings> = {
  threshold: { kind: "number", unit: "bytes", default: 128 },
  level: { kind: "number", most: 9, default: 6 },
  memoryLevel: { kind: "number", least: 1, most: 9, default: 8 },
  serverNoContextTakeover: { kind: "boolean", default: false },
  clientNoContextTakeover: { kind: "boolean", default: false },
  serverMaxWindowBits: { kind: "number", least: 8, most: 15, default: 15 },
  clientMaxWindowBits: { kind: "number", least: 8, most: 15, default: 15 },
};

const DEFAULTS: CompressionSettings = defaultsOf(COMPRESSION_SETTINGS);

const compressionOptions = new FieldsReader('The setting "compression"', COMPRESSION_SETTINGS, {
  prefix: "compression.",
  hints: {
    zlibDeflateOptions: 'use "level" and "memoryLevel"',
    zlibInflateOptions: 'use "serverMaxWindowBits" and "clientMaxWindowBits"',
    concurrencyLimit: "leave it out: messages are compressed in order",
    memLevel: 'use "memoryLevel"',
    windowBits: 'use "serverMaxWindowBits" and "clientMaxWindowBits"',
    compress: "leave it out: both directions are compressed",
    decompress: "leave it out: both directions are compressed",
    compressor: 'use "serverNoContextTakeover: true" for a compressor that all connections share',
  },
});

/**
 * Fills in and checks the option `compression`.
 *
 * @param option `true`: the defaults. `false`: no compression.
 * @returns The settings, or `undefined` for no compression.
 * @throws {OptionError} If a field is out of range, or unknown.
 * @throws {StateError} If this runtime cannot compress.
 */
export function compressionSettings(option: boolean | CompressionOptions): CompressionSettings | undefined {
  if (option === false) return undefined;
  assertDeflateAvailable();
  if (option === true) return DEFAULTS;
  if (Array.isArray(option)) throw new OptionError('The setting "compression" is a list: only a client offers several');
  if (typeof option !== "object" || option === null) {
    throw new OptionError(`The setting "compression" is ${showValue(option)}, neither true, false nor an object`);
  }
  return compressionOptions.read(option);
}

// ---- Negotiation (RFC 7692 §7.1) --------------------------------------------------------------------------------

/** The parameters of one offer or answer; `undefined`: not mentioned, `true`: without a value. */
interface ParameterList {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits?: number | undefined;
  clientMaxWindowBits?: number | true | undefined;
}

/** Reads parameters; returns their fault, if there is one. */
function readParameters(parameters: Extension["parameters"]): ParameterList | string {
  const list: ParameterList = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
  };
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (seen.has(name)) return `the parameter "${name}" comes twice`;
    seen.add(name);
    if (name === "server_no_context_takeover" || name === "client_no_context_takeover") {
      if (value !== true) return `the parameter "${name}" has a value`;
      if (name === "server_no_context_takeover") list.serverNoContextTakeover = true;
      else list.clientNoContextTakeover = true;
    } else if (name === "server_max_window_bits" || name === "client_max_window_bits") {
      const bits = value === true ? true : readWindowBits(value);
      if (bits === undefined) return `the parameter "${name}" is "${value}" instead of 8 to 15`;
      if (name === "client_max_window_bits") list.clientMaxWindowBits = bits;
      else if (bits === true) return `the parameter "${name}" has no value`;
      else list.serverMaxWindowBits = bits;
    } else return `the parameter "${name}" is unknown`;
  }
  return list;
}

/** RFC 7692 §7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive". */
const WINDOW_BITS = new Map([8, 9, 10, 11, 12, 13, 14, 15].map((bits) => [String(bits), bits]));

function readWindowBits(value: string): number | undefined {
  return WINDOW_BITS.get(value);
}

function formatParameters(list: ParameterList): Extension {
  const parameters: Extension["parameters"] = [];
  if (list.serverNoContextTakeover) parameters.push(["server_no_context_takeover", true]);
  if (list.clientNoContextTakeover) parameters.push(["client_no_context_takeover", true]);
  if (list.serverMaxWindowBits !== undefined) {
    parameters.push(["server_max_window_bits", String(list.serverMaxWindowBits)]);
  }
  const { clientMaxWindowBits: bits } = list;
  if (bits !== undefined) parameters.push(["client_max_window_bits", bits === true ? true : String(bits)]);
  return { name: PERMESSAGE_DEFLATE, parameters };
}

/**
 * The server's side: takes the first offer it can (RFC 7692 §5.1, §7.1). One that is duplicate, unknown or out of range
 * in any parameter is passed over.
 *
 * @param offers The offers of the client, in its order of preference.
 * @param settings The settings of the server.
 * @returns The agreement; `undefined`: no compression.
 *
 * @example
 * ```ts
 * import { acceptDeflateOffer, compressionSettings } from "@tackline/websocket/frame";
 * import { formatExtensions, parseExtensions } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const offers = parseExtensions(["permessage-deflate; server_max_window_bits=7, permessage-deflate"]);
 * const agreed = acceptDeflateOffer(offers, compressionSettings(true)!);
 * assertEquals(formatExtensions([agreed!.extension]), "permessage-deflate");
 * ```
 */
export function acceptDeflateOffer(
  offers: readonly Extension[],
  settings: CompressionSettings,
): DeflateAgreement | undefined {
  for (const { name, parameters } of offers) {
    if (name !== PERMESSAGE_DEFLATE) continue;
    const offer = readParameters(parameters);
    if (typeof offer !== "string") return agree(offer, settings);
  }
  return undefined;
}

function agree(offer: ParameterList, settings: CompressionSettings): DeflateAgreement {
  const serverMaxWindowBits = Math.min(offer.serverMaxWindowBits ?? 15, settings.serverMaxWindowBits);
  // RFC 7692 §7.1.2.2: not in the answer unless the client has said that it understands it.
  const mayLimitClient = offer.clientMaxWindowBits !== undefined;
  const offered = typeof offer.clientMaxWindowBits === "number" ? offer.clientMaxWindowBits : 15;
  const clientMaxWindowBits = mayLimitClient ? Math.min(offered, settings.clientMaxWindowBits) : 15;
  const parameters = {
    serverNoContextTakeover: offer.serverNoContextTakeover || settings.serverNoContextTakeover,
    clientNoContextTakeover: offer.clientNoContextTakeover || settings.clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits,
  };
  const extension = formatParameters({
    ...parameters,
    // §7.1.2.1: if the offer has the parameter, the answer must have it too, even if it is 15.
    serverMaxWindowBits: offer.serverMaxWindowBits === undefined && serverMaxWindowBits === 15
      ? undefined
      : serverMaxWindowBits,
    clientMaxWindowBits: clientMaxWindowBits === 15 ? undefined : clientMaxWindowBits,
  });
  return { extension, parameters, settings };
}

/**
 * The client's side: what to offer (RFC 7692 §7.1).
 *
 * @param settings The settings of the client.
 * @returns The offer.
 */
export function makeDeflateOffer(settings: CompressionSettings): Extension {
  const { serverMaxWindowBits: server, clientMaxWindowBits: client } = settings;
  return formatParameters({
    ...settings,
    serverMaxWindowBits: server === 15 ? undefined : server,
    // Without a value it says that the server may limit the client's window.
    clientMaxWindowBits: client === 15 ? true : client,
  });
}

/**
 * The client's side: adds an offer that asks the server for nothing, for servers that ignore parameters: their answer
 * fits no other offer (`findings/mojolicious_deflate_parameters.sh`, `findings/small_window_answers.sh`). Parameters of
 * the client's own side stay, which the client keeps to by itself.
 *
 * @param settings The settings of the client.
 * @returns What to offer, in that order.
 */
export function withPlainOffer(settings: CompressionSettings): readonly CompressionSettings[] {
  const { serverNoContextTakeover, serverMaxWindowBits } = settings;
  if (!serverNoContextTakeover && serverMaxWindowBits === 15) return [settings];
  return [settings, { ...settings, serverNoContextTakeover: false, serverMaxWindowBits: 15 }];
}

/**
 * The client's side: checks the answer of the server against the offers (RFC 7692 §5.1, §7.1).
 *
 * @param accepted The extensions in the answer.
 * @param offers The settings that were offered, in that order.
 * @returns The agreement, and the offer it answers; `undefined`: no compression.
 * @throws {HandshakeError} If the answer is not valid, or fits none of the offers.
 */
export function readDeflateAnswer(
  accepted: readonly Extension[],
  offers: readonly CompressionSettings[],
): DeflateAgreement | undefined {
  const answers = accepted.filter(({ name }) => name === PERMESSAGE_DEFLATE);
  if (answers.length === 0) return undefined;
  if (answers.length > 1) throw mismatch("it comes twice");
  const [extension] = answers;
  const answer = readParameters(extension!.parameters);
  if (typeof answer === "string") throw mismatch(answer);
  if (answer.clientMaxWindowBits === true) throw mismatch('the parameter "client_max_window_bits" has no value');
  const { serverNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = answer;
  const limits = { serverNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
  const settings = offers.find((offer) => fits(limits, offer));
  if (settings === undefined) throw mismatch("it fits nothing that was offered");
  return {
    extension: extension!,
    settings,
    parameters: {
      serverNoContextTakeover,
      serverMaxWindowBits: serverMaxWindowBits ?? 15,
      // The client may keep its own offer whatever the server answers.
      clientNoContextTakeover: answer.clientNoContextTakeover || settings.clientNoContextTakeover,
      clientMaxWindowBits: Math.min(clientMaxWindowBits ?? 15, settings.clientMaxWindowBits),
    },
  };
}

/**
 * Tells whether the server does what an offer asks of it (§7.1.1.1, §7.1.2.1), and no more than it allows (§7.1.2.2).
 */
type AnsweredLimits = { [Name in keyof DeflateParameters]?: DeflateParameters[Name] | undefined };

function fits(answer: AnsweredLimits, offer: CompressionSettings): boolean {
  if (offer.serverNoContextTakeover && !answer.serverNoContextTakeover) return false;
  if (offer.serverMaxWindowBits < 15 && (answer.serverMaxWindowBits ?? 16) > offer.serverMaxWindowBits) return false;
  return (answer.clientMaxWindowBits ?? 0) <= offer.clientMaxWindowBits;
}

function mismatch(why: string): HandshakeError {
  return new HandshakeError(
    "ERR_HANDSHAKE_RESPONSE",
    `The server's answer to ${PERMESSAGE_DEFLATE} is not valid: ${why}`,
    101,
  );
}

// ---- Transformation (RFC 7692 §7.2) -----------------------------------------------------------------------------

/** §7.2.1: the last bytes of a flush, left out on the wire, and appended by the receiver. */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
/** §7.2.3.6: an empty message, behind whatever went before. */
const EMPTY_MESSAGE = Uint8Array.of(0x00);
/** Memory of a state that decompresses beside two windows, that of zlib and our own, in bytes. */
const INFLATE_STATE = 8 * 1024;

/**
 * Free states that serve messages without context takeover. More than one is in use only while fragments are awaited.
 */
class Pool<State extends { reset(): void; close(): void }> {
  static readonly #LIMIT = 8;
  /** Free states, the last used one at the end. */
  #free: { key: string; state: State }[] = [];

  acquire(key: string, make: () => State): State {
    const at = this.#free.findLastIndex((free) => free.key === key);
    return at === -1 ? make() : this.#free.splice(at, 1)[0]!.state;
  }

  release(key: string, state: State): void {
    state.reset();
    this.#free.push({ key, state });
    if (this.#free.length > Pool.#LIMIT) this.#free.shift()!.state.close();
  }
}

const deflatePool = new Pool<RawDeflate>();
const inflatePool = new Pool<RawInflate>();

/** Compresses the messages that one end sends. */
export class MessageDeflater {
  /** Messages of fewer bytes are not to be compressed. */
  readonly threshold: number;
  /** The binary logarithm of the window. */
  readonly windowBits: number;
  /** True if a message may refer to those before it. */
  readonly takeover: boolean;
  #options: RawDeflateSettings;
  #key: string;
  #state: RawDeflate | undefined;
  /** True if the state differs from the peer's: it has a message that the peer lacks, or lacks one. */
  #stale = false;

  /**
   * Makes one; the memory is allocated with the first message.
   *
   * @param role The end that compresses.
   * @param parameters The agreed parameters.
   * @param settings Level, memory level and threshold.
   */
  constructor(role: Role, parameters: DeflateParameters, settings: CompressionSettings) {
    const { level, memoryLevel, threshold } = settings;
    const server = role === "server";
    this.threshold = threshold;
    this.windowBits = server ? parameters.serverMaxWindowBits : parameters.clientMaxWindowBits;
    this.takeover = !(server ? parameters.serverNoContextTakeover : parameters.clientNoContextTakeover);
    this.#options = { windowBits: this.windowBits, level, memoryLevel };
    this.#key = `${this.windowBits} ${level} ${memoryLevel}`;
  }

  /**
   * Compresses a fragment, or a whole message.
   *
   * @param payload Its bytes.
   * @param final Whether the message ends with it.
   * @returns The bytes to send; valid until the next call for any deflater.
   */
  compress(payload: Uint8Array, final: boolean): Uint8Array {
    const output = payload.length === 0 ? EMPTY : this.#compressBytes(payload);
    if (!final) return output;
    if (!this.takeover) this.#release();
    return output.length === 0 ? EMPTY_MESSAGE : output.subarray(0, -TAIL.length);
  }

  #compressBytes(payload: Uint8Array): Uint8Array {
    this.#state ??= this.takeover
      ? new RawDeflate(this.#options)
      : deflatePool.acquire(this.#key, () => new RawDeflate(this.#options));
    if (this.#stale) this.#state.reset();
    this.#stale = false;
    return this.#state.compress(payload);
  }

  #release(): void {
    if (this.#state !== undefined) deflatePool.release(this.#key, this.#state);
    this.#state = undefined;
  }

  /**
   * Begins the next message without a context: the last message was not sent, or sent in another form. The peer's
   * window may hold bytes that are not referred to.
   */
  forget(): void {
    this.#stale = this.takeover;
  }

  /** Frees the memory. */
  close(): void {
    if (this.takeover) this.#state?.close();
    else this.#release();
    this.#state = undefined;
  }
}

/**
 * Decompresses the messages that one end receives, piece by piece: the consumer of the output bounds its length.
 *
 * @example The "Hello" of RFC 7692 §7.2.3.1
 * ```ts
 * import { compressionSettings, MessageInflater } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * let text = "";
 * const sink = (bytes: Uint8Array, start: number, end: number) => {
 *   text += new TextDecoder().decode(bytes.subarray(start, end));
 * };
 * const inflater = new MessageInflater("server", compressionSettings(true)!);
 * inflater.decompress(Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), 0, 7, sink);
 * inflater.finish(sink);
 * inflater.close();
 * assertEquals(text, "Hello");
 * ```
 */
export class MessageInflater {
  #windowBits: number;
  #takeover: boolean;
  #key: string;
  #state: RawInflate | undefined;
  /** True if any byte of the current message has come. */
  #begun = false;
  #closed = false;

  /**
   * Makes one; the memory is allocated with the first message.
   *
   * @param role The end that decompresses.
   * @param parameters The agreed parameters.
   */
  constructor(role: Role, parameters: DeflateParameters) {
    const server = role === "server";
    this.#windowBits = server ? parameters.clientMaxWindowBits : parameters.serverMaxWindowBits;
    this.#takeover = !(server ? parameters.clientNoContextTakeover : parameters.serverNoContextTakeover);
    this.#key = String(this.#windowBits);
  }

  /**
   * The memory that the current message holds, in bytes; without context takeover that is the state, which serves
   * others afterwards.
   */
  get held(): number {
    return this.#state === undefined || this.#takeover ? 0 : INFLATE_STATE + 2 * (1 << this.#windowBits);
  }

  /**
   * Decompresses a piece of a message.
   *
   * @param bytes The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param sink Takes the output, valid until any inflater is called again; its exception ends the work.
   * @throws {ProtocolError} If the bytes are not DEFLATE.
   */
  decompress(bytes: Uint8Array, start: number, end: number, sink: OutputSink): void {
    if (this.#closed || start === end) return;
    this.#state ??= this.#takeover
      ? new RawInflate(this.#windowBits)
      : inflatePool.acquire(this.#key, () => new RawInflate(this.#windowBits));
    if (!this.#begun) this.#state.beginMessage();
    this.#begun = true;
    this.#state.decompress(bytes, start, end, sink);
  }

  /**
   * Completes a message.
   *
   * @param sink Takes the last output.
   * @throws {ProtocolError} If the message is not DEFLATE.
   */
  finish(sink: OutputSink): void {
    // Some peers send an empty message as no byte at all instead of 00 (§7.2.3.6): the tail alone is no block.
    if (!this.#begun) return;
    this.decompress(TAIL, 0, TAIL.length, sink);
    this.#begun = false;
    if (!this.#takeover) this.#release();
  }

  #release(): void {
    if (this.#state !== undefined) inflatePool.release(this.#key, this.#state);
    this.#state = undefined;
  }

  /** Frees the memory. */
  close(): void {
    this.#closed = true;
    // Also within a message: otherwise the states of many lost connections would wait for the garbage collector.
    if (!this.#takeover && this.#state?.faulty === false) return this.#release();
    this.#state?.close();
    this.#state = undefined;
  }
}
