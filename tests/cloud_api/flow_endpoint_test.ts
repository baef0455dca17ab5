import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { type FlowAnswer, flowEndpoint, type FlowEndpointOptions } from "../../cloud_api/flow_endpoint.ts";
import type { FlowEndpointError } from "../../cloud_api/flow_endpoint_error.ts";
import type { FlowRequest } from "../../cloud_api/flow_crypto.ts";
import { signNotification } from "../../cloud_api/signature.ts";
import { WebSocketServer } from "../../server/server.ts";
import { WhatsAppServer } from "../../whatsapp/server.ts";
import { makeKeys, sealRequest } from "../support/flow_client.ts";
import { encode } from "../support/support.ts";
import { originOf, startServer } from "../support/whatsapp.ts";

const KEYS = await makeKeys();
const SECRET = "app-secret";
const INIT = { version: "3.0", action: "INIT", flow_token: "token-1" };

interface Screens {
  DATES: { dates: string[] };
  SUMMARY: { text: string };
}

/** Options of an endpoint that keeps what it is told. */
function recorder(answer: (request: FlowRequest) => FlowAnswer<Screens> | Promise<FlowAnswer<Screens>>): {
  options: FlowEndpointOptions<Screens>;
  events: string[];
} {
  const events: string[] = [];
  const options: FlowEndpointOptions<Screens> = {
    privateKey: KEYS.privateKey,
    appSecret: SECRET,
    onRequest: (request) => {
      events.push(`request ${request.action} ${request.screen}`);
      return answer(request);
    },
    onErrorNotification: ({ error }) => events.push(`error ${error!.key}: ${error!.message}`),
    onRefused: ({ code }) => events.push(`refused ${code}`),
  };
  return { options, events };
}

const dates = (): FlowAnswer<Screens> => ({ screen: "DATES", data: { dates: ["2026-12-01"] } });

function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = signed(body)): Request {
  return new Request("http://localhost/flow", { method: "POST", body, headers });
}

function signed(body: string | Uint8Array, secret = SECRET): Record<string, string> {
  return { "x-hub-signature-256": signNotification(typeof body === "string" ? encode(body) : body, secret) };
}

/** Sends a request through a handler; returns the status, and the opened answer. */
async function exchange(
  handler: (request: Request) => Promise<Response> | undefined,
  request: unknown,
): Promise<[status: number, answer: unknown]> {
  const { body, open } = await sealRequest(KEYS.publicKey, request);
  const response = await handler(post(JSON.stringify(body)))!;
  const text = await response.text();
  return [response.status, response.status === 200 ? await open(text) : text === "" ? "" : JSON.parse(text)];
}

