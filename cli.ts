/**
 * The command-line program: a WhatsApp webhook server, receivers, a simulated Meta, a check of the set-up, a sender.
 * docs/whatsapp.md has more.
 *
 * ```sh
 * deno run -A jsr:@tackline/websocket/cli --help
 * bunx tackline --help
 * bun cli.ts --help          # from a clone
 * ```
 *
 * @example Run within a program
 * ```ts
 * import { runCli } from "@tackline/websocket/cli";
 *
 * console.log(await runCli(["--version"])); // 0, the exit code, behind the version
 * ```
 *
 * @module
 */

import process from "node:process";
// Connects with sockets.
import "./client.ts";
import { type CliIo, ExitCode, UsageError } from "./cli/io.ts";
import { didYouMean } from "./base/did_you_mean.ts";
import { printable } from "./base/log.ts";
import { send } from "./cli/send.ts";
import { serve } from "./cli/serve.ts";
import { setup } from "./cli/setup.ts";
import { simulate } from "./cli/simulate.ts";
import { describe } from "./base/errors.ts";
import { replay, tail } from "./cli/tail.ts";
import { VERSION } from "./cli/version.ts";

export type { CliIo } from "./cli/io.ts";

const HELP = `WhatsApp notifications over WebSocket

  serve      take notifications from Meta, keep them, and forward them to receivers
  tail       print notifications as they come
  replay     print the notifications of the server from a sequence number on
  simulate   send signed notifications of each type, at a rate, as Meta does
  setup      check token, number, subscription and callback at Meta, and say what is wrong
  send       send a text, a template or a file

COMMAND --help prints its flags; --version the version. Exit codes: 0 success, 1 failure, 2 the command line is wrong.`;

const COMMANDS = new Map([
  ["serve", serve],
  ["tail", tail],
  ["replay", replay],
  ["simulate", simulate],
  ["setup", setup],
  ["send", send],
]);
/** Number of characters after which no more of standard input is read. */
const MAX_INPUT = 1 << 20;

/**
 * Runs the program.
 *
 * @param args The command and its arguments.
 * @param io The environment; without it, that of the process.
 * @returns The exit code.
 */
export async function runCli(args: readonly string[], io: CliIo = processIo()): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    io.out(HELP);
    return name === undefined ? ExitCode.Usage : ExitCode.Success;
  }
  if (name === "--version" || name === "-v" || name === "version") {
    io.out(`@tackline/websocket ${VERSION}`);
    return ExitCode.Success;
  }
  const command = COMMANDS.get(name);
  try {
    if (command === undefined) {
      throw new UsageError(`There is no command "${name}"${didYouMean(name, COMMANDS.keys())}`);
    }
    return await command(rest, io);
  } catch (error) {
    if (!(error instanceof UsageError)) {
      io.err(`${printable(describe(error))}\n`);
      return ExitCode.Failure;
    }
    io.err(
      `${printable(error.message)}${error.message.endsWith("?") ? "" : "."} See ${
        command === undefined ? "" : `${name} `
      }--help.\n`,
    );
    return ExitCode.Usage;
  }
}

/** Makes the environment of the process. */
function processIo(): CliIo {
  // The reader of the output has ended, as `head` does.
  process.stdout.on("error", () => process.exit(ExitCode.Success));
  const on = (names: readonly NodeJS.Signals[], handler: () => void): () => void => {
    for (const name of names) process.on(name, handler);
    return () => {
      for (const name of names) process.off(name, handler);
    };
  };
  return {
    env: process.env,
    terminal: process.stderr.isTTY === true,
    input: readInput,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (text) => void process.stderr.write(text),
    onStop: (handler) => on(["SIGINT", "SIGTERM"], handler),
    onReload: (handler) => on(["SIGHUP"], handler),
  };
}

async function readInput(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const piece of process.stdin) {
    text += piece;
    if (text.length >= MAX_INPUT) break;
  }
  return text;
}

if (import.meta.main) process.exitCode = await runCli(process.argv.slice(2));
