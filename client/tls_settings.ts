/**
 * Settings of a client that need TLS.
 *
 * @module
 */

import type { PemData } from "../base/pem.ts";
import { OptionError } from "../base/errors.ts";

/** Certificates that a client trusts, the one that it shows, and the name that the server's is checked against. */
export interface TlsSettings {
  /** PEM file with certificates that are trusted besides those of the runtime, or "". */
  readonly rootCertificateFile: string;
  /** The same as PEM, or "". */
  readonly rootCertificate: PemData;
  /** PEM file with the certificate of the client, or "". */
  readonly certificateFile: string;
  /** The same as PEM, or "". */
  readonly certificate: PemData;
  /** PEM file with the private key of the client, or "". */
  readonly certificateKeyFile: string;
  /** The same as PEM, or "". */
  readonly certificateKey: PemData;
  /** Name of the server in TLS, or "" for the host name. */
  readonly serverName: string;
}

/** The settings, without one set. */
export const NO_TLS_SETTINGS: TlsSettings = {
  rootCertificateFile: "",
  rootCertificate: "",
  certificateFile: "",
  certificate: "",
  certificateKeyFile: "",
  certificateKey: "",
  serverName: "",
};

const NAMES = Object.keys(NO_TLS_SETTINGS) as (keyof TlsSettings)[];

/**
 * Finds a setting of TLS that is set.
 *
 * @param settings The settings.
 * @returns Its name; `undefined` if none is.
 */
export function givenTlsSetting(settings: TlsSettings): keyof TlsSettings | undefined {
  return NAMES.find((name) => settings[name] !== "");
}

/**
 * Leaves out the settings that belong to one server: its name, and the certificate that it asks for.
 *
 * @param settings The settings.
 * @returns Those for any server: the trusted certificates.
 */
export function forOtherServer({ rootCertificateFile, rootCertificate }: TlsSettings): TlsSettings {
  return { ...NO_TLS_SETTINGS, rootCertificateFile, rootCertificate };
}

/**
 * Checks that settings of TLS are of use: an attempt may speak it.
 *
 * @param settings The settings of a client.
 * @throws {OptionError} If one is set, and neither `useSSL`, nor `resolveUrl` or a redirect, can lead to TLS.
 */
export function assertTlsForSettings(
  settings: TlsSettings & {
    readonly useSSL: boolean;
    readonly resolveUrl?: unknown;
    readonly maxRedirects: number;
  },
): void {
  const name = givenTlsSetting(settings);
  if (name === undefined || settings.useSSL || settings.resolveUrl !== undefined || settings.maxRedirects > 0) return;
  throw new OptionError(
    `The setting "${name}" needs a "wss:" URL, or "useSSL: true": without it nothing is encrypted`,
  );
}
