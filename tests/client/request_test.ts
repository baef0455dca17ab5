import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { describeRequest } from "../../client/request.ts";

describe("describeRequest", () => {
  it("splits the target at the first question mark", () => {
    const show = (target: string): string[] => {
      const { path, query } = describeRequest({ target, headers: new Headers(), protocols: [] }, []);
      return [path, query];
    };
    assertEquals(show("/"), ["/", ""]);
    assertEquals(show("/a?"), ["/a", ""]);
    assertEquals(show("/a?b?c=%3F"), ["/a", "b?c=%3F"]);
  });

  it("has what was sent, and a signal of its own", () => {
    const sent = { target: "/", headers: new Headers({ a: "b" }), protocols: ["p"] };
    const extensions = [{ name: "x", parameters: [] }];
    const request = describeRequest(sent, extensions);
    assertEquals([request.method, request.headers, request.protocols, request.extensions], [
      "GET",
      sent.headers,
      sent.protocols,
      extensions,
    ]);
    assert(request.signal !== describeRequest(sent, extensions).signal);
  });
});
