/**
 * The argument of `reloadCertificates`: certificates that replace those of the settings while the server runs.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { checkValue } from "../base/settings.ts";
import { assertOneSource } from "../transport/certificate.ts";
import { SERVER_SETTINGS, type ServerCertificates } from "./settings.ts";

/** For each setting of a certificate, the one that names the same in another way. */
const OTHERS: { readonly [Name in PemSetting]: PemSetting } = {
  certificate: "certificateFile",
  certificateKey: "certificateKeyFile",
  rootCertificate: "rootCertificateFile",
  certificateFile: "certificate",
  certificateKeyFile: "certificateKey",
  rootCertificateFile: "rootCertificate",
  clientRootCertificate: "clientRootCertificateFile",
  clientRootCertificateFile: "clientRootCertificate",
};

type PemSetting = Exclude<keyof ServerCertificates, "certificates">;

const NAMES: OptionTable<ServerCertificates> = {
  certificate: true,
  certificateKey: true,
  rootCertificate: true,
  certificateFile: true,
  certificateKeyFile: true,
  rootCertificateFile: true,
  certificates: true,
  clientRootCertificate: true,
  clientRootCertificateFile: true,
};
const OPTIONS = new OptionNames("reloadCertificates", {
  tables: [NAMES],
  hints: { cert: 'use "certificate"', key: 'use "certificateKey"', ca: 'use "rootCertificate"' },
  example: () => "{ certificate, certificateKey }",
});

/**
 * Checks the argument of `reloadCertificates`.
 *
 * @param given The certificates; fields that are `undefined` replace nothing.
 * @param current The settings as they are.
 * @returns The settings to set: a text takes the place of a path, and the reverse.
 * @throws {OptionError} If a name is unknown, a value is of another kind, or a text and a path are given for the same.
 * @throws {StateError} If there are certificates for names, and were none, or the reverse.
 */
export function replacedCertificates(
  given: ServerCertificates,
  current: Pick<ServerCertificates, "certificates">,
): ServerCertificates {
  OPTIONS.assert(given);
  assertOneSource(given);
  const replaced: Record<string, unknown> = {};
  for (const name of Object.keys(NAMES) as (keyof ServerCertificates)[]) {
    const value = given[name];
    if (value === undefined || value === null) continue;
    checkValue(SERVER_SETTINGS, name, value);
    replaced[name] = value;
    if (value !== "" && name !== "certificates") replaced[OTHERS[name]] = "";
  }
  const { certificates } = replaced as ServerCertificates;
  if (certificates !== undefined && (certificates.length === 0) !== ((current.certificates ?? []).length === 0)) {
    throw new StateError("ERR_RUNNING", 'Cannot begin or end the use of "certificates" while the server runs');
  }
  return replaced as ServerCertificates;
}
