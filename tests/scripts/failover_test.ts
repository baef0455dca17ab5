/** The fail-over test (`scripts/failover.ts`): its engines, what it calls a failure, and its table. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { engineNames, loadEngine } from "../../scripts/failover_lane/engine.ts";
import { type CaseRecord, type Delivery, judge, type NodeRecord } from "../../scripts/failover_lane/judge.ts";
import { toTable } from "../../scripts/failover_lane/table.ts";
import { NEED_NAMES } from "../support/needs.ts";

const LOST = { code: "ERR_JOURNAL_LOST", message: "" };

function nodeWith(kept: Record<string, number[]>, ...codes: string[]): NodeRecord {
  return { name: "a node", kept: new Map(Object.entries(kept)), errors: codes.map((code) => ({ ...LOST, code })) };
}

/** Deliveries written as "number body connection". */
function deliveries(...texts: string[]): Delivery[] {
  return texts.map((text) => {
    const [seq, digest, connection] = text.split(" ");
    return { seq: Number(seq), digest: digest!, connection: Number(connection) };
  });
}

/** A case in which a and b got their 200, a second apart, as 1 and 2. */
function caseWith(change: Partial<CaseRecord>): CaseRecord {
  return {
    accepted: new Map([["a", 1000], ["b", 2000]]),
    nodes: [nodeWith({ a: [1], b: [2] })],
    receivers: [{ name: "billing", deliveries: deliveries("1 a 1", "2 b 1"), gaps: [] }],
    longestGap: 1000,
    ...change,
  };
}

function receiver(gaps: { after: number; until: number }[], ...texts: string[]): CaseRecord["receivers"][number] {
  return { name: "billing", deliveries: deliveries(...texts), gaps };
}

describe("judge", () => {
  it("counts what came, and the time without a 200", () => {
    const { errors, ...counts } = judge(caseWith({ nodes: [nodeWith({}, "A", "B"), nodeWith({}, "A")] }));
    assertEquals(counts, { accepted: 2, delivered: 2, lost: 0, told: 0, twice: 0, gap: 1000, faults: [] });
    assertEquals(errors, new Map([["A", 2], ["B", 1]]));
  });

  it("fails if no 200 came for longer than the case allows", () => {
    const { faults } = judge(caseWith({ longestGap: 900 }));
    assertEquals(faults, ["No 200 for 1.0 s, which may be 0.9 s at most"]);
  });

  it("fails if a receiver lacks a notification with its 200", () => {
    const receivers = [receiver([], "1 a 1", "2 b 1"), receiver([], "1 a 1")];
    const { delivered, lost, told, faults } = judge(caseWith({ receivers }));
    assertEquals([delivered, lost, told], [1, 1, 0]);
    assertEquals(faults, ['"billing" did not get 1 of 2 that got a 200, untold: 2']);
  });

  it("takes a loss as told if a node reported it, and a gap covers the number", () => {
    const lost = nodeWith({ a: [1], b: [2] }, "ERR_JOURNAL_LOST");
    const covered = [receiver([{ after: 1, until: 4 }], "1 a 1")];
    const { delivered, lost: count, told, faults } = judge(caseWith({ nodes: [lost], receivers: covered }));
    assertEquals([delivered, count, told, faults], [1, 1, 1, []]);
    assertEquals(judge(caseWith({ receivers: covered })).told, 0, "no node reported it");
    const beside = [receiver([{ after: 2, until: 4 }], "1 a 1")];
    assertEquals(judge(caseWith({ nodes: [lost], receivers: beside })).told, 0, "the gap is elsewhere");
  });

  it("counts a notification that comes again on a later connection, and allows it", () => {
    const { twice, faults } = judge(caseWith({ receivers: [receiver([], "1 a 1", "2 b 1", "1 a 2", "2 b 2")] }));
    assertEquals([twice, faults], [2, []]);
  });

  it("fails if a notification comes twice on one connection", () => {
    const { twice, faults } = judge(caseWith({ receivers: [receiver([], "1 a 1", "2 b 1", "2 b 1")] }));
    assertEquals([twice, faults], [1, ['"billing" got 1 notifications twice on one connection: 2']]);
  });

  it("fails if a notification has two numbers, unless a loss was told", () => {
    const receivers = [receiver([], "1 a 1", "2 b 1", "3 b 2")];
    const { twice, faults } = judge(caseWith({ receivers }));
    assertEquals(twice, 1);
    assertEquals(faults, ['"billing" got 1 notifications again under other numbers, though no loss was told: 3']);
    const nodes = [nodeWith({ a: [1], b: [2, 3] }, "ERR_JOURNAL_LOST")];
    assertEquals(judge(caseWith({ nodes, receivers })).faults, []);
  });

  it("fails if a number comes with another body, whatever was told", () => {
    const nodes = [nodeWith({ a: [1], b: [2] }, "ERR_JOURNAL_LOST")];
    const { faults } = judge(caseWith({ nodes, receivers: [receiver([], "1 a 1", "1 b 2")] }));
    assertEquals(faults, ['"billing" got 1 numbers a second time, with other bodies: 1']);
  });
});

describe("The table of the fail-over test", () => {
  it("has a line for each case, with errors by code", () => {
    const clients = { Deno: "npm:pg", Bun: "Bun.sql" };
    const good = judge(caseWith({ nodes: [nodeWith({}, "B", "A", "B")] }));
    const bad = judge(caseWith({ longestGap: 0 }));
    const rows = [{ engine: "one", name: "kill", clients, outcome: good }];
    const [head, rule, first, second] = toTable([...rows, { ...rows[0]!, engine: "two", outcome: bad }]).split("\n");
    const cells = (line: string): string[] => line.split("|").slice(1, -1).map((cell) => cell.trim());
    assertEquals(cells(head!).join(), "engine,case,clients,200s,delivered,lost,twice,longest gap, s,errors");
    assert(/^\|( -+ \|){9}$/.test(rule!), rule);
    assertEquals(cells(first!), ["one", "kill", "npm:pg, Bun.sql", "2", "2", "0", "0", "1.0", "A 1, B 2"]);
    assertEquals(cells(second!).slice(0, 2), ["two", "kill FAILED"]);
  });
});

describe("Engines of the fail-over test", () => {
  it("are the files of scripts/failover/, each with needs and cases", async () => {
    assert(engineNames().includes("redis"));
    for (const name of engineNames()) {
      const { needs, cases } = await loadEngine(name);
      for (const need of needs) assert(NEED_NAMES.includes(need), `${name} needs ${need}`);
      assert(Object.keys(cases).length > 0, name);
      for (const [one, { text, clients, longestGap }] of Object.entries(cases)) {
        assert(!text.includes("\n") && text.length > 10, `${name} ${one}: ${text}`);
        assert(clients.length > 0 && longestGap > 0, `${name} ${one}`);
      }
    }
  });
});
