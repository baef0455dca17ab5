/**
 * The encryption between WhatsApp Flows and the endpoint of a business, as Meta documents it for `data_api_version`
 * 3.0: RSA-OAEP with SHA-256 for the key of a request, AES-128-GCM for its data and for the answer
 * (developers.facebook.com, WhatsApp Flows, "Implementing endpoint for flows").
 *
 * @module
 */

import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  type KeyObject,
  privateDecrypt,
  timingSafeEqual,
} from "node:crypto";
import { concat } from "../base/bytes.ts";
import { fromBase64, toBase64 } from "../base/encoding.ts";
import { CertificateError, OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { loadPrivateKey } from "../base/private_key.ts";
import { assertSecrets, listOf } from "../base/secrets.ts";
import { FlowEndpointError } from "./flow_endpoint_error.ts";
import { isObject, type JsonObject, object, own, text, withoutUndefined } from "./json.ts";

/** Bytes of the key of a request. */
const KEY_BYTES = 16;
/** Bytes of the authentication tag behind encrypted data. */
const TAG_BYTES = 16;
/** Bytes that an initialization vector may have: 16 as documented, 12 as is usual for AES-GCM. */
const VECTOR_BYTES: readonly number[] = [16, 12];
/** Smallest RSA key in bits that is not refused; Meta asks for 2048. */
const MIN_MODULUS = 2048;

/**
 * A request of a flow: it opens, its screen is submitted, a selection changes, the user goes back, or WhatsApp asks
 * whether the endpoint works.
 */
export interface FlowRequest {
  /** `INIT`, `data_exchange`, `BACK`, or `ping`. */
  action: string;
  /** Version of the data exchange, such as `3.0`. */
  version?: string | undefined;
  /** The submitted screen; absent when the flow opens. */
  screen?: string | undefined;
  /** Values of the screen, as the client sent them: check them before use. `{}` if there are none. */
  data: JsonObject;
  /** The token that your message with the flow had. Some clients leave it out. */
  flowToken?: string | undefined;
  /** Signature of the token, from `data_api_version` 4.0 on: {@linkcode verifyFlowToken} checks it. */
  flowTokenSignature?: string | undefined;
  /** The client could not use your previous answer: the key of the error, and its text. */
  error?: { key: string; message: string } | undefined;
  /** The decrypted object. */
  raw: JsonObject;
}

/** The key of one request, with which its answer is encrypted. It does not show its bytes. */
export class FlowKey {
  readonly #key: Uint8Array;
  readonly #vector: Uint8Array;

  /**
   * Keeps a key.
   *
   * @param key The 16 bytes of the key.
   * @param vector The initialization vector of the request.
   */
  constructor(key: Uint8Array, vector: Uint8Array) {
    this.#key = key;
    this.#vector = vector;
  }

  /**
   * Decrypts the data of the request.
   *
   * @param sealed The encrypted bytes, and the tag behind them.
   * @returns The bytes.
   * @throws {FlowEndpointError} `ERR_FLOW_DATA` if they were not encrypted with this key, or were changed or cut.
   */
  open(sealed: Uint8Array): Uint8Array {
    if (sealed.length <= TAG_BYTES) throw new FlowEndpointError("ERR_FLOW_DATA", "The data of the flow are cut short");
    try {
      const decipher = createDecipheriv("aes-128-gcm", this.#key, this.#vector, { authTagLength: TAG_BYTES });
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      return concat(decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final());
    } catch {
      throw new FlowEndpointError(
        "ERR_FLOW_DATA",
        "The data of the flow do not match their tag: changed, or cut short",
      );
    }
  }

  /**
   * Encrypts an answer, with all bits of the vector inverted.
   *
   * @param answer The bytes.
   * @returns The encrypted bytes, and the tag behind them.
   */
  seal(answer: Uint8Array): Uint8Array {
    const flipped = this.#vector.map((byte) => byte ^ 0xff);
    const cipher = createCipheriv("aes-128-gcm", this.#key, flipped, { authTagLength: TAG_BYTES });
    return concat(cipher.update(answer), cipher.final(), cipher.getAuthTag());
  }
}

/** A decrypted request of a flow, and the key for its answer. */
export interface DecryptedFlowRequest {
  /** The request. */
  request: FlowRequest;
  /** Give it to {@linkcode encryptFlowResponse}. */
  key: FlowKey;
}

/**
 * Reads the private key of an endpoint.
 *
 * @param privateKey PEM text of an RSA key, encrypted or not.
 * @param passphrase Its pass phrase, if it is encrypted.
 * @returns The key.
 * @throws {CertificateError} If it is no RSA key of at least 2048 bits, or its pass phrase is missing or wrong.
 * @throws {OptionError} If it is no text of a PEM file.
 */
export async function loadFlowKey(privateKey: string, passphrase?: string): Promise<KeyObject> {
  assertKeyText(privateKey);
  const key = createPrivateKey(await loadPrivateKey(privateKey, "privateKey", () => assertPassphrase(passphrase)));
  const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_MODULUS;
  if (key.asymmetricKeyType === "rsa" && bits >= MIN_MODULUS) return key;
  const kind = key.asymmetricKeyType === "rsa" ? `an RSA key of ${bits} bits` : `of type "${key.asymmetricKeyType}"`;
  throw new CertificateError("ERR_KEY", `The key "privateKey" is ${kind}: flows need RSA with 2048 bits`);
}

/**
 * Checks that a value looks like a private key, as far as can be told at once.
 *
 * @param privateKey The value.
 * @throws {OptionError} If it is no text of a PEM file.
 */
export function assertKeyText(privateKey: unknown): asserts privateKey is string {
  const wanted = 'the text of a PEM file with "BEGIN … PRIVATE KEY"';
  if (typeof privateKey !== "string") {
    throw new OptionError(`The option "privateKey" is ${kindOf(privateKey)} instead of ${wanted}`);
  }
  if (!privateKey.includes("PRIVATE KEY-----")) {
    throw new OptionError(`The option "privateKey" is a text of ${privateKey.length} characters, not ${wanted}`);
  }
  // Environment variables often hold a PEM text in one line.
  if (privateKey.includes("\\n")) {
    throw new OptionError('The option "privateKey" has "\\n" in place of line breaks: replace each by a line break');
  }
}

/** Names the kind of a value that may be a key. */
function kindOf(value: unknown): string {
  return typeof value === "object" ? showValue(value) : `of type ${typeof value}`;
}

function assertPassphrase(passphrase: unknown): string {
  if (typeof passphrase === "string") return passphrase;
  throw new CertificateError("ERR_KEY_PASSWORD_MISSING", 'The key "privateKey" is encrypted: set "passphrase"');
}

/**
 * Decrypts a request of a flow. Check its signature first: {@linkcode verifySignature}.
 *
 * @param body The body of Meta's POST: text, bytes, or the object of its JSON.
 * @param privateKey PEM text of the RSA key whose public half Meta has.
 * @param passphrase Its pass phrase, if it is encrypted.
 * @returns The request, and the key for its answer.
 * @throws {FlowEndpointError} If it cannot be decrypted: answer with its `status`.
 * @throws {CertificateError} If the private key cannot be used.
 * @throws {OptionError} If the private key is no text of a PEM file.
 *
 * @example A handler of another server
 * ```ts
 * import { decryptFlowRequest, encryptFlowResponse } from "@tackline/websocket/cloud-api";
 *
 * export async function answer(body: string, privateKey: string): Promise<string> {
 *   const { request, key } = await decryptFlowRequest(body, privateKey);
 *   if (request.action === "ping") return encryptFlowResponse({ data: { status: "active" } }, key);
 *   return encryptFlowResponse({ screen: "DATES", data: { dates: ["2026-12-01"] } }, key);
 * }
 * ```
 */
export async function decryptFlowRequest(
  body: string | Uint8Array | JsonObject,
  privateKey: string,
  passphrase?: string,
): Promise<DecryptedFlowRequest> {
  return decryptWith(await loadFlowKey(privateKey, passphrase), body);
}

/**
 * Decrypts a request of a flow with a key that was read before.
 *
 * @param privateKey The key.
 * @param body The body of Meta's POST.
 * @returns The request, and the key for its answer.
 * @throws {FlowEndpointError} If it cannot be decrypted.
 */
export function decryptWith(privateKey: KeyObject, body: string | Uint8Array | JsonObject): DecryptedFlowRequest {
  const envelope = typeof body === "string" || body instanceof Uint8Array
    ? parse(body, "The body of the request")
    : body;
  const encryptedKey = fieldOf(envelope, "encrypted_aes_key");
  const data = fieldOf(envelope, "encrypted_flow_data");
  const vector = fieldOf(envelope, "initial_vector");
  if (!VECTOR_BYTES.includes(vector.length)) {
    throw new FlowEndpointError("ERR_FLOW_BODY", `"initial_vector" has ${vector.length} bytes instead of 16`);
  }
  const key = new FlowKey(decryptKey(privateKey, encryptedKey), vector);
  return { request: readRequest(parse(key.open(data), "The decrypted request")), key };
}

/**
 * Encrypts the answer to a request of a flow.
 *
 * @param response The answer: `{ screen, data }`, or `{ data }`.
 * @param key The key of the request.
 * @returns The body of the response, to be sent as `text/plain`.
 */
export function encryptFlowResponse(response: object, key: FlowKey): string {
  return toBase64(key.seal(new TextEncoder().encode(JSON.stringify(response))));
}

/**
 * Checks the signature of a flow token, a JSON Web Token with HS256 that clients send from `data_api_version` 4.0 on.
 *
 * @param request The request.
 * @param appSecret The app secret, or several, as while one is replaced.
 * @returns `true` if the signature was made with one of them, for the token of this request.
 * @throws {OptionError} If there is no secret, or one is empty.
 */
export function verifyFlowToken(request: FlowRequest, appSecret: string | readonly string[]): boolean {
  assertSecrets("appSecret", appSecret);
  const { flowToken, flowTokenSignature = "" } = request;
  const [head, payload, signature, ...more] = flowTokenSignature.split(".");
  if (head === undefined || payload === undefined || signature === undefined || more.length > 0) return false;
  const shown = fromBase64(signature);
  let matches = false;
  for (const secret of listOf(appSecret)) {
    const expected = createHmac("sha256", secret).update(`${head}.${payload}`).digest();
    if (shown.length === expected.length && timingSafeEqual(shown, expected)) matches = true;
  }
  return matches && claim(head, "alg") === "HS256" && flowToken !== undefined &&
    claim(payload, "flow_token") === flowToken;
}

/** Reads a text of a part of a JSON Web Token. */
function claim(part: string, name: string): string | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(fromBase64(part)));
    return isObject(json) ? text(json, name) : undefined;
  } catch {
    return undefined;
  }
}

