/**
 * Header fields of the requests of a client with sockets, and the credentials of its URLs.
 *
 * @module
 */

import { assertAnswer, assertToken } from "../base/secrets.ts";
import type { AskProgram, RequestSettings, RequestTarget } from "./connector.ts";
import { basicCredentials, makeHeaders } from "./socket_settings.ts";

/**
 * Makes the credentials of the URL that a client is made with a header field, as other clients do, unless one is given.
 *
 * @param headers The setting of the client.
 * @param url The URL.
 * @returns The setting with the field.
 */
export function withCredentials(headers: RequestSettings["headers"], url: URL): RequestSettings["headers"] {
  const authorization = basicCredentials(url);
  if (authorization === undefined || typeof headers === "function") return headers;
  const fields = makeHeaders(headers);
  if (fields.has("authorization")) return headers;
  fields.set("authorization", authorization);
  return fields;
}

/**
 * Asks for the header fields and the token of an attempt.
 *
 * @param settings The settings of the client.
 * @param target The server of the attempt.
 * @param ask Asks the program.
 * @param url The URL of the attempt, if the program was asked for one.
 * @returns The header fields.
 * @throws {OptionError} If a name or value is not valid.
 */
export async function requestHeaders(
  settings: RequestSettings,
  target: RequestTarget,
  ask: AskProgram,
  url: URL | undefined,
): Promise<Headers> {
  const { headers, token } = settings;
  const credentials = url && basicCredentials(url);
  const given = makeHeaders(typeof headers === "function" ? await ask("headers", headers) : headers);
  dropForeignCredentials(given, target, credentials !== undefined);
  if (credentials !== undefined && !given.has("authorization")) given.set("authorization", credentials);
  if (token === undefined) return given;
  // A function without an answer must not connect without `Authorization`.
  const bearer = typeof token === "function" ? await ask("token", token) : token;
  assertAnswer("token", bearer);
  assertToken("token", bearer);
  given.set("authorization", `Bearer ${bearer}`);
  return given;
}

/**
 * Removes the credentials of the client's first URL from a request to another server.
 *
 * @param headers The header fields of the request, which are changed.
 * @param target The server.
 * @param replaced `true` if the URL of this request has its own.
 */
function dropForeignCredentials(headers: Headers, target: RequestTarget, replaced: boolean): void {
  const own = target.first && basicCredentials(target.first);
  if (own === undefined || headers.get("authorization") !== own) return;
  if (replaced || target.origin !== target.firstOrigin) headers.delete("authorization");
}
