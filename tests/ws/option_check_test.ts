/** Options of a server for `ws` that are misspelt, or of another type. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../ws.ts";
import { assertOptions } from "../../ws/option_check.ts";

const PLATFORM = 'WebSocketServer of "@tackline/websocket"';

/** Makes the message for options; "" if they are taken. */
function faultOf(options: object): string {
  try {
    assertOptions(options);
    return "";
  } catch (error) {
    assertEquals((error as Error).name, "OptionError");
    return (error as Error).message;
  }
}

describe("checks of options for ws", () => {
  it("says what a misspelt name means, also of compression", () => {
    for (
      const [wrong, meant] of [
        ["perMesageDeflate", "perMessageDeflate"],
        ["noserver", "noServer"],
        ["maxPayLoad", "maxPayload"],
        ["handleProtocol", "handleProtocols"],
        ["verifyclient", "verifyClient"],
        ["clientTraking", "clientTracking"],
        ["Port", "port"],
      ] as const
    ) {
      assertEquals(faultOf({ [wrong]: true }), `WebSocketServer has no option "${wrong}"; did you mean "${meant}"?`);
    }
    assertEquals(
      faultOf({ perMessageDeflate: { treshold: 5 } }),
      'The option "perMessageDeflate" has no option "treshold"; did you mean "threshold"?',
    );
    assertThrows(() => new WebSocketServer({ noserver: true } as WebSocketServerOptions), OptionError, "noServer");
  });

  it("says where settings of this library belong", () => {
    assertEquals(
      faultOf({ pingInterval: 0 }),
      'WebSocketServer has no option "pingInterval"; give it in "settings": { settings: { pingInterval: … } }',
    );
    assertEquals(faultOf({ hostname: "::1" }), 'WebSocketServer has no option "hostname"; use "host"');
    assertStringIncludes(faultOf({ onMessageReceived() {} }), `: listen for events, or use ${PLATFORM}`);
    assertEquals(
      faultOf({ settings: { port: 1 } }),
      'The option "settings" has no option "port"; give "port" beside "settings"',
    );
    assertEquals(
      faultOf({ settings: { compression: true } }),
      'The option "settings" has no option "compression"; give "perMessageDeflate" beside "settings"',
    );
    for (const name of ["routes", "onOpen"]) {
      assertEquals(
        faultOf({ settings: { [name]() {} } }),
        `The option "settings" has no option "${name}": use ${PLATFORM}`,
      );
    }
    assertEquals(faultOf({ settings: 3 }), 'The option "settings" is 3 instead of an object');
  });

  it("leaves names of other programs alone, and what is undefined", () => {
    const others = { ssl: true, key: "", cert: "", maxBufferedChunks: 5, maxPendingAutoPongs: 5, timeout: 7, post: 1 };
    assertEquals(faultOf(others), "");
    assertEquals(faultOf({ noserver: undefined, settings: { port: undefined, pingInterval: 1 } }), "");
    assertEquals(faultOf({ verifyClient: null, handleProtocols: false, server: null, settings: null }), "");
  });

  it("takes functions alone for functions, and a server of node:http alone for one", () => {
    assertEquals(faultOf({ verifyClient: "a" }), 'The handler "verifyClient" is "a" instead of a function');
    assertEquals(
      faultOf({ handleProtocols: ["a"] }),
      'The handler "handleProtocols" is an array instead of a function',
    );
    const express = Object.assign(() => {}, { on() {}, removeListener() {}, address() {} });
    assertStringIncludes(faultOf({ server: express }), "is a function instead of a server of node:http: an Express");
    assertStringIncludes(
      faultOf({ server: { stop() {} } }),
      "is an object instead of a server of node:http: only such",
    );
  });
});
