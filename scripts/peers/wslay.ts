import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. The library has no handshake and no TLS. */
const PROGRAM = String.raw`
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

static ssize_t on_read(wslay_event_context_ptr context, uint8_t *data, size_t size, int flags, void *user)
{
	ssize_t count = recv(*(int *)user, data, size, MSG_DONTWAIT);
	if (count > 0) return count;
	wslay_event_set_error(context, count < 0 && errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t on_write(wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *user)
{
	ssize_t count = send(*(int *)user, data, size, MSG_NOSIGNAL);
	if (count >= 0) return count;
	wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static int on_mask(wslay_event_context_ptr context, uint8_t *bytes, size_t size, void *user)
{
	return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

static void on_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
	if (wslay_is_ctrl_frame(message->opcode)) return; /* Answered by the library. */
	if (message->opcode == WSLAY_TEXT_FRAME && message->msg_length >= 6 && !memcmp(message->msg, "#close", 6)) {
		char code[8] = "";
		if (message->msg_length > 6) memcpy(code, message->msg + 7, message->msg_length < 14 ? message->msg_length - 7 : 7);
		wslay_event_queue_close(context, atoi(code), NULL, 0); /* 0: an empty frame */
		return;
	}
	struct wslay_event_msg echo = { message->opcode, message->msg, message->msg_length };
	wslay_event_queue_msg(context, &echo);
}

static void talk(int fd)
{
	struct wslay_event_callbacks callbacks = { .recv_callback = on_read, .send_callback = on_write,
		.genmask_callback = on_mask, .on_msg_recv_callback = on_message };
	wslay_event_context_ptr context;
	int is_server = getenv("PEER_PORT") != NULL;
	if (is_server) wslay_event_context_server_init(&context, &callbacks, &fd);
	else wslay_event_context_client_init(&context, &callbacks, &fd);
	wslay_event_config_set_max_recv_msg_length(context, 64 << 20);
	while (wslay_event_want_read(context) || wslay_event_want_write(context)) {
		if (wslay_event_want_write(context)) {
			if (wslay_event_send(context) != 0) break;
		} else {
			struct pollfd readable = { fd, POLLIN };
			if (poll(&readable, 1, -1) < 0 || wslay_event_recv(context) != 0) break;
		}
	}
	/* 1005 for an empty close frame, 1006 for none. */
	printf("closed %d\n", wslay_event_get_close_received(context) ? wslay_event_get_status_code_received(context) : 1006);
	fflush(stdout);
	wslay_event_context_free(context);
	close(fd);
}

/* Reads up to the empty line: nothing comes behind it before the answer. */
static int read_head(int fd, char *head, size_t size)
{
	size_t length = 0;
	while (length + 1 < size && recv(fd, head + length, 1, 0) == 1) {
		head[++length] = 0;
		if (length >= 4 && !strcmp(head + length - 4, "\r\n\r\n")) return 0;
	}
	return -1;
}

static int answer(int fd)
{
	char head[8192] = "", text[256], accept[64];
	unsigned char digest[SHA_DIGEST_LENGTH];
	if (read_head(fd, head, sizeof head)) return -1;
	char *key = strcasestr(head, "\r\nsec-websocket-key:");
	if (key == NULL || sscanf(strchr(key, ':') + 1, " %100s", text) != 1) return -1;
	strcat(text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	SHA1((unsigned char *)text, strlen(text), digest);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
	dprintf(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	return 0;
}

static int ask(int fd, int port)
{
	char head[8192] = "", key[32];
	unsigned char nonce[16];
	if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce) return -1;
	EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
	dprintf(fd, "GET / HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", port, key);
	return read_head(fd, head, sizeof head) || strncmp(head, "HTTP/1.1 101 ", 13) ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (getenv("PEER_CERT") != NULL || getenv("PEER_CA") != NULL) {
		fprintf(stderr, "no TLS\n");
		return 1;
	}
	int is_server = !strcmp(argv[1], "server"), one = 1;
	int port = atoi(is_server ? getenv("PEER_PORT") : strrchr(getenv("PEER_URL"), ':') + 1);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (!is_server) {
		if (connect(fd, (struct sockaddr *)&address, sizeof address) || ask(fd, port)) return 1;
		talk(fd);
		return 0;
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16)) return 1;
	for (;;) {
		int accepted = accept(fd, NULL, NULL);
		if (answer(accepted)) close(accepted);
		else talk(accepted);
	}
}
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });

const DIFFERS: PeerProgram["differs"] = {
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "wslay",
  version: "1.1.1",
  language: "C",
  debian: ["libwslay-dev", "libssl-dev", "gcc"],
  files: { "peer.c": PROGRAM },
  build: "gcc -O1 -D_GNU_SOURCE -o peer peer.c -lwslay -lcrypto",
  printVersion: "dpkg-query -W libwslay-dev",
  server: {
    command: ["./peer", "server"],
    differs: { ...DIFFERS, "TLS": { seen: "does not start", because: "the library has no TLS" } },
  },
  client: {
    command: ["./peer", "client"],
    differs: { ...DIFFERS, "TLS": { seen: "does not connect", because: "the library has no TLS" } },
  },
};
