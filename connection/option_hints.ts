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
  ["pathName", "path pathname"],
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
  ['use "rootCertificateFile", the path of a PEM file', "ca"],
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
