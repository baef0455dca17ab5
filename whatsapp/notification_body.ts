/**
 * The body of a notification that comes in pieces: collected, and hashed on its way, so that nothing is left to do for its length when
 * it is complete.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { collectBody } from "../protocol/collected_request.ts";
import { SignatureCheck } from "../cloud_api/signature.ts";

/** A notification that has come in whole. */
export interface CollectedNotification {
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Whether its signature fits, or none is asked for. */
  readonly authentic: boolean;
  /** SHA-256 of what was given before the body, and of the body. */
  readonly digest: Uint8Array;
}

/**
 * Collects one notification.
 *
 * @param stream The body of the request; `null`: an empty one.
 * @param signature The value of `X-Hub-Signature-256`.
 * @param appSecrets The app secrets, of which one must fit; `null`: no signature is asked for.
 * @param prefix What the digest begins with.
 * @returns The notification. Rejects with what the stream fails with; the memory of what had come is free then.
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
