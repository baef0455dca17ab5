import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JsonObject } from "../../cloud_api/json.ts";
import { FIELD_VALUES, parseField, typedMembers, typedRecords } from "../support/field_values.ts";

const GROUP = {
  kind: "group",
  phoneNumberId: "900000000000777",
  displayPhoneNumber: "15550001111",
  groupId: "120363@g.us",
  timestamp: new Date(1790416802000),
  addedParticipants: [],
  removedParticipants: [],
  failedParticipants: [],
  settings: [],
  errors: [],
};
const ERROR = { code: 131000, title: "Bad", message: "Went wrong", details: "Because", href: "https://x/" };

describe("parseGroups", () => {
  it("reads new groups", () => {
    assertEquals(typedRecords("groupCreate"), [{
      ...GROUP,
      type: "group_create",
      requestId: "req-1",
      subject: "Order 17",
      description: "About order 17",
      inviteLink: "https://chat.whatsapp.com/abc",
      joinApprovalMode: "auto_approve",
    }]);
  });

  it("reads failures", () => {
    assertEquals(typedRecords("groupDeleteFailed"), [
      { ...GROUP, type: "group_delete", requestId: "req-2", errors: [ERROR] },
    ]);
  });

  it("reads members who join", () => {
    assertEquals(typedRecords("groupAdded"), [{
      ...GROUP,
      type: "group_participants_add",
      reason: "invite_link",
      addedParticipants: [
        { phone: "15550002222", userId: "US.9000001", username: "anna", input: "+15550002222", errors: [] },
      ],
    }]);
  });

  it("reads members who are removed, and those who could not be", () => {
    assertEquals(typedRecords("groupRemoved"), [{
      ...GROUP,
      type: "group_participants_remove",
      requestId: "req-3",
      initiatedBy: "business",
      removedParticipants: [{ input: "US.9000001", parentUserId: "US.ENT.9000002", errors: [] }],
      failedParticipants: [{ input: "US.9000003", errors: [ERROR] }],
      errors: [{ ...ERROR, code: 131009 }],
    }]);
  });

  it("reads requests to join", () => {
    assertEquals(typedRecords("groupJoinRequest"), [{
      ...GROUP,
      type: "group_join_request_created",
      joinRequestId: "join-1",
      participant: {
        phone: "15550002222",
        userId: "US.9000001",
        parentUserId: "US.ENT.9000002",
        username: "anna",
        errors: [],
      },
    }]);
  });

  it("reads the result of each setting, also of one to come", () => {
    assertEquals(typedRecords("groupSettings"), [{
      ...GROUP,
      type: "group_settings_update",
      requestId: "req-4",
      settings: [
        { name: "profile_picture", successful: true, mimeType: "image/jpeg", sha256: "aGFzaA==", errors: [] },
        { name: "group_subject", successful: false, text: "New", errors: [ERROR] },
        { name: "group_mood", successful: true, text: "a setting to come", errors: [] },
      ],
      errors: [{ ...ERROR, code: 131201 }],
    }]);
  });

  it("reads groups that are suspended", () => {
    assertEquals(typedRecords("groupSuspend"), [{ ...GROUP, type: "group_suspend" }]);
  });

  it("makes a record of each event", () => {
    const { value } = FIELD_VALUES["groupSuspend"]!;
    const groups = [{ type: "group_suspend", group_id: "a" }, { type: "group_suspend_cleared", group_id: "b" }];
    const { records } = parseField("group_status_update", { ...value, groups, errors: [{ code: 1 }] });
    assertEquals(records.map(({ kind, raw }) => [kind, raw["group_id"]]), [
      ["group", "a"],
      ["group", "b"],
      ["error", undefined],
    ]);
  });

  it("gives the errors of a request to join to the event, and not to the person too", () => {
    const groups = [{ type: "group_join_request_created", wa_id: "15550002222", errors: [{ code: 1 }] }];
    const [record] = parseField("group_participants_update", { groups }).records;
    assertEquals(record?.kind === "group" && [record.participant, record.errors], [
      { phone: "15550002222", errors: [] },
      [{ code: 1 }],
    ]);
  });

  it("takes empty ids as none", () => {
    const ids = { wa_id: "", user_id: "", parent_user_id: "", username: "" };
    const groups = [{ ...ids, added_participants: [ids] }];
    const [record] = parseField("group_participants_update", { groups }).records;
    assertEquals(record?.kind === "group" && [record.participant, record.addedParticipants], [undefined, [{
      errors: [],
    }]]);
  });

  it("knows a setting without a result", () => {
    const groups = [{ group_subject: { text: "New" }, group_mood: { text: "a setting to come" } }];
    const [record] = parseField("group_settings_update", { groups }).records;
    assertEquals(record?.kind === "group" && record.settings, [{ name: "group_subject", text: "New", errors: [] }]);
  });

  it("takes a user id in place of a WhatsApp id as one", () => {
    const added_participants = [{ wa_id: "US.9000001" }];
    const [record] = parseField("group_participants_update", { groups: [{ added_participants }] }).records;
    assertEquals(record?.kind === "group" && record.addedParticipants, [{ userId: "US.9000001", errors: [] }]);
  });

  it("reads anything", () => {
    const wrong: JsonObject = { type: {}, group_id: null, settings: 1, added_participants: [1], group_subject: "x" };
    const [record] = parseField("group_settings_update", { groups: [wrong] }).records;
    const { phoneNumberId: _, displayPhoneNumber: __, ...group } = GROUP;
    assertEquals(typedMembers(record!) as unknown, {
      ...group,
      type: "",
      groupId: "",
      timestamp: new Date("2026-09-26T10:00:00Z"),
    });
  });
});
