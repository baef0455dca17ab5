import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WhatsAppCall } from "../../cloud_api/field_records.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { ANNA, FIELD_VALUES, parseField, typedMembers, typedRecords } from "../support/field_values.ts";

const NUMBER = { phoneNumberId: "900000000000777", displayPhoneNumber: "15550001111" };
const CALL = { kind: "call", ...NUMBER, id: "wacid.A", timestamp: new Date(1790416801000), user: ANNA, errors: [] };
const FROM_ANNA = {
  direction: "USER_INITIATED",
  from: "15550002222",
  fromUserId: "US.9000001",
  fromParentUserId: "US.ENT.9000002",
  to: "15550001111",
};
const FILE = { id: "9001", sha256: "aGFzaA==", mimeType: "audio/ogg", url: "https://lookaside.fbsbx.com/x" };
const ERROR = { code: 131000, title: "Bad", message: "Went wrong", details: "Because", href: "https://x/" };

function parseCall(more: JsonObject, beside: JsonObject = {}): WhatsAppCall {
  const value = { ...FIELD_VALUES["callConnect"]!.value, ...beside, calls: [{ id: "wacid.A", ...more }] };
  const [record] = parseField("calls", value).records;
  assert(record?.kind === "call");
  return record;
}

describe("parseCalls", () => {
  it("reads a call that comes in", () => {
    assertEquals(typedRecords("callConnect"), [{
      ...CALL,
      ...FROM_ANNA,
      event: "connect",
      session: { sdpType: "offer", sdp: "v=0" },
      ctaPayload: "vip",
    }]);
  });

  it("reads a call of the business", () => {
    assertEquals(typedRecords("callOfBusiness"), [{
      ...CALL,
      event: "connect",
      direction: "BUSINESS_INITIATED",
      from: "15550001111",
      to: "15550002222",
      toUserId: "US.9000001",
      toParentUserId: "US.ENT.9000002",
      session: { sdpType: "answer", sdp: "v=0" },
    }]);
  });

  it("reads the end of a call, with its times and reasons", () => {
    const [call, error, ...more] = parseField("calls", FIELD_VALUES["callTerminate"]!.value).records;
    assertEquals(typedMembers(call!) as unknown, {
      ...CALL,
      ...FROM_ANNA,
      event: "terminate",
      status: "Completed",
      startTime: new Date(1790416810000),
      endTime: new Date(1790416930000),
      duration: 120,
      bizOpaqueCallbackData: "ticket-7",
      deeplinkPayload: "poster",
      errors: [ERROR],
    });
    assertEquals(typedMembers(error!) as unknown, { kind: "error", ...NUMBER, error: ERROR });
    assertEquals(more, []);
  });

  it("does not guess the call of an error that stands beside several", () => {
    const { value } = FIELD_VALUES["callTerminate"]!;
    const calls = [...value["calls"] as JsonObject[], { id: "wacid.B", event: "terminate" }];
    const { records } = parseField("calls", { ...value, calls });
    assertEquals(records.map((record) => record.kind === "call" && record.errors.length), [0, 0, false]);
  });

  it("reads calls over SIP", () => {
    assertEquals(typedRecords("callCreated"), [{ ...CALL, ...FROM_ANNA, event: "call_created" }]);
  });

  it("reads recordings and transcripts", () => {
    const { direction: _, ...from } = FROM_ANNA;
    assertEquals(typedRecords("callRecording"), [{
      ...CALL,
      ...from,
      event: "call_recording_available",
      recording: FILE,
    }]);
    assertEquals(typedRecords("callTranscription"), [{
      ...CALL,
      event: "call_transcription_available",
      fromUserId: "US.9000001",
      transcript: { ...FILE, mimeType: "application/json" },
    }]);
  });

  it("reads states of a call as events of it", () => {
    assertEquals(typedRecords("callStatus"), [{
      ...CALL,
      event: "status",
      status: "RINGING",
      to: "15550002222",
      toUserId: "US.9000001",
      toParentUserId: "US.ENT.9000002",
      bizOpaqueCallbackData: "ticket-7",
    }]);
  });

  const business = "15550001111";
  const ends: [name: string, call: JsonObject, phone: string | undefined][] = [
    ["the caller", { direction: "USER_INITIATED", from: "15550004444", to: business }, "15550004444"],
    ["the one called", { direction: "BUSINESS_INITIATED", from: business, to: "15550004444" }, "15550004444"],
    ["the caller, where Meta's example swaps them", {
      direction: "BUSINESS_INITIATED",
      from: "+1 555 0004444",
      to: business,
    }, "15550004444"],
    ["the one called, where they are swapped in a call that comes in", {
      direction: "USER_INITIATED",
      from: business,
      to: "15550004444",
    }, "15550004444"],
    ["the caller with a user id", {
      direction: "BUSINESS_INITIATED",
      from: "15550004444",
      from_user_id: "US.9",
      to: "15550003333",
    }, "15550004444"],
    ["the one called with a user id", {
      direction: "USER_INITIATED",
      from: "15550003333",
      to: "15550004444",
      to_user_id: "US.9",
    }, "15550004444"],
    ["the one called, by the direction", {
      direction: "BUSINESS_INITIATED",
      from: "15550005555",
      to: "15550004444",
    }, "15550004444"],
    ["unknown", {}, undefined],
    ["unknown, where texts are empty", { from: "", from_user_id: "", to: "" }, undefined],
  ];
  for (const [name, call, phone] of ends) {
    it(`takes as the person: ${name}`, () => {
      const { user } = parseCall({ event: "connect", ...call }, { contacts: [] });
      assertEquals([user.phone, user.id], [phone, phone ?? ""]);
    });
  }

  it("takes ids from the contact that Meta leaves out of the call", () => {
    const { user } = parseCall({ event: "connect", direction: "USER_INITIATED", to: business });
    assertEquals(user, ANNA);
  });

  it("knows the business's number in any form, and leaves empty texts out", () => {
    const metadata = { display_phone_number: "+1 (555) 000-1111" };
    const { user, from, to, toUserId } = parseCall({ from: business, to: "", to_user_id: "" }, { metadata });
    assertEquals([user, from, to, toUserId], [ANNA, business, undefined, undefined]);
  });

  it("takes the entry's time for a call without one", () => {
    assertEquals(parseCall({ event: "connect" }).timestamp, new Date("2026-09-26T10:00:00Z"));
  });

  it("reads anything", () => {
    const wrong = { id: 7, event: {}, session: "v=0", call_recording: { type: {}, audio: [] }, errors: "x", from: [] };
    assertEquals(typedMembers(parseCall(wrong, { contacts: null })) as unknown, {
      kind: "call",
      ...NUMBER,
      timestamp: new Date("2026-09-26T10:00:00Z"),
      id: "7",
      event: "",
      user: { id: "" },
      errors: [],
    });
  });
});
