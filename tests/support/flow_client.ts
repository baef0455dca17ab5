/**
 * The client's side of the data exchange of flows, on Web Crypto: written from Meta's page, without the code it tests.
 */

/** The keys of an endpoint: the private one as PEM text, the public one for the client. */
export interface EndpointKeys {
  privateKey: string;
  publicKey: CryptoKey;
}

const OAEP = { name: "RSA-OAEP", hash: "SHA-256" };

/** Makes keys of an endpoint. */
export async function makeKeys(modulusLength = 2048): Promise<EndpointKeys> {
  const publicExponent = Uint8Array.of(1, 0, 1);
  const pair = await crypto.subtle.generateKey({ ...OAEP, modulusLength, publicExponent }, true, [
    "encrypt",
    "decrypt",
  ]);
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return { privateKey: pemOf("PRIVATE KEY", der), publicKey: pair.publicKey };
}

function pemOf(label: string, der: Uint8Array): string {
  const lines = base64(der).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** Public key of a private one in PEM that is not encrypted. */
export async function publicKeyOf(pkcs8: string): Promise<CryptoKey> {
  const body = pkcs8.split("\n").filter((line) => line !== "" && !line.startsWith("-")).join("");
  const key = await crypto.subtle.importKey("pkcs8", fromBase64(body), OAEP, true, ["decrypt"]);
  const { kty, n, e } = await crypto.subtle.exportKey("jwk", key) as { kty: string; n: string; e: string };
  return await crypto.subtle.importKey("jwk", { kty, n, e }, OAEP, false, ["encrypt"]);
}

/** The body of a request, and what opens its answer. */
export interface SealedRequest {
  body: { encrypted_flow_data: string; encrypted_aes_key: string; initial_vector: string };
  /** Decrypts the text of an answer. */
  open(answer: string): Promise<unknown>;
}

/** Encrypts a request as the WhatsApp client does. */
export async function sealRequest(
  publicKey: CryptoKey,
  request: unknown,
  { vectorBytes = 16, keyBytes = 16 }: { vectorBytes?: number; keyBytes?: number } = {},
): Promise<SealedRequest> {
  const rawKey = crypto.getRandomValues(new Uint8Array(keyBytes));
  const iv = crypto.getRandomValues(new Uint8Array(vectorBytes));
  const key = await crypto.subtle.importKey("raw", rawKey, "AES-GCM", false, ["encrypt", "decrypt"]);
  const plain = new TextEncoder().encode(typeof request === "string" ? request : JSON.stringify(request));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, tagLength: 128 }, key, plain);
  return {
    body: {
      encrypted_flow_data: base64(new Uint8Array(data)),
      encrypted_aes_key: base64(new Uint8Array(await crypto.subtle.encrypt(OAEP, publicKey, rawKey))),
      initial_vector: base64(iv),
    },
    async open(answer) {
      const inverted = iv.map((byte) => 255 - byte);
      const sealed = fromBase64(answer);
      const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv: inverted, tagLength: 128 }, key, sealed);
      return JSON.parse(new TextDecoder().decode(opened));
    },
  };
}

/** An encrypted file, as the CDN has it, and its entry in the value of a picker. */
export interface SealedFile {
  file: Uint8Array<ArrayBuffer>;
  entry: {
    media_id: string;
    cdn_url: string;
    file_name: string;
    encryption_metadata: Record<"encrypted_hash" | "iv" | "encryption_key" | "hmac_key" | "plaintext_hash", string>;
  };
}

/** Encrypts a file as the WhatsApp client does. */
export async function sealFile(plain: Uint8Array<ArrayBuffer>): Promise<SealedFile> {
  const [rawKey, rawMacKey] = [new Uint8Array(32), new Uint8Array(32)].map((bytes) => crypto.getRandomValues(bytes));
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const key = await crypto.subtle.importKey("raw", rawKey!, "AES-CBC", false, ["encrypt"]);
  const encrypted = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, plain));
  const macKey = await crypto.subtle.importKey("raw", rawMacKey!, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", macKey, Uint8Array.of(...iv, ...encrypted)));
  const file = Uint8Array.of(...encrypted, ...mac.subarray(0, 10));
  return {
    file,
    entry: {
      media_id: "790aba14-5f4a-4dbd-aa9e-0d75401da14b",
      cdn_url: "https://mmg.whatsapp.net/v/photo",
      file_name: "IMG_1.jpg",
      encryption_metadata: {
        encrypted_hash: await sha256(file),
        iv: base64(iv),
        encryption_key: base64(rawKey!),
        hmac_key: base64(rawMacKey!),
        plaintext_hash: await sha256(plain),
      },
    },
  };
}

/** Digest of bytes in base64. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return base64(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Bytes to base64. */
export function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Base64 to bytes. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
