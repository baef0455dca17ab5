/** Slots of a cluster, against the values that Redis gives (`CLUSTER KEYSLOT`). */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { hashSlot } from "../../redis/slots.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";

describe("Slot of a key", () => {
  it("is the CRC16 of the key, as the specification of Redis Cluster has it", () => {
    // CRC16("123456789") is 0x31c3 there.
    assertEquals(hashSlot("123456789"), 0x31c3);
    assertEquals(hashSlot(""), 0);
  });
});

describeRedis("Slots of a real server", () => {
  it("are the same for any place of the braces, and any text", async () => {
    await using redis = await RedisServer.start(["--cluster-enabled", "yes", "--cluster-port", "0"]);
    const [make] = CLIENTS.values();
    await using admin = await make!(redis.url);
    const keys = [
      "foo",
      "{foo}.bar",
      "a{foo}b",
      "{}foo",
      "foo{",
      "foo}{bar",
      "{a}{b}",
      "{{a}}",
      "x{}y{z}",
      "grün",
      "{grün}:€",
      "𝄞",
    ];
    for (const key of keys) assertEquals(hashSlot(key), await admin.command("CLUSTER", "KEYSLOT", key), key);
  });
});
