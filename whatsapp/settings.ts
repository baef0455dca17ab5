/**
 * Options of a `WhatsAppServer`, and its settings checked.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertSecrets, isSecret } from "../base/secrets.ts";
import type { HandlersTable } from "../base/settings.ts";
import { isLoopback } from "../base/loopback.ts";
import { assertJournalPath } from "../journal/database_files.ts";
import type { Journal } from "../journal/journal.ts";
import type { WebSocketServerOptions } from "../server/settings.ts";
import { checkReceiverTokens, type ReceiverTokens, type WhatsAppApp } from "./access.ts";
import { SUBJECT_FORMS, type SubjectForm } from "./distinguished_name.ts";

/** Facts about one notification besides its text. */
export interface WhatsAppDelivery {
  /** The text as bytes, as Meta sent it. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none, which only happens with `appSecret: null`. */
  readonly signature: string;
  /** `true` if the signature was checked. */
  readonly verified: boolean;
  /** Time of arrival. */
  readonly receivedAt: Date;
  /** Address of the sender: that of the proxy with `behindProxy`. */
  readonly remoteAddress: string;
}

/** Handler of a `WhatsAppServer` for raw notifications. */
export type RawMessageHandler = (
  message: string,
  delivery: WhatsAppDelivery,
) => boolean | void | Promise<boolean | void>;

/** Options and handlers of a `WhatsAppServer`. */
export interface WhatsAppServerOptions<Data = unknown> extends Omit<WebSocketServerOptions<Data>, "useSSL"> {
  /**
   * Subprotocols that receivers may speak.
   * @default {["whatsapp-inbox.v1", "whatsapp-notifications"]}
   */
  protocols?: readonly string[] | undefined;
  /** Token, or several, that Meta shows to verify the URL. Without it each verification is refused. */
  verifyToken?: string | readonly string[] | undefined;
  /**
   * The app secret of Meta's app, with which notifications are signed; several while one is replaced. `null`:
   * notifications without a signature are taken, from any client.
   */
  appSecret?: string | readonly string[] | null | undefined;
  /**
   * More of Meta's apps, each with a path of its own.
   * @default {[]}
   */
  apps?: readonly WhatsAppApp[] | undefined;
  /**
   * Token of receivers, or several tokens, with names and filters. `null`: any client may receive, unless `onAllow`
   * refuses it.
   */
  receiverToken?: ReceiverTokens | null | undefined;
  /**
   * Journal of notifications: the path of a file, or a journal that the program makes and closes, and that no other
   * server uses meanwhile. With a file each notification is on disk before Meta gets its 200. `null`: in memory only,
   * 64 MiB at most; the same without the setting, with a warning on the console at the start.
   */
  journal?: string | Journal | null | undefined;
  /**
   * Run without TLS, on a loopback address, behind a proxy that speaks TLS.
   * @default {false}
   */
  behindProxy?: boolean | undefined;
  /**
   * Header field in which the proxy reports the subject of the client certificate, such as
   * `x-amzn-mtls-clientcert-subject`: notifications without Meta's certificate are refused then. With `behindProxy`
   * only. The proxy must overwrite the field if a client sends it.
   */
  clientCertificateHeader?: string | undefined;
  /**
   * Form in which the proxy writes that subject. `"rfc4514"`: nginx in `$ssl_client_s_dn`, Apache in `SSL_CLIENT_S_DN`,
   * HAProxy in `ssl_c_s_dn(,0,rfc2253)`, Caddy in `{http.request.tls.client.subject}`, Envoy in
   * `x-forwarded-client-cert`. `"slashes"`: nginx in `$ssl_client_s_dn_legacy`, HAProxy in `ssl_c_s_dn`; unless OpenSSL
   * 3 writes it, a certificate with a slash in a value can forge it. `"commonName"`: HAProxy in `ssl_c_s_dn(cn)`.
   * @default {"rfc4514"}
   */
  clientCertificateForm?: SubjectForm | undefined;
  /**
   * Common name of the certificate that Meta shows.
   * @default {"client.webhooks.fbclientcerts.com"}
   */
  clientCertificateName?: string | undefined;
  /**
   * Delay of the answer to a wrong token, in ms; 0: none. After 20 wrong tokens from one address (from one network of
   * 64 bits with IPv6; 100 from loopback, where a proxy is) within this time, its next requests get 429, and their
   * tokens are not compared.
   * @default {1000}
   */
  failureDelay?: number | undefined;
  /**
   * Time limit of the promise that `onRawMessage` returns, in ms; 0: no limit. After it the notification is kept and
   * forwarded, a later outcome of the promise is ignored, and `onError` gets a `HandlerError` with the code
   * `ERR_HANDLER_TIMEOUT`.
   * @default {5000}
   */
  rawMessageTimeout?: number | undefined;
  /**
   * A notification came, as raw JSON; `false` stops the forwarding of this one. Meta gets its 200 in any case, after
   * the handler has returned: see `rawMessageTimeout`.
   */
  onRawMessage?: RawMessageHandler | undefined;
}

/** Names of the handlers beside those of a `WebSocketServer`. */
export const WHATSAPP_SERVER_HANDLERS: HandlersTable<Pick<WhatsAppServerOptions, "onRawMessage">> = {
  onRawMessage: true,
};

/** Names of settings that have a default. */
export type RequiredName =
  | "apps"
  | "behindProxy"
  | "clientCertificateHeader"
  | "clientCertificateForm"
  | "clientCertificateName"
  | "failureDelay"
  | "rawMessageTimeout";
