/** Calls of `WhatsAppApi` that concern files. */

import type { GraphCase, GraphRequest } from "../graph.ts";

const INFO = { messaging_product: "whatsapp", mime_type: "image/png", sha256: "00", file_size: "16", id: "77" };
const PNG = { type: "image/png" };

/** The file is the JSON of its own description. */
const describedAt = (request: GraphRequest, url: string): object =>
  request.path.startsWith("/77?") ? { ...INFO, sha256: undefined, url: `${url}/files/77` } : { success: true };

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "uploadMedia",
    call: (api, options) => api.uploadMedia(new Blob(["small"], PNG), options),
    request: "POST /1065/media",
    answer: { id: "77" },
    result: { id: "77" },
    errors: [[400, 131053], [400, 368]],
  },
  {
    method: "uploadMedia",
    call: (api, options) => api.uploadMedia(new Blob([new Uint8Array(300_000)], PNG), options),
    request: "POST /1065/media",
    answer: { id: "77" },
    result: { id: "77" },
  },
  {
    method: "mediaInfo",
    call: (api, options) => api.mediaInfo("77", options),
    request: "GET /77?phone_number_id=1065",
    answer: { ...INFO, url: "https://lookaside.fbsbx.com/x" },
    result: { id: "77", url: "https://lookaside.fbsbx.com/x", mimeType: "image/png", sha256: "00", size: 16 },
    errors: [[400, 131052], [404, 100]],
  },
  {
    method: "media",
    call: async (api, options) => {
      const { mimeType, size, stream } = await api.media("77", options);
      return { mimeType, size, text: await new Response(stream).text() };
    },
    request: "GET /77?phone_number_id=1065",
    requests: 2,
    answer: describedAt,
    result: { mimeType: "image/png", size: 16, text: '{"success":true}' },
    errors: [[400, 131052]],
  },
  {
    method: "deleteMedia",
    call: (api, options) => api.deleteMedia("77", options),
    request: "DELETE /77?phone_number_id=1065",
    errors: [[404, 100]],
  },
  {
    method: "uploadHandle",
    call: (api, options) => api.uploadHandle(new Blob(["small"], PNG), { appId: "5", filename: "a.png", ...options }),
    request: "POST /5/uploads?file_name=a.png&file_length=5&file_type=image%2Fpng",
    requests: 2,
    answer: ({ path }: GraphRequest) => path.startsWith("/5/") ? { id: "upload:S?sig=x" } : { h: "2:H" },
    result: { handle: "2:H" },
    errors: [[400, 368]],
  },
];
