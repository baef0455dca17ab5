/**
 * Requests that are printed instead of sent: `--dry-run`.
 *
 * @module
 */

import type { CliIo } from "./io.ts";
import type { WhatsAppApiOptions } from "../cloud_api/api_settings.ts";

/** Id of a file that was not uploaded. */
const MEDIA_ID = "ID_OF_THE_UPLOADED_FILE";
const MESSAGE_ID = "wamid.NOT_SENT";

/**
 * Makes a `fetch` that prints each request, without its header fields, which have the access token, and answers as the
 * API would.
 *
 * @param io Takes the requests.
 * @param asJson Print each request as a line of JSON.
 * @returns The function.
 */
export function dryFetch(io: Pick<CliIo, "out">, asJson: boolean): NonNullable<WhatsAppApiOptions["fetch"]> {
  return async (url, init) => {
    const method = init?.method ?? "GET";
    const address = String(url);
    const body = await showBody(init ?? {});
    if (asJson) io.out(JSON.stringify({ method, url: address, body }));
    else io.out(`${method} ${address}\n${JSON.stringify(body, undefined, 2)}`);
    return Response.json(address.endsWith("/media") ? { id: MEDIA_ID } : { messages: [{ id: MESSAGE_ID }] });
  };
}

/** JSON as it is; of a form each field, with name, type and size of a file. */
async function showBody({ body, headers }: RequestInit): Promise<unknown> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string") return JSON.parse(body);
  const type = new Headers(headers).get("content-type") ?? "";
  const whole = new Response(body, { headers: { "content-type": type } });
  if (!type.startsWith("multipart/form-data")) return `${(await whole.arrayBuffer()).byteLength} bytes`;
  const fields = [...await whole.formData()];
  return Object.fromEntries(fields.map(([name, value]) => [name, typeof value === "string" ? value : fileOf(value)]));
}

function fileOf({ name, type, size }: File): string {
  return `${name}, ${type}, ${size} bytes`;
}
