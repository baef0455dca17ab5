import { assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { assertFragment } from "../../connection/fragments.ts";
import { OptionError, StateError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";

describe("assertFragment", () => {
  it("lets a message begin where none is open, and go on where one is", () => {
    assertFragment(Opcode.Text, false);
    assertFragment(Opcode.Binary, false);
    assertFragment(Opcode.Continuation, true);
  });

  it("refuses a continuation of nothing, a message within another, and other opcodes", () => {
    assertThrows(() => assertFragment(Opcode.Continuation, false), StateError, "no message is begun");
    for (const opcode of [Opcode.Text, Opcode.Binary]) {
      assertThrows(() => assertFragment(opcode, true), StateError, "a fragmented message is not finished");
    }
    for (const opcode of [Opcode.Ping, Opcode.Close, 3 as Opcode]) {
      for (const open of [true, false]) {
        assertThrows(() => assertFragment(opcode, open), OptionError, `"${opcode}" is not the opcode of a data frame`);
      }
    }
  });
});
