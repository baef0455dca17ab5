/**
 * Texts for failures of `fetch`, the same on each runtime. Deno throws "fetch failed" and has the reason, with the
 * whole URL, in the `cause`; Bun has it in the error itself.
 *
 * @module
 */

import { describe } from "./errors.ts";

/** Parts of the code or the message, and the text for them. The first that fits counts. */
const REASONS: readonly (readonly [marks: readonly string[], text: string])[] = [
  [["ECONNREFUSED", "Connection refused"], "nothing accepts connections there (ECONNREFUSED)"],
  [["ENOTFOUND", "failed to lookup address information"], "the host name is not known (ENOTFOUND)"],
  [
    ["ECONNRESET", "reset by peer", "connection closed before message completed"],
    "the server has ended the connection without an answer",
  ],
  [
    ["UnknownIssuer", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT", "SELF_SIGNED_CERT"],
    "the certificate of the server is not trusted: name the file of its authority in the environment variable " +
    "DENO_CERT (Deno) or NODE_EXTRA_CA_CERTS (Bun)",
  ],
  [["not valid for name", "ALTNAME_INVALID"], "the certificate of the server is for other names"],
  [["certificate expired", "CERT_HAS_EXPIRED"], "the certificate of the server has expired"],
  [["InvalidContentType", "EPROTO", "WRONG_VERSION"], 'the server does not speak TLS on this port: use "http:"'],
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
  const reason = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  const code = reason instanceof Error && "code" in reason ? String(reason.code) : "";
  const text = describe(reason);
  const known = REASONS.find(([marks]) => marks.some((mark) => code.includes(mark) || text.includes(mark)));
  if (known !== undefined) return known[1];
  const start = text.indexOf(BEFORE_REASON);
  return start === -1 ? text : text.slice(start + BEFORE_REASON.length);
}
