import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertHostName, withoutBrackets } from "../../base/host_name.ts";
import { WebSocketClient, WebSocketServer } from "../../mod.ts";

const REFUSED: [name: string, hint: string][] = [
  ["localhost ", "white space around it"],
  ["\tlocalhost", "white space around it"],
  ["a b", "visible ASCII"],
  ["a\r\nX: y", "visible ASCII"],
  ["b\u00fccher.example", "xn--"],
  ["ws://localhost", "must not have a scheme"],
  ["localhost/chat", "must not have a path"],
  ["localhost?a", "must not have a path"],
  ["user:secret@localhost", "credentials"],
  ["localhost:8080", 'the port is the setting "port"'],
  ["1:2", 'the port is the setting "port"'],
  ["[::1]:80", 'the port is the setting "port"'],
  ["[::1", 'the port is the setting "port"'],
];
const TAKEN = ["localhost", "localhost.", "a_b", "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1", "fe80::1%eth0"];

describe("assertHostName", () => {
  it("takes names and addresses, IPv6 ones with brackets or without", () => {
    for (const name of TAKEN) assertHostName(name);
  });

  it("refuses all else with the reason, and shows no password", () => {
    for (const [name, hint] of REFUSED) {
      const error = assertThrows(() => assertHostName(name), OptionError, hint);
      assertEquals(error.message.includes("secret"), false);
    }
    for (const name of ["", "*"]) {
      assertEquals(
        assertThrows(() => assertHostName(name, "all"), OptionError).message,
        `The setting "hostname" is "${name}", not a host name or address: all`,
      );
    }
  });

  it("checks the setting of client and server", () => {
    for (const [name, hint] of REFUSED) {
      assertThrows(() => new WebSocketClient({ hostname: name }), OptionError, hint);
      assertThrows(() => new WebSocketServer({ hostname: name }), OptionError, hint);
    }
    for (const name of ["", "*"]) {
      assertThrows(() => new WebSocketServer({ hostname: name }), OptionError, 'it is "0.0.0.0" or "::"');
      assertThrows(() => new WebSocketClient({ hostname: name }), OptionError, "not a host name");
    }
  });
});

describe("withoutBrackets", () => {
  it("takes the brackets off an IPv6 address, and lets a server listen on it in both forms", async () => {
    assertEquals(["[::1]", "::1", "a"].map(withoutBrackets), ["::1", "::1", "a"]);
    for (const hostname of ["::1", "[::1]"]) {
      await using server = new WebSocketServer({ port: 0, hostname });
      await server.start();
      assertEquals(server.address?.hostname, "::1");
    }
  });
});
