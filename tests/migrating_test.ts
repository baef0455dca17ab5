/**
 * The tables of docs/migrating.md: the members on the left are all those of the other library, and those in the middle
 * exist on the classes and options of this one.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { OptionError } from "../base/errors.ts";
import { WebSocketClient, type WebSocketConnection, WebSocketServer } from "../mod.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../whatsapp.ts";
import { find } from "./support/needs.ts";
import { describePeer, peerFile, runToEnd } from "./support/peers.ts";
import { pipe } from "./support/support.ts";

interface Row {
  theirs: string[];
  ours: string[];
  remark: string;
}

/** A table by its first two headings. */
interface Table {
  theirs: string;
  ours: string;
  rows: Row[];
}

const text = readFileSync(new URL("../docs/migrating.md", import.meta.url), "utf8");
const tables = readTables(text);

function readTables(markdown: string): Table[] {
  const found: Table[] = [];
  let before = "";
  for (const line of markdown.split("\n")) {
    if (/^\| -/.test(line)) found.push({ ...headingsOf(before), rows: [] });
    else if (line.startsWith("| ") && before.startsWith("| ")) found.at(-1)?.rows.push(readRow(line));
    before = line;
  }
  return found;
}

function cellsOf(line: string): string[] {
  return line.split("|").slice(1, -1).map((cell) => cell.trim());
}

function codesOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

function headingsOf(line: string): Pick<Table, "theirs" | "ours"> {
  const [theirs, ours] = cellsOf(line);
  return { theirs: theirs!, ours: codesOf(ours!).join() };
}

function readRow(line: string): Row {
  const [theirs, ours, remark] = cellsOf(line);
  return { theirs: codesOf(theirs!), ours: codesOf(ours!), remark: remark! };
}

function tableOf(theirs: string): Table {
  const table = tables.find((table) => table.theirs === theirs);
  assert(table !== undefined, `no table "${theirs}"`);
  return table;
}

const words = (list: string): string[] => list.split(/\s+/).filter((word) => word !== "");

// ---- Members of other libraries ---------------------------------------------------------------------------------

const DELPHI_OPTIONS = "twsoFrameByFrame twsoSkipUpgradeCheck twsoSkipVersionCheck twsoManualPong twsoManualClose";
const DELPHI_EVENTS = "OnConnect OnDisconnect OnMessageReceived OnBinaryDataReceived OnPing OnPong OnClose";
const PAGE_MEMBERS =
  `send() close() binaryType bufferedAmount extensions protocol readyState url CONNECTING OPEN CLOSING
  CLOSED onopen onmessage onclose onerror`;
const LISTENERS = "addEventListener() removeEventListener()";

