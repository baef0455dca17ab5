import { assertEquals, assertNotEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WhatsAppPayment, WhatsAppStatus, WhatsAppTransaction } from "../../cloud_api/records.ts";
import { laterStatus, statusKey } from "../../cloud_api/status.ts";

function status(name: string, more: Partial<WhatsAppStatus> = {}): WhatsAppStatus {
  return {
    kind: "status",
    id: "wamid.A",
    status: name,
    field: "messages",
    accountId: "1",
    errors: [],
    raw: {},
    ...more,
  };
}

function payment(name: string, transaction: WhatsAppTransaction = {}): WhatsAppPayment {
  const { kind: _, ...base } = status(name);
  return { ...base, kind: "payment", payment: { referenceId: "r", transaction } };
}

describe("laterStatus", () => {
  it("orders known statuses by rank, regardless of the order in which they come", () => {
    const names = ["sent", "failed", "delivered", "read", "played", "deleted"];
    for (const [at, name] of names.entries()) {
      for (const earlier of names.slice(0, at)) {
        assertEquals(laterStatus(status(earlier), status(name)).status, name);
        assertEquals(laterStatus(status(name), status(earlier)).status, name);
      }
    }
  });

  it("decides by time between equal and unknown ones, and keeps the first at the same time", () => {
    const [early, late] = [new Date(1000), new Date(2000)];
    for (const name of ["read", "hologram"]) {
      const [one, other] = [status(name, { timestamp: early }), status(name, { timestamp: late })];
      assertEquals([laterStatus(one, other), laterStatus(other, one)], [other, other]);
    }
    const first = status("hologram");
    assertEquals(laterStatus(first, status("mirage")), first);
    assertEquals(laterStatus(undefined, first), first);
  });
});

describe("laterStatus of payments", () => {
  it("goes from pending over failed to captured, and never back", () => {
    const order = ["pending", "failed", "captured"].map((name) => payment(name));
    for (const [at, later] of order.entries()) {
      for (const earlier of order.slice(0, at)) {
        assertEquals([laterStatus(earlier, later), laterStatus(later, earlier)], [later, later]);
      }
    }
  });

  it("never mixes them with the delivery of the message that asked for them", () => {
    const later = laterStatus<WhatsAppStatus | WhatsAppPayment>;
    const [early, late] = [{ timestamp: new Date(1000) }, { timestamp: new Date(2000) }];
    for (const [first, second] of [[{}, {}], [early, late], [late, early]]) {
      for (const [name, paid] of [["sent", "captured"], ["read", "failed"], ["failed", "failed"]] as const) {
        const [one, other] = [status(name, first), { ...payment(paid), ...second }];
        assertEquals([later(one, other), later(other, one)], [one, other]);
      }
    }
  });
});

describe("statusKey", () => {
  it("differs by message, status, recipient, error and attempt to pay", () => {
    const keys = [
      status("sent"),
      status("read"),
      status("sent", { id: "wamid.B" }),
      status("sent", { recipientId: "49" }),
      status("sent", { recipientUserId: "DE.1" }),
      status("sent", { recipientId: "49", recipientParticipantId: "50" }),
      status("sent", { errors: [{ code: 131047 }] }),
      payment("captured", { id: "1" }),
      payment("captured", { id: "2" }),
      payment("captured", { id: "2", status: "success" }),
      payment("captured", { id: "2", status: "success", pgTransactionId: "p" }),
      payment("captured", { id: "2", status: "success", refunds: [{ id: "r", status: "pending" }] }),
      payment("captured", { id: "2", status: "success", refunds: [{ id: "r", status: "completed" }] }),
    ].map(statusKey);
    assertEquals(new Set(keys).size, keys.length);
  });

  it("is equal for a status that comes twice, with an empty number or none", () => {
    const user = { recipientUserId: "DE.1" };
    assertEquals(statusKey(status("sent", { recipientId: "", ...user })), statusKey(status("sent", user)));
    assertEquals(statusKey(status("sent", { raw: { type: "message" } })), statusKey(status("sent")));
    assertNotEquals(statusKey(status("sent", { raw: { type: "call" } })), statusKey(status("sent")));
    assertEquals(statusKey(payment("failed", { id: "1" })), statusKey(payment("failed", { id: "1", type: "upi" })));
  });
});
