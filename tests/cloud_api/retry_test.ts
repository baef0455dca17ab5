import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { isTransient, pauseBefore } from "../../cloud_api/retry.ts";
import { type GraphAnswer, GraphServer, refusal } from "../support/graph.ts";
import { FakeClock, until } from "../support/support.ts";

const errorOf = (status: number, code?: number, more: { isTransient?: boolean } = {}): WhatsAppApiError =>
  new WhatsAppApiError("ERR_API_REFUSED", "refused", status, code === undefined ? {} : { graph: { code, ...more } });

/** Sends a text, answered by one error after the other; `pauses` are the longest waits before each attempt. */
async function sendThrough(answers: readonly GraphAnswer[], pauses: readonly number[]): Promise<number> {
  await using graph = await new GraphServer().start();
  graph.answer = () => ({ json: { messages: [{ id: "wamid.SENT" }] } });
  graph.next.push(...answers);
  const clock = new FakeClock();
  const sent = graph.api({ clock, requestTimeout: 0 }).sendText("4917", "Hi");
  sent.catch(() => {}); // awaited below
  for (const [index, pause] of pauses.entries()) {
    await graph.count(index + 1);
    await until(() => clock.pending === 1, "the pause");
    clock.advance(pause);
  }
  await sent;
  assertEquals(clock.pending, 0);
  return graph.requests.length;
}

describe("isTransient()", () => {
  it("holds for Meta's codes of faults that pass, whatever the status", () => {
    for (const code of [1, 2, 4, 613, 80007, 130429, 131000, 131016, 131056, 131057, 133004, 139103]) {
      assert(isTransient(errorOf(400, code)), String(code));
    }
  });

  it("holds for is_transient, 429 and 5xx", () => {
    assert(isTransient(errorOf(400, 100, { isTransient: true })));
    assert(isTransient(errorOf(429)));
    assert(isTransient(errorOf(503)));
    assert(!isTransient(errorOf(400, 100, { isTransient: false })));
    assert(!isTransient(errorOf(400, 131047)));
    assert(!isTransient(errorOf(404)));
  });

  it("never holds for 131049 and 131050, even if the answer says so", () => {
    for (const code of [131049, 131050]) {
      assert(!isTransient(errorOf(429, code)));
      assert(!isTransient(errorOf(500, code, { isTransient: true })));
    }
  });
});

describe("pauseBefore()", () => {
  const pause = (attempt: number, code: number, retryAfter: string | null = null): number =>
    pauseBefore({ attempt, error: errorOf(400, code), retryAfter }, 500);

  it("is 4^n seconds after 131056, as Meta advises", () => {
    assertEquals([0, 1, 2, 3].map((attempt) => pause(attempt, 131056)), [1000, 4000, 16_000, 64_000]);
    assertEquals(pause(40, 131056), 1_024_000);
  });

  it("is random and grows after other errors, up to a minute", () => {
    for (let attempt = 0; attempt < 30; attempt++) {
      const length = pause(attempt, 4);
      assert(length >= 0 && length <= Math.min(500 * 2 ** attempt, 60_000), `${attempt}: ${length}`);
    }
  });

  it("is what Retry-After says, up to a minute", () => {
    assertEquals(pause(0, 4, "7"), 7000);
    assertEquals(pause(0, 131056, "7"), 7000);
    assertEquals(pause(0, 4, "86400"), 60_000);
    // Nothing that would use up all attempts at once, or wait for ever.
    for (const odd of ["0", "-1", "", "soon", "NaN", "Infinity", "1e999"]) {
      assertEquals(pause(1, 131056, odd), 4000, odd);
    }
    assertEquals(pause(0, 4, "1e9"), 60_000);
    assertEquals(pause(1, 131056, "Wed, 21 Oct 2026 07:28:00 GMT"), 4000);
  });
});

describe("WhatsAppApi tries again", () => {
  it("after 131056, at 1, 4, 16 and 64 s", async () => {
    assertEquals(await sendThrough(Array(4).fill(refusal(400, 131056)), [1000, 4000, 16_000, 64_000]), 5);
  });

  it("after maintenance, a server that is away, too many calls of the Calling API, and what is transient", async () => {
    const answers = [
      refusal(400, 131057),
      refusal(503, 133004),
      refusal(400, 613),
      refusal(400, 100, { is_transient: true }),
    ];
    assertEquals(await sendThrough(answers, [500, 1000, 2000, 4000]), 5);
  });

  it("not when the recipient has too many marketing messages, or wants none", async () => {
    for (const code of [131049, 131050]) {
      const error = await assertRejects(
        () => sendThrough([refusal(400, code, { is_transient: true })], []),
        WhatsAppApiError,
      );
      assertEquals(error.graph?.code, code);
      assertEquals(error.graph?.isTransient, true);
    }
  });
});
