#!/usr/bin/env bash
# Cowboy inflates the payload of a ping between the fragments of a compressed message, answers with what comes out, and closes.
#
# Version: cowboy 2.8.0 with cowlib 2.9.1 (inside of rabbitmq-server 3.10.8, which is unpacked here only), Erlang 25 (Debian 12); node.
# Expected: a ping of "?" is answered with a pong of "?", and the message comes, as it does without the ping: control frames may come
# between fragments (RFC 6455 §5.4), and are never compressed (RFC 7692 §6.1).
# Seen: a pong with another byte (6f), then a close frame with 1007. A ping between messages, and one between the fragments of a message
# that is not compressed, are answered well.
# What follows from it: no ping of one's own goes out while a message that is written in pieces is unfinished.
set -euo pipefail
for package in erlang-base erlang-crypto erlang-public-key erlang-ssl; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q rabbitmq-server >/dev/null 2>&1 || { echo "rabbitmq-server cannot be downloaded" >&2; exit 2; }
dpkg -x rabbitmq-server_*.deb .

cat >echo.erl <<'ERL'
-module(echo).
-export([start/1, init/2, websocket_handle/2, websocket_info/2]).

start(Port) ->
    {ok, _} = application:ensure_all_started(cowboy),
    Dispatch = cowboy_router:compile([{'_', [{"/", ?MODULE, []}]}]),
    {ok, _} = cowboy:start_clear(echo, [{ip, {127, 0, 0, 1}}, {port, Port}], #{env => #{dispatch => Dispatch}}).

init(Request, State) -> {cowboy_websocket, Request, State, #{compress => true}}.
websocket_handle({text, Text}, State) -> io:format("text ~s~n", [Text]), {[], State};
websocket_handle(_, State) -> {[], State}.
websocket_info(_, State) -> {[], State}.
ERL
erlc echo.erl

cat >client.mjs <<'JS'
import { connect } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
const [port, name] = process.argv.slice(2);
const socket = connect(Number(port), "127.0.0.1");
const frame = (first, payload) => Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), payload]);
const ping = frame(0x89, Buffer.from("?"));
const compressed = deflateRawSync("Hello world", { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const halves = [frame(0x41, compressed.subarray(0, 5)), frame(0x80, compressed.subarray(5))];
const SENT = {
  "ping behind": [...halves, ping],
  "ping between": [halves[0], ping, halves[1]],
  "ping between, not compressed": [frame(0x01, Buffer.from("Hello ")), ping, frame(0x80, Buffer.from("world"))],
};
let isOpen = false;
let bytes = Buffer.alloc(0);
socket.on("connect", () =>
  socket.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
  ));
socket.on("data", (piece) => {
  bytes = Buffer.concat([bytes, piece]);
  const end = bytes.indexOf("\r\n\r\n");
  if (isOpen || end < 0) return;
  isOpen = true;
  bytes = bytes.subarray(end + 4);
  socket.write(Buffer.concat(SENT[name]));
});
const done = () => {
  console.log(`${name}: ${bytes.toString("hex")}`);
  process.exit(0);
};
socket.on("close", done);
// What comes within a second: the server has nothing to wait for.
setTimeout(done, 1000);
JS
plugins=usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/plugins
port=$((20000 + RANDOM % 20000))
erl -noinput -pa . $(printf -- "-pa $plugins/%s/ebin " cowboy-2.8.0 cowlib-2.9.1 ranch-2.1.0) -eval "echo:start($port)." >server.out 2>&1 &
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
seen=$(for name in "ping behind" "ping between" "ping between, not compressed"; do node client.mjs "$port" "$name"; done; cat server.out)
echo "$seen"
[ "$seen" = "ping behind: 8a013f
ping between: 8a016f880203ef
ping between, not compressed: 8a013f
text Hello world
text Hello world" ] || { echo "The behaviour has changed" >&2; exit 1; }