/** Decrypts the key of a request: one error for all faults, so that nothing can be learnt from them. */
function decryptKey(privateKey: KeyObject, encrypted: Uint8Array): Uint8Array {
  let key: Uint8Array | undefined;
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    key = new Uint8Array(privateDecrypt({ key: privateKey, padding, oaepHash: "sha256" }, encrypted));
  } catch {
    // Reported below: the error of the runtime says less.
  }
  if (key?.length === KEY_BYTES) return key;
  throw new FlowEndpointError(
    "ERR_FLOW_KEY",
    "The key of the request cannot be decrypted: Meta may have another public key than that of privateKey",
  );
}

function parse(source: string | Uint8Array, subject: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source));
  } catch {
    // The error of the runtime quotes the text.
    throw new FlowEndpointError("ERR_FLOW_BODY", `${subject} is not JSON`);
  }
  if (isObject(json)) return json;
  throw new FlowEndpointError("ERR_FLOW_BODY", `${subject} is not a JSON object`);
}

function fieldOf(envelope: JsonObject, name: string): Uint8Array {
  const value = own(envelope, name);
  const bytes = fromBase64(typeof value === "string" ? value : "");
  if (bytes.length > 0) return bytes;
  throw new FlowEndpointError("ERR_FLOW_BODY", `The body of the request has no base64 in "${name}"`);
}

function readRequest(raw: JsonObject): FlowRequest {
  const action = text(raw, "action");
  if (action === undefined) throw new FlowEndpointError("ERR_FLOW_BODY", 'The decrypted request has no "action"');
  const data = object(raw, "data") ?? {};
  return withoutUndefined({
    action,
    version: text(raw, "version"),
    screen: text(raw, "screen") || undefined,
    data,
    flowToken: text(raw, "flow_token"),
    flowTokenSignature: text(raw, "flow_token_signature"),
    error: readError(data),
    raw,
  });
}

/** Meta's page has the key of an error as `error`, and as `error_key`; the text is beside it. */
function readError(data: JsonObject): FlowRequest["error"] {
  const key = text(data, "error") ?? text(data, "error_key");
  const message = text(data, "error_message");
  return key === undefined || message === undefined ? undefined : { key, message };
}
