/**
 * Files that users attach in a flow (PhotoPicker, DocumentPicker) and that reach the endpoint: encrypted with
 * AES-256-CBC, with the first 10 bytes of an HMAC behind them
 * (developers.facebook.com, WhatsApp Flows, "Media upload components").
 *
 * @module
 */

import { createDecipheriv, createHash, createHmac, timingSafeEqual } from "node:crypto";
import { concat, concatAll } from "../base/bytes.ts";
import { fromBase64 } from "../base/encoding.ts";
import { quote } from "../base/error_text.ts";
import { FlowEndpointError } from "./flow_endpoint_error.ts";
import { isObject, type JsonObject, object, text, withoutUndefined } from "./json.ts";

/** Bytes of the HMAC behind an encrypted file. */
const MAC_BYTES = 10;
const BLOCK_BYTES = 16;
/** Hosts of Meta's files, with all below them. */
const CDN_HOSTS: readonly string[] = ["whatsapp.net", "fbcdn.net", "fbsbx.com"];

/** A file that a user attached in a flow. It is on Meta's servers for up to 20 days, encrypted. */
export interface FlowMedia {
  /** Its id, which error messages for the picker name. */
  mediaId?: string | undefined;
  /** Its name, as the user's device has it: do not use it as a path. */
  fileName?: string | undefined;
  /**
   * The URL of the encrypted file. It comes from the user's device: `api.flows.media` fetches it only from hosts of
   * Meta, and follows no redirect.
   */
  cdnUrl: string;
  /** Keys and digests, in base64. */
  encryption: {
    /** Key of AES-256, 32 bytes. */
    encryptionKey: string;
    /** Key of the HMAC, 32 bytes. */
    hmacKey: string;
    /** Initialization vector, 16 bytes. */
    iv: string;
    /** SHA-256 of the encrypted file. */
    encryptedHash: string;
    /** SHA-256 of the decrypted file. */
    plaintextHash: string;
  };
}

/**
 * Reads the files in the value of a picker.
 *
 * @param value The value, such as `request.data.photos`.
 * @returns The files; entries that are no files of this form are left out.
 */
export function flowMediaOf(value: unknown): FlowMedia[] {
  const entries: unknown[] = Array.isArray(value) ? value : [value];
  return entries.filter(isObject).flatMap((entry) => readMedia(entry) ?? []);
}

function readMedia(entry: JsonObject): FlowMedia | undefined {
  const cdnUrl = text(entry, "cdn_url");
  const metadata = object(entry, "encryption_metadata");
  if (cdnUrl === undefined || metadata === undefined) return undefined;
  return withoutUndefined({
    mediaId: text(entry, "media_id"),
    fileName: text(entry, "file_name"),
    cdnUrl,
    encryption: {
      encryptionKey: text(metadata, "encryption_key") ?? "",
      hmacKey: text(metadata, "hmac_key") ?? "",
      iv: text(metadata, "iv") ?? "",
      encryptedHash: text(metadata, "encrypted_hash") ?? "",
      plaintextHash: text(metadata, "plaintext_hash") ?? "",
    },
  });
}

/**
 * Decrypts a file that a user attached in a flow, and checks both of its digests and its HMAC.
 *
 * @param file The bytes that `cdnUrl` gives.
 * @param media The file, of {@linkcode flowMediaOf}.
 * @returns The bytes. Check what they are: neither the name nor the type is to be trusted.
 * @throws {FlowEndpointError} `ERR_FLOW_MEDIA` if the file is cut short, was changed, or is not that of these keys.
 *
 * @example The photos of a screen, fetched by the program
 * ```ts
 * import { decryptFlowMedia, flowMediaOf } from "@tackline/websocket/cloud-api";
 *
 * export async function photosOf(data: Record<string, unknown>): Promise<Uint8Array[]> {
 *   return await Promise.all(flowMediaOf(data.photos).map(async (media) => {
 *     if (new URL(media.cdnUrl).host !== "mmg.whatsapp.net") throw new Error("not a file of WhatsApp");
 *     const response = await fetch(media.cdnUrl, { redirect: "error" });
 *     return decryptFlowMedia(new Uint8Array(await response.arrayBuffer()), media);
 *   }));
 * }
 * ```
 */
