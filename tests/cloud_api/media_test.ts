/** Calls of `WhatsAppApi` that concern files as a whole; single parts: media_upload_test.ts, media_download_test.ts. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import { type GraphAnswer, type GraphRequest, withGraph } from "../support/graph.ts";
import { withFile } from "../support/whatsapp.ts";

/** Keeps files, as Meta does. */
class Store {
  url = "";
  readonly #files = new Map<string, File>();

  readonly answer = async ({ method, path, bytes, headers }: GraphRequest): Promise<GraphAnswer> => {
    const [id] = path.slice(1).split("?") as [string];
    if (id === "1065/media") {
      const type = String(headers["content-type"]);
      const form = await new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-type": type } })
        .formData();
      const stored = String(this.#files.size + 1);
      this.#files.set(stored, form.get("file") as File);
      return { json: { id: stored } };
    }
    const file = this.#files.get(id);
    if (file === undefined) return { json: { error: { code: 100, message: "no such object" } }, status: 400 };
    if (method === "DELETE") return { json: { success: this.#files.delete(id) } };
    if (!path.includes("?")) return { bytes: new Uint8Array(await file.arrayBuffer()) };
    const info = { messaging_product: "whatsapp", id, mime_type: file.type, file_size: String(file.size) };
    return { json: { ...info, url: `${this.url}/v26.0/${id}` } };
  };
}

describe("media of WhatsAppApi", () => {
  it("are those in a message, and not the message, whose id the API does not know", () =>
    withGraph(() => ({ json: {} }), async (api, { requests }) => {
      const [message] = parseNotification(simulateNotification(1, { type: "image" }).json).records;
      const wrong: [unknown, string][] = [
        [message, 'such as "message.image"'],
        [undefined, "media are undefined instead of an id"],
        [7, "media are 7 instead of an id"],
        [{}, "media is missing"],
        ["", "media is missing, or empty"],
      ];
      for (const [media, text] of wrong) {
        await assertRejects(() => api.media(media as never), OptionError, text);
      }
      assertEquals(requests.length, 0);
    }));

  it("are uploaded from the disk, described, fetched, and deleted", () => {
    const store = new Store();
    return withGraph(store.answer, (api, { url }) =>
      withFile(async (path) => {
        store.url = url;
        const bytes = new Uint8Array(700_000).fill(7);
        await writeFile(path, bytes);
        const { id } = await api.uploadMedia(await openAsBlob(path), { filename: "a.pdf" });
        assertEquals(await api.mediaInfo(id), {
          id: "1",
          url: `${url}/v26.0/1`,
          mimeType: "application/pdf",
          size: 700_000,
        });
        const { stream, size, mimeType } = await api.media(id, { maxSize: 700_000 });
        assertEquals([size, mimeType], [700_000, "application/pdf"]);
        assertEquals(new Uint8Array(await new Response(stream).arrayBuffer()), bytes);
        assertEquals(await api.deleteMedia(id), undefined);
        assertEquals((await assertRejects(() => api.media(id), WhatsAppApiError)).graph?.code, 100);
      }));
  });

  it("are passed on from one number to another without being collected", () => {
    const store = new Store();
    return withGraph(store.answer, async (api, { url }) => {
      store.url = url;
      const { id } = await api.uploadMedia(new Uint8Array(2_000_000).fill(9), { mimeType: "video/mp4" });
      const { stream, mimeType, size } = await api.media(id);
      const copy = await api.uploadMedia(stream, { mimeType, size });
      assertEquals((await api.mediaInfo(copy.id)).size, 2_000_000);
    });
  });

  it("have options that are checked before any call", () =>
    withGraph(() => ({ json: {} }), async (api, { requests }) => {
      const wrong = { signl: undefined } as { signal?: AbortSignal };
      const calls: (() => Promise<unknown>)[] = [
        () => api.media("77", wrong),
        () => api.mediaInfo("77", wrong),
        () => api.deleteMedia("77", wrong),
        () => api.uploadMedia(new Blob(["a"], { type: "image/png" }), wrong),
        () => api.uploadHandle(new Blob(["a"], { type: "image/png" }), { appId: "7", ...wrong }),
        ...["", "..", "a/b", "a?b"].flatMap((id) => [
          () => api.media(id),
          () => api.mediaInfo(id),
          () => api.deleteMedia(id),
        ]),
      ];
      for (const call of calls) assert(await assertRejects(call, OptionError));
      assertEquals(requests.length, 0);
    }));
});
