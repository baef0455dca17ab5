#!/usr/bin/env bash
# Five of seven implementations lose the second message, in silence, when a peer ends its compressed messages with BFINAL.
#
# RFC 7692 §7.2.3.4 lets a sender use DEFLATE blocks with the BFINAL bit (then one zero byte follows), and each further message
# begins a new block as usual. The server here sends "Hello one" and "Hello two" so, and "plain three" without compression.
# Versions: ws 8.18.3, undici 7.30.2 (the WebSocket of Node), faye-websocket 0.11.4 with permessage-deflate 0.1.7, bun 1.4.5 (npm);
# python3-websockets 10.4, python3-aiohttp 3.8.4, python3-tornado 6.2.0 (Debian 12).
# Expected: the three texts, or at worst a failed connection (1007) where an implementation cannot do it.
# Seen: ws and Bun give the three texts. undici, faye-websocket, websockets, aiohttp and tornado give an empty string for the second one
# and go on: their inflater has reached its end, takes no more input, and nobody looks. The first message is whole in all of them.
# What follows from it: never send BFINAL, although the RFC allows it; and reset the inflater after a stream that has ended.
set -euo pipefail
for package in python3-websockets python3-aiohttp python3-tornado; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.18.3 undici@7.30.2 faye-websocket@0.11.4 permessage-deflate@0.1.7 bun@1.4.5

cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { deflateRawSync } from "node:zlib";
const frame = (first, payload) => Buffer.concat([Buffer.of(first, payload.length), payload]);
// `deflateRawSync` ends its output with a block that has BFINAL; the zero byte is what §7.2.3.4 asks for.
const compressed = (text) => frame(0xc1, Buffer.concat([deflateRawSync(text), Buffer.of(0)]));
const server = createServer((socket) => {
  let head = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    if (head.endsWith("\r\n\r\n")) return bytes[0] === 0x88 && socket.end();
    head += bytes.toString("latin1");
    if (!head.endsWith("\r\n\r\n")) return;
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
    );
    socket.write(Buffer.concat([compressed("Hello one"), compressed("Hello two"), frame(0x81, Buffer.from("plain three"))]));
    socket.write(frame(0x88, Buffer.of(3, 232)));
  });
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS

cat >client.mjs <<'JS'
const [kind, port] = process.argv.slice(2);
const url = `ws://127.0.0.1:${port}/`;
let socket;
if (kind === "ws") socket = new (await import("ws")).default(url);
else if (kind === "undici") socket = new (await import("undici")).WebSocket(url);
else if (kind === "bun") socket = new WebSocket(url);
else {
  const extensions = [(await import("permessage-deflate")).default];
  socket = new (await import("faye-websocket")).default.Client(url, [], { extensions });
}
const got = [];
socket.onmessage = (event) => got.push(event.data);
socket.onclose = (event) => {
  console.log(kind, JSON.stringify(got), event.code);
  process.exit(0);
};
JS

cat >client.py <<'PY'
import asyncio, json, sys
kind, port = sys.argv[1:]
url = f"ws://127.0.0.1:{port}/"
got = []
async def run():
    if kind == "websockets":
        import websockets
        async with websockets.connect(url) as socket:
            async for message in socket:
                got.append(message)
            return socket.close_code
    if kind == "aiohttp":
        import aiohttp
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url, compress=15) as socket:
                async for message in socket:
                    got.append(message.data)
                return socket.close_code
    from tornado.websocket import websocket_connect
    socket = await websocket_connect(url, compression_options={})
    while (message := await socket.read_message()) is not None:
        got.append(message)
    return socket.close_code
code = asyncio.run(asyncio.wait_for(run(), 10))
print(kind, json.dumps(got, separators=(",", ":")), code)
PY

node server.mjs >port &
until [ -s port ]; do sleep 0.1; done
port=$(cat port)
seen=$(
  for kind in ws undici faye; do timeout 20 node client.mjs "$kind" "$port"; done
  timeout 20 npx --no-install bun client.mjs bun "$port"
  for kind in websockets aiohttp tornado; do timeout 20 /usr/bin/python3 client.py "$kind" "$port"; done
)
echo "$seen"
whole='["Hello one","Hello two","plain three"] 1000'
hollow='["Hello one","","plain three"] 1000'
[ "$seen" = "ws $whole
undici $hollow
faye $hollow
bun $whole
websockets $hollow
aiohttp $hollow
tornado $hollow" ] || { echo "The behaviour has changed" >&2; exit 1; }
