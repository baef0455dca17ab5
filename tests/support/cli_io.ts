/** The environment of the command-line program, for its tests. */

import type { CliIo } from "../../cli.ts";

/** Secrets of `serve` and of receivers. */
export const ENV = { WHATSAPP_APP_SECRET: "secret", WHATSAPP_RECEIVER_TOKEN: "token", WHATSAPP_VERIFY_TOKEN: "verify" };

/** The environment of a program under test, which keeps what it prints. */
export class Io implements CliIo {
  readonly env: Record<string, string | undefined>;
  terminal = false;
  /** Standard input. */
  stdin = "";
  lines: string[] = [];
  text = "";
  #stops = new Set<() => void>();
  #reloads = new Set<() => void>();

  constructor(env: Record<string, string | undefined> = ENV) {
    this.env = env;
  }
  input(): Promise<string> {
    return Promise.resolve(this.stdin);
  }
  out(line: string): void {
    this.lines.push(line);
  }
  err(text: string): void {
    this.text += text;
  }
  onStop(handler: () => void): () => void {
    this.#stops.add(handler);
    return () => this.#stops.delete(handler);
  }
  onReload(handler: () => void): () => void {
    this.#reloads.add(handler);
    return () => this.#reloads.delete(handler);
  }
  stop(): void {
    for (const handler of [...this.#stops]) handler();
  }
  reload(): void {
    for (const handler of [...this.#reloads]) handler();
  }
}
