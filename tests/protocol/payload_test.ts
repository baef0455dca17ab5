import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import { OptionError } from "../../base/errors.ts";
import { useRemedies } from "../../base/remedies.ts";
import {
  byteLength,
  encodeClosePayload,
  isReadyPayload,
  MAX_CLOSE_REASON,
  readBlob,
  toPayload,
  toReadyPayload,
} from "../../protocol/payload.ts";
import { PAYLOAD_REMEDIES } from "../../protocol/payload_remedies.ts";

describe("byteLength", () => {
  it("is the length in bytes of a text as TextEncoder encodes it, or of the bytes", () => {
    for (const text of ["", "a", "ü", "€", "👋", "a\ud800", "\udc00b", "\ud800\ud800\udc00", "aü€👋".repeat(100)]) {
      assertEquals(byteLength(text), new TextEncoder().encode(text).length, JSON.stringify(text));
    }
    assertEquals(byteLength(new Uint8Array(7)), 7);
  });

  it("is exact for long texts too, wherever a pair of surrogates lies", () => {
    for (const unit of ["a", "ü", "€", "👋", "\ud83d", "\udc4b", "a👋", "\udc4b👋\ud83d", "👋\udc4b"]) {
      for (let shift = 0; shift < 4; shift++) {
        for (const length of [4094, 4095, 4096, 4097, 8191, 8192, 8193, 20_000]) {
          const text = ("-".repeat(shift) + unit.repeat(length)).slice(0, length);
          assertEquals(
            byteLength(text),
            new TextEncoder().encode(text).length,
            `${JSON.stringify(unit)} ${shift} ${length}`,
          );
        }
      }
    }
  });
});

/** Bytes 1, 2, 3, 4 in each form, in the middle of a larger buffer where there is one. */
function forms(): [name: string, data: unknown][] {
  const whole = Uint8Array.of(9, 1, 2, 3, 4, 9);
  const shared = new SharedArrayBuffer(6);
  new Uint8Array(shared).set(whole);
  const floats = new Float32Array(new Uint8Array([0, 0, 0, 0, 1, 2, 3, 4]).buffer, 4);
  return [
    ["a Uint8Array", whole.subarray(1, 5)],
    ["a Buffer", Buffer.from([1, 2, 3, 4])],
    ["an ArrayBuffer", whole.slice(1, 5).buffer],
    ["a DataView", new DataView(whole.buffer, 1, 4)],
    ["a Float32Array", floats],
    ["a Uint8ClampedArray", Uint8ClampedArray.of(1, 2, 3, 4)],
    ["a view of a SharedArrayBuffer", new Uint8Array(shared, 1, 4)],
    ["a SharedArrayBuffer", Object.assign(new Uint8Array(new SharedArrayBuffer(4)), [1, 2, 3, 4]).buffer],
    ["a Uint8Array of another realm", runInNewContext("Uint8Array.of(9, 1, 2, 3, 4, 9).subarray(1, 5)")],
    ["a DataView of another realm", runInNewContext("new DataView(Uint8Array.of(9, 1, 2, 3, 4).buffer, 1)")],
    ["an ArrayBuffer of another realm", runInNewContext("Uint8Array.of(1, 2, 3, 4).buffer")],
    [
      "a SharedArrayBuffer of another realm",
      runInNewContext("Object.assign(new Uint8Array(new SharedArrayBuffer(4)), [1, 2, 3, 4]).buffer"),
    ],
  ];
}

/** Views and buffers whose memory is gone. */
function detachedForms(): [name: string, data: unknown][] {
  const gone = <Data extends { buffer: ArrayBuffer }>(view: Data): Data => {
    view.buffer.transfer();
    return view;
  };
  const buffer = new ArrayBuffer(4);
  buffer.transfer();
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  const outside = [new Uint8Array(shrunk, 4, 4), new DataView(shrunk, 4, 4)];
  shrunk.resize(2);
  return [
    ["a Uint8Array", gone(new Uint8Array(4))],
    ["a Float64Array", gone(new Float64Array(4))],
    ["a DataView", gone(new DataView(new ArrayBuffer(4)))],
    ["an ArrayBuffer", buffer],
    ["a Uint8Array outside of its buffer", outside[0]],
    ["a DataView outside of its buffer", outside[1]],
    ["a Uint8Array of another realm", runInNewContext("const u = new Uint8Array(4); u.buffer.transfer(); u")],
  ];
}

