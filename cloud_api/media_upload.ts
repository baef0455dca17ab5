/**
 * Files on their way to the Graph API: checked before the first byte, whole if they are small, and else piece by piece,
 * so that no file is collected in memory.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { isFieldContent } from "../base/token.ts";
import type { CallLimits } from "./call_limits.ts";
import type { UploadOptions, UploadSource } from "./calls.ts";
import {
  assertMediaSize,
  assertMediaType,
  extensionOf,
  isKnownType,
  kindOf,
  MEDIA_KINDS,
  type MediaKind,
  sizeLimit,
  typeOfName,
  withoutParameters,
} from "./media_types.ts";

/** Size of a piece: a slow network may take the time limit of a call for each. */
const PIECE_SIZE = 65_536;
/** Largest file that is sent whole: its length is in the head on each runtime, and the time limit is for all of it. */
const WHOLE_SIZE = 4 * PIECE_SIZE;
/** Bytes that tell a static sticker from an animated one. */
const HEAD_SIZE = 32;
const NOTHING = /* @__PURE__ */ new Uint8Array();

/** A file that has been checked. */
export interface CheckedFile {
  /** Its bytes. */
  readonly source: UploadSource;
  /** Its MIME type. */
  readonly mimeType: string;
  /** Its name, without folders. */
  readonly filename: string;
  /** Kind of message that it is for. */
  readonly kind: MediaKind;
  /** Its size in bytes; `undefined` for a stream of unknown length. */
  readonly size: number | undefined;
  /** The largest size. */
  readonly limit: number;
}

/**
 * Runs the calls that upload files. If they fail, streams that none of them has begun to read are cancelled too:
 * nothing else would release the files behind them.
 *
 * @param sources The files.
 * @param calls The calls.
 * @returns Their result.
 * @throws The error of the calls.
 */
export async function releasing<Result>(
  sources: readonly UploadSource[],
  calls: () => Promise<Result>,
): Promise<Result> {
  try {
    return await calls();
  } catch (error) {
    for (const source of sources) {
      // A stream with a reader belongs to its attempt, or to the program.
      if (!(source instanceof ReadableStream) || source.locked) continue;
      source.cancel(error).catch(() => {
        // It has failed already.
      });
    }
    throw error;
  }
}

/** Parts of the call that uploads a file: a body that is sent whole, or piece by piece. */
export interface UploadCall {
  /** Header fields. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body of a small file. */
  readonly body?: Uint8Array<ArrayBuffer>;
  /** The body of another file. */
  readonly upload?: Upload;
}

/**
 * Checks a file before it is uploaded.
 *
 * @param source The file.
 * @param options Its type, name, and size.
 * @returns The file with what is known of it.
 * @throws {OptionError} If its type or size is not allowed, or it is no file.
 */
export async function checkFile(source: UploadSource, options: UploadOptions): Promise<CheckedFile> {
  assertSource(source);
  const name = options.filename ?? nameOf(source);
  const given = readType(options.mimeType ?? (typeOfBlob(source) || typeOfName(name ?? "")));
  const kind = readKind(given, options);
  // Runtimes add a charset to the type of a file; only the codec of audio says more than the type.
  const mimeType = kind === "audio" ? given : withoutParameters(given);
  const size = sizeOf(source) ?? options.size;
  const limit = sizeLimit(kind, kind === "sticker" ? await headOf(source) : undefined);
  if (size !== undefined) assertMediaSize(size, limit, kind);
  const filename = lastPart(name) ?? `file.${extensionOf(mimeType) ?? "bin"}`;
  return { source, mimeType, filename, kind, size, limit };
}

function readType(given: string | undefined): string {
  if (given === undefined) {
    throw new OptionError('The type of the file is unknown: give the option "mimeType", such as "image/jpeg"');
  }
  if (typeof given === "string" && given.includes("/") && isFieldContent(given)) return given;
  throw new OptionError(`The option "mimeType" is ${quote(String(given))}: not a MIME type`);
}

function readKind(mimeType: string, { kind, checkType = true }: UploadOptions): MediaKind {
  if (kind !== undefined && !MEDIA_KINDS.includes(kind)) {
    throw new OptionError(`The option "kind" is ${quote(String(kind))}: give one of ${MEDIA_KINDS.join(", ")}`);
  }
  // The size of an unknown type is Meta's affair: a document may have the largest.
  const likely = kind ?? (checkType || isKnownType(mimeType) ? kindOf(mimeType) : "document");
  if (checkType) assertMediaType(mimeType, likely);
  return likely;
}

