import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerError, TransportError } from "../../base/errors.ts";
import { Meter } from "../../base/stats.ts";
import type { LogRecord } from "../../base/log.ts";
import type { OpenedConnection } from "../../client/connector.ts";
import { HandlerCalls } from "../../client/handler_calls.ts";
import type { ClientHandlers } from "../../client/settings.ts";
import { defer } from "../support/support.ts";

interface Rig {
  calls: HandlerCalls;
  handlers: ClientHandlers;
  meter: Meter;
  errors: unknown[];
  closes: string[];
  use(name: string): void;
}

function makeRig(): Rig {
  const errors: unknown[] = [];
  const closes: string[] = [];
  let current = "";
  const handlers: ClientHandlers = { onError: (error) => void errors.push(error) };
  const meter = new Meter();
  const calls = new HandlerCalls(handlers, meter, () => {
    const name = current;
    return name === ""
      ? undefined
      : { closeWith: (code: number) => closes.push(`${name} ${code}`) } as unknown as OpenedConnection;
  });
  return { calls, handlers, meter, errors, closes, use: (name) => current = name };
}

/** Calls of `console.error` while some work is done. */
function printed(work: () => void): unknown[] {
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (line) => void lines.push(line);
  try {
    work();
  } finally {
    console.error = error;
  }
  return lines;
}

const fail = (): never => {
  throw new Error("mine");
};

describe("HandlerCalls", () => {
  it("closes the connection of the call with 1011 when a handler fails, also when it fails late", async () => {
    const { calls, errors, closes, use } = makeRig();
    use("first");
    assertEquals(calls.call("onPing", () => {}), true);
    assertEquals(calls.call("onPing", fail), false);
    const late = defer<void>();
    const result = calls.call("onClose", () => late.promise);
    use("second");
    late.reject(new Error("late"));
    assertEquals(await result, false);
    assertEquals(closes, ["first 1011", "first 1011"]);
    assert(errors.every((error) => error instanceof HandlerError));
    assertEquals(errors.map((error) => (error as Error).message), [
      'The handler "onPing" failed: mine',
      'The handler "onClose" failed: late',
    ]);
  });

  it("rejects with a HandlerError when it is asked for an answer, and reports nothing", async () => {
    const { calls, errors } = makeRig();
    assertEquals(await calls.ask("token", () => "answer"), "answer");
    await assertRejects(() => calls.ask("token", fail), HandlerError, '"token" failed: mine');
    assertEquals(errors, []);
  });

  it("counts, logs and reports a failure", () => {
    const { calls, handlers, meter, errors } = makeRig();
    const records: LogRecord[] = [];
    handlers.onLog = (record) => void records.push(record);
    const error = new TransportError("ERR_SLOW_CONSUMER", "slow");
    calls.fail(error);
    assertEquals(errors, [error]);
    assertEquals(records.map(({ event, attributes }) => [event, attributes.code]), [[
      "client.failed",
      "ERR_SLOW_CONSUMER",
    ]]);
    assertEquals(meter.snapshot({ open: 0, handshaking: 0, bufferedAmount: 0 }).failures.ERR_SLOW_CONSUMER, 1);
  });

  it("prints errors of handlers without onError, and those of onError", () => {
    const { calls, handlers } = makeRig();
    delete handlers.onError;
    assertEquals(printed(() => calls.report(new Error("dropped"))), []);
    const [error] = printed(() => calls.call("onConnect", fail));
    assertEquals((error as Error).message, 'The handler "onConnect" failed: mine');
    handlers.onError = fail;
    const [own] = printed(() => calls.report(new Error("any")));
    assertEquals((own as Error).message, 'The handler "onError" failed: mine');
  });

  it("copies the payload of a control frame", () => {
    const { calls, handlers } = makeRig();
    const payload = Uint8Array.of(1);
    calls.control("onPing", payload);
    let got: Uint8Array | undefined;
    handlers.onPing = (data) => void (got = data);
    calls.control("onPing", payload);
    payload.fill(9);
    assertEquals(got, Uint8Array.of(1));
  });
});
