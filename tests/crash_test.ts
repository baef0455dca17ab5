import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { crashTest } from "./support/crash.ts";
import { describePostgres } from "./support/describe_postgres.ts";
import { describeRedis } from "./support/describe_redis.ts";
import { Random } from "./support/support.ts";

describe("kill -9 of server and receivers, at random moments", () => {
  it("delivers all that got a 200 to each receiver, in order (200 times: `deno task test:crash`)", async () => {
    const seed = Date.now() % 1e6;
    const { accepted, faults, kills } = await crashTest(8, new Random(seed));
    assertEquals(faults, [], `seed ${seed}`);
    assert(accepted >= 80, `${accepted} accepted, killed ${JSON.stringify(kills)}`);
  });
});

describeRedis("kill -9 of two servers, Redis and receivers, at random moments", () => {
  it("loses nothing that got a 200 from either server (200 times: `deno task test:crash --redis`)", async () => {
    const seed = Date.now() % 1e6;
    const { accepted, faults, kills } = await crashTest(10, new Random(seed), "redis");
    assertEquals(faults, [], `seed ${seed}`);
    assert(accepted >= 100, `${accepted} accepted, killed ${JSON.stringify(kills)}`);
  });
});

describePostgres("kill -9 of two servers, PostgreSQL and receivers, at random moments", () => {
  it("loses nothing that got a 200 from either server (200 times: `deno task test:crash --postgres`)", async () => {
    const seed = Date.now() % 1e6;
    const { accepted, faults, kills } = await crashTest(10, new Random(seed), "postgres");
    assertEquals(faults, [], `seed ${seed}`);
    assert(accepted >= 100, `${accepted} accepted, killed ${JSON.stringify(kills)}`);
  });
});
