// The load of the round trip benchmarks: prebuilt frames on many connections, one thread, so that it outruns any server.
//
//   cc -O2 -o load bench/load.c                       without TLS
//   cc -O2 -DTLS -o load bench/load.c -lssl -lcrypto  with it
//   load echo|fanout|burst|work PORT CONNECTIONS BYTES DEPTH SECONDS [tls] [deflate] [light=N] [idle=N]
//
//   echo    each connection keeps DEPTH text messages in flight and counts what comes back
//   fanout  so does the first; all connections count what the server broadcasts
//   burst   all connections are opened ("open" is printed), 3 s later each sends one message, and when all echoes are there ("echoed" is
//           printed) they stay open for SECONDS; with 0 bytes nothing is sent
//   work    as echo; the server works on each message. N light connections beside them keep one message of one byte in flight, on which it
//           does not
//
// With idle=N, N more connections are opened that send nothing.
//
// Prints one line of JSON: messages that came in the measured time (those of light connections aside), per second, and the share of it in
// which this process was busy: near 1, the server may not have been the bottleneck. With light connections, also their messages per
// second, and how long one took, in ms: the median and the 99th percentile.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
static SSL_CTX *tls_context;
#else
typedef void SSL;
#endif

#define WARM_UP 0.5
#define RUN_BYTES (256 * 1024)

// The same frame many times
typedef struct {
  unsigned char *bytes;
  size_t frame_length, frames;
} Run;

typedef struct {
  int fd, waits_for_room, light;
  SSL *tls;
  // The frame that is coming in
  unsigned char header[10];
  int header_length;
  uint64_t payload_left;
  // Frames to be written, and how much of the first one is
  const Run *run;
  long frames_due;
  size_t written;
  // When the message of a light connection was sent
  double sent_at;
} Connection;

#define MAX_TIMES (1 << 20)
static int epoll;
static uint64_t received, light_received;
// How long messages of light connections took, in ms
static float times[MAX_TIMES];
static size_t time_count;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double busy(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int compare_times(const void *one, const void *other) {
  float a = *(const float *)one, b = *(const float *)other;
  return a < b ? -1 : a > b;
}

static Run build_run(size_t size) {
  unsigned char header[14] = {0x81};
  size_t at = 1;
  if (size < 126) header[at++] = 0x80 | size;
  else if (size < 65536) {
    header[at++] = 0x80 | 126;
    header[at++] = size >> 8;
    header[at++] = size;
  } else {
    header[at++] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) header[at++] = (uint64_t)size >> shift;
  }
  const unsigned char key[4] = {0x1a, 0x2b, 0x3c, 0x4d};
  memcpy(header + at, key, 4);
  at += 4;
  Run run = {.frame_length = at + size, .frames = RUN_BYTES / (at + size) + 1};
  run.bytes = malloc(run.frames * run.frame_length);
  memcpy(run.bytes, header, at);
  for (size_t i = 0; i < size; i++) run.bytes[at + i] = ('a' + i % 26) ^ key[i & 3];
  for (size_t i = 1; i < run.frames; i++) memcpy(run.bytes + i * run.frame_length, run.bytes, run.frame_length);
  return run;
}

