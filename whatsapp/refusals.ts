/**
 * Records of refused webhook requests in the log: each says what to check, and no flood of them fills the log.
 *
 * @module
 */

import { errorText, quote } from "../base/error_text.ts";
import type { HttpError } from "../base/errors.ts";
import { isSignature } from "../cloud_api/signature.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ServerLog } from "../server/log.ts";
import type { WhatsAppSettings } from "./settings.ts";

/** Reason of a refusal. */
export type RefusalReason =
  | "signature"
  | "verifyToken"
  | "clientCertificate"
  | "failureDelay"
  | "contentType"
  | "contentLength"
  | "body"
  | "method";

/** A request that is refused. */
export interface RefusedRequest<Data> {
  /** Its method. */
  readonly method: string;
  /** Its path, without the query: that of a verification has the token. */
  readonly path: string;
  /** The connection it came on. */
  readonly connection: WebSocketConnection<Data>;
}

/** Maximum of records for one reason within the interval; further ones are counted. */
const MAX_RECORDS = 10;
/** Interval in ms. */
const INTERVAL = 60_000;

interface Records {
  since: number;
  written: number;
  omitted: number;
}

/** Writes refusals to the log of one server. */
export class RefusalLog {
  readonly #log: ServerLog;
  readonly #now: () => number;
  readonly #records = new Map<RefusalReason, Records>();

  /**
   * Begins without refusals.
   *
   * @param log The log.
   * @param now Returns the time, in ms.
   */
  constructor(log: ServerLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * Writes a refusal.
   *
   * @param reason The reason.
   * @param status The status of the answer.
   * @param fault The fault, and what to check; safe to print but for what it quotes.
   * @param request The request.
   */
  write<Data>(reason: RefusalReason, status: number, fault: string, request: RefusedRequest<Data>): void {
    const omitted = this.#admit(reason);
    if (omitted === undefined) return;
    const { method, path, connection } = request;
    // Methods of other requests are text of the peer.
    const shown = method === "POST" || method === "GET" ? method : quote(method);
    this.#log.connection("warn", "webhook.refused", connection, {
      reason,
      "http.request.method": method,
      "http.response.status_code": status,
      "url.path": path,
      message: errorText(`${shown} refused with ${status}: ${fault}`),
      ...omitted > 0 && { omitted },
    });
  }

  /** Returns the number of records omitted before this one; `undefined`: it is omitted too. */
  #admit(reason: RefusalReason): number | undefined {
    const now = this.#now();
    let records = this.#records.get(reason);
    if (records === undefined || now - records.since >= INTERVAL) {
      records = { since: now, written: 0, omitted: records?.omitted ?? 0 };
      this.#records.set(reason, records);
    }
    if (records.written === MAX_RECORDS) {
      records.omitted++;
      return undefined;
    }
    const { omitted } = records;
    records.written++;
    records.omitted = 0;
    return omitted;
  }
}

// ---- Faults, and what to check -----------------------------------------------------------------------------------

const CHECK_PROXY = "check that the proxy passes the header on";

/**
 * Describes a signature that cannot be one.
 *
 * @param signature The value of the header; "": it is missing.
 * @returns The fault.
 */
export function signatureFault(signature: string): string {
  if (signature === "") {
    return `it has no X-Hub-Signature-256. Meta signs each notification: ${CHECK_PROXY}`;
  }
  if (!isSignature(signature)) {
    return 'its X-Hub-Signature-256 is not "sha256=" and 64 hexadecimal digits. Check that the proxy passes the header ' +
      "on as it is";
  }
  return 'its signature does not match the body. Check that "appSecret" is the app secret of the app that sends to ' +
    "this path, and that no proxy changes the body";
}

/**
 * Describes a refused verification.
 *
 * @param mode The value of `hub.mode`.
 * @param hasToken `true` if `verifyToken` is set.
 * @returns The fault.
 */
export function verificationFault(mode: string, hasToken: boolean): string {
  if (mode !== "subscribe") return `its hub.mode is ${quote(mode)} instead of "subscribe"`;
  return hasToken
    ? 'its hub.verify_token is not "verifyToken". Enter the same text in both places'
    : '"verifyToken" is not set, so no URL can be verified';
}

/**
 * Describes a verification that is not looked at.
 *
 * @param failureDelay The setting, in ms.
 * @returns The fault.
 */
export function delayFault(failureDelay: number): string {
  return `too many wrong tokens came from its address. Wait for "failureDelay" (${failureDelay} ms)`;
}

/**
 * Describes a client certificate that is not Meta's.
 *
 * @param settings The settings of the server.
 * @param subject The value of the header; `null`: it is missing.
 * @returns The fault.
 */
export function reportedCertificateFault(settings: WhatsAppSettings, subject: string | null): string {
  const { clientCertificateHeader, clientCertificateForm, clientCertificateName } = settings;
  const header = quote(clientCertificateHeader);
  if (subject === null) {
    return `it has no ${header}. Check that the proxy asks for client certificates, and reports their subject in this ` +
      "header";
  }
  return `its ${header} is ${quote(subject)}, whose only common name must be ${quote(clientCertificateName)}. Check ` +
    `"clientCertificateForm" ("${clientCertificateForm}") and "clientCertificateName"`;
}

/**
 * Describes a client certificate that the server itself has asked for.
 *
 * @param wanted The common name that it must have.
 * @param names Its common names; `undefined`: the client has shown none.
 * @returns The fault.
 */
export function ownCertificateFault(wanted: string, names: readonly string[] | undefined): string {
  if (names === undefined) {
    return "it came without a client certificate. Check that Meta shows one for this app (mutual TLS for webhooks)";
  }
  return `the common names of its client certificate are ${quote(names.join(", "))}, and only ${
    quote(wanted)
  } may be ` +
    'there. Check "clientCertificateName" and "clientRootCertificateFile"';
}

/**
 * Describes a content type that is not that of notifications.
 *
 * @param type The value of the header; `null`: it is missing.
 * @returns The fault.
 */
export function contentTypeFault(type: string | null): string {
  const fault = type === null ? "it has no Content-Type" : `its Content-Type is ${quote(type)}`;
  return `${fault}. Meta sends application/json: ${CHECK_PROXY}`;
}

/** The fault of a notification without a length. */
export const LENGTH_FAULT: string =
  "it has neither Content-Length nor Transfer-Encoding. Check that the proxy passes one of " +
  "them on";

/** The fault of another method. */
export const METHOD_FAULT: string = "Meta sends GET and POST";

/**
 * Describes a body that was not taken.
 *
 * @param error The error of the body.
 * @param maxBodySize The setting, in bytes.
 * @returns The fault.
 */
export function bodyFault(error: HttpError, maxBodySize: number): string {
  if (error.status !== 413) return error.message;
  return `its body is larger than ${maxBodySize} bytes. Raise "maxBodySize": Meta sends up to 3 MB`;
}
