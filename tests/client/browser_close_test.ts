import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { closeInfo } from "../../client/browser_close.ts";

const event = (code: number, reason = "", wasClean = true): CloseEvent =>
  new CloseEvent("close", { code, reason, wasClean });

describe("closeInfo", () => {
  it("has the frame of the server, which the browser has answered with the same code", () => {
    const frame = { code: 1001, reason: "away" };
    assertEquals(closeInfo(event(1001, "away"), undefined, false), {
      ...frame,
      clean: true,
      opened: true,
      received: frame,
      sent: { code: 1001, reason: "" },
    });
  });

  it("has the close frame of this end where it sent one, and none where the end was not clean", () => {
    const sent = { code: 1000, reason: "bye" };
    assertEquals(closeInfo(event(1000, "bye"), sent, false).sent, sent);
    assertEquals(closeInfo(event(1001, "", false), undefined, false).sent, undefined);
    assertEquals(closeInfo(event(1005), undefined, false).received, { code: 1005, reason: "" });
  });

  it("is 1006 without a close frame, whatever code the platform gives, and after a failure", () => {
    const lost = { code: 1006, reason: "", clean: false, opened: true };
    for (const end of [undefined, event(0), event(1006, "", false), event(999)]) {
      assertEquals(closeInfo(end, undefined, false), lost);
    }
    assertEquals(closeInfo(event(1000, "x"), undefined, true), lost);
    const sent = { code: 1009, reason: "large" };
    assertEquals(closeInfo(undefined, sent, true), { ...lost, sent });
  });
});