/** Bytes, 0 at the end, -1 for "not now". */
static ssize_t read_some(Connection *c, void *to, size_t length) {
#ifdef TLS
  if (c->tls) {
    int n = SSL_read(c->tls, to, length);
    if (n > 0) return n;
    int error = SSL_get_error(c->tls, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }
#endif
  ssize_t n = read(c->fd, to, length);
  return n < 0 && errno != EAGAIN ? 0 : n;
}

static ssize_t write_some(Connection *c, const void *from, size_t length) {
#ifdef TLS
  if (c->tls) {
    int n = SSL_write(c->tls, from, length);
    return n > 0 ? n : -1;
  }
#endif
  ssize_t n = write(c->fd, from, length);
  if (n < 0 && errno != EAGAIN) die("write");
  return n;
}

static void watch(Connection *c, int waits_for_room) {
  if (c->waits_for_room == waits_for_room) return;
  c->waits_for_room = waits_for_room;
  struct epoll_event event = {.events = EPOLLIN | (waits_for_room ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void send_due(Connection *c) {
  while (c->frames_due > 0) {
    const Run *run = c->run;
    size_t frames = (size_t)c->frames_due < run->frames ? (size_t)c->frames_due : run->frames;
    ssize_t n = write_some(c, run->bytes + c->written, frames * run->frame_length - c->written);
    if (n < 0) return watch(c, 1);
    c->written += n;
    c->frames_due -= c->written / run->frame_length;
    c->written %= run->frame_length;
  }
  watch(c, 0);
}

/** Counts the messages that end in some bytes. */
static long count(Connection *c, const unsigned char *at, size_t length) {
  const unsigned char *end = at + length;
  long messages = 0;
  while (at < end) {
    if (c->payload_left > 0) {
      size_t step = (uint64_t)(end - at) < c->payload_left ? (size_t)(end - at) : c->payload_left;
      at += step;
      if ((c->payload_left -= step) > 0) break;
    } else {
      c->header[c->header_length++] = *at++;
      if (c->header_length < 2) continue;
      int kind = c->header[1] & 127, extended = kind == 126 ? 2 : kind == 127 ? 8 : 0;
      if (c->header_length < 2 + extended) continue;
      uint64_t size = extended == 0 ? kind : 0;
      for (int i = 0; i < extended; i++) size = size << 8 | c->header[2 + i];
      c->header_length = 0;
      if ((c->payload_left = size) > 0) continue;
    }
    if ((c->header[0] & 15) == 8) die("closed by the server");
    if ((c->header[0] & 0x88) == 0x80) messages++;  // FIN, and no control frame
  }
  return messages;
}

static void open_connection(Connection *c, int port, int index, int tls, int deflate) {
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  // From several addresses, for more connections than one has ports.
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + index / 20000)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (index >= 20000) bind(c->fd, (void *)&from, sizeof from);
  if (c->fd < 0 || connect(c->fd, (void *)&to, sizeof to) < 0) die("connect");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef TLS
  if (tls) {
    c->tls = SSL_new(tls_context);
    SSL_set_fd(c->tls, c->fd);
    if (SSL_connect(c->tls) != 1) die("TLS handshake");
  }
#else
  if (tls) die("built without TLS");
#endif
  char text[8192];
  int length = snprintf(text, sizeof text,
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
    port, deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  if (write_some(c, text, length) != length) die("handshake");
  for (length = 0; !memmem(text, length, "\r\n\r\n", 4);) {
    ssize_t n = read_some(c, text + length, sizeof text - length);
    if (n <= 0) die("handshake");
    length += n;
  }
  if (strncmp(text, "HTTP/1.1 101", 12) != 0) die("not a 101");
  char *end = (char *)memmem(text, length, "\r\n\r\n", 4) + 4;
  count(c, (unsigned char *)end, text + length - end);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/** Reads what is there; each message of a sender is answered by the next one. */
static void receive(Connection *c, int sends) {
  static unsigned char buffer[256 * 1024];
  ssize_t n;
  do {
    n = read_some(c, buffer, sizeof buffer);
    if (n == 0) die("closed by the server");
    if (n < 0) break;
    long messages = count(c, buffer, n);
    if (sends) c->frames_due += messages;
    if (!c->light) {
      received += messages;
      continue;
    }
    light_received += messages;
    double time = now();
    if (messages > 0 && time_count < MAX_TIMES) times[time_count++] = (time - c->sent_at) * 1000;
    c->sent_at = time;
  } while (c->tls);  // OpenSSL may hold more than the socket tells
  if (c->frames_due > 0 && !c->waits_for_room) send_due(c);
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: load echo|fanout|burst|work PORT CONNECTIONS BYTES DEPTH SECONDS [tls] [deflate] [light=N] [idle=N]\n");
    return 2;
  }
  const char *mode = argv[1];
  int port = atoi(argv[2]), connections = atoi(argv[3]), depth = atoi(argv[5]), tls = 0, deflate = 0;
  int light = 0, idle = 0;
  size_t size = strtoull(argv[4], NULL, 10);
  double seconds = atof(argv[6]);
  for (int i = 7; i < argc; i++) {
    tls |= !strcmp(argv[i], "tls");
    deflate |= !strcmp(argv[i], "deflate");
    sscanf(argv[i], "light=%d", &light);
    sscanf(argv[i], "idle=%d", &idle);
  }
  signal(SIGPIPE, SIG_IGN);
#ifdef TLS
  tls_context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#endif
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Run run = build_run(size), light_run = build_run(1);
  epoll = epoll_create1(0);
  int opened = connections + light + idle;
  Connection *all = calloc(opened, sizeof *all);
  for (int i = 0; i < opened; i++) {
    all[i].light = i >= connections;
    all[i].run = all[i].light ? &light_run : &run;
    open_connection(all + i, port, i, tls, deflate);
  }

  int burst = !strcmp(mode, "burst"), fanout = !strcmp(mode, "fanout");
  if (burst) {
    printf("open\n");
    fflush(stdout);
    if (size > 0) sleep(3);
  }
  for (int i = 0; i < (fanout ? 1 : connections); i++) {
    all[i].frames_due = burst ? size > 0 : depth;
    send_due(all + i);
  }
  for (int i = connections; i < connections + light; i++) {
    all[i].frames_due = 1;
    all[i].sent_at = now();
    send_due(all + i);
  }
  int echoed = 0;
  double begin = now(), end = begin + WARM_UP + seconds, measured_from = 0, busy_before = 0;
  struct epoll_event events[512];
  for (;;) {
    double time = now();
    if (burst) {
      if (!echoed && received == (size > 0 ? (uint64_t)connections : 0)) {
        echoed = 1;
        printf("echoed\n");
        fflush(stdout);
        end = time + seconds;
      }
      if (echoed && time >= end) return 0;
      if (!echoed && time > begin + 60) die("no echo within a minute");
    } else if (measured_from == 0 && time >= begin + WARM_UP) {
      measured_from = time;
      busy_before = busy();
      received = light_received = time_count = 0;
    }
    if (!burst && time >= end) break;
    int n = epoll_wait(epoll, events, 512, 100);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_due(c);
      if (events[i].events & ~EPOLLOUT) receive(c, !burst && (!fanout || c == all || c->light));
    }
  }
  double took = now() - measured_from;
  printf("{\"messages\":%llu,\"perSecond\":%.0f,\"busy\":%.2f", (unsigned long long)received, received / took,
    (busy() - busy_before) / took);
  if (time_count > 0) {
    qsort(times, time_count, sizeof *times, compare_times);
    printf(",\"light\":{\"perSecond\":%.0f,\"p50\":%.3f,\"p99\":%.3f}", light_received / took, times[time_count / 2],
      times[time_count * 99 / 100]);
  }
  printf("}\n");
  return 0;
}
