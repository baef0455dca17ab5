/**
 * Every public method of `WhatsAppApi` and of its parts, against a Graph API that answers as documented: success, each
 * documented error, too many calls, no answer, an answer that stalls or is cut off, a call that is given up.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { WhatsAppApiOptions } from "../../cloud_api/api_settings.ts";
import { type GraphAnswer, type GraphCase, GraphServer, refusal } from "../support/graph.ts";
import { CASES as MEDIA_CASES } from "../support/graph_cases/media.ts";
import { CASES as ACCOUNT_CASES } from "../support/graph_cases/account.ts";
import { CASES as CALL_CASES } from "../support/graph_cases/calls.ts";
import { CASES as FLOW_CASES } from "../support/graph_cases/flows.ts";
import { CASES as MESSAGE_CASES } from "../support/graph_cases/messages.ts";
import { CASES as SENDER_CASES } from "../support/graph_cases/senders.ts";
import { CASES as TEMPLATE_CASES } from "../support/graph_cases/templates.ts";
import { FakeClock, until } from "../support/support.ts";

const CASES: readonly GraphCase[] = [
  ...MESSAGE_CASES,
  ...MEDIA_CASES,
  ...SENDER_CASES,
  ...ACCOUNT_CASES,
  ...TEMPLATE_CASES,
  ...FLOW_CASES,
  ...CALL_CASES,
];

/** Errors that every call may have: a wrong parameter, no permission, a token that has expired. */
const COMMON_ERRORS = [[400, 100], [403, 10], [401, 190]] as const;

/** A method that calls another server, without the access token: `tests/cloud_api/flows_test.ts`. */
const OF_ANOTHER_SERVER = "flows.media";

/** Names of all public methods, `part.method` for those of a part. */
function publicMethods(api: WhatsAppApi): string[] {
  const methodsOf = (object: object): string[] => {
    const names: string[] = [];
    for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
        if (typeof value === "function" && name !== "constructor") names.push(name);
      }
    }
    return names;
  };
  const parts = Object.entries(api).filter(([, part]) => typeof part === "object" && part !== null);
  return [
    ...methodsOf(api),
    ...parts.flatMap(([name, part]) => methodsOf(part as object).map((method) => `${name}.${method}`)),
  ];
}

/** Runs a case; the answers come first. */
async function run(
  { call, answer, method }: GraphCase,
  answers: readonly GraphAnswer[],
  action: (graph: GraphServer, clock: FakeClock, result: Promise<unknown>, abort: AbortController) => Promise<void>,
  options: Partial<WhatsAppApiOptions> = {},
): Promise<void> {
  await using graph = await new GraphServer().start();
  graph.answer = (request) => ({
    json: typeof answer === "function" ? answer(request, graph.url) : answer ?? { success: true },
  });
  graph.next.push(...answers);
  const clock = new FakeClock();
  const abort = new AbortController();
  const result = call(graph.api({ clock, ...options }), { signal: abort.signal });
  result.catch(() => {}); // looked at by the action
  await action(graph, clock, result, abort);
  assertEquals(clock.pending, 0, `${method}: timers`);
}

/** Waits for the first request; a call that fails before it makes one ends the waiting. */
async function came(graph: GraphServer, result: Promise<unknown>): Promise<void> {
  await Promise.race([graph.count(1), result]);
}

async function assertApiError(result: Promise<unknown>, code: string, graphCode?: number): Promise<void> {
  const error = await assertRejects(() => result, WhatsAppApiError);
  assertEquals([error.code, error.graph?.code], [code, graphCode]);
  assert(!`${error.stack} ${JSON.stringify(error)}`.includes("secret"), "the token is in the error");
}

for (const tested of CASES) {
  describe(`${tested.method}()`, () => {
    it("calls as documented, and returns the answer", () =>
      run(tested, [], async (graph, _clock, result) => {
        assertEquals(await result, tested.result);
        const [{ method, path, json, headers }] = graph.requests as [GraphServer["requests"][0]];
        assertEquals(`${method} ${path}`, tested.request);
        assertEquals(json, tested.body);
        assertEquals(headers.authorization, "Bearer secret");
        assertEquals(graph.requests.length, tested.requests ?? 1);
      }));

    for (const [status, code] of [...COMMON_ERRORS, ...tested.errors ?? []]) {
      it(`fails with the error ${code}, without a second attempt`, () =>
        run(tested, [refusal(status, code)], async (graph, _clock, result) => {
          await assertApiError(result, "ERR_API_REFUSED", code);
          assertEquals(graph.requests.length, 1);
        }));
    }

    it("waits after 429, and tries again", () =>
      run(tested, [refusal(429, 4)], async (graph, clock, result) => {
        await came(graph, result);
        await until(() => clock.pending === 1, "the pause");
        clock.advance(500);
        assertEquals(await result, tested.result);
        assertEquals(graph.requests.length, 1 + (tested.requests ?? 1));
      }, { requestTimeout: 0 }));

    for (const fault of ["silence", "stalledBody"] as const) {
      it(`fails after the time limit: ${fault}`, () =>
        run(tested, [{ fault }], async (graph, clock, result) => {
          await came(graph, result);
          clock.advance(5000);
          await assertApiError(result, "ERR_API_UNREACHABLE");
          assertEquals(graph.requests.length, 1);
        }, { requestTimeout: 5000 }));
    }

    it("fails when the connection is cut, without a second attempt", () =>
      run(tested, [{ fault: "cut" }], async (graph, _clock, result) => {
        await assertApiError(result, "ERR_API_UNREACHABLE");
        assertEquals(graph.requests.length, 1);
      }));

    it("ends with the reason of the program when it is given up", () =>
      run(tested, [{ fault: "silence" }], async (graph, _clock, result, abort) => {
        await came(graph, result);
        const reason = new Error("given up");
        abort.abort(reason);
        assertEquals(await result.catch((error: unknown) => error), reason);
      }));
  });
}

describe("the cases of WhatsAppApi", () => {
  it("have each public method", () => {
    const api = new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065" });
    const tested = new Set(CASES.map(({ method }) => method));
    assertEquals(publicMethods(api).filter((name) => !tested.has(name) && name !== OF_ANOTHER_SERVER), []);
  });
});
