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
