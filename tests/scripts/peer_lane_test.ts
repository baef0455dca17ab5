/** The lane of peers (`scripts/peer_lane/`): what a case sees of a peer, the comparison, the matrix, the programs. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { WebSocketClient } from "../../client.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { parseWanted } from "../../scripts/peer_lane/arguments.ts";
import {
  type Cell,
  changes,
  containsVersion,
  exitStatus,
  isLeftOut,
  versionChange,
} from "../../scripts/peer_lane/compare.ts";
import { Deadline } from "../../scripts/peer_lane/deadline.ts";
import { arrange, toMarkdown, toTerminal } from "../../scripts/peer_lane/matrix.ts";
import { bytesOf, linesOf, textOf } from "../../scripts/peer_lane/messages.ts";
import { describeRefusal, Unexpected } from "../../scripts/peer_lane/outcome.ts";
import { type CaseName, CASES, DEFLATE_CASES, inCases, type Peer } from "../../scripts/peer_lane/peer.ts";
import { type CaseSession, outcomeOf, PLAYS } from "../../scripts/peer_lane/play.ts";
import { listensOn, Program } from "../../scripts/peer_lane/program.ts";
import { Session } from "../../scripts/peer_lane/session.ts";
import { sideOf } from "../../scripts/peer_lane/sides.ts";
import { HandshakeError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { encode, FakeClock, pipe, turns, until } from "../support/support.ts";

/** Behaviour of a peer that does everything right: it echoes, and closes when it is told to. */
const GOOD: WebSocketServerOptions = {
  onMessageReceived(connection, text) {
    if (!text.startsWith("#close")) return void connection.send(text);
    const [, code] = text.split(" ");
    void connection.close(code === undefined ? undefined : Number(code));
  },
  onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
};

/** Clock of the case, on which time does not pass by itself. */
interface Play {
  clock?: FakeClock;
  /** Line of the peer's program. */
  printed?: string | undefined;
}

/** Plays one connection of a case with a server of ours as the peer. */
async function playSession(session: CaseSession, peer: WebSocketServerOptions, play: Play): Promise<string> {
  const { compression = false, frameSize = 0 } = session;
  const limits = { maxMessageSize: 2 ** 26, maxBufferedAmount: 2 ** 26, pingInterval: 0 };
  const closed = Promise.withResolvers<string>();
  await using server = new WebSocketServer({
    ...limits,
    compression: true,
    onError: () => {},
    onEnd: (_connection, { code }) => closed.resolve(String(code)),
    ...peer,
  });
  const failures: unknown[] = [];
  await using client = new WebSocketClient("ws://test/", {
    ...limits,
    compression,
    frameSize,
    splitMessage: frameSize > 0,
    onError: (error) => void failures.push(error),
  });
  const [ours, its] = pipe();
  server.acceptStream(its);
  await client.connect({ stream: ours });
  using deadline = new Deadline(10_000, play.clock ?? new FakeClock());
  const outcome = await outcomeOf(
    session,
    new Session(client.connection!, {
      peer: "server",
      failure: () => failures[0],
      inflated: () => client.stats().inflated.plain,
      printed: () => "printed" in play ? Promise.resolve(play.printed) : closed.promise,
    }, deadline),
  );
  client.connection?.terminate();
  return outcome;
}

/** Plays a case; returns its outcome. */
async function play(name: CaseName, peer: WebSocketServerOptions, how: Play = {}): Promise<string> {
  for (const session of PLAYS[name].sessions) {
    const outcome = await playSession(session, { ...GOOD, ...peer }, how);
    if (outcome !== "ok") return outcome;
  }
  return "ok";
}

