import type { Peer } from "../peer_lane/peer.ts";

/** What the page does: it echoes, and closes when it is told to. */
const PAGE = String.raw`
new Promise((resolve) => {
  const socket = new WebSocket(location.href.replace("http", "ws"));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string" || !data.startsWith("#close")) return socket.send(data);
    const code = data.split(" ")[1];
    socket.close(...code ? [Number(code)] : []);
  };
  socket.onclose = ({ code }) => resolve(code);
})
`;

/** The client: it opens our server's own page, so that it has the same origin, and runs the script in it. */
const PROGRAM = String.raw`
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const browser = spawn("chromium", [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--ignore-certificate-errors",
  "--remote-debugging-pipe",
  "--user-data-dir=" + profile,
], { stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"] });
process.on("exit", () => {
  browser.kill("SIGKILL");
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
});

const waiting = new Map();
let last = 0, rest = "";
browser.stdio[4].setEncoding("utf8").on("data", (text) => {
  const messages = (rest + text).split("\0");
  rest = messages.pop();
  for (const message of messages) {
    const { id, method, result, error } = JSON.parse(message);
    waiting.get(id ?? method)?.(error ?? result);
  }
});
const call = (method, params, sessionId) => {
  const id = ++last;
  browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  return new Promise((resolve) => waiting.set(id, resolve));
};

const url = process.env.PEER_URL.replace("ws", "http");
const { targetId } = await call("Target.createTarget", { url: "about:blank" });
const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
await call("Page.enable", {}, sessionId);
const loaded = new Promise((resolve) => waiting.set("Page.loadEventFired", resolve));
await call("Page.navigate", { url }, sessionId);
await loaded;
const expression = readFileSync("page.js", "utf8");
const { result } = await call("Runtime.evaluate", { expression, awaitPromise: true }, sessionId);
console.log("closed " + result.value);
process.exit(0);
`;

export const PEER: Peer = {
  name: "Chromium",
  version: "156.0.8078.108",
  language: "C++",
  debian: ["chromium"],
  files: { "peer.mjs": PROGRAM, "page.js": PAGE },
  printVersion: "chromium --version",
  client: { command: ["node", "peer.mjs"] },
};
