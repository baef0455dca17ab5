import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The program that it starts for each connection: it has messages as lines, and closes by ending. */
const PROGRAM = String.raw`
use Fcntl;

# It reads even while its output is full, since the server writes a message before it reads the next line.
fcntl(STDOUT, F_SETFL, fcntl(STDOUT, F_GETFL, 0) | O_NONBLOCK);
my ($line, $out, $is_open) = ("", "", 1);
while ($is_open || length $out) {
  my ($readable, $writable) = ("", "");
  vec($readable, 0, 1) = $is_open;
  vec($writable, 1, 1) = length $out ? 1 : 0;
  select($readable, $writable, undef, undef);
  if ($is_open && vec($readable, 0, 1)) {
    if (!sysread(STDIN, my $piece, 65536)) {
      $is_open = 0;
    } else {
      my $end = rindex($piece, "\n") + 1;
      if ($end > 0) {
        my $lines = $line . substr($piece, 0, $end);
        $line = "";
        if ($lines =~ /^#close/) { $is_open = 0 } else { $out .= $lines }
      }
      $line .= substr($piece, $end);
    }
  }
  if (length $out && vec($writable, 1, 1)) {
    my $written = syswrite(STDOUT, $out, 65536);
    last if !defined $written;
    substr($out, 0, $written, "");
  }
}
# Its own output is the connection, so that this goes to the output of the server.
open(my $server, ">", "/proc/" . getppid() . "/fd/1");
print $server "closed\n";
`;

export const PEER: Peer = {
  name: "websocketd",
  version: "0.4.1",
  language: "Go",
  debian: ["websocketd"],
  files: {
    "echo.pl": PROGRAM,
    "peer.sh": `exec websocketd --address=127.0.0.1 --port="$PEER_PORT" --loglevel=fatal \\
  \${PEER_CERT:+--ssl --sslcert="$PEER_CERT" --sslkey="$PEER_KEY"} perl echo.pl\n`,
  },
  printVersion: "dpkg-query -W websocketd",
  server: { command: ["bash", "peer.sh"] },
};
