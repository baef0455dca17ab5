import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"nhooyr.io/websocket"
)

func compression() websocket.CompressionMode {
	if os.Getenv("PEER_DEFLATE") == "on" {
		return websocket.CompressionContextTakeover
	}
	return websocket.CompressionDisabled
}

func echo(connection *websocket.Conn) {
	background := context.Background()
	connection.SetReadLimit(1 << 26)
	for {
		kind, message, err := connection.Read(background)
		if err != nil {
			if code := websocket.CloseStatus(err); code != -1 {
				fmt.Println("closed", int(code))
			} else {
				fmt.Println("closed", 1006)
			}
			return
		}
		if kind == websocket.MessageText && strings.HasPrefix(string(message), "#close") {
			code := websocket.StatusNoStatusRcvd
			if words := strings.Fields(string(message)); len(words) > 1 {
				number, _ := strconv.Atoi(words[1])
				code = websocket.StatusCode(number)
			}
			// It waits for the answer, and keeps the code of it to itself.
			if connection.Close(code, "") == nil {
				fmt.Println("closed")
			} else {
				fmt.Println("closed", 1006)
			}
			return
		}
		connection.Write(background, kind, message)
	}
}

func serve() error {
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		connection, err := websocket.Accept(answer, request, &websocket.AcceptOptions{CompressionMode: compression()})
		if err == nil {
			echo(connection)
		}
	})
	address := "127.0.0.1:" + os.Getenv("PEER_PORT")
	if file := os.Getenv("PEER_CERT"); file != "" {
		return http.ListenAndServeTLS(address, file, os.Getenv("PEER_KEY"), handler)
	}
	return http.ListenAndServe(address, handler)
}

func connect() error {
	options := &websocket.DialOptions{CompressionMode: compression()}
	if file := os.Getenv("PEER_CA"); file != "" {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(pem)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		options.HTTPClient = &http.Client{Transport: transport}
	}
	connection, _, err := websocket.Dial(context.Background(), os.Getenv("PEER_URL"), options)
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
  name: "nhooyr.io/websocket",
  version: "1.8.7",
  language: "Go",
  debian: ["golang-go", "golang-nhooyr-websocket-dev"],
  files: { "peer.go": PROGRAM },
  build: "GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer peer.go",
  printVersion: "dpkg-query -W golang-nhooyr-websocket-dev",
  server: {
    command: ["./peer", "server"],
    differs: {
      "deflate 9 bits": {
        seen: "refused 400",
        because: "It answers 400 to an offer with bits, instead of declining it",
        finding: "small_window_answers.sh",
      },
    },
  },
  client: {
    command: ["./peer", "client"],
    differs: {
      "deflate 9 bits": {
        seen: "closed 1006 (text of 0)",
        because: "It takes no server_max_window_bits that it did not ask for, although RFC 7692 lets a server say so",
      },
    },
  },
};
