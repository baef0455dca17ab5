import { assertEquals, assertInstanceOf } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  CertificateError,
  describe as describeError,
  HandlerError,
  HandshakeError,
  HttpError,
  OptionError,
  ProtocolError,
  StateError,
  TransportError,
  WebSocketError,
} from "../../base/errors.ts";

describe("the errors", () => {
  it("have a name, a stable code, a close code, and their cause", () => {
    const cause = new Error("first");
    const errors: [WebSocketError, string, string, number][] = [
      [new ProtocolError("ERR_INVALID_UTF8", "m"), "ProtocolError", "ERR_INVALID_UTF8", 1007],
      [new HandshakeError("ERR_HANDSHAKE_STATUS", "m", 403), "HandshakeError", "ERR_HANDSHAKE_STATUS", 1002],
      [new TransportError("ERR_CONNECT", "m", { cause }), "TransportError", "ERR_CONNECT", 1006],
      [new TransportError("ERR_SLOW_CONSUMER", "m"), "TransportError", "ERR_SLOW_CONSUMER", 1008],
      [new StateError("ERR_NOT_OPEN", "m"), "StateError", "ERR_NOT_OPEN", 1011],
      [new CertificateError("ERR_KEY", "m", { cause }), "CertificateError", "ERR_KEY", 1011],
      [new HttpError("ERR_HTTP_SYNTAX", "m", 400), "HttpError", "ERR_HTTP_SYNTAX", 1002],
      [new HandlerError("onClose", cause), "HandlerError", "ERR_HANDLER", 1011],
    ];
    for (const [error, name, code, closeCode] of errors) {
      assertInstanceOf(error, WebSocketError);
      assertEquals([error.name, error.code, error.closeCode], [name, code, closeCode]);
    }
    assertEquals(errors[2]![0].cause, cause);
    assertEquals(errors[7]![0].message, 'The handler "onClose" failed: first');
    const option = new OptionError("m");
    assertInstanceOf(option, RangeError);
    assertEquals([option.name, option.code], ["OptionError", "ERR_OPTION"]);
  });

  it("are described in one line, for any thrown value", () => {
    assertEquals([new TypeError("a"), new TypeError(), "b", 3, null, undefined].map(describeError), [
      "a",
      "TypeError",
      "b",
      "3",
      "null",
      "undefined",
    ]);
  });
});