/** Names of settings without a default. */
export type OptionalName = "verifyToken" | "appSecret" | "receiverToken" | "journal";

/**
 * Settings of a `WhatsAppServer` beside those of a `WebSocketServer`, checked; they change only while it is stopped.
 */
export type WhatsAppSettings =
  & { [Name in RequiredName]-?: NonNullable<WhatsAppServerOptions[Name]> }
  & { [Name in OptionalName]: WhatsAppServerOptions[Name] };

const META_COMMON_NAME = "client.webhooks.fbclientcerts.com";
const MAX_DELAY = 0x7fffffff;

/**
 * Makes settings of options.
 *
 * @param options The options.
 * @returns The settings, checked one by one.
 * @throws {OptionError} If one is out of range.
 */
export function makeWhatsAppSettings<Data>(options: WhatsAppServerOptions<Data>): WhatsAppSettings {
  const settings: WhatsAppSettings = {
    verifyToken: options.verifyToken,
    appSecret: options.appSecret,
    apps: options.apps ?? [],
    receiverToken: options.receiverToken,
    journal: options.journal,
    behindProxy: options.behindProxy ?? false,
    clientCertificateHeader: options.clientCertificateHeader ?? "",
    clientCertificateForm: options.clientCertificateForm ?? "rfc4514",
    clientCertificateName: options.clientCertificateName ?? META_COMMON_NAME,
    failureDelay: options.failureDelay ?? 1000,
    rawMessageTimeout: options.rawMessageTimeout ?? 5000,
  };
  assertWhatsAppSetting("journal", settings.journal);
  assertWhatsAppSetting("clientCertificateForm", settings.clientCertificateForm);
  assertWhatsAppSetting("failureDelay", settings.failureDelay);
  assertWhatsAppSetting("rawMessageTimeout", settings.rawMessageTimeout);
  return settings;
}

/**
 * Checks one setting; settings that depend on others are checked at the start.
 *
 * @param name Its name.
 * @param value Its value.
 * @throws {OptionError} If it is out of range.
 */
export function assertWhatsAppSetting(name: keyof WhatsAppSettings, value: unknown): void {
  if (name === "failureDelay") assertNumber(name, value as number, MAX_DELAY);
  else if (name === "rawMessageTimeout") assertNumber(name, value as number);
  else if (name === "journal") assertJournal(value);
  else if (name === "clientCertificateForm" && !SUBJECT_FORMS.includes(value as SubjectForm)) {
    throw new OptionError(`The setting "clientCertificateForm" is not one of ${SUBJECT_FORMS.join(", ")}`);
  }
}

function assertJournal(journal: unknown): void {
  if (journal === undefined || journal === null) return;
  if (typeof journal === "object" && typeof (journal as Journal).append === "function") return;
  assertJournalPath(journal);
}

/** Parts of a server that decide with its settings if it may start. */
export interface StartConditions {
  /** Path of the first app. */
  readonly pathName: string;
  /** Address to listen on. */
  readonly hostname: string;
  /** `true` if the program has set `onAllow`. */
  readonly asksProgram: boolean;
}

/**
 * Lists all apps: those of `apps`, and the one of the server's own path.
 *
 * @param settings The settings.
 * @param pathName The server's own path.
 * @returns The apps.
 */
export function appsOf({ apps, verifyToken, appSecret }: WhatsAppSettings, pathName: string): WhatsAppApp[] {
  return [...apps, { pathName, verifyToken, appSecret: appSecret as string | null }];
}

/**
 * Checks that no secret is missing, and that TLS is off on a loopback address only.
 *
 * @param settings The settings.
 * @param conditions Parts of the server.
 * @throws {OptionError} If the server must not start with these settings.
 */
export function assertStartable(settings: WhatsAppSettings, conditions: StartConditions): void {
  const { pathName, hostname, asksProgram } = conditions;
  for (const app of appsOf(settings, pathName)) assertApp(app, pathName);
  const { receiverToken, behindProxy, clientCertificateHeader, clientCertificateName } = settings;
  if ((receiverToken === undefined && !asksProgram) || receiverToken === "") {
    throw new OptionError('Cannot start: "receiverToken" is not set; null lets any client receive');
  }
  if (receiverToken) checkReceiverTokens(receiverToken);
  if (behindProxy && !isLoopback(hostname)) {
    throw new OptionError(`Cannot start: "behindProxy" needs a loopback address, not "${hostname}"`);
  }
  if (clientCertificateHeader !== "" && !behindProxy) {
    throw new OptionError('Cannot start: "clientCertificateHeader" needs "behindProxy": else any client can send it');
  }
  if (clientCertificateHeader !== "" && !isSecret(clientCertificateName)) {
    throw new OptionError('Cannot start: "clientCertificateName" is empty');
  }
}

function assertApp({ appSecret, verifyToken, pathName }: WhatsAppApp, ownPath: string): void {
  if (appSecret === undefined || appSecret === "") {
    const app = pathName === ownPath ? "" : ` for "${pathName}"`;
    throw new OptionError(`Cannot start: "appSecret"${app} is not set; null takes unsigned notifications`);
  }
  if (appSecret !== null) assertSecrets("appSecret", appSecret);
  if (verifyToken !== undefined) assertSecrets("verifyToken", verifyToken);
  if (pathName !== "" && !pathName.startsWith("/")) {
    throw new OptionError(`Cannot start: the path "${pathName}" of "apps" does not start with "/"`);
  }
}
