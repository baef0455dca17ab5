/**
 * The fuzz targets: each takes a random generator and checks one input. Whatever the input, there is a documented error
 * or a valid output, the same for every chunking.
 */

import { assert, assertEquals } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { Opcode, type Role } from "../../protocol/frame_header.ts";
import {
  acceptDeflateOffer,
  compressionSettings,
  makeDeflateOffer,
  MessageDeflater,
  MessageInflater,
  readDeflateAnswer,
} from "../../protocol/deflate.ts";
import { AddressRanges, formatAddress, parseAddress } from "../../base/address_ranges.ts";
import { HandshakeError, HttpError, ProtocolError, TransportError } from "../../base/errors.ts";
import { encodeFrame, FrameParser } from "../../protocol/frame.ts";
import {
  acceptKey,
  checkUpgradeRequest,
  checkUpgradeResponse,
  encodeUpgradeRequest,
  encodeUpgradeResponse,
  wantsWebSocket,
} from "../../protocol/handshake.ts";
import { type Extension, formatExtensions, parseExtensions } from "../../protocol/extensions.ts";
import { type Head, HeaderFields, HeadReader, parseRequestLine } from "../../protocol/head.ts";
import { ResponseHeadReader } from "../../protocol/response_head.ts";
import { isToken } from "../../base/token.ts";
import { bodyFraming, BodyReader, makeRequest } from "../../protocol/http.ts";
import { ProxyHeaderReader } from "../../protocol/proxy_protocol.ts";
import { clientOf, type ForwardedClient } from "../../server/forwarded.ts";
import { headerV1, headerV2 } from "../support/proxy_header.ts";
import { MessageAssembler } from "../../protocol/message.ts";
import { concat, concatAll } from "../../base/bytes.ts";
import { encode, type Random } from "../support/support.ts";
import { mutate } from "./mutate.ts";

/** Checks one input. */
export type Target = (random: Random) => void;

/** Result of parsing, in a form that can be compared. */
interface Outcome {
  events: string[];
  error: string | undefined;
}

/** Runs a parser over two chunkings of the same bytes: both must come to the same. */
function compareChunkings(
  random: Random,
  bytes: Uint8Array,
  parse: (chunks: Uint8Array[], events: string[]) => void,
  documented: (error: unknown) => string,
): Outcome {
  const outcomes = [bytes.length + 1, 1 + random.int(20)].map((most): Outcome => {
    const events: string[] = [];
    const chunks = most > bytes.length ? [bytes.slice()] : random.chunks(bytes, most);
    try {
      parse(chunks, events);
    } catch (error) {
      return { events, error: documented(error) };
    }
    return { events, error: undefined };
  });
  assertEquals(outcomes[1], outcomes[0]);
  return outcomes[0]!;
}

function protocolError(error: unknown): string {
  if (!(error instanceof ProtocolError)) throw error;
  assert([1002, 1007, 1008, 1009].includes(error.closeCode), `${error.closeCode}`);
  assert(encode(error.message).length <= 123, "it must fit a close frame");
  return error.code;
}

function requestError(error: unknown): string {
  if (!(error instanceof HandshakeError) && !(error instanceof HttpError)) throw error;
  assert(error.status >= 400 && error.status < 600, `${error.status}`);
  return `${error.code} ${error.status}`;
}

function hash(bytes: Uint8Array): string {
  let value = bytes.length;
  for (const byte of bytes) value = (Math.imul(value, 31) + byte) | 0;
  return `${bytes.length}:${value}`;
}

// ---- Frames -----------------------------------------------------------------------------------------------------

const OPCODES = [Opcode.Continuation, Opcode.Text, Opcode.Binary, Opcode.Close, Opcode.Ping, Opcode.Pong];

function someFrames(random: Random, masked: boolean): Uint8Array<ArrayBuffer> {
  const frames = Array.from({ length: 1 + random.int(6) }, () => {
    const opcode = random.pick(OPCODES);
    const control = opcode >= Opcode.Close;
    const long = random.int(30) === 0 ? random.pick([65535, 65536]) : random.pick([125, 126, 127, 300]);
    const length = random.pick(control ? [0, 1, 2, 60, 125] : [0, 1, 5, long]);
    const payload = new Uint8Array(length).fill(random.int(256));
    const final = control || random.int(2) === 0;
    return encodeFrame({ opcode, payload, final }, { maskingKey: masked ? random.bytes(4) : undefined });
  });
  return concat(...frames);
}

