import type { Peer } from "../peer_lane/peer.ts";

/** What both roles do with a connection. */
const SHARED = String.raw`
package Shared;
use Mojo::Base -strict, -signatures;
$ENV{MOJO_MAX_WEBSOCKET_SIZE} = 64 * 1024 * 1024;
$ENV{MOJO_INACTIVITY_TIMEOUT} = 0;
$| = 1;

# A text comes as bytes in "text" and goes as bytes in { text => … }, so nothing is decoded on the way.
sub echo ($connection) {
  $connection->on(text => sub ($connection, $bytes) {
    return $connection->send({text => $bytes}) unless $bytes =~ /^#close(?: (\d+))?$/;
    $connection->finish($1 ? ($1) : ());
  });
  $connection->on(binary => sub ($connection, $bytes) { $connection->send({binary => $bytes}) });
  $connection->on(finish => sub ($connection, $code, $reason) { say "closed $code" });
}
1;
`;

const SERVER = String.raw`
use lib '.';
use Shared;
use Mojolicious::Lite -signatures;
use Mojo::Server::Daemon;

websocket '/' => sub ($c) {
  $c->tx->with_compression if $ENV{PEER_DEFLATE} eq 'on';
  Shared::echo($c);
};
app->log->level('error');
my $listen = "127.0.0.1:$ENV{PEER_PORT}";
$listen = $ENV{PEER_CERT} ? "https://$listen?cert=$ENV{PEER_CERT}&key=$ENV{PEER_KEY}" : "http://$listen";
Mojo::Server::Daemon->new(app => app, listen => [$listen], silent => 1)->run;
`;

const CLIENT = String.raw`
use lib '.';
use Shared;
use Mojo::Base -strict, -signatures;
use Mojo::UserAgent;
use Mojo::IOLoop;

my $agent = Mojo::UserAgent->new(inactivity_timeout => 0);
$agent->ca($ENV{PEER_CA}) if $ENV{PEER_CA};
my %headers = $ENV{PEER_DEFLATE} eq 'on' ? ('Sec-WebSocket-Extensions' => 'permessage-deflate') : ();
$agent->websocket($ENV{PEER_URL} => \%headers => sub ($agent, $connection) {
  die "No WebSocket: ", $connection->error ? $connection->error->{message} : $connection->res->code, "\n"
    unless $connection->is_websocket;
  Shared::echo($connection);
  # Later than "finish": the close frame is written then.
  Mojo::IOLoop->stream($connection->connection)->on(close => sub { Mojo::IOLoop->stop });
});
Mojo::IOLoop->start;
`;

const IGNORED = "it ignores the parameters of the negotiation";
const FINDING = "mojolicious_deflate_parameters.sh";

export const PEER: Peer = {
  name: "Mojolicious",
  version: "9.31",
  language: "Perl",
  debian: ["libmojolicious-perl", "libio-socket-ssl-perl"],
  files: { "Shared.pm": SHARED, "server.pl": SERVER, "client.pl": CLIENT },
  printVersion: "perl -MMojolicious -e 'print Mojolicious->VERSION'",
  server: {
    command: ["perl", "server.pl"],
    differs: {
      "deflate no takeover": { seen: "agreed takeover", because: IGNORED, finding: FINDING },
      "deflate 9 bits": { seen: "agreed 15 bits", because: IGNORED, finding: FINDING },
    },
  },
  client: {
    command: ["perl", "client.pl"],
    differs: {
      "deflate no takeover": {
        seen: "broke a rule: ERR_INVALID_DEFLATE (text of 128)",
        because: IGNORED,
        finding: FINDING,
      },
    },
  },
};