function assertSource(source: UploadSource): void {
  if (source instanceof Blob || source instanceof Uint8Array || source instanceof ArrayBuffer) return;
  if (!(source instanceof ReadableStream)) {
    throw new OptionError("Cannot upload: the file is no Blob, Uint8Array, ArrayBuffer, or ReadableStream of bytes");
  }
  if (source.locked) throw new OptionError("Cannot upload: the stream has another reader");
}

/** Files of a runtime have the path as their name. */
function nameOf(source: UploadSource): string | undefined {
  const name: unknown = source instanceof Blob && "name" in source ? source.name : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Runtimes give this type to files whose extension they do not know. */
function typeOfBlob(source: UploadSource): string {
  const type = source instanceof Blob ? source.type : "";
  return type === "application/octet-stream" ? "" : type;
}

function sizeOf(source: UploadSource): number | undefined {
  if (source instanceof ReadableStream) return undefined;
  return source instanceof Blob ? source.size : source.byteLength;
}

/** Reads the beginning of a file that can be read again. */
async function headOf(source: UploadSource): Promise<Uint8Array | undefined> {
  if (source instanceof ReadableStream) return undefined;
  if (source instanceof Blob) return new Uint8Array(await source.slice(0, HEAD_SIZE).arrayBuffer());
  return bytesOf(source).subarray(0, HEAD_SIZE);
}

/** Bytes of shared memory are copied: a request does not take them. */
function bytesOf(source: Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (!(source instanceof Uint8Array)) return new Uint8Array(source);
  return source.buffer instanceof ArrayBuffer ? source as Uint8Array<ArrayBuffer> : new Uint8Array(source);
}

/** Removes folders, which the name of a file of a runtime begins with. */
function lastPart(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1) || undefined;
}

/**
 * Makes the call that uploads a file as a form.
 *
 * @param file The file.
 * @param fields Fields before it.
 * @returns The body and its header fields.
 */
export function formCall(file: CheckedFile, fields: Readonly<Record<string, string>>): Promise<UploadCall> {
  const boundary = `tackline-${crypto.randomUUID()}`;
  const parts = Object.entries(fields).map(([name, value]) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  );
  const disposition = `form-data; name="file"; filename="${escapeName(file.filename)}"`;
  parts.push(`--${boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${file.mimeType}\r\n\r\n`);
  const encoder = new TextEncoder();
  const ends = { head: encoder.encode(parts.join("")), tail: encoder.encode(`\r\n--${boundary}--\r\n`) };
  return uploadCall(file, `multipart/form-data; boundary=${boundary}`, ends);
}

/**
 * Makes the call that uploads the bytes of a file.
 *
 * @param file The file.
 * @param type Type of the body.
 * @param ends Bytes before and behind it.
 * @returns The body and its header fields.
 */
export async function uploadCall(
  file: CheckedFile,
  type: string = file.mimeType,
  ends: { head: Uint8Array; tail: Uint8Array } = { head: NOTHING, tail: NOTHING },
): Promise<UploadCall> {
  const { source, size } = file;
  const headers = { "content-type": type };
  if (source instanceof ReadableStream || size === undefined || size > WHOLE_SIZE) {
    return { headers, upload: new Upload(file, ends) };
  }
  const bytes = source instanceof Blob ? new Uint8Array(await source.arrayBuffer()) : bytesOf(source);
  return { headers, body: concat(ends.head, bytes, ends.tail) };
}

