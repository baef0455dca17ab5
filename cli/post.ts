/**
 * Posts notifications to an HTTP endpoint, as Meta does: what `--post` of `tail` and `replay` is for.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type CliIo, UsageError } from "./io.ts";
import { Backoff } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import { fetchFailureText } from "../base/fetch_failure.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { printable } from "../base/log.ts";
import type { WhatsAppNotification } from "../whatsapp/pending_notification.ts";

/** Time limit of one attempt, in ms: as long as a slow handler may take. */
export const POST_TIMEOUT = 30_000;
/** Pauses between attempts, in ms: up to a second after the first failure, up to half a minute later. */
const PAUSES = { minDelay: 1000, maxDelay: 30_000, minUptime: 0 };
/** Longest pause that an endpoint may ask for by `Retry-After`, in ms. */
const MAX_RETRY_AFTER = 300_000;

/** Parts that tests replace. */
export interface PosterParts {
  /** Time. */
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the pauses. */
  readonly random?: (() => number) | undefined;
}

/** Answer to one attempt. */
interface Attempt {
  /** Tells whether the endpoint took the notification. */
  readonly taken: boolean;
  /** Reason if it did not, in words. */
  readonly why: string;
  /** Pause that the endpoint asks for, in ms. */
  readonly retryAfter: number;
}

/** Posts notifications to one URL. */
export class Poster {
  readonly #url: URL;
  readonly #authorization: string | undefined;
  readonly #io: Pick<CliIo, "err">;
  readonly #clock: Clock;
  readonly #random: (() => number) | undefined;

  /**
   * Prepares the posts.
   *
   * @param url The endpoint, http: or https:; a user and password in it become Basic authentication (RFC 7617).
   * @param io Takes the failures, as text.
   * @param parts Parts that tests replace.
   * @throws {UsageError} If it is no such URL.
   */
  constructor(url: string, io: Pick<CliIo, "err">, parts: PosterParts = {}) {
    if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol)) {
      throw new UsageError(`--post is ${quote(redactUrl(url))}: not an http: or https: URL`);
    }
    this.#url = new URL(url);
    // `fetch` refuses URLs with a user.
    this.#authorization = basicOf(this.#url);
    this.#url.username = this.#url.password = this.#url.hash = "";
    this.#io = io;
    this.#clock = parts.clock ?? systemClock;
    this.#random = parts.random;
  }

  /**
   * Posts a notification once.
   *
   * @param notification The notification.
   * @returns `true` if the endpoint answered 2xx.
   * @throws {Error} If it cannot be reached.
   */
  async once(notification: WhatsAppNotification): Promise<boolean> {
    return (await this.#attempt(notification)).taken;
  }

  /**
   * Posts a notification again and again, with growing pauses, until the endpoint answers 2xx.
   *
   * @param notification The notification.
   * @param stopped Ends the attempts.
   * @returns `false` if they were ended.
   */
  async untilTaken(notification: WhatsAppNotification, stopped: AbortSignal): Promise<boolean> {
    const backoff = new Backoff(PAUSES, this.#random);
    while (!stopped.aborted) {
      let attempt: Attempt;
      try {
        attempt = await this.#attempt(notification, stopped);
      } catch (error) {
        attempt = { taken: false, why: describe(error), retryAfter: 0 };
      }
      if (attempt.taken) return true;
      if (stopped.aborted) return false;
      backoff.failed();
      const pause = backoff.delay(attempt.retryAfter);
      const { seq } = notification;
      const which = seq === undefined ? "The notification" : `Notification ${seq}`;
      const when = pause < 1000 ? "at once" : `in ${Math.round(pause / 1000)} s`;
      this.#io.err(`${which} was not taken by ${redactUrl(this.#url)}: ${printable(attempt.why)}. Again ${when}.\n`);
      await this.#pause(pause, stopped);
    }
    return false;
  }

  async #attempt(notification: WhatsAppNotification, stopped?: AbortSignal): Promise<Attempt> {
    const limit = new AbortController();
    const cancel = this.#clock.after(POST_TIMEOUT, () => {
      limit.abort(new Error(`no answer within ${POST_TIMEOUT / 1000} s`));
    });
    try {
      const { raw } = notification;
      const response = await fetch(this.#url, {
        method: "POST",
        body: typeof raw === "string" ? raw : raw.slice(),
        headers: this.#headersOf(notification),
        // A redirect may turn a POST into a GET, which loses the notification.
        redirect: "manual",
        signal: stopped === undefined ? limit.signal : AbortSignal.any([limit.signal, stopped]),
      });
      await response.body?.cancel();
      return {
        taken: response.ok,
        why: `it answered ${response.status}${
          isRedirect(response.status) ? ", a redirect: use the URL it leads to" : ""
        }`,
        retryAfter: secondsOf(response.headers.get("retry-after")) * 1000,
      };
    } catch (cause) {
      throw new Error(this.#reasonOf(cause), { cause });
    } finally {
      cancel();
    }
  }

  /** The runtimes show the whole URL now and then. */
  #reasonOf(error: unknown): string {
    const text = fetchFailureText(error).replaceAll(this.#url.href, redactUrl(this.#url));
    return this.#url.search === "" ? text : text.replaceAll(this.#url.search, "?…");
  }

  #headersOf({ signature, seq, receivedAt }: WhatsAppNotification): Headers {
    const headers = new Headers({ "content-type": "application/json" });
    // A part of a notification has no signature.
    if (signature !== "") headers.set("x-hub-signature-256", signature);
    if (this.#authorization !== undefined) headers.set("authorization", this.#authorization);
    if (seq !== undefined) headers.set("tackline-sequence", String(seq));
    if (receivedAt !== undefined) headers.set("tackline-received-at", receivedAt.toISOString());
    return headers;
  }

  #pause(delay: number, stopped: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        stopped.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#clock.after(delay, end);
      stopped.addEventListener("abort", end, { once: true });
    });
  }
}

function basicOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`;
}

/** A "%" that encodes nothing stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304;
}

/** The seconds of `Retry-After` (RFC 9110 §10.2.3), within limits; a date counts as none. */
function secondsOf(text: string | null): number {
  const seconds = Number(text ?? 0);
  return seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER / 1000) : 0;
}
