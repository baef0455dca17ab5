/**
 * The live inbox: a page in which people sign in with a receiver token and read WhatsApp messages as they come. It is
 * one HTML document without other files, which a `WhatsAppServer` serves on its own port.
 *
 * @example The page at "/inbox"
 * ```ts
 * import { inboxPage } from "@tackline/websocket/inbox-page";
 * import type { WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * export function serveInbox(server: WhatsAppServer): void {
 *   server.onCommandGet = inboxPage({ pathName: "/inbox", receiverPath: "/whatsapp" });
 * }
 * ```
 *
 * @module
 */

import { brotliDecompressSync } from "node:zlib";
import { fromBase64 } from "../base/encoding.ts";
import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { HEADERS, PAGE } from "./inbox_page_text.ts";

/** Options of {@linkcode inboxPage}. */
export interface InboxPageOptions {
  /**
   * The path of the page; all others are left to the program.
   * @default {"/"}
   */
  pathName?: string | undefined;
  /**
   * The path to which the page connects, on the host that served it: `pathName` of the `WhatsAppServer`.
   * @default {"/whatsapp"}
   */
  receiverPath?: string | undefined;
}

const NAMES: OptionTable<InboxPageOptions> = { pathName: true, receiverPath: true };
const OPTIONS = new OptionNames("inboxPage", { tables: [NAMES], example: () => '{ pathName: "/inbox" }' });

/** The attribute of the document that names the path of the receiver. */
const RECEIVER = 'data-receiver="/whatsapp"';

/** The HTML document, from the first use on. */
let html: string | undefined;

/**
 * Makes a handler for `onCommandGet` that answers with the page. The page has no secret: the user types the token,
 * which is kept for the tab only and sent to `receiverPath`, where the server checks it. A content security policy lets
 * nothing run or load but what is in the page.
 *
 * @param options Paths.
 * @returns The handler. Its result is the page for GET and HEAD of `pathName`, and `undefined` for other requests.
 * @throws {OptionError} If an option is unknown, or a path does not begin with "/".
 *
 * @example A server with its inbox
 * ```ts
 * import { inboxPage } from "@tackline/websocket/inbox-page";
 * import { WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * export const server = new WhatsAppServer({
 *   port: 8080,
 *   hostname: "127.0.0.1", // a proxy in front of it speaks TLS
 *   behindProxy: true,
 *   pathName: "/whatsapp",
 *   appSecret: "the app secret of Meta's dashboard",
 *   receiverToken: "chosen by you, typed into the page",
 *   journal: "notifications.db",
 *   onCommandGet: inboxPage(),
 * });
 * // await server.start();
 * ```
 */
export function inboxPage(options: InboxPageOptions = {}): (request: Request) => Response | undefined {
  OPTIONS.assert(options);
  const { pathName = "/", receiverPath = "/whatsapp" } = options;
  assertPath("pathName", pathName);
  assertPath("receiverPath", receiverPath);
  const receiver = `data-receiver="${escapeAttribute(receiverPath)}"`;
  let page: Uint8Array<ArrayBuffer> | undefined;
  return ({ method, url }) => {
    if (method !== "GET" && method !== "HEAD" || new URL(url).pathname !== pathName) return undefined;
    html ??= new TextDecoder().decode(brotliDecompressSync(fromBase64(PAGE)));
    page ??= new TextEncoder().encode(html.replace(RECEIVER, () => receiver));
    return new Response(page, { headers: HEADERS });
  };
}

function assertPath(name: keyof InboxPageOptions, path: unknown): void {
  if (typeof path !== "string") {
    throw new OptionError(`The option "${name}" is ${showValue(path)}: give a path such as "/inbox"`);
  }
  if (!path.startsWith("/") || path.startsWith("//")) {
    throw new OptionError(`The option "${name}" is ${quote(path)}: a path begins with one "/", such as "/inbox"`);
  }
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
