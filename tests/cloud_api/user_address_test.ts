import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { addressOfUser, type WhatsAppUser } from "../../cloud_api/user_address.ts";

describe("addressOfUser()", () => {
  it("takes phone numbers as people write them", () => {
    const numbers = ["+1 (555) 078-3881", "15550783881", "+1.555.078.3881", "1".repeat(20)];
    assertEquals(numbers.map(addressOfUser), [
      { phone: "+15550783881" },
      { phone: "15550783881" },
      { phone: "+15550783881" },
      { phone: "1".repeat(20) },
    ]);
  });

  it("takes business-scoped user ids, also of a parent portfolio", () => {
    for (const userId of ["US.13491208655302741918", "DE.a1", `US.ENT.${"9".repeat(128)}`]) {
      assertEquals(addressOfUser(userId), { userId });
    }
  });

  it("takes the sender of a message: the number rather than the id, and in a group the sender too", () => {
    const message = (sender: object): WhatsAppUser => ({ groupId: "g", sender }) as unknown as WhatsAppMessage;
    assertEquals(addressOfUser(message({ id: "4917012", phone: "4917012", userId: "DE.1" })), { phone: "4917012" });
    assertEquals(addressOfUser(message({ id: "DE.1", userId: "DE.1" })), { userId: "DE.1" });
    assertEquals(addressOfUser(message({ id: "user.9373795779eb" })), { userId: "user.9373795779eb" });
    assertEquals(addressOfUser(message({ id: "4917012" })), { phone: "4917012" });
    for (const none of [message({ id: "" }), {} as WhatsAppUser]) {
      assertThrows(() => addressOfUser(none), OptionError, "The user is a message without a sender");
    }
  });

  it("refuses what is neither", () => {
    const others = [
      "",
      "+",
      "1".repeat(21),
      "us.1",
      "USA.1",
      "US.",
      "US.a-b",
      "US.ENT.",
      "US.X.1",
      "US.ENT.1.2",
    ];
    for (const user of [...others, `US.${"1".repeat(129)}`, "4917x", "++4917012", null, undefined, 4917012]) {
      assertThrows(() => addressOfUser(user as string), OptionError, "The user is ");
    }
  });
});
