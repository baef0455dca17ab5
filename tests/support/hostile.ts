/**
 * Attacks of hostile peers, each as one connection that ends by itself: for `security_test.ts`, `scripts/soak.ts` and
 * `scripts/attacks.ts`. On `node:net`, with bytes that are made once, so that the attacker is cheap.
 */

import { connect, type Socket } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { encodeFrame } from "../../protocol/frame.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { concat } from "../../base/bytes.ts";
import { encode } from "./support.ts";

const KEY = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

/** The head of a request that opens a WebSocket. */
export function upgradeHead(...more: string[]): string {
  const lines = ["GET /hostile HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"];
  lines.push("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", ...more);
  return [...lines, "", ""].join("\r\n");
}

/** A frame of a client. */
export function clientFrame(
  opcode: Opcode,
  payload: Uint8Array = new Uint8Array(0),
  final = true,
): Uint8Array<ArrayBuffer> {
  return encodeFrame({ opcode, payload, final }, { maskingKey: KEY });
}

/** The same bytes many times. */
export function repeat(bytes: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const whole = Math.floor(count);
  const many = new Uint8Array(bytes.length * whole);
  for (let index = 0; index < whole; index++) many.set(bytes, index * bytes.length);
  return many;
}

/** A whole message in one frame whose RSV1 says that it is compressed. */
function compressed(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = clientFrame(Opcode.Binary, payload);
  frame[0]! |= 0x40;
  return frame;
}

/** Behaviour of an attack after its first bytes. */
interface Course {
  /** Number of times `bytes` are sent, with pauses for a server that does not read. */
  times?: number;
  /** The pause between two of them, in ms. */
  pause?: number;
  /** True if it reads the server's output. */
  reads?: boolean;
  /** True if it disconnects as soon as the head of the response has arrived. */
  answered?: boolean;
  /** Time it stays connected at the end, in ms, unless the server closes earlier. */
  stay?: number;
  /** True if it disconnects with a TCP reset. */
  reset?: boolean;
}

/** One connection: what it sends first, and then. Resolves when it is over; gives what came back, if it reads. */
export async function attackWith(
  port: number,
  first: string | Uint8Array,
  bytes?: Uint8Array,
  course: Course = {},
): Promise<string> {
  const { times = 1, pause = 0, reads = true, stay = 200, reset = false, answered = false } = course;
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  let over = false;
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.on("close", () => {
      over = true;
      resolve();
    });
  });
  let leave = (): void => {};
  if (reads) {
    socket.on("data", (data: Uint8Array) => {
      if (answer.length < 4096) answer += String.fromCharCode(...data.subarray(0, 1024));
      if (answered && answer.includes("\r\n\r\n")) leave();
    });
  } else socket.pause();
  const within = (ms: number): Promise<void> => {
    let timer: ReturnType<typeof setTimeout>;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      if (answered) leave = resolve;
    });
    return Promise.race([waited, closed]).finally(() => clearTimeout(timer));
  };
  await new Promise<void>((resolve) => {
    socket.once("connect", resolve);
    socket.once("close", resolve);
  });
  if (first.length > 0) await write(socket, typeof first === "string" ? encode(first) : first, within);
  for (let index = 0; bytes !== undefined && index < times && !over; index++) {
    await write(socket, bytes, within);
    if (pause > 0) await within(pause);
  }
  if (!over) await within(stay);
  if (reset) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
  return answer;
}

async function write(socket: Socket, bytes: Uint8Array, within: (ms: number) => Promise<void>): Promise<void> {
  if (socket.destroyed || socket.write(bytes)) return;
  // A server that does not read holds it up no longer than that.
  let drained: () => void = () => {};
  const waited = new Promise<void>((resolve) => socket.once("drain", drained = resolve));
  await Promise.race([waited, within(200)]);
  socket.off("drain", drained);
}

/** An attack. */
export type Attack = (port: number) => Promise<string>;

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate";
const headers = (count: number, size: number): string[] =>
  Array.from({ length: count }, (_, index) => `X-${index}: ${"a".repeat(size)}`);
