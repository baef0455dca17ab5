import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, OptionError } from "../../base/errors.ts";
import { RoutePatterns } from "../../server/route_pattern.ts";
import { cpuTime } from "../support/support.ts";

/** Matches a path; gives the pattern, and the parameters. */
function matcher(...patterns: string[]): (path: string) => [string, Readonly<Record<string, string>>] | undefined {
  const compiled = new RoutePatterns(patterns);
  return (path) => {
    const match = compiled.match(path);
    return match && [patterns[match.index]!, match.params];
  };
}

describe("RoutePatterns", () => {
  it("finds paths, parameters, optional parts and the rest of a path", () => {
    const match = matcher("/", "/chat", "/chat/:room", "/a/:x/b/:y", "/page/:n?", "/files/*", "/v:major", "/:n.png");
    assertEquals(match("/"), ["/", {}]);
    assertEquals(match("/chat"), ["/chat", {}]);
    assertEquals(match("/chat/red"), ["/chat/:room", { room: "red" }]);
    assertEquals(match("/a/1/b/2"), ["/a/:x/b/:y", { x: "1", y: "2" }]);
    assertEquals(match("/page"), ["/page/:n?", {}]);
    assertEquals(match("/page/7"), ["/page/:n?", { n: "7" }]);
    assertEquals(match("/files/a/b"), ["/files/*", { "0": "a/b" }]);
    assertEquals(match("/files/"), ["/files/*", { "0": "" }]);
    assertEquals(match("/v2"), ["/v:major", { major: "2" }]);
    assertEquals(match("/a.b.png"), ["/:n.png", { n: "a.b" }]);
    for (const path of ["/chat/", "/chat/a/b", "/Chat", "/files", "//chat", "/chat//red", "/a/1/b/", "*", "chat"]) {
      assertEquals(match(path), undefined, path);
    }
  });

  it("takes the first of several that have a path", () => {
    const match = matcher("/a/special", "/a/:x", "/*");
    assertEquals(match("/a/special")![0], "/a/special");
    assertEquals(match("/a/other")![0], "/a/:x");
    assertEquals(match("/a/b/c")![0], "/*");
  });

  it("decodes parameters once, and freezes them", () => {
    const match = matcher("/chat/:room", "/%C3%A9/:x", "/a b", "/\u00e4");
    const [, params] = match("/chat/a%2Fb%20%25%32%30%C3%A9")!;
    assertEquals(params, { room: "a/b %20\u00e9" });
    assert(Object.isFrozen(params) && Object.isFrozen(match("/a%20b")![1]));
    assertEquals(match("/chat/__proto__")![1], { room: "__proto__" });
    assertEquals(match("/%C3%A9/1")![1], { x: "1" });
    assertEquals([match("/a%20b")![0], match("/%C3%A4")![0]], ["/a b", "/\u00e4"]);
    // Sent raw by some clients.
    assertEquals(match('/chat/"<>{}`')![1], { room: '"<>{}`' });
    assertEquals([matcher('/"<>`')('/"<>`'), matcher('/"<>`')("/%22%3C%3E%60")], [['/"<>`', {}], ['/"<>`', {}]]);
  });

  it("refuses a malformed percent-encoding of a parameter with 400", () => {
    const match = matcher("/chat/:room");
    for (const path of ["/chat/%", "/chat/%zz", "/chat/%E0%A4%A", "/chat/%ff"]) {
      const error = assertThrows(() => match(path), HandshakeError);
      assertEquals((error as HandshakeError).status, 400);
    }
    assertEquals(match("/%ff"), undefined);
  });

  it("finds nothing for paths that can be read in two ways", () => {
    const match = matcher("/*");
    assert(match("/a/b.c/...") !== undefined);
    for (const path of ["/a/../b", "/./a", "/a/..", "/a/%2e%2E/b", "/a/.%2e", "/%2E", "/a\\b", "/a#b"]) {
      assertEquals(match(path), undefined, path);
    }
  });

  it("refuses patterns that are malformed, or never reached", () => {
    const refused: [string[], string][] = [
      [["chat"], 'The route "chat" does not begin with "/"'],
      [["ws://a/chat"], 'does not begin with "/"'],
      [["/a#b"], "has a fragment"],
      [["/a?b=c"], "a query is not part of the path"],
      [["/("], 'The route "/(" is no pattern of URLPattern'],
      [["/:a/:a"], "is no pattern"],
      [["/:a", "/b"], 'The route "/b" is never reached: "/:a" before it has the same paths'],
      [["/*", "/b/c"], '"/*" before it'],
      [["/a b", "/a%20b"], "is never reached"],
    ];
    for (const [patterns, message] of refused) {
      assertStringIncludes(assertThrows(() => new RoutePatterns(patterns), OptionError).message, message);
    }
  });

  it("refuses patterns that take more than linear time for some paths", () => {
    const slow = [
      "/:a-:b",
      "/:a:b",
      "/*-:b",
      "/*/x/*",
      "/:a+/:b+",
      "/{/:a}*/*",
      "/**",
      "/(.*)(.*)",
      "/:a(x)-:b",
      "/:a*/b/*",
      // Half a second for 24 characters.
      "/x:a*/y",
      "/x:a+",
      "/x(\\d)*y",
      "/\\/:a*/x",
      "/{:a}*/x",
      "/{:a-}+x",
      "/{-:a}*/x",
      "/:a{b}*c",
      "/{b}+:a/c",
      // Without the group, both are in one segment.
      "/:a{/b}*:c",
      "/:a{/}?:c",
    ];
    for (const pattern of slow) {
      const error = assertThrows(() => new RoutePatterns([pattern]), OptionError);
      assertStringIncludes(error.message, "would take very long", pattern);
    }
    const fast = [
      "/:a/:b/:c",
      "/x:a.y/:b",
      "/:a/*",
      "/*/x/:b",
      "/:a+",
      "/:a(\\d+)/:b((?:[a-z]|\\))+)",
      "/(\\d+)",
      "/{:a/}?b",
      "/\\:a:b",
      "/:\u00e9\u00e8/b",
      "/{a}*x",
      "/a{/b}*/x",
      "/a{/:b}*/x",
      "/{:a/}*x",
      "/{:a-/}*b",
      "/:a{/b}+:c",
      "/:a{/b}:c",
      "/{a}?:b",
      "/(\\d+)*",
    ];
    for (const pattern of fast) new RoutePatterns([pattern]);
  });

  it("takes linear time for hostile paths", () => {
    const patterns = ["/:a/:b/:c", "/x:a-x/:b-x", "/a/:b?/:c?/d", "/b/*/x/:c", "/c/:a+/x", "/d{/:a-b}+c", "/:n.png"];
    const compiled = new RoutePatterns(patterns);
    const units = ["a", "/a", "-x", "/-x", "/", "-", ".pn", "/x", "-b", "/a-b", "%41", "%", '"', "é"];
    const starts = ["/", "/a", "/b/", "/c/", "/d", "/x"];
    const measure = (length: number): number => {
      const before = cpuTime();
      for (const start of starts) {
        for (const unit of units) {
          try {
            compiled.match(start + unit.repeat(length / unit.length));
          } catch (error) {
            assert(error instanceof HandshakeError);
          }
        }
      }
      return cpuTime() - before;
    };
    measure(1000);
    // 84 paths of 256 KiB: in quadratic time each would take half a minute.
    assert(measure(256 * 1024) < 20_000);
  });
});
