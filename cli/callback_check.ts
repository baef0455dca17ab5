/**
 * Checks a callback URL as Meta uses it: the GET that verifies it, and POSTs with and without a signature.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { certificateFault } from "./callback_certificate.ts";
import { hideSecrets, type SetupReport } from "./setup_report.ts";
import { VERSION } from "./version.ts";
import { systemClock } from "../base/clock.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { fetchFailureText } from "../base/fetch_failure.ts";
import { isLoopback } from "../base/loopback.ts";
import { signNotification } from "../cloud_api/signature.ts";

/** Time limit of each request, in ms. Meta gives a callback about as long. */
const TIMEOUT = 10_000;
/** Number of bytes that are read of an answer: the challenge has 10, and an error page is not shown whole. */
const MAX_ANSWER = 4096;
/** A notification without contents: receivers get nothing of it, and a journal keeps it once. */
const EMPTY_NOTIFICATION = '{"object":"whatsapp_business_account","entry":[]}';
const NOT_META = "Something else than the server answers: a proxy, a login, or another program. Compare host and path";

const USE_TLS = "Give the server a certificate of a public authority, or put a proxy or a tunnel with one before it";

/** A callback, and the secrets that it shares with Meta. */
export interface Callback {
  /** Its URL. */
  readonly url: URL;
  /** Token for the GET; `undefined` if it is not known. */
  readonly verifyToken: string | undefined;
  /** Secret for the signature; `undefined` if it is not known. */
  readonly appSecret: string | undefined;
  /** Secret that is not shown, beside these; no part of it. */
  readonly accessToken?: string | undefined;
  /** Aborts the checks. */
  readonly signal: AbortSignal;
}

/** An answer, or the reason why there is none. */
type Answer =
  | { readonly status: number; readonly text: string; readonly location: string | null }
  | { readonly failure: string; readonly remedy: string };

/**
 * Checks a callback.
 *
 * @param callback The callback.
 * @param report Takes the findings.
 */
export async function checkCallback(callback: Callback, report: SetupReport): Promise<void> {
  const { url } = callback;
  if (url.protocol !== "https:") {
    if (!isLoopback(url.hostname)) {
      report.add("callback", "wrong", `${redactUrl(url)} is not an https: URL: Meta takes no other`, USE_TLS);
      return;
    }
    report.add("callback", "note", `${redactUrl(url)} is on this machine: Meta needs a public https: URL`);
  }
  if (!await verify(callback, report)) return;
  await postUnsigned(callback, report);
  await postSigned(callback, report);
}

/** @returns `false` if no request reaches the server. */
async function verify(
  { url, verifyToken, appSecret, accessToken, signal }: Callback,
  report: SetupReport,
): Promise<boolean> {
  const challenge = String(randomBytes(4).readUInt32BE());
  const asked = new URL(url);
  asked.searchParams.set("hub.mode", "subscribe");
  asked.searchParams.set("hub.challenge", challenge);
  asked.searchParams.set("hub.verify_token", verifyToken ?? "");
  const answer = await ask(asked, { method: "GET" }, signal);
  if ("failure" in answer) {
    report.add("verification", "wrong", `Cannot reach ${redactUrl(url)}: ${answer.failure}`, answer.remedy);
    return false;
  }
  if (verifyToken === undefined) {
    report.add("verification", "skipped", "WHATSAPP_VERIFY_TOKEN is not set, so the GET of Meta cannot be tried");
    return true;
  }
  const { status, text } = answer;
  // Hidden before the text is cut: half a secret would not be recognised.
  const shown = { ...answer, text: hideSecrets(text, [verifyToken, appSecret, accessToken]) };
  if (status === 200 && text === challenge) {
    report.add("verification", "ok", `${redactUrl(url)} answers Meta's GET with the challenge`);
    return true;
  }
  const [what, remedy] = verificationFault(shown, challenge);
  report.add("verification", "wrong", `${redactUrl(url)} ${what}`, remedy);
  return status === 403;
}

