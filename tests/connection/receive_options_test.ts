import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import "../../connection/connection.ts";
import { type ReceiveOptions, refuseReceiveOptions } from "../../connection/receive_options.ts";

describe("refuseReceiveOptions", () => {
  it("takes a signal, or nothing", () => {
    const taken: ReceiveOptions[] = [{}, { signal: undefined }, { signal: AbortSignal.timeout(1) }];
    assertEquals(taken.map((options) => refuseReceiveOptions(options)), [undefined, undefined, undefined]);
  });

  const wrong: [options: unknown, message: string][] = [
    [{ timeout: 50 }, 'receive has no option "timeout"; use "signal: AbortSignal.timeout(5000)"'],
    [{ sginal: null }, 'did you mean "signal"?'],
    [{ signal: new AbortController() }, "use its signal"],
    [50, "receive takes options as an object such as { signal: AbortSignal.timeout(5000) }"],
    [null, "receive takes options as an object"],
  ];
  for (const [options, message] of wrong) {
    it(`refuses with: ${message}`, async () => {
      await assertRejects(async () => await refuseReceiveOptions(options as ReceiveOptions), OptionError, message);
    });
  }
});