function fuzzFrames(random: Random): void {
  const role = random.pick<Role | undefined>(["server", "client", undefined]);
  const valid = someFrames(random, role === "server");
  const bytes = random.int(10) === 0
    ? random.bytes(random.int(200))
    : random.int(5) === 0
    ? valid
    : mutate(random, valid);
  const maxPayload = random.pick([0, 0, 100, 65535]);
  const allowedReserved = random.pick([0, 0x40, 0x70]);
  const frames: Uint8Array[] = [];
  const outcome = compareChunkings(random, bytes, (chunks, events) => {
    let pieces: Uint8Array[] = [];
    let header = { opcode: Opcode.Text as Opcode, final: true, reserved: 0 };
    frames.length = 0;
    const parser = new FrameParser({
      frameHeader({ opcode, final, reserved, payloadLength }) {
        assert(maxPayload === 0 || payloadLength <= maxPayload);
        assertEquals(reserved & ~allowedReserved, 0);
        assert(opcode < 8 || (final && payloadLength <= 125));
        header = { opcode, final, reserved };
        pieces = [];
      },
      framePayload: (chunk, start, end) => void pieces.push(chunk.slice(start, end)),
      frameEnd() {
        const payload = concatAll(pieces);
        frames.push(encodeFrame({ ...header, payload }));
        events.push(`${JSON.stringify(header)} ${hash(payload)}`);
      },
    }, { role, maxPayload, allowedReserved });
    for (const chunk of chunks) assertEquals(parser.parse(chunk), chunk.length);
  }, protocolError);
  // What was parsed can be encoded again, and says the same.
  if (role !== "client") return;
  const again = concatAll(frames);
  assertEquals(hash(again), hash(bytes.subarray(0, again.length)));
  if (bytes === valid && maxPayload === 0) assertEquals([outcome.error, again.length], [undefined, valid.length]);
}

// ---- Messages and compression -----------------------------------------------------------------------------------

interface Conversation {
  wire: Uint8Array<ArrayBuffer>;
  events: string[];
}

/** Valid input from a peer, compressed or not, and the expected output. */
function conversation(random: Random, deflater: MessageDeflater | undefined): Conversation {
  const wire: Uint8Array[] = [];
  const events: string[] = [];
  const push = (opcode: Opcode, payload: Uint8Array, final: boolean, reserved = 0): void =>
    void wire.push(encodeFrame({ opcode, payload, final, reserved }, { maskingKey: random.bytes(4) }));
  for (let count = 1 + random.int(5); count > 0; count--) {
    const text = random.int(2) === 0;
    const length = random.pick([0, 1, 10, 500, random.int(10) === 0 ? 70_000 : 2000]);
    const payload = text
      ? encode("aκ😀€ bc".repeat(length / 8 + 1).slice(0, length).replace(/[\ud800-\udbff]$/, ""))
      : someBytes(random, length);
    const compressed = deflater !== undefined && random.int(3) > 0;
    const fragments = random.int(2) === 0 ? [payload] : [...random.chunks(payload, 1 + length / 2), new Uint8Array(0)];
    fragments.forEach((fragment, at) => {
      const final = at === fragments.length - 1;
      const data = !compressed
        ? fragment
        : final && random.int(3) === 0
        ? concat(deflater.compress(fragment, false), FINAL_BLOCK, deflater.compress(new Uint8Array(0), true))
        : deflater.compress(fragment, final).slice();
      const opcode = at > 0 ? Opcode.Continuation : text ? Opcode.Text : Opcode.Binary;
      push(opcode, data, final, compressed && at === 0 ? 0x40 : 0);
      if (final || random.int(4) > 0) return;
      push(Opcode.Ping, encode("ping"), true);
      events.push(`ping ${hash(encode("ping"))}`);
    });
    events.push(`${text ? "text" : "binary"} ${hash(payload)}`);
  }
  return { wire: concat(...wire), events };
}

