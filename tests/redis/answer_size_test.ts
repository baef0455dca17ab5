/** Sizes of answers that Redis would not give. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AnswerSize } from "../../redis/answer_size.ts";

const share = (size: AnswerSize): Promise<number> => size.ask((share) => Promise.resolve(share));
const fail = (size: AnswerSize): Promise<Error> =>
  assertRejects(() => size.ask(() => Promise.reject(new Error("the connection was closed"))), Error, "was closed");

describe("AnswerSize", () => {
  it("halves the share with each answer that does not come, down to a 1024th", async () => {
    const size = new AnswerSize();
    assertEquals(await share(size), 1);
    await fail(size);
    assertEquals(await share(size), 1 / 2);
    await fail(size);
    assertEquals(await share(size), 1 / 4);
    for (let at = 0; at < 20; at++) await fail(size);
    assertEquals(await share(size), 1 / 1024);
  });

  it("doubles it after 64 answers in a row, up to 1", async () => {
    const size = new AnswerSize();
    await fail(size);
    for (let at = 0; at < 63; at++) await share(size);
    await fail(size);
    for (let at = 0; at < 64; at++) assertEquals(await share(size), 1 / 4);
    for (let at = 0; at < 64; at++) assertEquals(await share(size), 1 / 2);
    for (let at = 0; at < 200; at++) assertEquals(await share(size), 1);
  });
});
