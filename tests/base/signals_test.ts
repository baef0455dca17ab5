import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { leaveOnAbort, untilAborted, type WaitingCall } from "../../base/signals.ts";

describe("leaveOnAbort", () => {
  function make(signal?: AbortSignal): { call: WaitingCall<number>; log: string[] } {
    const log: string[] = [];
    const call: WaitingCall<number> = {
      resolve: (result) => void log.push(`result ${result}`),
      reject: (error) => void log.push(`error ${error}`),
    };
    return { call: leaveOnAbort(call, signal, () => void log.push("left")), log };
  }

  it("rejects with the reason of the signal, after the call has left", () => {
    const controller = new AbortController();
    const { log } = make(controller.signal);
    controller.abort("enough");
    assertEquals(log, ["left", "error enough"]);
  });

  it("no longer listens once the call has ended, and never without a signal", () => {
    for (const end of ["resolve", "reject"] as const) {
      const controller = new AbortController();
      const { call, log } = make(controller.signal);
      call[end](1);
      controller.abort("too late");
      assertEquals(log.length, 1);
    }
    const { call, log } = make();
    call.resolve(2);
    assertEquals(log, ["result 2"]);
  });
});

describe("untilAborted", () => {
  it("gives the result or the error of the work, or the reason of the signal, whichever comes first", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    assertEquals(await untilAborted(signal, Promise.resolve(1)), 1);
    await assertRejects(() => untilAborted(signal, Promise.reject(new Error("broken"))), Error, "broken");
    const endless = untilAborted(signal, new Promise(() => {}));
    controller.abort(new Error("enough"));
    await assertRejects(() => endless, Error, "enough");
    await assertRejects(() => untilAborted(signal, Promise.resolve(1)), Error, "enough");
  });
});
