/**
 * Remedies for names of server options that users of other libraries write: `ws`, `Bun.serve`, `Deno.serve`, socket.io.
 *
 * @module
 */

import type { OptionHints } from "../base/option_names.ts";
import { CONNECTION_HINTS } from "../connection/option_hints.ts";

const HTTP = 'use "onCommandGet", which answers plain HTTP requests';
const BACKLOG = "leave it out: the system decides about it";
const OPENED = 'use "onOpen", which is called after the handshake';
const ENDED = 'use "onEnd", or "onClose" for the close frame';
const LISTENING = 'wait for start(), then read "address"';
const ALLOW = 'use "onAllow"';
const CERTIFICATE = 'use "certificateFile" with "useSSL"';
const KEY = 'use "certificateKeyFile" with "useSSL"';
const TLS = 'use "useSSL", "certificateFile" and "certificateKeyFile"';

const WEBSOCKET = 'put handlers beside the other options, such as "onMessageReceived", and data into "connection.data"';

/** Hints for servers. */
export const SERVER_HINTS: OptionHints = {
  ...CONNECTION_HINTS,
  listen: LISTENING,
  bind: 'use "hostname"',
  ip: 'use "hostname"',
  DefaultPort: 'use "port"',
  Bindings: 'use "hostname" and "port"',
  url: 'use "hostname", "port" and "pathName"',
  verifyClient: ALLOW,
  allowRequest: ALLOW,
  authenticate: ALLOW,
  handleProtocols: 'use "onSelectProtocol"',
  cors: 'use "origins"',
  origin: 'use "origins", a list',
  allowedOrigins: 'use "origins"',
  backlog: BACKLOG,
  clientTracking: 'leave it out: "connections" has all that are open',
  noServer: 'leave it out; acceptStream() serves connections from elsewhere, "onCommandGet" answers plain HTTP',
  server: 'leave it out: this server has a port of its own, and answers plain HTTP with "onCommandGet"',
  websocket: WEBSOCKET,
  data: 'set "connection.data" in "onAllow" or "onConnect"',
  tls: TLS,
  ssl: TLS,
  secure: TLS,
  https: TLS,
  SSLOptions: TLS,
  cert: CERTIFICATE,
  certFile: CERTIFICATE,
  certificate: CERTIFICATE,
  key: KEY,
  keyFile: KEY,
  privateKey: KEY,
  passphrase: 'use "onGetSSLPassword"',
  OnGetPassword: 'use "onGetSSLPassword"',
  fetch: HTTP,
  routes: HTTP,
  static: HTTP,
  handler: HTTP,
  onRequest: HTTP,
  onUpgrade: ALLOW,
  upgrade: ALLOW,
  open: OPENED,
  close: ENDED,
  onclose: ENDED,
  onopen: OPENED,
  connection: OPENED,
  onconnection: OPENED,
  onListen: LISTENING,
  onlistening: LISTENING,
  unix: "use acceptStream() with the streams of a Unix socket",
  maxRequestBodySize: 'use "maxBodySize"',
  publishToSelf: 'use the option "except" of publish()',
  connectTimeout: 'use "handshakeTimeout"',
  upgradeTimeout: 'use "handshakeTimeout"',
  adapter: 'use "backplane"',
  redis: 'use "backplane", such as a RedisBackplane',
  maxClients: 'use "maxConnections"',
  development: "leave it out",
};

const SET_HANDLERS = "set handlers such as onOpen, onMessageReceived and onEnd";

/** Members of servers of other libraries, and remedies. */
export const SERVER_MEMBERS: OptionHints = {
  on: SET_HANDLERS,
  once: SET_HANDLERS,
  off: SET_HANDLERS,
  addListener: SET_HANDLERS,
  addEventListener: SET_HANDLERS,
  emit: "call broadcastMessage(), sendMessageTo() or publish()",
  close: "call stop()",
  listen: 'set "port", then call start()',
  clients: 'use "connections"',
  handleUpgrade: "call acceptStream()",
};
