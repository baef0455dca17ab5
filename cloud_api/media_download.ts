/**
 * Files of customers: the bytes behind a URL that the Graph API has given, and checks of them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { quote } from "../base/error_text.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { type CallLimits, takeFile } from "./call_limits.ts";
import { fetchGraph, type GraphClient, isRedirect } from "./graph.ts";

/** Bytes of a file, and the type in their head. */
export interface FileBytes {
  /** The type. */
  readonly type: string;
  /** The bytes. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Meta's hosts that files come from, with all below them. A media URL has `lookaside.fbsbx.com`. */
const META_HOSTS: readonly string[] = ["facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net"];
/** Those of them that look at the access token; the others have signed URLs. */
const TOKEN_HOSTS: readonly string[] = ["facebook.com", "fbsbx.com"];
const MAX_REDIRECTS = 5;

/**
 * Fetches the bytes of a URL. Redirects are followed by hand, within Meta's hosts and the server of the API: the access
 * token goes to the URL itself, and from there on only to hosts that look at it.
 *
 * @param graph The API.
 * @param id Id of the file, for errors.
 * @param url The URL.
 * @param signal Aborts the call, and the stream.
 * @returns The type and the bytes, as soon as the head has come.
 * @throws {WhatsAppApiError} If the URL, or one that it leads to, is of another host, or the answer is an error.
 */
export async function fetchFile(
  graph: GraphClient,
  id: string,
  url: string,
  signal: AbortSignal | undefined,
): Promise<FileBytes> {
  let at = readUrl(graph, id, url);
  let needsToken = true;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const scheme = needsToken ? "Bearer" : "none";
    const answer = await fetchGraph(graph, "GET", at, { signal, scheme, takesRedirects: true }, takeFileOrRedirect);
    if (!("location" in answer)) return answer;
    at = readUrl(graph, id, answer.location, at);
    needsToken = isOwnOrigin(graph, at) || isBelow(TOKEN_HOSTS, at.hostname);
  }
  throw answerError(id, `more than ${MAX_REDIRECTS} redirects`);
}

function takeFileOrRedirect(response: Response, limits: CallLimits): FileBytes | { location: string } {
  if (!isRedirect(response)) return takeFile(response, limits);
  limits.end();
  response.body?.cancel().catch(() => {
    // It has failed already.
  });
  return { location: response.headers.get("location")! };
}

function readUrl(graph: GraphClient, id: string, text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw answerError(id, "no usable URL");
  const url = new URL(text, base?.href);
  if (isOwnOrigin(graph, url)) return url;
  const isPlain = url.protocol === "https:" && url.port === "" && url.username + url.password === "";
  if (isPlain && isBelow(META_HOSTS, url.hostname)) return url;
  throw answerError(id, `a URL of ${quote(url.origin)}, which is not a server of Meta`);
}

function isOwnOrigin(graph: GraphClient, url: URL): boolean {
  return url.origin === new URL(graph.baseUrl).origin && url.username + url.password === "";
}

function isBelow(hosts: readonly string[], name: string): boolean {
  return hosts.some((host) => name === host || name.endsWith(`.${host}`));
}

function answerError(id: string, found: string): WhatsAppApiError {
  return new WhatsAppApiError("ERR_API_ANSWER", `The Graph API gave ${found} for the media "${id}"`, 200);
}

/** Expectations of a file. */
export interface FileChecks {
  /** Id of the file, for errors. */
  readonly id: string;
  /** Its SHA-256 digest in base64 or hexadecimal digits. */
  readonly sha256: string | undefined;
  /** Largest size, in bytes; 0: any. */
  readonly maxSize: number;
}

/**
 * Hands bytes on, and fails as soon as they are too many, or at their end if the digest does not match.
 *
 * @param stream The bytes.
 * @param checks The expectations.
 * @returns The same bytes.
 */
export function checkFileBytes(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  { id, sha256, maxSize }: FileChecks,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (sha256 === undefined && maxSize === 0) return stream;
  const hash = createHash("sha256");
  let size = 0;
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        size += bytes.length;
        assertSize(id, size, maxSize);
        hash.update(bytes);
        controller.enqueue(bytes);
      },
      flush() {
        if (sha256 === undefined) return;
        const digest = hash.digest();
        // Notifications have it in base64; the API has shown both forms.
        if (digest.toString("hex") === sha256.toLowerCase() || digest.toString("base64") === sha256) return;
        throw new WhatsAppApiError("ERR_MEDIA_DIGEST", `The media "${id}" do not match their digest`, 200);
      },
    }),
  );
}

/**
 * Checks the size of a file.
 *
 * @param id Its id.
 * @param size Its size, or the number of bytes so far.
 * @param maxSize The largest size, in bytes; 0: any.
 * @throws {WhatsAppApiError} If it is larger.
 */
export function assertSize(id: string, size: number, maxSize: number): void {
  if (maxSize === 0 || size <= maxSize) return;
  const message = `The media "${id}" have ${size} bytes or more: the limit is ${maxSize} ("maxSize")`;
  throw new WhatsAppApiError("ERR_MEDIA_TOO_LARGE", message, 200);
}
