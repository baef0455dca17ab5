#!/usr/bin/env bash
# The server of tcllib's WebSocket package fails for clients that ask for no subprotocol.
#
# Version: tcllib 1.21 (Debian 12).
# Expected: `::websocket::test` returns 1 for a valid request at a registered path; Sec-WebSocket-Protocol is optional (RFC 6455 §4.1). Its
# documentation says that it returns 1 or 0.
# Seen: with the header, even an empty one, it returns 1; without, it raises an error about a missing key of a dictionary. The package's own
# client always sends the header, empty if need be (which is no valid value), so that the two of them get on.
# What follows from it: an HTTP server in Tcl adds an empty Sec-WebSocket-Protocol to the headers before it calls `test`: browsers send none
# unless a program asks for one.
set -euo pipefail
dpkg -s tcllib >/dev/null 2>&1 || { echo "tcllib is missing (apt-get install tcllib)" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/test.tcl" <<'TCL'
package require websocket
::websocket::loglevel critical
set server [socket -server puts -myaddr 127.0.0.1 0]
::websocket::server $server
::websocket::live $server /chat puts
set headers {Host localhost Upgrade websocket Connection Upgrade Sec-WebSocket-Version 13
  Sec-WebSocket-Key AAAAAAAAAAAAAAAAAAAAAA==}
foreach {name more} {without {} empty {Sec-WebSocket-Protocol {}} asked {Sec-WebSocket-Protocol v1}} {
  set failed [catch {::websocket::test $server stdin /chat [concat $headers $more]} result]
  puts "$name: [expr {$failed ? "error: $result" : $result}]"
}
TCL
seen=$(tclsh "$folder/test.tcl")
echo "$seen"
[ "$seen" = 'without: error: key "protocols" not known in dictionary
empty: 1
asked: 1' ] || { echo "The behaviour has changed" >&2; exit 1; }
