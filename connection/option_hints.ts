/**
 * Remedies for names of options that users of other libraries write, on both sides: `ws`, Bun, pages, socket.io,
 * Delphi.
 *
 * @module
 */

import type { OptionHints } from "../base/option_names.ts";

const COMPRESSION = 'use "compression"';
const MESSAGES = 'use "onMessageReceived" for texts and "onBinaryDataReceived" for bytes';
const SIZE = 'use "maxMessageSize"';
const KEEP_ALIVE = 'use "pingInterval" and "pongTimeout"';
const TLS = 'use "useSSL"';
const WAITING = 'use "maxBufferedAmount" and "highWaterMark"';

/** Hints for servers and clients. */
export const CONNECTION_HINTS: OptionHints = {
  host: 'use "hostname"',
  address: 'use "hostname"',
  path: 'use "pathName"',
  pathname: 'use "pathName"',
  protocol: 'use "protocols", a list',
  subprotocol: 'use "protocols", a list',
  subprotocols: 'use "protocols"',
  perMessageDeflate: COMPRESSION,
  deflate: COMPRESSION,
  compress: COMPRESSION,
  maxPayload: SIZE,
  maxPayloadLength: SIZE,
  maxPayloadSize: SIZE,
  maxHttpBufferSize: SIZE,
  maxReceivedMessageSize: SIZE,
  maxReceivedFrameSize: SIZE,
  backpressureLimit: WAITING,
  closeOnBackpressureLimit: 'use "slowConsumer"',
  fragmentationThreshold: 'use "splitMessage" and "frameSize"',
  fragmentOutgoingMessages: 'use "splitMessage" and "frameSize"',
  autoPong: 'use "options: { manualPong: true }" to answer no ping',
  manualPong: 'use "options: { manualPong: true }"',
  manualClose: 'use "options: { manualClose: true }"',
  frameByFrame: 'use "options: { frameByFrame: true }"',
  skipUTF8Validation: "leave it out: texts are always checked",
  allowSynchronousEvents: "leave it out: handlers are called at once, in the order of arrival",
  tls: TLS,
  ssl: TLS,
  secure: TLS,
  https: TLS,
  SSLOptions: TLS,
  ca: 'use "rootCertificateFile", the path of a PEM file',
  RootCertFile: 'use "rootCertificateFile"',
  keepAlive: KEEP_ALIVE,
  keepaliveInterval: KEEP_ALIVE,
  heartbeat: KEEP_ALIVE,
  heartbeatInterval: KEEP_ALIVE,
  sendPings: KEEP_ALIVE,
  pingTimeout: 'use "pongTimeout"',
  timeout: 'use "closeTimeout", "idleTimeout", "messageTimeout" or "pongTimeout"',
  ReadTimeout: 'use "idleTimeout" or "messageTimeout"',
  onmessage: MESSAGES,
  message: MESSAGES,
  onBinary: 'use "onBinaryDataReceived"',
  onclose: 'use "onDisconnect", or "onClose" for the close frame',
  close: 'use "onDisconnect", or "onClose" for the close frame',
  onerror: 'use "onError"',
  error: 'use "onError"',
  drain: 'wait for "drained()" of the connection after send returned "backpressure"',
  onDrain: 'wait for "drained()" of the connection after send returned "backpressure"',
  ping: 'use "onPing"',
  pong: 'use "onPong"',
  binaryType: 'leave it out: "onBinaryDataReceived" gets a Uint8Array',
  transports: "leave it out: this library speaks WebSocket only",
  parser: "leave it out: messages are texts and bytes as they are",
  logger: 'use "onLog"',
  debug: 'use "onLog"',
  log: 'use "onLog"',
  Active: "call start() of a server, or connect() of a client",
};

const SET_HANDLERS = "set handlers such as onMessageReceived of its server or client, or loop over its messages";
const PUBLISH = 'call publish() of the server; its option "except" leaves this connection out';

/** Members of connections of other libraries, and remedies. */
export const CONNECTION_MEMBERS: OptionHints = {
  on: SET_HANDLERS,
  once: SET_HANDLERS,
  off: SET_HANDLERS,
  addListener: SET_HANDLERS,
  addEventListener: SET_HANDLERS,
  emit: "call send()",
  readyState: 'use "state", which is "connecting", "open", "closing" or "closed"',
  publish: PUBLISH,
  publishText: PUBLISH,
  publishBinary: PUBLISH,
  isSubscribed: "call topics.has()",
  sendText: "call send() with a string",
  sendBinary: "call send() with bytes",
};

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
