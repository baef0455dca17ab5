import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { PendingNotification, type WhatsAppNotification } from "../../whatsapp/pending_notification.ts";

const NOTIFICATION: WhatsAppNotification = {
  raw: "{}",
  records: [],
  signature: "",
  redelivered: false,
  partial: false,
};

function pend(outcomes: boolean[]): PendingNotification {
  return new PendingNotification(NOTIFICATION, (success) => void outcomes.push(success));
}

describe("PendingNotification", () => {
  it("settles once all that began with it have ended", () => {
    const outcomes: boolean[] = [];
    const pending = pend(outcomes);
    pending.begin();
    pending.begin();
    pending.end(true);
    assertEquals(outcomes, []);
    pending.end(true);
    assertEquals(outcomes, [true]);
  });

  it("fails if one of them fails, whichever ends last", () => {
    const outcomes: boolean[] = [];
    const pending = pend(outcomes);
    pending.begin();
    pending.begin();
    pending.end(false);
    pending.end(true);
    assertEquals(outcomes, [false]);
  });

  it("gives its outcome to notifications that follow it, after its own", () => {
    for (const success of [true, false]) {
      const outcomes: [string, boolean][] = [];
      const leader = new PendingNotification(NOTIFICATION, (outcome) => void outcomes.push(["leader", outcome]));
      const follower = new PendingNotification(NOTIFICATION, (outcome) => void outcomes.push(["follower", outcome]));
      leader.begin();
      follower.begin();
      follower.follow(leader);
      follower.end(true);
      assertEquals(outcomes, []);
      leader.end(success);
      assertEquals(outcomes, [["leader", success], ["follower", success]]);
    }
  });
});
