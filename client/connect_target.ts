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
import { chooseConnector } from "./choose_connector.ts";
import type { SocketUrls } from "./connector.ts";
import type { ClientSettings, WebSocketClientOptions } from "./settings.ts";

/** Options that name a target, and so must not differ from a URL beside them. */
export type TargetOptions = Pick<
  WebSocketClientOptions,
  "hostname" | "hostName" | "port" | "path" | "pathName" | "useSSL"
>;

/** Server that a client's settings name. */
export class ConnectTarget {
  readonly #settings: SettingsStore<ClientSettings>;
  /** The URL that the client was made with, if it was. */
  first: URL | undefined;
  /** Its origin. */
  firstOrigin = "";

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
    return socketUrls()?.write(this.#settings.values) ?? this.#hostUrl;
  }

  /** Where credentials may go: path of the Unix socket, scheme, host and port. */
  get origin(): string {
    return this.#settings.values.path + new URL(this.#hostUrl).origin;
  }

  /** The URL, as if there was no Unix socket. */
  get #hostUrl(): string {
    return `${this.#settings.values.useSSL ? "wss" : "ws"}://${this.hostHeader}${this.path}`;
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
   * Sets host name, port, paths and `useSSL` to those of a URL.
   *
   * @param url The URL.
   * @param path Path of a Unix socket, for a URL that names a host.
   * @returns The URL, parsed.
   * @throws {OptionError} If it is not valid.
   */
  replace(url: string | URL, path?: string | null): URL {
    const parsed = parseUrl(url);
    const useSSL = parsed.protocol.startsWith("wss");
    const socket = socketUrls()?.read(parsed);
    this.#settings.set("useSSL", useSSL);
    this.#settings.set("path", socket?.path ?? path ?? "");
    this.#settings.set("hostname", socket?.hostname ?? withoutBrackets(parsed.hostname));
    this.#settings.set("port", parsed.port === "" ? (useSSL ? 443 : 80) : Number(parsed.port));
    this.#settings.set("pathName", socket?.target ?? parsed.pathname + parsed.search);
    return parsed;
  }

  /**
   * Sets the target to the URL that a client is made with.
   *
   * @param url The URL.
   * @param beside The options beside it.
   * @returns The URL, parsed.
   * @throws {OptionError} If it is not valid, or an option names another target.
   */
  begin(url: string | URL, beside: TargetOptions = {}): URL {
    const { values } = this.#settings;
    this.first = this.replace(url, beside.path);
    this.firstOrigin = this.origin;
    const place = this.#place;
    // Options that would be ignored are refused, such as `useSSL: true` beside "ws:": that must not go without TLS.
    for (const name of ["useSSL", "path", "hostname", "hostName", "port", "pathName"] as const) {
      const value = beside[name];
      if (value === undefined || value === null) continue;
      const setting = name === "hostName" ? "hostname" : name;
      const found = values[setting];
      if (typeof value === typeof found) this.#settings.set(setting, value);
      if (typeof value !== typeof found || this.#place !== place) throw targetError(setting, value, found, url);
    }
    return this.first = this.replace(url, beside.path);
  }

  /** The target, in a form to compare; `undefined` if it is none. */
  get #place(): string | undefined {
    const { path, port } = this.#settings.values;
    return URL.canParse(this.#hostUrl) ? path + port + new URL(this.#hostUrl).href : undefined;
  }
}

function targetError(name: string, value: unknown, found: unknown, url: string | URL): OptionError {
  const shown = typeof value === "string" ? quote(redactUrl(value)) : showValue(value);
  const target = name === "useSSL" ? `speaks ${found ? "" : "no "}TLS` : `has ${showValue(found)}`;
  return new OptionError(
    `The setting "${name}" is ${shown}, but the URL ${quote(redactUrl(url))} ${target}: give one of both`,
  );
}

/** Support of Unix sockets; `undefined` in a page. */
function socketUrls(): SocketUrls | undefined {
  return chooseConnector(false).socketUrls;
}

function parseUrl(url: string | URL): URL {
  const refuse = (why: string): never => {
    throw new OptionError(`The URL ${quote(redactUrl(url))} ${why}`);
  };
  // The error of the runtime would quote the password.
  if (!URL.canParse(String(url))) refuse('is not valid: write it as "ws://host/path" or "wss://host/path"');
  const parsed = new URL(url);
  const { protocol } = parsed;
  if (protocol !== "ws:" && protocol !== "wss:" && !socketUrls()?.read(parsed)) {
    const http = protocol.startsWith("http");
    refuse(
      `is neither "ws:" nor "wss:": ${
        http ? `use "${protocol.replace("http", "ws")}"` : 'begin it with "ws://" or "wss://"'
      }`,
    );
  }
  // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs".
  if (parsed.hash !== "") refuse("has a fragment");
  return parsed;
}