describe("a case", () => {
  for (const name of CASES.filter((name) => name !== "TLS" && name !== "20 MiB")) {
    it(`is "ok" with a peer that does all right: ${name}`, async () => assertEquals(await play(name, {}), "ok"));
  }

  it("sees text and bytes that come back otherwise, or as the other type", async () => {
    const text: WebSocketServerOptions = { onMessageReceived: (connection, text) => void connection.send(text + "x") };
    assertEquals(await play("text", text), "wrong text");
    const bytes: WebSocketServerOptions = {
      onBinaryDataReceived: (connection, bytes) => void connection.send(bytes.map((byte) => byte ^ 1)),
    };
    assertEquals(await play("binary", bytes), "wrong bytes");
    const short: WebSocketServerOptions = {
      onBinaryDataReceived: (connection, bytes) => void connection.send(bytes.subarray(0, -1)),
    };
    assertEquals(await play("1 MiB", short), "wrong bytes (binary)");
    const typed: WebSocketServerOptions = {
      onMessageReceived: (connection, text) => void connection.send(encode(text)),
    };
    assertEquals(await play("text", typed), "wrong type");
  });

  it("sees the code with which a peer refuses a message, or that it gives none", async () => {
    assertEquals(await play("1 MiB", { maxMessageSize: 1000 }), "closed 1009 (text)");
    const lost: WebSocketServerOptions = { onBinaryDataReceived: (connection) => connection.terminate() };
    assertEquals(await play("binary", lost), "closed 1006");
  });

  it("sees a message that is not answered, when its time is over", async () => {
    const clock = new FakeClock();
    const silent: WebSocketServerOptions = { onMessageReceived: () => void setTimeout(() => clock.advance(10_000), 0) };
    assertEquals(await play("text", silent, { clock }), "no answer");
  });

  it("sees an empty message that is not answered", async () => {
    const clock = new FakeClock();
    const skips: WebSocketServerOptions = {
      onMessageReceived(connection, text) {
        if (text === "") setTimeout(() => clock.advance(10_000), 0);
        else connection.send(text);
      },
      onBinaryDataReceived(connection, bytes) {
        if (bytes.length === 0) setTimeout(() => clock.advance(10_000), 0);
        else connection.send(bytes);
      },
    };
    assertEquals(await play("text", skips, { clock }), "no answer (empty)");
    assertEquals(await play("binary", skips, { clock }), "no answer (empty)");
  });

  it("names the rule that a peer breaks", async () => {
    const broken: WebSocketServerOptions = {
      onMessageReceived: (connection) => void connection.sendFrame(Opcode.Text, Uint8Array.of(0xff), true),
    };
    assertEquals(await play("text", broken), "broke a rule: ERR_INVALID_UTF8");
  });

  it("sees a ping that is not answered", async () => {
    const clock = new FakeClock();
    const silent: WebSocketServerOptions = {
      options: { manualPong: true },
      onPing: () => void setTimeout(() => clock.advance(10_000), 0),
    };
    assertEquals(await play("ping", silent, { clock }), "no answer (5 bytes)");
  });

  it("takes one pong for several pings", async () => {
    const pings: string[] = [];
    const last: WebSocketServerOptions = {
      options: { manualPong: true },
      onPing(connection, payload) {
        const text = new TextDecoder().decode(payload);
        pings.push(text);
        if (text !== "1" && text !== "2") connection.pong(payload);
      },
    };
    assertEquals(await play("ping", last), "ok");
    assert(pings.includes("1") && pings.includes("2"));
  });

  it("sees another code in the answer to a close frame, and none", async () => {
    const other: WebSocketServerOptions = {
      options: { manualClose: true },
      onClose: (connection) => void connection.close(1000),
    };
    assertEquals(await play("close 1000", other, { printed: "" }), "ok");
    assertEquals(await play("close 4999", other, { printed: "" }), "answered 1000");
    assertEquals(await play("close empty", other, { printed: "" }), "answered 1000");
    const none: WebSocketServerOptions = {
      options: { manualClose: true },
      onClose: (connection) => connection.terminate(),
    };
    assertEquals(await play("close 1000", none, { printed: "" }), "no close frame");
  });

  it("sees another code in the peer's own close frame", async () => {
    const other: WebSocketServerOptions = { onMessageReceived: (connection) => void connection.close(1000) };
    assertEquals(await play("its close 4999", other, { printed: "" }), "closed 1000");
    assertEquals(await play("its close empty", other, { printed: "" }), "closed 1000");
    const none: WebSocketServerOptions = { onMessageReceived: (connection) => connection.terminate() };
    assertEquals(await play("its close 1000", none, { printed: "" }), "closed 1006");
  });

  it("sees the code that the peer's program prints, which may be none", async () => {
    assertEquals(await play("close 3000", {}, { printed: "3000" }), "ok");
    assertEquals(await play("close 3000", {}, { printed: "" }), "ok");
    assertEquals(await play("close 3000", {}, { printed: "1006" }), "printed 1006");
    assertEquals(await play("its close 4999", {}, { printed: undefined }), "printed nothing");
  });

  it("sees compression that is not agreed on, and not used", async () => {
    assertEquals(await play("deflate", { compression: false }), "not agreed");
    assertEquals(await play("deflate", { compression: { threshold: 2 ** 26 } }), "not compressed");
  });

  it("sees an agreement that leaves out what was asked for", async () => {
    // A client that does not ask, and a case that expects what it should have asked for.
    const plain = async (name: CaseName): Promise<string> => {
      const { play } = PLAYS[name].sessions[0]!;
      return await playSession({ name: "first", compression: {}, play }, { ...GOOD }, {});
    };
    assertEquals(await plain("deflate"), "ok");
    assertEquals(await plain("deflate 9 bits"), "agreed 15 bits (first)");
    assertEquals(await plain("deflate no takeover"), "agreed takeover (first)");
  });
});

