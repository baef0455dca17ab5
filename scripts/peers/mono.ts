import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The client: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
using System;
using System.IO;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

class Peer {
    static async Task Close(WebSocket socket, string text) {
        string[] words = text.Split(' ');
        var status = words.Length > 1 ? (WebSocketCloseStatus) int.Parse(words[1]) : WebSocketCloseStatus.Empty;
        await socket.CloseOutputAsync(status, status == WebSocketCloseStatus.Empty ? null : "", CancellationToken.None);
    }

    static async Task<int> Echo(WebSocket socket) {
        var piece = new ArraySegment<byte>(new byte[65536]);
        var message = new MemoryStream();
        for (;;) {
            var result = await socket.ReceiveAsync(piece, CancellationToken.None);
            if (result.MessageType == WebSocketMessageType.Close) {
                var status = result.CloseStatus ?? WebSocketCloseStatus.Empty;
                // The answer is left to the program.
                if (socket.State == WebSocketState.CloseReceived) {
                    await socket.CloseOutputAsync(status, status == WebSocketCloseStatus.Empty ? null : "", CancellationToken.None);
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
        string file = Environment.GetEnvironmentVariable("PEER_CA");
        if (file != null) {
            var root = new X509Certificate2(file);
            ServicePointManager.ServerCertificateValidationCallback =
                (sender, certificate, chain, errors) => certificate.Issuer == root.Subject;
        }
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

export const PEER: Peer = {
  name: "Mono",
  version: "6.8.0",
  language: "C#",
  debian: ["mono-mcs", "mono-runtime", "libmono-system4.0-cil"],
  files: { "Peer.cs": PROGRAM },
  build: "mcs -r:System.dll Peer.cs",
  printVersion: "mono --version",
  // Its server, HttpListener, has no WebSocket.
  client: { command: ["mono", "Peer.exe"] },
};
