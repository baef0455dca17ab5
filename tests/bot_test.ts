/**
 * The example bot, as a whole: a `WhatsAppServer`, notifications of the simulator, and a Graph API on loopback.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { WebSocketError } from "../base/errors.ts";
import { startBot } from "../examples/bot.ts";
import type { WhatsAppReceiver } from "../whatsapp/receiver.ts";
import { Simulator } from "../whatsapp/simulator.ts";
import { type GraphAnswer, type GraphRequest, GraphServer, refusal } from "./support/graph.ts";
import { settle, until } from "./support/support.ts";
import { changeOf, post, SECRET, startServer, type TestServer, urlOf, withFile, wrap } from "./support/whatsapp.ts";

const ANNA = "491700000001";
const MENU = readFileSync(new URL("../examples/menu.png", import.meta.url));

/** A message of a customer. */
const messageOf = (id: string, type: string, contents: object): object => ({ id, from: ANNA, type, [type]: contents });
const textOf = (id: string): object => messageOf(id, "text", { body: "Hi" });
const tapOn = (id: string, button: string): object =>
  messageOf(id, "interactive", { type: "button_reply", button_reply: { id: button, title: "…" } });
const formOf = (id: string, response: string): object =>
  messageOf(id, "interactive", { type: "nfm_reply", nfm_reply: { name: "flow", response_json: response } });

/** A notification with these messages. */
const notify = (...messages: object[]): string => wrap([changeOf("1065", { messages })]);

/** Answers as the Graph API does. */
function accept({ path }: GraphRequest): GraphAnswer {
  if (path === "/1065/media") return { json: { id: "77" } };
  if (path === "/1065/messages") return { json: { messaging_product: "whatsapp", messages: [{ id: "wamid.SENT" }] } };
  return { json: { messaging_product: "whatsapp", success: true } };
}

/** Parts of a rig. */
interface Rig {
  server: TestServer;
  graph: GraphServer;
  /** Errors that the bot has printed. */
  printed: unknown[];
  /** Starts the bot; it is ended with the rig. */
  start(): Promise<WhatsAppReceiver>;
}

/** A fetch that knows when all answers have come: the end of a test must not fail a call of its bot. */
class WholeFetch {
  #pending = 0;

  readonly fetch: typeof fetch = async (input, init) => {
    this.#pending++;
    try {
      const response = await fetch(input, init);
      const { status, headers } = response;
      return new Response(await response.arrayBuffer(), { status, headers });
    } finally {
      this.#pending--;
    }
  };

