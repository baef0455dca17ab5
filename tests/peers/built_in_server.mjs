// The built-in WebSocket server of whatever runtime runs this: an echo that prints its port, and each close.
import process from "node:process";

const report = (code, reason) => console.log(JSON.stringify({ code, reason }));
const { Bun, Deno } = globalThis;

function serveOnDeno() {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = ({ code, reason }) => report(code, reason);
    return response;
  });
  return server.addr.port;
}

function serveOnBun() {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) => server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
    websocket: {
      perMessageDeflate: true,
      message: (socket, data) => void socket.send(data),
      close: (_, code, reason) => report(code, reason),
    },
  });
  return server.port;
}

console.log(Bun ? serveOnBun() : serveOnDeno());
process.stdin.on("end", () => process.exit()).resume();
