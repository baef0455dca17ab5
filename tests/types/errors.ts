/** Compile-time checks of the error classes: `instanceof` narrows `code` to the codes of the class. */

import {
  BackplaneError,
  type BackplaneErrorCode,
  CertificateError,
  type CertificateErrorCode,
  ConnectionClosedError,
  type ConnectionClosedErrorCode,
  type FlowEndpointErrorCode,
  HandlerError,
  type HandlerErrorCode,
  HandshakeError,
  type HandshakeErrorCode,
  HttpError,
  type HttpErrorCode,
  JournalError,
  type JournalErrorCode,
  OptionError,
  type OptionErrorCode,
  ProtocolError,
  type ProtocolErrorCode,
  StateError,
  type StateErrorCode,
  TransportError,
  type TransportErrorCode,
  WebSocketError,
  type WebSocketErrorCode,
  type WhatsAppApiErrorCode,
} from "@tackline/websocket/errors";
import { type FlowEndpointError, WhatsAppApiError } from "@tackline/websocket/cloud-api";

/** `true` if two types are the same. */
type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends (<T>() => T extends Other ? 1 : 2) ? true : false;

/** Each class has the codes of its type, no more and no fewer. */
export const CODES: {
  backplane: Same<BackplaneError["code"], BackplaneErrorCode>;
  certificate: Same<CertificateError["code"], CertificateErrorCode>;
  closed: Same<ConnectionClosedError["code"], ConnectionClosedErrorCode>;
  handler: Same<HandlerError["code"], HandlerErrorCode>;
  handshake: Same<HandshakeError["code"], HandshakeErrorCode>;
  http: Same<HttpError["code"], HttpErrorCode>;
  journal: Same<JournalError["code"], JournalErrorCode>;
  option: Same<OptionError["code"], OptionErrorCode>;
  protocol: Same<ProtocolError["code"], ProtocolErrorCode>;
  state: Same<StateError["code"], StateErrorCode>;
  transport: Same<TransportError["code"], TransportErrorCode>;
  api: Same<WhatsAppApiError["code"], WhatsAppApiErrorCode>;
  flow: Same<FlowEndpointError["code"], FlowEndpointErrorCode>;
  any: Same<WebSocketError["code"], WebSocketErrorCode>;
} = {
  backplane: true,
  certificate: true,
  closed: true,
  handler: true,
  handshake: true,
  http: true,
  journal: true,
  option: true,
  protocol: true,
  state: true,
  transport: true,
  api: true,
  flow: true,
  any: true,
};

/** A `switch` over the codes of one class that needs no `default`. */
export function explain(error: unknown): string {
  if (error instanceof ConnectionClosedError) return `${error.code}: ${error.closeCode} ${error.reason}`;
  if (error instanceof HandlerError) return error.code === "ERR_HANDLER" ? "it threw" : "it took too long";
  if (error instanceof StateError) {
    switch (error.code) {
      case "ERR_NOT_OPEN":
        return "not open";
      case "ERR_RUNNING":
        return "running";
      case "ERR_UNSUPPORTED":
        return "unsupported";
      case "ERR_MESSAGE_IN_PROGRESS":
        return "in the middle of a message";
      case "ERR_TOO_MANY_TOPICS":
        return "too many topics";
    }
  }
  if (error instanceof TransportError) {
    // @ts-expect-error The code of another class.
    if (error.code === "ERR_INVALID_UTF8") return "never";
    return error.code === "ERR_CONNECT" ? "unreachable" : error.code;
  }
  return "unknown";
}

/** Every error of the library. */
export const CLASSES: readonly (abstract new (...args: never[]) => Error & { code: string })[] = [
  BackplaneError,
  CertificateError,
  ConnectionClosedError,
  HandlerError,
  HandshakeError,
  HttpError,
  JournalError,
  OptionError,
  ProtocolError,
  StateError,
  TransportError,
  WebSocketError,
  WhatsAppApiError,
];
