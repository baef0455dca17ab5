import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { MessageLoops, type Messages } from "../../client/message_loops.ts";

async function* connection(messages: string[], error?: Error): AsyncGenerator<string, undefined> {
  yield* messages;
  if (error !== undefined) throw error;
  return undefined;
}

async function collect(loop: Messages): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const message of loop) got.push(message);
  return got;
}

describe("MessageLoops", () => {
  it("continue with each connection, and end when no other follows", async () => {
    const loops = new MessageLoops();
    const first = collect(loops.begin(connection(["a"])));
    const second = collect(loops.begin(undefined));
    loops.continueWith(() => connection(["b"], new Error("lost")));
    loops.continueWith(() => connection(["c"]));
    loops.end();
    assertEquals([await first, await second], [["a", "b", "c"], ["b", "c"]]);
  });

  it("throw the loss of the last connection only", async () => {
    const loops = new MessageLoops();
    const loop = loops.begin(connection(["a"], new Error("first")));
    loops.continueWith(() => connection(["b"], new Error("second")));
    loops.end();
    assertEquals([(await loop.next()).value, (await loop.next()).value], ["a", "b"]);
    await assertRejects(() => loop.next(), Error, "second");
  });

  it("get no further connection once they are left", async () => {
    const loops = new MessageLoops();
    for await (const message of loops.begin(connection(["a", "b"]))) {
      assertEquals(message, "a");
      break;
    }
    let begun = 0;
    loops.continueWith(() => {
      begun++;
      return connection([]);
    });
    assertEquals(begun, 0);
  });

  it("leave the connections that they had not reached when they are left", async () => {
    const loops = new MessageLoops();
    const left: string[] = [];
    const loop = loops.begin(connection(["a", "b"]));
    assertEquals((await loop.next()).value, "a");
    const later: Messages = {
      next: () => Promise.resolve({ done: true, value: undefined }),
      return() {
        left.push("later");
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => later,
    };
    loops.continueWith(() => later);
    await loop.return!();
    assertEquals(left, ["later"]);
  });
});
