import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { WhatsAppApi } from "../../cloud_api/api.ts";
import type { SentMessage } from "../../cloud_api/calls.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import { type GraphAnswer, type GraphRequest, type GraphServer, withGraph } from "../support/graph.ts";
import { decode } from "../support/support.ts";

/** Takes messages and files; ids of files are M1, M2, … */
function takeAll(): (request: GraphRequest) => GraphAnswer {
  let count = 0;
  return ({ path }) => ({
    json: path === "/1065/media" ? { id: `M${++count}` } : { messages: [{ id: "wamid.SENT" }] },
  });
}

function withSenders(action: (api: WhatsAppApi, graph: GraphServer) => Promise<void>): Promise<void> {
  return withGraph(takeAll(), action);
}

function messageOf(more: object): WhatsAppMessage {
  const messages = [{ id: "wamid.IN", from: "491700000001", type: "text", text: { body: "a" }, ...more }];
  const entry = [{ id: "1", changes: [{ field: "messages", value: { messages } }] }];
  const [record] = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records;
  assert(record!.kind === "message");
  return record!;
}

/** Sends the contents of a message, as they were received, by the method of their type. */
function sendBack(api: WhatsAppApi, message: WhatsAppMessage): Promise<SentMessage> {
  switch (message.type) {
    case "image":
      return api.sendImage(message, message.image);
    case "video":
      return api.sendVideo(message, message.video);
    case "audio":
      return api.sendAudio(message, message.audio);
    case "document":
      return api.sendDocument(message, message.document);
    case "sticker":
      return api.sendSticker(message, message.sticker);
    case "location":
      return api.sendLocation(message, message.location);
    case "contacts":
      return api.sendContacts(message, message.contacts);
    case "text":
      return api.sendText(message, message.text.body);
  }
  throw new Error(`no method for ${message.type}`);
}

const jsonOf = (graph: GraphServer, index: number): JsonObject => graph.requests[index]!.json as JsonObject;