describe("Deadline", () => {
  it("ends a wait with the outcome of no answer, and lets others pass", async () => {
    const clock = new FakeClock();
    using deadline = new Deadline(1000, clock);
    assertEquals(await deadline.race(Promise.resolve(1)), 1);
    clock.advance(999);
    const late = deadline.race(new Promise<never>(() => {})).then(() => undefined, (error) => error);
    clock.advance(1);
    const error = await late;
    assert(error instanceof Unexpected);
    assertEquals(error.outcome, "no answer");
  });

  it("leaves no rejection when its time ends while nothing waits", async () => {
    const clock = new FakeClock();
    using deadline = new Deadline(1000, clock);
    clock.advance(1000);
    await turns(2);
    assert(await deadline.race(Promise.reject(new Error("own"))).then(() => false, () => true));
  });
});

describe("messages of the lane", () => {
  it("have their size in bytes, and are the same each time", () => {
    for (const size of [0, 1, 33, 34, 125, 1000]) {
      assertEquals(encode(textOf(size)).length, size);
      assertEquals(bytesOf(size).length, size);
      assertEquals(linesOf(size).length, size);
    }
    assertEquals(bytesOf(100), bytesOf(100));
  });
});

describe("the outcome of a refused handshake", () => {
  it("is its status, or else the code of the error", () => {
    assertEquals(describeRefusal(new HandshakeError("ERR_HANDSHAKE_STATUS", "refused", 403)), "refused 403");
    const error = new HandshakeError("ERR_HANDSHAKE_RESPONSE", "no answer");
    assertEquals(describeRefusal(error), "not open: ERR_HANDSHAKE_RESPONSE");
    assertEquals(describeRefusal(new TypeError("else")), "not open");
  });
});

// ---- Comparison ---------------------------------------------------------------------------------------------------

const PEER: Peer = {
  name: "echoer",
  version: "1.2",
  language: "C",
  files: {},
  printVersion: "echo 1.2",
  server: {
    command: ["echoer"],
    differs: {
      "close empty": { seen: "answered 1000", because: "it likes 1000" },
      ...inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has none", finding: "workerd_pongs.sh" }),
    },
  },
  client: { command: ["echoer", "-c"], waitsFor: { line: "open", because: "it loses early ones" } },
};

const cell = (name: CaseName, outcome: string | undefined, more: Partial<Cell> = {}): Cell => ({
  role: "server",
  case: name,
  runtime: "Deno",
  outcome,
  ...more,
});

