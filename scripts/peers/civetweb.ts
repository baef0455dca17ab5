import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/**
 * The program of both roles: the argument is the role. The library gives single frames, those of the closing handshake
 * too: fragments are put together and close frames answered here.
 */
const PROGRAM = String.raw`
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	char *message;
	size_t size;
	int opcode, code, closing;
};

static int is_server;
static volatile int ended;

/* A client is given its session, a server keeps that of each connection. */
static struct session *session_of(const struct mg_connection *connection, void *own)
{
	return is_server ? mg_get_user_connection_data(connection) : own;
}

static void send_frame(struct mg_connection *connection, int opcode, const char *data, size_t size)
{
	if (is_server) mg_websocket_write(connection, opcode, data, size);
	else mg_websocket_client_write(connection, opcode, data, size);
}

static void take(struct mg_connection *connection, struct session *session)
{
	char *message = session->message;
	if (session->opcode != MG_WEBSOCKET_OPCODE_TEXT || session->size < 6 || memcmp(message, "#close", 6)) {
		send_frame(connection, session->opcode, message, session->size);
		return;
	}
	unsigned char code[2];
	message[session->size] = 0;
	code[0] = atoi(message + 6) >> 8;
	code[1] = atoi(message + 6) & 255;
	session->closing = 1;
	send_frame(connection, MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE, (char *)code, session->size > 6 ? 2 : 0);
}

static int on_frame(struct mg_connection *connection, int bits, char *data, size_t size, void *own)
{
	struct session *session = session_of(connection, own);
	int opcode = bits & 15;
	if (opcode == MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE) {
		const unsigned char *bytes = (unsigned char *)data;
		session->code = size < 2 ? 1005 : bytes[0] << 8 | bytes[1];
		if (!session->closing) send_frame(connection, opcode, data, size);
		return 0;
	}
	if (opcode == MG_WEBSOCKET_OPCODE_PING) /* The library answers those of a server itself. */
		send_frame(connection, MG_WEBSOCKET_OPCODE_PONG, data, size);
	if (opcode >= 8) return 1;
	if (opcode != MG_WEBSOCKET_OPCODE_CONTINUATION) {
		session->opcode = opcode;
		session->size = 0;
	}
	session->message = realloc(session->message, session->size + size + 1);
	memcpy(session->message + session->size, data, size);
	session->size += size;
	if (bits & 128) take(connection, session);
	return 1;
}

static void on_end(const struct mg_connection *connection, void *own)
{
	struct session *session = session_of(connection, own);
	printf("closed %d\n", session->code);
	fflush(stdout);
	ended = 1;
}

static struct session *new_session(void)
{
	struct session *session = calloc(1, sizeof *session);
	session->code = 1006;
	return session;
}

static void on_ready(struct mg_connection *connection, void *unused)
{
	mg_set_user_connection_data(connection, new_session());
}

static int on_log(const struct mg_connection *connection, const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

static int serve(void)
{
	char port[64];
	if (getenv("PEER_CERT") != NULL) {
		fprintf(stderr, "no TLS\n");
		return 1;
	}
	snprintf(port, sizeof port, "127.0.0.1:%s", getenv("PEER_PORT"));
	const char *options[] = { "listening_ports", port, "enable_websocket_ping_pong", "yes", "num_threads", "4",
		"websocket_timeout_ms", "60000", NULL };
	struct mg_callbacks callbacks;
	memset(&callbacks, 0, sizeof callbacks);
	callbacks.log_message = on_log;
	struct mg_context *context = mg_start(&callbacks, NULL, options);
	if (context == NULL) return 1;
	mg_set_websocket_handler(context, "/", NULL, on_ready, on_frame, on_end, NULL);
	for (;;) pause();
}

static int open_connection(void)
{
	char host[256], error[256] = "";
	int port;
	const char *url = getenv("PEER_URL"), *root = getenv("PEER_CA");
	if (sscanf(strstr(url, "//") + 2, "%255[^:]:%d", host, &port) != 2) return 1;
	struct mg_connection *connection;
	struct session *session = new_session();
	if (root != NULL) {
		struct mg_client_options options = { .host = host, .port = port, .server_cert = root, .host_name = host };
		connection = mg_connect_websocket_client_secure(&options, error, sizeof error, "/", NULL, on_frame, on_end, session);
	} else {
		connection = mg_connect_websocket_client(host, port, 0, error, sizeof error, "/", NULL, on_frame, on_end, session);
	}
	if (connection == NULL) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	while (!ended) usleep(10000);
	mg_close_connection(connection);
	return 0;
}

int main(int argc, char **argv)
{
	is_server = !strcmp(argv[1], "server");
	mg_init_library(MG_FEATURES_TLS | MG_FEATURES_WEBSOCKET);
	return is_server ? serve() : open_connection();
}
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, {
  seen: "not agreed",
  because: "the package is built without compression",
});

const DIFFERS: PeerProgram["differs"] = {
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "civetweb",
  version: "1.15",
  language: "C",
  debian: ["libcivetweb-dev", "libssl-dev", "gcc"],
  files: { "peer.c": PROGRAM },
  build: "gcc -O1 -o peer peer.c -lcivetweb",
  printVersion: "dpkg-query -W libcivetweb1",
  server: {
    command: ["./peer", "server"],
    differs: {
      ...DIFFERS,
      "TLS": { seen: "does not start", because: "the package's server cannot do TLS with OpenSSL 3" },
    },
  },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