export function decryptFlowMedia(file: Uint8Array, media: FlowMedia): Uint8Array<ArrayBuffer> {
  const { encryptionKey, hmacKey, iv, encryptedHash, plaintextHash } = media.encryption;
  const key = bytesOf(encryptionKey, 32, "encryptionKey");
  const vector = bytesOf(iv, BLOCK_BYTES, "iv");
  const encrypted = file.subarray(0, Math.max(0, file.length - MAC_BYTES));
  if (encrypted.length === 0 || encrypted.length % BLOCK_BYTES !== 0) {
    throw fault(`has ${file.length} bytes: it is cut short`);
  }
  assertDigest(file, encryptedHash, "the encrypted file does not match encryptedHash");
  const mac = createHmac("sha256", bytesOf(hmacKey, 32, "hmacKey")).update(vector).update(encrypted).digest();
  if (!timingSafeEqual(mac.subarray(0, MAC_BYTES), file.subarray(encrypted.length))) {
    throw fault("does not match its HMAC");
  }
  const plain = decipher(encrypted, key, vector);
  assertDigest(plain, plaintextHash, "the decrypted file does not match plaintextHash");
  return plain;
}

function decipher(encrypted: Uint8Array, key: Uint8Array, vector: Uint8Array): Uint8Array<ArrayBuffer> {
  try {
    const cipher = createDecipheriv("aes-256-cbc", key, vector);
    return concat(cipher.update(encrypted), cipher.final());
  } catch {
    throw fault("was not encrypted with its encryptionKey");
  }
}

function assertDigest(bytes: Uint8Array, expected: string, message: string): void {
  const digest = createHash("sha256").update(bytes).digest();
  if (!timingSafeEqual(digest, bytesOf(expected, digest.length, "digest"))) throw fault(`is refused: ${message}`);
}

function bytesOf(base64: string, length: number, name: string): Uint8Array {
  const bytes = fromBase64(base64);
  if (bytes.length === length) return bytes;
  throw fault(`has a ${quote(name)} of ${bytes.length} bytes instead of ${length}`);
}

/**
 * Checks the URL of an encrypted file, which comes from the user's device: it could lead to a server of your own
 * network.
 *
 * @param cdnUrl The URL.
 * @param ownOrigin Origin that is allowed besides Meta's: that of the API.
 * @returns The URL.
 * @throws {FlowEndpointError} `ERR_FLOW_MEDIA` if it is of another host, or not https.
 */
export function checkCdnUrl(cdnUrl: string, ownOrigin: string): URL {
  if (!URL.canParse(cdnUrl)) throw fault("has no usable URL");
  const url = new URL(cdnUrl);
  const { protocol, port, username, password, hostname, origin } = url;
  if (username + password === "") {
    if (origin === ownOrigin) return url;
    const isMeta = CDN_HOSTS.some((host) => hostname === host || hostname.endsWith(`.${host}`));
    if (protocol === "https:" && port === "" && isMeta) return url;
  }
  throw fault(`has a URL of ${quote(origin)}, which is not a server of Meta`);
}

/**
 * Collects an encrypted file, and gives up as soon as it is too large.
 *
 * @param stream The bytes.
 * @param maxSize Largest size of the decrypted file, in bytes; 0: any.
 * @returns The bytes.
 * @throws {FlowEndpointError} `ERR_FLOW_MEDIA` if there are more.
 */
export async function collectFile(stream: ReadableStream<Uint8Array>, maxSize: number): Promise<Uint8Array> {
  const limit = maxSize === 0 ? Infinity : maxSize + BLOCK_BYTES + MAC_BYTES;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > limit) throw fault(`has more than ${maxSize} bytes`);
    pieces.push(piece);
  }
  return concatAll(pieces);
}

function fault(what: string): FlowEndpointError {
  return new FlowEndpointError("ERR_FLOW_MEDIA", `The file of the flow ${what}`);
}
