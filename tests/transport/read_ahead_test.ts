import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ReadAheadBudget, type ReadAheadOwner } from "../../transport/read_ahead.ts";

class Connection implements ReadAheadOwner {
  expendable: boolean;
  givenUp = 0;

  constructor(expendable: boolean) {
    this.expendable = expendable;
  }

  giveUp(): void {
    this.givenUp++;
  }
}

describe("ReadAheadBudget", () => {
  it("limits the bytes held, and drops the connection that holds the most", () => {
    const budget = new ReadAheadBudget(100);
    const [small, large, middle] = [new Connection(true), new Connection(true), new Connection(true)];
    assert(budget.keep(small, 20));
    assert(budget.keep(large, 50));
    assert(budget.keep(middle, 30));
    assertEquals([budget.total, large.givenUp], [100, 0]);
    assert(budget.keep(small, 21));
    assertEquals([small.givenUp, large.givenUp, middle.givenUp], [0, 1, 0]);
    assertEquals(budget.total, 51);
  });

  it("drops as many connections as needed", () => {
    const budget = new ReadAheadBudget(100);
    const others = Array.from({ length: 10 }, () => new Connection(true));
    for (const other of others) budget.keep(other, 10);
    const known = new Connection(false);
    assert(budget.keep(known, 95));
    assertEquals(others.map(({ givenUp }) => givenUp), new Array(10).fill(1));
    assertEquals([budget.total, known.givenUp], [95, 0]);
  });

  it("drops the new connection if that holds the most", () => {
    const budget = new ReadAheadBudget(100);
    const [before, newcomer] = [new Connection(true), new Connection(true)];
    budget.keep(before, 60);
    assert(budget.keep(newcomer, 70));
    assertEquals([before.givenUp, newcomer.givenUp, budget.total], [0, 1, 60]);
  });

  it("refuses bytes that cannot wait, and drops no connection that was already served", () => {
    const budget = new ReadAheadBudget(100);
    const [one, other] = [new Connection(false), new Connection(false)];
    assert(budget.keep(one, 60));
    assert(!budget.keep(other, 60));
    assertEquals([one.givenUp, other.givenUp, budget.total], [0, 0, 60]);
    // Its peer has gone meanwhile.
    one.expendable = true;
    assert(budget.keep(other, 70));
    assertEquals([one.givenUp, other.givenUp, budget.total], [1, 0, 70]);
  });

  it("counts each once, until it leaves", () => {
    const budget = new ReadAheadBudget(100);
    const connection = new Connection(true);
    for (const length of [10, 40, 90]) assert(budget.keep(connection, length));
    assertEquals(budget.total, 90);
    budget.release(connection);
    budget.release(connection);
    assertEquals([budget.total, connection.givenUp], [0, 0]);
  });

  it("reserves room for the next read, up to its limit", () => {
    const budget = new ReadAheadBudget(100, 50);
    const [one, other] = [new Connection(true), new Connection(true)];
    // With no bytes waiting, each connection may read.
    assert(budget.reserve(one, 60));
    assert(!budget.reserve(other, 1));
    assertEquals([budget.total, budget.kept, other.givenUp], [60, 0, 0]);
    assert(budget.keep(one, 20));
    assertEquals([budget.total, budget.kept], [20, 20]);
    assert(budget.reserve(other, 30));
    assert(!budget.reserve(new Connection(true), 1));
    budget.release(one);
    budget.release(other);
    assertEquals(budget.total, 0);
  });

  it("keeps room for the same connection once", () => {
    const budget = new ReadAheadBudget(100, 50);
    const connection = new Connection(true);
    for (const length of [10, 20, 25]) assert(budget.reserve(connection, length));
    assertEquals(budget.total, 25);
    budget.release(connection);
    assertEquals(budget.total, 0);
  });
});
