import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { numberFinding, numberNotes } from "../../cli/number_status.ts";

const NUMBER = {
  id: "106540352242922",
  displayPhoneNumber: "+1 555-078-3881",
  verifiedName: "Hall",
  status: "CONNECTED",
  qualityRating: "GREEN",
  platformType: "CLOUD_API",
  codeVerificationStatus: "VERIFIED",
  raw: {},
};

describe("numberFinding", () => {
  it("tells states in which a number works from others, each with what to do", () => {
    const states: Record<string, string> = {};
    for (
      const status of [
        ...["CONNECTED", "PENDING", "UNVERIFIED", "DISCONNECTED", "OFFLINE", "BANNED", "RESTRICTED", "FLAGGED"],
        ...["RATE_LIMITED", "DELETED", "MIGRATED", "SOMETHING_NEW"],
      ]
    ) {
      const { state, remedy } = numberFinding({ ...NUMBER, status });
      states[status] = state;
      assertEquals(remedy === undefined, state === "ok", status);
    }
    assertEquals(states, {
      CONNECTED: "ok",
      PENDING: "wrong",
      UNVERIFIED: "wrong",
      DISCONNECTED: "wrong",
      OFFLINE: "wrong",
      BANNED: "wrong",
      RESTRICTED: "wrong",
      FLAGGED: "note",
      RATE_LIMITED: "note",
      DELETED: "wrong",
      MIGRATED: "wrong",
      SOMETHING_NEW: "note",
    });
  });

  it("finds a number on the Cloud API without status right", () => {
    const { status: _, ...rest } = NUMBER;
    assertEquals(numberFinding(rest).state, "ok");
  });

  it("asks to verify a number before it is registered", () => {
    const number = { ...NUMBER, status: "PENDING", codeVerificationStatus: "NOT_VERIFIED" };
    assertEquals(numberFinding(number).remedy, "Verify it in WhatsApp Manager > Phone numbers, then register it");
    assertStringIncludes(numberFinding({ ...NUMBER, status: "PENDING" }).remedy!, "106540352242922/register");
  });

  it("looks at the platform too", () => {
    const platform = (platformType: string): string => numberFinding({ ...NUMBER, platformType }).text;
    assertEquals(platform("NOT_APPLICABLE"), '+1 555-078-3881 "Hall" is not registered');
    assertEquals(platform("ON_PREMISE"), '+1 555-078-3881 "Hall" is on the on-premises API, not on the Cloud API');
  });

  it("takes an answer with an id only", () => {
    assertEquals(numberFinding({ id: "1065", raw: {} }), {
      state: "ok",
      text: "1065 is registered and connected; its quality is unknown",
      remedy: undefined,
    });
  });
});

describe("numberNotes", () => {
  it("lists what will trouble a number later", () => {
    assertEquals(numberNotes(NUMBER), []);
    const notes = numberNotes({ ...NUMBER, qualityRating: "RED", nameStatus: "DECLINED", accountMode: "SANDBOX" });
    assertEquals(notes.map(({ text }) => text), [
      "Recipients block or report this number: Meta may limit it",
      "The display name was declined",
      "A test number writes only to recipients that were confirmed",
    ]);
  });
});