/** A block that ends the stream, as some flush (RFC 7692 §7.2.3.4). */
const FINAL_BLOCK = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff);

function someBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  return random.int(2) === 0 ? random.bytes(length) : new Uint8Array(length).fill(random.int(256));
}

const BOMB = deflateRawSync(new Uint8Array(300_000), { finishFlush: 2 });
const DEFLATE_WORDS = [
  Uint8Array.of(0x00, 0x00, 0xff, 0xff),
  Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff),
  Uint8Array.of(0x00, 0x00, 0x00, 0xff, 0xff),
  Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00),
  Uint8Array.of(0xc1, 0x80, 0, 0, 0, 0),
  BOMB,
];

const CONTENT_CODES = ["ERR_INVALID_DEFLATE", "ERR_INVALID_UTF8", "ERR_MESSAGE_TOO_LARGE"];

function fuzzMessages(random: Random): void {
  const settings = compressionSettings({
    clientNoContextTakeover: random.int(2) === 0,
    clientMaxWindowBits: 8 + random.int(8),
    level: random.int(10),
    memoryLevel: 1 + random.int(9),
  })!;
  const compression = random.int(4) > 0;
  const deflater = compression ? new MessageDeflater("client", settings, settings) : undefined;
  const valid = conversation(random, deflater);
  deflater?.close();
  const wire = random.int(4) === 0 ? valid.wire : mutate(random, valid.wire, DEFLATE_WORDS);
  // zlib notices a distance beyond a smaller window only when what it refers to came in an earlier chunk.
  const parameters = wire === valid.wire ? settings : { ...settings, clientMaxWindowBits: 15 };
  const maxMessageSize = random.pick([0, 100_000, 100_000, 1000]);
  const maxFragments = random.pick([0, 0, 5]);
  const frameByFrame = random.int(4) === 0;
  const outcome = compareChunkings(random, wire, (chunks, events) => {
    const inflater = new MessageInflater("server", parameters);
    const assembler = new MessageAssembler({
      message(data) {
        assert(maxMessageSize === 0 || data.length <= maxMessageSize);
        const bytes = typeof data === "string" ? encode(data) : data;
        events.push(`${typeof data === "string" ? "text" : "binary"} ${hash(bytes)}`);
      },
      ping: (payload) => void events.push(`ping ${hash(payload)}`),
      pong: (payload) => void events.push(`pong ${hash(payload)}`),
      close: (code, reason) => void events.push(`close ${code} ${reason}`),
    }, { maxMessageSize, maxFragments, frameByFrame });
    if (compression) assembler.useInflater(inflater);
    const parser = new FrameParser(assembler, { role: "server", allowedReserved: compression ? 0x40 : 0 });
    try {
      for (const chunk of chunks) parser.parse(chunk);
    } finally {
      inflater.close();
    }
  }, (error) => {
    const code = protocolError(error);
    // What zlib gives before a fault is looked at only if it comes in an earlier chunk.
    return compression && CONTENT_CODES.includes(code) ? "content" : code;
  });
  if (wire === valid.wire && maxMessageSize === 0 && maxFragments === 0 && !frameByFrame) {
    assertEquals(outcome, { events: valid.events, error: undefined });
  }
}

// ---- Heads and handshakes ---------------------------------------------------------------------------------------

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const EXTENSIONS = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  'permessage-deflate; server_max_window_bits="10"; client_no_context_takeover',
  "permessage-deflate; server_no_context_takeover; client_max_window_bits=9, permessage-deflate",
  'foo; a=b; c="d\\e", bar',
];
const HEAD_WORDS = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  ": ",
  ",",
  ";",
  "=",
  '"',
  "\\",
  " ",
  "\t",
  "websocket",
  "Upgrade",
  "Connection: close\r\n",
  "Host: other\r\n",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Sec-WebSocket-Key: AAAA\r\n",
  "Sec-WebSocket-Protocol: a, a\r\n",
  "Sec-WebSocket-Extensions: ",
  "HTTP/1.0",
  "POST",
  "server_max_window_bits=8",
  "client_max_window_bits",
  "\u00ff",
].map((word) => encode(word));