describe("a case that is left out", () => {
  it("is that of a role whose file says so", () => {
    const slow = { ...PEER.server!, differs: inCases(["20 MiB"], { seen: "not played", because: "it takes an hour" }) };
    const peer = { ...PEER, server: slow };
    assertEquals(isLeftOut(peer, "server", "20 MiB"), true);
    assertEquals(isLeftOut(peer, "client", "20 MiB"), false);
    assertEquals(isLeftOut(PEER, "server", "close empty"), false);
    assertEquals(changes(peer, [cell("20 MiB", "not played")]), []);
  });
});

describe("changes", () => {
  it("has none for outcomes that are ok or listed", () => {
    const cells = [cell("text", "ok"), cell("close empty", "answered 1000"), cell("deflate", "not agreed")];
    assertEquals(changes(PEER, cells), []);
  });

  it("lists a difference that is not listed, another one, one that has gone, and a case that did not run", () => {
    const cells = [
      cell("text", "wrong text"),
      cell("close empty", "answered 1001"),
      cell("deflate", "ok"),
      cell("TLS", undefined),
      cell("text", "wrong text", { role: "client" }),
    ];
    assertEquals(changes(PEER, cells), [
      'echoer, its server, "text": "wrong text" instead of "ok", our side on Deno',
      'echoer, its server, "close empty": "answered 1001" instead of "answered 1000" (it likes 1000), our side on Deno',
      'echoer, its server, "deflate": "ok" instead of "not agreed" (it has none), our side on Deno',
      'echoer, its server, "TLS": it did not run instead of "ok", our side on Deno',
      'echoer, its client, "text": "wrong text" instead of "ok", our side on Deno',
    ]);
  });

  it("has one line for both runtimes where they agree", () => {
    const cells = [
      cell("text", "closed 1006"),
      cell("text", "closed 1006", { runtime: "Bun" }),
      cell("ping", "ok"),
      cell("ping", "no answer", { runtime: "Bun" }),
    ];
    assertEquals(changes(PEER, cells), [
      'echoer, its server, "text": "closed 1006" instead of "ok", our side on Deno and Bun',
      'echoer, its server, "ping": "no answer" instead of "ok", our side on Bun',
    ]);
  });
});

describe("versions", () => {
  it("are found as a whole", () => {
    for (const text of ["1.2", "v1.2", "echoer 1.2.", "1.2-3+b1", "1:1.2", "1.20 and 1.2"]) {
      assert(containsVersion(text, "1.2"), text);
    }
    for (const text of ["", "1.20", "1.2.3", "11.2", "0.1.2", "1.3"]) assert(!containsVersion(text, "1.2"), text);
  });

  it("are a change if they are others", () => {
    assertEquals(versionChange(PEER, "echoer 1.2 (C)"), undefined);
    assertEquals(versionChange(PEER, "echoer\n1.3"), 'echoer: version "echoer 1.3" instead of "1.2"');
  });
});

describe("exitStatus", () => {
  it("is 1 after changes, 2 with missing peers that are not allowed", () => {
    assertEquals([exitStatus(0, 0, false), exitStatus(2, 1, true), exitStatus(2, 1, false)], [0, 1, 1]);
    assertEquals([exitStatus(0, 1, false), exitStatus(0, 1, true)], [2, 0]);
  });
});

