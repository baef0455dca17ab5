import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AbortableRequest, abortRequest, onSignalRead } from "../../protocol/abortable_request.ts";

const make = (): AbortableRequest => new AbortableRequest("http://a/b", { method: "POST", body: "text" });

describe("AbortableRequest", () => {
  it("has one signal, which aborts with the reason, whether it was read before or is read after", () => {
    const before = make();
    const { signal } = before;
    assertEquals([signal.aborted, before.signal === signal], [false, true]);
    const reason = new Error("gone");
    abortRequest(before, reason);
    assertEquals([signal.aborted, signal.reason], [true, reason]);
    const after = make();
    abortRequest(after, reason);
    assertEquals(after.signal.reason, reason);
  });

  it("says that its signal is read, once, and not because it aborts", () => {
    let reads = 0;
    const request = make();
    onSignalRead(request, () => reads++);
    assertEquals(reads, 0);
    assert(request.signal === request.signal);
    assertEquals(reads, 1);
    const aborted = make();
    onSignalRead(aborted, () => reads++);
    abortRequest(aborted, "gone");
    assert(aborted.signal.aborted);
    assertEquals(reads, 1);
  });

  it("passes its signal on to clones, and to requests that are made of it", async () => {
    const request = make();
    const clone = request.clone();
    const made = new Request("http://c/", { method: "POST", signal: request.signal });
    const forwarded = new Request("http://d/", request);
    const aborts = [clone, made, forwarded].map(({ signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", resolve))
    );
    abortRequest(request, "gone");
    await Promise.all(aborts);
    assertEquals(await clone.text(), "text");
  });
});
