/**
 * Remedies for names of client options that users of other libraries write: `ws`, pages, reconnecting-websocket,
 * socket.io.
 *
 * @module
 */

import { hintsOf, type OptionHints } from "../base/option_names.ts";
import { CONNECTION_HINTS, EVENT_TARGET_MEMBERS } from "../connection/option_hints.ts";

/** Hints for clients. */
export const CLIENT_HINTS: OptionHints = {
  ...CONNECTION_HINTS,
  ...hintsOf([
    ["give the URL as the first argument", "url uri href"],
    ['put the query into the URL, or into "pathName"', "query"],
    ["connectTimeout", "handshakeTimeout connectionTimeout timeout ConnectTimeOut"],
    ['use "proxy", the URL of an HTTP proxy', "agent dispatcher"],
    ["maxRedirects", "followRedirects"],
    ["path", "socketPath unix"],
    ['use "token" or "headers"', "auth authorization"],
    ["token", "bearer"],
    ["headers", "extraHeaders customHeaders cookie withCredentials"],
    ['use "certificateFile", or "certificate" for PEM text', "cert"],
    ['use "certificateKeyFile", or "certificateKey" for PEM text', "key"],
    ["onGetSSLPassword", "passphrase"],
    ["serverName", "servername"],
    [
      'use "rootCertificateFile" for a certificate that the system does not trust',
      "rejectUnauthorized checkServerIdentity",
    ],
    ["reconnect", "autoReconnect reconnection WatchDog"],
    ['use "reconnect: { shouldReconnect }"', "shouldReconnect"],
    [
      'use "reconnect: { minDelay }"',
      "reconnectInterval reconnectDelay reconnectionDelay minReconnectionDelay retryDelay minDelay",
    ],
    ['use "reconnect: { maxDelay }"', "maxReconnectInterval maxReconnectionDelay reconnectionDelayMax maxDelay"],
    [
      'leave it out: waits double up to "reconnect: { maxDelay }", and are random parts of that',
      "reconnectDecay reconnectionDelayGrowFactor randomizationFactor",
    ],
    [
      'use "reconnect: { maxAttempts }"',
      "maxRetries maxReconnectAttempts reconnectAttempts reconnectionAttempts retries maxAttempts",
    ],
    ['use "reconnect: { minUptime }"', "minUptime"],
    ['use "reconnect: { maxQueuedSize }"', "maxQueuedSize"],
    ['use "reconnect: { maxQueuedSize }", in bytes', "maxEnqueuedMessages"],
    ["leave it out: a client connects when connect() is called", "startClosed autoConnect automaticOpen"],
    ["onConnect", "open onopen"],
    ["onDisconnect", "onEnd"],
    ['use "onReconnecting", and "onConnect" for the new connection', "onreconnect"],
    ["onHandshakeResponse", "onupgrade"],
  ]),
};

/** Hints for `reconnect`. */
export const RECONNECT_HINTS: OptionHints = /* @__PURE__ */ hintsOf([
  ["minDelay", "delay interval initialDelay min minReconnectionDelay"],
  ["maxDelay", "max maxInterval maxReconnectionDelay"],
  ["maxAttempts", "retries maxRetries attempts limit"],
  ["leave it out: the wait doubles", "factor"],
  ["leave it out: each wait is a random part of the longest", "jitter"],
  ['use "maxQueuedSize", in bytes', "maxEnqueuedMessages"],
  ["terminalCodes", "codes"],
]);

/** Members of clients of other libraries, and remedies. */
export const CLIENT_MEMBERS: OptionHints = /* @__PURE__ */ hintsOf([
  ["set handlers such as onConnect, onMessageReceived and onDisconnect", EVENT_TARGET_MEMBERS],
  ["call send()", "emit"],
  ["call disconnect(true, code, reason)", "close"],
  ["call disconnect(false)", "terminate"],
  ["call connect()", "open"],
  ['use "state", which is "connecting", "open", "closing" or "closed"', "readyState"],
]);
