/**
 * Drives a headless Chromium over its DevTools protocol, by our own `WebSocketClient`: a foreign server, with
 * compression and large messages.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { WebSocketClient } from "../../client.ts";
import { defer, until } from "./support.ts";

const SWITCHES = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The certificates of the tests are of a root that no browser knows.
  "--ignore-certificate-errors",
  "--remote-debugging-port=0",
];
const LIMIT = 64 * 1024 * 1024;

/** An answer of the protocol, or an event. */
interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A running browser. */
export class Chromium {
  readonly client: WebSocketClient;
  #child: ChildProcess;
  #profile: string;
  #gone: Promise<void>;
  #lastId = 0;
  #waiting = new Map<number, ReturnType<typeof defer<Record<string, unknown>>>>();
  /** Errors that pages did not catch, and what their console called one. */
  readonly complaints: string[] = [];

  private constructor(child: ChildProcess, profile: string, url: string) {
    this.#child = child;
    this.#profile = profile;
    this.#gone = new Promise((resolve) => child.on("close", () => resolve()));
    this.client = new WebSocketClient(url, {
      compression: true,
      maxMessageSize: LIMIT,
      maxBufferedAmount: LIMIT,
      onMessageReceived: (text) => this.#take(JSON.parse(text)),
    });
  }

  /** Starts one and connects to it. */
  static async launch([program, ...first]: string[]): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), "chromium-"));
    const args = [...first, ...SWITCHES, `--user-data-dir=${profile}`, "about:blank"];
    const child = spawn(program!, args, { stdio: "ignore", detached: true });
    let lines: string[] = [];
    await until(() => {
      try {
        lines = readFileSync(join(profile, "DevToolsActivePort"), "utf8").split("\n");
      } catch {
        // It is not there yet.
      }
      return lines.length >= 2;
    }, "Chromium's port");
    const browser = new Chromium(child, profile, `ws://127.0.0.1:${lines[0]}${lines[1]}`);
    await browser.client.connect();
    return browser;
  }

  #take({ id, method, params, result, error }: Message): void {
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params!.exceptionDetails));
    const waiting = this.#waiting.get(id ?? -1);
    if (waiting === undefined) return;
    this.#waiting.delete(id!);
    if (error === undefined) waiting.resolve(result!);
    else waiting.reject(new Error(error.message));
  }

  /** Calls a method of the protocol. */
  call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const waiting = defer<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.client.send(JSON.stringify({ id, method, params, sessionId }));
    return waiting.promise;
  }

  /** Opens a page, and waits until it is loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId as string);
    await page.call("Runtime.enable");
    await page.call("Page.navigate", { url });
    await page.waitFor("document.readyState === 'complete' && location.href !== 'about:blank'");
    return page;
  }

  async close(): Promise<void> {
    await this.client.disconnect(false);
    // It starts processes of its own.
    process.kill(-this.#child.pid!, "SIGKILL");
    await this.#gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** One page. */
export class Page {
  #browser: Chromium;
  #sessionId: string;

  constructor(browser: Chromium, sessionId: string) {
    this.#browser = browser;
    this.#sessionId = sessionId;
  }

  call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.call(method, params, this.#sessionId);
  }

  /** Evaluates an expression; a promise is waited for. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) {
      throw new Error(`${expression.slice(0, 200)}: ${JSON.stringify(exceptionDetails)}`);
    }
    return (result as { value: Value }).value;
  }

  /** Waits until an expression is true; the page may have backed off for 30 s before it connects again. */
  async waitFor(expression: string): Promise<void> {
    const end = performance.now() + 45_000;
    while (!await this.evaluate<boolean>(expression).catch(() => false)) {
      if (performance.now() > end) throw new Error(`waited in vain for ${expression}`);
      // Real time: the page is in another process, and gives no event for this.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Presses a key as a person does. */
  async press(key: string): Promise<void> {
    const text = key === "Enter" ? "\r" : undefined;
    const windowsVirtualKeyCode = new Map([["Enter", 13], ["Tab", 9], ["Escape", 27]]).get(key);
    await this.call("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, text, windowsVirtualKeyCode });
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode });
  }

  /** Types text into what has the focus. */
  async type(text: string): Promise<void> {
    await this.call("Input.insertText", { text });
  }

  /** Shows the page in another size, in light or dark. */
  async show(width: number, height: number, scheme: "light" | "dark"): Promise<void> {
    await this.call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  /** Saves what is seen as a PNG file. */
  async screenshot(file: string): Promise<void> {
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    writeFileSync(file, Uint8Array.from(atob(data as string), (char) => char.charCodeAt(0)));
  }
}

/** Runs a test with a browser of its own, and closes it whatever comes. */
export async function withChromium(command: string[], test: (browser: Chromium) => Promise<void>): Promise<void> {
  const browser = await Chromium.launch(command);
  try {
    await test(browser);
  } finally {
    await browser.close();
  }
}
