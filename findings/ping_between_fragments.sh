#!/usr/bin/env bash
# A ping between two fragments of a text costs SWI-Prolog the connection and Crystal the first half of the text.
#
# Versions: swi-prolog-nox 9.0.4, crystal 1.6.0 (both Debian 12); node.
# Expected: a pong and the whole text, "Hello world", since control frames may come between the fragments of a message
# (RFC 6455 §5.4: "an endpoint MUST be capable of handling control frames in the middle of a fragmented message").
# Seen: SWI-Prolog raises "WebSocket: unexpected package" while it reads the text, and the connection ends without a close frame.
# Crystal answers the ping of "?" with a pong of "Hello ?" and gives "world" to the program: both kinds share one buffer. No error.
# What follows from it: no ping of one's own goes out while a message that is written in pieces is unfinished.
set -euo pipefail
for program in swipl crystal node; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
# SWI-Prolog does not end by SIGTERM while its main thread waits.
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

cat >echo.pl <<'PL'
:- use_module(library(http/websocket)).
:- use_module(library(http/thread_httpd)).
:- use_module(library(http/http_dispatch)).
:- http_handler(root(.), http_upgrade_to_websocket(echo, [guarded(false)]), [spawn([])]).

echo(WebSocket) :-
    catch(receive(WebSocket), error(Reason, _), true),
    (   nonvar(Reason), Reason = io_error(_, _)
    ->  format(user_output, "an error of the stream~n", [])
    ;   true
    ),
    catch(close(WebSocket), _, true).

receive(WebSocket) :-
    ws_receive(WebSocket, Message),
    (   Message.opcode == text
    ->  ws_send(WebSocket, Message),
        receive(WebSocket)
    ;   true
    ).

:- initialization((current_prolog_flag(argv, [Text]), atom_number(Text, Port),
                   http_server(http_dispatch, [port('127.0.0.1':Port)]), thread_get_message(_))).
PL
cat >echo.cr <<'CR'
require "http/server"

handler = HTTP::WebSocketHandler.new do |socket|
  socket.on_message { |text| socket.send(text) }
end
server = HTTP::Server.new([handler])
server.bind_tcp("127.0.0.1", ARGV[0].to_i)
server.listen
CR
CRYSTAL_CACHE_DIR="$folder/cache" crystal build --no-debug -o echo echo.cr

cat >client.mjs <<'JS'
import { connect } from "node:net";
const [name, port] = process.argv.slice(2);
const socket = connect(Number(port), "127.0.0.1");
const frame = (first, text) => Buffer.concat([Buffer.of(first, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
const KINDS = { 0x81: "text", 0x8a: "pong", 0x88: "close" };
let bytes = Buffer.alloc(0);
let isOpen = false;
socket.on("connect", () =>
  socket.write(
    `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
socket.on("data", (piece) => {
  bytes = Buffer.concat([bytes, piece]);
  if (!isOpen) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return;
    isOpen = true;
    bytes = bytes.subarray(end + 4);
    socket.write(Buffer.concat([frame(0x01, "Hello "), frame(0x89, "?"), frame(0x80, "world")]));
  }
  while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]) {
    const kind = KINDS[bytes[0]];
    console.log(`${name}: ${kind} "${bytes.subarray(2, 2 + bytes[1])}"`);
    bytes = bytes.subarray(2 + bytes[1]);
    if (kind === "text") process.exit(0);
  }
});
socket.on("close", () => console.log(`${name}: TCP ended`));
socket.on("error", () => {});
JS
listens() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done; }
port=$((20000 + RANDOM % 20000))
swipl -q echo.pl -- "$port" >prolog.out 2>/dev/null &
./echo "$((port + 1))" &
listens "$port"
listens "$((port + 1))"
seen=$(
  timeout 20 node client.mjs prolog "$port"
  timeout 20 node client.mjs crystal "$((port + 1))"
)
echo "$seen"
cat prolog.out
[ "$seen" = 'prolog: TCP ended
crystal: pong "Hello ?"
crystal: text "world"' ] && grep -q "an error of the stream" prolog.out || { echo "The behaviour has changed" >&2; exit 1; }