describe("WhatsAppSenders", () => {
  it("uploads a file, checked for its kind, and then sends its id", () =>
    withSenders(async (api, graph) => {
      const file = new Blob(["PNG"], { type: "image/png" });
      await api.sendImage("+49 17", { file, caption: "C" });
      assertEquals(graph.requests.map(({ path }) => path), ["/1065/media", "/1065/messages"]);
      assertStringIncludes(decode(graph.requests[0]!.bytes), "image/png");
      assertEquals(jsonOf(graph, 1), {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: "+4917",
        type: "image",
        image: { id: "M1", caption: "C" },
      });
      const stream = new Blob(["PDF"]).stream();
      await api.sendDocument("4917", { file: stream, mimeType: "application/pdf", filename: "a.pdf", size: 3 });
      assertEquals(jsonOf(graph, 3).document, { id: "M2", filename: "a.pdf" });
      await assertRejects(() => api.sendSticker("4917", { file }), OptionError, "image/png");
      assertEquals(graph.requests.length, 4);
    }));

  it("uploads the files of headers and cards", () =>
    withSenders(async (api, graph) => {
      const file = new Blob(["JPG"], { type: "image/jpeg" });
      const buttons = [{ id: "yes", title: "Yes" }];
      await api.sendButtons("4917", { body: "?", header: { image: { file } }, buttons });
      assertEquals((jsonOf(graph, 1).interactive as JsonObject).header, { type: "image", image: { id: "M1" } });
      await api.sendTemplate("4917", "offer", { language: "de", cards: [{ header: { image: { file } } }] });
      const [{ cards }] = (jsonOf(graph, 3).template as { components: [{ cards: JsonObject[] }] }).components;
      const header = { type: "header", parameters: [{ type: "image", image: { id: "M2" } }] };
      assertEquals(cards, [{ card_index: 0, components: [header] }]);
    }));

  it("refuses wrong contents before a file is uploaded", () =>
    withSenders(async (api, graph) => {
      const file = new Blob(["PNG"], { type: "image/png" });
      const wrong: [(api: WhatsAppApi) => Promise<unknown>, string][] = [
        [(api) => api.sendImage("4917", { file, caption: "x".repeat(1025) }), '"caption" has 1025 characters'],
        [(api) => api.sendImage("", { file }), "the recipient is empty"],
        [(api) => api.sendImage("4917", { file }, { replyTo: "" }), '"replyTo" is empty'],
        [(api) => api.sendImage("4917", { file }, { previewUrl: true } as object), "previewUrl"],
        [(api) => api.sendText("4917", ""), '"body" is empty'],
        [(api) => api.sendText("4917", "a", { previewUrl: 1 as never }), '"previewUrl" is 1'],
        [(api) => api.sendTemplate("4917", "a", {} as never), '"language" is undefined'],
        [(api) => api.sendTemplate("4917", "a", undefined as never), "A message takes options as an object"],
        [(api) => api.send("4917", "", {}), '"type" is empty'],
        [(api) => api.send("4917", { text: "" }), '"body" is empty'],
        [(api) => api.reply(messageOf({}), { image: { file, caption: "" } }), '"caption" is empty'],
      ];
      for (const [call, message] of wrong) await assertRejects(() => call(api), OptionError, message);
      assertEquals(graph.requests.length, 0);
    }));

  it("answers in the chat of a message, with contents of each kind", () =>
    withSenders(async (api, graph) => {
      await api.reply(messageOf({ group_id: "g@g.us" }), { locationRequest: "Where?" });
      const address = { messaging_product: "whatsapp", recipient_type: "group", to: "g@g.us" };
      const interactive = {
        type: "location_request_message",
        body: { text: "Where?" },
        action: { name: "send_location" },
      };
      const context = { message_id: "wamid.IN" };
      assertEquals(jsonOf(graph, 0), { ...address, context, type: "interactive", interactive });
      await api.reply(messageOf({}), "Hi", { previewUrl: true, replyTo: "wamid.OTHER" });
      const nothing = undefined as unknown as WhatsAppMessage;
      await assertRejects(() => api.reply(nothing, "Hi"), OptionError, 'The option "message" is undefined');
      assertEquals([jsonOf(graph, 1).text, jsonOf(graph, 1).context], [
        { body: "Hi", preview_url: true },
        { message_id: "wamid.OTHER" },
      ]);
      await api.sendText("4917", "Hi", { replyTo: messageOf({}) });
      assertEquals(jsonOf(graph, 2).context, context);
      await api.reply(messageOf({}), "Hi", { replyTo: undefined });
      assertEquals(jsonOf(graph, 3).context, context);
    }));

  it("sends back what was received, of each type that can be sent", () =>
    withSenders(async (api, graph) => {
      const types = ["text", "image", "video", "audio", "document", "sticker", "location", "contacts"];
      for (const type of types) {
        const [message] = parseNotification(simulateNotification(1, { type }).json).records;
        assert(message!.kind === "message");
        await sendBack(api, message!);
        await api.send(message!, { [type]: Reflect.get(message!, type) } as never);
      }
      assertEquals(graph.requests.map(({ json }) => (json as JsonObject).type), types.flatMap((type) => [type, type]));
      const [named, any] = [graph.requests.filter((_, at) => at % 2 === 0), graph.requests.filter((_, at) => at % 2)];
      assertEquals(named.map(({ json }) => json), any.map(({ json }) => json));
    }));

  it("asks for the permission to call without a text", () =>
    withSenders(async (api, { requests }) => {
      await api.sendCallPermissionRequest("4917");
      const type = "call_permission_request";
      const { interactive } = requests[0]!.json as { interactive: unknown };
      assertEquals(interactive, { type, action: { name: type } });
    }));

  it("sends JSON of any type as it is", () =>
    withSenders(async (api, graph) => {
      await api.send("4917", "poll", { question: "?" }, { fields: { message_activity_sharing: true } });
      await api.send("4917", "contacts", [{ name: { formatted_name: "A" } }]);
      assertEquals([jsonOf(graph, 0).poll, jsonOf(graph, 0).message_activity_sharing], [{ question: "?" }, true]);
      assertEquals(jsonOf(graph, 1).contacts, [{ name: { formatted_name: "A" } }]);
    }));
});
