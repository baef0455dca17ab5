/**
 * Private keys in PEM, encrypted or not, in a form that every runtime takes.
 *
 * Encrypted keys are decrypted here, step by step, on the primitives of Web Crypto and `node:crypto`:
 * `createPrivateKey` of Deno 2.9 takes a key whose PBKDF2 uses the default HMAC-SHA-1 for one with a wrong pass phrase
 * (`findings/deno_private_key_hash.sh`), does not know AES-192, and neither runtime says which cipher it does not know.
 *
 * @module
 */

import { createDecipheriv, createHash, createPrivateKey, pbkdf2Sync } from "node:crypto";
import { concat } from "./bytes.ts";
import { fromBase64, hex, toBase64 } from "./encoding.ts";
import { CertificateError, describe } from "./errors.ts";
import { children, contents, type DerValue, readValue, Tag } from "./der.ts";

/** Asks for the pass phrase of a key. */
export type PasswordProvider = () => string | Promise<string>;

/** Cipher of an encrypted key. */
interface Cipher {
  name: "AES-CBC" | "DES-EDE3-CBC";
  /** In bytes. */
  keyLength: number;
}

/** Ciphers of the traditional form, by their name in `DEK-Info`. */
const TRADITIONAL_CIPHERS = new Map<string, Cipher>([
  ["AES-128-CBC", { name: "AES-CBC", keyLength: 16 }],
  ["AES-192-CBC", { name: "AES-CBC", keyLength: 24 }],
  ["AES-256-CBC", { name: "AES-CBC", keyLength: 32 }],
  ["DES-EDE3-CBC", { name: "DES-EDE3-CBC", keyLength: 24 }],
]);

/** Object identifiers (RFC 8018), by the hexadecimal form of their DER contents. */
const PBES2 = "2a864886f70d01050d";
const PBKDF2 = "2a864886f70d01050c";
const CIPHERS = new Map<string, Cipher>([
  ["608648016503040102", { name: "AES-CBC", keyLength: 16 }],
  ["608648016503040116", { name: "AES-CBC", keyLength: 24 }],
  ["60864801650304012a", { name: "AES-CBC", keyLength: 32 }],
  ["2a864886f70d0307", { name: "DES-EDE3-CBC", keyLength: 24 }],
]);
const DIGESTS = new Map([
  ["2a864886f70d0207", "sha1"],
  ["2a864886f70d0208", "sha224"],
  ["2a864886f70d0209", "sha256"],
  ["2a864886f70d020a", "sha384"],
  ["2a864886f70d020b", "sha512"],
]);
/** More rounds than this would let a key file stop the program for minutes. */
const MAX_ITERATIONS = 10_000_000;

/**
 * Decrypts a private key if it is encrypted.
 *
 * @param pem The text of the file.
 * @param file Its name, for error messages.
 * @param password Asked for the pass phrase, only if the key is encrypted.
 * @returns The key as PKCS#8 PEM, not encrypted.
 * @throws {CertificateError} If it is no key, its cipher is not supported, or the pass phrase is missing or wrong.
 */
