import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { isLoopback } from "../../base/loopback.ts";

describe("isLoopback", () => {
  it("knows the addresses that never leave the machine", () => {
    for (const name of ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.3", "::1", "[::1]"]) {
      assertEquals(isLoopback(name), true);
    }
    for (
      const name of [
        "0.0.0.0",
        "::",
        "128.0.0.1",
        "127.0.0.1.example.com",
        "127.0.0",
        "127.0.0.256",
        "127.a.0.1",
        "127.0.0.0001",
        "127.0.0.000000000000001",
        "127.0.0.",
        "127..0.1",
        "127.0.0.1.",
        "127.0.0.1.1",
        "127.1",
        "127",
        "2130706433",
        "0x7f.0.0.1",
        "127.0.0.+1",
        "::ffff:127.0.0.1",
        "localhost.",
        "localhost.example.com",
        "",
      ]
    ) {
      assertEquals(isLoopback(name), false);
    }
  });
});
