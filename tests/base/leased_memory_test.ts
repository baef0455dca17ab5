import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { giveBack, isLeased, lease } from "../../base/leased_memory.ts";
import { mask } from "../../protocol/mask.ts";
import { denoTransport } from "../../transport/deno.ts";
import { runtime } from "../support/needs.ts";

// The transport on Deno reserves more buffers; on Bun it does nothing.
denoTransport();

describe("lease", () => {
  it("gives each piece to one, until none is left, and again after it was given back", () => {
    const slots: Uint8Array<ArrayBuffer>[] = [];
    for (let slot = lease(262144); slot !== undefined; slot = lease(262144)) slots.push(slot);
    const many = slots.length;
    for (let slot = lease(32768); slot !== undefined; slot = lease(32768)) slots.push(slot);
    const [large, small] = runtime === "Deno" ? [10, 50] : [3, 8];
    assert(many >= large && slots.length - many >= small, `${many} and ${slots.length - many}`);
    for (const [index, slot] of slots.entries()) slot.fill(index);
    for (const [index, slot] of slots.entries()) {
      assert(slot.every((byte) => byte === (index & 0xff)), `${index} is shared`);
      assertEquals(isLeased(slot), true);
    }
    // What passes through on its way to the loop touches none of them.
    const outside = new Uint8Array(100_000);
    mask(outside, 0, outside.length, 0x01020304);
    assert(slots.every((slot, index) => slot[0] === (index & 0xff) && slot[16383] === (index & 0xff)));
    giveBack(slots[2]!);
    assert(lease(262144) === slots[2]);
    for (const slot of slots) giveBack(slot);
    assertEquals(isLeased(outside), false);
  });

  it("takes its pieces from a memory that an engine may count as live without letting much garbage lie", () => {
    const slot = lease(32768)!;
    const most = runtime === "Deno" ? 11 : 1.25;
    assert(slot.buffer.byteLength <= most * 1024 * 1024, `${slot.buffer.byteLength} bytes`);
    giveBack(slot);
  });
});