export async function loadPrivateKey(pem: string, file: string, password?: PasswordProvider): Promise<string> {
  const block = readKeyBlock(pem);
  if (block === undefined) throw new CertificateError("ERR_KEY", `There is no private key in "${file}"`);
  if (block.label === "ENCRYPTED PRIVATE KEY") return await decryptPkcs8(block, file, password);
  if (block.dekInfo !== undefined) return await decryptTraditional(block, block.dekInfo, file, password);
  try {
    // Only the key: the file may hold certificates too.
    return toPem(createPrivateKey(writePem(block.label, fromBase64(block.base64))));
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function toPem(key: ReturnType<typeof createPrivateKey>): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

async function ask(file: string, password: PasswordProvider | undefined): Promise<string> {
  if (password === undefined) {
    throw new CertificateError("ERR_KEY_PASSWORD_MISSING", `The key "${file}" is encrypted: set onGetSSLPassword`);
  }
  return await password();
}

function unreadable(file: string, cause: unknown): CertificateError {
  return new CertificateError("ERR_KEY", `The key "${file}" cannot be read: ${describe(cause)}`, { cause });
}

function unsupported(file: string, what: string): CertificateError {
  return new CertificateError(
    "ERR_KEY_CIPHER_UNSUPPORTED",
    `The key "${file}" is encrypted with "${what}"; AES-128, AES-192, AES-256 and DES-EDE3 in CBC mode are supported`,
  );
}

// ---- PEM (RFC 7468, and RFC 1421 for the headers of the traditional form) -----------------------------------------

interface PemBlock {
  label: string;
  /** The value of the `DEK-Info` header: cipher and initialization vector. */
  dekInfo: string | undefined;
  base64: string;
}

/** The first block whose label says that it holds a private key. */
function readKeyBlock(pem: string): PemBlock | undefined {
  let block: PemBlock | undefined;
  for (const line of pem.split("\n").map((one) => one.trim())) {
    const label = line.startsWith("-----BEGIN ") && line.endsWith("-----") ? line.slice(11, -5) : undefined;
    if (label?.endsWith("PRIVATE KEY")) block = { label, dekInfo: undefined, base64: "" };
    else if (block === undefined) continue;
    else if (line === `-----END ${block.label}-----`) return block;
    else if (line.startsWith("DEK-Info:")) block.dekInfo = line.slice("DEK-Info:".length).trim();
    else if (!line.includes(":")) block.base64 += line;
  }
  return undefined;
}

function writePem(label: string, der: Uint8Array): string {
  const base64 = toBase64(der);
  let lines = "";
  for (let at = 0; at < base64.length; at += 64) lines += base64.slice(at, at + 64) + "\n";
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

// ---- Decrypting --------------------------------------------------------------------------------------------------

/** RFC 5958 §3: EncryptedPrivateKeyInfo, with PBES2 and PBKDF2 of RFC 8018. */
async function decryptPkcs8(block: PemBlock, file: string, password: PasswordProvider | undefined): Promise<string> {
  let encrypted: EncryptedKey;
  try {
    encrypted = parseEncryptedKey(fromBase64(block.base64), file);
  } catch (cause) {
    throw cause instanceof CertificateError ? cause : unreadable(file, cause);
  }
  const { salt, iterations, digest, cipher, iv, data } = encrypted;
  const passphrase = await ask(file, password);
  const key = pbkdf2Sync(passphrase, salt, iterations, cipher.keyLength, digest);
  return await decrypt(cipher, Uint8Array.from(key), iv, data, "PRIVATE KEY", file);
}

/** RFC 1421 §4.6.1.1 with OpenSSL's key derivation: MD5 over pass phrase and the first 8 bytes of the vector. */
async function decryptTraditional(
  block: PemBlock,
  dekInfo: string,
  file: string,
  password: PasswordProvider | undefined,
): Promise<string> {
  const [name, hexIv = ""] = dekInfo.split(",").map((part) => part.trim());
  const cipher = TRADITIONAL_CIPHERS.get(name!.toUpperCase());
  if (cipher === undefined) throw unsupported(file, name!);
  let iv: Uint8Array<ArrayBuffer>;
  let data: Uint8Array<ArrayBuffer>;
  try {
    iv = fromHex(hexIv);
    data = fromBase64(block.base64);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  const passphrase = await ask(file, password);
  const key = new Uint8Array(cipher.keyLength);
  let digest: Uint8Array = new Uint8Array(0);
  for (let at = 0; at < key.length; at += digest.length) {
    digest = createHash("md5").update(digest).update(passphrase).update(iv.subarray(0, 8)).digest();
    key.set(digest.subarray(0, key.length - at), at);
  }
  return await decrypt(cipher, key, iv, data, block.label, file);
}

async function decrypt(
  cipher: Cipher,
  key: Uint8Array<ArrayBuffer>,
  iv: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
  label: string,
  file: string,
): Promise<string> {
  try {
    const der = cipher.name === "AES-CBC" ? await decryptAes(key, iv, data) : decryptTripleDes(key, iv, data);
    // One wrong pass phrase in some 256 gives a valid padding: the output must be a key too.
    return toPem(createPrivateKey(writePem(label, der)));
  } catch (cause) {
    throw new CertificateError("ERR_KEY_PASSWORD_WRONG", `The pass phrase of the key "${file}" is wrong`, { cause });
  }
}

async function decryptAes(
  key: Uint8Array<ArrayBuffer>,
  iv: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", key, "AES-CBC", false, ["decrypt"]);
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, imported, data));
}

function decryptTripleDes(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const decipher = createDecipheriv("des-ede3-cbc", key, iv);
  return concat(decipher.update(data), decipher.final());
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length >> 1);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(2 * index, 2 * index + 2), 16);
  }
  if (bytes.length !== 8 && bytes.length !== 16) throw new Error("its initialization vector is malformed");
  return bytes;
}

interface EncryptedKey {
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
  digest: string;
  cipher: Cipher;
  iv: Uint8Array<ArrayBuffer>;
  data: Uint8Array<ArrayBuffer>;
}

function parseEncryptedKey(der: Uint8Array<ArrayBuffer>, file: string): EncryptedKey {
  const [algorithm, data] = children(readValue(der, 0, Tag.Sequence).value);
  const [scheme, schemeParameters] = children(contents(algorithm, Tag.Sequence));
  if (hex(contents(scheme, Tag.ObjectIdentifier)) !== PBES2) throw unsupported(file, "a scheme other than PBES2");
  const [derivation, encryption] = children(contents(schemeParameters, Tag.Sequence));
  const [function_, functionParameters] = children(contents(derivation, Tag.Sequence));
  if (hex(contents(function_, Tag.ObjectIdentifier)) !== PBKDF2) {
    throw unsupported(file, "a key derivation other than PBKDF2");
  }
  const [salt, iterations, ...optional] = children(contents(functionParameters, Tag.Sequence));
  const [cipherId, iv] = children(contents(encryption, Tag.Sequence));
  const cipher = CIPHERS.get(hex(contents(cipherId, Tag.ObjectIdentifier)));
  if (cipher === undefined) throw unsupported(file, `cipher ${hex(cipherId!.value)}`);
  return {
    salt: contents(salt, Tag.OctetString),
    iterations: readIterations(contents(iterations, Tag.Integer)),
    digest: readDigest(optional, file),
    cipher,
    iv: contents(iv, Tag.OctetString),
    data: contents(data, Tag.OctetString),
  };
}

function readIterations(value: Uint8Array): number {
  const iterations = value.reduce((sum, byte) => sum * 256 + byte, 0);
  if (iterations < 1 || iterations > MAX_ITERATIONS) throw new Error(`it asks for ${iterations} rounds of PBKDF2`);
  return iterations;
}

/** RFC 8018 A.2: `prf AlgorithmIdentifier DEFAULT algid-hmacWithSHA1`, behind an optional key length. */
function readDigest(optional: DerValue[], file: string): string {
  const prf = optional.find((value) => value.tag === Tag.Sequence);
  if (prf === undefined) return "sha1";
  const [identifier] = children(prf.value);
  const digest = DIGESTS.get(hex(contents(identifier, Tag.ObjectIdentifier)));
  if (digest === undefined) throw unsupported(file, `pseudo-random function ${hex(identifier!.value)}`);
  return digest;
}
