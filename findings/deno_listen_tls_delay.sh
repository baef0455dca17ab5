#!/usr/bin/env bash
# Connections of `Deno.listenTls` have Nagle's algorithm on, and no `setNoDelay` to turn it off.
#
# Version: deno 2.9.6 (npm); node for the client, openssl for the certificate.
# Expected: what Go, Node and nginx do for TLS: no delay, or at least `setNoDelay` as on the connections of `Deno.listen`.
# Seen: `TlsConn` has no such method. Of 200 messages of 100 bytes, sent each 7 ms to a client that answers each third, some 30 come more than
# 20 ms late, since each waits for a delayed acknowledgement of the one before; over `Deno.listen` with `setNoDelay(true)` none.
# What follows from it: a server of small messages over TLS on Deno takes plain connections with `setNoDelay`, and does TLS by node:tls.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat >client.cjs <<'JS'
const [, , kind, port] = process.argv;
const options = { port: Number(port), host: "127.0.0.1", rejectUnauthorized: false };
const socket = require(kind === "TLS" ? "tls" : "net").connect(options);
socket.setNoDelay(true);
let messages = 0;
let last = 0;
let late = 0;
socket.on("error", () => {});
socket.on("data", () => {
  const now = performance.now();
  if (last > 0 && now - last > 20) late++;
  last = now;
  if (++messages % 3 === 0) socket.write("x");
});
socket.on("close", () => console.log(late));
JS
cat >server.mjs <<'JS'
const results = [];
for (const kind of ["TCP", "TLS"]) {
  const options = { hostname: "127.0.0.1", port: 0 };
  const listener = kind === "TCP" ? Deno.listen(options) : Deno.listenTls({
    ...options,
    cert: Deno.readTextFileSync("cert.pem"),
    key: Deno.readTextFileSync("key.pem"),
  });
  const client = new Deno.Command("node", { args: ["client.cjs", kind, String(listener.addr.port)], stdout: "piped" }).spawn();
  const connection = await listener.accept();
  connection.setNoDelay?.(true);
  const answers = (async () => {
    while (await connection.read(new Uint8Array(100)).catch(() => null) !== null);
  })();
  for (let message = 0; message < 200; message++) {
    await connection.write(new Uint8Array(100));
    await new Promise((resolve) => setTimeout(resolve, 7));
  }
  connection.close();
  listener.close();
  await answers;
  const late = Number(new TextDecoder().decode((await client.output()).stdout));
  console.error(`${kind}: ${late} of 200 late`);
  results.push(`${kind} ${"setNoDelay" in connection ? "with" : "without"} setNoDelay, ${late > 15 ? "many" : "few"} late`);
}
console.log(results.join("; "));
JS
seen=$(npx --no-install deno run -A server.mjs)
echo "$seen"
[ "$seen" = "TCP with setNoDelay, few late; TLS without setNoDelay, many late" ] || { echo "The behaviour has changed" >&2; exit 1; }
