import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JsonObject } from "../../cloud_api/json.ts";
import { ANNA, ENTRY_TIME, parseField, typedMembers, typedRecords } from "../support/field_values.ts";

const NUMBER = { phoneNumberId: "900000000000777", displayPhoneNumber: "15550001111" };

describe("parseHandover", () => {
  it("reads a conversation that is passed, with the number of its recipient", () => {
    assertEquals(typedRecords("handoverPassed"), [{
      kind: "handover",
      ...NUMBER,
      timestamp: new Date(1790416803000),
      event: "control_passed",
      user: { id: "15550002222", phone: "15550002222" },
      previousOwnerAppId: "5001",
      previousOwnerAppRole: "meta_business_agent",
      previousOwnerRole: "ai_agent",
      newOwnerAppId: "5002",
      newOwnerRole: "escalation",
      metadata: "wants a person",
      conversationSummary: "Asked for a refund",
    }]);
  });

  it("reads a conversation that is taken, of a person without a phone number", () => {
    assertEquals(typedRecords("handoverTaken"), [{
      kind: "handover",
      ...NUMBER,
      timestamp: new Date(1790416803000),
      event: "control_taken",
      user: { id: "US.9000001", userId: "US.9000001", parentUserId: "US.ENT.9000002", username: "anna.example" },
      previousOwnerRole: "ctwa",
      newOwnerRole: "escalation",
    }]);
  });

  it("finds the details by the type, and without one by their key", () => {
    const details = {
      control_passed: { metadata: "p" },
      control_taken: { metadata: "t" },
      control_shared: { metadata: "s" },
    };
    const metadataOf = (type?: string) => {
      const [record] =
        parseField("messaging_handovers", { ...details, ...(type === undefined ? {} : { type }) }).records;
      return record?.kind === "handover" && [record.event, record.metadata];
    };
    assertEquals(metadataOf("control_taken"), ["control_taken", "t"]);
    assertEquals(metadataOf("control_shared"), ["control_shared", "s"]);
    assertEquals(metadataOf("control_lost"), ["control_lost", "p"]);
    assertEquals(metadataOf(), ["control_passed", "p"]);
  });

  it("reads a summary beside the details", () => {
    const conversation_context = { type: "summary", summary: { text: "Asked for a refund" } };
    const [record] = parseField("messaging_handovers", { type: "control_passed", conversation_context }).records;
    assertEquals(record?.kind === "handover" && record.conversationSummary, "Asked for a refund");
  });

  it("reads anything", () => {
    const wrong = { type: [], sender: "x", recipient: null, control_passed: 7, timestamp: {} };
    const { records, rest } = parseField("messaging_handovers", wrong);
    assertEquals(records.map(typedMembers) as unknown, [
      { kind: "handover", timestamp: new Date("2026-09-26T10:00:00Z"), event: "", user: { id: "" } },
    ]);
    assertEquals([records[0]!.raw, rest], [wrong, {}]);
  });
});

describe("parseUserPreferences", () => {
  it("reads who stops which messages", () => {
    assertEquals(typedRecords("preferenceStop"), [{
      kind: "userPreference",
      ...NUMBER,
      timestamp: new Date(1790416805000),
      user: ANNA,
      category: "marketing_messages",
      value: "stop",
      detail: "User requested to stop marketing messages",
    }]);
  });

  it("knows the person by the contact alone", () => {
    assertEquals(typedRecords("preferenceSignup"), [{
      kind: "userPreference",
      ...NUMBER,
      timestamp: new Date(1790416805000),
      user: ANNA,
      category: "marketing_messages",
      value: "signup",
      signupId: "1317",
    }]);
  });
});

describe("personOf, in a preference", () => {
  const people: [name: string, preference: JsonObject, contacts: JsonObject[], user: JsonObject][] = [
    ["a user id in place of a number", { wa_id: "US.9" }, [], { id: "US.9", userId: "US.9" }],
    ["nobody", {}, [], { id: "" }],
    ["empty texts", { wa_id: "", user_id: "", parent_user_id: "" }, [], { id: "" }],
    ["a number with a second form", { wa_id: "5511900000003" }, [{ wa_id: "551190000003", identity_key_hash: "h" }], {
      id: "5511900000003",
      phone: "5511900000003",
      waId: "551190000003",
      identityKeyHash: "h",
      contact: { wa_id: "551190000003", identity_key_hash: "h" },
    }],
  ];
  for (const [name, preference, contacts, user] of people) {
    it(`reads ${name}`, () => {
      const [record] = parseField("user_preferences", { user_preferences: [preference], contacts }).records;
      assertEquals(record?.kind === "userPreference" && record.user as unknown, user);
    });
  }
});

describe("parseAutomaticEvents", () => {
  it("reads purchases and leads", () => {
    const base = { kind: "automaticEvent", ...NUMBER };
    assertEquals(typedRecords("automaticEvents"), [
      {
        ...base,
        timestamp: new Date(1790416806000),
        id: "wamid.A",
        eventName: "Purchase",
        ctwaClid: "clid",
        currency: "EUR",
        value: 25.5,
      },
      { ...base, timestamp: new Date(1790416807000), id: "wamid.B", eventName: "LeadSubmitted" },
    ]);
  });
});

describe("parseStateSync", () => {
  it("reads contacts that are added and removed", () => {
    const base = { kind: "contactSync", ...NUMBER, type: "contact" };
    assertEquals(typedRecords("contactSync"), [
      {
        ...base,
        timestamp: new Date(1790416808000),
        action: "add",
        fullName: "Anna Example",
        firstName: "Anna",
        phone: "15550002222",
        userId: "US.9000001",
        parentUserId: "US.ENT.9000002",
        username: "anna",
      },
      { ...base, timestamp: new Date("2026-09-26T10:00:00Z"), action: "remove", phone: "15550003333" },
    ]);
  });
});

describe("parseStateSync, with empty ids", () => {
  it("takes them as none", () => {
    const contact = { phone_number: "", user_id: "", parent_user_id: "", username: "" };
    const { records } = parseField("smb_app_state_sync", { state_sync: [{ type: "contact", action: "add", contact }] });
    assertEquals(records.map(typedMembers) as unknown, [
      { kind: "contactSync", timestamp: ENTRY_TIME, type: "contact", action: "add" },
    ]);
  });
});

describe("parseUserIdUpdates", () => {
  const change = { kind: "account", ...NUMBER, timestamp: new Date(1790416817000) };

  it("reads the ids before and after", () => {
    assertEquals(typedRecords("userId"), [{
      ...change,
      userIdChange: {
        user: ANNA,
        previousUserId: "US.9000000",
        previousParentUserId: "US.ENT.9000000",
        detail: "User id for Anna has been updated.",
      },
    }]);
  });

  it("takes a text as the new id", () => {
    const [record] = parseField("user_id_update", { user_id_update: [{ user_id: "US.9000009" }] }).records;
    assertEquals(record?.kind === "account" && record.userIdChange, {
      user: { id: "US.9000009", userId: "US.9000009" },
    });
  });
});