const tokens = (count: number): string => Array.from({ length: count }, (_, index) => `p${index}`).join(", ");
/** The header of a masked frame with a length in 64 bits. */
export const length64 = (high: number, low: number): Uint8Array => {
  const header = new Uint8Array(14);
  header.set([0x82, 0xff]);
  new DataView(header.buffer).setUint32(2, high);
  new DataView(header.buffer).setUint32(6, low);
  return header;
};
const chunk = 64 * 1024;
const emptyFragments = concat(
  clientFrame(Opcode.Text, new Uint8Array(0), false),
  repeat(clientFrame(Opcode.Continuation, new Uint8Array(0), false), chunk / 6),
);
const tinyFragments = concat(
  clientFrame(Opcode.Binary, new Uint8Array(1), false),
  repeat(clientFrame(Opcode.Continuation, new Uint8Array(1), false), chunk / 7),
);
const pings = repeat(clientFrame(Opcode.Ping, new Uint8Array(125)), chunk / 131);
const smallMessages = repeat(clientFrame(Opcode.Text, encode("x")), chunk / 7);
let bombs: Uint8Array[] | undefined;
/** 32 MiB of zeros in 32 KiB; and deflate blocks of nothing. */
function makeBombs(): Uint8Array[] {
  return bombs ??= [
    compressed(new Uint8Array(deflateRawSync(new Uint8Array(32 * 1024 * 1024)))),
    compressed(repeat(Uint8Array.of(0, 0, 0, 0xff, 0xff), 200_000)),
  ];
}

