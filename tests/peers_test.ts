/**
 * Interoperation with WebSocket implementations that are programs of their own: the built-in clients and servers of
 * Deno and Bun, and Python's websockets. `ws` and Chromium have files of their own.
 */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { WebSocketClient } from "../client.ts";
import type { CompressionOptions } from "../protocol/compression.ts";
import type { WebSocketServerOptions } from "../server.ts";
import { describePeer, peerFile, PeerServer, playWithEcho, runToEnd, startObserved, urlOf } from "./support/peers.ts";
import { assertSameBytes, Random, until } from "./support/support.ts";

/** Compression settings to negotiate: takeover and windows, on either side. */
const PARAMETERS: CompressionOptions[] = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverMaxWindowBits: 9 },
  { serverMaxWindowBits: 8, clientMaxWindowBits: 9 },
  { serverMaxWindowBits: 12, clientMaxWindowBits: 10, serverNoContextTakeover: true },
];

// ---- Built-in clients -------------------------------------------------------------------------------------------

/** Runs the script of a built-in client against our server. */
async function runBuiltIn(
  command: string[],
  options: WebSocketServerOptions,
): Promise<{ agreed: string[]; result: string }> {
  const { server, agreed } = await startObserved(options);
  const { text, errors, status } = await runToEnd(command, peerFile("client.mjs"), urlOf(server));
  await server.stop();
  if (status !== 0) throw new Error(`status ${status}: ${errors}`);
  return { agreed, result: text };
}

/** Deno's own WebSocket knows no compression, Bun's does. */
for (
  const [name, need, args, compresses] of [
    ["Deno's own WebSocket", "Deno", ["run", "-A"], false],
    ["Bun's own WebSocket", "Bun", [], true],
  ] as const
) {
  describePeer(name, need, (program) => {
    const command = [...program, ...args];
    for (const compression of [false, ...PARAMETERS]) {
      // Without compression on its side, the parameters make no difference.
      if (!compresses && typeof compression === "object" && Object.keys(compression).length > 0) continue;
      it(`as a client against our server with ${JSON.stringify(compression)}`, async () => {
        const { agreed, result } = await runBuiltIn(command, { compression });
        const { count, code, reason, wasClean } = JSON.parse(result);
        assertEquals({ count, code, reason, wasClean }, { count: 254, code: 4001, reason: "", wasClean: true });
        assertEquals(agreed[0]!.startsWith("permessage-deflate"), compresses && compression !== false, agreed[0]);
      });
    }

    it("as a client against our server that splits", async () => {
      const { result } = await runBuiltIn(command, { compression: true, splitMessage: true, frameSize: 100 });
      assertEquals(JSON.parse(result).count, 254);
    });

    for (const options of [{}, { splitMessage: true, frameSize: 1000 }, { compression: true }]) {
      it(`as a server against our client with ${JSON.stringify(options)}`, async () => {
        const peer = new PeerServer(command, peerFile("built_in_server.mjs"));
        const { extensions } = await playWithEcho(`ws://127.0.0.1:${await peer.port()}/`, options);
        assertEquals(extensions !== "", compresses && options.compression === true, extensions);
        await until(() => peer.lines.length === 1, "the close as the server sees it");
        assertEquals(peer.lines, ['{"code":4321,"reason":"enough"}']);
        await peer.stop();
      });
    }
  });
}

// ---- Python -----------------------------------------------------------------------------------------------------

/** Our options in the words of that library. */
function inPython(role: "client" | "server", options: CompressionOptions | null): string {
  if (options === null) return "null";
  const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = options;
  // It refuses to compress with 8 bits, but decompresses them.
  const bits = (value: number | undefined): number | undefined => value === 8 ? 9 : value;
  return JSON.stringify({
    server_no_context_takeover: serverNoContextTakeover,
    client_no_context_takeover: clientNoContextTakeover,
    server_max_window_bits: role === "server" ? bits(serverMaxWindowBits) : serverMaxWindowBits,
    client_max_window_bits: clientMaxWindowBits ?? (role === "client" ? true : undefined),
  });
}

describePeer("Python's websockets", "Python's websockets", (command) => {
  for (const options of [null, ...PARAMETERS]) {
    it(`as a client that asks for ${JSON.stringify(options)}, against our server`, async () => {
      const { server, agreed } = await startObserved({ compression: true });
      const args = [peerFile("python.py"), "client", urlOf(server), inPython("client", options)];
      const { text, errors, status } = await runToEnd(command, ...args);
      await server.stop();
      if (status !== 0) throw new Error(errors);
      const { count, code } = JSON.parse(text);
      assertEquals([count, code], [56, 4001]);
      assertEquals(agreed[0]!.startsWith("permessage-deflate"), options !== null);
      if (options?.serverMaxWindowBits) {
        assert(agreed[0]!.includes(`server_max_window_bits=${options.serverMaxWindowBits}`));
      }
    });

    it(`as a server that asks for ${JSON.stringify(options)}, against our client`, async () => {
      const peer = new PeerServer(command, peerFile("python.py"), "server", inPython("server", options));
      const port = await peer.port();
      const client = new WebSocketClient(`ws://127.0.0.1:${port}/`, { compression: true, protocols: ["a", "b"] });
      await client.connect();
      assertEquals(client.protocol, "b");
      assertEquals(client.extensions.length, options === null ? 0 : 1);
      const random = new Random(1);
      const word = random.bytes(100).join();
      const messages = client[Symbol.asyncIterator]();
      for (const length of [0, 1, 126, 1000, 65536, 300_000]) {
        const text = word.repeat(length / word.length + 1).slice(0, length);
        const bytes = random.bytes(length);
        client.send(text);
        client.send(bytes);
        assertEquals((await messages.next()).value === text, true, `text of ${length}`);
        assertSameBytes((await messages.next()).value as Uint8Array, bytes);
      }
      assertEquals(await client.disconnect().then((info) => info?.clean), true);
      await peer.stop();
    });
  }
});

// ---- Peers that leave before they are accepted ------------------------------------------------------------------

const RESETS = `
import socket, struct, sys
for _ in range(500):
    peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
`;

describePeer("Peers that reset their connection at once", "Python", (command) => {
  it("do no harm: each onConnect has an address and an onDisconnect", async () => {
    const events = { connected: 0, gone: 0, nameless: 0 };
    const { server } = await startObserved({
      onConnect: ({ remoteAddress }) => {
        events.connected++;
        if (typeof remoteAddress.hostname !== "string" || !(remoteAddress.port > 0)) events.nameless++;
      },
      onDisconnect: () => void events.gone++,
    });
    const { status, errors } = await runToEnd(command, "-c", RESETS, String(server.address!.port));
    assertEquals(status, 0, errors);
    await playWithEcho(urlOf(server));
    await until(() => events.connected === events.gone, "the end of all");
    assertEquals(events.nameless, 0);
    await server.stop();
  });
});
