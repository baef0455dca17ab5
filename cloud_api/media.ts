/**
 * Calls of the Graph API that concern files: upload, download, description, deletion.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertSignal, OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertSuccess } from "./answers.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { assertId } from "./api_settings.ts";
import { readJson } from "./call_limits.ts";
import type {
  DownloadOptions,
  MediaFile,
  MediaInfo,
  UploadHandleOptions,
  UploadOptions,
  UploadSource,
} from "./calls.ts";
import { fetchGraph, type GraphClient, graphUrl, pathOf } from "./graph.ts";
import { isObject, type JsonObject, withoutUndefined } from "./json.ts";
import { assertSize, checkFileBytes, fetchFile } from "./media_download.ts";
import { checkFile, formCall, releasing, uploadCall } from "./media_upload.ts";
import type { WhatsAppMedia } from "./messages.ts";

const UPLOAD_NAMES: OptionTable<UploadOptions> = {
  mimeType: true,
  filename: true,
  kind: true,
  size: true,
  checkType: true,
  signal: true,
};
const UPLOAD_HINTS = { type: 'use "mimeType"', contentType: 'use "mimeType"', name: 'use "filename"' };
const UPLOAD_OPTIONS = /* @__PURE__ */ new OptionNames("An upload", { tables: [UPLOAD_NAMES], hints: UPLOAD_HINTS });
const HANDLE_OPTIONS = /* @__PURE__ */ new OptionNames("An upload", {
  tables: [UPLOAD_NAMES, { appId: true }],
  hints: UPLOAD_HINTS,
  example: () => '{ appId: "…" }',
});
const DOWNLOAD_NAMES: OptionTable<DownloadOptions> = { maxSize: true, signal: true };
const DOWNLOAD_OPTIONS = /* @__PURE__ */ new OptionNames("media", { tables: [DOWNLOAD_NAMES] });
const CALL_OPTIONS = /* @__PURE__ */ new OptionNames("A call", { tables: [{ signal: true }] });

/** Types of the Resumable Upload API. */
const HANDLE_TYPES: readonly string[] = ["application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"];

/** Options of a call that takes nothing else. */
export interface SignalOption {
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Files that the Graph API keeps. */
export class MediaCalls {
  readonly #graph: GraphClient;

