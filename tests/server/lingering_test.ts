import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type HeaderFields, HeadReader } from "../../protocol/head.ts";
import type { AcceptSettings } from "../../server/accept_host.ts";
import { droppedBodySize, Lingering } from "../../server/lingering.ts";
import { RequestTimer } from "../../server/request_timer.ts";
import type { Transport } from "../../transport/transport.ts";
import { encode, FakeClock } from "../support/support.ts";

function fieldsOf(fields: string): HeaderFields {
  const reader = new HeadReader({ maxHeadSize: 0, maxHeaderFields: 0 }, "request");
  reader.push(encode(`POST / HTTP/1.1\r\n${fields}\r\n`));
  return reader.head!.fields;
}

const sizeOf = (fields: string, maxBodySize = 4 * 1024 * 1024): number =>
  droppedBodySize(fieldsOf(fields), maxBodySize);

/** A connection that ends, and what is done to it. */
function makeLingering(): { lingering: Lingering; settings: AcceptSettings; calls: string[]; turns: (() => void)[] } {
  const calls: string[] = [];
  const turns: (() => void)[] = [];
  const note = (name: string) => (): void => void calls.push(name);
  const transport = {
    pause: note("pause"),
    resume: note("resume"),
    end: note("end"),
    destroy: note("destroy"),
    deferWork: (work: () => void) => void turns.push(work),
  } as unknown as Transport;
  const settings = {
    closeTimeout: 10,
    bodyTimeout: 100,
    maxBodySize: 1,
    clock: new FakeClock(),
  } as unknown as AcceptSettings;
  const ticket = { acceptedAt: 0, awaitingPeer: () => {}, servingPeer: () => {}, idle: () => {} };
  const timer = new RequestTimer(() => settings, ticket, () => {});
  return { lingering: new Lingering(transport, timer), settings, calls, turns };
}

describe("Lingering", () => {
  it("lets others come first behind each 32 KiB of a body", () => {
    const { lingering, settings, calls, turns } = makeLingering();
    lingering.begin(settings, fieldsOf("Transfer-Encoding: chunked\r\n"), false);
    assertEquals(calls, ["end", "resume"]);
    lingering.drop(64 * 1024);
    // A read that was under way.
    lingering.drop(1);
    assertEquals([calls.slice(2), turns.length], [["pause", "pause"], 1]);
    for (let turn = 0; turn < 2; turn++) turns.shift()!();
    assertEquals([calls.slice(4), turns.length], [[], 1]);
    turns.shift()!();
    assertEquals([calls.slice(4), turns.length], [["resume"], 0]);
    lingering.drop(1);
    turns.shift()!();
    assertEquals([calls.slice(5), turns.length], [["pause", "resume"], 0]);
  });

  it("reads what is no body at once, as little as it may be, and ends the connection beyond it", () => {
    const length = "Content-Length: 3000000\r\n";
    for (
      const [fields, complete, most] of [
        [undefined, false, 128 * 1024],
        [fieldsOf(""), false, 1024 * 1024],
        [fieldsOf(length), true, 1024 * 1024],
        [fieldsOf(length), false, 1024 * 1024 + 3_000_000],
      ] as const
    ) {
      const { lingering, settings, calls, turns } = makeLingering();
      lingering.begin(settings, fields, complete);
      lingering.drop(most);
      const reads = most > 1024 * 1024 ? ["end", "resume", "pause"] : ["end", "resume"];
      assertEquals([calls, turns.length], [reads, reads.length - 2]);
      lingering.drop(1);
      assertEquals(calls, [...reads, "destroy"]);
    }
  });
});

describe("droppedBodySize", () => {
  it("is the length that was declared, up to 64 MiB or maxBodySize", () => {
    assertEquals(sizeOf("Content-Length: 12345\r\n"), 12345);
    assertEquals(sizeOf("Content-Length: 9007199254740991\r\n"), 64 * 1024 * 1024);
    assertEquals(sizeOf("Content-Length: 9007199254740991\r\n", 1e9), 1e9);
    assertEquals(sizeOf("Content-Length: 99999999\r\n", 0), 64 * 1024 * 1024);
  });

  it("is the most for chunks, whose end is not known", () => {
    assertEquals(sizeOf("Transfer-Encoding: chunked\r\n"), 64 * 1024 * 1024);
  });

  it("is nothing without a body, and where its end is ambiguous", () => {
    assertEquals([sizeOf(""), sizeOf("Content-Length: 0\r\n")], [0, 0]);
    for (
      const fields of [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -5\r\n",
        "Transfer-Encoding: gzip\r\n",
      ]
    ) assertEquals(sizeOf(fields), 0, fields);
  });
});
