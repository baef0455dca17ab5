/**
 * A client of the Cloud API (Graph API) on `fetch`: sends messages, and fetches media.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { readApiOptions, type WhatsAppApiOptions } from "./api_settings.ts";
import { takeFile } from "./call_limits.ts";
import type { MediaFile, ReadOptions } from "./calls.ts";
import { GraphClient, pathOf } from "./graph.ts";
import { withoutUndefined } from "./json.ts";
import type { WhatsAppMedia } from "./messages.ts";
import { SendQueue, type SendQueueState } from "./send_queue.ts";
import { WhatsAppSenders } from "./senders.ts";

const READ_NAMES: OptionTable<ReadOptions> = { typing: true, signal: true };
const READ_OPTIONS = new OptionNames("markAsRead", { tables: [READ_NAMES], example: () => "{ typing: true }" });
const MEDIA_OPTIONS = new OptionNames("media", { tables: [{ signal: true }] });

/**
 * Sends messages of a business, and fetches files.
 *
 * @example Answer each text
 * ```ts
 * import { WhatsAppApi, WhatsAppReceiver } from "@tackline/websocket/whatsapp";
 *
 * export async function run(accessToken: string) {
 *   const api = new WhatsAppApi({ accessToken, phoneNumberId: "106540352242922" });
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", { receiverToken: "…", name: "bot" });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     await api.markAsRead(message.id, { typing: true });
 *     if (message.type === "text") await api.reply(message, `You said: ${message.text.body}`);
 *   }
 * }
 * ```
 */
export class WhatsAppApi extends WhatsAppSenders {
  /** Calls that this class has no method for, with the same access token, time limit, retries and errors. */
  override readonly graph: GraphClient;
  readonly #queue: SendQueue;

  /**
   * Makes a client.
   *
   * @param options The options.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: WhatsAppApiOptions) {
    super();
    const settings = readApiOptions(options);
    this.#queue = new SendQueue(settings);
    this.graph = new GraphClient(settings, this.#queue);
  }

  /** Messages that wait for `pairLimit` or `messagesPerSecond`, and those that are being sent. */
  get queue(): SendQueueState {
    return this.#queue.state;
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Marks a message as read, and all before it.
   *
   * @param messageId Its id.
   * @param options Options of the call.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async markAsRead(messageId: string, options: ReadOptions = {}): Promise<void> {
    READ_OPTIONS.assert(options);
    assertSignal(options);
    const typing = options.typing ? { type: "text" } : undefined;
    const json = { messaging_product: "whatsapp", status: "read", message_id: messageId, typing_indicator: typing };
    await this.graph.post(`${this.graph.phoneNumberId}/messages`, { json, signal: options.signal });
  }

  // ---- Media ---------------------------------------------------------------------------------------------------

  /**
   * Fetches a file that a customer sent.
   *
   * @param media Its id, or the media of a message.
   * @param options Signal that aborts the call.
   * @returns The file, as soon as its head has come.
   * @throws {WhatsAppApiError} If the API refuses it: Meta keeps media for 7 days.
   */
  async media(media: string | WhatsAppMedia, options: { signal?: AbortSignal | undefined } = {}): Promise<MediaFile> {
    MEDIA_OPTIONS.assert(options);
    assertSignal(options);
    const id = typeof media === "string" ? media : media.id;
    const { signal } = options;
    const query = { phone_number_id: this.graph.phoneNumberId };
    const info = await this.graph.get(pathOf("media", id), { query, signal });
    const { url, mime_type, sha256, file_size } = info;
    if (typeof url !== "string" || !this.#isSafe(url)) {
      throw new WhatsAppApiError("ERR_API_ANSWER", `The Graph API gave no usable URL for the media "${id}"`, 200);
    }
    const file = await this.graph.fetch("GET", new URL(url), { signal }, takeFile);
    const digest = typeof sha256 === "string" ? sha256 : undefined;
    return withoutUndefined({
      mimeType: typeof mime_type === "string" ? mime_type : file.type,
      size: Number(file_size) || undefined,
      sha256: digest,
      stream: checkDigest(file.stream, digest, id),
    });
  }

  /** Allows TLS, and the scheme of the API itself: the access token goes to this URL. */
  #isSafe(url: string): boolean {
    return URL.canParse(url) && [new URL(this.graph.baseUrl).protocol, "https:"].includes(new URL(url).protocol);
  }
}

/** Hands bytes on, and fails at their end if the digest does not match. */
function checkDigest(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  sha256: string | undefined,
  id: string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (sha256 === undefined) return stream;
  const hash = createHash("sha256");
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        hash.update(bytes);
        controller.enqueue(bytes);
      },
      flush() {
        const digest = hash.digest();
        // Notifications have it in base64; the API has shown both forms.
        if (digest.toString("hex") === sha256.toLowerCase() || digest.toString("base64") === sha256) return;
        throw new WhatsAppApiError("ERR_MEDIA_DIGEST", `The media "${id}" do not match their digest`, 200);
      },
    }),
  );
}