function verificationFault(
  { status, text, location }: Exclude<Answer, { failure: string }>,
  challenge: string,
): [what: string, remedy: string] {
  if (status === 200) {
    const received = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    const what = `answers the GET with 200, but with ${quote(received)} instead of the challenge ${quote(challenge)}`;
    return [what, text.trim() === challenge ? "Answer with the challenge alone" : NOT_META];
  }
  if (status >= 300 && status < 400) {
    const to = location === null ? "" : ` to ${redactUrl(location)}`;
    return [`answers the GET with ${status}, a redirect${to}`, "Give Meta the URL that it leads to"];
  }
  const what = `answers the GET with ${status}`;
  if (status === 403) {
    const token = "the server has another verify token than WHATSAPP_VERIFY_TOKEN";
    return [`${what}: ${token}`, "Use the same text for the server, for WHATSAPP_VERIFY_TOKEN, and in the dashboard"];
  }
  if (status === 404) return [what, "Compare the path of the URL with that of the server: --path, or pathName"];
  if (status === 429) return [`${what}: too many wrong verify tokens came before`, "Wait some seconds, and try again"];
  return [what, status >= 500 ? "Look at the log of the server, or of the proxy before it" : NOT_META];
}

async function postUnsigned({ url, signal }: Callback, report: SetupReport): Promise<void> {
  const answer = await post(url, undefined, signal);
  if ("failure" in answer) {
    report.add("unsigned", "wrong", `A POST without signature got no answer: ${answer.failure}`, answer.remedy);
  } else if (answer.status === 401 || answer.status === 403) {
    report.add("unsigned", "ok", `A POST without signature is refused with ${answer.status}`);
  } else if (answer.status >= 200 && answer.status < 300) {
    const text = `A POST without signature is answered with ${answer.status}: any client can send notifications to it`;
    report.add("unsigned", "wrong", text, "Give the server the app secret: WHATSAPP_APP_SECRET, or appSecret");
  } else {
    report.add("unsigned", "wrong", `A POST without signature is answered with ${answer.status}, not 401`, NOT_META);
  }
}

async function postSigned({ url, appSecret, signal }: Callback, report: SetupReport): Promise<void> {
  if (appSecret === undefined) {
    report.add("signed", "skipped", "WHATSAPP_APP_SECRET is not set, so no signed POST can be tried");
    return;
  }
  const signature = signNotification(new TextEncoder().encode(EMPTY_NOTIFICATION), appSecret);
  const answer = await post(url, signature, signal);
  if ("failure" in answer) {
    report.add("signed", "wrong", `A signed POST got no answer: ${answer.failure}`, answer.remedy);
  } else if (answer.status === 200) {
    report.add("signed", "ok", "A POST signed with WHATSAPP_APP_SECRET is answered with 200");
  } else if (answer.status === 401) {
    const text =
      "A POST signed with WHATSAPP_APP_SECRET is answered with 401: the server has another app secret, or a " +
      "proxy changes the body or drops X-Hub-Signature-256";
    report.add("signed", "wrong", text, "App Dashboard > App settings > Basic > App secret > Show: give it to both");
  } else {
    const text = `A signed POST is answered with ${answer.status}: Meta takes 200 only, and sends all else again`;
    report.add("signed", "wrong", text, "Look at the log of the server, or of the proxy before it");
  }
}

function post(url: URL, signature: string | undefined, signal: AbortSignal): Promise<Answer> {
  const headers = {
    "content-type": "application/json",
    ...(signature === undefined ? {} : { "x-hub-signature-256": signature }),
  };
  return ask(url, { method: "POST", headers, body: EMPTY_NOTIFICATION }, signal);
}

async function ask(url: URL, init: RequestInit, signal: AbortSignal): Promise<Answer> {
  const limit = new AbortController();
  const cancel = systemClock.after(TIMEOUT, () => limit.abort());
  try {
    const response = await fetch(url, {
      ...init,
      headers: { ...init.headers as Record<string, string>, "user-agent": `tackline/${VERSION}` },
      redirect: "manual",
      signal: AbortSignal.any([limit.signal, signal]),
    });
    return {
      status: response.status,
      text: await readStart(response),
      location: response.headers.get("location"),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.signal.aborted) {
      return { failure: `no answer within ${TIMEOUT / 1000} s`, remedy: "See if a firewall drops the packets" };
    }
    return await explainFailure(url, error);
  } finally {
    cancel();
  }
}

/** Reads the beginning of a body. */
async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < MAX_ANSWER) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text.slice(0, MAX_ANSWER);
}

async function explainFailure(url: URL, error: unknown): Promise<Answer> {
  const failure = fetchFailureText(error);
  if (url.protocol === "https:" && failure.includes("certificate")) {
    const fault = await certificateFault(url);
    if (fault !== undefined) return fault;
  }
  return { failure, remedy: "See that the server runs, and that DNS, firewall and proxy lead to it" };
}
