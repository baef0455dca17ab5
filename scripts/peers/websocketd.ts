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
# Its own output is the connection, so that this goes to a file that "tail" prints.
open(my $lines, ">>", "lines");
print $lines "closed\n";
`;

const START = `
: >lines
tail -n 0 -f lines &
exec websocketd --address=127.0.0.1 --port="$PEER_PORT" --loglevel=fatal \\
  \${PEER_CERT:+--ssl --sslcert="$PEER_CERT" --sslkey="$PEER_KEY"} perl echo.pl
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It never compresses" };
const LINES: Difference = {
  seen: "broke a rule: ERR_INVALID_UTF8 (binary)",
  because: "It has lines of text: binary messages come back as text, cut at each newline",
};
const NO_CODE: Difference = {
  seen: "closed 1006",
  because: "When the program ends, it ends TCP without a close frame",
};

export const PEER: Peer = {
  name: "websocketd",
  version: "0.4.1",
  language: "Go",
  debian: ["websocketd"],
  files: {
    "echo.pl": PROGRAM,
    "peer.sh": START,
  },
  printVersion: "dpkg-query -W websocketd",
  server: {
    command: ["bash", "peer.sh"],
    differs: {
      "binary": { ...LINES, seen: "wrong type" },
      "1 MiB": LINES,
      "20 MiB": LINES,
      "fragments": LINES,
      "its close 1000": NO_CODE,
      "its close 4999": NO_CODE,
      "its close empty": NO_CODE,
      "deflate": WITHOUT_COMPRESSION,
      "deflate no takeover": WITHOUT_COMPRESSION,
      "deflate 9 bits": WITHOUT_COMPRESSION,
      "TLS": { ...LINES, seen: "broke a rule: ERR_INVALID_UTF8 (binary) (1 MiB)" },
    },
  },
};
