import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/websocket"
)

type message struct {
	kind byte
	data []byte
}

// Codec that keeps the type of a message, which the one of the library does not.
var codec = websocket.Codec{
	Marshal: func(value any) ([]byte, byte, error) {
		sent := value.(*message)
		return sent.data, sent.kind, nil
	},
	Unmarshal: func(data []byte, kind byte, value any) error {
		*value.(*message) = message{kind, data}
		return nil
	},
}

func echo(connection *websocket.Conn) {
	// It never tells the code of a close frame.
	defer fmt.Println("closed")
	connection.MaxPayloadBytes = 1 << 26
	hasClosed := false
	for {
		var received message
		if codec.Receive(connection, &received) != nil {
			// Writes a close frame with 1000: the library leaves the answer to the program, and gives no other way.
			if !hasClosed {
				connection.Close()
			}
			return
		}
		if received.kind == websocket.TextFrame && strings.HasPrefix(string(received.data), "#close") {
			payload := []byte{}
			if words := strings.Fields(string(received.data)); len(words) > 1 {
				code, _ := strconv.Atoi(words[1])
				payload = binary.BigEndian.AppendUint16(payload, uint16(code))
			}
			hasClosed = true
			codec.Send(connection, &message{websocket.CloseFrame, payload})
		} else {
			codec.Send(connection, &received)
		}
	}
}

func serve() error {
	address := "127.0.0.1:" + os.Getenv("PEER_PORT")
	server := websocket.Server{Handler: echo}
	if file := os.Getenv("PEER_CERT"); file != "" {
		return http.ListenAndServeTLS(address, file, os.Getenv("PEER_KEY"), server)
	}
	return http.ListenAndServe(address, server)
}

func connect() error {
	url := os.Getenv("PEER_URL")
	// It insists on an origin: the site itself.
	config, err := websocket.NewConfig(url, strings.Replace(url, "ws", "http", 1))
	if err != nil {
		return err
	}
	if file := os.Getenv("PEER_CA"); file != "" {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(pem)
		config.TlsConfig = &tls.Config{RootCAs: roots}
	}
	connection, err := websocket.DialConfig(config)
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

const WITHOUT_FRAGMENTS = "It gives each frame to the program as a message";
const OWN_CODE: Difference = {
  seen: "answered 1000",
  because: "It leaves the answer to the program, tells it no code, and has 1000 only for it",
};
const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "fragments": { seen: "wrong text (text)", because: WITHOUT_FRAGMENTS },
  "ping": { seen: "wrong text (between fragments)", because: WITHOUT_FRAGMENTS },
  "close 1001": OWN_CODE,
  "close 3000": OWN_CODE,
  "close 4999": OWN_CODE,
  "close empty": OWN_CODE,
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

export const PEER: Peer = {
  name: "golang.org/x/net/websocket",
  version: "0.7.0",
  language: "Go",
  debian: ["golang-go", "golang-golang-x-net-dev"],
  files: { "peer.go": PROGRAM },
  build: "GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer peer.go",
  printVersion: "dpkg-query -W golang-golang-x-net-dev",
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
