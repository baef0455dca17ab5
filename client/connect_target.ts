/**
 * The target of a client: its settings, or a URL that replaces them, and the credentials of that URL.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { withoutBrackets } from "../base/host_name.ts";
import { showValue } from "../base/option_names.ts";
import type { SettingsStore } from "../base/settings.ts";
import type { SocketUrls } from "./connector.ts";
import { chooseConnector } from "./choose_connector.ts";
import { basicCredentials, type ClientSettings, makeHeaders, type WebSocketClientOptions } from "./settings.ts";

/** Options that name a target, and so must not differ from a URL beside them. */
export type TargetOptions = Pick<
  WebSocketClientOptions,
  "hostname" | "hostName" | "port" | "path" | "pathName" | "useSSL"
>;

/** Server that a client's settings name. */
export class ConnectTarget {
  readonly #settings: SettingsStore<ClientSettings>;
  /** Credentials of the URL that the client was made with, and their origin. */
  #credentials: { authorization: string; origin: string } | undefined;

  /**
   * Makes the target of a client.
   *
   * @param settings The settings of the client.
   */
  constructor(settings: SettingsStore<ClientSettings>) {
    this.#settings = settings;
  }

  /** The URL. */
  get url(): string {
    const { useSSL, path } = this.#settings.values;
    const scheme = useSSL ? "wss" : "ws";
    if (path !== "") return `${scheme}+unix:${socketUrls()?.encode(path) ?? path}:${this.path}`;
    return `${scheme}://${this.hostHeader}${this.path}`;
  }

  /** The value of `Host`: with the port, unless it is the default of the scheme, or there is a Unix socket instead. */
  get hostHeader(): string {
    const { port, useSSL, path } = this.#settings.values;
    const plain = this.hostname;
    const name = plain.includes(":") ? `[${plain}]` : plain;
    return path !== "" || port === (useSSL ? 443 : 80) ? name : `${name}:${port}`;
  }

  /** The host name; an IPv6 address without its brackets. */
  get hostname(): string {
    return withoutBrackets(this.#settings.values.hostname);
  }

  /** Path and query. */
  get path(): string {
    const { pathName } = this.#settings.values;
    return pathName.startsWith("/") ? pathName : `/${pathName}`;
  }

  /**
   * Sets host name, port, path and `useSSL` to those of a URL.
   *
   * @param url The URL.
   * @returns The value of `Authorization` for the credentials in it (RFC 7617); `undefined` if it has none.
   * @throws {OptionError} If it is not valid.
   */
  replace(url: string | URL): string | undefined {
    const parsed = parseUrl(url);
    const useSSL = parsed.protocol.startsWith("wss");
    this.#settings.set("useSSL", useSSL);
    if (isSocketUrl(parsed)) return this.#useSocket(parsed, useSSL);
    this.#settings.set("path", "");
    this.#settings.set("hostname", withoutBrackets(parsed.hostname));
    this.#settings.set("port", parsed.port === "" ? (useSSL ? 443 : 80) : Number(parsed.port));
    this.#settings.set("pathName", parsed.pathname + parsed.search);
    return basicCredentials(parsed);
  }

  #useSocket(url: URL, useSSL: boolean): undefined {
    const { path, target } = socketUrls()!.read(url);
    this.#settings.set("path", path);
    this.#settings.set("hostname", "localhost");
    this.#settings.set("port", useSSL ? 443 : 80);
    this.#settings.set("pathName", target);
    return undefined;
  }

  /**
   * Sets the target to the URL that a client is made with. As with other clients, credentials in it become a header
   * field, unless one is given.
   *
   * @param url The URL.
   * @param beside The options beside it.
   * @throws {OptionError} If it is not valid, or an option names another target.
   */
  begin(url: string | URL, beside: TargetOptions = {}): void {
    const authorization = this.replace(url);
    // Beside a URL with a host, it says where that host is.
    if (beside.path && this.#settings.values.path === "") this.#settings.set("path", beside.path);
    this.#assertSame(url, beside);
    const given = this.#settings.values.headers;
    if (authorization === undefined || typeof given === "function") return;
    const headers = makeHeaders(given);
    if (headers.has("authorization")) return;
    headers.set("authorization", authorization);
    this.#settings.set("headers", headers);
    this.#credentials = { authorization, origin: this.#origin };
  }

  /** Refuses options that would be ignored, such as `useSSL: true` beside "ws:": that must not go without TLS. */
  #assertSame(url: string | URL, beside: TargetOptions): void {
    const { hostname, port, useSSL, path } = this.#settings.values;
    const { hostname: name = beside.hostName } = beside;
    const given = { ...beside, hostname: typeof name === "string" ? withoutBrackets(name).toLowerCase() : name };
    const found = { hostname: withoutBrackets(hostname).toLowerCase(), port, useSSL, path, pathName: this.path };
    for (const setting of ["useSSL", "path", "hostname", "port", "pathName"] as const) {
      const value: unknown = given[setting];
      if (value === undefined || value === null || value === found[setting]) continue;
      if (setting === "pathName" && encodedPath(value) === found.pathName) continue;
      const shown = typeof value === "string" ? quote(redactUrl(value)) : showValue(value);
      const target = setting !== "useSSL" ? `has ${showValue(found[setting])}` : `speaks ${useSSL ? "" : "no "}TLS`;
      throw new OptionError(
        `The setting "${setting}" is ${shown}, but the URL ${quote(redactUrl(url))} ${target}: give one of both`,
      );
    }
  }

  /**
   * Removes the credentials of the client's first URL from a request to another server.
   *
   * @param headers The header fields of the request, which are changed.
   * @param replaced `true` if the URL of this request has its own.
   */
  dropForeignCredentials(headers: Headers, replaced: boolean): void {
    const { authorization, origin } = this.#credentials ?? {};
    if (authorization === undefined || headers.get("authorization") !== authorization) return;
    if (replaced || this.#origin !== origin) headers.delete("authorization");
  }

  get #origin(): string {
    const { useSSL, port, path } = this.#settings.values;
    return `${useSSL} ${this.hostname.toLowerCase()} ${port} ${path}`;
  }
}

/** Returns the path as a URL has it. */
function encodedPath(path: unknown): string | undefined {
  if (typeof path !== "string") return undefined;
  const url = `ws://localhost${path.startsWith("/") ? "" : "/"}${path}`;
  if (!URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function isSocketUrl({ protocol }: URL): boolean {
  return protocol === "ws+unix:" || protocol === "wss+unix:";
}

/** Support of Unix sockets; `undefined` in a page. */
function socketUrls(): SocketUrls | undefined {
  return chooseConnector(false).socketUrls;
}

function parseUrl(url: string | URL): URL {
  const shown = quote(redactUrl(url));
  // The error of the runtime would quote the password.
  if (!URL.canParse(String(url))) {
    throw new OptionError(`The URL ${shown} is not valid: write it as "ws://host/path" or "wss://host/path"`);
  }
  const parsed = new URL(url);
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:" && !(isSocketUrl(parsed) && socketUrls())) {
    const scheme = parsed.protocol === "https:" ? "wss:" : "ws:";
    const hint = parsed.protocol.startsWith("http") ? `use "${scheme}"` : 'begin it with "ws://" or "wss://"';
    throw new OptionError(`The URL ${shown} is neither "ws:" nor "wss:": ${hint}`);
  }
  // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs".
  if (parsed.hash !== "") throw new OptionError(`The URL ${shown} has a fragment`);
  return parsed;
}
