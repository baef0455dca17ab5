import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { SendOptions, SentMessage, UploadOptions } from "../../cloud_api/calls.ts";
import { type Draft, imageDraft, textDraft } from "../../cloud_api/contents.ts";
import { carouselDraft } from "../../cloud_api/contents_products.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import type { GraphClient } from "../../cloud_api/graph.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { type MessageCalls, sendDraft } from "../../cloud_api/outgoing.ts";
import type { Recipient } from "../../cloud_api/recipient.ts";

const ANSWER = { contacts: [{ input: "4917", wa_id: "4917" }], messages: [{ id: "wamid.SENT" }] };
const SENT: SentMessage = { id: "wamid.SENT", recipientId: "4917", input: "4917" };

/** Keeps all calls. */
class Calls implements MessageCalls {
  readonly sent: JsonObject[] = [];
  readonly uploads: { file: unknown; options: UploadOptions }[] = [];
  answer: JsonObject = ANSWER;

  readonly graph: GraphClient = new WhatsAppApi({
    accessToken: "secret",
    phoneNumberId: "1065",
    fetch: (_url, init) => {
      const { messaging_product: _, ...json } = JSON.parse(String(init?.body)) as JsonObject;
      this.sent.push(json);
      return Promise.resolve(Response.json(this.answer));
    },
  }).graph;

  uploadMedia(file: unknown, options: UploadOptions): Promise<{ id: string }> {
    return Promise.resolve({ id: `M${this.uploads.push({ file, options })}` });
  }
}

const send = (calls: Calls, draft: Draft, options: SendOptions = {}, to: Recipient = "4917"): Promise<SentMessage> =>
  sendDraft(calls, to, draft, options);

