/**
 * Builds the page: one HTML file with its script inside. The script is bundled when the server starts, by the bundler
 * of the runtime that runs it.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A page that is ready to be sent, any number of times. */
export interface Page {
  html: string;
  headers: Record<string, string>;
}

/** Bundles and builds. */
export async function buildPage(): Promise<Page> {
  const [file, bundle] = await Promise.all([readFile(here("inbox.html"), "utf8"), bundleScript(here("main.ts"))]);
  const template = toLf(file);
  // Inside a script element nothing else ends it.
  const script = toLf(bundle).replaceAll("</script", "<\\/script");
  const html = template.replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
  return { html, headers: makeHeaders(script, between(template, "<style>", "</style>")) };
}

/** Browsers read CR LF as LF, and hash what they have read. */
function toLf(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

function between(text: string, start: string, end: string): string {
  return text.slice(text.indexOf(start) + start.length, text.indexOf(end));
}

/**
 * Nothing runs or is loaded but what the page brought, whatever a message says: only this script, only this style
 * sheet, only this server; and no text becomes markup.
 */
function makeHeaders(script: string, style: string): Record<string, string> {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

/** Bundles a module for a page. */
export function bundleScript(entry: string): Promise<string> {
  const onDeno = ["bundle", "--quiet", "--platform", "browser", "--minify", entry];
  const args = "Deno" in globalThis ? onDeno : ["build", "--target", "browser", "--minify", entry];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`The page cannot be bundled: ${stderr}`, { cause: error }));
    });
  });
}
