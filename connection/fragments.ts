/**
 * The order of the frames that a program sends by hand.
 *
 * @module
 */

import { OptionError, StateError } from "../base/errors.ts";
import { Opcode } from "../protocol/frame_header.ts";

/**
 * Checks that a data frame may follow the frames sent before (RFC 6455 §5.4).
 *
 * @param opcode Its opcode.
 * @param fragmented `true` if a fragmented message is not finished.
 * @throws {OptionError} If it is not the opcode of a data frame.
 * @throws {StateError} If it does not fit the frames sent before.
 */
export function assertFragment(opcode: Opcode, fragmented: boolean): void {
  if (opcode !== Opcode.Continuation && opcode !== Opcode.Text && opcode !== Opcode.Binary) {
    throw new OptionError(`Cannot send a frame: "${opcode}" is not the opcode of a data frame`, "ERR_PAYLOAD");
  }
  if (opcode === Opcode.Continuation && !fragmented) {
    throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a continuation frame: no message is begun");
  }
  if (opcode !== Opcode.Continuation && fragmented) {
    throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a frame: a fragmented message is not finished");
  }
}