describe("toPayload", () => {
  for (const [name, data] of forms()) {
    it(`takes ${name}`, () => {
      const payload = toPayload(data, "send");
      assertEquals(payload instanceof Uint8Array, true);
      assertEquals([...payload as Uint8Array], [1, 2, 3, 4]);
    });
  }

  it("takes strings and Uint8Arrays as they are, empty ones too, and Blobs", () => {
    for (const data of ["", "a", new Uint8Array(0), new Uint8Array(1), new Blob(["a"]), new File([], "name")]) {
      assertStrictEquals(toPayload(data, "send"), data);
    }
    assertEquals(toPayload(new ArrayBuffer(0), "send"), new Uint8Array(0));
    assertEquals(toPayload(new Float32Array(0), "send"), new Uint8Array(0));
  });

  for (const [name, data] of detachedForms()) {
    it(`refuses ${name} that is detached`, () => {
      assertEquals(isReadyPayload(data), false);
      const error = assertThrows(() => toPayload(data, "send"), OptionError, "is detached or has shrunk");
      assertEquals([error.code, error.message.startsWith("Cannot send: ")], ["ERR_PAYLOAD", true]);
    });
  }

  it("refuses anything else, with its type and what to do", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    useRemedies(PAYLOAD_REMEDIES);
    const wrong: [data: unknown, kind: string, hint: string][] = [
      [undefined, "undefined", ""],
      [null, "null", ""],
      [1, "number", ": use String"],
      [1n, "bigint", ": use String"],
      [Symbol("s"), "symbol", ""],
      [() => {}, "function", ""],
      [{}, "Object", ": use JSON.stringify"],
      [[1, 2], "Array", ": use Uint8Array.from for bytes, JSON.stringify for anything else"],
      [Promise.resolve(""), "Promise", ": await it first"],
      [Object.create(null), "object", ": use JSON.stringify"],
      [proxy, "object", ""],
      // No instance of its class in truth.
      [Object.create(Uint8Array.prototype), "Uint8Array", ": use JSON.stringify"],
      [Object.create(Blob.prototype), "Blob", ": use JSON.stringify"],
      [{ byteLength: 4, [Symbol.toStringTag]: "ArrayBuffer" }, "Object", ": use JSON.stringify"],
    ];
    for (const [data, kind, hint] of wrong) {
      const error = assertThrows(() => toPayload(data, "send"), OptionError);
      assertEquals(error.code, "ERR_PAYLOAD");
      assertEquals(
        error.message,
        `Cannot send: neither a string nor bytes (an ArrayBuffer or a view) nor a Blob but "${kind}"${hint}`,
      );
    }
  });
});

describe("toReadyPayload", () => {
  it("refuses a Blob, which takes time to read", () => {
    assertEquals(toReadyPayload(new Uint16Array([1]), "send a frame").length, 2);
    assertThrows(() => toReadyPayload(new Blob(["a"]), "send a frame"), OptionError, "a Blob must be read first");
  });
});

describe("readBlob", () => {
  it("reads the bytes, and names the reason if it cannot", async () => {
    assertEquals(await readBlob(new Blob(["ab", Uint8Array.of(1)]), "send"), Uint8Array.of(97, 98, 1));
    const broken = new Blob(["a"]);
    const cause = new Error("The file has changed");
    broken.arrayBuffer = () => Promise.reject(cause);
    const error = await assertRejects(() => readBlob(broken, "send"), OptionError, "cannot be read: The file has");
    assertEquals([error.code, error.cause], ["ERR_PAYLOAD", cause]);
  });
});

describe("encodeClosePayload", () => {
  it("puts the code before the reason, and makes nothing of neither (RFC 6455 §5.5.1)", () => {
    assertEquals(encodeClosePayload(1000, "ab"), Uint8Array.of(0x03, 0xe8, 0x61, 0x62));
    assertEquals(encodeClosePayload(undefined, "").length, 0);
    assertEquals(encodeClosePayload(4999, "x".repeat(MAX_CLOSE_REASON)).length, 125);
  });

  it("refuses a reason without a code, or too long, and codes that must not be sent", () => {
    assertThrows(() => encodeClosePayload(undefined, "a"), OptionError, 'the reason "a" needs a code');
    assertThrows(
      () => encodeClosePayload(1000, "x".repeat(124)),
      OptionError,
      "a reason of 124 bytes, the most is 123",
    );
    assertThrows(() => encodeClosePayload(1000, "ü".repeat(62)), OptionError, "124 bytes");
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN]) {
      assertThrows(() => encodeClosePayload(code, ""), OptionError, `"${code}" must not be sent`);
    }
    assertThrows(() => encodeClosePayload(1000, 5 as never), OptionError, 'of type "number"');
  });
});
