import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { TransportError } from "../../base/errors.ts";
import { WaitingMessages } from "../../whatsapp/waiting_messages.ts";

const MIB = 1024 * 1024;

function refused(waiting: WaitingMessages): boolean {
  const result = waiting.add("");
  return result instanceof TransportError && result.code === "ERR_SLOW_CONSUMER";
}

describe("WaitingMessages", () => {
  it("takes 8 MiB and one message more, of texts and bytes, until some are handled", () => {
    const waiting = new WaitingMessages();
    const handled = [waiting.add("x".repeat(8 * MIB - 64)), waiting.add(new Uint8Array(0))];
    assertEquals(refused(waiting), true);
    (handled[0] as () => void)();
    handled.push(waiting.add(new Uint8Array(8 * MIB)));
    assertEquals(refused(waiting), true);
  });

  it("counts empty messages too", () => {
    const waiting = new WaitingMessages();
    for (let sent = 0; sent <= 8 * MIB / 64; sent++) waiting.add("");
    assertEquals(refused(waiting), true);
  });

  it("begins anew with each connection; what an earlier one brought may be handled late", () => {
    const waiting = new WaitingMessages();
    const late = waiting.add("x".repeat(9 * MIB));
    waiting.reset();
    waiting.add("x".repeat(8 * MIB));
    (late as () => void)();
    assertEquals(refused(waiting), true);
  });
});
