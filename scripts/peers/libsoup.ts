import type { Difference, Peer, PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. */
const PROGRAM = String.raw`
#include <libsoup/soup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GMainLoop *loop;
static gboolean is_server;

static void on_message(SoupWebsocketConnection *connection, int type, GBytes *message, gpointer unused)
{
	gsize size;
	const char *data = g_bytes_get_data(message, &size); /* A text is followed by a zero byte. */
	if (type == SOUP_WEBSOCKET_DATA_TEXT && size >= 6 && !memcmp(data, "#close", 6))
		soup_websocket_connection_close(connection,
			size > 6 ? atoi(data + 7) : SOUP_WEBSOCKET_CLOSE_NO_STATUS, NULL);
	else
		soup_websocket_connection_send_message(connection, type, message);
}

static void on_error(SoupWebsocketConnection *connection, GError *error, gpointer unused)
{
	fprintf(stderr, "%s\n", error->message);
}

static void on_closed(SoupWebsocketConnection *connection, gpointer unused)
{
	int code = soup_websocket_connection_get_close_code(connection);
	printf("closed %d\n", code == 0 ? 1006 : code);
	fflush(stdout);
	g_object_unref(connection);
	if (!is_server) g_main_loop_quit(loop);
}

static void take(SoupWebsocketConnection *connection)
{
	soup_websocket_connection_set_max_incoming_payload_size(connection, 64 << 20);
	g_signal_connect(connection, "message", G_CALLBACK(on_message), NULL);
	g_signal_connect(connection, "error", G_CALLBACK(on_error), NULL);
	g_signal_connect(connection, "closed", G_CALLBACK(on_closed), NULL);
}

static void on_connection(SoupServer *server, SoupServerMessage *message, const char *path,
	SoupWebsocketConnection *connection, gpointer unused)
{
	take(g_object_ref(connection));
}

static void on_connected(GObject *session, GAsyncResult *result, gpointer unused)
{
	GError *error = NULL;
	SoupWebsocketConnection *connection =
		soup_session_websocket_connect_finish(SOUP_SESSION(session), result, &error);
	if (connection == NULL) {
		fprintf(stderr, "%s\n", error->message);
		exit(1);
	}
	take(connection);
}

static void check(GError *error)
{
	if (error == NULL) return;
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

static void serve(void)
{
	GError *error = NULL;
	SoupServer *server = soup_server_new(NULL, NULL);
	const char *certificate = getenv("PEER_CERT");
	if (certificate != NULL) {
		soup_server_set_tls_certificate(server,
			g_tls_certificate_new_from_files(certificate, getenv("PEER_KEY"), &error));
		check(error);
	}
	if (strcmp(getenv("PEER_DEFLATE"), "on"))
		soup_server_remove_websocket_extension(server, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);
	soup_server_add_websocket_handler(server, NULL, NULL, NULL, on_connection, NULL, NULL);
	soup_server_listen_local(server, atoi(getenv("PEER_PORT")),
		SOUP_SERVER_LISTEN_IPV4_ONLY | (certificate ? SOUP_SERVER_LISTEN_HTTPS : 0), &error);
	check(error);
}

static void open_connection(void)
{
	GError *error = NULL;
	SoupSession *session = soup_session_new();
	SoupMessage *message = soup_message_new("GET", getenv("PEER_URL"));
	if (getenv("PEER_CA") != NULL) {
		soup_session_set_tls_database(session, g_tls_file_database_new(getenv("PEER_CA"), &error));
		check(error);
	}
	if (!strcmp(getenv("PEER_DEFLATE"), "on"))
		soup_session_add_feature_by_type(session, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
	soup_session_websocket_connect_async(session, message, NULL, NULL, G_PRIORITY_DEFAULT, NULL, on_connected, NULL);
}

int main(int argc, char **argv)
{
	is_server = !strcmp(argv[1], "server");
	loop = g_main_loop_new(NULL, FALSE);
	if (is_server) serve();
	else open_connection();
	g_main_loop_run(loop);
	return 0;
}
`;

const DIFFERS: PeerProgram["differs"] = {
  "close empty": { seen: "answered 1000", because: "it answers an empty close frame with 1000" },
};

/** Our client offers a second element then. */
const TWICE: Difference = {
  seen: "not open: ERR_HANDSHAKE_RESPONSE",
  because: "its server accepts every element of a list of offers",
  finding: "libsoup_offer_list.sh",
};

export const PEER: Peer = {
  name: "libsoup",
  version: "3.2.3",
  language: "C",
  debian: ["libsoup-3.0-dev", "glib-networking", "gcc", "pkg-config"],
  files: { "peer.c": PROGRAM },
  build: "gcc -O1 -o peer peer.c $(pkg-config --cflags --libs libsoup-3.0)",
  printVersion: "dpkg-query -W libsoup-3.0-0",
  server: {
    command: ["./peer", "server"],
    differs: { ...DIFFERS, "deflate no takeover": TWICE, "deflate 9 bits": TWICE },
  },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