function readHead(chunks: Uint8Array[], limits = {}): Head | undefined {
  const reader = new HeadReader(limits);
  for (const chunk of chunks) {
    reader.push(chunk);
    if (reader.head !== undefined) return reader.head;
  }
  return undefined;
}

function fuzzUpgradeRequest(random: Random): void {
  const offer = {
    host: "example.com",
    target: "/path?query",
    key: KEY,
    origin: "http://example.com",
    protocols: ["a", "b"],
    extensions: parseExtensions([random.pick(EXTENSIONS)]),
    headers: [["User-Agent", "fuzz"]] as [string, string][],
  };
  const valid = encodeUpgradeRequest(offer);
  const bytes = random.int(10) === 0 ? valid : mutate(random, valid, HEAD_WORDS);
  const settings = compressionSettings({
    serverMaxWindowBits: 8 + random.int(8),
    clientMaxWindowBits: 8 + random.int(8),
  })!;
  const outcome = compareChunkings(random, bytes, (chunks, events) => {
    const head = readHead(chunks);
    if (head === undefined) return;
    const line = parseRequestLine(head.startLine);
    if (!wantsWebSocket(head.fields)) return;
    const upgrade = checkUpgradeRequest(line.method, line.minorVersion, head.fields, {});
    events.push(JSON.stringify([line, upgrade]));
    for (const name of ["host", "sec-websocket-key", "sec-websocket-version"]) {
      assertEquals(head.fields.all(name).length, 1, name);
    }
    const agreed = acceptDeflateOffer(upgrade.extensions, settings);
    const protocol = upgrade.protocols.at(-1) ?? "";
    const answer = encodeUpgradeResponse({ key: upgrade.key, protocol, extensions: agreed ? [agreed.extension] : [] });
    // A client that had asked for this takes the answer.
    const received = checkUpgradeResponse(readHead([answer])!, upgrade);
    assertEquals(received, { protocol, extensions: agreed ? [agreed.extension] : [] });
  }, requestError);
  if (bytes === valid) assertEquals([outcome.error, outcome.events.length], [undefined, 1]);
}

function fuzzUpgradeResponse(random: Random): void {
  const offers = [
    compressionSettings({ serverMaxWindowBits: 8 + random.int(8), serverNoContextTakeover: random.int(2) === 0 })!,
  ];
  if (random.int(2) === 0) offers.push(compressionSettings(true)!);
  const extensions = offers.map(makeDeflateOffer);
  const agreed = acceptDeflateOffer(extensions, compressionSettings({ clientMaxWindowBits: 8 + random.int(8) })!)!;
  const interim = encode(random.pick(["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n"]));
  const protocol = random.pick(["", "a"]);
  const valid = concat(interim, encodeUpgradeResponse({ key: KEY, protocol, extensions: [agreed.extension] }));
  const bytes = random.int(10) === 0 ? valid : mutate(random, valid, HEAD_WORDS);
  const outcome = compareChunkings(random, bytes, (chunks, events) => {
    const reader = new ResponseHeadReader({ maxHeadSize: 300, maxHeaderFields: 8 });
    for (const chunk of chunks) if (reader.head === undefined) reader.push(chunk);
    const { head } = reader;
    if (head === undefined) return reader.end();
    const answer = checkUpgradeResponse(head, { key: KEY, protocols: ["a", "b"], extensions });
    assertEquals(head.fields.get("sec-websocket-accept"), acceptKey(KEY));
    assert(["", "a", "b"].includes(answer.protocol));
    const deflate = readDeflateAnswer(answer.extensions, offers);
    if (deflate !== undefined) {
      const { serverMaxWindowBits, clientMaxWindowBits } = deflate.parameters;
      for (const bits of [serverMaxWindowBits, clientMaxWindowBits]) assert(bits >= 8 && bits <= 15);
    }
    events.push(JSON.stringify([answer, deflate?.parameters]));
  }, (error) => {
    if (!(error instanceof HandshakeError)) throw error;
    return error.code;
  });
  if (bytes === valid) assertEquals([outcome.error, outcome.events.length], [undefined, 1]);
}

