import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash } from "node:crypto";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { WebSocketServer } from "../../server.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import type { WhatsAppApiOptions } from "../../cloud_api/api_settings.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { encode, FakeClock, settle, until } from "../support/support.ts";

interface Call {
  method: string;
  url: string;
  authorization: string | null;
  body: unknown;
}

type Answer = (call: Call, index: number) => Response | Promise<Response>;

const taken = (): Response =>
  Response.json({
    messaging_product: "whatsapp",
    contacts: [{ input: "49", wa_id: "4917" }],
    messages: [{ id: "wamid.SENT", message_status: "accepted" }],
  });

const refusal = (status: number, code: number, headers: Record<string, string> = {}): Response =>
  Response.json({
    error: {
      message: "(#131047) Re-engagement message",
      type: "OAuthException",
      code,
      error_subcode: 2494055,
      error_data: { messaging_product: "whatsapp", details: "more than 24 hours" },
      fbtrace_id: "trace",
    },
  }, { status, headers });

/** An answer that begins, and never ends. */
const stalled = (init: ResponseInit = {}): Response =>
  new Response(new ReadableStream({ start: (controller) => controller.enqueue(encode('{"messages":')) }), {
    status: init.status ?? 200,
  });

/** A fetch that tells how many heads have come, and hears its signal or not. */
class CountingFetch {
  heads = 0;
  constructor(readonly deaf = false) {}
  readonly fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, { ...init, ...this.deaf && { signal: null } });
    this.heads++;
    return response;
  };
}

