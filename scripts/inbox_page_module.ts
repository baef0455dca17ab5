/** Writes the module that holds the page of the live inbox, for `scripts/inbox_page.ts` and `scripts/pack.ts`. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import type { Page } from "../examples/inbox/page.ts";

/** Module that holds the page. */
export const PAGE_MODULE = "whatsapp/inbox_page_text.ts";

/** Folder with the sources of the page. */
const SOURCES = new URL("../examples/inbox/", import.meta.url);
/** Files of the folder that the page does not contain. */
const NOT_IN_PAGE = ["page.ts", "scenes.ts", "serve.ts"];
/** Characters of the text in one line. */
const LINE = 112;

/** Computes the digest of the files from which the page is made, but not of the library, which changes more often. */
export function digestSources(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(SOURCES).filter((name) => !NOT_IN_PAGE.includes(name)).sort()) {
    hash.update(`${name}\0${readFileSync(new URL(name, SOURCES), "utf8").replaceAll("\r\n", "\n")}\0`);
  }
  return hash.digest("hex");
}

/**
 * Writes the module.
 *
 * @param page The page.
 * @param digest Digest of its sources.
 * @returns TypeScript, formatted.
 */
export function writePageModule({ html, headers }: Page, digest: string): string {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
  const text = brotliCompressSync(html, { params }).toString("base64");
  const lines = Array.from(
    { length: Math.ceil(text.length / LINE) },
    (_, at) => text.slice(at * LINE, (at + 1) * LINE),
  );
  const policy = headers["content-security-policy"]!.split("; ");
  const others = Object.entries(headers).filter(([name]) => name !== "content-security-policy");
  return [
    "/**",
    " * The page of `inbox_page.ts`, written by `deno task inbox-page` from the files in `examples/inbox/`: change those.",
    " *",
    " * @module",
    " */",
    "",
    "/** SHA-256 of the files from which the page was made. */",
    `export const SOURCES = "${digest}";`,
    "",
    "/** Header fields of the page. */",
    "export const HEADERS: Readonly<Record<string, string>> = {",
    ...others.map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},`),
    '  "content-security-policy": [',
    ...policy.map((rule) => `    ${JSON.stringify(rule)},`),
    '  ].join("; "),',
    "};",
    "",
    "/** The HTML document: compressed with Brotli, in base64. */",
    "export const PAGE: string = [",
    ...lines.map((line) => `  "${line}",`),
    '].join("");',
    "",
  ].join("\n");
}
