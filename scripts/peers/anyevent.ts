import { DEFLATE_CASES, type Difference, inCases, type Peer } from "../peer_lane/peer.ts";

const CLIENT = String.raw`
use strict;
use warnings;
use AnyEvent;
use AnyEvent::WebSocket::Client;
use AnyEvent::WebSocket::Message;
$| = 1;

my $client = AnyEvent::WebSocket::Client->new(
  max_payload_size => 64 * 1024 * 1024,
  max_fragments => 1_000_000,
  $ENV{PEER_CA} ? (ssl_ca_file => $ENV{PEER_CA}) : (),
);
my $connection = $client->connect($ENV{PEER_URL})->recv;
my $ended = AnyEvent->condvar;
$connection->on(each_message => sub {
  my ($connection, $message) = @_;
  if ($message->is_text && $message->body =~ /^#close(?: (\d+))?$/) {
    $connection->close($1 ? ($1) : ());
  } else {
    $connection->send($message);
  }
});
$connection->on(parse_error => sub { warn $_[1] });
$connection->on(finish => sub {
  # The code is left out after an empty close frame, too.
  print "closed", defined $connection->close_code ? " " . $connection->close_code : "", "\n";
  $ended->send;
});
$ended->recv;
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });

const CODE_1005 = "close() without a code, and any answer to a close frame, sends the code 1005";
const BAD_ANSWER: Difference = { seen: "no close frame", because: CODE_1005, finding: "anyevent_close_1005.sh" };

export const PEER: Peer = {
  name: "AnyEvent::WebSocket::Client",
  version: "0.54",
  language: "Perl",
  debian: ["libanyevent-websocket-client-perl", "libnet-ssleay-perl"],
  files: { "client.pl": CLIENT },
  printVersion: "perl -MAnyEvent::WebSocket::Client -e 'print AnyEvent::WebSocket::Client->VERSION'",
  client: {
    command: ["perl", "client.pl"],
    differs: {
      "close 1000": BAD_ANSWER,
      "close 1001": BAD_ANSWER,
      "close 3000": BAD_ANSWER,
      "close 4999": BAD_ANSWER,
      "close empty": BAD_ANSWER,
      "its close empty": {
        seen: "broke a rule: ERR_CLOSE_CODE",
        because: CODE_1005,
        finding: "anyevent_close_1005.sh",
      },
      ...NO_COMPRESSION,
      "TLS": BAD_ANSWER,
    },
  },
};
