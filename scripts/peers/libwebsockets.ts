import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. */
const PROGRAM = String.raw`
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message that waits to be sent; with close_code from 0 on, the end. */
struct message {
	struct message *next;
	size_t size;
	int binary, close_code;
	unsigned char data[]; /* LWS_PRE bytes of space, then the payload */
};

struct session {
	struct message *first, **last;
	unsigned char *received;
	size_t size, capacity;
	int binary, code, in_message;
};

static int is_server, ended;

static void queue(struct lws *wsi, struct session *session, int close_code)
{
	struct message *message = malloc(sizeof *message + LWS_PRE + session->size);
	message->next = NULL;
	message->size = session->size;
	message->binary = session->binary;
	message->close_code = close_code;
	if (session->size > 0) memcpy(message->data + LWS_PRE, session->received, session->size);
	if (session->first == NULL) session->last = &session->first;
	*session->last = message;
	session->last = &message->next;
	lws_callback_on_writable(wsi);
}

static void receive(struct lws *wsi, struct session *session, const void *in, size_t len)
{
	if (!session->in_message) {
		session->in_message = 1;
		session->size = 0;
		session->binary = lws_frame_is_binary(wsi);
	}
	while (session->size + len + 1 > session->capacity) {
		session->capacity = session->capacity == 0 ? 4096 : 2 * session->capacity;
		session->received = realloc(session->received, session->capacity);
	}
	if (len > 0) memcpy(session->received + session->size, in, len);
	session->size += len;
	if (!lws_is_final_fragment(wsi)) return;
	session->in_message = 0;
	session->received[session->size] = 0;
	if (!session->binary && session->size >= 6 && !memcmp(session->received, "#close", 6))
		queue(wsi, session, session->size > 6 ? atoi((char *)session->received + 7) : 0);
	else
		queue(wsi, session, -1);
}

/* Returns -1 to end the connection. */
static int write_one(struct lws *wsi, struct session *session)
{
	struct message *message = session->first;
	if (message == NULL) return 0;
	if (message->close_code >= 0) {
		/* The library has no call for an empty close frame. */
		if (message->close_code > 0) lws_close_reason(wsi, message->close_code, NULL, 0);
		return -1;
	}
	session->first = message->next;
	int written = lws_write(wsi, message->data + LWS_PRE, message->size, message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
	int failed = written < 0;
	free(message);
	if (session->first != NULL) lws_callback_on_writable(wsi);
	return failed ? -1 : 0;
}

static void finish(struct session *session)
{
	while (session->first != NULL) {
		struct message *message = session->first;
		session->first = message->next;
		free(message);
	}
	free(session->received);
	/* An own close frame's answer is not told. */
	if (session->code > 0) printf("closed %d\n", session->code);
	else printf("closed\n");
	fflush(stdout);
	ended = !is_server;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct session *session = user;
	const unsigned char *bytes = in;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		memset(session, 0, sizeof *session);
		break;
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_CLIENT_RECEIVE:
		receive(wsi, session, in, len);
		break;
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return write_one(wsi, session);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		session->code = len < 2 ? 1005 : bytes[0] << 8 | bytes[1];
		break;
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_CLIENT_CLOSED:
		finish(session);
		break;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		fprintf(stderr, "%s\n", in == NULL ? "no connection" : (char *)in);
		ended = 1;
		break;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{ "echo", callback, sizeof(struct session), 65536 },
	{ NULL, NULL, 0, 0 },
};

static int open_connection(struct lws_context *context)
{
	static char host[256];
	const char *url = getenv("PEER_URL");
	int port;
	if (sscanf(strstr(url, "//") + 2, "%255[^:]:%d", host, &port) != 2) return -1;
	char origin[300];
	snprintf(origin, sizeof origin, "%s:%d", host, port);
	struct lws_client_connect_info info;
	memset(&info, 0, sizeof info);
	info.context = context;
	info.address = host;
	info.host = origin;
	info.port = port;
	info.path = "/";
	info.ssl_connection = strncmp(url, "wss:", 4) ? 0 : LCCSCF_USE_SSL;
	info.local_protocol_name = "echo";
	return lws_client_connect_via_info(&info) == NULL ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct lws_context_creation_info info;
	memset(&info, 0, sizeof info);
	is_server = !strcmp(argv[1], "server");
	lws_set_log_level(LLL_ERR, NULL);
	info.protocols = protocols;
	info.gid = info.uid = -1;
	info.port = is_server ? atoi(getenv("PEER_PORT")) : CONTEXT_PORT_NO_LISTEN;
	if (is_server) info.iface = "127.0.0.1";
	if (getenv("PEER_CERT") != NULL || getenv("PEER_CA") != NULL)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.ssl_cert_filepath = getenv("PEER_CERT");
	info.ssl_private_key_filepath = getenv("PEER_KEY");
	info.client_ssl_ca_filepath = getenv("PEER_CA");
	struct lws_context *context = lws_create_context(&info);
	if (context == NULL || (!is_server && open_connection(context))) return 1;
	while (!ended && lws_service(context, 0) >= 0);
	lws_context_destroy(context);
	return 0;
}
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, {
  seen: "not agreed",
  because: "left off: with the extension of this version, connections hang and the process ends",
});

const DIFFERS: PeerProgram["differs"] = {
  "ping": {
    seen: "no answer (several at once)",
    because: "of pings that arrive together it answers the first only",
    finding: "libwebsockets_pongs.sh",
  },
  "its close empty": { seen: "closed 1006", because: "the library has no call for an empty close frame" },
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "libwebsockets",
  version: "4.1.6",
  language: "C",
  debian: ["libwebsockets-dev", "libwebsockets-evlib-ev", "libwebsockets-evlib-glib", "libwebsockets-evlib-uv", "gcc"],
  files: { "peer.c": PROGRAM },
  build: "gcc -O1 -o peer peer.c -lwebsockets",
  printVersion: "dpkg-query -W libwebsockets17",
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
