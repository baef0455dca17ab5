/** Heartbeats between nodes of a backplane, simulated without Redis. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Heartbeats, type PathChange } from "../../redis/heartbeats.ts";

/** Some nodes, and the ways between them that are closed, as "from to". */
class Network {
  readonly nodes: Map<string, Heartbeats>;
  readonly closed = new Set<string>();
  readonly changes: string[] = [];

  constructor(...names: string[]) {
    this.nodes = new Map(names.map((name) => [name, new Heartbeats(`id of ${name}`, name)]));
  }

  #note(name: string, change: PathChange | undefined | "unknown"): void {
    if (change === "unknown") this.changes.push(`${name} does not understand`);
    else if (change !== undefined) {
      this.changes.push(`${name} ${change.open ? "reaches" : "does not reach"} ${change.name}`);
    }
  }

  /** Each node sends a beat, so many times. */
  run(times: number): void {
    for (let time = 0; time < times; time++) {
      for (const [from, sender] of this.nodes) {
        this.#note(from, sender.checkOwn());
        const beat = sender.next();
        for (const [to, receiver] of this.nodes) {
          if (!this.closed.has(`${from} ${to}`)) this.#note(to, receiver.take(beat));
        }
        sender.sent();
      }
    }
  }
}

describe("Heartbeats", () => {
  it("says nothing while all hear each other, and when a node comes or goes", () => {
    const network = new Network("a", "b", "c");
    network.run(20);
    network.nodes.set("d", new Heartbeats("id of d", "d"));
    network.run(20);
    network.nodes.delete("a");
    network.run(20);
    assertEquals(network.changes, []);
  });

  it("tells a node once that its messages do not reach another node, by name, and when they do again", () => {
    const network = new Network("a", "b", "c");
    network.run(10);
    network.closed.add("a b");
    network.run(10);
    assertEquals(network.changes, ['a does not reach "b"']);
    network.closed.clear();
    network.run(10);
    assertEquals(network.changes, ['a does not reach "b"', 'a reaches "b"']);
  });

  it("reports to a node that its own messages do not return", () => {
    const network = new Network("a", "b");
    network.closed.add("a a");
    network.run(10);
    network.closed.clear();
    network.run(10);
    assertEquals(network.changes, ["a does not reach itself", "a reaches itself"]);
  });

  it("does not count heartbeats that Redis refused, or from before a node listened", () => {
    const network = new Network("a", "b");
    network.run(10);
    network.closed.add("a b");
    for (let time = 0; time < 10; time++) {
      network.run(1);
      network.nodes.get("a")!.interrupted();
    }
    assertEquals(network.changes, []);
    for (let time = 0; time < 10; time++) {
      network.run(1);
      network.nodes.get("b")!.listens();
    }
    assertEquals(network.changes, []);
    network.run(10);
    assertEquals(network.changes, ['a does not reach "b"']);
  });

  it("forgets a node that has gone, and blames it anew when it is back", () => {
    const network = new Network("a", "b");
    network.closed.add("a b");
    network.run(10);
    const b = network.nodes.get("b")!;
    network.nodes.delete("b");
    network.run(10);
    network.nodes.set("b", b);
    network.run(10);
    assertEquals(network.changes, ['a does not reach "b"', 'a does not reach "b"']);
  });

  it("reports no missing node by a full list, and keeps at most 256 nodes", () => {
    const node = new Heartbeats("me", "me");
    const send = (): void => {
      node.next();
      node.sent();
    };
    for (let time = 0; time < 5; time++) send();
    const heard = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`other ${at}`, 1]));
    const beat = (id: string, count: number): string =>
      JSON.stringify({ node: id, name: id, beat: 9, since: 9, heard: heard(count) });
    assertEquals(node.take(beat("x", 64)), undefined);
    assertEquals(node.take(beat("y", 63)), { name: '"y"', open: false });
    let told = 0;
    for (let at = 0; at < 1000; at++) if (node.take(beat(`flood ${at}`, 1)) !== undefined) told++;
    assertEquals(told, 254);
    assertEquals(Object.keys(JSON.parse(node.next()).heard).length, 64);
  });

  it("ignores invalid beats, and shows names of peers shortened and without control characters", () => {
    const node = new Heartbeats("me", "me");
    const good = { node: "x", name: "x", beat: 1, since: 0, heard: {} };
    const bad = [
      { node: 1 },
      { name: null },
      { beat: -1 },
      { beat: "1" },
      { since: 0.5 },
      { heard: null },
      { heard: { a: "1" } },
      { heard: { a: -1 } },
    ];
    for (const text of ["", "{", "{}", "null", "[]", ...bad.map((more) => JSON.stringify({ ...good, ...more }))]) {
      assertEquals(node.take(text), "unknown", text);
    }
    for (let time = 0; time < 5; time++) {
      node.next();
      node.sent();
    }
    const name = `\u009b2J\u202e${"x".repeat(100)}`;
    const change = node.take(JSON.stringify({ ...good, name, since: 9 }));
    assertEquals(change, { name: `"\\\\u{9b}2J\\\\u{202e}${"x".repeat(60)}"`, open: false });
    // An ID that objects have by themselves belongs to no node.
    assertEquals(new Heartbeats("constructor", "c").take(JSON.stringify(good)), undefined);
  });
});