/** Members by the first heading of their table, as the documentation, the types or the code of the library has them. */
const THEIRS = new Map<string, string[]>([
  [
    "`TTMSFNCWebSocketServer`",
    words(`Active AutoSyncEvents BindingIP CertificateFile CertificateKeyFile FrameSize Options PathName Port
      RootCertificateFile SplitMessage UseSSL ${DELPHI_OPTIONS} BroadcastData BroadcastMessage DisconnectClient
      SendDataTo SendMessageTo TransformCloseData ${DELPHI_EVENTS} OnAllow OnHandshakeResponseSent OnCommandGet
      OnGetSSLPassword`),
  ],
  [
    "`TTMSFNCWebSocketConnection`",
    words(`CloseSent HandshakeCompleted HandshakeRequest HandshakeResponseSent Options PeerIP PeerPort WebSocketVersion
      UserData OwnsUserData GetFrameClass Send SendBytes SendBytesInMultipleFrames SendClose SendFrame
      SendInMultipleFrames SendSimpleFrame`),
  ],
  [
    "`TTMSFNCWebsocketClient`",
    words(`Active AutoCheckInterval AutoCheckMessages AutoSyncEvents BoundIP CheckTimeout ConnectTimeout FrameSize
      HostName Options Origin PathName Port SplitMessage UseSSL CheckIncoming Connect Disconnect IsConnected Ping Pong
      Send SendMasked ${DELPHI_EVENTS} OnHandshakeResponse OnSendHandshake`),
  ],
  ["`TTMSFNCWhatsAppServer`", words("VerifyToken UseSSL OnRawMessage")],
  [
    "`TTMSFNCWhatsAppReceiver`",
    words(`Active HostName PathName Port Connect Disconnect Send Ping OnBinaryDataReceived OnMessageReceived
      OnWhatsAppMessageReceived`),
  ],
  [
    "`new WebSocketServer()`",
    words(`port host backlog path server noServer verifyClient handleProtocols clientTracking perMessageDeflate
      maxPayload maxFragments maxBufferedChunks maxPendingAutoPongs skipUTF8Validation allowSynchronousEvents autoPong
      closeTimeout WebSocket`),
  ],
  [
    "`wss.`",
    words(`clients address() close() handleUpgrade() completeUpgrade() shouldHandle() options "connection" "close"
      "error" "headers" "listening" "wsClientError"`),
  ],
  [
    "`ws.`",
    words(`${PAGE_MEMBERS} ${LISTENERS} terminate() ping() pong() pause() resume() isPaused setSocket() emitClose()
      "open" "message" "close" "error" "ping" "pong" "upgrade" "redirect" "unexpected-response" createWebSocketStream()`),
  ],
  [
    "`new WebSocket()`",
    words(`handshakeTimeout followRedirects maxRedirects headers origin agent createConnection finishRequest
      generateMask protocolVersion perMessageDeflate maxPayload maxFragments maxBufferedChunks maxPendingAutoPongs
      skipUTF8Validation allowSynchronousEvents autoPong closeTimeout ca rejectUnauthorized`),
  ],
  [
    "`perMessageDeflate`",
    words(`serverNoContextTakeover clientNoContextTakeover serverMaxWindowBits clientMaxWindowBits threshold
      zlibDeflateOptions zlibInflateOptions concurrencyLimit`),
  ],
  [
    "`websocket: {}`",
    words(`message open close drain ping pong data maxPayloadLength backpressureLimit closeOnBackpressureLimit
      idleTimeout publishToSelf sendPings perMessageDeflate`),
  ],
  [
    "`ServerWebSocket`",
    words(`send() sendText() sendBinary() close() terminate() ping() pong() publish() publishText() publishBinary()
      subscribe() unsubscribe() isSubscribed() subscriptions cork() remoteAddress readyState binaryType data
      getBufferedAmount() pause() resume() isPaused`),
  ],
  ["`UpgradeWebSocketOptions`", words("protocol idleTimeout socket head")],
  ["`WebSocket`", words(PAGE_MEMBERS)],
  [
    "`options`",
    words(`WebSocket minReconnectionDelay maxReconnectionDelay reconnectionDelayGrowFactor minUptime connectionTimeout
      maxRetries maxEnqueuedMessages startClosed debug`),
  ],
  [
    "`ReconnectingWebSocket`",
    words(`${PAGE_MEMBERS} ${LISTENERS} protocols retryCount reconnect() dispatchEvent()`),
  ],
  [
    "`faye-websocket`",
    words("maxLength ping proxy tls ca headers extensions net version statusCode EventSource"),
  ],
  [
    "`websocket` (server)",
    words(`httpServer maxReceivedFrameSize maxReceivedMessageSize fragmentOutgoingMessages fragmentationThreshold
      keepalive keepaliveInterval keepaliveGracePeriod dropConnectionOnKeepaliveTimeout useNativeKeepalive
      assembleFragments autoAcceptConnections ignoreXForwardedFor parseCookies parseExtensions disableNagleAlgorithm
      closeTimeout broadcastUTF() broadcastBytes() closeAllConnections() shutDown() "request"`),
  ],
]);

/** Members that keep their Delphi names, by class: each must be among the middle cells of its table. */
const KEPT = new Map<string, string[]>([
  [
    "`TTMSFNCWebSocketServer`",
    words(`active port pathName useSSL onGetSSLPassword splitMessage frameSize options options.frameByFrame
      options.skipUpgradeCheck options.skipVersionCheck options.manualPong options.manualClose broadcastMessage
      broadcastData sendMessageTo sendDataTo onConnect onAllow onHandshakeResponseSent onMessageReceived
      onBinaryDataReceived onPing onPong onClose onDisconnect onCommandGet`),
  ],
  ["`TTMSFNCWebSocketConnection`", ["sendSimpleFrame"]],
  [
    "`TTMSFNCWebsocketClient`",
    words(`active hostName port pathName useSSL origin connect disconnect send ping connectTimeout autoCheckMessages
      autoCheckInterval checkIncoming checkTimeout splitMessage frameSize options onConnect onDisconnect
      onHandshakeResponse onSendHandshake onMessageReceived onBinaryDataReceived onPing onPong`),
  ],
  ["`TTMSFNCWhatsAppServer`", ["verifyToken", "onRawMessage"]],
  ["`TTMSFNCWhatsAppReceiver`", ["onWhatsAppMessageReceived", "onMessageReceived"]],
]);

// ---- Members of this library ------------------------------------------------------------------------------------

/** A class, or an option with fields: tells whether it has a member. */
type Having = (name: string) => boolean;

/** Tells whether something takes a name: an unknown option is an error. */
function isTaken(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (error instanceof OptionError) return false;
    throw error;
  }
}

function openConnection(): { connection: WebSocketConnection; close(): Promise<void> } {
  const server = new WebSocketServer({ onMessageReceived: () => {} });
  const [stream] = pipe();
  return { connection: server.acceptStream(stream), close: () => server.stop({ signal: AbortSignal.abort() }) };
}

const URL_TEXT = "ws://localhost/";
const field = (name: string): object => ({ [name]: undefined });
const whatsAppServer = (options: object): WhatsAppServer => new WhatsAppServer({ appSecret: null, ...options });

