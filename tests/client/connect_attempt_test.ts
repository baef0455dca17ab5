import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerError, HandshakeError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import { SettingsStore } from "../../base/settings.ts";
import { Meter } from "../../base/stats.ts";
import { browserFailures } from "../../client/browser_failures.ts";
import { AbortableWork, assertSettings, attemptConnect, type ClientParts } from "../../client/connect_attempt.ts";
import { ConnectTarget } from "../../client/connect_target.ts";
import type { Connector, ConnectPlan, OpenedConnection } from "../../client/connector.ts";
import type { ClientExtension } from "../../client/extension.ts";
import { requestHeaders } from "../../client/request_headers.ts";
import { HandlerCalls } from "../../client/handler_calls.ts";
import { CLIENT_SETTINGS, type ClientHandlers, type ClientOptions } from "../../client/settings.ts";
import { assertTls } from "../../client/tls_requirement.ts";
import { defer, FakeClock } from "../support/support.ts";

const OPENED = {} as OpenedConnection;
const RESPONSE = { status: 101, headers: new Headers(), protocol: "p", extensions: [] };

interface Rig {
  parts: ClientParts;
  clock: FakeClock;
  /** Attempts that the connector got. */
  plans: ConnectPlan[];
  attempt(signal?: AbortSignal): Promise<OpenedConnection>;
}

/** A client whose connector asks the program, and has a connection at once. */
function makeRig(options: ClientOptions = {}, handlers: ClientHandlers = {}, extension: ClientExtension = {}): Rig {
  const clock = new FakeClock();
  const settings = new SettingsStore(CLIENT_SETTINGS);
  settings.assign({ clock, ...options } as Parameters<typeof settings.assign>[0]);
  const meter = new Meter();
  const plans: ConnectPlan[] = [];
  const connector: Connector = {
    sendsHeaders: true,
    available: true,
    requestHeaders,
    failures: browserFailures,
    timers: (clock) => clock,
    deflateOffers: (offer) => {
      if (offer === true) throw new StateError("ERR_UNSUPPORTED", "no compression");
      return [];
    },
    connect: async (plan, program) => {
      plans.push(plan);
      await program.sendHandshake({ url: plan.url, headers: plan.headers });
      await program.acceptResponse(RESPONSE);
      return OPENED;
    },
  };
  const calls = new HandlerCalls(handlers, meter, () => undefined);
  const target = new ConnectTarget(settings);
  const parts = { handlers, settings, target, calls, meter, extension: { connector, ...extension } };
  const never = new AbortController().signal;
  return {
    parts,
    clock,
    plans,
    attempt: (signal = never) => attemptConnect(parts, undefined, signal, (opened) => opened),
  };
}

describe("AbortableWork", () => {
  it("ends in time, and lets go of its signals", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const work = new AbortableWork(100, clock, [controller.signal, undefined]);
    assertEquals(await work.run(Promise.resolve(1)), 1);
    const late = work.run(new Promise(() => {}));
    clock.advance(100);
    assertEquals((await assertRejects(() => late, TransportError)).code, "ERR_CONNECT_TIMEOUT");
    work.end();
    const other = new AbortableWork(100, clock, [controller.signal]);
    other.end();
    controller.abort();
    assertEquals([other.signal.aborted, clock.pending], [false, 0]);
  });

  it("rejects with the reason of its signal, if that is an error of ours, before the error of the work", async () => {
    const own = new TransportError("ERR_ABORTED", "mine");
    for (const reason of [own, new Error("foreign")]) {
      const controller = new AbortController();
      const work = new AbortableWork(0, new FakeClock(), [undefined, controller.signal]);
      const begun = defer<void>();
      const running = work.run(begun.promise);
      controller.abort(reason);
      begun.reject(new Error("a consequence"));
      const error = await assertRejects(() => running, TransportError);
      assertEquals([error.code, error === own, error === own || error.cause === reason], [
        "ERR_ABORTED",
        reason === own,
        true,
      ]);
      await assertRejects(() => new AbortableWork(0, new FakeClock(), [controller.signal]).run(Promise.resolve()));
    }
  });
});