describe("sendDraft()", () => {
  it("sends address, options and contents, and fields beside them", async () => {
    const calls = new Calls();
    const options = { replyTo: "wamid.IN", bizOpaqueCallbackData: "b", fields: { recipient_identity_key_hash: "h" } };
    assertEquals(await send(calls, textDraft("Hi"), options), SENT);
    assertEquals(calls.sent, [{
      recipient_type: "individual",
      to: "4917",
      context: { message_id: "wamid.IN" },
      biz_opaque_callback_data: "b",
      recipient_identity_key_hash: "h",
      type: "text",
      text: { body: "Hi", preview_url: false },
    }]);
  });

  it("takes phone number and user id together, by a field", async () => {
    const calls = new Calls();
    await send(calls, textDraft("Hi"), { fields: { to: "+4917" } }, "DE.1");
    const { to, recipient } = calls.sent[0]!;
    assertEquals([to, recipient], ["+4917", "DE.1"]);
  });

  it("refuses options before anything is uploaded or sent", async () => {
    const calls = new Calls();
    const file = (): Draft => imageDraft({ file: new Blob(["a"]) });
    const rows: [options: object, message: string][] = [
      [{ bizOpaqueCallbackData: "x".repeat(513) }, '"bizOpaqueCallbackData" has 513 characters'],
      [{ bizOpaqueCallbackData: "" }, '"bizOpaqueCallbackData" is empty'],
      [{ replyTo: "" }, '"replyTo" is empty'],
      [{ replyTo: { id: "" } }, '"replyTo.id" is empty'],
      [{ replyTo: 7 }, '"replyTo" is 7 instead of a message, or its id'],
      [{ fields: { type: "text" } }, '"fields" has "type", which the message has already'],
      [{ fields: { image: {} } }, '"fields" has "image"'],
      [{ fields: { to: "1" } }, '"fields" has "to"'],
      [{ fields: [] }, '"fields" is an array'],
      [{ signal: {} }, '"signal" is an object'],
      [{ context: {} }, 'use "replyTo"'],
      [{ previewUrl: true }, 'A message has no option "previewUrl"'],
    ];
    for (const [options, message] of rows) {
      const error = await assertRejects(() => send(calls, file(), options), OptionError);
      assertStringIncludes(error.message, message);
    }
    await assertRejects(() => send(calls, file(), {}, "US.1-2"), OptionError, "the recipient is");
    assertEquals([calls.uploads.length, calls.sent.length], [0, 0]);
    await send(calls, textDraft("a"), { bizOpaqueCallbackData: "x".repeat(512) });
  });

  it("uploads each file, and sends the ids", async () => {
    const calls = new Calls();
    const { signal } = new AbortController();
    const file = new Blob(["a"]);
    const image = { file, mimeType: "image/png", filename: "a.png", size: 1, checkType: false };
    await send(calls, imageDraft({ ...image, caption: "c" }), { signal });
    assertEquals(calls.uploads, [{
      file,
      options: { kind: "image", mimeType: "image/png", filename: "a.png", size: 1, checkType: false, signal },
    }]);
    assertEquals(calls.sent[0]!.image, { id: "M1", caption: "c" });
    const card = { video: image, button: "Shop", url: "https://a.b" };
    await send(calls, carouselDraft({ body: "B", cards: [card, card] }));
    const { cards } = (calls.sent[1]!.interactive as JsonObject).action as { cards: { header: JsonObject }[] };
    assertEquals(cards.map(({ header }) => header.video), [{ id: "M2" }, { id: "M3" }]);
    assertEquals(calls.uploads[1]!.options.kind, "video");
  });

  it("uploads no file if a later one may not be uploaded", async () => {
    const calls = new Calls();
    const good = { image: { file: new Blob(["a"], { type: "image/png" }) }, button: "Shop", url: "https://a.b" };
    const wrong = { ...good, image: { file: new Blob(["b"], { type: "image/bmp" }) } };
    const draft = carouselDraft({ body: "B", cards: [good, wrong] });
    await assertRejects(() => send(calls, draft), OptionError, "image/bmp");
    assertEquals([calls.uploads.length, calls.sent.length], [0, 0]);
  });

  it("sends nothing if a file cannot be uploaded", async () => {
    const calls = new Calls();
    const reason = new Error("too large");
    calls.uploadMedia = () => Promise.reject(reason);
    const error = await send(calls, imageDraft({ file: new Blob(["a"]) })).catch((error: unknown) => error);
    assertEquals([error, calls.sent.length], [reason, 0]);
  });

  it("cancels the streams that were not uploaded, if one before them cannot be", async () => {
    const calls = new Calls();
    const reason = new Error("refused");
    const cancelled: unknown[] = [];
    const cards = [0, 1, 2].map((index) => {
      const file = new ReadableStream<Uint8Array>({ cancel: (error) => void cancelled.push([index, error]) });
      return { image: { file, mimeType: "image/png" }, button: "Shop", url: "https://a.b" };
    });
    calls.uploadMedia = (file) => {
      // The first one is being read.
      (file as ReadableStream).getReader();
      return Promise.reject(reason);
    };
    const error = await send(calls, carouselDraft({ body: "B", cards })).catch((error: unknown) => error);
    assertEquals(error, reason);
    assertEquals(cancelled, [[1, reason], [2, reason]]);
  });

  it("returns what the API says about the message, and refuses an answer without its id", async () => {
    const calls = new Calls();
    calls.answer = {
      contacts: [{ input: "US.1", user_id: "US.1" }],
      messages: [{ id: "wamid.2", message_status: "held_for_quality_assessment" }],
    };
    assertEquals(await send(calls, textDraft("a")), {
      id: "wamid.2",
      userId: "US.1",
      input: "US.1",
      status: "held_for_quality_assessment",
    });
    calls.answer = { messages: [{ id: "wamid.3" }] };
    assertEquals(await send(calls, textDraft("a")), { id: "wamid.3" });
    for (const answer of [{}, { messages: [] }, { messages: [null] }, { messages: [{ id: true }] }]) {
      calls.answer = answer;
      assertEquals((await assertRejects(() => send(calls, textDraft("a")), WhatsAppApiError)).code, "ERR_API_ANSWER");
    }
  });
});