const OURS: Readonly<Record<string, (connection: WebSocketConnection) => Having>> = {
  WebSocketServer: () => (name) => name in new WebSocketServer() || isTaken(() => new WebSocketServer(field(name))),
  WebSocketClient: () => (name) =>
    name in new WebSocketClient(URL_TEXT) || isTaken(() => new WebSocketClient(URL_TEXT, field(name))),
  WebSocketConnection: (connection) => (name) => name in connection,
  WhatsAppServer: () => (name) => name in whatsAppServer({}) || isTaken(() => whatsAppServer(field(name))),
  WhatsAppReceiver: () => (name) =>
    name in new WhatsAppReceiver("wss://localhost/") ||
    isTaken(() => new WhatsAppReceiver("wss://localhost/", field(name))),
  compression: () => (name) => isTaken(() => new WebSocketServer({ compression: field(name) })),
  options: () => (name) => isTaken(() => new WebSocketServer({ options: field(name) })),
  reconnect: () => (name) => isTaken(() => new WebSocketClient(URL_TEXT, { reconnect: field(name) })),
};

/** Classes and options that prefixes stand for. */
const PREFIXES: Readonly<Record<string, string>> = {
  server: "WebSocketServer",
  client: "WebSocketClient",
  connection: "WebSocketConnection",
  compression: "compression",
  options: "options",
  reconnect: "reconnect",
};

/** Names of the middle cells that nothing has. */
function missing(table: Table, connection: WebSocketConnection): string[] {
  return table.rows.flatMap(({ ours }) => ours).filter((code) => {
    const [first, second] = code.replace("()", "").split(".");
    const owner = second === undefined ? table.ours : PREFIXES[first!];
    return owner === undefined || !OURS[owner]?.(connection)(second ?? first!);
  });
}

describe("docs/migrating.md", () => {
  it("has the tables that are checked, and no other", () => {
    assertEquals(tables.map(({ theirs }) => theirs), [...THEIRS.keys()]);
  });

  for (const [heading, theirs] of THEIRS) {
    it(`names all members of ${heading}, and no other`, () => {
      const named = tableOf(heading).rows.flatMap((row) => row.theirs);
      assertEquals(named.toSorted(), theirs.toSorted());
    });

    it(`names what there is, for ${heading}`, async () => {
      const { connection, close } = openConnection();
      const table = tableOf(heading);
      assertEquals(missing(table, connection), []);
      const unexplained = table.rows.filter(({ ours, remark }) => ours.length === 0 && remark === "");
      assertEquals(unexplained, [], "what has no counterpart needs a remark");
      await close();
    });
  }

  it("finds names that nothing has", async () => {
    const { connection, close } = openConnection();
    const rows = ["clients", "connection.readyState", "options.nothing", "reconnect.retries", "wss.port", "port"]
      .map((code) => ({ theirs: [], ours: [code], remark: "" }));
    const table = { theirs: "", ours: "WebSocketServer", rows };
    assertEquals(missing(table, connection), rows.slice(0, -1).map(({ ours }) => ours[0]!));
    await close();
  });

  for (const [heading, kept] of KEPT) {
    it(`has all names that were kept, of ${heading}`, () => {
      const ours = new Set(tableOf(heading).rows.flatMap((row) => row.ours.map((code) => code.replace("()", ""))));
      assertEquals(kept.filter((name) => !ours.has(name)), []);
    });
  }
});

/** Runs tests/peers/members.mjs. */
async function membersOf(command: string[], library: string): Promise<Record<string, string[]>> {
  const { text, errors, status } = await runToEnd(command, peerFile("members.mjs"), library);
  assertEquals(status, 0, errors);
  return JSON.parse(text);
}

const namesOf = (heading: string): string[] => THEIRS.get(heading)!;

describePeer("the members of ws", ["Deno", "npm:ws@8.23.0"], (deno) => {
  it("are those of the tables", async () => {
    const { options, server, connection } = await membersOf([...deno, "run", "-A"], "ws");
    assertEquals(namesOf("`new WebSocketServer()`").toSorted(), options!.toSorted());
    const isMember = (name: string): boolean => !name.startsWith('"') && name !== "createWebSocketStream()";
    assertEquals(namesOf("`wss.`").filter(isMember).toSorted(), server!.toSorted());
    assertEquals(namesOf("`ws.`").filter(isMember).toSorted(), connection!.toSorted());
  });
});

describePeer("the members of reconnecting-websocket", ["Deno", "npm:reconnecting-websocket@4.4.0"], (deno) => {
  it("are those of the table", async () => {
    const { members } = await membersOf([...deno, "run", "-A"], "reconnecting");
    assertEquals(members!.filter((name) => !namesOf("`ReconnectingWebSocket`").includes(name)), []);
  });
});

describePeer("the members of a ServerWebSocket", "Bun", () => {
  it("are those of the table", async () => {
    const { members } = await membersOf([...find("Bun")!], "bun");
    const named = namesOf("`ServerWebSocket`").map((name) => name.replace("()", ""));
    assertEquals(named.toSorted(), members!.filter((name) => name !== "constructor").toSorted());
  });
});
