import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError, type TransportError } from "../../base/errors.ts";
import type { ClientConnection } from "../../client/connector.ts";
import { SendBacklog } from "../../client/send_backlog.ts";
import type { SendResult } from "../../connection/options.ts";
import { defer } from "../support/support.ts";

class FakeConnection {
  state = "open";
  sent: unknown[] = [];
  results: SendResult[] = [];
  failure: Error | undefined;
  drains = 0;
  waiting: Promise<void> = Promise.resolve();

  send(data: unknown): SendResult {
    if (this.failure !== undefined) throw this.failure;
    const result = this.results.shift() ?? "sent";
    if (result !== "dropped") this.sent.push(data);
    return result;
  }
  drained(): Promise<void> {
    this.drains++;
    return this.waiting;
  }
}

const send = (backlog: SendBacklog, connection: FakeConnection, errors: unknown[] = []): Promise<void> =>
  backlog.sendTo(connection as unknown as ClientConnection, (error) => errors.push(error));

describe("SendBacklog", () => {
  it("keeps messages up to the limit in UTF-8 bytes, and copies bytes", async () => {
    const backlog = new SendBacklog();
    const bytes = Uint8Array.of(1, 2);
    assertEquals([backlog.add("€", 6), backlog.add(bytes, 6), backlog.add("ab", 6)], [true, true, false]);
    assertEquals([backlog.add("a", 6), backlog.count, backlog.size], [true, 3, 6]);
    bytes.fill(9);
    const connection = new FakeConnection();
    await send(backlog, connection);
    assertEquals([connection.sent, backlog.count, backlog.size], [["€", Uint8Array.of(1, 2), "a"], 0, 0]);
  });

  it("waits for a slow server, and sends a dropped message again", async () => {
    const backlog = new SendBacklog();
    for (const message of ["a", "b", "c"]) backlog.add(message, 10);
    const connection = new FakeConnection();
    connection.results = ["backpressure", "dropped", "sent"];
    await send(backlog, connection);
    assertEquals([connection.sent, connection.drains], [["a", "b", "c"], 2]);
  });

  it("keeps the rest for the next connection when one is lost", async () => {
    const backlog = new SendBacklog();
    for (const message of ["a", "b"]) backlog.add(message, 10);
    const lost = new FakeConnection();
    lost.results = ["backpressure"];
    lost.waiting = Promise.reject(new Error("lost"));
    await send(backlog, lost);
    const next = new FakeConnection();
    await send(backlog, next);
    assertEquals([lost.sent, next.sent], [["a"], ["b"]]);
  });

  it("skips a message that can never be sent, and stops at another error", async () => {
    const backlog = new SendBacklog();
    backlog.add("a", 10);
    const errors: unknown[] = [];
    const connection = new FakeConnection();
    connection.failure = new StateError("ERR_NOT_OPEN", "a fragmented message is not finished");
    await send(backlog, connection, errors);
    assertEquals([backlog.count, errors], [1, []]);
    connection.failure = new OptionError("too large");
    await send(backlog, connection, errors);
    assertEquals([backlog.count, errors], [0, [connection.failure]]);
  });

  it("is sent once, even if sending is started several times", async () => {
    const backlog = new SendBacklog();
    for (const message of ["a", "b"]) backlog.add(message, 10);
    const connection = new FakeConnection();
    connection.results = ["backpressure"];
    const drained = defer<void>();
    connection.waiting = drained.promise;
    const first = send(backlog, connection);
    await send(backlog, connection);
    assertEquals(connection.sent, ["a"]);
    drained.resolve();
    await first;
    assertEquals(connection.sent, ["a", "b"]);
  });

  it("counts the dropped messages in an error", () => {
    const backlog = new SendBacklog();
    const errors: TransportError[] = [];
    backlog.giveUp((error) => errors.push(error));
    backlog.add("€", 10);
    backlog.giveUp((error) => errors.push(error));
    assertEquals(errors.map(({ code }) => code), ["ERR_QUEUE_LOST"]);
    assertEquals(errors[0]!.message, "1 messages of 3 bytes that waited for a connection were not sent");
    assertEquals([backlog.count, backlog.size], [0, 0]);
  });
});