/** Plays the Graph API. */
async function withApi(
  answer: Answer,
  action: (api: WhatsAppApi, calls: Call[], url: string) => Promise<void>,
  options: Partial<WhatsAppApiOptions> = {},
): Promise<void> {
  const calls: Call[] = [];
  await using server = new WebSocketServer({
    hostname: "127.0.0.1",
    port: 0,
    // On Bun the server hears of a call that was given up only when it stops and this time is over.
    closeTimeout: 100,
    onCommandGet: async (request) => {
      const text = await request.text();
      const { pathname, search } = new URL(request.url);
      const body: unknown = text === "" ? undefined : JSON.parse(text);
      const call = {
        method: request.method,
        url: pathname + search,
        authorization: request.headers.get("authorization"),
        body,
      };
      return answer(call, calls.push(call) - 1);
    },
  });
  await server.start();
  const baseUrl = `http://127.0.0.1:${server.address!.port}`;
  await action(new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065", baseUrl, ...options }), calls, baseUrl);
}

function messageOf(more: object): WhatsAppMessage {
  const messages = [{ id: "wamid.IN", from: "491700000001", type: "text", text: { body: "a" }, ...more }];
  const value = { metadata: { phone_number_id: "1065" }, messages };
  const entry = [{ id: "1", changes: [{ field: "messages", value }] }];
  const [record] = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records;
  assert(record!.kind === "message");
  return record!;
}

describe("WhatsAppApi: messages", () => {
  it("are sent as the Cloud API wants them, with the token in a header", () =>
    withApi(taken, async (api, calls) => {
      const sent = await api.sendText("491700000001", "Hi", {
        previewUrl: true,
        replyTo: "wamid.X",
        bizOpaqueCallbackData: "b",
      });
      assertEquals(sent, { id: "wamid.SENT", recipientId: "4917", input: "49", status: "accepted" });
      assertEquals(calls, [{
        method: "POST",
        url: "/v26.0/1065/messages",
        authorization: "Bearer secret",
        body: {
          messaging_product: "whatsapp",
          recipient_type: "individual",
          to: "491700000001",
          context: { message_id: "wamid.X" },
          biz_opaque_callback_data: "b",
          type: "text",
          text: { body: "Hi", preview_url: true },
        },
      }]);
    }));

  it("go to numbers, business-scoped user ids and groups, each in its place", () =>
    withApi(taken, async (api, calls) => {
      await api.reply(messageOf({}), "a");
      await api.reply(messageOf({ from: undefined, from_user_id: "US.134" }), "a");
      await api.reply(messageOf({ group_id: "g@g.us" }), "a");
      await api.react(messageOf({}), "👍");
      await api.react(messageOf({}), "");
      const places = calls.map(({ body }) => {
        const { to, recipient, recipient_type } = body as Record<string, string>;
        return [recipient_type, to, recipient];
      });
      assertEquals(places.slice(0, 3), [
        ["individual", "491700000001", undefined],
        ["individual", undefined, "US.134"],
        ["group", "g@g.us", undefined],
      ]);
      const [first, , , react, unreact] = calls.map(({ body }) => body as Record<string, unknown>);
      assertEquals(first!.context, { message_id: "wamid.IN" });
      assertEquals(react!.reaction, { message_id: "wamid.IN", emoji: "👍" });
      assertEquals(unreact!.reaction, { message_id: "wamid.IN", emoji: "" });
      await assertRejects(() => api.sendText("", "a"), OptionError, "recipient");
    }));

  it("may be templates, interactive, and of any type", () =>
    withApi(taken, async (api, calls) => {
      const components = [{ type: "body", parameters: [{ type: "text", text: "x" }] }];
      await api.sendTemplate("49", "hello_world", { language: "en_US", components });
      await api.sendInteractive("49", { type: "button", body: { text: "?" }, action: { buttons: [] } });
      await api.send("49", "image", { id: "7", caption: "c" });
      const bodies = calls.map(({ body }) => body as Record<string, unknown>);
      assertEquals(bodies.map(({ type }) => type), ["template", "interactive", "image"]);
      assertEquals(bodies[0]!.template, { name: "hello_world", language: { code: "en_US" }, components });
      assertEquals(bodies[1]!.interactive, { type: "button", body: { text: "?" }, action: { buttons: [] } });
      assertEquals(bodies[2]!.image, { id: "7", caption: "c" });
    }));

  it("are marked as read, with and without the sign that an answer is written", () =>
    withApi(() => Response.json({ success: true }), async (api, calls) => {
      await api.markAsRead("wamid.IN");
      await api.markAsRead("wamid.IN", { typing: true });
      const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.IN" };
      assertEquals(calls.map(({ body }) => body), [read, { ...read, typing_indicator: { type: "text" } }]);
    }));

  it("are marked as read by the message itself, and refused if they are none", () =>
    withApi(() => Response.json({ success: true }), async (api, calls) => {
      const [message] = parseNotification(simulateNotification(1, { type: "text" }).json).records;
      assert(message?.kind === "message");
      await api.markAsRead(message);
      assertEquals((calls[0]!.body as { message_id: string }).message_id, message.id);
      for (const wrong of [undefined, 7, {}, [], ""] as never[]) {
        await assertRejects(() => api.markAsRead(wrong), OptionError, '"message');
      }
      assertEquals(calls.length, 1);
    }));

  it("are no recipients by their ids: the error says to give the message", () =>
    withApi(taken, async (api, calls) => {
      const id = "wamid.IN" as never;
      for (const call of [() => api.react(id, "👍"), () => api.unreact(id), () => api.sendText(id, "a")]) {
        await assertRejects(call, OptionError, "the id of a message: give the message");
      }
      await assertRejects(() => api.react(undefined as never, "👍"), OptionError, '"message" is undefined');
      assertEquals(calls.length, 0);
    }));

  it("take the version, and a token that is asked for each time", () => {
    let count = 0;
    return withApi(taken, async (api, calls) => {
      await api.sendText("49", "a");
      await api.sendText("49", "b");
      assertEquals(calls.map(({ url, authorization }) => [url, authorization]), [
        ["/v27.0/1065/messages", "Bearer t1"],
        ["/v27.0/1065/messages", "Bearer t2"],
      ]);
    }, { version: "v27.0", accessToken: () => Promise.resolve(`t${++count}`) });
  });
});

describe("WhatsAppApi: errors", () => {
  it("have Meta's codes, and never the token", () =>
    withApi(() => refusal(400, 131047), async (api, calls) => {
      const error = await assertRejects(() => api.sendText("49", "a"), WhatsAppApiError, "131047");
      assertEquals([error.code, error.status, calls.length], ["ERR_API_REFUSED", 400, 1]);
      assertEquals(error.graph, {
        code: 131047,
        subcode: 2494055,
        type: "OAuthException",
        message: "(#131047) Re-engagement message",
        details: "more than 24 hours",
        traceId: "trace",
      });
      assert(!JSON.stringify([error.message, error]).includes("secret"));
    }));

  it("say what is wrong in the words that Meta has for people", () => {
    const error = { message: "Invalid parameter", code: 100, error_user_title: "No example" };
    const body = { error: { ...error, error_user_msg: "The body needs an example" } };
    const answers = [body, { error }, { error: { ...error, error_user_title: undefined, error_user_msg: 7 } }];
    return withApi((_call, index) => Response.json(answers[index], { status: 400 }), async (api) => {
      const send = () => assertRejects(() => api.sendText("49", "a"), WhatsAppApiError);
      const first = await send();
      assert(first.message.endsWith(": Invalid parameter (code 100): No example: The body needs an example"));
      assertEquals([first.graph?.userTitle, first.graph?.userMessage], ["No example", "The body needs an example"]);
      assert((await send()).message.endsWith(": Invalid parameter (code 100): No example"));
      const last = await send();
      assert(last.message.endsWith(": Invalid parameter (code 100)"));
      assertEquals(Object.keys(last.graph!), ["code", "message"]);
    });
  });

  it("name ids that are missing, of another type, and versions that are none", () => {
    const options = { accessToken: "t", phoneNumberId: "1" };
    const wrong: [object, string][] = [
      [{ phoneNumberId: undefined }, "phoneNumberId is missing"],
      [{ phoneNumberId: "" }, "phoneNumberId is missing, or empty"],
      [{ phoneNumberId: 106540352242922 }, "phoneNumberId is of the type number, not a string"],
      [{ accountId: 1 }, "accountId is of the type number"],
      [
        { baseUrl: "https://graph.facebook.com/v26.0" },
        'the version v26.0 in its path: give it as the option "version"',
      ],
      [{ baseUrl: "https://graph.facebook.com/v26.0/" }, 'the option "version"'],
      [{ version: "26" }, '"version" is "26" instead of a version such as "v26.0"'],
      ...["", "v", "v26", "v26.", "v26.0.1", "v26.x", "26.0", "v26.0/"].map((version): [object, string] => [
        { version },
        '"version" is',
      ]),
    ];
    for (const [more, message] of wrong) {
      assertThrows(() => new WhatsAppApi({ ...options, ...more }), OptionError, message);
    }
    const baseUrl = "https://proxy.example.com/graph/v2";
    assertEquals(new WhatsAppApi({ ...options, version: "v100.12", baseUrl }).graph.baseUrl, baseUrl);
  });

  it("report an answer that is not valid", async () => {
    const answers = [() => new Response("<html>"), () => Response.json([]), () => Response.json({ messages: [] })];
    for (const answer of answers) {
      await withApi(answer, async (api) => {
        const error = await assertRejects(() => api.sendText("49", "a"), WhatsAppApiError);
        assertEquals(error.code, "ERR_API_ANSWER");
      });
    }
    await withApi(() => new Response("nothing", { status: 404 }), async (api) => {
      const error = await assertRejects(() => api.sendText("49", "a"), WhatsAppApiError, "404");
      assertEquals([error.code, error.graph], ["ERR_API_REFUSED", undefined]);
    });
  });

  it("are waited out when they pass: 429, 5xx, and Meta's codes for too many calls", async () => {
    for (const first of [() => refusal(429, 4), () => new Response("", { status: 503 }), () => refusal(400, 130429)]) {
      const clock = new FakeClock();
      await withApi((_call, index) => index < 3 ? first() : taken(), async (api, calls) => {
        const sent = api.sendText("49", "a");
        // Full jitter: at most 500 ms, then 1 s, then 2 s.
        for (const [index, pause] of [500, 1000, 2000].entries()) {
          await until(() => calls.length === index + 1 && clock.pending === 1, `attempt ${index + 1}`);
          clock.advance(pause);
        }
        assertEquals((await sent).id, "wamid.SENT");
        assertEquals(calls.length, 4);
      }, { clock, requestTimeout: 0 });
    }
  });

  it("are waited out as long as Retry-After says, and not for ever", async () => {
    const clock = new FakeClock();
    await withApi(() => refusal(429, 4, { "retry-after": "7" }), async (api, calls) => {
      const sent = api.sendText("49", "a").catch((error: WhatsAppApiError) => error);
      await until(() => clock.pending === 1, "the first pause");
      clock.advance(6999);
      await settle();
      assertEquals(calls.length, 1);
      clock.advance(1);
      await until(() => calls.length === 2 && clock.pending === 1, "the second attempt");
      clock.advance(7000);
      const error = await sent;
      assert(error instanceof WhatsAppApiError);
      assertEquals([error.status, calls.length], [429, 3]);
    }, { clock, requestTimeout: 0, maxRetries: 2 });
  });

  it("come when there is no answer: no second attempt, which might send twice", async () => {
    const clock = new FakeClock();
    const release = Promise.withResolvers<void>();
    await withApi(() => release.promise.then(taken), async (api, calls) => {
      const sent = api.sendText("49", "a").catch((error: WhatsAppApiError) => error);
      await until(() => calls.length === 1, "the call");
      clock.advance(1000);
      const error = await sent;
      assert(error instanceof WhatsAppApiError);
      assertEquals([error.code, error.status], ["ERR_API_UNREACHABLE", 0]);
      assertStringIncludes(error.message, "1000 ms");
      release.resolve();
      await settle();
      assertEquals(calls.length, 1);
    }, { clock, requestTimeout: 1000 });
    const nowhere = new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1", baseUrl: "http://127.0.0.1:1" });
    assertEquals((await assertRejects(() => nowhere.markAsRead("x"), WhatsAppApiError)).code, "ERR_API_UNREACHABLE");
  });

  it("are reported when a response body stalls, on each runtime, without a second attempt", async () => {
    for (const deaf of [false, true]) {
      const counting = new CountingFetch(deaf);
      const clock = new FakeClock();
      await withApi(() => stalled(), async (api, calls) => {
        const sent = api.sendText("49", "a").catch((error: WhatsAppApiError) => error);
        await until(() => counting.heads === 1, "the head");
        clock.advance(999);
        await settle();
        assertEquals(clock.pending, 1);
        clock.advance(1);
        const error = await sent;
        assert(error instanceof WhatsAppApiError);
        assertEquals([error.code, error.status, calls.length], ["ERR_API_UNREACHABLE", 0, 1]);
        assertStringIncludes(error.message, "1000 ms");
        assertEquals(clock.pending, 0);
      }, { clock, requestTimeout: 1000, fetch: counting.fetch });
    }
  });

  it("are as the status says when the body of a refusal stalls, after the time limit", async () => {
    const clock = new FakeClock();
    const counting = new CountingFetch();
    await withApi(() => stalled({ status: 503 }), async (api) => {
      const sent = api.sendText("49", "a").catch((error: WhatsAppApiError) => error);
      await until(() => counting.heads === 1, "the first head");
      clock.advance(1000);
      await until(() => clock.pending === 1, "the pause");
      clock.advance(0);
      await until(() => counting.heads === 2, "the second head");
      clock.advance(1000);
      const error = await sent;
      assert(error instanceof WhatsAppApiError);
      assertEquals([error.code, error.status, clock.pending], ["ERR_API_REFUSED", 503, 0]);
    }, { clock, requestTimeout: 1000, maxRetries: 1, retryDelay: 0, fetch: counting.fetch });
  });

  it("do not come from a call that is given up while a body stalls, and the signal is let go of", async () => {
    for (const status of [200, 503]) {
      const counting = new CountingFetch();
      await withApi(() => stalled({ status }), async (api) => {
        const controller = new AbortController();
        const sent = api.sendText("49", "a", { signal: controller.signal }).catch((error) => error);
        await until(() => counting.heads === 1, "the head");
        controller.abort(new Error("enough"));
        assertEquals((await sent).message, "enough");
      }, { fetch: counting.fetch });
    }
    let listening = 0;
    const { signal } = new AbortController();
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening--;
      remove(...args);
    };
    await withApi((_, index) => index % 2 === 0 ? refusal(429, 4) : taken(), async (api) => {
      for (let index = 0; index < 5; index++) await api.sendText("49", "a", { signal });
      assertEquals(listening, 0);
    }, { retryDelay: 0 });
  });

  it("do not come from a call that the program gives up: it gets its own reason", async () => {
    const clock = new FakeClock();
    await withApi(() => refusal(429, 4), async (api) => {
      const controller = new AbortController();
      const sent = api.sendText("49", "a", { signal: controller.signal }).catch((error) => error);
      await until(() => clock.pending === 1, "the pause");
      controller.abort(new Error("enough"));
      assertEquals((await sent).message, "enough");
      assertEquals(clock.pending, 0);
      const late = await api.sendText("49", "a", { signal: controller.signal }).catch((error) => error);
      assertEquals(late.message, "enough");
    }, { clock, requestTimeout: 0 });
  });

  it("come from options that cannot work", () => {
    const base = { accessToken: "a", phoneNumberId: "1" };
    for (
      const options of [
        { ...base, accessToken: "" },
        { ...base, phoneNumberId: "" },
        { ...base, phoneNumberId: "1/../2" },
        { ...base, baseUrl: "nowhere" },
        { ...base, baseUrl: "ftp://graph.example" },
        { ...base, baseUrl: "http://graph.example" },
        { ...base, baseUrl: "https://graph.example " },
        { ...base, userAgent: "" },
        { ...base, userAgent: "a\r\nb: c" },
        { ...base, maxRetries: -1 },
      ]
    ) assertThrows(() => new WhatsAppApi(options), OptionError);
  });
});