  /** Waits until the bot makes no call, and begins none. */
  async idle(): Promise<void> {
    do {
      await until(() => this.#pending === 0, "the answers");
      await settle();
    } while (this.#pending > 0);
  }
}

async function withBot(action: (rig: Rig) => Promise<void>): Promise<void> {
  await withFile(async (database) => {
    const calls = new WholeFetch();
    await using graph = await new GraphServer().start();
    graph.answer = accept;
    await using server = await startServer();
    const bots: WhatsAppReceiver[] = [];
    const printed: unknown[] = [];
    const { error } = console;
    console.error = (value: unknown) => void printed.push(value);
    const start = async (): Promise<WhatsAppReceiver> => {
      const url = urlOf(server).replace("http", "ws");
      const api = graph.api({ retryDelay: 0, fetch: calls.fetch });
      const bot = await startBot({ url, receiverToken: "token", api, flowId: "42", database });
      bots.push(bot);
      return bot;
    };
    try {
      await action({ server, graph, printed, start });
    } finally {
      await calls.idle();
      for (const bot of bots) await bot.disconnect();
      await calls.idle();
      console.error = error;
    }
  });
}

/** A message, or another call, as the bot makes it. */
interface BotRequest {
  status?: string;
  message_id?: string;
  to?: string;
  action?: string;
  text?: { body: string };
  image?: { id: string; caption: string };
  interactive?: {
    type: string;
    action: { buttons?: { reply: { id: string } }[]; parameters?: Record<string, string> };
  };
}

/** Requests in short: what the test is about, and the recipient. */
function shortened(requests: readonly GraphRequest[]): string[] {
  return requests.map(({ path, json }) => {
    const { status, message_id, interactive, image, text, to, action } = (json ?? {}) as BotRequest;
    if (status === "read") return `read ${message_id}`;
    if (image !== undefined) return `image ${image.id} "${image.caption}" to ${to}`;
    if (text !== undefined) return `text "${text.body}" to ${to}`;
    if (interactive === undefined) return [path, action, to].filter(Boolean).join(" ");
    const { buttons, parameters = {} } = interactive.action;
    const { flow_id, flow_token } = parameters;
    const shown = buttons?.map(({ reply }) => reply.id) ?? [flow_id, flow_token];
    return `${interactive.type} ${shown.join(", ")} to ${to}`;
  });
}

const GREETING = `button menu, table, person to ${ANNA}`;
const HANDED_OVER = [
  `button bot to ${ANNA}`,
  `/1065/thread_control pass ${ANNA}`,
];

describe("the example bot", () => {
  it("answers a text of the simulator with buttons, and leaves out what is no text", () =>
    withBot(async ({ server, graph, start }) => {
      await start();
      const types = ["text", "reaction", "sticker", "status", "account_update"];
      const simulator = new Simulator({ url: urlOf(server), appSecret: SECRET, types, count: 6, rate: 100 });
      const { accepted } = await simulator.run();
      assertEquals(accepted, 6);
      await graph.count(4);
      const answers = shortened(graph.requests).filter((line) => line.startsWith("button")).sort();
      assertEquals(answers, [GREETING, "button menu, table, person to 5511900000003"]);
      assertEquals(graph.requests.length, 4);
    }));

  it("uploads an image, and sends it", () =>
    withBot(async ({ server, graph, start }) => {
      await start();
      await post(server, notify(tapOn("wamid.1", "menu")));
      await graph.count(3);
      assertEquals(shortened(graph.requests), ["read wamid.1", "/1065/media", `image 77 "Our menu" to ${ANNA}`]);
      const uploaded = new TextDecoder("latin1").decode(graph.requests[1]!.bytes);
      assert(uploaded.includes(new TextDecoder("latin1").decode(MENU)), "the file is in the form");
      assert(uploaded.toLowerCase().includes("content-type: image/png"), "the form names its type");
    }));

  it("books a table with a flow, and asks again if the answer is no booking", () =>
    withBot(async ({ server, graph, start }) => {
      await start();
      await post(server, notify(tapOn("wamid.1", "table")));
      await graph.count(2);
      await post(server, notify(formOf("wamid.2", '{"date":"2026-12-24","guests":"4","flow_token":"wamid.1"}')));
      await graph.count(4);
      await post(server, notify(formOf("wamid.3", '{"date":7}')));
      await graph.count(6);
      const [, form, , booked, , again] = shortened(graph.requests);
      assertEquals(form, `flow 42, wamid.1 to ${ANNA}`);
      assertEquals(booked, `text "A table for 4 on 2026-12-24: see you then!" to ${ANNA}`);
      assertEquals(again, `text "Something is missing: please try again." to ${ANNA}`);
    }));

  it("hands over to a person, is silent until the customer wants it back, and over a restart", () =>
    withBot(async ({ server, graph, start }) => {
      const bot = await start();
      await post(server, notify(tapOn("wamid.1", "person")));
      await graph.count(3);
      await post(server, notify(textOf("wamid.2")));
      await bot.disconnect();
      await start();
      await post(server, notify(textOf("wamid.3")));
      await post(server, notify(tapOn("wamid.4", "bot")));
      await graph.count(5);
      assertEquals(shortened(graph.requests), ["read wamid.1", ...HANDED_OVER, "read wamid.4", GREETING]);
    }));

  it("answers again when another app passes the conversation back", () =>
    withBot(async ({ server, graph, start }) => {
      await start();
      await post(server, notify(tapOn("wamid.1", "person")));
      await graph.count(3);
      const value = { recipient: { phone_number_id: "1065" }, sender: { phone_number: ANNA }, timestamp: "1790416800" };
      const passed = { ...value, control_passed: { previous_owner_role: "escalation", new_owner_role: "ai_agent" } };
      await post(server, wrap([{ field: "messaging_handovers", value: passed }]));
      await post(server, notify(textOf("wamid.2")));
      await graph.count(5);
      assertEquals(shortened(graph.requests), ["read wamid.1", ...HANDED_OVER, "read wamid.2", GREETING]);
    }));

  it("hands over to a person where no other app takes conversations", () =>
    withBot(async ({ server, graph, start }) => {
      graph.answer = (request) => request.path.includes("thread_control") ? refusal(400, 100) : accept(request);
      await start();
      await post(server, notify(tapOn("wamid.1", "person")));
      await graph.count(3);
      await post(server, notify(textOf("wamid.2")));
      await post(server, notify(tapOn("wamid.3", "bot")));
      await graph.count(5);
      assertEquals(shortened(graph.requests), ["read wamid.1", ...HANDED_OVER, "read wamid.3", GREETING]);
    }));

  it("answers once after 429 and 503", () =>
    withBot(async ({ server, graph, start }) => {
      graph.next.push(refusal(429, 130429), accept(READ), refusal(503, 2), refusal(429, 4));
      await start();
      await post(server, notify(textOf("wamid.1")));
      await graph.count(5);
      await post(server, notify(textOf("wamid.2")));
      await graph.count(7);
      const read = "read wamid.1";
      assertEquals(shortened(graph.requests), [read, read, GREETING, GREETING, GREETING, "read wamid.2", GREETING]);
    }));

  it("answers after an outage that lasts longer than its retries: the message comes again", () =>
    withBot(async ({ server, graph, printed, start }) => {
      graph.next.push(...Array<GraphAnswer>(5).fill(refusal(503, 2)));
      await start();
      await post(server, notify(textOf("wamid.1")));
      await graph.count(7);
      assertEquals(shortened(graph.requests), [...Array<string>(6).fill("read wamid.1"), GREETING]);
      assertEquals(printed.map((error) => (error as WebSocketError).code), ["ERR_HANDLER"]);
    }));

  it("keeps messages while too many calls are refused with 400, and until the access token is a valid one", () =>
    withBot(async ({ server, graph, printed, start }) => {
      graph.next.push(...Array<GraphAnswer>(5).fill(refusal(400, 130429)), refusal(401, 190));
      await start();
      await post(server, notify(textOf("wamid.1")));
      await graph.count(8);
      assertEquals(shortened(graph.requests), [...Array<string>(7).fill("read wamid.1"), GREETING]);
      assertEquals(printed.map((error) => (error as WebSocketError).code), ["ERR_HANDLER", "ERR_HANDLER"]);
    }));

  it("goes on after an answer that is refused", () =>
    withBot(async ({ server, graph, printed, start }) => {
      graph.next.push(accept(READ), refusal(400, 131047));
      await start();
      await post(server, notify(textOf("wamid.1")));
      await graph.count(2);
      await post(server, notify(textOf("wamid.2")));
      await graph.count(4);
      assertEquals(shortened(graph.requests), ["read wamid.1", GREETING, "read wamid.2", GREETING]);
      assertEquals(printed.map((error) => (error as WebSocketError).code), ["ERR_API_REFUSED"]);
    }));

  it("answers after a restart what came in between, and nothing twice", () =>
    withBot(async ({ server, graph, start }) => {
      const bot = await start();
      await post(server, notify(textOf("wamid.1")));
      await graph.count(2);
      await bot.disconnect();
      // In another notification, so that the server does not recognise it.
      await post(server, notify(textOf("wamid.1"), textOf("wamid.2")));
      await post(server, notify(textOf("wamid.3")));
      await start();
      await graph.count(6);
      await post(server, notify(textOf("wamid.4")));
      await graph.count(8);
      const read = shortened(graph.requests).filter((line) => line.startsWith("read")).sort();
      assertEquals(read, ["read wamid.1", "read wamid.2", "read wamid.3", "read wamid.4"]);
    }));

  it("runs as a program until SIGTERM, and names a variable that is missing", () =>
    withFile(async (file) => {
      await using server = await startServer();
      const variables = {
        WHATSAPP_SERVER_URL: urlOf(server).replace("http", "ws"),
        WHATSAPP_RECEIVER_TOKEN: "token",
        WHATSAPP_ACCESS_TOKEN: "secret",
        WHATSAPP_PHONE_NUMBER_ID: "1065",
        WHATSAPP_FLOW_ID: "42",
      };
      const { ended, child } = runBot(dirname(file), variables);
      // By its id: Deno takes a child that has handled the signal of child.kill for a killed one.
      child.stdout!.once("data", () => process.kill(child.pid!, "SIGTERM"));
      assertEquals(await ended, { code: 0, output: "The bot is running: Ctrl+C ends it.\n" });
      const { code, output } = await runBot(dirname(file), { ...variables, WHATSAPP_FLOW_ID: "" }).ended;
      assertEquals(code, 1);
      assertStringIncludes(output, "The variable WHATSAPP_FLOW_ID is not set");
    }));
});

const BOT = fileURLToPath(new URL("../examples/bot.ts", import.meta.url));

/** Starts the bot as a program of its own. */
function runBot(cwd: string, variables: Record<string, string>): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; output: string }>;
} {
  const run = "Deno" in globalThis ? ["run", "-A"] : ["run"];
  const child = spawn(process.execPath, [...run, BOT], { cwd, env: { ...process.env, ...variables } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output += data);
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, output }))
  );
  return { child, ended };
}

/** A request, for its answer. */
const READ: GraphRequest = { method: "POST", path: "/1065/messages", headers: {}, bytes: new Uint8Array(), json: {} };
