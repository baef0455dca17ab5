import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runInNewContext } from "node:vm";
import { OptionError } from "../../base/errors.ts";
import { toPagePayload } from "../../client/page_payload.ts";
import { toPayload } from "../../protocol/payload.ts";

describe("toPagePayload", () => {
  it("takes each kind of message as other clients do, of any realm, and no shared memory", () => {
    const shared = new SharedArrayBuffer(2);
    const bytes = Uint8Array.of(65, 66);
    const kinds = [
      bytes,
      bytes.buffer,
      new DataView(bytes.buffer, 1),
      new Uint16Array([0x4241]),
      shared,
      new Uint8Array(shared),
      new Uint8Array(0),
      runInNewContext("Uint8Array.of(65, 66)"),
      runInNewContext("Uint8Array.of(65, 66).buffer"),
    ];
    for (const kind of kinds) {
      const payload = toPagePayload(kind);
      assert(payload instanceof Uint8Array && payload.buffer instanceof ArrayBuffer);
      assertEquals(payload, new Uint8Array(toPayload(kind, "send") as Uint8Array));
    }
    const [blob, file] = [new Blob(["x"]), new File(["x"], "name")];
    assertEquals([toPagePayload("text"), toPagePayload(blob), toPagePayload(file)], ["text", blob, file]);
  });

  it("refuses the rest with the same error as other clients", () => {
    const gone = new Uint8Array(4);
    gone.buffer.transfer();
    for (const wrong of [5, undefined, null, [1], {}, new Date(), gone, gone.buffer, Object.create(null)]) {
      const error = assertThrows(() => toPagePayload(wrong), OptionError);
      const other = assertThrows(() => toPayload(wrong, "send"), OptionError);
      assertEquals(error.code, other.code);
      const end = "; send the bytes before you transfer them";
      if (wrong === gone || wrong === gone.buffer) assert(error.message.endsWith(end) && other.message.endsWith(end));
      else assertEquals(error.message, other.message.split(": use")[0]);
    }
  });
});
