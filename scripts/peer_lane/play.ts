/** The cases: our side of each, over one connection, in either role. The peer echoes, or closes when it is told to. */

import type { CompressionOptions } from "../../protocol/compression.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { bytesOf, linesOf, textOf } from "./messages.ts";
import { describeEnd, OK, Unexpected } from "./outcome.ts";
import type { CaseName } from "./peer.ts";
import type { Session } from "./session.ts";

/** Settings of our side for one connection. */
export interface SessionSettings {
  /** Compression that our side offers or agrees to. */
  compression?: CompressionOptions;
  /** Speak TLS. */
  tls?: boolean;
  /** Bytes of a frame, with `splitMessage`. */
  frameSize?: number;
}

/** One connection of a case. */
export interface CaseSession extends SessionSettings {
  /** Shown with an outcome other than "ok", if the case has several connections. */
  name?: string;
  /** Plays our side. */
  play(session: Session): Promise<void>;
}

/** One case. */
export interface Case {
  /** Its connections, one after the other. */
  sessions: readonly CaseSession[];
  /** Time limit of each connection, in ms. */
  timeout: number;
}

const MIB = 2 ** 20;
/** Time limit of most cases, in ms. */
const SHORT = 20_000;
/** Time limit of cases with large messages, in ms: some peers unmask byte by byte in slow languages. */
const LONG = 60_000;

/** All cases. */
export const PLAYS: Readonly<Record<CaseName, Case>> = {
  "text": single({ play: texts }),
  "binary": single({ play: binaries }),
  "1 MiB": single({ play: (session) => large(session, MIB) }, LONG),
  "20 MiB": single({ play: (session) => large(session, 20 * MIB) }, LONG),
  "fragments": single({ frameSize: 1000, play: fragments }),
  "ping": single({ play: pings }),
  "close 1000": single({ play: (session) => close(session, 1000) }),
  "close 1001": single({ play: (session) => close(session, 1001) }),
  "close 3000": single({ play: (session) => close(session, 3000) }),
  "close 4999": single({ play: (session) => close(session, 4999) }),
  "close empty": single({ play: (session) => close(session, undefined) }),
  "its close 1000": single({ play: (session) => itsClose(session, 1000) }),
  "its close 4999": single({ play: (session) => itsClose(session, 4999) }),
  "its close empty": single({ play: (session) => itsClose(session, undefined) }),
  "deflate": deflated({}),
  "deflate no takeover": deflated({ serverNoContextTakeover: true, clientNoContextTakeover: true }),
  "deflate 9 bits": deflated({ serverMaxWindowBits: 9, clientMaxWindowBits: 9 }),
  "TLS": single({ tls: true, play: overTls }),
};

/** Has a case's connection played; returns its outcome. */
export async function outcomeOf({ name, play }: CaseSession, session: Session): Promise<string> {
  try {
    await play(session);
    return OK;
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error;
    return name === undefined ? error.outcome : `${error.outcome} (${name})`;
  }
}

function single(session: CaseSession, timeout: number = SHORT): Case {
  return { sessions: [session], timeout };
}

/** Compresses: whole messages on one connection, and messages in several frames on another. */
function deflated(compression: CompressionOptions): Case {
  const play = (session: Session): Promise<void> => compressed(session, compression);
  return {
    sessions: [{ compression, play }, { name: "split", compression, frameSize: 1000, play }],
    timeout: LONG,
  };
}

// ---- Messages -----------------------------------------------------------------------------------------------------

/** Names the part of a case that fails. */
async function step(name: string, part: Promise<void>): Promise<void> {
  try {
    await part;
  } catch (error) {
    if (error instanceof Unexpected) throw new Unexpected(`${error.outcome} (${name})`);
    throw error;
  }
}

/** Sizes in bytes at which the form of a frame's length changes. */
const EDGES = [125, 126, 65_535, 65_536];

async function texts(session: Session): Promise<void> {
  await session.echo("Hello");
  await session.echo("Grüße, 世界 🎉");
  for (const size of EDGES) await step(`${size} bytes`, session.echo(textOf(size)));
  await step("empty", session.echo(""));
}

async function binaries(session: Session): Promise<void> {
  await session.echo(Uint8Array.from({ length: 256 }, (_, index) => index));
  for (const size of EDGES) await step(`${size} bytes`, session.echo(bytesOf(size)));
  await step("empty", session.echo(new Uint8Array(0)));
}

async function large(session: Session, size: number): Promise<void> {
  await step("text", session.echo(textOf(size)));
  await step("binary", session.echo(bytesOf(size)));
}

