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
import type { ClientSettings, WebSocketClientOptions } from "./settings.ts";

/** Options that name a target, and so must not differ from a URL beside them. */
export type TargetOptions = Pick<WebSocketClientOptions, "hostname" | "hostName" | "port" | "pathName" | "useSSL">;

/** Server that a client's settings name. */
export class ConnectTarget {
  readonly #settings: SettingsStore<ClientSettings>;
  /** The URL that the client was made with, if it was. */
  first: URL | undefined;

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
    return `${this.#settings.values.useSSL ? "wss" : "ws"}://${this.hostHeader}${this.path}`;
  }

  /** The value of `Host`: with the port, unless it is the default of the scheme. */
  get hostHeader(): string {
    const { port, useSSL } = this.#settings.values;
    const plain = this.hostname;
    const name = plain.includes(":") ? `[${plain}]` : plain;
    return port === (useSSL ? 443 : 80) ? name : `${name}:${port}`;
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
   * @returns The URL, parsed.
   * @throws {OptionError} If it is not valid.
   */
  replace(url: string | URL): URL {
    const parsed = parseUrl(url);
    const useSSL = parsed.protocol === "wss:";
    this.#settings.set("useSSL", useSSL);
    this.#settings.set("hostname", withoutBrackets(parsed.hostname));
    this.#settings.set("port", parsed.port === "" ? (useSSL ? 443 : 80) : Number(parsed.port));
    this.#settings.set("pathName", parsed.pathname + parsed.search);
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
    this.first = this.replace(url);
    const { href } = new URL(this.url);
    // Options that would be ignored are refused, such as `useSSL: true` beside "ws:": that must not go without TLS.
    for (const name of ["useSSL", "hostname", "hostName", "port", "pathName"] as const) {
      const value = beside[name];
      if (value === undefined || value === null) continue;
      const setting = name === "hostName" ? "hostname" : name;
      const found = values[setting];
      if (typeof value === typeof found) this.#settings.set(setting, value);
      const same = typeof value === typeof found && URL.canParse(this.url) && new URL(this.url).href === href;
      if (!same) throw targetError(setting, value, found, url);
    }
    return this.first = this.replace(url);
  }
}

function targetError(name: string, value: unknown, found: unknown, url: string | URL): OptionError {
  const shown = typeof value === "string" ? quote(redactUrl(value)) : showValue(value);
  const target = name === "useSSL" ? `speaks ${found ? "" : "no "}TLS` : `has ${showValue(found)}`;
  return new OptionError(
    `The setting "${name}" is ${shown}, but the URL ${quote(redactUrl(url))} ${target}: give one of both`,
  );
}

function parseUrl(url: string | URL): URL {
  const refuse = (why: string): never => {
    throw new OptionError(`The URL ${quote(redactUrl(url))} ${why}`);
  };
  // The error of the runtime would quote the password.
  if (!URL.canParse(String(url))) refuse('is not valid: write it as "ws://host/path" or "wss://host/path"');
  const parsed = new URL(url);
  const { protocol } = parsed;
  if (protocol !== "ws:" && protocol !== "wss:") {
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
