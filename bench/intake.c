// The load of the intake benchmark: posts prebuilt notifications over kept-alive connections, one in flight on each, and is all the
// receivers too. A connection that the server ends with "Connection: close" is replaced. One thread, so that it outruns any server.
//
//   cc -O2 -o intake bench/intake.c
//   intake PORT CONNECTIONS SECONDS REQUESTS PATH RECEIVERS inbox|plain PID
//
//   REQUESTS  a file of requests, each behind its length in 4 bytes (little endian); none is sent twice
//   inbox     the receivers have names, speak whatsapp-inbox.v1, and acknowledge all that one read brings in one message
//   plain     the receivers only count
//   PID       the server, whose processor time is read from /proc
//
// Prints one line of JSON: requests that got their 200 in the measured time, per second; p50 and p99 of the time to the 200, in ms; the
// server's processor time for each, in µs; the share of the time in which this process was busy; how many got a 200 in all; and how many
// notifications came to each receiver until the last one had come, or 5 s after the last 200.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 1.0
#define MAX_RECEIVERS 16
#define MAX_ACK (256 * 21 + 64)
#define PATIENCE 5.0

typedef struct {
  int fd, receiver;
  unsigned char *buffer;
  size_t length, capacity;
  double sent_at;
  uint64_t received;
} Connection;

static const unsigned char *requests;
static size_t requests_length, requests_at;
static const char *path;
static int epoll, port, inbox, posting = 1, in_flight;
static double *latencies;
static size_t latency_count, latency_capacity;
static uint64_t accepted;

static void die(const char *what) {
  fprintf(stderr, "intake: %s: %s\n", what, strerror(errno));
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

/** Processor time of another process, in s. */
static double time_of(int pid) {
  char name[64], text[1024];
  snprintf(name, sizeof name, "/proc/%d/stat", pid);
  FILE *file = fopen(name, "r");
  if (!file) die(name);
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  // Behind the name of the program, which may hold anything.
  char *at = strrchr(text, ')');
  unsigned long user, system;
  if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) die("stat");
  return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

/** All of it: what is written here is short, and the server reads. */
static void write_all(int fd, const void *from, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, from, length);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) die("write");
    from = (const char *)from + n;
    length -= n;
  }
}