describe("WhatsAppApi: media", () => {
  let origin = "";
  const bytes = encode("an image".repeat(10_000));
  const hex = createHash("sha256").update(bytes).digest("hex");
  const base64 = createHash("sha256").update(bytes).digest("base64");
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> => {
    let size = 0;
    for await (const part of stream) size += part.length;
    return size;
  };
  const serve = (info: Record<string, unknown>): Answer => ({ url }) => {
    if (url.startsWith("/file")) return new Response(bytes, { headers: { "content-type": "image/jpeg" } });
    const base = `http://127.0.0.1:${info.port}`;
    return Response.json({
      mime_type: "image/png",
      id: "77",
      messaging_product: "whatsapp",
      url: `${base}/file`,
      ...info,
    });
  };
  const withMedia = (
    info: Record<string, unknown>,
    action: (api: WhatsAppApi, calls: Call[]) => Promise<void>,
  ): Promise<void> => {
    const answer = { ...info };
    return withApi((call, index) => serve(answer)(call, index), (api, calls, url) => {
      answer.port = new URL(url).port;
      return action(api, calls);
    });
  };

  it("come as a stream whose digest is checked", async () => {
    for (const sha256 of [hex, hex.toUpperCase(), base64]) {
      await withMedia({ sha256, file_size: bytes.length }, async (api, calls) => {
        const file = await api.media({ id: "77" });
        assertEquals([file.mimeType, file.size, file.sha256], ["image/png", bytes.length, sha256]);
        assertEquals(await collect(file.stream), bytes.length);
        assertEquals(calls.map(({ method, url, authorization }) => [method, url, authorization]), [
          ["GET", "/v26.0/77?phone_number_id=1065", "Bearer secret"],
          ["GET", "/file", "Bearer secret"],
        ]);
      });
    }
    await withMedia({}, async (api) => assertEquals(await collect((await api.media("77")).stream), bytes.length));
  });

  it("fail at the end of the stream when the digest is another", () =>
    withMedia({ sha256: hex.replace(/^./, (digit) => digit === "0" ? "1" : "0") }, async (api) => {
      const { stream } = await api.media("77");
      const error = await assertRejects(() => collect(stream), WhatsAppApiError);
      assertEquals(error.code, "ERR_MEDIA_DIGEST");
    }));

  it("fail when the next piece is late, but may take long as a whole, and wait for a slow reader", async () => {
    const clock = new FakeClock();
    let push: (bytes: Uint8Array<ArrayBuffer>) => void = () => {};
    const body = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
      new ReadableStream({
        start(controller) {
          push = (bytes) => controller.enqueue(bytes);
          // Its head comes with it.
          push(Uint8Array.of(9));
        },
      });
    await withApi(
      (_, index) =>
        index === 0 ? Response.json({ url: `${origin}/file`, mime_type: "image/png" }) : new Response(body()),
      async (api, _, url) => {
        origin = url;
        const { stream } = await api.media("77");
        assertEquals(clock.pending, 0);
        const reader = stream.getReader();
        assertEquals((await reader.read()).value, Uint8Array.of(9));
        for (let piece = 0; piece < 3; piece++) {
          // Without a reader no piece is late.
          clock.advance(5000);
          const read = reader.read();
          await until(() => clock.pending === 1, "the limit of this piece");
          clock.advance(900);
          push(Uint8Array.of(piece));
          assertEquals((await read).value, Uint8Array.of(piece));
          assertEquals(clock.pending, 0);
        }
        const last = reader.read().catch((error) => error);
        await until(() => clock.pending === 1, "the limit of the last piece");
        clock.advance(1000);
        const error = await last;
        assert(error instanceof WhatsAppApiError);
        assertEquals([error.code, clock.pending], ["ERR_API_UNREACHABLE", 0]);
        assertStringIncludes(error.message, "1000 ms");
      },
      { clock, requestTimeout: 1000 },
    );
  });

  it("let go of timer and server when the program cancels them", async () => {
    const clock = new FakeClock();
    const cancelled = Promise.withResolvers<void>();
    const body = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => cancelled.resolve(),
      });
    await withApi((_, index) => index === 0 ? Response.json({ url: `${origin}/file` }) : new Response(body()), async (
      api,
      _,
      url,
    ) => {
      origin = url;
      const { stream } = await api.media("77");
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel();
      await cancelled.promise;
      assertEquals(clock.pending, 0);
    }, { clock, requestTimeout: 1000 });
  });

  it("are refused without an id or a usable URL", async () => {
    await withMedia({ url: "file:///etc/passwd" }, async (api, calls) => {
      const error = await assertRejects(() => api.media("77"), WhatsAppApiError);
      assertEquals([error.code, calls.length], ["ERR_API_ANSWER", 1]);
      for (const id of ["", "..", "a/b", "a?b"]) await assertRejects(() => api.media(id), OptionError, "media");
    });
  });
});
