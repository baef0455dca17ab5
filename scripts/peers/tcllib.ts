import { DEFLATE_CASES, type Difference, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles, by its argument. The library's server needs one for HTTP: a small one is here. */
const PROGRAM = String.raw`
package require http
package require tls
package require websocket
fconfigure stdout -buffering line
::websocket::loglevel error
set ::websocket::WS(maxlength) [expr {64 * 1024 * 1024}]
set role [lindex $argv 0]
array set codes {}

proc on_event {socket type message} {
  global codes role ended
  switch -- $type {
    text {
      if {[regexp {^#close ?(\d*)$} $message all code]} {
        ::websocket::close $socket $code
      } else {
        ::websocket::send $socket text $message
      }
    }
    binary { ::websocket::send $socket binary $message }
    close { set codes($socket) [expr {$message eq "" ? 1005 : [lindex $message 0]}] }
    error { puts stderr $message; set ended 1 }
    disconnect {
      puts "closed [expr {[info exists codes($socket)] ? $codes($socket) : 1006}]"
      unset -nocomplain codes($socket)
      if {$role eq "client"} { set ended 1 }
    }
  }
}

proc on_connection {socket host port} {
  fconfigure $socket -translation crlf -blocking on
  if {[catch {gets $socket request} length] || $length <= 0} { close $socket; return }
  # An empty list of subprotocols stands for none: without it the library fails (findings/tcllib_server_subprotocol.sh).
  set headers {Sec-WebSocket-Protocol {}}
  while {[gets $socket line] > 0} {
    regexp {^([^:]+):\s*(.*)$} $line all name value
    lappend headers $name $value
  }
  if {[::websocket::test $::server $socket [lindex $request 1] $headers]} {
    ::websocket::upgrade $socket
  } else {
    puts $socket "HTTP/1.1 400 Bad Request\nConnection: close\n"
    close $socket
  }
}

if {$role eq "server"} {
  if {[info exists env(PEER_CERT)]} {
    set server [::tls::socket -server on_connection -certfile $env(PEER_CERT) -keyfile $env(PEER_KEY) \
      -myaddr 127.0.0.1 $env(PEER_PORT)]
  } else {
    set server [socket -server on_connection -myaddr 127.0.0.1 $env(PEER_PORT)]
  }
  ::websocket::server $server
  ::websocket::live $server * on_event
} else {
  if {[info exists env(PEER_CA)]} {
    ::http::register https 443 [list ::tls::socket -cafile $env(PEER_CA) -require 1 -autoservername 1]
  }
  ::websocket::open $env(PEER_URL) on_event
}
vwait ended
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });
const NEVER_SENT = "close frames are never sent: the library marks the connection closed before";
const NOT_ANSWERED: Difference = { seen: "no close frame", because: NEVER_SENT, finding: "tcllib_close_frame.sh" };
const NOT_SENT: Difference = { seen: "closed 1006", because: NEVER_SENT, finding: "tcllib_close_frame.sh" };

const DIFFERS: PeerProgram["differs"] = {
  "close 1000": NOT_ANSWERED,
  "close 1001": NOT_ANSWERED,
  "close 3000": NOT_ANSWERED,
  "close 4999": NOT_ANSWERED,
  "close empty": NOT_ANSWERED,
  "its close 1000": NOT_SENT,
  "its close 4999": NOT_SENT,
  "its close empty": NOT_SENT,
  ...NO_COMPRESSION,
  "TLS": NOT_ANSWERED,
};

export const PEER: Peer = {
  name: "tcllib",
  version: "1.21",
  language: "Tcl",
  debian: ["tcllib", "tcl-tls"],
  files: { "peer.tcl": PROGRAM },
  printVersion: "dpkg-query -W tcllib",
  server: { command: ["tclsh", "peer.tcl", "server"], differs: DIFFERS },
  client: { command: ["tclsh", "peer.tcl", "client"], differs: DIFFERS },
};