const REQUESTS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /path?query=1 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nX-Y: z\r\n\r\nHello",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nHello\r\n0\r\nTrailer: t\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: [::1]:8\r\nAccept: a, b\r\nAccept: c\r\n\r\n",
  "GET http://example.com/a?b HTTP/1.0\r\n\r\n",
].map((text) => encode(text));

function fuzzHead(random: Random): void {
  const valid = random.pick(REQUESTS);
  const bytes = random.int(10) === 0 ? valid : mutate(random, valid, HEAD_WORDS);
  const limits = { maxHeadSize: random.pick([0, 200, 16_384]), maxHeaderFields: random.pick([0, 2, 128]) };
  const limit = random.pick([0, 3, 1000]);
  compareChunkings(random, bytes, (chunks, events) => {
    const reader = new HeadReader(limits, "request");
    let body: BodyReader | undefined;
    const received: number[] = [];
    for (const chunk of chunks) {
      let at = 0;
      if (reader.head === undefined) at = reader.push(chunk);
      if (reader.head === undefined) continue;
      if (body === undefined) {
        const { fields } = reader.head;
        assert(limits.maxHeaderFields === 0 || fields.count <= limits.maxHeaderFields);
        const line = parseRequestLine(reader.head.startLine);
        assert(isToken(line.method));
        events.push(JSON.stringify([line, [...fields]]));
        const framing = bodyFraming(fields, line.minorVersion);
        events.push(makeRequest(line, fields, false, null).url);
        body = new BodyReader(framing, limit);
      }
      body.push(chunk, at, (piece) => {
        for (const byte of piece) received.push(byte);
      });
      assert(limit === 0 || received.length <= limit);
      if (!body.done) continue;
      events.push(String.fromCharCode(...received));
      return;
    }
  }, requestError);
}

function fuzzExtensions(random: Random): void {
  const text = new TextDecoder("latin1").decode(mutate(random, encode(random.pick(EXTENSIONS)), HEAD_WORDS));
  let extensions: Extension[];
  try {
    extensions = parseExtensions([text]);
  } catch (error) {
    assertEquals(requestError(error), "ERR_HANDSHAKE_REQUEST 400");
    return;
  }
  assertEquals(parseExtensions([formatExtensions(extensions)]), extensions);
  assertEquals(parseExtensions([formatQuoted(random, extensions)]), extensions);
  const settings = compressionSettings({
    serverNoContextTakeover: random.int(2) === 0,
    serverMaxWindowBits: 8 + random.int(8),
    clientMaxWindowBits: 8 + random.int(8),
  })!;
  const agreed = acceptDeflateOffer(extensions, settings);
  if (agreed === undefined) return;
  // RFC 7692 §7.1: whatever was offered, the answer is one that some offer allows.
  const offered = extensions.filter(({ name }) => name === "permessage-deflate");
  const bits = (parameters: Extension["parameters"], key: string): string | true | undefined =>
    parameters.find(([name]) => name === key)?.[1];
  const allowed = offered.some(({ parameters }) => {
    const answer = agreed.extension.parameters;
    const has = (key: string): boolean => bits(parameters, key) !== undefined;
    const limitsClient = bits(answer, "client_max_window_bits");
    const limitsServer = bits(answer, "server_max_window_bits");
    if (has("server_no_context_takeover") && !bits(answer, "server_no_context_takeover")) return false;
    if (has("server_max_window_bits") && Number(limitsServer) > Number(bits(parameters, "server_max_window_bits"))) {
      return false;
    }
    if (has("server_max_window_bits") && limitsServer === undefined) return false;
    return limitsClient === undefined || has("client_max_window_bits");
  });
  assert(allowed, `${text} was answered with ${formatExtensions([agreed.extension])}`);
}

/** The same with its values in quotes, and characters escaped that need not be. */
function formatQuoted(random: Random, extensions: Extension[]): string {
  const quote = (value: string): string =>
    `"${[...value].map((char) => random.int(3) === 0 ? `\\${char}` : char).join("")}"`;
  return extensions.map(({ name, parameters }) =>
    [name, ...parameters.map(([key, value]) => value === true ? key : `${key} = ${quote(value)}`)].join(" ;")
  ).join(" , ");
}