/** As browsers write names of files into a form. */
function escapeName(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A body that is sent piece by piece. */
export class Upload {
  readonly #file: CheckedFile;
  readonly #ends: { head: Uint8Array; tail: Uint8Array };

  /**
   * Keeps the file; reads nothing.
   *
   * @param file The file.
   * @param ends Bytes before and behind it.
   */
  constructor(file: CheckedFile, ends: { head: Uint8Array; tail: Uint8Array }) {
    this.#file = file;
    this.#ends = ends;
  }

  /** Length of the body in bytes, if it is known. */
  get length(): number | undefined {
    const { head, tail } = this.#ends;
    const { size } = this.#file;
    return size === undefined ? undefined : head.length + size + tail.length;
  }

  /** `true` if the bytes can be read again for another attempt. */
  get canRepeat(): boolean {
    return !(this.#file.source instanceof ReadableStream);
  }

  /**
   * Begins an attempt.
   *
   * @param limits Its limits: their timer starts anew with each piece.
   * @returns The body.
   * @throws {OptionError} If the stream has another reader meanwhile.
   */
  open(limits: CallLimits): OpenUpload {
    const { source } = this.#file;
    assertSource(source);
    const stream = source instanceof Blob ? source.stream() : source;
    const reader = stream instanceof ReadableStream ? stream.getReader() : new BytesReader(bytesOf(stream));
    return new OpenUpload(new Pieces(this.#file, this.#ends, reader), limits);
  }
}

/** One attempt to send a body. */
export class OpenUpload {
  /** The body. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #pieces: Pieces;
  readonly #limits: CallLimits;
  #state: "sending" | "sent" | "failed" | "given up" = "sending";
  #failure: unknown;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

  /**
   * Begins with the first piece as soon as one is asked for.
   *
   * @param pieces The pieces.
   * @param limits The limits of the attempt.
   */
  constructor(pieces: Pieces, limits: CallLimits) {
    this.#pieces = pieces;
    this.#limits = limits;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#sendPiece(),
      cancel: (reason) => this.#giveUp(reason),
    }, { highWaterMark: 0 });
  }

  /**
   * Throws what has made reading the file fail.
   *
   * @throws An error of the program's stream, or an OptionError for a file that is not as large as it should be.
   */
  throwIfFailed(): void {
    if (this.#state === "failed") throw this.#failure;
  }

  /**
   * Ends the attempt: an API that has answered early does not get the rest, which Deno 2.9 goes on sending
   * (`findings/deno_fetch_sends_on.sh`).
   */
  end(): void {
    if (this.#state !== "sending") return;
    const reason = new Error("the call has ended");
    this.#giveUp(reason);
    this.#controller.error(reason);
  }

  async #sendPiece(): Promise<void> {
    // A slow source is no fault of the API.
    this.#limits.stopTimer();
    try {
      const piece = await this.#pieces.next();
      if (this.#state !== "sending") return;
      this.#limits.startTimer();
      if (piece !== undefined) return this.#controller.enqueue(piece);
      this.#state = "sent";
      this.#controller.close();
    } catch (error) {
      if (this.#state !== "sending") return;
      this.#state = "failed";
      this.#failure = error;
      this.#pieces.cancel(error);
      this.#controller.error(error);
    }
  }

  #giveUp(reason: unknown): void {
    if (this.#state !== "sending") return;
    this.#state = "given up";
    this.#pieces.cancel(reason);
  }
}

/** The part of a reader that is used here. */
interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** Reads bytes in memory. */
class BytesReader implements ByteReader {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }
  read(): ReturnType<ByteReader["read"]> {
    const value = this.#bytes;
    this.#bytes = undefined;
    return Promise.resolve({ done: value === undefined, value });
  }
  cancel(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * Cuts a body into pieces, and counts the bytes of its file: Deno gives a file as one piece
 * (`findings/deno_open_as_blob_memory.sh`).
 */
class Pieces {
  readonly #file: CheckedFile;
  readonly #reader: ByteReader;
  readonly #tail: Uint8Array;
  #rest: Uint8Array;
  #count = 0;
  #isAtEnd = false;

  constructor(file: CheckedFile, { head, tail }: { head: Uint8Array; tail: Uint8Array }, reader: ByteReader) {
    this.#file = file;
    this.#reader = reader;
    this.#rest = head;
    this.#tail = tail;
  }

  /** Returns the next piece; `undefined` at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#rest.length === 0) {
      if (this.#isAtEnd) return undefined;
      const { done, value } = await this.#reader.read();
      if (done) this.#finish();
      else this.#add(value!);
      this.#isAtEnd = done;
      this.#rest = done ? this.#tail : value!;
    }
    const piece = this.#rest.subarray(0, PIECE_SIZE);
    this.#rest = this.#rest.subarray(PIECE_SIZE);
    return bytesOf(piece);
  }

  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {
      // The source has failed already.
    });
  }

  #add(piece: Uint8Array): void {
    if (!(piece instanceof Uint8Array)) throw new OptionError("Cannot upload: the stream gave no Uint8Array");
    const { size, limit, kind } = this.#file;
    this.#count += piece.length;
    if (size === undefined) assertMediaSize(Math.max(this.#count, 1), limit, kind);
    else if (this.#count > size) throw new OptionError(`Cannot upload: the file has more than its ${size} bytes`);
  }

  #finish(): void {
    const { size, limit, kind } = this.#file;
    if (size === undefined) return assertMediaSize(this.#count, limit, kind);
    if (this.#count === size) return;
    throw new OptionError(`Cannot upload: the file ends after ${this.#count} of its ${size} bytes`);
  }
}
