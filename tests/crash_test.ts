import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { crashTest } from "./support/crash.ts";
import { describeRedis } from "./support/describe_redis.ts";
import { Random } from "./support/support.ts";

describe("kill -9 of server and receivers, at random moments", () => {
  it("loses nothing that got a 200: each receiver gets it, in order (`deno task test:crash` does it 200 times)", async () => {
    const seed = Date.now() % 1e6;
    const { accepted, faults, kills } = await crashTest(8, new Random(seed));
    assertEquals(faults, [], `seed ${seed}`);
    assert(accepted >= 80, `${accepted} accepted, killed ${JSON.stringify(kills)}`);
  });
});

describeRedis("kill -9 of two servers, Redis and receivers, at random moments", () => {
  it("loses nothing that got a 200, whoever took it (`deno task test:crash --redis` does it 200 times)", async () => {
    const seed = Date.now() % 1e6;
    const { accepted, faults, kills } = await crashTest(10, new Random(seed), true);
    assertEquals(faults, [], `seed ${seed}`);
    assert(accepted >= 100, `${accepted} accepted, killed ${JSON.stringify(kills)}`);
  });
});