describe("attemptConnect", () => {
  it("asks for URL, header fields and token, in that order, and adds them to the request", async () => {
    const asked: string[] = [];
    const { plans, attempt } = makeRig({
      resolveUrl: () => (asked.push("url"), "ws://user:pass@a:81/b?c"),
      headers: () => (asked.push("headers"), { x: "y" }),
      token: () => (asked.push("token"), "secret"),
    });
    assertEquals(await attempt(), OPENED);
    const { url, host, target, headers } = plans[0]!;
    assertEquals([asked, url, host, target], [["url", "headers", "token"], "ws://a:81/b?c", "a:81", "/b?c"]);
    assertEquals([...headers], [["authorization", "Bearer secret"], ["x", "y"]]);
  });

  it("fails as the network does when the program cannot answer, and rejects as a handler that throws", async () => {
    const fail = (): never => {
      throw new Error("mine");
    };
    const error = await assertRejects(() => makeRig({ token: fail }).attempt(), TransportError, "mine");
    assertEquals(error.code, "ERR_CONNECT");
    await assertRejects(() => makeRig({}, { onSendHandshake: fail }).attempt(), HandlerError, "onSendHandshake");
    await assertRejects(() => makeRig({}, { onHandshakeResponse: () => false }).attempt(), HandshakeError, "refused");
  });

  it("lets an extension ask, complete the request, and refuse what the server chose", async () => {
    const { plans, attempt } = makeRig({ protocols: ["a"] }, {}, {
      prepareAttempt: async (ask) => void (await ask("more", () => Promise.resolve("x"))),
      completeRequest: (headers, protocols, sendsHeaders) => {
        headers.set("sends", String(sendsHeaders));
        return [...protocols, "b"];
      },
      acceptProtocol: (protocol) => {
        throw new HandshakeError("ERR_HANDSHAKE_REFUSED", `not ${protocol}`, 101);
      },
    });
    await assertRejects(() => attempt(), HandshakeError, "not p");
    assertEquals([plans[0]!.protocols, plans[0]!.headers.get("sends")], [["a", "b"], "true"]);
  });

  it("checks settings and TLS before it connects", async () => {
    const { parts, plans, attempt } = makeRig({ hostname: "192.0.2.1" }, {}, { requireTls: assertTls });
    await assertRejects(() => attempt(), OptionError, "without TLS");
    parts.settings.set("port", 70_000);
    await assertRejects(() => attempt(), OptionError, "port");
    assertThrows(() => assertSettings(makeRig({ compression: true }).parts), StateError, "no compression");
    assertEquals(plans, []);
  });

  it("is taken or given up, in whichever microtask it is aborted", async () => {
    const outcomes = new Set<string>();
    for (let steps = 0; steps < 30; steps++) {
      const controller = new AbortController();
      const { parts } = makeRig();
      let taken = "";
      const attempt = attemptConnect(parts, undefined, controller.signal, () => {
        taken = controller.signal.aborted ? "taken too late" : "taken";
      });
      for (let step = 0; step < steps; step++) await Promise.resolve();
      controller.abort();
      outcomes.add(await attempt.then(() => `resolved, ${taken}`, () => `rejected, ${taken}`));
    }
    assertEquals([...outcomes], ["rejected, ", "resolved, taken"]);
  });

  it("shows the program no answer once it was given up: another attempt may be going on", async () => {
    const [asked, answered, shown] = [defer<void>(), defer<void>(), defer<unknown>()];
    let responses = 0;
    const connector: Connector = {
      sendsHeaders: true,
      available: true,
      requestHeaders,
      failures: browserFailures,
      timers: (clock) => clock,
      deflateOffers: () => [],
      connect: async (_, program) => {
        asked.resolve();
        await answered.promise;
        await program.acceptResponse(RESPONSE).then(() => shown.resolve("shown"), shown.resolve);
        return OPENED;
      },
    };
    const controller = new AbortController();
    const rig = makeRig({}, { onHandshakeResponse: () => void responses++ }, { connector });
    const attempt = rig.attempt(controller.signal);
    await asked.promise;
    controller.abort();
    await assertRejects(() => attempt, TransportError, "aborted");
    answered.resolve();
    assertEquals([(await shown.promise as TransportError).code, responses], ["ERR_ABORTED", 0]);
  });

  it("ends in time while the program is asked, and connects nowhere after that", async () => {
    const answer = defer<string>();
    const { plans, clock, attempt } = makeRig({ connectTimeout: 50, token: () => answer.promise });
    const connecting = attempt();
    clock.advance(50);
    assertEquals((await assertRejects(() => connecting, TransportError)).code, "ERR_CONNECT_TIMEOUT");
    answer.resolve("late");
    await Promise.resolve();
    assertEquals([plans, clock.pending], [[], 0]);
  });
});
