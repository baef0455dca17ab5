/**
 * Peers that are programs of their own: how they are started and read, and what our client plays with their echoes.
 *
 * Tests with a peer that is not installed are skipped by name; `REQUIRE_PEERS=1`, as in CI, makes it a failure.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { formatExtensions } from "../../protocol/extensions.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../../server.ts";
import { find, howToInstall, type NeedName } from "./needs.ts";
import { messages, sameMessage } from "../peers/messages.mjs";
import { defer, startEcho, until } from "./support.ts";

export const peerFile = (name: string): string =>
  decodeURIComponent(new URL(`../peers/${name}`, import.meta.url).pathname);

/**
 * Groups tests that need a peer, or several. If one is missing, all are skipped, and the group's name says what for.
 *
 * @param tests Gets the command of the first peer.
 */
export function describePeer(
  name: string,
  needs: NeedName | readonly NeedName[],
  tests: (command: string[]) => void,
): void {
  const all = typeof needs === "string" ? [needs] : needs;
  const missing = all.filter((need) => find(need) === undefined);
  const register = (): void => tests([...find(all[0]!) ?? []]);
  if (missing.length === 0) return describe(name, register);
  if (process.env.REQUIRE_PEERS !== "1") return describe.skip(`${name} [needs ${missing.join(", ")}]`, register);
  describe(name, () => {
    for (const need of missing) it(`${need} is installed`, () => assert(false, `missing: ${howToInstall(need)}`));
  });
}

/** Output of a program. */
export interface Output {
  text: string;
  errors: string;
  status: number | null;
}

/** Runs a program to its end, for four minutes at most: a compiler may run beside all other tests. */
export function runToEnd(command: string[], ...rest: string[]): Promise<Output> {
  return runIn({}, command, ...rest);
}

/** Runs a program to its end, as `runToEnd` does, in another folder or environment. */
export function runIn(
  { cwd, env }: { cwd?: string; env?: Record<string, string> },
  [command, ...first]: readonly string[],
  ...rest: string[]
): Promise<Output> {
  return new Promise((resolve) => {
    const child = spawn(command!, [...first, ...rest], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const output: Output = { text: "", errors: "", status: null };
    const timer = setTimeout(() => child.kill("SIGKILL"), 240_000);
    child.stdout!.on("data", (data) => output.text += data);
    child.stderr!.on("data", (data) => output.errors += data);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ ...output, status });
    });
  });
}

/** An echo server that is a program: it prints its port, then what it has to say, until its standard input ends. */
export class PeerServer {
  #child: ChildProcess;
  #text = "";
  #gone: Promise<void>;

  constructor([command, ...first]: string[], ...rest: string[]) {
    this.#child = spawn(command!, [...first, ...rest], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout!.on("data", (data) => this.#text += data);
    const gone = defer<void>();
    this.#gone = gone.promise;
    this.#child.on("close", () => {
      this.#text += "\nclosed";
      gone.resolve();
    });
  }

  /** The lines after the first one. */
  get lines(): string[] {
    return this.#text.split("\n").slice(1).filter((line) => line !== "");
  }

  async port(): Promise<number> {
    await until(() => this.#text.includes("\n"), "the port of a peer");
    return Number(this.#text.split("\n")[0]);
  }

  async stop(): Promise<void> {
    this.#child.stdin!.end();
    await this.#gone;
  }
}

/** An echo server of ours that notes what it agreed on. */
export async function startObserved(
  options: WebSocketServerOptions,
): Promise<{ server: WebSocketServer; agreed: string[] }> {
  const agreed: string[] = [];
  const server = await startEcho({
    maxMessageSize: 0,
    onHandshakeResponseSent: ({ extensions }) => void agreed.push(formatExtensions(extensions)),
    ...options,
  });
  return { server, agreed };
}

export const urlOf = (server: Pick<WebSocketServer, "address">, path = "/"): string =>
  `ws://127.0.0.1:${server.address!.port}${path}`;

export function assertSame(actual: unknown, expected: MessageData): void {
  assert(sameMessage(actual, expected), `a ${typeof expected} of ${expected.length} came back otherwise`);
}

/** Our client plays with an echo server: every message comes back, a ping is answered, the close is clean. */
export async function playWithEcho(
  url: string,
  options: WebSocketClientOptions = {},
): Promise<{ info: CloseInfo; extensions: string }> {
  const pong = defer<Uint8Array>();
  const client = new WebSocketClient(url, { onPong: pong.resolve, ...options });
  await client.connect();
  const extensions = formatExtensions(client.extensions);
  const echoes = client[Symbol.asyncIterator]();
  for (const message of messages()) {
    client.send(message);
    assertSame((await echoes.next()).value, message);
  }
  client.ping("are you there");
  assertEquals(new TextDecoder().decode(await pong.promise), "are you there");
  const info = (await client.disconnect(true, 4321, "enough"))!;
  assertEquals([info.code, info.clean], [4321, true]);
  return { info, extensions };
}
