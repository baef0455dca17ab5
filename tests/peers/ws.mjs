// ws from npm as a program of its own. `server`: an echo that prints its port; each request has the server's options as JSON in
// its query, and each close is printed. `client TARGETS`: plays with an echo at each URL of [{ url, options }], a line each.
import { createServer } from "node:http";
import process from "node:process";
import { WebSocket, WebSocketServer } from "npm:ws@8.23.0";
import { messages, sameMessage } from "./messages.mjs";

function serve() {
  const listener = createServer();
  listener.on("upgrade", (request, socket, head) => {
    const options = JSON.parse(decodeURIComponent(request.url.split("?")[1] ?? "{}"));
    new WebSocketServer({ noServer: true, ...options }).handleUpgrade(request, socket, head, (peer) => {
      peer.on("message", (data, binary) => peer.send(data, { binary }));
      peer.on("close", (code, reason) => console.log(JSON.stringify({ code, reason: String(reason) })));
    });
  });
  listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
  process.stdin.on("end", () => process.exit()).resume();
}

async function play({ url, options }) {
  const socket = new WebSocket(url, options);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const echo = () =>
    new Promise((resolve, reject) => {
      socket.once("message", (data, binary) => resolve(binary ? new Uint8Array(data) : data.toString()));
      socket.once("close", () => reject(new Error("closed while a message was awaited")));
    });
  let count = 0;
  const check = async (expected, send) => {
    const next = echo();
    send();
    if (!sameMessage(await next, expected)) throw new Error(`message ${count} came back otherwise`);
    socket.removeAllListeners("close");
    count++;
  };
  for (const message of messages()) await check(message, () => socket.send(message));
  await check("fragment", () => {
    socket.send("frag", { fin: false });
    socket.ping("between");
    socket.send("ment", { fin: true });
  });
  const pong = new Promise((resolve) => socket.once("pong", (data) => resolve(data.toString())));
  socket.ping("are you there");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const result = { count, extensions: socket.extensions, pong: await pong };
  socket.close(4321, "enough");
  return { ...result, code: await closed };
}

if (process.argv[2] === "server") serve();
else for (const target of JSON.parse(process.argv[3])) console.log(JSON.stringify(await play(target)));
