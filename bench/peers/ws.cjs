// The server of `ws`, on Node, for bench/peers.ts: `node ws.cjs echo|fanout|deflate|tls CERTIFICATE KEY`. Prints its port.
const { createServer } = require("node:https");
const { readFileSync } = require("node:fs");
const { WebSocketServer } = require("ws");

const [mode, cert, key] = process.argv.slice(2);
const perMessageDeflate = mode === "deflate";
const https = mode === "tls" ? createServer({ cert: readFileSync(cert), key: readFileSync(key) }) : undefined;
const server = new WebSocketServer(
  https ? { server: https, perMessageDeflate } : { host: "127.0.0.1", port: 0, perMessageDeflate },
);
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => {
    if (mode === "echo" || mode === "tls") return socket.send(data, { binary });
    for (const client of server.clients) client.send(data, { binary });
  });
});
if (https) https.listen(0, "127.0.0.1", () => console.log(https.address().port));
else server.on("listening", () => console.log(server.address().port));