const MiB = 1024 * 1024;
/** A POST with a well-formed signature, one octet short of its end. */
const bodyHead = (size: number): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${size}\r\n` +
  `X-Hub-Signature-256: sha256=${"0".repeat(64)}\r\n\r\n`;
/** A first fragment of 2 KiB that inflates to nearly 2 MiB. */
const inflating = (): Uint8Array<ArrayBuffer> => {
  const deflated = deflateRawSync(new Uint8Array(2 * MiB - 1), { finishFlush: constants.Z_SYNC_FLUSH });
  const frame = clientFrame(Opcode.Binary, new Uint8Array(deflated), false);
  frame[0]! |= 0x40;
  return frame;
};

/** By name; each is one connection, those that hold memory are four. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  manyHeaders: (port) => attackWith(port, upgradeHead(...headers(2000, 4))),
  largeHeaders: (port) => attackWith(port, upgradeHead(...headers(100, 8000))),
  endlessHead: (port) => attackWith(port, "GET / HTTP/1.1\r\nX: ", encode("a".repeat(chunk)), { times: 50 }),
  slowHead: (port) => attackWith(port, "GET / HT", encode("T"), { times: 60, pause: 100 }),
  silence: (port) => attackWith(port, "", undefined, { stay: 6000 }),
  manySubprotocols: (port) => attackWith(port, upgradeHead(`Sec-WebSocket-Protocol: ${tokens(2000)}`)),
  blanksInSubprotocols: (port) => attackWith(port, upgradeHead(`Sec-WebSocket-Protocol: a${" ".repeat(12_000)}b`)),
  quotesInExtensions: (port) => attackWith(port, upgradeHead(`Sec-WebSocket-Extensions: a; b="${"\\".repeat(12_000)}`)),
  prototypeNames: (port) =>
    attackWith(port, upgradeHead("Sec-WebSocket-Extensions: __proto__; constructor=1, toString")),
  windowBits: (port) => attackWith(port, upgradeHead(`${DEFLATE}; server_max_window_bits=99999999999999999999`)),
  smuggling: (port) =>
    attackWith(
      port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    ),
  slowBody: (port) =>
    attackWith(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", encode("x"), {
      times: 60,
      pause: 100,
    }),
  refusedBodies: (port) => attackWith(port, bodyHead(1000 * MiB), new Uint8Array(MiB - 1), { times: 70, reads: false }),
  keptIdle: (port) => attackWith(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", undefined, { stay: 6000 }),
  pipelining: (port) =>
    attackWith(port, "", repeat(encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2000), { times: 5, reads: false }),
  emptyFragments: (port) =>
    attackWith(port, upgradeHead(), emptyFragments, { times: 1, stay: 50 }).then(() => floodFragments(port, 0)),
  tinyFragments: (port) =>
    attackWith(port, upgradeHead(), tinyFragments, { times: 1, stay: 50 }).then(() => floodFragments(port, 1)),
  pingFlood: (port) => attackWith(port, upgradeHead(), pings, { times: 100, reads: false }),
  messageFlood: (port) => attackWith(port, upgradeHead(), smallMessages, { times: 30, reads: false }),
  bomb: (port) => attackWith(port, upgradeHead(DEFLATE), concat(...makeBombs()), { stay: 1000 }),
  emptyBlocks: (port) => attackWith(port, upgradeHead(DEFLATE), makeBombs()[1], { times: 4, stay: 500 }),
  hugeLength: (port) => attackWith(port, upgradeHead(), length64(0x7fffffff, 0xffffffff)),
  negativeLength: (port) => attackWith(port, upgradeHead(), length64(0xffffffff, 0xffffffff)),
  announced: (port) => attackWith(port, upgradeHead(), length64(0, 16 * 1024 * 1024), { stay: 2000 }),
  heldBodies: (port) =>
    four(() => attackWith(port, bodyHead(4 * MiB), new Uint8Array(MiB - 1), { times: 4, stay: 6000 })),
  heldMessages: (port) =>
    four(() =>
      attackWith(port, concat(encode(upgradeHead()), length64(0, 2 * MiB)), new Uint8Array(MiB - 1), {
        times: 2,
        stay: 6000,
      })
    ),
  heldFragments: (port) =>
    four(() => attackWith(port, upgradeHead(), concat(...textFragments()), { times: 1, stay: 6000 })),
  heldInflated: (port) => four(() => attackWith(port, upgradeHead(DEFLATE), inflating(), { stay: 6000 })),
  notMasked: (port) => attackWith(port, upgradeHead(), Uint8Array.of(0x81, 1, 0x61)),
  reservedBits: (port) => attackWith(port, upgradeHead(), Uint8Array.of(0xf1, 0x80, 0, 0, 0, 0)),
  badUtf8: (port) => attackWith(port, upgradeHead(), clientFrame(Opcode.Text, Uint8Array.of(0xc0, 0xaf))),
  neverReads: (port) =>
    attackWith(port, upgradeHead(), clientFrame(Opcode.Binary, new Uint8Array(100_000)), {
      times: 60,
      reads: false,
      stay: 500,
    }),
  neverCloses: (port) => attackWith(port, upgradeHead(), clientFrame(Opcode.Close), { stay: 3000 }),
  resets: (port) =>
    attackWith(port, upgradeHead(), clientFrame(Opcode.Text, encode("half"), false), { stay: 5, reset: true }),
  garbage: (port) => attackWith(port, crypto.getRandomValues(new Uint8Array(4096)), undefined, { stay: 50 }),
};

/** The same on four connections; gives what came back on the first. */
async function four(attack: () => Promise<string>): Promise<string> {
  const [answer] = await Promise.all(Array.from({ length: 4 }, attack));
  return answer!;
}

/** A text of 1.9 MiB that lacks its last fragment. */
function textFragments(): Uint8Array[] {
  const part = encode("x".repeat(100 * 1024));
  return Array.from({ length: 19 }, (_, at) => clientFrame(at === 0 ? Opcode.Text : Opcode.Continuation, part, false));
}

/** Fragments of one message without an end. */
function floodFragments(port: number, size: number): Promise<string> {
  const first = clientFrame(Opcode.Binary, new Uint8Array(size), false);
  const more = repeat(clientFrame(Opcode.Continuation, new Uint8Array(size), false), chunk / (6 + size));
  return attackWith(port, concat(encode(upgradeHead()), first), more, { times: 60 });
}
