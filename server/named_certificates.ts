/**
 * Certificates of a server for several names: the entries of the setting `certificates`.
 *
 * @module
 */

import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { assertHostName } from "../base/host_name.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertPem, type PemData } from "../base/pem.ts";
import { assertOneSource } from "../transport/certificate.ts";

/** Certificate and key for one server name. */
export interface NamedCertificate {
  /** The name, such as `"a.example"`; `"*.example"` stands for all names with one label more. */
  serverName: string;
  /** PEM file with the certificate; the rest of its chain may follow in it. */
  certificateFile?: string | undefined;
  /** PEM file with the private key; `onGetSSLPassword` is called if it is encrypted. */
  certificateKeyFile?: string | undefined;
  /** PEM file with certificates that are appended to the chain that is sent. */
  rootCertificateFile?: string | undefined;
  /** The certificate as PEM text or its bytes, instead of `certificateFile`. */
  certificate?: PemData | undefined;
  /** The private key as PEM text or its bytes, instead of `certificateKeyFile`. */
  certificateKey?: PemData | undefined;
  /** PEM text or its bytes, instead of `rootCertificateFile`. */
  rootCertificate?: PemData | undefined;
}

/** Certificates of clients: none is asked for, those without one are let in too, or each needs one. */
export type ClientCertificateMode = "none" | "request" | "require";

const NAMES: OptionTable<NamedCertificate> = {
  serverName: true,
  certificateFile: true,
  certificateKeyFile: true,
  rootCertificateFile: true,
  certificate: true,
  certificateKey: true,
  rootCertificate: true,
};
const ENTRY = new OptionNames('An entry of "certificates"', {
  tables: [NAMES],
  hints: { cert: 'use "certificate"', key: 'use "certificateKey"', name: 'use "serverName"', host: 'use "serverName"' },
  example: () => "{ serverName, certificateFile, certificateKeyFile }",
});

/**
 * Checks the setting `certificates`.
 *
 * @param entries The entries.
 * @throws {OptionError} If one has an unknown name, no server name or that of another one, or PEM that is none.
 */
export function assertNamedCertificates(entries: readonly unknown[]): void {
  const names = new Set<string>();
  for (const entry of entries) {
    ENTRY.assert(entry);
    const named = entry as NamedCertificate;
    const name = assertServerName(named.serverName);
    if (names.has(name)) throw new OptionError(`Two entries of "certificates" have the "serverName" ${quote(name)}`);
    names.add(name);
    for (const setting of ["certificate", "certificateKey", "rootCertificate"] as const) {
      if (named[setting] !== undefined) assertPem(named[setting], setting);
      const file = `${setting}File` as const;
      if (named[file] === undefined || typeof named[file] === "string") continue;
      throw new OptionError(`The setting "${file}" of an entry of "certificates" is no text`);
    }
    assertOneSource(named);
  }
}

function assertServerName(name: unknown): string {
  if (typeof name !== "string") throw new OptionError('An entry of "certificates" has no "serverName"');
  const plain = name.startsWith("*.") ? name.slice(2) : name;
  assertHostName(plain, "", "serverName");
  if (!plain.includes("*") && !plain.includes(":")) return name.toLowerCase();
  throw new OptionError(
    `The "serverName" ${quote(name)} is no name: "*." may stand at its begin, and addresses are not sent in TLS`,
  );
}
