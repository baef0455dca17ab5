/**
 * Remedies for names of server options that users of other libraries write: `ws`, socket.io, the servers of the
 * runtimes.
 *
 * @module
 */

import { hintsOf, type OptionHints } from "../base/option_names.ts";
import { CONNECTION_HINTS, EVENT_TARGET_MEMBERS } from "../connection/option_hints.ts";

/** Hints for servers. */
export const SERVER_HINTS: OptionHints = {
  ...CONNECTION_HINTS,
  ...hintsOf([
    ['wait for start(), then read "address"', "listen onListen onlistening"],
    ["hostname", "bind ip"],
    ["port", "DefaultPort"],
    ['use "hostname" and "port"', "Bindings"],
    ['use "hostname", "port" and "pathName"', "url"],
    ["onAllow", "verifyClient allowRequest authenticate onUpgrade upgrade"],
    ["onSelectProtocol", "handleProtocols"],
    ["origins", "cors allowedOrigins"],
    ['use "origins", a list', "origin"],
    ["leave it out: the system decides about it", "backlog"],
    ['leave it out: "connections" has all that are open', "clientTracking"],
    ["leave it out; handleUpgrade() serves upgrades of another HTTP server, acceptStream() other streams", "noServer"],
    ['leave it out: call handleUpgrade() in the event "upgrade" of that server', "server"],
    [
      'put handlers beside the other options, such as "onMessageReceived", and data into "connection.data"',
      "websocket",
    ],
    ['set "connection.data" in "onAllow" or "onConnect"', "data"],
    ['use "useSSL", "certificateFile" and "certificateKeyFile"', "tls ssl secure https SSLOptions"],
    ['use "certificateFile" with "useSSL", or "certificate" for PEM text', "cert certFile"],
    ['use "certificateKeyFile" with "useSSL", or "certificateKey" for PEM text', "key keyFile privateKey"],
    ["onGetSSLPassword", "passphrase OnGetPassword"],
    ['use "onCommandGet", which answers plain HTTP requests', "fetch static handler onRequest"],
    ['use "onOpen", which is called after the handshake', "open onopen connection onconnection"],
    ['use "onEnd", or "onClose" for the close frame', "close onclose"],
    ["path", "unix socketPath"],
    ["maxBodySize", "maxRequestBodySize"],
    ['use the option "except" of publish()', "publishToSelf"],
    ["handshakeTimeout", "connectTimeout upgradeTimeout"],
    ["trustedProxies", "trustProxy trustedProxy"],
    ["proxyProtocol", "acceptProxy"],
    ["backplane", "adapter"],
    ['use "backplane", such as a RedisBackplane', "redis"],
    ["maxConnections", "maxClients"],
    ["leave it out", "development"],
  ]),
};

/** Members of servers of other libraries, and remedies. */
export const SERVER_MEMBERS: OptionHints = /* @__PURE__ */ hintsOf([
  ["set handlers such as onOpen, onMessageReceived and onEnd", EVENT_TARGET_MEMBERS],
  ["call broadcastMessage(), sendMessageTo() or publish()", "emit"],
  ["call stop()", "close"],
  ['set "port", then call start()', "listen"],
  ["connections", "clients"],
]);
