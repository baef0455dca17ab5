/**
 * Remedies for names of options that users of other libraries write, on both sides: `ws`, Bun, pages, socket.io,
 * Delphi.
 *
 * @module
 */

import { hintsOf, type OptionHints } from "../base/option_names.ts";

/** Hints for servers and clients. */
export const CONNECTION_HINTS: OptionHints = /* @__PURE__ */ hintsOf([
  ["hostname", "host address"],
  ["pathName", "pathname"],
  ['use "protocols", a list', "protocol subprotocol"],
  ["protocols", "subprotocols"],
  ["compression", "perMessageDeflate deflate compress"],
  [
    "maxMessageSize",
    "maxPayload maxPayloadLength maxPayloadSize maxHttpBufferSize maxReceivedMessageSize maxReceivedFrameSize",
  ],
  ['use "maxBufferedAmount" and "highWaterMark"', "backpressureLimit"],
  ["slowConsumer", "closeOnBackpressureLimit"],
  ['use "splitMessage" and "frameSize"', "fragmentationThreshold fragmentOutgoingMessages"],
  ['use "options: { manualPong: true }" to answer no ping', "autoPong"],
  ['use "options: { manualPong: true }"', "manualPong"],
  ['use "options: { manualClose: true }"', "manualClose"],
  ['use "options: { frameByFrame: true }"', "frameByFrame"],
  ["leave it out: texts are always checked", "skipUTF8Validation"],
  ["leave it out: handlers are called at once, in the order of arrival", "allowSynchronousEvents"],
  ["useSSL", "tls ssl secure https SSLOptions"],
  ['use "rootCertificateFile", the path of a PEM file, or "rootCertificate" for PEM text', "ca"],
  ["rootCertificateFile", "RootCertFile"],
  ['use "pingInterval" and "pongTimeout"', "keepAlive keepaliveInterval heartbeat heartbeatInterval sendPings"],
  ["pongTimeout", "pingTimeout"],
  ['use "closeTimeout", "idleTimeout", "messageTimeout" or "pongTimeout"', "timeout"],
  ['use "idleTimeout" or "messageTimeout"', "ReadTimeout"],
  ['use "onMessageReceived" for texts and "onBinaryDataReceived" for bytes', "onmessage message"],
  ["onBinaryDataReceived", "onBinary"],
  ['use "onDisconnect", or "onClose" for the close frame', "onclose close"],
  ["onError", "onerror error"],
  ['wait for "drained()" of the connection after send returned "backpressure"', "drain onDrain"],
  ["onPing", "ping"],
  ["onPong", "pong"],
  ['leave it out: "onBinaryDataReceived" gets a Uint8Array', "binaryType"],
  ["leave it out: this library speaks WebSocket only", "transports"],
  ["leave it out: messages are texts and bytes as they are", "parser"],
  ["onLog", "logger debug log"],
  ["call start() of a server, or connect() of a client", "Active"],
]);

/** Members by which objects of other libraries take handlers. */
export const EVENT_TARGET_MEMBERS = "on once off addListener addEventListener";

/** Members of connections of other libraries, and remedies. */
export const CONNECTION_MEMBERS: OptionHints = /* @__PURE__ */ hintsOf([
  ["set handlers such as onMessageReceived of its server or client, or loop over its messages", EVENT_TARGET_MEMBERS],
  ["call send()", "emit"],
  ['use "state", which is "connecting", "open", "closing" or "closed"', "readyState"],
  [
    'call publish() of the server; its option "except" leaves this connection out',
    "publish publishText publishBinary",
  ],
  ["call topics.has()", "isSubscribed"],
  ["call send() with a string", "sendText"],
  ["call send() with bytes", "sendBinary"],
]);

const OF_OWNER = "a handler belongs to its server or client";

/** Handlers, which a connection does not call, and remedies. */
export const CONNECTION_NAMES: OptionHints = {
  onopen: "set onOpen of its server, or onConnect of its client",
  onmessage: "set onMessageReceived and onBinaryDataReceived of its server or client",
  onMessage: "set onMessageReceived and onBinaryDataReceived of its server or client",
  onclose: "set onEnd of its server, or onDisconnect of its client",
  onerror: "set onError of its server or client",
  onOpen: OF_OWNER,
  onConnect: OF_OWNER,
  onMessageReceived: OF_OWNER,
  onBinaryDataReceived: OF_OWNER,
  onPing: OF_OWNER,
  onPong: OF_OWNER,
  onClose: OF_OWNER,
  onEnd: OF_OWNER,
  onDisconnect: OF_OWNER,
  onError: OF_OWNER,
};
