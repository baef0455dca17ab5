/**
 * Remedies for names of client options that users of other libraries write: `ws`, pages, reconnecting-websocket,
 * socket.io.
 *
 * @module
 */

import type { OptionHints } from "../base/option_names.ts";
import { CONNECTION_HINTS } from "../connection/option_hints.ts";

const URL_FIRST = "give the URL as the first argument";
const CONNECT_TIMEOUT = 'use "connectTimeout"';
const MIN_DELAY = 'use "reconnect: { minDelay }"';
const MAX_DELAY = 'use "reconnect: { maxDelay }"';
const MAX_ATTEMPTS = 'use "reconnect: { maxAttempts }"';
const FACTOR = 'leave it out: waits double up to "reconnect: { maxDelay }", and are random parts of that';
const RECONNECT = 'use "reconnect"';
const HEADERS = 'use "headers"';
const CERTIFICATE = "leave it out: a client shows no certificate of its own";
const CONNECT = "leave it out: a client connects when connect() is called";

/** Hints for clients. */
export const CLIENT_HINTS: OptionHints = {
  ...CONNECTION_HINTS,
  url: URL_FIRST,
  uri: URL_FIRST,
  href: URL_FIRST,
  query: 'put the query into the URL, or into "pathName"',
  handshakeTimeout: CONNECT_TIMEOUT,
  connectionTimeout: CONNECT_TIMEOUT,
  timeout: CONNECT_TIMEOUT,
  ConnectTimeOut: CONNECT_TIMEOUT,
  agent: 'use "proxy", the URL of an HTTP proxy',
  dispatcher: 'use "proxy", the URL of an HTTP proxy',
  followRedirects: 'use "maxRedirects"',
  auth: 'use "token" or "headers"',
  authorization: 'use "token" or "headers"',
  bearer: 'use "token"',
  extraHeaders: HEADERS,
  customHeaders: HEADERS,
  cookie: HEADERS,
  withCredentials: HEADERS,
  cert: CERTIFICATE,
  key: CERTIFICATE,
  certificateFile: CERTIFICATE,
  certificateKeyFile: CERTIFICATE,
  passphrase: CERTIFICATE,
  rejectUnauthorized: 'use "rootCertificateFile" for a certificate that the system does not trust',
  checkServerIdentity: 'use "rootCertificateFile" for a certificate that the system does not trust',
  autoReconnect: RECONNECT,
  reconnection: RECONNECT,
  WatchDog: RECONNECT,
  shouldReconnect: 'use "reconnect: { shouldReconnect }"',
  reconnectInterval: MIN_DELAY,
  reconnectDelay: MIN_DELAY,
  reconnectionDelay: MIN_DELAY,
  minReconnectionDelay: MIN_DELAY,
  retryDelay: MIN_DELAY,
  minDelay: MIN_DELAY,
  maxReconnectInterval: MAX_DELAY,
  maxReconnectionDelay: MAX_DELAY,
  reconnectionDelayMax: MAX_DELAY,
  maxDelay: MAX_DELAY,
  reconnectDecay: FACTOR,
  reconnectionDelayGrowFactor: FACTOR,
  randomizationFactor: FACTOR,
  maxRetries: MAX_ATTEMPTS,
  maxReconnectAttempts: MAX_ATTEMPTS,
  reconnectAttempts: MAX_ATTEMPTS,
  reconnectionAttempts: MAX_ATTEMPTS,
  retries: MAX_ATTEMPTS,
  maxAttempts: MAX_ATTEMPTS,
  minUptime: 'use "reconnect: { minUptime }"',
  maxQueuedSize: 'use "reconnect: { maxQueuedSize }"',
  maxEnqueuedMessages: 'use "reconnect: { maxQueuedSize }", in bytes',
  startClosed: CONNECT,
  autoConnect: CONNECT,
  automaticOpen: CONNECT,
  open: 'use "onConnect"',
  onEnd: 'use "onDisconnect"',
  onopen: 'use "onConnect"',
  onreconnect: 'use "onReconnecting", and "onConnect" for the new connection',
  onupgrade: 'use "onHandshakeResponse"',
};

/** Hints for `reconnect`. */
export const RECONNECT_HINTS: OptionHints = {
  delay: 'use "minDelay"',
  interval: 'use "minDelay"',
  initialDelay: 'use "minDelay"',
  min: 'use "minDelay"',
  minReconnectionDelay: 'use "minDelay"',
  max: 'use "maxDelay"',
  maxInterval: 'use "maxDelay"',
  maxReconnectionDelay: 'use "maxDelay"',
  retries: 'use "maxAttempts"',
  maxRetries: 'use "maxAttempts"',
  attempts: 'use "maxAttempts"',
  limit: 'use "maxAttempts"',
  factor: "leave it out: the wait doubles",
  jitter: "leave it out: each wait is a random part of the longest",
  maxEnqueuedMessages: 'use "maxQueuedSize", in bytes',
  codes: 'use "terminalCodes"',
};

const SET_HANDLERS = "set handlers such as onConnect, onMessageReceived and onDisconnect";

/** Members of clients of other libraries, and remedies. */
export const CLIENT_MEMBERS: OptionHints = {
  on: SET_HANDLERS,
  once: SET_HANDLERS,
  off: SET_HANDLERS,
  addListener: SET_HANDLERS,
  addEventListener: SET_HANDLERS,
  emit: "call send()",
  close: "call disconnect(true, code, reason)",
  terminate: "call disconnect(false)",
  open: "call connect()",
  readyState: 'use "state", which is "connecting", "open", "closing" or "closed"',
};
