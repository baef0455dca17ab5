import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. The library has handshake and frames; the rest is here. */
const PROGRAM = String.raw`
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::SSL;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;
use Protocol::WebSocket::Handshake::Server;
use Protocol::WebSocket::URL;
$| = 1;
$SIG{PIPE} = 'IGNORE';

sub send_all {
  my ($socket, $bytes) = @_;
  for (my $at = 0; $at < length $bytes;) {
    my $count = $socket->syswrite($bytes, 65536, $at) or return;
    $at += $count;
  }
}

sub talk {
  my ($socket, $is_client, $rest) = @_;
  my @limits = (max_payload_size => 64 * 1024 * 1024, max_fragments_amount => 1_000_000);
  my $send = sub {
    my ($opcode, $payload) = @_;
    my $frame = Protocol::WebSocket::Frame->new(@limits, opcode => $opcode, buffer => $payload, masked => $is_client);
    send_all($socket, $frame->to_bytes);
  };
  my $frame = Protocol::WebSocket::Frame->new(@limits, buffer => $rest);
  my $closing = 0;
  while (1) {
    while (defined(my $payload = $frame->next_bytes)) {
      if ($frame->is_ping) {
        $send->(10, $payload);
      } elsif ($frame->is_close) {
        $send->(8, $payload) unless $closing;
        return length $payload < 2 ? 1005 : unpack 'n', $payload;
      } elsif ($frame->is_text && $payload =~ /^#close(?: (\d+))?$/) {
        $closing = 1;
        $send->(8, $1 ? pack('n', $1) : '');
      } elsif (!$frame->is_pong) {
        $send->($frame->opcode, $payload);
      }
    }
    $socket->sysread(my $bytes, 65536) or return 1006;
    $frame->append($bytes);
  }
}

sub read_into {
  my ($socket, $handshake) = @_;
  until ($handshake->is_done) {
    # Byte by byte, so that no frame is taken with the head.
    $socket->sysread(my $byte, 1) or return 0;
    $handshake->parse($byte) or die $handshake->error, "\n";
  }
  return 1;
}

if ($ARGV[0] eq 'server') {
  my @address = (LocalAddr => '127.0.0.1', LocalPort => $ENV{PEER_PORT}, Listen => 16, ReuseAddr => 1);
  my $server = $ENV{PEER_CERT}
    ? IO::Socket::SSL->new(@address, SSL_cert_file => $ENV{PEER_CERT}, SSL_key_file => $ENV{PEER_KEY})
    : IO::Socket::INET->new(@address);
  die "Cannot listen: $@" unless $server;
  while (1) {
    my $socket = $server->accept or next;
    my $handshake = Protocol::WebSocket::Handshake::Server->new;
    next unless eval { read_into($socket, $handshake) };
    send_all($socket, $handshake->to_string);
    print 'closed ', eval { talk($socket, 0, '') } // 1006, "\n";
    print STDERR $@ if $@;
    close $socket;
  }
}
my $handshake = Protocol::WebSocket::Handshake::Client->new(url => $ENV{PEER_URL});
my $url = Protocol::WebSocket::URL->new->parse($ENV{PEER_URL});
my @address = (PeerAddr => $url->host, PeerPort => $url->port);
my $socket = $ENV{PEER_CA}
  ? IO::Socket::SSL->new(@address, SSL_ca_file => $ENV{PEER_CA}, SSL_verifycn_scheme => 'http')
  : IO::Socket::INET->new(@address);
die "Cannot connect: $@" unless $socket;
send_all($socket, $handshake->to_string);
read_into($socket, $handshake) or die "No answer\n";
print 'closed ', talk($socket, 1, ''), "\n";
close $socket;
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });

const DIFFERS: PeerProgram["differs"] = {
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "Protocol::WebSocket",
  version: "0.26",
  language: "Perl",
  debian: ["libprotocol-websocket-perl", "libio-socket-ssl-perl"],
  files: { "peer.pl": PROGRAM },
  printVersion: "perl -MProtocol::WebSocket -e 'print Protocol::WebSocket->VERSION'",
  server: { command: ["perl", "peer.pl", "server"], differs: DIFFERS },
  client: { command: ["perl", "peer.pl", "client"], differs: DIFFERS },
};
