import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Waiter, WaitingRoom } from "../../transport/waiting_room.ts";

class Connection implements Waiter {
  expendable: boolean;
  givenUp = 0;

  constructor(expendable: boolean) {
    this.expendable = expendable;
  }

  giveUp(): void {
    this.givenUp++;
  }
}

describe("WaitingRoom", () => {
  it("limits the bytes held, and drops the connection that holds the most", () => {
    const room = new WaitingRoom(100);
    const [small, large, middle] = [new Connection(true), new Connection(true), new Connection(true)];
    assert(room.hold(small, 20));
    assert(room.hold(large, 50));
    assert(room.hold(middle, 30));
    assertEquals([room.total, large.givenUp], [100, 0]);
    assert(room.hold(small, 21));
    assertEquals([small.givenUp, large.givenUp, middle.givenUp], [0, 1, 0]);
    assertEquals(room.total, 51);
  });

  it("drops as many connections as needed", () => {
    const room = new WaitingRoom(100);
    const others = Array.from({ length: 10 }, () => new Connection(true));
    for (const other of others) room.hold(other, 10);
    const known = new Connection(false);
    assert(room.hold(known, 95));
    assertEquals(others.map(({ givenUp }) => givenUp), new Array(10).fill(1));
    assertEquals([room.total, known.givenUp], [95, 0]);
  });

  it("drops the new connection if that holds the most", () => {
    const room = new WaitingRoom(100);
    const [before, newcomer] = [new Connection(true), new Connection(true)];
    room.hold(before, 60);
    assert(room.hold(newcomer, 70));
    assertEquals([before.givenUp, newcomer.givenUp, room.total], [0, 1, 60]);
  });

  it("refuses bytes that cannot wait, and drops no connection that was already served", () => {
    const room = new WaitingRoom(100);
    const [one, other] = [new Connection(false), new Connection(false)];
    assert(room.hold(one, 60));
    assert(!room.hold(other, 60));
    assertEquals([one.givenUp, other.givenUp, room.total], [0, 0, 60]);
    // Its peer has gone meanwhile.
    one.expendable = true;
    assert(room.hold(other, 70));
    assertEquals([one.givenUp, other.givenUp, room.total], [1, 0, 70]);
  });

  it("counts each once, until it leaves", () => {
    const room = new WaitingRoom(100);
    const connection = new Connection(true);
    for (const length of [10, 40, 90]) assert(room.hold(connection, length));
    assertEquals(room.total, 90);
    room.leave(connection);
    room.leave(connection);
    assertEquals([room.total, connection.givenUp], [0, 0]);
  });

  it("reserves room for the next read, up to its limit", () => {
    const room = new WaitingRoom(100, 50);
    const [one, other] = [new Connection(true), new Connection(true)];
    // With no bytes waiting, each connection may read.
    assert(room.reserve(one, 60));
    assert(!room.reserve(other, 1));
    assertEquals([room.total, room.held, other.givenUp], [60, 0, 0]);
    assert(room.hold(one, 20));
    assertEquals([room.total, room.held], [20, 20]);
    assert(room.reserve(other, 30));
    assert(!room.reserve(new Connection(true), 1));
    room.leave(one);
    room.leave(other);
    assertEquals(room.total, 0);
  });

  it("keeps room for the same connection once", () => {
    const room = new WaitingRoom(100, 50);
    const connection = new Connection(true);
    for (const length of [10, 20, 25]) assert(room.reserve(connection, length));
    assertEquals(room.total, 25);
    room.leave(connection);
    assertEquals(room.total, 0);
  });
});
