/**
 * Ours against `ws` from npm, each way, which runs as a program of its own on Deno: Bun has another module under that
 * name. Plain, split, and with all combinations of context takeover and window bits.
 */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { WebSocketClientOptions } from "../client.ts";
import type { CompressionOptions } from "../protocol/compression.ts";
import { describePeer, peerFile, PeerServer, playWithEcho, runToEnd, startObserved, urlOf } from "./support/peers.ts";
import { messages } from "./peers/messages.mjs";
import { until } from "./support/support.ts";

const WINDOW_BITS = [8, 9, 10, 11, 12, 13, 14, 15];
const TAKEOVERS = [0, 1, 2, 3].map((bits) => ({
  serverNoContextTakeover: (bits & 1) !== 0,
  clientNoContextTakeover: (bits & 2) !== 0,
}));
type Parameters = Required<Omit<CompressionOptions, "threshold" | "level" | "memoryLevel">>;

function allParameters(takeover: (typeof TAKEOVERS)[number]): Parameters[] {
  return WINDOW_BITS.flatMap((serverMaxWindowBits) =>
    WINDOW_BITS.map((clientMaxWindowBits) => ({ ...takeover, serverMaxWindowBits, clientMaxWindowBits }))
  );
}

/** The window bits in an extension header, on the server's and the client's side. */
function windowBits(extensions: string): number[] {
  return ["server", "client"].map((side) => {
    const name = `${side}_max_window_bits=`;
    const parameter = extensions.split("; ").find((one) => one.startsWith(name));
    return Number(parameter?.slice(name.length) ?? 15);
  });
}

describePeer("ws", ["Deno", "npm:ws@8.23.0"], (deno) => {
  const command = [...deno, "run", "-A"];
  const count = messages().length + 1;
  const runClient = async (targets: { url: string; options: object }[]): Promise<Record<string, unknown>[]> => {
    const { text, errors, status } = await runToEnd(command, peerFile("ws.mjs"), "client", JSON.stringify(targets));
    if (status !== 0) throw new Error(errors);
    return text.trim().split("\n").map((line) => JSON.parse(line));
  };

  for (const split of [{}, { splitMessage: true, frameSize: 777 }]) {
    it(`as a client against our server ${JSON.stringify(split)}`, async () => {
      const pings: string[] = [];
      const { server } = await startObserved({
        onPing: (_, data) => void pings.push(new TextDecoder().decode(data)),
        ...split,
      });
      const [result] = await runClient([{ url: urlOf(server), options: { perMessageDeflate: false } }]);
      assertEquals(result, { count, extensions: "", pong: "are you there", code: 4321 });
      assertEquals(pings, ["between", "are you there"]);
      await server.stop();
    });
  }

  const playAll = async (plays: { query: object; options: WebSocketClientOptions }[]): Promise<string[]> => {
    const peer = new PeerServer(command, peerFile("ws.mjs"), "server");
    const port = await peer.port();
    const agreed: string[] = [];
    for (const { query, options } of plays) {
      const url = `ws://127.0.0.1:${port}/?${encodeURIComponent(JSON.stringify(query))}`;
      agreed.push((await playWithEcho(url, options)).extensions);
    }
    await until(() => peer.lines.length === plays.length, "the closes as the server sees them");
    assertEquals(new Set(peer.lines), new Set(['{"code":4321,"reason":"enough"}']));
    await peer.stop();
    return agreed;
  };

  for (const split of [{}, { splitMessage: true, frameSize: 777 }]) {
    it(`as a server against our client ${JSON.stringify(split)}`, async () => {
      assertEquals(await playAll([{ query: { perMessageDeflate: false }, options: split }]), [""]);
    });
  }

  for (const takeover of TAKEOVERS) {
    it(`as a client against our server, all window bits, ${JSON.stringify(takeover)}`, async () => {
      const all = allParameters(takeover);
      const servers = await Promise.all(
        all.map((compression) => startObserved({ compression: { threshold: 0, ...compression } })),
      );
      const perMessageDeflate = { threshold: 0, clientMaxWindowBits: true };
      const results = await runClient(servers.map(({ server }) => ({
        url: urlOf(server),
        options: { perMessageDeflate },
      })));
      all.forEach(({ serverMaxWindowBits, clientMaxWindowBits }, index) => {
        assertEquals([results[index]!.count, results[index]!.code], [count, 4321]);
        assertEquals(windowBits(servers[index]!.agreed[0]!), [serverMaxWindowBits, clientMaxWindowBits]);
      });
      await Promise.all(servers.map(({ server }) => server.stop()));
    });

    it(`as a server against our client, all window bits, ${JSON.stringify(takeover)}`, async () => {
      const all = allParameters(takeover);
      const options = { compression: { threshold: 0 } };
      const agreed = await playAll(all.map((parameters) => ({
        query: { perMessageDeflate: { threshold: 0, ...parameters } },
        options,
      })));
      all.forEach(({ serverMaxWindowBits, clientMaxWindowBits }, index) => {
        assertEquals(windowBits(agreed[index]!), [serverMaxWindowBits, clientMaxWindowBits]);
      });
    });
  }
});
