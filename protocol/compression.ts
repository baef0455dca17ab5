/**
 * Options and parameters of compression by permessage-deflate (RFC 7692).
 *
 * @module
 */

import type { Extension } from "./extensions.ts";
/**
 * Options of compression. The last four are the parameters of RFC 7692 §7.1 that this end asks for and agrees to; the
 * agreed ones are in `connection.extensions`.
 */
export interface CompressionOptions {
  /**
   * Messages of fewer bytes are not compressed; nor are messages in fragments by hand whose first fragment has fewer.
   * @default {128}
   */
  threshold?: number | undefined;
  /**
   * 1 (fastest) to 9 (smallest); 0: no compression, in compressed form.
   * @default {6}
   */
  level?: number | undefined;
  /**
   * 1 to 9: a compressor has hash tables of 2^(memoryLevel + 9) bytes.
   * @default {8}
   */
  memoryLevel?: number | undefined;
  /**
   * The server compresses each message by itself.
   * @default {false}
   */
  serverNoContextTakeover?: boolean | undefined;
  /**
   * The client compresses each message by itself. A server that asks for it always gets it.
   * @default {false}
   */
  clientNoContextTakeover?: boolean | undefined;
  /**
   * The server's window is at most 2^n bytes, 8 to 15.
   * @default {15}
   */
  serverMaxWindowBits?: number | undefined;
  /**
   * The client's window is at most 2^n bytes, 8 to 15. A server can ask for less than 15 only from a client that says
   * that supports it; other clients get 15.
   * @default {15}
   */
  clientMaxWindowBits?: number | undefined;
}

/** {@linkcode CompressionOptions} with nothing left out. */
export type CompressionSettings = {
  readonly [Name in keyof CompressionOptions]-?: Exclude<CompressionOptions[Name], undefined>;
};

/** The four parameters of RFC 7692 §7.1, as agreed on. */
export type DeflateParameters = Pick<
  CompressionSettings,
  "serverNoContextTakeover" | "clientNoContextTakeover" | "serverMaxWindowBits" | "clientMaxWindowBits"
>;

/** Result of the negotiation. */
export interface DeflateAgreement {
  /** As it stands in the answer of the server. */
  extension: Extension;
  /** Settings that follow from it. */
  parameters: DeflateParameters;
  /** This end's settings that led to it. */
  settings: CompressionSettings;
}
