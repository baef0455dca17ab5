/** Arguments of `deno task test:peers`. */

import { parseArgs } from "node:util";
import type { Runtime } from "../../tests/support/needs.ts";
import { type CaseName, CASES, type PeerRole, ROLES } from "./peer.ts";

/** What is asked for. */
export interface Wanted {
  /** Names of peers, in lower case; empty: all. */
  names: readonly string[];
  runtimes: readonly Runtime[];
  roles: readonly PeerRole[];
  cases: readonly CaseName[];
  allowMissing: boolean;
  /** Print the duration of each case, and what programs wrote. */
  verbose: boolean;
  /** File for the matrix as Markdown. */
  markdown: string | undefined;
}

const RUNTIMES: readonly Runtime[] = ["Deno", "Bun"];

/**
 * Reads the arguments.
 *
 * @throws {Error} If one is not known.
 */
export function parseWanted(args: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runtime: { type: "string" },
      role: { type: "string" },
      case: { type: "string", multiple: true },
      markdown: { type: "string" },
      verbose: { type: "boolean", default: false },
      "allow-missing": { type: "boolean", default: false },
    },
  });
  return {
    names: positionals.map((name) => name.toLowerCase()),
    runtimes: values.runtime === undefined ? RUNTIMES : [choose("runtime", values.runtime, RUNTIMES)],
    roles: values.role === undefined ? ROLES : [choose("role", values.role, ROLES)],
    cases: values.case === undefined ? CASES : values.case.map((name) => choose("case", name, CASES)),
    allowMissing: values["allow-missing"],
    verbose: values.verbose,
    markdown: values.markdown,
  };
}

function choose<Name extends string>(option: string, value: string, choices: readonly Name[]): Name {
  const found = choices.find((choice) => choice.toLowerCase() === value.toLowerCase());
  if (found === undefined) throw new Error(`--${option} is "${value}" instead of ${choices.join(", ")}`);
  return found;
}
