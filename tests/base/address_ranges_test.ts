/** Tests of addresses and ranges: every form, its canonical form, and what is refused. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AddressRanges, assertAddressRanges, formatAddress, parseAddress } from "../../base/address_ranges.ts";
import { OptionError } from "../../base/errors.ts";
import { withSeed } from "../support/support.ts";

const canonical = (text: string): string | undefined => {
  const bytes = parseAddress(text);
  return bytes && formatAddress(bytes);
};

describe("parseAddress", () => {
  it("reads each form, and writes it in one", () => {
    const forms: [string, string][] = [
      ["192.0.2.1", "192.0.2.1"],
      ["0.0.0.0", "0.0.0.0"],
      ["255.255.255.255", "255.255.255.255"],
      ["::", "::"],
      ["::1", "::1"],
      ["1::", "1::"],
      ["2001:DB8::A", "2001:db8::a"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
      ["fe80::1%eth0", "fe80::1"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["::FFFF:c000:201", "192.0.2.1"],
      ["::ffff:c000:201%lo", "192.0.2.1"],
      ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
      ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ];
    for (const [text, expected] of forms) assertEquals(canonical(text), expected, text);
  });

  it("refuses what is no address", () => {
    const wrong = [
      "",
      "1",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.04",
      "1.2.3.",
      " 1.2.3.4",
      "1.2.3.4 ",
    ];
    wrong.push("1.2.3.-4", "0x7f.0.0.1", "1.2.3.4:80", "[::1]", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "12345::");
    wrong.push("1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "g::", "%eth0", "::-1");
    wrong.push("a".repeat(10_000), ":".repeat(10_000), "::%".padEnd(200, "x"));
    for (const text of wrong) assertEquals(parseAddress(text), undefined, text.slice(0, 40));
  });

  it("writes an IPv4 address within IPv6, as the PROXY protocol may have it, as IPv4", () => {
    const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
    assertEquals(formatAddress(bytes), "192.0.2.1");
    assertEquals(formatAddress(bytes.with(9, 1)), "::1:ffff:c000:201");
  });

  it("reads what it has written, for random addresses", () => {
    withSeed((random) => {
      for (let count = 0; count < 2000; count++) {
        const bytes = random.bytes(random.int(2) === 0 ? 4 : 16);
        for (let zeros = random.int(4) * 4; zeros > 0; zeros--) bytes[random.int(bytes.length)] = 0;
        const text = formatAddress(bytes);
        assertEquals(canonical(text), text);
      }
    });
  });
});

describe("AddressRanges", () => {
  it("has the addresses of a range, at each boundary", () => {
    const cases: [string, string[], string[]][] = [
      ["192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.0", "192.0.2.2", "::c000:201"]],
      ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0", "a00::"]],
      ["10.1.2.3/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0"]],
      ["172.16.0.0/12", ["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]],
      ["192.0.2.8/31", ["192.0.2.8", "192.0.2.9"], ["192.0.2.7", "192.0.2.10"]],
      ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::1", "2001:db8::1"]],
      ["2001:db8::/33", ["2001:db8::", "2001:db8:7fff::"], ["2001:db8:8000::", "2001:db9::"]],
      ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
      ["::/0", ["::", "ffff::"], ["1.2.3.4"]],
      ["::ffff:10.0.0.0/104", ["10.255.0.1", "::ffff:a00:1"], ["11.0.0.0"]],
      ["loopback", ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"], ["128.0.0.1", "::2", "", "localhost"]],
      ["private", ["10.1.1.1", "172.20.0.1", "192.168.0.1", "fd00::1"], ["127.0.0.1", "169.254.1.1", "fe80::1", ""]],
      ["unix", [""], ["127.0.0.1", "::1", "/run/a.sock"]],
    ];
    for (const [entry, inside, outside] of cases) {
      const ranges = new AddressRanges([entry]);
      for (const address of inside) assert(ranges.has(address), `${address} in ${entry}`);
      for (const address of outside) assert(!ranges.has(address), `${address} not in ${entry}`);
    }
    assert(!new AddressRanges([]).has("127.0.0.1"));
    assert(new AddressRanges(["192.0.2.1", "private"]).has("192.168.1.1"));
  });

  it("refuses entries with the value and a remedy", () => {
    const cases: [unknown, string][] = [
      ["10.0.0.0/33", 'has "10.0.0.0/33", which is no address or range: the number of bits is 0 to 32'],
      ["::/129", "0 to 128"],
      ["10.0.0.0/", "0 to 32"],
      ["10.0.0.0/08", "0 to 32"],
      ["10.0.0.0/255.0.0.0", "0 to 32"],
      ["::ffff:10.0.0.0/8", "96 to 128"],
      ["*", '"private" stands for private networks'],
      ["localhost", 'write "loopback"'],
      ["Private", 'write "private"'],
      ["nginx", 'write it as "192.0.2.1"'],
      ["10.0.*", 'write it as "192.0.2.1"'],
      ["10.0.0.1:80", "leave the port out"],
      ["[::1]:80", "leave brackets and port out"],
      ["fe80::1%eth0", "leave the zone out"],
      ["", 'has "", which'],
      [5, "has 5, which"],
      [null, 'write it as "192.0.2.1"'],
    ];
    for (const [entry, message] of cases) {
      assertThrows(() => assertAddressRanges([entry], "trustedProxies"), OptionError, message);
    }
    assertThrows(() => new AddressRanges(["10.0.0.0/33"]), OptionError, "10.0.0.0/33");
  });
});
