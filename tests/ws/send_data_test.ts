import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { isBlob, sizeOf, type SocketData, toSendData, withKind } from "../../ws/send_data.ts";

/** Shows a message as its kind and its bytes. */
function show(data: ReturnType<typeof toSendData>): unknown {
  if (typeof data === "string") return data;
  assert(!isBlob(data));
  return [
    ...ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data),
  ];
}

describe("messages for send of ws", () => {
  it("takes each kind that ws takes", () => {
    const cases: [SocketData, unknown][] = [
      ["text", "text"],
      [0, "0"],
      [null, []],
      [undefined, []],
      [Buffer.from("ab"), [97, 98]],
      [Uint8Array.of(1, 2).buffer, [1, 2]],
      [new DataView(Uint8Array.of(1, 2, 3).buffer, 1, 1), [2]],
      [new SharedArrayBuffer(2), [0, 0]],
      [[1, 2, 257], [1, 2, 1]],
      [[], []],
      [[Uint8Array.of(1), Uint8Array.of(2, 3)], [1, 2, 3]],
      [{ valueOf: () => Uint8Array.of(7) }, [7]],
      [{ [Symbol.toPrimitive]: () => "ab" }, [97, 98]],
    ];
    for (const [given, expected] of cases) assertEquals(show(toSendData(given)), expected);
    const blob = new Blob(["a"]);
    assertEquals(toSendData(blob), blob);
  });

  it("refuses what is no message", () => {
    for (const wrong of [true, () => {}, Symbol("s"), {}]) {
      assertThrows(() => toSendData(wrong as never), TypeError);
    }
  });

  it("gives messages the kind that is asked for", () => {
    assertEquals(withKind("ä", undefined), { data: "ä", text: true });
    assertEquals(withKind("ä", true), { data: Buffer.from("ä"), text: false });
    const bytes = Uint8Array.of(1);
    assertEquals([withKind(bytes, undefined).text, withKind(bytes, true).text, withKind(bytes, false).text], [
      false,
      false,
      true,
    ]);
  });

  it("measures them", () => {
    const sizes = ["ä", Uint8Array.of(1), new ArrayBuffer(3), new Blob(["abcd"])].map(sizeOf);
    assertEquals(sizes, [2, 1, 3, 4]);
  });
});