const PROXY_WORDS = [
  "PROXY ",
  "TCP4 ",
  "TCP6 ",
  "UNKNOWN",
  "\r\n",
  "\r\n\r\n\0\r\nQUIT\n",
  "255",
  "::",
  " ",
  "\x21\x11\0\x0c",
]
  .map((word) => encode(word));

function fuzzProxyHeader(random: Random): void {
  const source = random.pick(["192.0.2.1", "2001:db8::1"]);
  const port = random.int(65536);
  const valid = random.pick([
    headerV1(source, port),
    headerV2({ source, port, more: random.bytes(random.int(30)) }),
    headerV2({ command: 0x20, family: random.int(256), more: random.bytes(random.int(40)) }),
  ]);
  const unchanged = random.int(10) === 0;
  const bytes = concat(unchanged ? valid : mutate(random, valid, PROXY_WORDS), random.bytes(random.int(20)));
  const outcome = compareChunkings(random, bytes, (chunks, events) => {
    const reader = new ProxyHeaderReader();
    let used = 0;
    for (const chunk of chunks) if (reader.header === undefined) used += reader.push(chunk);
    const { header } = reader;
    if (header === undefined) return;
    assert(used <= 16 + 16 * 1024);
    if (header.source !== undefined) {
      const { hostname, port } = header.source;
      assertEquals(formatAddress(parseAddress(hostname)!), hostname);
      assert(Number.isInteger(port) && port >= 0 && port <= 65535);
    }
    events.push(JSON.stringify([used, header]));
  }, (error) => {
    if (!(error instanceof TransportError)) throw error;
    return error.code;
  });
  if (unchanged && valid[12] !== 0x20) {
    assertEquals(JSON.parse(outcome.events[0]!)[1].source, { hostname: source, port });
  }
}

const FORWARDED = [
  "192.0.2.1, 10.0.0.1",
  "[2001:db8::1]:80,10.0.0.1:5, unknown",
  'for="[2001:db8::1]:47011";proto=https;by=10.0.0.9, for=10.0.0.1',
  'for="a\\"b,;", for=192.0.2.1;host="x;y", for=_hidden',
].map((text) => encode(text));
const FORWARDED_WORDS = ["for=", '"', "\\", ",", ";", "10.0.0.1", "unknown", "[", "]", ":", "proto=https", "="]
  .map((word) => encode(word));
const OWN_PROXIES = new AddressRanges(["10.0.0.0/8"]);
const OWN_PEER = { hostname: "10.0.0.7", port: 1 };

function fuzzForwarded(random: Random): void {
  const name = random.pick(["x-forwarded-for", "forwarded"]);
  const text = new TextDecoder("latin1").decode(mutate(random, random.pick(FORWARDED), FORWARDED_WORDS));
  const client = (...lines: string[]): ForwardedClient => {
    const fields = new HeaderFields();
    for (const line of lines) fields.append(name, line);
    return clientOf(fields, OWN_PROXIES, OWN_PEER);
  };
  const { address: { hostname, port } } = client(text);
  assertEquals(formatAddress(parseAddress(hostname)!), hostname);
  assert(Number.isInteger(port) && port >= 0 && port <= 65535);
  // Whatever a client has written, it cannot hide what a proxy appends, in the same line or in another.
  const appended = name === "forwarded" ? 'for="198.51.100.9:77";proto=https' : "198.51.100.9:77";
  const expected = { hostname: "198.51.100.9", port: 77 };
  assertEquals(client(`${text}, ${appended}`).address, expected);
  assertEquals(client(text, appended).address, expected);
  const behind = name === "forwarded" ? "for=10.1.1.1" : "10.1.1.1";
  assertEquals(client(`${text},${appended} , ${behind}`, behind).address, expected);
}

/** All targets by name. */
export const TARGETS: ReadonlyMap<string, Target> = new Map([
  ["frames", fuzzFrames],
  ["messages", fuzzMessages],
  ["upgrade-request", fuzzUpgradeRequest],
  ["upgrade-response", fuzzUpgradeResponse],
  ["head", fuzzHead],
  ["extensions", fuzzExtensions],
  ["proxy-header", fuzzProxyHeader],
  ["forwarded", fuzzForwarded],
]);
