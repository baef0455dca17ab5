/** Tests of the header fields in which proxies name the client. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AddressRanges } from "../../base/address_ranges.ts";
import { HeaderFields } from "../../protocol/head.ts";
import { clientOf, parseNode } from "../../server/forwarded.ts";

const PEER = { hostname: "127.0.0.1", port: 4000 };
const PROXIES = new AddressRanges(["loopback", "10.0.0.0/8", "2001:db8:f::/48"]);

/** Returns the client as `address:port`, and `+` or `-` if the scheme is known. */
function client(...headers: [name: string, value: string][]): string {
  const fields = new HeaderFields();
  for (const [name, value] of headers) fields.append(name, value);
  const { address: { hostname, port }, encrypted } = clientOf(fields, PROXIES, PEER);
  return `${hostname} ${port}${encrypted === undefined ? "" : encrypted ? " https" : " http"}`;
}

const listed = (...values: string[]): string =>
  client(...values.map((value): [string, string] => ["X-Forwarded-For", value]));
const forwarded = (...values: string[]): string =>
  client(...values.map((value): [string, string] => ["Forwarded", value]));

describe("X-Forwarded-For", () => {
  it("names the first address from the right that is no trusted proxy", () => {
    assertEquals(listed("192.0.2.1"), "192.0.2.1 0");
    assertEquals(listed("192.0.2.1, 10.0.0.1"), "192.0.2.1 0");
    assertEquals(listed("192.0.2.1,10.0.0.1 ,\t10.0.0.2"), "192.0.2.1 0");
    assertEquals(listed("::ffff:192.0.2.1, ::ffff:10.0.0.1"), "192.0.2.1 0");
    assertEquals(listed("2001:DB8:0::1, 2001:db8:f::9"), "2001:db8::1 0");
    // All are trusted: the first of them has sent the request.
    assertEquals(listed("10.0.0.9, 10.0.0.1"), "10.0.0.9 0");
  });

  it("believes nothing that stands left of the client", () => {
    assertEquals(listed("198.51.100.7, 192.0.2.1"), "192.0.2.1 0");
    assertEquals(listed("10.0.0.9, 192.0.2.1, 10.0.0.1"), "192.0.2.1 0");
    assertEquals(listed('198.51.100.7, "', "192.0.2.1"), "192.0.2.1 0");
    assertEquals(listed("garbage,,,;;", "192.0.2.1"), "192.0.2.1 0");
  });

  it("joins several lines", () => {
    assertEquals(listed("192.0.2.1", "10.0.0.1"), "192.0.2.1 0");
    assertEquals(listed("198.51.100.7", "192.0.2.1, 10.0.0.2", "10.0.0.1"), "192.0.2.1 0");
    assertEquals(listed("192.0.2.1", "", " , ,"), "192.0.2.1 0");
  });

  it("reads ports where they stand", () => {
    assertEquals(listed("192.0.2.1:5000"), "192.0.2.1 5000");
    assertEquals(listed("[2001:db8::1]:5000"), "2001:db8::1 5000");
    assertEquals(listed("[2001:db8::1]"), "2001:db8::1 0");
    assertEquals(listed("192.0.2.1:5000, 10.0.0.1:77"), "192.0.2.1 5000");
  });

  it("names the last proxy that is known if it does not tell the client", () => {
    for (const hidden of ["unknown", "_hidden", "", "300.1.1.1", "192.0.2.1:99999", "[192.0.2.1]", "a b", "[::1"]) {
      assertEquals(listed(hidden), "127.0.0.1 4000", hidden);
    }
    assertEquals(listed("198.51.100.7, unknown, 10.0.0.1"), "10.0.0.1 0");
    assertEquals(client(), "127.0.0.1 4000");
  });

  it("bounds the work for lists without end", () => {
    const long = "10.0.0.1,".repeat(200_000) + "10.0.0.2";
    assertEquals(listed(`192.0.2.1,${long}`), "10.0.0.1 0");
    assertEquals(listed(",".repeat(500_000) + "192.0.2.1"), "192.0.2.1 0");
  });
});

