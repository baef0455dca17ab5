import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ATTEMPT_DELAY, connectFirst, type HostAddress, interleave } from "../../transport/happy_eyeballs.ts";
import { defer, FakeClock, settle } from "../support/support.ts";

const hosts = (...addresses: string[]): HostAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

/** Attempts that end when the test says so. */
class Network {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  #attempts = new Map<string, ReturnType<typeof defer<string>>>();

  connect(addresses: string[], signal: AbortSignal = new AbortController().signal): Promise<string> {
    return connectFirst(hosts(...addresses), {
      dial: (address, given) => {
        this.log.push(address);
        given.addEventListener("abort", () => this.log.push(`abort ${address}`));
        const attempt = defer<string>();
        this.#attempts.set(address, attempt);
        return attempt.promise;
      },
      close: (conn) => void this.log.push(`close ${conn}`),
      clock: this.clock,
    }, signal);
  }
  succeed(address: string): Promise<void> {
    this.#attempts.get(address)!.resolve(address);
    return settle();
  }
  fail(address: string): Promise<void> {
    this.#attempts.get(address)!.reject(new Error(address));
    return settle();
  }
}

describe("interleave", () => {
  it("alternates the families, and leaves the resolver its first choice", () => {
    const ordered = (...addresses: string[]) => interleave(hosts(...addresses)).map(({ address }) => address);
    assertEquals(ordered("a:", "b:", "1", "c:", "2"), ["a:", "1", "b:", "2", "c:"]);
    assertEquals(ordered("1", "2", "a:"), ["1", "a:", "2"]);
    assertEquals([ordered("1"), ordered()], [["1"], []]);
  });
});

describe("connectFirst", () => {
  it("does not wait for an address that is silent, and gives the others up when one answers", async () => {
    const net = new Network();
    const connected = net.connect(["a:", "1", "b:"]);
    assertEquals(net.log, ["a:"]);
    net.clock.advance(ATTEMPT_DELAY - 1);
    assertEquals(net.log, ["a:"]);
    net.clock.advance(1);
    assertEquals(net.log, ["a:", "1"]);
    await net.succeed("1");
    assertEquals(await connected, "1");
    assertEquals(net.log, ["a:", "1", "abort a:", "abort 1"]);
    assertEquals(net.clock.pending, 0);
    // It answers all the same.
    await net.succeed("a:");
    assertEquals(net.log.at(-1), "close a:");
  });

  it("tries the next address at once when one refuses", async () => {
    const net = new Network();
    const connected = net.connect(["a:", "1", "b:"]);
    await net.fail("a:");
    await net.fail("1");
    assertEquals(net.log, ["a:", "1", "b:"]);
    assertEquals(net.clock.pending, 0);
    await net.succeed("b:");
    assertEquals(await connected, "b:");
  });

  it("fails with the first failure when all have failed", async () => {
    const net = new Network();
    const connected = net.connect(["a:", "1"]);
    net.clock.advance(ATTEMPT_DELAY);
    await net.fail("1");
    const failed = assertRejects(() => connected, Error, "1");
    await net.fail("a:");
    await failed;
    assertEquals(net.clock.pending, 0);
  });

  it("gives all up with its signal", async () => {
    const net = new Network();
    const stop = new AbortController();
    const connected = net.connect(["a:", "1"], stop.signal);
    net.clock.advance(ATTEMPT_DELAY);
    stop.abort(new Error("enough"));
    await assertRejects(() => connected, Error, "enough");
    assertEquals([net.log, net.clock.pending], [["a:", "1", "abort a:", "abort 1"], 0]);
    await net.fail("a:");
    await net.succeed("1");
    assertEquals(net.log.at(-1), "close 1");
    await assertRejects(() => new Network().connect(["1"], AbortSignal.abort(new Error("before"))), Error, "before");
  });
});
