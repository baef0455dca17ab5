import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../../cli.ts";
import { Io } from "../support/cli_io.ts";
import { type GraphServer, refusal, withGraph } from "../support/graph.ts";
import { decode } from "../support/support.ts";

const TOKEN = "EAAG-made-up-access-token";
const ENV = { WHATSAPP_ACCESS_TOKEN: TOKEN, WHATSAPP_PHONE_NUMBER_ID: "106540352242922" };
const SENT = {
  messaging_product: "whatsapp",
  contacts: [{ input: "+1 650 555 1234", wa_id: "16505551234" }],
  messages: [{ id: "wamid.SENT", message_status: "accepted" }],
};
const PHONE = "+16505551234";
const MESSAGES = "/106540352242922/messages";

/** Runs the command against an API; `answers` come first. */
async function send(
  args: string[],
  { answers = [], env = ENV, stdin = "" }: {
    answers?: GraphServer["next"];
    env?: Record<string, string>;
    stdin?: string;
  } = {},
): Promise<{ code: number; io: Io; requests: GraphServer["requests"] }> {
  const io = new Io(env);
  io.stdin = stdin;
  let code = -1;
  let requests: GraphServer["requests"] = [];
  await withGraph(({ path }) => ({ json: path.endsWith("/media") ? { id: "4490" } : SENT }), async (_api, graph) => {
    graph.next.push(...answers);
    code = await runCli(["send", ...args, "--api", graph.url], io);
    requests = graph.requests;
  });
  assert(!`${io.lines} ${io.text}`.includes(TOKEN), "the access token is printed");
  return { code, io, requests };
}

/** Sends a message, and gives the contents of the last request. */
async function contentsOf(args: string[], stdin?: string): Promise<unknown> {
  const { code, io, requests } = await send(args, stdin === undefined ? {} : { stdin });
  assertEquals([code, io.text], [0, ""]);
  const { path, headers, json } = requests.at(-1)!;
  assertEquals([path, headers.authorization], [MESSAGES, `Bearer ${TOKEN}`]);
  const message = json as Record<string, unknown>;
  return message[String(message.type)];
}

