import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertSocketPath,
  encodeSocketPath,
  MAX_SOCKET_PATH,
  readSocketUrl,
  writeSocketUrl,
} from "../../base/socket_path.ts";

describe("assertSocketPath", () => {
  it("takes paths up to 107 bytes, and no path", () => {
    for (const path of ["", "/run/a.sock", "./a b.sock", "a", "/" + "x".repeat(106), "/" + "é".repeat(53)]) {
      assertSocketPath(path);
    }
  });

  it("says what is wrong with others", () => {
    const faults = [
      ["/" + "x".repeat(MAX_SOCKET_PATH), "it has 108 bytes, 107 at most"],
      ["/" + "é".repeat(54), "it has 109 bytes"],
      ["unix:/run/a.sock", "it must not have a scheme"],
      ["ws://localhost/", "it must not have a scheme"],
      ["\0abstract", "it must not have a zero"],
      ["/run/", "it is a folder"],
    ];
    for (const [path, part] of faults) assertThrows(() => assertSocketPath(path!), OptionError, part);
  });
});

describe("readSocketUrl", () => {
  it("reads the path of the socket, and that of the request with its query", () => {
    const urls: [url: string, path: string, target: string][] = [
      ["ws+unix:/run/a.sock:/chat?room=1", "/run/a.sock", "/chat?room=1"],
      ["ws+unix:///run/a.sock:/chat", "/run/a.sock", "/chat"],
      ["wss+unix:/run/a.sock", "/run/a.sock", "/"],
      ["ws+unix:/run/a.sock?q", "/run/a.sock", "/?q"],
      ["ws+unix:/run/a.sock:", "/run/a.sock", "/"],
      ["ws+unix:/run/a.sock:chat:1", "/run/a.sock", "/chat:1"],
      ["ws+unix:./a.sock:/chat", "./a.sock", "/chat"],
      ["ws+unix:/run/a%20b%3Ac.sock:/d%20e", "/run/a b:c.sock", "/d%20e"],
    ];
    const hostname = "localhost";
    for (const [url, path, target] of urls) assertEquals(readSocketUrl(new URL(url)), { path, hostname, target }, url);
    assertEquals(readSocketUrl(new URL("ws://a/run/a.sock:/chat")), undefined);
  });

  it("is the reverse of writing one", () => {
    for (const path of ["/run/a.sock", "/a b/é?#:%.sock", "./a.sock"]) {
      const found = { path, hostname: "localhost", target: "/x" };
      assertEquals(readSocketUrl(new URL(`ws+unix:${encodeSocketPath(path)}:/x`)), found);
      for (const pathName of ["x", "/x"]) {
        const url = writeSocketUrl({ path, pathName, useSSL: true });
        assertEquals([url?.startsWith("wss+unix:"), readSocketUrl(new URL(url!))], [true, found]);
      }
    }
  });

  it("refuses a URL without a socket, or with a host", () => {
    const faults = [
      ["ws+unix:", "has no path of a socket"],
      ["ws+unix:///:/chat", "has no path of a socket"],
      ["ws+unix:::/chat", "has no path of a socket"],
      ["ws+unix://run/a.sock:/chat", 'has the host "run": write it as "ws+unix:/absolute/path.sock:/path?query"'],
      ["ws+unix:/a%zz.sock", "two hexadecimal digits"],
      [`ws+unix:/${"x".repeat(107)}:/chat`, "107 at most"],
    ];
    for (const [url, part] of faults) assertThrows(() => readSocketUrl(new URL(url!)), OptionError, part);
  });
});
