import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"
)

var deflate = os.Getenv("PEER_DEFLATE") == "on"

func echo(connection *websocket.Conn) {
	defer connection.Close()
	connection.SetReadLimit(1 << 26)
	for {
		kind, message, err := connection.ReadMessage()
		if closed, ok := err.(*websocket.CloseError); ok {
			fmt.Println("closed", closed.Code)
			return
		}
		if err != nil {
			fmt.Println("closed", websocket.CloseAbnormalClosure)
			return
		}
		if kind == websocket.TextMessage && strings.HasPrefix(string(message), "#close") {
			code := websocket.CloseNoStatusReceived
			if words := strings.Fields(string(message)); len(words) > 1 {
				code, _ = strconv.Atoi(words[1])
			}
			connection.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
		} else {
			connection.WriteMessage(kind, message)
		}
	}
}

func serve() error {
	upgrader := websocket.Upgrader{EnableCompression: deflate}
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		if connection, err := upgrader.Upgrade(answer, request, nil); err == nil {
			echo(connection)
		}
	})
	address := "127.0.0.1:" + os.Getenv("PEER_PORT")
	if file := os.Getenv("PEER_CERT"); file != "" {
		return http.ListenAndServeTLS(address, file, os.Getenv("PEER_KEY"), nil)
	}
	return http.ListenAndServe(address, nil)
}

func connect() error {
	dialer := websocket.Dialer{EnableCompression: deflate}
	if file := os.Getenv("PEER_CA"); file != "" {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(pem)
		dialer.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	connection, _, err := dialer.Dial(os.Getenv("PEER_URL"), nil)
	if err == nil {
		echo(connection)
	}
	return err
}

func main() {
	run := connect
	if os.Args[1] == "server" {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`;

export const PEER: Peer = {
  name: "gorilla/websocket",
  version: "1.5.0",
  language: "Go",
  debian: ["golang-go", "golang-github-gorilla-websocket-dev"],
  files: { "peer.go": PROGRAM },
  build: "GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer peer.go",
  printVersion: "dpkg-query -W golang-github-gorilla-websocket-dev",
  server: {
    command: ["./peer", "server"],
    differs: {
      "deflate 9 bits": {
        seen: "agreed 15 bits",
        because: "It answers an offer of 9 bits as if no bits were asked for, which fits our second offer only",
        finding: "small_window_answers.sh",
      },
    },
  },
  client: { command: ["./peer", "client"] },
};
