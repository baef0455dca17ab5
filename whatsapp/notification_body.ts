/**
 * The body of a notification that comes in pieces: each piece is hashed as it comes, so that the last one costs no more
 * than the others.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { collectBody } from "../protocol/collected_request.ts";
import { SignatureCheck } from "../cloud_api/signature.ts";

/** A complete notification. */
export interface CollectedNotification {
  /** Its bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `true` if its signature is valid, or none is asked for. */
  readonly authentic: boolean;
  /** SHA-256 of the prefix and the body. */
  readonly digest: Uint8Array;
}

/**
 * Collects one notification.
 *
 * @param stream The body of the request; `null`: an empty one.
 * @param signature The value of `X-Hub-Signature-256`.
 * @param appSecrets The app secrets, of which one must have signed; `null`: no signature is asked for.
 * @param prefix Text at the start of the digest.
 * @returns The notification. Rejects with the error of the stream; the memory of earlier pieces is free then.
 */
export async function collectNotification(
  stream: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  signature: string,
  appSecrets: readonly string[] | null,
  prefix: string,
): Promise<CollectedNotification> {
  const check = appSecrets === null ? undefined : new SignatureCheck(signature, appSecrets);
  const hash = createHash("sha256").update(prefix);
  const bytes = stream === null ? new Uint8Array(0) : await collectBody(stream, (piece) => {
    check?.update(piece);
    hash.update(piece);
  });
  return { bytes, authentic: check?.finish() ?? true, digest: new Uint8Array(hash.digest()) };
}