async function withFile(name: string, bytes: string, action: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tackline-send-"));
  try {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    await action(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("cli: send", () => {
  it("sends a text, and prints its id", async () => {
    const { code, io, requests } = await send([
      PHONE,
      "Good morning",
      "--reply-to",
      "wamid.A",
      "--callback-data",
      "17",
    ]);
    assertEquals([code, io.text, io.lines], [0, "", ["Accepted for 16505551234: wamid.SENT"]]);
    const { type, text, context, biz_opaque_callback_data } = requests[0]!.json as Record<string, unknown>;
    assertEquals([type, text], ["text", { body: "Good morning", preview_url: false }]);
    assertEquals([context, biz_opaque_callback_data], [{ message_id: "wamid.A" }, "17"]);
  });

  it("prints the result as JSON", async () => {
    const { io } = await send([PHONE, "Good morning", "--json"]);
    const { ok, id, recipientId } = JSON.parse(io.lines[0]!);
    assertEquals([io.lines.length, ok, id, recipientId], [1, true, "wamid.SENT", "16505551234"]);
  });

  it("sends to a user id", async () => {
    const { requests } = await send(["US.13491208655302741918", "Good morning"]);
    const { to, recipient } = requests[0]!.json as Record<string, unknown>;
    assertEquals([to, recipient], [undefined, "US.13491208655302741918"]);
  });

  it("reads the text from standard input, without the last line end", async () => {
    assertEquals(await contentsOf([PHONE, "-", "--preview"], "one\ntwo\n"), { body: "one\ntwo", preview_url: true });
    assertEquals(await contentsOf([PHONE, "-"], "one\r\n"), { body: "one", preview_url: false });
  });

  it("sends a template with parameters: in order, with names, or as the Cloud API wants them", async () => {
    const template = [PHONE, "--template", "order", "--language", "en_US"];
    const language = { code: "en_US" };
    assertEquals(await contentsOf(template), { name: "order", language });
    assertEquals(await contentsOf([...template, "--param", "Anna", "--param", "=a=b"]), {
      name: "order",
      language,
      components: [{ type: "body", parameters: [{ type: "text", text: "Anna" }, { type: "text", text: "a=b" }] }],
    });
    assertEquals(await contentsOf([...template, "--param", "first_name=Anna"]), {
      name: "order",
      language,
      components: [{ type: "body", parameters: [{ type: "text", parameter_name: "first_name", text: "Anna" }] }],
    });
    const components = [{ type: "header", parameters: [{ type: "image", image: { id: "5" } }] }];
    assertEquals(await contentsOf([...template, "--components", JSON.stringify(components)]), {
      name: "order",
      language,
      components,
    });
  });

  it("uploads a file, and sends it as what its name says", async () => {
    const cases: [name: string, flags: string[], type: string, contents: object][] = [
      ["photo.JPG", ["--caption", "The hall"], "image", { id: "4490", caption: "The hall" }],
      ["bill.pdf", [], "document", { id: "4490", filename: "bill.pdf" }],
      ["bill.bin", ["--mime-type", "application/pdf"], "document", { id: "4490", filename: "bill.bin" }],
      ["note.ogg", ["--as", "voice"], "audio", { id: "4490", voice: true }],
      ["smile.webp", [], "sticker", { id: "4490" }],
    ];
    for (const [name, flags, type, contents] of cases) {
      await withFile(name, "some bytes", async (path) => {
        const { code, requests, io } = await send([PHONE, "--file", path, ...flags]);
        assertEquals([code, io.text], [0, ""]);
        const [upload, message] = requests;
        assertEquals([upload!.path, message!.path], ["/106540352242922/media", MESSAGES]);
        assertStringIncludes(decode(upload!.bytes), "some bytes");
        const json = message!.json as Record<string, unknown>;
        assertEquals([json.type, json[type]], [type, contents]);
      });
    }
  });

  it("refuses a file that Meta would refuse, before it is uploaded", async () => {
    await withFile("note.mp3", "some bytes", async (path) => {
      const { code, io, requests } = await send([PHONE, "--file", path, "--as", "image"]);
      assertEquals([code, requests], [2, []]);
      assertEquals(
        io.text,
        'The type of the file is "audio/mpeg": not for image, which takes image/jpeg, image/png; if Meta takes it, give ' +
          "it with --mime-type. See send --help.\n",
      );
    });
    await withFile("photo.png", "x".repeat(5 * 1024 * 1024 + 1), async (path) => {
      const { code, io, requests } = await send([PHONE, "--file", path]);
      assertEquals([code, requests], [2, []]);
      assertStringIncludes(io.text, "Cannot upload the file of 5242881 bytes: the limit for image is 5242880 bytes");
    });
    await withFile("nothing.png", "", async (path) => {
      assertStringIncludes((await send([PHONE, "--file", path])).io.text, "is empty");
    });
  });

  it("says what Meta's code means, and what to do", async () => {
    const cases: [status: number, error: [code: number, more?: object], text: string][] = [
      [
        400,
        [131047, { message: "(#131047) Re-engagement message", error_data: { details: "More than 24 hours" } }],
        "Not sent. Meta's code 131047: more than 24 hours have passed since the recipient's last message\n" +
        "To mend it: Send a template: --template NAME --language CODE; or wait until the recipient writes\n" +
        "Meta says: (#131047) Re-engagement message: More than 24 hours (fbtrace_id trace)\n",
      ],
      [
        401,
        [190, { message: `Malformed access token ${TOKEN}`, error_subcode: 463 }],
        "Not sent. Meta's code 190/463: the access token has expired\n" +
        "To mend it: Generate one without expiry: Business settings > Users > System users > Generate token, and put " +
        "it into WHATSAPP_ACCESS_TOKEN\n" +
        "Meta says: Malformed access token … (fbtrace_id trace)\n",
      ],
      [
        400,
        [131030],
        "Not sent. Meta's code 131030: the recipient is not in the allowed list: a test number writes only to numbers " +
        "that were confirmed\n" +
        "To mend it: Add and confirm it: App Dashboard > WhatsApp > API Setup > To > Manage phone number list; or use " +
        "your own number\n" +
        "Meta says: (#131030) Made up (fbtrace_id trace)\n",
      ],
    ];
    for (const [status, [code, more], text] of cases) {
      const { code: exit, io, requests } = await send([PHONE, "Hi"], { answers: [refusal(status, code, more)] });
      assertEquals([exit, io.lines, requests.length], [1, [], 1]);
      assertEquals(io.text, text);
    }
  });

  it("prints a failure as JSON", async () => {
    const { code, io } = await send([PHONE, "Hi", "--json"], { answers: [refusal(400, 131047)] });
    const { ok, mayBeSent, error } = JSON.parse(io.lines[0]!);
    assertEquals([code, ok, mayBeSent, io.text], [1, false, false, ""]);
    assertEquals(error, {
      code: 131047,
      meaning: "more than 24 hours have passed since the recipient's last message",
      remedy: "Send a template: --template NAME --language CODE; or wait until the recipient writes",
      says: "(#131047) Made up",
      traceId: "trace",
    });
  });

  it("ends with 1 when the API cannot be reached, or cuts the connection", async () => {
    const { code, io } = await send([PHONE, "Hi"], { answers: [{ fault: "cut" }] });
    assertEquals(code, 1);
    assertStringIncludes(io.text, "Not confirmed, so it may have been sent. Cannot reach http://127.0.0.1:");
  });

  it("says that nothing was sent when there was no connection", async () => {
    const io = new Io(ENV);
    let url = "";
    await withGraph(() => ({ json: {} }), (_api, graph) => Promise.resolve(void (url = graph.url)));
    assertEquals(await runCli(["send", PHONE, "Hi", "--api", url], io), 1);
    assertStringIncludes(io.text, `Not sent. Cannot reach ${url}: nothing accepts connections there`);
  });

  it("ends at a signal", async () => {
    const io = new Io(ENV);
    await withGraph(() => ({ fault: "silence" }), async (_api, graph) => {
      const ended = runCli(["send", PHONE, "Hi", "--api", graph.url], io);
      await graph.count(1);
      io.stop();
      assertEquals([await ended, io.text], [1, "Not confirmed, so it may have been sent. Stopped\n"]);
    });
  });

  it("prints the requests instead of sending them, without access token", async () => {
    const env = { WHATSAPP_PHONE_NUMBER_ID: "106540352242922" };
    const text = await send([PHONE, "Hi", "--dry-run"], { env });
    assertEquals([text.code, text.requests, text.io.text, text.io.lines.length], [0, [], "", 1]);
    const [line, ...body] = text.io.lines[0]!.split("\n");
    assert(line!.startsWith("POST http://127.0.0.1:") && line!.endsWith("/v26.0/106540352242922/messages"), line);
    assertEquals(JSON.parse(body.join("\n")).text, { body: "Hi", preview_url: false });
    await withFile("bill.pdf", "some bytes", async (path) => {
      const { io, requests } = await send([PHONE, "--file", path, "--dry-run", "--json"], { env });
      const [upload, message] = io.lines.map((line) => JSON.parse(line));
      assertEquals([requests, io.lines.length, upload.method], [[], 2, "POST"]);
      assertStringIncludes(JSON.stringify(upload.body), "bill.pdf");
      assertEquals(message.body.document, { id: "ID_OF_THE_UPLOADED_FILE", filename: "bill.pdf" });
    });
  });

  it("sends a large file, or prints its size", () =>
    withFile("hall.mp4", "x".repeat(3_000_000), async (path) => {
      const sent = await send([PHONE, "--file", path]);
      assertEquals([sent.code, sent.requests[0]!.bytes.length > 3_000_000], [0, true]);
      const { io, requests } = await send([PHONE, "--file", path, "--dry-run", "--json"]);
      assertEquals(requests, []);
      assertEquals(JSON.parse(io.lines[0]!).body.file, "hall.mp4, video/mp4, 3000000 bytes");
    }));

  it("reports a wrong command line with exit code 2, before anything is sent", async () => {
    const wrong: [args: string[], why: string, env?: Record<string, string>][] = [
      [[], "The recipient is missing"],
      [[PHONE], 'The text is missing; "-" reads it from standard input'],
      [[PHONE, ""], "The text is empty"],
      [[PHONE, "-"], "The text is empty"],
      [[PHONE, "Hi", "more"], '"more"'],
      [[PHONE, "Hi", "--captoin", "x"], 'There is no flag "--captoin"; did you mean "--caption"?'],
      [[PHONE, "Hi", "--token", "x"], '"--token"; the access token comes from WHATSAPP_ACCESS_TOKEN only'],
      [["--to", PHONE, "Hi"], '"--to"; the recipient comes first, without a flag'],
      [[PHONE, "Hi", "--language", "en"], "--language belongs to --template"],
      [[PHONE, "Hi", "--caption", "x"], "--caption belongs to --file"],
      [[PHONE, "--template", "a"], "--language is missing"],
      [[PHONE, "Hi", "--template", "a", "--language", "en"], "A text cannot be sent with --template: use --param"],
      [[PHONE, "--template", "a", "--file", "b"], "--template and --file cannot be used together"],
      [[PHONE, "--file", "/nowhere.png"], 'Cannot read "/nowhere.png"'],
      [[PHONE, "--file", "/nowhere"], 'The name of "/nowhere" does not tell its type'],
      [[PHONE, "--file", "/nowhere.png", "--as", "imgae"], '--as has no type "imgae"; did you mean "image"?'],
      [[PHONE, "--file", "/nowhere.ogg", "--caption", "x"], "--caption cannot be sent with --as audio"],
      [["Anna", "Hi"], 'The recipient is "Anna" instead of a phone number with its country code, or a user id'],
      [["Hi there", PHONE], "it comes first, and the text behind it"],
      [["", "Hi"], 'The recipient is ""'],
      [[PHONE, "x".repeat(4097)], "4097"],
      [[PHONE, "Hi", "--callback-data", "x".repeat(513)], "--callback-data has 513"],
      [[PHONE, "Hi"], "WHATSAPP_ACCESS_TOKEN is not set", { WHATSAPP_PHONE_NUMBER_ID: "1" }],
      [[PHONE, "Hi"], "WHATSAPP_ACCESS_TOKEN is empty", { WHATSAPP_ACCESS_TOKEN: " ", WHATSAPP_PHONE_NUMBER_ID: "1" }],
      [[PHONE, "Hi"], "WHATSAPP_ACCESS_TOKEN ends with a line break: trim it", {
        WHATSAPP_ACCESS_TOKEN: `${TOKEN}\n`,
        WHATSAPP_PHONE_NUMBER_ID: "1",
      }],
      [[PHONE, "Hi"], "WHATSAPP_PHONE_NUMBER_ID is not set", { WHATSAPP_ACCESS_TOKEN: TOKEN }],
      [[PHONE, "Hi", "--phone-number-id", "+1650"], '--phone-number-id is "+1650": an id has digits only'],
    ];
    for (const [args, why, env] of wrong) {
      const { code, io, requests } = await send(args, env === undefined ? {} : { env });
      assertEquals([code, io.lines, requests], [2, [], []], `${args.join(" ")}: ${io.text}`);
      assertStringIncludes(io.text, why);
    }
  });

  it("sends the access token to https: and loopback only", async () => {
    for (const url of ["http://graph.example.com", "ftp://127.0.0.1", "nowhere", "http://127.0.0.1.example.com"]) {
      const io = new Io(ENV);
      assertEquals(await runCli(["send", PHONE, "Hi", "--api", url], io), 2);
      assertStringIncludes(io.text, "neither an https: URL nor one on a loopback address");
    }
  });
});
