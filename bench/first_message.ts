/**
 * A first text of 16 MiB after start-up beside later ones, and the parts of its time: each run is a new process.
 *
 * `deno run -A bench/first_message.ts` or `bun bench/first_message.ts`; with `warm`, 300 messages of 64 KiB come first;
 * with `parts`, the parts alone, so that the first is the first of the process.
 */

import process from "node:process";
import { WebSocketClient } from "../client.ts";
import { mask } from "../protocol/mask.ts";
import { decodeUtf8 } from "../protocol/utf8.ts";
import { WebSocketServer } from "../server.ts";

const SIZE = 16 * 1024 * 1024;
const SMALL = 64 * 1024;
const KEY = 0x37fa213d;
const encoder = new TextEncoder();
const text = new TextDecoder().decode(new Uint8Array(SIZE).fill(0x61));

let arrived = (): void => {};
await using server = new WebSocketServer({
  port: 0,
  hostname: "127.0.0.1",
  maxBufferedAmount: 0,
  onMessageReceived: (_connection, message) => message.length === SIZE && arrived(),
});
await server.start();
await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, { maxBufferedAmount: 0 });
await client.connect();

if (process.argv.includes("warm")) {
  for (let count = 0; count < 300; count++) {
    client.send("x".repeat(SMALL));
    if (count % 20 === 0) await client.connection!.drained();
  }
  await client.connection!.drained();
}

/** Time of a call, in ms. */
function time(action: () => void): string {
  const start = performance.now();
  action();
  return (performance.now() - start).toFixed(1);
}

const alone = process.argv.includes("parts");
for (let count = 1; !alone && count <= 6; count++) {
  const { promise, resolve } = Promise.withResolvers<void>();
  arrived = resolve;
  const start = performance.now();
  const sent = time(() => client.send(text));
  await promise;
  console.log(`text ${count}: ${(performance.now() - start).toFixed(1)} ms, of which send() ${sent}`);
}
for (let count = 1; alone && count <= 4; count++) {
  const bytes = new Uint8Array(SIZE);
  const steps = {
    encode: time(() => encoder.encodeInto(text, bytes)),
    again: time(() => encoder.encodeInto(text, bytes)),
    mask: time(() => mask(bytes, 0, SIZE, KEY)),
    unmask: time(() => mask(bytes, 0, SIZE, KEY)),
    decode: time(() => decodeUtf8(bytes)),
  };
  console.log(`parts ${count}:`, Object.entries(steps).map(([name, ms]) => `${name} ${ms}`).join(", "));
}
