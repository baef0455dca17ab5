import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import process from "node:process";
import { HandshakeError } from "../base/errors.ts";
import { WebSocketClient, WebSocketServer } from "../mod.ts";
import { USE_NAMES } from "./support/ends_alone.ts";
import { defer, pipe, until } from "./support/support.ts";

/** A signal that knows who listens to it. */
class WatchedController extends AbortController {
  listeners = 0;

  constructor() {
    super();
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    const listening = new Set<unknown>();
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening.add(args[1]);
      this.listeners = listening.size;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening.delete(args[1]);
      this.listeners = listening.size;
      remove(...args);
    };
  }
}

describe("a signal", () => {
  it("has no listeners left of 6000 clients: never connected, refused, or connected and ended", async () => {
    const watched = new WatchedController();
    const { signal } = watched;
    let refuse = false;
    const server = new WebSocketServer({ onAllow: () => !refuse });
    for (let index = 0; index < 6000; index++) {
      const client = new WebSocketClient("ws://example.com/", { signal });
      if (index % 10 !== 0) continue;
      refuse = index % 20 === 0;
      const [ours, theirs] = pipe();
      server.acceptStream(theirs);
      const connected = client.connect({ stream: ours, signal });
      if (refuse) {
        await assertRejects(() => connected, HandshakeError);
      } else {
        await connected;
        assertEquals(watched.listeners, 1);
        await client.disconnect();
      }
    }
    assertEquals(watched.listeners, 0);
    await server.stop();
  });

  it("ends a client that connects for the second time", async () => {
    const watched = new WatchedController();
    await using server = new WebSocketServer({ port: 0, hostname: "127.0.0.1" });
    await server.start();
    const ended = defer<number>();
    const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, { signal: watched.signal });
    await client.connect();
    await client.disconnect();
    assertEquals(watched.listeners, 0);
    client.onDisconnect = ({ code }) => ended.resolve(code);
    await client.connect();
    watched.abort();
    assertEquals(await ended.promise, 1000);
  });

  it("is let go of by each attempt of a client that connects again and again", async () => {
    const watched = new WatchedController();
    let attempts = 0;
    let most = 0;
    const client = new WebSocketClient("ws://127.0.0.1:1/", {
      reconnect: { minDelay: 0, maxDelay: 0 },
      onReconnecting: () => {
        attempts++;
        most = Math.max(most, watched.listeners);
      },
    });
    const connected = client.connect({ signal: watched.signal }).catch(() => {});
    await until(() => attempts === 50, "fifty attempts");
    await client.disconnect();
    await connected;
    assertEquals([watched.listeners, most <= 1], [0, true]);
  });

  it("has no listeners left of servers that were started and stopped", async () => {
    const watched = new WatchedController();
    const { signal } = watched;
    for (let index = 0; index < 20; index++) {
      const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", signal });
      if (index % 2 === 0) continue;
      await server.start();
      assertEquals(watched.listeners, 1);
      await server.stop({ signal });
    }
    assertEquals(watched.listeners, 0);
  });
});

/** More than the slowest machine takes for a program that ends at once, and less than its signals live. */
const PATIENCE = 30_000;

describe("a program ends by itself, though its signal or delay of ten minutes is not over, after the end of a", () => {
  for (const use of USE_NAMES) {
    it(use, async () => {
      const file = decodeURIComponent(new URL("./support/ends_alone.ts", import.meta.url).pathname);
      const own = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
      const child = spawn(process.execPath, [...own, use], { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      child.stdout.on("data", (data) => output += data);
      const exited = new Promise<string | null>((resolve) => child.on("close", (_, signal) => resolve(signal)));
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      const killedBy = await exited;
      clearTimeout(timer);
      assertEquals([output, killedBy], ["ended\n", null]);
    });
  }
});