describe("the matrix", () => {
  const all = (runtime: Cell["runtime"], role: Cell["role"], changed: Partial<Record<CaseName, string>> = {}): Cell[] =>
    CASES.map((name) => {
      const outcome = changed[name] ?? PEER[role]!.differs?.[name]?.seen ?? "ok";
      return { role, case: name, runtime, outcome };
    });

  it("has a row for each role, one for both runtimes if they agree, and numbers for notes", () => {
    const cells = [
      ...all("Deno", "server"),
      ...all("Bun", "server"),
      ...all("Deno", "client"),
      ...all("Bun", "client", { "20 MiB": "closed 1009 (text)" }),
    ];
    const matrix = arrange([{ peer: PEER, cells }, {
      peer: { ...PEER, name: "gone" },
      cells: [],
      missing: "no network",
    }]);
    assertEquals(matrix.rows.map(({ role, runtimes }) => [role, runtimes.join()]), [
      ["client", "Deno"],
      ["client", "Bun"],
      ["server", "Deno,Bun"],
    ]);
    assertEquals(matrix.texts.map(({ side }) => side), ["its client (1)", "its client (1)", "its server"]);
    assertEquals(matrix.texts[0]!.cells, CASES.map(() => "ok"));
    assertEquals(matrix.texts[1]!.cells[CASES.indexOf("20 MiB")], "2!");
    assertEquals(matrix.texts[2]!.cells.slice(-5), ["ok", "4", "4", "4", "ok"]);
    assertEquals(matrix.notes, [
      "echoer: our side sends when it is ready: it loses early ones",
      "echoer: closed 1009 (text): not listed",
      "echoer: answered 1000: it likes 1000",
      "echoer: not agreed: it has none, findings/workerd_pongs.sh",
    ]);
    assertEquals(matrix.missing, ["gone 1.2 (C): no network"]);
  });

  it("marks a listed difference that has gone", () => {
    const { texts } = arrange([{ peer: PEER, cells: all("Deno", "server", { "close empty": "ok" }) }]);
    assertEquals(texts[0]!.cells[CASES.indexOf("close empty")], "ok!");
  });

  it("is printed in columns, and as Markdown", () => {
    const matrix = arrange([{ peer: PEER, cells: all("Bun", "server") }]);
    const lines = toTerminal(matrix).split("\n");
    assertEquals(lines[0]!.indexOf("TLS"), lines[1]!.lastIndexOf("ok"));
    assertEquals(lines.slice(2, 4), ["", "1. echoer: answered 1000: it likes 1000"]);
    const markdown = toMarkdown(matrix).split("\n");
    assertEquals(new Set(markdown.slice(0, 3).map((line) => line.split("|").length)), new Set([CASES.length + 6]));
    assert(markdown[2]!.startsWith("| echoer 1.2 | C | its server | Bun | ok |"));
    assert(markdown.includes("2. echoer: not agreed: it has none, findings/workerd_pongs.sh"));
  });
});

describe("arguments of the lane", () => {
  it("are peers in any case, and everything without any", () => {
    const { names, runtimes, roles, cases, allowMissing } = parseWanted([]);
    assertEquals([names, runtimes, roles, cases, allowMissing], [
      [],
      ["Deno", "Bun"],
      ["client", "server"],
      CASES,
      false,
    ]);
    const some = parseWanted(["WS", "--runtime", "bun", "--role", "server", "--case", "20 mib", "--case", "TLS"]);
    assertEquals([some.names, some.runtimes, some.roles, some.cases], [["ws"], ["Bun"], ["server"], ["20 MiB", "TLS"]]);
  });

  it("are refused if they are not known", () => {
    assertThrows(() => parseWanted(["--case", "tls 9"]), Error, '--case is "tls 9" instead of text, binary');
    assertThrows(() => parseWanted(["--runtime", "node"]), Error, '--runtime is "node" instead of Deno, Bun');
    assertThrows(() => parseWanted(["--quick"]), Error);
  });
});

// ---- Programs -----------------------------------------------------------------------------------------------------

const shell = (script: string): Program => new Program(["sh", "-c", script], tmpdir(), { GREETING: "hello" });