  /**
   * Begins without a call.
   *
   * @param graph The API.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Uploads a file.
   *
   * @param source The file.
   * @param options Its type, name, and size.
   * @returns Its id.
   * @throws {OptionError} If its type or size is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async upload(source: UploadSource, options: UploadOptions): Promise<{ id: string }> {
    UPLOAD_OPTIONS.assert(options);
    assertUpload(options);
    const file = await checkFile(source, options);
    const call = await formCall(file, { messaging_product: "whatsapp", type: file.mimeType });
    const url = graphUrl(this.#graph, `${this.#graph.phoneNumberId}/media`);
    const { id } = await releasing(
      [source],
      () => fetchGraph(this.#graph, "POST", url, { ...call, signal: options.signal }, readJson),
    );
    return { id: assertText(id, "id") };
  }

  /**
   * Uploads a file with the Resumable Upload API.
   *
   * @param source The file.
   * @param options The app, and type, name and size of the file.
   * @returns Its handle.
   * @throws {OptionError} If its type or size is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async uploadHandle(source: UploadSource, options: UploadHandleOptions): Promise<{ handle: string }> {
    HANDLE_OPTIONS.assert(options);
    assertUpload(options);
    const { appId, signal, checkType = true } = options;
    assertId("appId", appId);
    const file = await checkFile(source, options);
    const { mimeType, filename, size } = file;
    if (size === undefined) throw new OptionError('Cannot upload: give the option "size" of the stream, in bytes');
    if (checkType && !HANDLE_TYPES.includes(mimeType)) {
      const list = HANDLE_TYPES.join(", ");
      throw new OptionError(`The option "mimeType" is "${mimeType}": templates and profiles take ${list}`);
    }
    const query = { file_name: filename, file_length: size, file_type: mimeType };
    const call = await uploadCall(file);
    const headers = { ...call.headers, file_offset: "0" };
    const answer = await releasing([source], async () => {
      const { id } = await this.#graph.post(`${appId}/uploads`, { query, signal });
      const url = this.#sessionUrl(assertText(id, "id"));
      return await fetchGraph(this.#graph, "POST", url, { ...call, headers, scheme: "OAuth", signal }, readJson);
    });
    return { handle: assertText(answer.h, "h") };
  }

  /** Makes the URL of an upload: its id may have a query, which signs it. */
  #sessionUrl(id: string): URL {
    const url = graphUrl(this.#graph, id);
    const { pathname } = graphUrl(this.#graph, "upload:");
    if (id.startsWith("upload:") && url.pathname.startsWith(pathname)) return url;
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API gave no usable id of an upload", 200);
  }

  /**
   * Asks for the description of a file.
   *
   * @param id Its id.
   * @param options Signal that aborts the call.
   * @returns The description.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async info(id: string, options: SignalOption): Promise<MediaInfo> {
    CALL_OPTIONS.assert(options);
    const query = { phone_number_id: this.#graph.phoneNumberId };
    const info = await this.#graph.get(pathOf("media", id), { query, signal: options.signal });
    return readInfo(id, info);
  }

  /**
   * Deletes a file.
   *
   * @param id Its id.
   * @param options Signal that aborts the call.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async delete(id: string, options: SignalOption): Promise<void> {
    CALL_OPTIONS.assert(options);
    const query = { phone_number_id: this.#graph.phoneNumberId };
    assertSuccess(await this.#graph.delete(pathOf("media", id), { query, signal: options.signal }), "delete the file");
  }

  /**
   * Fetches a file. The URL in a notification is not used: it lives for 5 minutes, a notification may be older, and
   * each failure counts against a limit of Meta.
   *
   * @param media Its id, or the media of a message.
   * @param options Largest size, and signal that aborts the call.
   * @returns The file, as soon as its head has come.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async download(media: string | WhatsAppMedia, options: DownloadOptions): Promise<MediaFile> {
    DOWNLOAD_OPTIONS.assert(options);
    const { maxSize = 0, signal } = options;
    assertNumber("maxSize", maxSize);
    const id = mediaIdOf(media);
    for (let isSecond = false;; isSecond = true) {
      const info = await this.info(id, { signal });
      assertSize(id, info.size ?? 0, maxSize);
      try {
        const { type, stream } = await fetchFile(this.#graph, id, info.url, signal);
        const { mimeType = type, size, sha256 } = info;
        return withoutUndefined({ mimeType, size, sha256, stream: checkFileBytes(stream, { id, sha256, maxSize }) });
      } catch (error) {
        // The URL has expired: Meta says to ask for a new one.
        if (isSecond || !(error instanceof WhatsAppApiError) || error.status !== 404) throw error;
      }
    }
  }
}

/** A message has an id too, which is none of a file. */
function mediaIdOf(media: string | WhatsAppMedia): string {
  if (typeof media === "string") return media;
  if (!isObject(media)) {
    throw new OptionError(`The media are ${showValue(media)} instead of an id, or those of a message`);
  }
  if (!Object.hasOwn(media, "kind")) return media.id;
  throw new OptionError('The media are a record instead of the file in it, such as "message.image"');
}

function assertUpload(options: UploadOptions): void {
  assertSignal(options);
  if (options.size !== undefined) assertNumber("size", options.size);
}

function readInfo(id: string, info: JsonObject): MediaInfo {
  const { mime_type, sha256, file_size } = info;
  return withoutUndefined({
    id,
    url: assertText(info.url, "url"),
    mimeType: typeof mime_type === "string" ? mime_type : undefined,
    sha256: typeof sha256 === "string" ? sha256 : undefined,
    size: Number(file_size) || undefined,
  });
}

function assertText(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new WhatsAppApiError("ERR_API_ANSWER", `The Graph API answered without "${name}"`, 200);
}