describe("flowEndpoint()", () => {
  it("answers with the next screen, the same with an error, the end, or 427", async () => {
    const answers: FlowAnswer<Screens>[] = [
      { screen: "DATES", data: { dates: ["2026-12-01"] } },
      { screen: "SUMMARY", data: { text: "hi" }, errorMessage: "That day is taken" },
      { complete: { date: "2026-12-01" } },
      { complete: { flow_token: "mine" } },
      { invalidToken: "The order has already been placed" },
    ];
    const { options, events } = recorder(() => answers.shift()!);
    const handler = flowEndpoint(options);
    const exchanges: unknown[] = [];
    while (answers.length > 0) exchanges.push(await exchange(handler, INIT));
    const success = (params: object): object => ({
      screen: "SUCCESS",
      data: { extension_message_response: { params } },
    });
    assertEquals(exchanges, [
      [200, { screen: "DATES", data: { dates: ["2026-12-01"] } }],
      [200, { screen: "SUMMARY", data: { text: "hi", error_message: "That day is taken" } }],
      [200, success({ flow_token: "token-1", date: "2026-12-01" })],
      [200, success({ flow_token: "mine" })],
      [427, { error_msg: "The order has already been placed" }],
    ]);
    assertEquals(events, new Array(5).fill("request INIT undefined"));
  });

  it("answers health checks and error notifications by itself", async () => {
    const { options, events } = recorder(dates);
    const handler = flowEndpoint(options);
    assertEquals(await exchange(handler, { version: "3.0", action: "ping" }), [200, { data: { status: "active" } }]);
    assertEquals(events, []);
    const data = { error: "invalid-data", error_message: "dates is missing" };
    const acknowledged: [number, unknown] = [200, { data: { acknowledged: true } }];
    assertEquals(await exchange(handler, { ...INIT, action: "data_exchange", data }), acknowledged);
    assertEquals(events, ["error invalid-data: dates is missing"]);
    const { onErrorNotification: _, ...others } = options;
    assertEquals(await exchange(flowEndpoint(others), { ...INIT, data }), acknowledged);
  });

  it("answers with text/plain", async () => {
    const { body } = await sealRequest(KEYS.publicKey, INIT);
    const response = await flowEndpoint(recorder(dates).options)(post(JSON.stringify(body)))!;
    assertEquals(response.headers.get("content-type"), "text/plain");
    await response.body?.cancel();
  });

  it("refuses a wrong signature with 432 before it decrypts, and takes each of several secrets", async () => {
    const { options, events } = recorder(dates);
    const handler = flowEndpoint(options);
    const text = JSON.stringify((await sealRequest(KEYS.publicKey, INIT)).body);
    const bad = [{}, { "x-hub-signature-256": "sha256=00" }, signed(text, "other"), signed(`${text} `)];
    for (const headers of bad) {
      const response = await handler(post(text, headers))!;
      assertEquals([response.status, await response.text()], [432, ""]);
    }
    // Nor does it look at a body that is not JSON.
    assertEquals((await handler(post("no JSON", signed("other")))!).status, 432);
    assertEquals(events, new Array(5).fill("refused ERR_FLOW_SIGNATURE"));
    const two = flowEndpoint({ ...options, appSecret: ["new", SECRET] });
    assertEquals((await exchange(two, INIT))[0], 200);
    const waived = flowEndpoint({ ...options, appSecret: null });
    const response = await waived(post(text, {}))!;
    assertEquals(response.status, 200);
    await response.body?.cancel();
  });

  it("does not read a body whose signature has not even the form of one", async () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({ pull: () => void pulls++ }, { highWaterMark: 0 });
    const request = { method: "POST", url: "http://localhost/flow", headers: new Headers(), body } as Request;
    assertEquals((await flowEndpoint(recorder(dates).options)(request)!).status, 432);
    assertEquals(pulls, 0);
  });

  it("refuses other keys with 421, what is no request with 400, and large bodies with 413", async () => {
    const { options, events } = recorder(dates);
    const handler = flowEndpoint({ ...options, maxBodySize: 4096 });
    const { body } = await sealRequest((await makeKeys()).publicKey, INIT);
    const cases: [body: string, status: number][] = [
      [JSON.stringify(body), 421],
      ["no JSON", 400],
      ["", 400],
      ["x".repeat(4096), 400],
      ["x".repeat(4097), 413],
    ];
    for (const [sent, status] of cases) {
      const response = await handler(post(sent))!;
      assertEquals([response.status, await response.text()], [status, ""]);
    }
    const codes = ["ERR_FLOW_KEY", "ERR_FLOW_BODY", "ERR_FLOW_BODY", "ERR_FLOW_BODY", "ERR_FLOW_TOO_LARGE"];
    assertEquals(events, codes.map((code) => `refused ${code}`));
    const large = await sealRequest(KEYS.publicKey, { ...INIT, data: { text: "x".repeat(1_000_000) } });
    const large413 = await flowEndpoint(options)(post(JSON.stringify(large.body)))!;
    const unlimited = await flowEndpoint({ ...options, maxBodySize: 0 })(post(JSON.stringify(large.body)))!;
    assertEquals([large413.status, unlimited.status], [413, 200]);
    await unlimited.body?.cancel();
  });

  it("leaves other methods and paths to the program", async () => {
    const { options } = recorder(dates);
    const handler = flowEndpoint({ ...options, pathName: "/flow" });
    assertEquals(handler(new Request("http://localhost/flow")), undefined);
    assertEquals(handler(new Request("http://localhost/flow/", { method: "POST" })), undefined);
    const response = await handler(new Request("http://localhost/flow?a=b", { method: "POST" }))!;
    assertEquals(response.status, 432);
  });

  it("is refused by a server whose webhook would take its requests for notifications", async () => {
    const { options } = recorder(dates);
    const secrets = { appSecret: SECRET, receiverToken: "t", journal: null };
    const settings = { hostname: "127.0.0.1", port: 0, behindProxy: true, ...secrets };
    const other = { pathName: "/other", appSecret: SECRET, verifyToken: "v" };
    const wrong: [object, string | undefined, string][] = [
      [{}, "/flow", 'without "pathName" the server takes the requests for flowEndpoint'],
      [{}, undefined, 'without "pathName"'],
      [{ pathName: "/flow" }, "/flow", 'both have the path "/flow"'],
      [{ pathName: "/whatsapp", apps: [other] }, "/other", 'both have the path "/other"'],
    ];
    for (const [more, pathName, text] of wrong) {
      const server = new WhatsAppServer({ ...settings, ...more, onCommandGet: flowEndpoint({ ...options, pathName }) });
      await assertRejects(() => server.start(), OptionError, text);
    }
    for (const pathName of ["/flow", undefined]) {
      const onCommandGet = flowEndpoint({ ...options, pathName });
      await using server = new WhatsAppServer({ ...settings, pathName: "/whatsapp", apps: [other], onCommandGet });
      await server.start();
      const { body, open } = await sealRequest(KEYS.publicKey, INIT);
      const json = JSON.stringify(body);
      const response = await fetch(`${originOf(server)}/flow`, { method: "POST", body: json, headers: signed(json) });
      assertEquals(await open(await response.text()), { screen: "DATES", data: { dates: ["2026-12-01"] } });
    }
  });

  it("passes errors of the program on, and refuses answers of no form", async () => {
    const { options } = recorder(() => Promise.reject(new Error("the database is away")));
    await assertRejects(() => exchange(flowEndpoint(options), INIT), Error, "the database is away");
    for (const answer of [undefined, null, "DATES", {}, { screen: "DATES" }, { screen: 1, data: {} }]) {
      const handler = flowEndpoint({ ...options, onRequest: () => answer as FlowAnswer<Screens> });
      await assertRejects(() => exchange(handler, INIT), OptionError, "return { screen, data }");
    }
    const locked = flowEndpoint({
      ...options,
      privateKey: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    });
    await assertRejects(() => exchange(locked, INIT), Error, 'The key "privateKey" cannot be read');
  });

  it("refuses options that are none", () => {
    const { options } = recorder(dates);
    const cases: [options: unknown, message: string][] = [
      [{ ...options, path: "/flow" }, 'flowEndpoint has no option "path"; use "pathName"'],
      [{ ...options, onRequest: undefined }, 'flowEndpoint has no "onRequest"'],
      [{ ...options, onRefused: "log" }, 'The handler "onRefused" is "log" instead of a function'],
      [{ ...options, privateKey: undefined }, 'The option "privateKey" is of type undefined instead of the text'],
      [{ ...options, privateKey: "flow.key" }, 'The option "privateKey" is a text of 8 characters, not the text'],
      [{ ...options, passphrase: 5 }, 'The option "passphrase" is of type number instead of a text'],
      [{ ...options, appSecret: "" }, 'The setting "appSecret" is empty'],
      [{ ...options, appSecret: undefined }, 'The setting "appSecret" is undefined instead of a string'],
      [{ ...options, pathName: "flow" }, 'The option "pathName" is "flow": give a path such as "/flow"'],
      [{ ...options, maxBodySize: -1 }, 'The option "maxBodySize" is -1 instead of a number of bytes'],
      [undefined, "flowEndpoint takes options as an object such as { privateKey, appSecret, onRequest }"],
    ];
    for (const [value, message] of cases) {
      const error = assertThrows(() => flowEndpoint(value as FlowEndpointOptions), OptionError);
      assertStringIncludes(error.message, message);
    }
  });

  it("works on the port of the webhook, beside it", async () => {
    const { options, events } = recorder(dates);
    const server = await startServer({ onCommandGet: flowEndpoint({ ...options, pathName: "/flow" }) });
    const url = `${originOf(server)}/flow`;
    const { body, open } = await sealRequest(KEYS.publicKey, INIT);
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", ...signed(text) };
    const answer = await fetch(url, { method: "POST", body: text, headers });
    assertEquals(await open(await answer.text()), { screen: "DATES", data: { dates: ["2026-12-01"] } });
    const wrong = await fetch(url, { method: "POST", body: text, headers: { ...headers, ...signed("other") } });
    assertEquals([wrong.status, await wrong.text()], [432, ""]);
    assertEquals(events, ["request INIT undefined", "refused ERR_FLOW_SIGNATURE"]);
    await server.stop();
    assertEquals(server.errors, []);
  });

  it("is a handler of a route, and tells the server of a failure, which is answered with 500", async () => {
    const { options } = recorder(() => {
      throw new Error("the database is away");
    });
    const errors: unknown[] = [];
    const server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      routes: { "/flow": { onCommandGet: flowEndpoint(options) } },
      onError: (error) => errors.push(error),
    });
    await server.start();
    const text = JSON.stringify((await sealRequest(KEYS.publicKey, INIT)).body);
    const url = `http://127.0.0.1:${server.address!.port}/flow`;
    const answer = await fetch(url, { method: "POST", body: text, headers: signed(text) });
    assertEquals(answer.status, 500);
    assert(!(await answer.text()).includes("database"));
    await server.stop();
    assertEquals(errors.length, 1);
    assertStringIncludes(String(errors[0] as FlowEndpointError), "the database is away");
  });
});