async function fragments(session: Session): Promise<void> {
  await step("text", sendFragments(session, ["Grüße", " an ", "世界 🎉"]));
  await step("binary", sendFragments(session, [bytesOf(300), bytesOf(1), bytesOf(500)]));
  await step("empty fragments", sendFragments(session, ["", "Hello", "", "world", ""]));
  await step("split text", session.echo(textOf(100_000)));
  await step("split binary", session.echo(bytesOf(100_000)));
}

function sendFragments(session: Session, pieces: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<void> {
  const isText = typeof pieces[0] === "string";
  return session.expect(isText ? pieces.join("") : concatenate(pieces as Uint8Array<ArrayBuffer>[]), () => {
    for (const [index, piece] of pieces.entries()) {
      const opcode = index > 0 ? Opcode.Continuation : isText ? Opcode.Text : Opcode.Binary;
      session.connection.sendFrame(opcode, piece, index === pieces.length - 1);
    }
  });
}

function concatenate(pieces: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

async function pings(session: Session): Promise<void> {
  const { connection } = session;
  const ping = async (payload: string): Promise<void> => void await session.wait(connection.ping(payload));
  await step("5 bytes", ping("hello"));
  await step("125 bytes", ping("x".repeat(125)));
  await step("empty", ping(""));
  // One pong for all of them will do (RFC 6455 §5.5.3).
  await step("several at once", Promise.all(["1", "2", "3"].map(ping)).then(() => {}));
  const answers: Promise<void>[] = [];
  const between = session.expect("Hello world", () => {
    connection.sendFrame(Opcode.Text, "Hello ", false);
    answers.push(ping("between"));
    connection.sendFrame(Opcode.Continuation, "world", true);
  });
  await step("between fragments", Promise.all([between, ...answers]).then(() => {}));
}

// ---- Ends ---------------------------------------------------------------------------------------------------------

/** Code of a close frame as its receiver knows it. */
function shownCode(code: number | undefined): number {
  return code ?? 1005;
}

async function close(session: Session, code: number | undefined): Promise<void> {
  await session.echo("Hello");
  void session.connection.close(code, code === undefined ? undefined : "done");
  const { received } = await session.end();
  if (received === undefined) throw new Unexpected("no close frame");
  if (received.code !== shownCode(code)) throw new Unexpected(`answered ${received.code}`);
  await assertPrinted(session, code);
}

async function itsClose(session: Session, code: number | undefined): Promise<void> {
  session.connection.send(code === undefined ? "#close" : `#close ${code}`);
  const info = await session.end();
  if (info.received?.code !== shownCode(code)) throw new Unexpected(describeEnd(info, session.facts.failure()));
  await assertPrinted(session, code);
}

/** Checks that the peer's program learned the code of our close frame, if its library tells it. */
async function assertPrinted(session: Session, code: number | undefined): Promise<void> {
  const printed = await session.facts.printed();
  if (printed === undefined) throw new Unexpected("printed nothing");
  if (printed !== "" && printed !== String(shownCode(code))) throw new Unexpected(`printed ${printed}`);
}

async function overTls(session: Session): Promise<void> {
  await texts(session);
  await step("1 MiB", large(session, MIB));
  void session.connection.close(1000);
  const { clean } = await session.end();
  if (!clean) throw new Unexpected("no close frame");
}

// ---- Compression --------------------------------------------------------------------------------------------------

/** Sizes of messages: some below the threshold, some beyond the window, again and again for the context. */
const COMPRESSED_SIZES = [0, 1, 127, 128, 500, 2000, 2000, 40_000, 10, 40_000, 300_000, 2000];

async function compressed(session: Session, wanted: CompressionOptions): Promise<void> {
  if (session.connection.extensions.length === 0) throw new Unexpected("not agreed");
  for (const size of COMPRESSED_SIZES) {
    await step(`text of ${size}`, session.echo(textOf(size)));
    await step(`binary of ${size}`, session.echo(linesOf(size)));
  }
  await step("random binary", session.echo(bytesOf(70_000)));
  await step("fragments", sendFragments(session, [textOf(1000), "", textOf(5000)]));
  await step("after fragments", session.echo(textOf(2000)));
  if (session.facts.inflated() === 0) throw new Unexpected("not compressed");
  assertAgreed(session, wanted);
}

/**
 * Checks the agreement. A server must take what a client asks of it, or decline (RFC 7692 §7.1); what an end promises
 * for itself needs no answer.
 */
function assertAgreed({ connection, facts }: Session, wanted: CompressionOptions): void {
  if (facts.peer === "client") return;
  const parameters = new Map(connection.extensions[0]!.parameters);
  if (wanted.serverNoContextTakeover && !parameters.has("server_no_context_takeover")) {
    throw new Unexpected("agreed takeover");
  }
  const bits = Number(parameters.get("server_max_window_bits") ?? 15);
  if (bits > (wanted.serverMaxWindowBits ?? 15)) throw new Unexpected(`agreed ${bits} bits`);
}