describe("Forwarded", () => {
  it("names the first address from the right that is no trusted proxy", () => {
    assertEquals(forwarded("for=192.0.2.1"), "192.0.2.1 0");
    assertEquals(forwarded("For=192.0.2.1;Proto=HTTPS;by=203.0.113.43"), "192.0.2.1 0 https");
    assertEquals(forwarded('by=_x;host="a,b;c";for="192.0.2.1:47011"'), "192.0.2.1 47011");
    assertEquals(forwarded('for="[2001:db8:cafe::17]:4711"'), "2001:db8:cafe::17 4711");
    assertEquals(forwarded('for="[2001:db8:cafe::17]"'), "2001:db8:cafe::17 0");
    assertEquals(forwarded('for="192.0.2.1:_port"'), "192.0.2.1 0");
    assertEquals(forwarded("for=192.0.2.1, for=10.0.0.1;proto=http"), "192.0.2.1 0 http");
    assertEquals(
      forwarded("for=198.51.100.7", "for=192.0.2.1;proto=https, for=10.0.0.1;proto=http"),
      "192.0.2.1 0 https",
    );
    assertEquals(forwarded('for="\\1\\9\\2.0.2.1" ; proto=https'), "192.0.2.1 0 https");
  });

  it("lets no quote of a client hide what a proxy has appended", () => {
    const mine = 'for="192.0.2.1:80";proto=https';
    for (
      const theirs of ['for="', 'for="unclosed', '"', "for=a\\", 'for="a\\', '""",', "for=10.0.0.1;", 'for="x", "']
    ) {
      assertEquals(forwarded(`${theirs}, ${mine}`), "192.0.2.1 80 https", theirs);
      assertEquals(forwarded(theirs, mine), "192.0.2.1 80 https", theirs);
    }
    assertEquals(forwarded('for=198.51.100.7, for="192.0.2.1, for=10.0.0.1"'), "127.0.0.1 4000");
  });

  it("names the last proxy that is known if the element hides the client, or is malformed", () => {
    const hidden = ["for=unknown", "for=_gazonk", 'for="_SEVKISEK"', "proto=https", "for", "for=", "=192.0.2.1"];
    hidden.push("for=192.0.2.1;for=192.0.2.2", 'for="192.0.2.1"x', 'for="192.0.2.1', 'for=192.0.2.1"', "x");
    for (const element of hidden) {
      assertEquals(forwarded(`for=198.51.100.7, ${element}, for=10.0.0.1`).slice(0, 10), "10.0.0.1 0", element);
    }
  });

  it("bounds the work for lists without end", () => {
    assertEquals(forwarded("for=192.0.2.1," + "for=10.0.0.1,".repeat(100_000)), "10.0.0.1 0");
    for (const piece of ['"', '\\"', '"\\', "\\", ';"', 'for="a",']) forwarded(piece.repeat(200_000));
  });
});

describe("both fields", () => {
  it("X-Forwarded-For counts", () => {
    assertEquals(
      client(["Forwarded", "for=198.51.100.7;proto=https"], ["X-Forwarded-For", "192.0.2.1"]),
      "192.0.2.1 0",
    );
  });
});

describe("X-Forwarded-Proto", () => {
  const scheme = (list: string, ...protos: string[]): string =>
    client(["X-Forwarded-For", list], ...protos.map((proto): [string, string] => ["X-Forwarded-Proto", proto]));

  it("tells the scheme of the client", () => {
    for (const proto of ["https", "HTTPS", "wss"]) assertEquals(scheme("192.0.2.1", proto), "192.0.2.1 0 https");
    for (const proto of ["http", "ws"]) assertEquals(scheme("192.0.2.1", proto), "192.0.2.1 0 http");
    for (const proto of ["", "ftp", "https;"]) assertEquals(scheme("192.0.2.1", proto), "192.0.2.1 0");
    assertEquals(client(["X-Forwarded-Proto", "https"]), "127.0.0.1 4000 https");
  });

  it("has one value, or one for each proxy", () => {
    assertEquals(scheme("192.0.2.1, 10.0.0.1", "https"), "192.0.2.1 0 https");
    assertEquals(scheme("192.0.2.1, 10.0.0.1", "https, http"), "192.0.2.1 0 https");
    assertEquals(scheme("192.0.2.1, 10.0.0.1", "https", "http"), "192.0.2.1 0 https");
    // The first is of the client, and forged.
    assertEquals(scheme("192.0.2.1", "https, http"), "192.0.2.1 0 http");
    assertEquals(scheme("192.0.2.1, 10.0.0.1", "https, http, https"), "192.0.2.1 0 http");
  });
});

describe("parseNode", () => {
  it("reads addresses with and without ports only", () => {
    assertEquals(parseNode("192.0.2.1:80"), { hostname: "192.0.2.1", port: 80 });
    for (const text of ["", ":", ":80", "192.0.2.1:", "a:80", "[]", "[]:80", "[::1]80", "[::1]:x", "192.0.2.1:-1"]) {
      const expected = text === "192.0.2.1:" ? { hostname: "192.0.2.1", port: 0 } : undefined;
      assertEquals(parseNode(text), expected, text);
    }
  });
});
