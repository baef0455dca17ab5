/**
 * The body of a notification that comes in pieces: collected, and hashed on its way, so that nothing is left to do for its length when
 * it is complete.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { concatAll } from "./bytes.ts";
import { SignatureCheck } from "./whatsapp_signature.ts";

/** A notification that has come in whole. */
export interface CollectedNotification {
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Whether its signature fits, or none is asked for. */
  readonly authentic: boolean;
  /** SHA-256 of what was given before the body, and of the body. */
  readonly digest: Uint8Array;
}

/** Collects one notification. */
export class NotificationBody {
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #check: SignatureCheck | undefined;
  #digest: Hash;

  /**
   * Begins with an empty body.
   *
   * @param signature The value of `X-Hub-Signature-256`.
   * @param appSecrets The app secrets, of which one must fit; `null`: no signature is asked for.
   * @param prefix What the digest begins with.
   */
  constructor(signature: string, appSecrets: readonly string[] | null, prefix: string) {
    this.#check = appSecrets === null ? undefined : new SignatureCheck(signature, appSecrets);
    this.#digest = createHash("sha256").update(prefix);
  }

  /**
   * Reads it from a stream.
   *
   * @param stream The body of the request; `null`: an empty one.
   * @returns The notification. Rejects with what the stream fails with; what had come is let go then.
   */
  async collect(stream: ReadableStream<Uint8Array<ArrayBuffer>> | null): Promise<CollectedNotification> {
    const reader = stream?.getReader();
    try {
      for (;;) {
        const part = await reader?.read();
        if (part === undefined || part.done) break;
        this.#take(part.value);
      }
    } catch (error) {
      this.#drop();
      throw error;
    }
    return this.#finish();
  }

  #take(piece: Uint8Array<ArrayBuffer>): void {
    this.#pieces.push(piece);
    this.#check?.update(piece);
    this.#digest.update(piece);
  }

  #finish(): CollectedNotification {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : concatAll(this.#pieces);
    if (this.#pieces.length > 1) this.#drop();
    return { bytes, authentic: this.#check?.finish() ?? true, digest: new Uint8Array(this.#digest.digest()) };
  }

  /** Frees the pieces now, not when they are collected: a flood of such bodies must not take more memory than they had. */
  #drop(): void {
    for (const { buffer } of this.#pieces.splice(0)) buffer.transfer(0);
  }
}