describe("Program", () => {
  it("gives its lines in order, from a number on, and its environment", async () => {
    const program = shell('echo closed; echo "$GREETING"; echo closed 1000; sleep 100');
    const fits = (line: string): boolean => line.startsWith("closed");
    assertEquals(await program.waitForLine(0, fits, 10_000), "closed");
    assertEquals(await program.waitForLine(1, fits, 10_000), "closed 1000");
    assertEquals(program.lines[1], "hello");
    assertEquals(await program.waitForLine(3, fits, 1), undefined);
    await program.kill();
    assert(program.hasEnded);
  });

  it("ends a wait when the program ends, and tells what it wrote", async () => {
    const program = shell("echo one; echo two >&2");
    assertEquals(await program.waitForLine(0, (line) => line === "three", 100_000), undefined);
    assertEquals(program.text, "one\ntwo");
    assertEquals(await program.waitForPort(1, 100_000), false);
  });

  it("is killed with the programs that it has started", async () => {
    const program = shell("sleep 1000 & echo $!; wait");
    const pid = Number(await program.waitForLine(0, () => true, 10_000));
    process.kill(pid, 0);
    await program.kill();
    const isRunning = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until(() => !isRunning(), "the end of what the program has started");
  });

  it("that does not exist has ended", async () => {
    const program = new Program(["/no/such/program"], tmpdir(), {});
    await program.ended;
    assert(program.text.includes("ENOENT"), program.text);
    await program.kill();
  });
});

describe("listensOn", () => {
  it("finds a listener by its port, and no connection", () => {
    const table = "  sl  local_address rem_address   st\n" +
      "   0: 0100007F:5BA0 00000000:0000 0A 00000000\n   1: 0100007F:01BB 0100007F:5BA1 01 00000000\n";
    assertEquals([listensOn(table, 0x5ba0), listensOn(table, 0x1bb), listensOn(table, 0x5ba1)], [true, false, false]);
    assertEquals(listensOn(table, 0xa0), false);
  });
});

describe("a side", () => {
  it("says that a client does not connect, and that a server does not start", async () => {
    const start = { command: ["sh", "-c", "echo broken >&2"], folder: tmpdir(), waitsFor: undefined };
    const written: string[] = [];
    const client = sideOf("client", start, (text) => void written.push(text));
    assertEquals(await client.play(PLAYS["text"]), "does not connect");
    const server = sideOf("server", start, (text) => void written.push(text));
    assertEquals(await server.play(PLAYS["text"]), "does not start");
    await server.stop();
    assertEquals(written, ["broken", "broken"]);
  });

  it("says with which status our server refuses a client, which ends then or does not", async () => {
    const request = "GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 7\\r\\n\\r\\n";
    for (const end of ["head -1 <&3", "sleep 100"]) {
      const script = `port=\${PEER_URL##*:}; exec 3<>/dev/tcp/127.0.0.1/\${port%/}; printf '${request}' >&3; ${end}`;
      const start = { command: ["bash", "-c", script], folder: tmpdir(), waitsFor: undefined };
      const written: string[] = [];
      const side = sideOf("client", start, (text) => void written.push(text));
      assertEquals(await side.play({ ...PLAYS["text"], timeout: 3000 }), "refused 426", written.join("\n"));
    }
  });
});

/** Loads the files of all peers. */
async function loadPeers(): Promise<Peer[]> {
  const folder = new URL("../../scripts/peers/", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  return await Promise.all(names.map(async (name) => (await import(new URL(name, folder).href)).PEER));
}

describe("the peers' files", () => {
  it("have a name each, a version, and a program at least", async () => {
    const peers = await loadPeers();
    assertEquals(new Set(peers.map(({ name }) => name.toLowerCase())).size, peers.length);
    for (const { name, version, server, client } of peers) {
      assert(version !== "" && (server ?? client) !== undefined, name);
    }
  });

  it("list differences that are none of ok, with findings that exist", async () => {
    for (const { name, server, client } of await loadPeers()) {
      for (const { seen, because } of [server, client].flatMap((one) => Object.values(one?.differs ?? {}))) {
        assert(seen !== "ok" && because !== "", name);
      }
      const all = [server, client].flatMap((one) => [...Object.values(one?.differs ?? {}), one?.waitsFor]);
      for (const finding of all.flatMap((one) => one?.finding ?? [])) {
        assert(existsSync(new URL(`../../findings/${finding}`, import.meta.url)), `${name}: findings/${finding}`);
      }
    }
  });
});
