/**
 * Texts for failures of `fetch`, the same on each runtime. Deno throws "fetch failed" and has the reason, with the
 * whole URL, in the `cause`; Bun has it in the error itself.
 *
 * @module
 */

import { describe } from "./errors.ts";

/** A failure that is known. */
interface Reason {
  /** Parts of the code or the message. */
  readonly marks: readonly string[];
  /** The text for them. */
  readonly text: string;
  /** There was no connection yet, so nothing of the request has left. */
  readonly isBeforeRequest: boolean;
}

/** The first one that fits counts. */
const REASONS: readonly Reason[] = [
  {
    marks: ["ECONNREFUSED", "Connection refused"],
    text: "nothing accepts connections there (ECONNREFUSED)",
    isBeforeRequest: true,
  },
  {
    marks: ["ENOTFOUND", "failed to lookup address information"],
    text: "the host name is not known (ENOTFOUND)",
    isBeforeRequest: true,
  },
  {
    marks: ["ECONNRESET", "reset by peer", "connection closed before message completed"],
    text: "the server has ended the connection without an answer",
    isBeforeRequest: false,
  },
  {
    marks: ["UnknownIssuer", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT", "SELF_SIGNED_CERT"],
    text: "the certificate of the server is not trusted: name the file of its authority in the environment variable " +
      "DENO_CERT (Deno) or NODE_EXTRA_CA_CERTS (Bun)",
    isBeforeRequest: true,
  },
  {
    marks: ["not valid for name", "ALTNAME_INVALID"],
    text: "the certificate of the server is for other names",
    isBeforeRequest: true,
  },
  {
    marks: ["certificate expired", "CERT_HAS_EXPIRED"],
    text: "the certificate of the server has expired",
    isBeforeRequest: true,
  },
  {
    marks: ["InvalidContentType", "EPROTO", "WRONG_VERSION"],
    text: 'the server does not speak TLS on this port: use "http:"',
    isBeforeRequest: false,
  },
];

/** What Deno writes before the reason, behind the URL. */
const BEFORE_REASON = "client error (Connect): ";

/**
 * Explains why `fetch` failed.
 *
 * @param error What it threw.
 * @returns The reason, without the URL; the text of the runtime if it is not known.
 */
export function fetchFailureText(error: unknown): string {
  const { text, known } = read(error);
  if (known !== undefined) return known.text;
  const start = text.indexOf(BEFORE_REASON);
  return start === -1 ? text : text.slice(start + BEFORE_REASON.length);
}

/**
 * Tells whether `fetch` failed before it had a connection.
 *
 * @param error What it threw.
 * @returns `true` if nothing of the request has left; `false` if the server may have got it.
 */
export function failedBeforeRequest(error: unknown): boolean {
  return read(error).known?.isBeforeRequest ?? false;
}

function read(error: unknown): { text: string; known: Reason | undefined } {
  const reason = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  const code = reason instanceof Error && "code" in reason ? String(reason.code) : "";
  const text = describe(reason);
  const known = REASONS.find(({ marks }) => marks.some((mark) => code.includes(mark) || text.includes(mark)));
  return { text, known };
}
