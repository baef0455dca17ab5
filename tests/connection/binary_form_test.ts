import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StateError } from "../../base/errors.ts";
import { BinaryForm } from "../../connection/binary_form.ts";
import { sendSubprotocol, sendSubprotocolShared, setBinaryForm } from "../../connection/connection.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { assertFrames, decodeAll, encode, openRig, settle, showFrames } from "../support/support.ts";

const PREFIX = encode("> ");
const make = (more: object = {}): BinaryForm => new BinaryForm({ prefix: PREFIX, refusal: "it cannot", ...more });

describe("BinaryForm", () => {
  it("puts the prefix before bytes, and leaves texts as they are", () => {
    const form = make();
    assertEquals([form.wrap("text"), form.wrap(encode("x")), form.overhead], ["text", encode("> x"), 2]);
    const text = new SharedMessage("text", 0);
    assertEquals(form.wrapShared(text) === text, true);
    const bytes = new SharedMessage(encode("x"), 0);
    const wrapped = form.wrapShared(bytes)!;
    assertEquals(
      showFrames(wrapped.framesFor(undefined)),
      showFrames(new SharedMessage(encode("> x"), 0).framesFor(undefined)),
    );
    // Made once for all connections.
    assertEquals(form.wrapShared(bytes) === wrapped, true);
  });

  it("refuses bytes without a prefix; a broadcast is reported once", () => {
    const errors: string[] = [];
    const form = make({ prefix: undefined, leftOut: (error: Error) => errors.push(error.message) });
    assertEquals([form.wrap("text"), form.overhead], ["text", 0]);
    assertThrows(() => form.wrap(encode("x")), StateError, "Cannot send bytes: it cannot");
    assertThrows(() => form.assertCarried(), StateError, "Cannot send bytes: it cannot");
    for (let at = 0; at < 3; at++) assertEquals(form.wrapShared(new SharedMessage(encode("x"), 0)), undefined);
    assertEquals(errors, ["Cannot send bytes: it cannot"]);
  });

  it("takes messages of the peer apart", () => {
    const form = make({ read: (bytes: Uint8Array) => bytes[0] === 62 ? bytes.slice(2) : undefined });
    assertEquals([form.read("text"), form.read(encode("> x")), form.read(encode("own"))], [
      "text",
      encode("x"),
      undefined,
    ]);
    assertEquals(make().read(encode("x")), encode("x"));
  });
});

describe("a connection with a form of its own for binary messages", () => {
  for (const role of ["server", "client"] as const) {
    it(`gives it to whole and fragmented messages of the program, not to others, as a ${role}`, async () => {
      const { connection, transport } = openRig(role);
      let ended = 0;
      setBinaryForm(connection, make({ messageEnded: () => void ended++ }));
      connection.send("text");
      connection.send(encode("bytes"));
      connection.sendFrame(Opcode.Binary, "be", false);
      connection.sendFrame(Opcode.Continuation, "gin", false);
      assertEquals(ended, 0);
      connection.sendFrame(Opcode.Continuation, encode("end"), true);
      connection.sendFrame(Opcode.Text, "t", true);
      assertEquals(ended, 2);
      sendSubprotocol(connection, encode("own"));
      if (role === "server") sendSubprotocolShared(connection, new SharedMessage(encode("own too"), 0));
      await settle();
      assertFrames(transport.written, [
        'text "text"',
        'binary "> bytes"',
        'binary… "> be"',
        'continuation… "gin"',
        'continuation "end"',
        'text "t"',
        'binary "own"',
        ...role === "server" ? ['binary "own too"'] : [],
      ]);
    });
  }

  it("tells of the end of a message whose last fragment waited for a Blob", async () => {
    const { connection, transport } = openRig();
    let ended = 0;
    setBinaryForm(connection, make({ messageEnded: () => void ended++ }));
    connection.sendFrame(Opcode.Binary, new Blob(["begin"]), false);
    connection.sendFrame(Opcode.Continuation, "end", true);
    assertEquals(ended, 0);
    await connection.drained();
    await settle();
    assertEquals(ended, 1);
    assertFrames(transport.written, ['binary… "> begin"', 'continuation "end"']);
  });

  it("lets a stream wait for room for the prefix too, in place of failing", async () => {
    const { connection, transport } = openRig("server", { maxBufferedAmount: 100, highWaterMark: 100 });
    setBinaryForm(connection, make({ prefix: new Uint8Array(16) }));
    transport.stalled = true;
    const writer = connection.writable.getWriter();
    // With its frame each has 78 and 38 bytes, and 22 without the prefix: both would seem to fit.
    const writes = [writer.write(new Uint8Array(60)), writer.write(new Uint8Array(19))];
    await settle();
    transport.stalled = false;
    transport.drain();
    await Promise.all(writes);
    await settle();
    assertEquals(decodeAll(transport.written).map(({ payload }) => payload.length), [76, 35]);
  });
});
