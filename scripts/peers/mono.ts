import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The client: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
using System;
using System.IO;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

class Peer {
    static async Task Close(WebSocket socket, string text) {
        string[] words = text.Split(' ');
        // "Empty" would put 1005 into the frame.
        var status = words.Length > 1 ? (WebSocketCloseStatus) int.Parse(words[1]) : WebSocketCloseStatus.NormalClosure;
        await socket.CloseOutputAsync(status, "", CancellationToken.None);
    }

    static async Task<int> Echo(WebSocket socket) {
        var piece = new ArraySegment<byte>(new byte[65536]);
        var message = new MemoryStream();
        for (;;) {
            var result = await socket.ReceiveAsync(piece, CancellationToken.None);
            if (result.MessageType == WebSocketMessageType.Close) {
                var status = result.CloseStatus.Value;
                // The answer is left to the program.
                if (socket.State == WebSocketState.CloseReceived) {
                    await socket.CloseOutputAsync(status, "", CancellationToken.None);
                }
                return (int) status;
            }
            message.Write(piece.Array, 0, result.Count);
            if (!result.EndOfMessage) continue;
            byte[] bytes = message.ToArray();
            message.SetLength(0);
            if (result.MessageType == WebSocketMessageType.Text) {
                string text = Encoding.UTF8.GetString(bytes);
                if (text.StartsWith("#close", StringComparison.Ordinal)) {
                    await Close(socket, text);
                    continue;
                }
            }
            await socket.SendAsync(new ArraySegment<byte>(bytes), result.MessageType, true, CancellationToken.None);
        }
    }

    static async Task Run() {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri(Environment.GetEnvironmentVariable("PEER_URL")), CancellationToken.None);
        int code = 1006;
        try {
            code = await Echo(socket);
        } catch (WebSocketException error) {
            Console.Error.WriteLine(error);
        }
        Console.WriteLine("closed " + code);
    }

    static void Main() {
        Run().Wait();
    }
}
`;

/** It trusts roots of a folder of the user only. */
const START = `
roots=.mono/new-certs/Trust
mkdir -p "$roots"
[ -z "$PEER_CA" ] || cp "$PEER_CA" "$roots/$(openssl x509 -hash -noout -in "$PEER_CA").0"
XDG_CONFIG_HOME=$PWD exec mono Peer.exe
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

export const PEER: Peer = {
  name: "Mono",
  version: "6.8.0.105",
  language: "C#",
  debian: ["mono-mcs", "mono-runtime", "libmono-system4.0-cil", "openssl"],
  files: { "Peer.cs": PROGRAM, "peer.sh": START },
  build: "mcs -r:System.dll Peer.cs",
  printVersion: "mono --version",
  // Its server, HttpListener, has no WebSocket.
  client: {
    command: ["sh", "peer.sh"],
    differs: {
      "close empty": { seen: "answered 1000", because: "It takes an empty close frame for one with 1000" },
      "its close empty": {
        seen: "closed 1000",
        because: "It puts 1005 into a close frame that should be empty; the program sends 1000",
        finding: "reserved_close_code.sh",
      },
      "deflate": WITHOUT_COMPRESSION,
      "deflate no takeover": WITHOUT_COMPRESSION,
      "deflate 9 bits": WITHOUT_COMPRESSION,
    },
  },
};
