/**
 * Findings of `setup`, and how they are printed.
 *
 * @module
 */

import { type CliIo, jsonLine } from "./io.ts";
import { printable } from "../base/log.ts";

/**
 * Result of one check: `ok`; `note`, which may be wanted or mend itself; `wrong`, which keeps messages from coming or
 * going; `skipped`, since something that it needs is missing.
 */
export type FindingState = "ok" | "note" | "wrong" | "skipped";

/** Checks of `setup`, in the order in which they run. */
export type CheckName =
  | "token"
  | "number"
  | "account"
  | "subscription"
  | "callback"
  | "fields"
  | "verification"
  | "unsigned"
  | "signed";

/** Result of one check. */
export interface Finding {
  /** The check. */
  readonly check: CheckName;
  /** Its result. */
  readonly state: FindingState;
  /** The result in words. */
  readonly text: string;
  /** Command, or step in the dashboard, that mends it. */
  readonly remedy?: string | undefined;
}

const LABELS: Readonly<Record<FindingState, string>> = { ok: "ok", note: "note", wrong: "WRONG", skipped: "skipped" };
const WIDTH = 9;

/** Collects the findings of a run, and prints each as it comes: some checks take seconds. */
export class SetupReport {
  /** The findings so far. */
  readonly findings: Finding[] = [];
  readonly #io: Pick<CliIo, "out">;
  readonly #asJson: boolean;

  /**
   * Begins without findings.
   *
   * @param io Takes the lines.
   * @param asJson Print one object at the end, for programs.
   */
  constructor(io: Pick<CliIo, "out">, asJson: boolean) {
    this.#io = io;
    this.#asJson = asJson;
  }

  /**
   * Adds a finding.
   *
   * @param check The check.
   * @param state Its result.
   * @param text The result in words.
   * @param remedy What mends it.
   */
  add(check: CheckName, state: FindingState, text: string, remedy?: string): void {
    const finding = { check, state, text, ...(remedy === undefined ? {} : { remedy }) };
    this.findings.push(finding);
    if (!this.#asJson) { for (const line of linesOf(finding)) this.#io.out(line); }
  }

  /** Number of findings that are wrong. */
  get wrong(): number {
    return this.findings.filter(({ state }) => state === "wrong").length;
  }

  /** Prints how many findings are wrong. */
  end(): void {
    const { findings, wrong } = this;
    if (this.#asJson) return this.#io.out(jsonLine({ ok: wrong === 0, findings }));
    this.#io.out(wrong === 0 ? "Nothing is wrong." : `${wrong} of ${findings.length} checks found something wrong.`);
  }
}

function linesOf({ check, state, text, remedy }: Finding): string[] {
  const line = `${LABELS[state].padEnd(WIDTH)}${check}: ${printable(text)}`;
  return remedy === undefined ? [line] : [line, `${" ".repeat(WIDTH)}To mend it: ${printable(remedy)}`];
}

/**
 * Hides secrets in a text, also as they are written in a URL, in a form, or in JSON.
 *
 * @param text The text.
 * @param secrets The secrets; those of less than 8 characters stay, since they would be found in words.
 * @returns The text without them.
 */
export function hideSecrets(text: string, secrets: readonly (string | undefined)[]): string {
  for (const secret of secrets) {
    if (secret === undefined || secret.length < 8) continue;
    const inForm = new URLSearchParams({ "": secret }).toString().slice(1);
    const forms = [secret, encodeURIComponent(secret), inForm, JSON.stringify(secret).slice(1, -1)];
    for (const form of forms) text = text.replaceAll(form, "…");
  }
  return text;
}

/**
 * Hides secrets in all that is printed: Meta's errors quote malformed tokens, and a callback may echo what it got.
 *
 * @param io The environment.
 * @param secrets The secrets.
 * @returns The environment with other outputs.
 */
export function withoutSecrets(io: CliIo, secrets: readonly (string | undefined)[]): CliIo {
  const hide = (text: string): string => hideSecrets(text, secrets);
  const { input } = io;
  return {
    ...(input === undefined ? {} : { input: () => input.call(io) }),
    env: io.env,
    terminal: io.terminal,
    out: (line) => io.out(hide(line)),
    err: (text) => io.err(hide(text)),
    onStop: (handler) => io.onStop(handler),
    onReload: (handler) => io.onReload(handler),
  };
}