static int dial(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (fd < 0 || connect(fd, (void *)&to, sizeof to) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void watch(Connection *c) {
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/** Reads what is there; more room is made where it is needed. */
static void fill(Connection *c) {
  if (c->length == c->capacity) c->buffer = realloc(c->buffer, c->capacity = c->capacity ? c->capacity * 2 : 65536);
  ssize_t n = read(c->fd, c->buffer + c->length, c->capacity - c->length);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("closed by the server");
  c->length += n;
}

static void used(Connection *c, size_t length) {
  memmove(c->buffer, c->buffer + length, c->length -= length);
}

/** Where the head of a response ends; 0: not there yet. */
static size_t head_length(const Connection *c) {
  const unsigned char *end = c->length ? memmem(c->buffer, c->length, "\r\n\r\n", 4) : NULL;
  return end ? end + 4 - c->buffer : 0;
}

// ---- Receivers ---------------------------------------------------------------------------------------------------

static void send_binary(int fd, const char *text) {
  size_t length = strlen(text), at = 2;
  unsigned char frame[MAX_ACK + 8] = {0x82};
  if (length < 126) frame[1] = 0x80 | length;
  else {
    frame[1] = 0x80 | 126;
    frame[at++] = length >> 8;
    frame[at++] = length;
  }
  const unsigned char key[4] = {0x1a, 0x2b, 0x3c, 0x4d};
  memcpy(frame + at, key, 4);
  at += 4;
  for (size_t i = 0; i < length; i++) frame[at + i] = text[i] ^ key[i & 3];
  write_all(fd, frame, at + length);
}

static void open_receiver(Connection *c, int index) {
  char text[1024];
  c->fd = dial();
  c->receiver = 1;
  snprintf(text, sizeof text,
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
    path, port, inbox ? "Sec-WebSocket-Protocol: whatsapp-inbox.v1\r\n" : "");
  write_all(c->fd, text, strlen(text));
  size_t head;
  while (!(head = head_length(c))) fill(c);
  if (strncmp((char *)c->buffer, "HTTP/1.1 101", 12) != 0) die("not a 101");
  used(c, head);
  if (!inbox) return;
  snprintf(text, sizeof text, "{\"type\":\"hello\",\"name\":\"receiver %d\"}\n", index);
  send_binary(c->fd, text);
}

static void take_messages(Connection *c) {
  static char acks[MAX_ACK];
  size_t at = 0, acks_length = 0;
  while (c->length - at >= 2) {
    const unsigned char *frame = c->buffer + at;
    size_t header = 2, length = frame[1] & 127, rest = c->length - at;
    if (length == 126) {
      if (rest < 4) break;
      length = (size_t)frame[2] << 8 | frame[3];
      header = 4;
    } else if (length == 127) die("a message of more than 64 KiB");
    if (rest < header + length) break;
    const char *message = (const char *)frame + header;
    if ((frame[0] & 15) == 8) die("a receiver was closed by the server");
    static const char notification[] = "{\"type\":\"notification\",\"seq\":";
    if (!inbox) c->received++;
    else if (length > sizeof notification && memcmp(message, notification, sizeof notification - 1) == 0) {
      unsigned long long seq = strtoull(message + sizeof notification - 1, NULL, 10);
      c->received++;
      acks_length += sprintf(acks + acks_length, "%s%llu", acks_length ? "," : "{\"type\":\"ack\",\"seqs\":[", seq);
      if (acks_length > MAX_ACK - 64) die("more notifications than the window has room for");
    }
    at += header + length;
  }
  used(c, at);
  if (acks_length == 0) return;
  strcpy(acks + acks_length, "]}\n");
  send_binary(c->fd, acks);
}

// ---- Posts -------------------------------------------------------------------------------------------------------

static void post(Connection *c) {
  if (requests_at + 4 > requests_length) die("too few requests");
  uint32_t length;
  memcpy(&length, requests + requests_at, 4);
  c->sent_at = now();
  write_all(c->fd, requests + requests_at + 4, length);
  requests_at += 4 + length;
  in_flight++;
}

static void take_answer(Connection *c) {
  size_t head = head_length(c);
  if (!head) return;
  if (strncmp((char *)c->buffer, "HTTP/1.1 200", 12) != 0) {
    fprintf(stderr, "%.*s\n", (int)c->length, c->buffer);
    die("not a 200");
  }
  c->buffer[head - 1] = 0;
  const char *field = strcasestr((char *)c->buffer, "content-length:");
  if (!field) die("a 200 without Content-Length");
  size_t whole = head + strtoul(field + 15, NULL, 10);
  int last = strcasestr((char *)c->buffer, "connection: close") != NULL;
  c->buffer[head - 1] = '\n';
  if (c->length < whole) return;
  used(c, whole);
  in_flight--;
  accepted++;
  if (latency_count == latency_capacity) {
    latencies = realloc(latencies, (latency_capacity = latency_capacity ? latency_capacity * 2 : 65536) * sizeof *latencies);
  }
  latencies[latency_count++] = now() - c->sent_at;
  if (last) {
    close(c->fd);
    c->fd = dial();
    watch(c);
  }
  if (posting) post(c);
}

static int by_size(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc < 9) return fprintf(stderr, "usage: intake PORT CONNECTIONS SECONDS REQUESTS PATH RECEIVERS inbox|plain PID\n"), 2;
  port = atoi(argv[1]);
  int connections = atoi(argv[2]), receivers = atoi(argv[6]), pid = atoi(argv[8]);
  double seconds = atof(argv[3]);
  path = argv[5];
  inbox = !strcmp(argv[7], "inbox");
  if (receivers > MAX_RECEIVERS) die("too many receivers");
  signal(SIGPIPE, SIG_IGN);
  int file = open(argv[4], O_RDONLY);
  struct stat stat;
  if (file < 0 || fstat(file, &stat) < 0) die(argv[4]);
  requests_length = stat.st_size;
  requests = mmap(NULL, requests_length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (requests == MAP_FAILED) die("mmap");

  epoll = epoll_create1(0);
  int all = connections + receivers;
  Connection *list = calloc(all, sizeof *list);
  for (int i = 0; i < all; i++) {
    if (i < receivers) open_receiver(list + i, i);
    else list[i].fd = dial();
    watch(list + i);
  }
  for (int i = receivers; i < all; i++) post(list + i);

  double begin = now(), end = begin + WARM_UP + seconds, from = 0, busy_before = 0, time_before = 0, deadline = 0;
  double took = 0, busy_time = 0, server_time = 0, p50 = 0, p99 = 0;
  size_t count = 0;
  struct epoll_event events[512];
  for (;;) {
    double time = now();
    if (from == 0 && time >= begin + WARM_UP) {
      latency_count = 0;
      busy_before = busy();
      time_before = time_of(pid);
      from = now();
    }
    if (posting && time >= end) {
      posting = 0;
      took = now() - from;
      server_time = time_of(pid) - time_before;
      busy_time = busy() - busy_before;
      count = latency_count;
      if (count == 0) die("no 200");
      qsort(latencies, count, sizeof *latencies, by_size);
      p50 = latencies[count / 2];
      p99 = latencies[count * 99 / 100];
      deadline = time + PATIENCE;
    }
    if (!posting) {
      int missing = in_flight;
      for (int i = 0; i < receivers; i++) missing |= list[i].received < accepted;
      if (!missing || time > deadline) break;
    }
    int n = epoll_wait(epoll, events, 512, 50);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      fill(c);
      if (c->receiver) take_messages(c);
      else take_answer(c);
    }
  }
  printf("{\"perSecond\":%.0f,\"p50\":%.3f,\"p99\":%.3f,\"cpu\":%.1f,\"busy\":%.2f,\"accepted\":%llu,\"received\":[", count / took,
    p50 * 1e3, p99 * 1e3, server_time / count * 1e6, busy_time / took, (unsigned long long)accepted);
  for (int i = 0; i < receivers; i++) printf("%s%llu", i ? "," : "", (unsigned long long)list[i].received);
  printf("]}\n");
  return 0;
}
