// Members of ws, of reconnecting-websocket and of Bun's ServerWebSocket, as JSON: `ws` and `reconnecting` on Deno, `bun` on Bun.
import process from "node:process";

const own = (prototype) => Object.getOwnPropertyNames(prototype).filter((name) => !/^_|^constructor$/.test(name));
const show = (prototype, name) => {
  const { value } = Object.getOwnPropertyDescriptor(prototype, name);
  return typeof value === "function" ? `${name}()` : name;
};
const membersOf = (Class) => own(Class.prototype).map((name) => show(Class.prototype, name));

async function ws() {
  const { WebSocket, WebSocketServer } = await import("npm:ws@8.23.0");
  const server = new WebSocketServer({ noServer: true });
  const fields = Object.keys(server).filter((name) => !name.startsWith("_"));
  return {
    options: Object.keys(server.options),
    server: [...membersOf(WebSocketServer), ...fields],
    connection: membersOf(WebSocket),
  };
}

async function reconnecting() {
  const { default: Socket } = await import("npm:reconnecting-websocket@4.4.0");
  return { members: membersOf(Socket) };
}

async function bun() {
  const { promise, resolve } = Promise.withResolvers();
  const server = globalThis.Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) => server.upgrade(request) ? undefined : new Response(),
    websocket: { open: resolve, message() {} },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  const members = Object.getOwnPropertyNames(Object.getPrototypeOf(await promise));
  socket.close();
  server.stop(true);
  return { members };
}

console.log(JSON.stringify(await { ws, reconnecting, bun }[process.argv[2]]()));
