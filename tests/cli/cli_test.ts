import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runCli } from "../../cli.ts";
import { describeRecord } from "../../cli/io.ts";
import { VERSION } from "../../cli/version.ts";
import { printable } from "../../base/log.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { FIELD_VALUES, parseField } from "../support/field_values.ts";
import { changeOf, wrap } from "../support/whatsapp.ts";
import { SIMULATED_TYPES, simulateNotification } from "../../cloud_api/simulated.ts";
import { Simulator } from "../../whatsapp/simulator.ts";
import { signNotification, WhatsAppServer } from "../../whatsapp.ts";
import { WebSocketServer } from "../../server.ts";
import { ENV, Io } from "../support/cli_io.ts";
import { encode, tlsFile, until } from "../support/support.ts";

const run = async (args: string[], io = new Io()): Promise<[code: number, io: Io]> => [await runCli(args, io), io];

/** A server from the command line, until the action is done. */
async function withServe(args: string[], action: (url: string, io: Io) => Promise<void>): Promise<void> {
  const io = new Io();
  const ended = runCli(["serve", "--behind-proxy", "--port", "0", ...args], io);
  await until(() => io.text.includes("Receivers connect"), "the start");
  const url = io.text.slice("Listening on ".length, io.text.indexOf(". Notifications"));
  try {
    await action(url, io);
  } finally {
    io.stop();
    assertEquals(await ended, 0);
  }
}

const socketOf = (url: string): string => url.replace("http", "ws");

async function post(url: string, number: number, type: string): Promise<string> {
  const { json } = simulateNotification(number, { type });
  const headers = {
    "content-type": "application/json",
    "x-hub-signature-256": signNotification(encode(json), "secret"),
  };
  const response = await fetch(url, { method: "POST", body: json, headers });
  await response.body?.cancel();
  assertEquals(response.status, 200);
  return json;
}

describe("cli: the command line", () => {
  it("has help texts, which go to the output with exit code 0", async () => {
    const commands = ["serve", "tail", "replay", "simulate", "setup", "send"];
    for (const args of [["--help"], ["help"], ...commands.map((command) => [command, "--help"])]) {
      const [code, io] = await run(args);
      assertEquals([code, io.text], [0, ""]);
      assert(io.lines.join("\n").length > 200);
    }
    assertEquals((await run([]))[0], 2);
  });

  it("tells its version", async () => {
    for (const flag of ["--version", "-v", "version"]) {
      const [code, io] = await run([flag]);
      assertEquals([code, io.lines, io.text], [0, [`@tackline/websocket ${VERSION}`], ""]);
    }
  });

  it("reports the error, with exit code 2", async () => {
    const url = "ws://127.0.0.1:1/";
    const wrong: [args: string[], why: string, env?: Record<string, string>][] = [
      [["sirve"], '"sirve"'],
      [["tail"], "URL"],
      [["tail", url, "more"], '"more"'],
      [["tail", url, "--wat"], "--wat"],
      [["tail", url, "--after", "x"], "--after"],
      [["tail", url, "--count", "0"], "--count"],
      [["tail", "nowhere"], "nowhere"],
      [["replay", url], "--from"],
      [["replay", url, "--from", "1", "--post", "x"], "--post"],
      [["tail", url, "--post", "ws://127.0.0.1:1/"], "--post"],
      [["simulate"], "URL"],
      [["simulate", "ws://127.0.0.1:1/"], "https:"],
      [["tail", url, "--root-certificate", "/nowhere.pem"], "/nowhere.pem"],
      [["serve", "--behind-proxy", "--memory", "--path", "/whatsapp?a=b"], '"/whatsapp?'],
      [["serve", "--behind-proxy", "--memory", "--certificate", "cert.pem"], '"certificateFile"'],
      [["serve", "--behind-proxy", "--memory", "--hostname", "0.0.0.0"], "loopback"],
      [["simulate", "http://127.0.0.1:1/", "--types", "hologram,tekst"], '"tekst"'],
      [["simulate", "http://127.0.0.1:1/", "--rate", "-1"], "--rate"],
      [["simulate", "http://127.0.0.1:1/", "--duplicates", "2"], "--duplicates"],
      [["simulate", "nowhere"], "nowhere"],
      [["simulate", "http://127.0.0.1:1/"], "WHATSAPP_APP_SECRET", {}],
      [["serve"], "--certificate"],
      [["serve", "--behind-proxy"], "WHATSAPP_APP_SECRET", { WHATSAPP_RECEIVER_TOKEN: "t" }],
      [["serve", "--behind-proxy"], "WHATSAPP_RECEIVER_TOKEN", { WHATSAPP_APP_SECRET: "s" }],
      [["serve", "--behind-proxy", "--memory", "--journal", "x"], "--memory"],
      [["serve", "--behind-proxy", "--port", "70000"], "--port"],
    ];
    for (const [args, why, env] of wrong) {
      const [code, io] = await run(args, new Io(env ?? ENV));
      assertEquals([code, io.lines], [2, []], args.join(" "));
      assertStringIncludes(io.text, why);
      assertStringIncludes(io.text, "--help");
    }
  });

  it("ends with 1 when something fails", async () => {
    const [refused, io] = await run(["tail", "ws://127.0.0.1:1/", "--no-reconnect"]);
    assertEquals(refused, 1);
    assertStringIncludes(io.text, "Cannot connect");
    assertEquals((await run(["replay", "ws://127.0.0.1:1/", "--from", "1"]))[0], 1);
    assertEquals((await run(["serve", "--certificate", "/nowhere.pem", "--key", "/nowhere.key", "--memory"]))[0], 1);
    const simulated = await run([
      "simulate",
      "http://127.0.0.1:1/",
      "--count",
      "2",
      "--rate",
      "max",
      "--retry-for",
      "0",
      "--json",
    ]);
    assertEquals(simulated[0], 1);
    const { accepted, refused: lost, statuses } = JSON.parse(simulated[1].lines[0]!);
    assertEquals([accepted, lost, statuses], [0, 2, { 0: 2 }]);
  });
});

describe("cli: serve", () => {
  it("prints what to enter in Meta's dashboard, and no secrets that were given", () =>
    withServe(["--memory", "--public-url", "https://hooks.example.com/wa"], async (url, io) => {
      assertStringIncludes(io.text, "Callback URL   https://hooks.example.com/wa\n");
      assertStringIncludes(io.text, "tail wss://hooks.example.com/wa");
      assertStringIncludes(io.text, "memory only");
      for (const secret of ["secret", "token\n", "verify\n"]) assert(!io.text.includes(secret), secret);
      const query = "hub.mode=subscribe&hub.verify_token=verify&hub.challenge=5";
      assertEquals(await (await fetch(`${url}?${query}`)).text(), "5");
    }));

  it("answers health checks, and says why it refused a webhook", () =>
    withServe(["--memory", "--health-path", "/healthz"], async (url, io) => {
      const health = await fetch(new URL("/healthz", url));
      assertEquals([health.status, await health.text()], [200, "ok"]);
      const query = "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=5";
      const refused = await fetch(`${url}?${query}`);
      assertEquals([refused.status, await refused.text().then(() => 0)], [403, 0]);
      assertStringIncludes(
        io.text,
        'GET refused with 403: its hub.verify_token is not --verify-token. Enter the same text in both places; path "/whatsapp"',
      );
      assert(!io.text.includes("wrong"), io.text);
    }));

  it("listens on any address behind trusted proxies, and believes them alone", async () => {
    const options = ["--memory", "--hostname", "0.0.0.0"];
    await withServe([...options, "--trusted-proxies", "loopback, 10.0.0.0/8"], async (url) => {
      const local = url.replace("0.0.0.0", "127.0.0.1");
      await post(local, 1, "text");
    });
    await withServe([...options, "--trusted-proxies", "10.0.0.0/8"], async (url, io) => {
      const response = await fetch(url.replace("0.0.0.0", "127.0.0.1"));
      await response.body?.cancel();
      assertEquals(response.status, 403);
      assertStringIncludes(io.text, "Request refused with 403: 127.0.0.1 is none of --trusted-proxies");
    });
    const [code, io] = await run(["serve", "--behind-proxy", ...options, "--trusted-proxies", "10.0.0.0/40"]);
    assertEquals(code, 2);
    assertStringIncludes(io.text, "10.0.0.0/40");
  });

  it("takes the client's address from the PROXY protocol", () =>
    withServe(["--memory", "--trusted-proxies", "loopback", "--proxy-protocol", "--health-path", "/h"], async (url) => {
      const { connect } = await import("node:net");
      const ask = (head: string): Promise<string> =>
        new Promise((resolve) => {
          let text = "";
          const socket = connect(Number(new URL(url).port), "127.0.0.1");
          socket.on("error", () => {}).on("data", (data) => text += data).on("close", () => resolve(text));
          socket.write(`${head}GET /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        });
      assertStringIncludes(await ask("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"), "200 OK");
      assert(!(await ask("")).includes("200 OK"));
    }));

  it("makes up a verify token where none is given, and shows it", async () => {
    const io = new Io({ ...ENV, WHATSAPP_VERIFY_TOKEN: "" });
    const ended = runCli(["serve", "--behind-proxy", "--port", "0", "--memory"], io);
    await until(() => io.text.includes("Receivers connect"), "the start");
    assert(/Verify token {3}[0-9a-f]{32}\n/.test(io.text), io.text);
    io.stop();
    assertEquals(await ended, 0);
  });

  it("takes several secrets, tokens with names, and the path", async () => {
    const io = new Io({ WHATSAPP_APP_SECRET: "new, secret" });
    const args = ["--memory", "--receiver-token", "billing:b", "--receiver-token", "plain", "--path", "/hook"];
    const ended = runCli(["serve", "--behind-proxy", "--port", "0", ...args], io);
    await until(() => io.text.includes("Receivers connect"), "the start");
    const url = io.text.slice("Listening on ".length, io.text.indexOf(". Notifications"));
    assert(url.endsWith("/hook"));
    await post(url, 1, "text");
    for (const [token, code] of [["b", 0], ["plain", 0], ["x", 1]] as const) {
      const tail = await run([
        "tail",
        socketOf(url),
        "--token",
        token,
        "--after",
        "0",
        "--count",
        "1",
        "--no-reconnect",
        "--app-secret",
        "secret",
      ]);
      assertEquals([tail[0], tail[1].lines.length], [code, code === 0 ? 1 : 0], tail[1].text);
    }
    io.stop();
    assertEquals(await ended, 0);
  });

  it("speaks TLS with a key that is encrypted, and reads the certificates again when asked", async () => {
    const io = new Io({ ...ENV, WHATSAPP_KEY_PASSWORD: "secret" });
    const files = ["--certificate", tlsFile("leaf.pem"), "--key", tlsFile("pkcs8-aes256-sha512.key")];
    const ended = runCli(["serve", ...files, "--port", "0", "--hostname", "127.0.0.1", "--memory"], io);
    await until(() => io.text.includes("Receivers connect"), "the start");
    assertStringIncludes(io.text, "Listening on https://127.0.0.1:");
    io.reload();
    await until(() => io.text.includes("The certificates were read again"), "the news");
    io.stop();
    assertEquals(await ended, 0);
    assertStringIncludes(io.text, "Stopped.");
  });

  it("stops in order at a signal that comes as it says that it listens", async () => {
    const io = new Io();
    const err = io.err.bind(io);
    io.err = (text) => {
      err(text);
      if (text.includes("Listening on")) io.stop();
    };
    assertEquals(await runCli(["serve", "--behind-proxy", "--port", "0", "--memory"], io), 0);
    assertStringIncludes(io.text, "Stopped.");
  });

  it("ends at once at the second signal, however slow its receivers are", () =>
    withServe(["--memory"], async (url, io) => {
      const { connect } = await import("node:net");
      const { port } = new URL(url);
      // Says hello and then nothing, not even that it closes.
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("error", () => {});
      socket.write(
        "GET /whatsapp HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer token\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await new Promise((resolve) => socket.once("data", resolve));
      const closed = new Promise((resolve) => socket.once("close", resolve));
      io.stop();
      await until(() => io.text.includes("repeat the signal"), "the first");
      io.stop();
      await closed;
    }));
});

describe("cli: tail, replay and simulate, together", () => {
  it("print what comes: for a person, as JSON lines, and raw", () =>
    withServe(["--memory"], async (url) => {
      const json = await post(url, 0, "text");
      await post(url, 1, "status");
      const tail = (...flags: string[]): Promise<[number, Io]> =>
        run(["tail", socketOf(url), "--after", "0", "--count", "2", ...flags]);
      const [code, person] = await tail();
      assertEquals([code, person.lines.length], [0, 2]);
      assert(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}#1 {5}text {9}Anna Example \(491700000001\): Is it still available/.test(
          person.lines[0]!,
        ),
        person.lines[0],
      );
      const records = (await tail("--json"))[1].lines.map((line) => JSON.parse(line));
      assertEquals(records.map(({ seq, kind }) => [seq, kind]), [[1, "message"], [2, "status"]]);
      const [raw] = (await tail("--raw"))[1].lines.map((line) => JSON.parse(line));
      assertEquals([raw.seq, raw.raw, raw.signature], [1, json, signNotification(encode(json), "secret")]);
    }));

  it("filter", () =>
    withServe(["--memory"], async (url) => {
      for (const [number, type] of ["text", "account_update", "image"].entries()) await post(url, number, type);
      const replay = async (...flags: string[]): Promise<number> =>
        (await run(["replay", socketOf(url), "--from", "1", ...flags]))[1].lines.length;
      assertEquals(await replay("--field", "messages"), 2);
      assertEquals(await replay("--field", "messages", "--phone-number-id", "1"), 0);
      assertEquals(await replay("--account-id", "102290129340398"), 3);
    }));

  it("replay from a number on, to a person or to another URL, and end", () =>
    withServe(["--memory"], async (url) => {
      const bodies: string[] = [];
      for (let number = 0; number < 5; number++) bodies.push(await post(url, number, "text"));
      const [code, io] = await run(["replay", socketOf(url), "--from", "3"]);
      assertEquals([code, io.lines.length, io.text], [0, 3, "3 notifications.\n"]);
      assertEquals((await run(["replay", socketOf(url), "--from", "6"]))[1].text, "0 notifications.\n");
      const got: [string, string | null][] = [];
      await using other = new WebSocketServer({
        hostname: "127.0.0.1",
        port: 0,
        onCommandGet: async (request) => {
          got.push([await request.text(), request.headers.get("x-hub-signature-256")]);
          return new Response("", { status: got.length === 2 ? 500 : 200 });
        },
      });
      await other.start();
      const target = `http://127.0.0.1:${other.address!.port}/`;
      const [failed, posted] = await run(["replay", socketOf(url), "--from", "3", "--post", target]);
      assertEquals([failed, posted.text], [1, "3 notifications, 1 of them refused.\n"]);
      assertEquals(got, bodies.slice(2).map((body) => [body, signNotification(encode(body), "secret")]));
    }));

  it("continue after a restart of the server, with a name and a journal", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cli-"));
    try {
      const journal = ["--journal", join(folder, "wa.db")];
      const io = new Io();
      let tail: Promise<number> | undefined;
      let port = "";
      await withServe(journal, async (url) => {
        port = new URL(url).port;
        tail = runCli(["tail", socketOf(url), "--name", "me", "--count", "2"], io);
        await until(() => io.text.includes("Connected."), "the receiver");
        await post(url, 0, "text");
        await until(() => io.lines.length === 1, "the first");
      });
      await withServe([...journal, "--port", port], async (url) => {
        await post(url, 1, "image");
        assertEquals(await tail, 0);
      });
      assertEquals(io.lines.length, 2);
      assertStringIncludes(io.text, "The server closed the connection.");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("post each notification to an endpoint until it takes it, and only then acknowledge it", () =>
    withServe(["--memory"], async (url) => {
      const bodies: string[] = [];
      const got: string[] = [];
      let broken = true;
      await using other = new WebSocketServer({
        hostname: "127.0.0.1",
        port: 0,
        onCommandGet: async (request) => {
          got.push(await request.text());
          return new Response(null, { status: broken ? 503 : 204 });
        },
      });
      await other.start();
      const target = `http://127.0.0.1:${other.address!.port}/hook`;
      const args = ["tail", socketOf(url), "--name", "me", "--post", target];
      const first = new Io();
      const ended = runCli(args, first);
      await until(() => first.text.includes("Connected."), "the receiver");
      for (let number = 0; number < 3; number++) bodies.push(await post(url, number, "text"));
      await until(() => first.text.includes("answered 503"), "the refusal");
      first.stop();
      assertEquals(await ended, 0);
      // What was not taken was neither printed nor acknowledged.
      assertEquals([first.lines, new Set(got)], [[], new Set([bodies[0]!])]);
      got.length = 0;
      broken = false;
      const [code, second] = await run([...args, "--count", "3"]);
      assertEquals([code, second.lines.length, got], [0, 3, bodies]);
      await post(url, 3, "image");
      const [, third] = await run([...args, "--count", "1"]);
      assertStringIncludes(third.lines[0]!, "#4 ");
    }));

  it("say nothing about the end of the connection when they end it themselves", () =>
    withServe(["--memory"], async (url) => {
      await post(url, 0, "text");
      const [code, io] = await run(["tail", socketOf(url), "--after", "0", "--count", "1"]);
      assertEquals([code, io.lines.length, io.text], [0, 1, "Connected.\n"]);
    }));

  it("name the token, and the flag for a certificate, when the server refuses or is not trusted", async () => {
    await withServe(["--memory"], async (url, server) => {
      const wrong = new Io({ ...ENV, WHATSAPP_RECEIVER_TOKEN: "wrong" });
      const [code, { text }] = await run(["tail", socketOf(url)], wrong);
      assertEquals(code, 1);
      assertEquals(text, "The server answered 401 Unauthorized: check WHATSAPP_RECEIVER_TOKEN, or --token\n");
      assertStringIncludes(
        server.text,
        "Receiver refused with 401: 127.0.0.1 has shown no token of --receiver-token\n",
      );
    });
    await using server = new WhatsAppServer({
      hostname: "127.0.0.1",
      port: 0,
      certificateFile: tlsFile("leaf.pem"),
      certificateKeyFile: tlsFile("leaf.key"),
      appSecret: "secret",
      receiverToken: "token",
      journal: null,
    });
    await server.start();
    const [, { text }] = await run(["tail", `wss://localhost:${server.address!.port}/`, "--no-reconnect"]);
    assertStringIncludes(text, "is not trusted: give that of its authority with --root-certificate");
  });

  it("say that without a name nothing is posted later", () =>
    withServe(["--memory"], async (url) => {
      const io = new Io();
      const ended = runCli(["tail", socketOf(url), "--post", "http://127.0.0.1:1/"], io);
      await until(() => io.text.includes("Connected."), "the receiver");
      assertStringIncludes(io.text, "Without --name");
      io.stop();
      assertEquals(await ended, 0);
    }));

  it("end at a signal, with exit code 0", () =>
    withServe(["--memory"], async (url) => {
      const io = new Io();
      const ended = runCli(["tail", socketOf(url)], io);
      await until(() => io.text.includes("Connected."), "the receiver");
      io.stop();
      assertEquals(await ended, 0);
    }));

  it("measure the way to the 200 and to receivers, and show how it goes on a terminal", () =>
    withServe(["--memory"], async (url) => {
      const io = new Io();
      io.terminal = true;
      const args = ["--rate", "max", "--count", "200", "--receivers", "2", "--duplicates", "0.1"];
      assertEquals(await runCli(["simulate", url, ...args, "--json"], io), 0);
      const result = JSON.parse(io.lines[0]!);
      assertEquals([result.accepted, result.duplicates, result.missing, result.receivers], [200, 20, 0, 2]);
      assertEquals(result.statuses, { 200: 220 });
      assert(result.toAnswer.p50 > 0 && result.toReceiver.p99 >= result.toReceiver.p50);
      const [code, person] = await run(["simulate", url, "--rate", "1000", "--count", "3", "--types", "text,status"]);
      assertEquals(code, 0);
      assertStringIncludes(person.lines[0]!, "3 accepted, 0 refused");
      assertEquals(person.text, `Sending 3 notifications to ${url}, 1000 per second.\n`);
    }));
});

describe("Simulator", () => {
  it("tries again until there is a 200, at once and then with pauses", async () => {
    let count = 0;
    await using server = new WebSocketServer({
      hostname: "127.0.0.1",
      port: 0,
      onCommandGet: () => new Response("later", { status: ++count < 4 ? 503 : 200 }),
    });
    await server.start();
    const url = `http://127.0.0.1:${server.address!.port}/`;
    const { accepted, retries, statuses, firstFailure } = await new Simulator({ url, appSecret: "s", count: 1 }).run();
    assertEquals([accepted, retries, [...statuses], firstFailure], [1, 3, [[503, 3], [200, 1]], "503 later"]);
  });

  it("plays every type, signed, so that nothing is unknown but what Meta has not invented", async () => {
    const kinds = new Set<string>();
    await using server = new WhatsAppServer({
      hostname: "127.0.0.1",
      port: 0,
      behindProxy: true,
      journal: null,
      appSecret: "s",
      receiverToken: null,
      onRawMessage: (raw) => {
        for (const record of parseNotification(raw).records) {
          const isField = record.field !== "messages";
          kinds.add(isField ? record.field : record.kind === "message" ? record.type : record.kind);
        }
      },
    });
    await server.start();
    const url = `http://127.0.0.1:${server.address!.port}/`;
    const count = SIMULATED_TYPES.length;
    assertEquals((await new Simulator({ url, appSecret: "s", rate: Infinity, count }).run()).accepted, count);
    assertEquals([...kinds].sort(), SIMULATED_TYPES.map((type) => type === "hologram" ? "unknown" : type).sort());
  });

  it("keeps to its rate", async () => {
    await using server = new WebSocketServer({ hostname: "127.0.0.1", port: 0, onCommandGet: () => new Response("") });
    await server.start();
    const url = `http://127.0.0.1:${server.address!.port}/`;
    const { elapsed, accepted } = await new Simulator({ url, appSecret: "s", rate: 100, count: 21 }).run();
    assertEquals(accepted, 21);
    // 20 pauses of 10 ms: never earlier.
    assert(elapsed >= 195, `${elapsed} ms`);
  });
});

describe("what the program prints", () => {
  it("cannot command a terminal", () => {
    assertEquals(
      printable("a\x1b[2J\r\n\x07\u202eb\x9b\u2028 ü👋"),
      "a\\u{1b}[2J\\u{d}\\u{a}\\u{7}\\u{202e}b\\u{9b}\\u{2028} ü👋",
    );
    const messages = [{ id: "1", from: "49", type: "text", text: { body: "\x1b]0;owned\x07" } }];
    const entry = [{ id: "1", changes: [{ field: "messages", value: { messages } }] }];
    const [record] = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records;
    assertEquals(describeRecord(record!), "text         ? (49): \\u{1b}]0;owned\\u{7}");
  });

  it("has a line for every type", () => {
    for (const [number, type] of SIMULATED_TYPES.entries()) {
      const [record] = parseNotification(simulateNotification(number, { type }).json).records;
      const line = describeRecord(record!);
      assert(line.length > 10 && !line.includes("undefined"), line);
    }
  });

  const lines: [name: string, lines: string[]][] = [
    ["callStatus", ["call         Anna (15550002222): status RINGING"]],
    ["callTerminate", ["call         Anna (15550002222): terminate Completed", "error        131000 Bad"]],
    ["handoverPassed", ["handover     ? (15550002222): control_passed, to escalation"]],
    ["accountSettings", ["settings     900000000000777: phone_number_settings"]],
    ["groupRemoved", ["group        120363@g.us: group_participants_remove, failed"]],
    ["preferenceStop", ["preference   Anna (15550002222): stop marketing_messages"]],
    ["automaticEvents", ["event        wamid.A: Purchase 25.5 EUR", "event        wamid.B: LeadSubmitted"]],
    ["contactSync", ["contact      Anna Example: add", "contact      15550003333: remove"]],
    ["templateQuality", ["template     order_update: message_template_quality_update YELLOW"]],
    ["accountViolation", ["account      15550001111: account_update ACCOUNT_VIOLATION"]],
    ["accountAlert", ["account      900000000000001: account_alerts OBA_REJECTED"]],
    ["flowErrors", ["flow         7001: CLIENT_ERROR_RATE ACTIVATED"]],
  ];
  for (const [name, expected] of lines) {
    it(`describes ${name}`, () => {
      const { field, value } = FIELD_VALUES[name]!;
      assertEquals(parseField(field, value).records.map(describeRecord), expected);
    });
  }

  it("describes payments, messages of the past, templates in echoes and unknown members", () => {
    const lines = (value: object, field = "messages"): string[] =>
      parseNotification(wrap([changeOf("1", value, field)])).records.map(describeRecord);
    const payment = { reference_id: "order-17", amount: { value: 9990, offset: 100 }, currency: "INR" };
    const status = { id: "m", status: "captured", type: "payment", recipient_id: "491700000001" };
    assertEquals(lines({ statuses: [{ ...status, payment: { ...payment, transaction: { id: "t" } } }, status] }), [
      "payment      491700000001: captured order-17 99.9 INR (t)",
      "payment      491700000001: captured m",
    ]);
    const text = { type: "text", text: { body: "Hi" } };
    const metadata = { phone_number_id: "1", display_phone_number: "15550000000" };
    const messages = [{ from: "491700000001", ...text }, { from: "15550000000", ...text }];
    const thread = { context: { user_id: "US.1", username: "anna" }, messages };
    assertEquals(lines({ metadata, history: [{ threads: [thread] }], messages: [text] }, "history"), [
      "history      from anna: Hi",
      "history      to anna: Hi",
      "history      ?: Hi",
    ]);
    const template = { type: "template", template: { name: "order_update" } };
    const standby = { message_echoes: [{ id: "m", message: { to: "491700000001", ...template } }] };
    assertEquals(lines({ standby }, "standby"), ["standby      echo         to 491700000001: template order_update"]);
    assertEquals(lines({ message_pins: [{ id: "m" }] }), ["other        42: messages message_pins"]);
  });
});

describe("the program as a process", () => {
  const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  const own = "deno" in process.versions ? ["run", "-A", "--no-check", program] : [program];

  it("starts, and ends with its exit code and its output on the right streams", async () => {
    const start = (...args: string[]): Promise<[number | null, string, string]> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [...own, ...args], { stdio: ["ignore", "pipe", "pipe"] });
        const texts = ["", ""];
        [child.stdout, child.stderr].forEach((stream, at) => stream.on("data", (data) => texts[at] += data));
        child.on("close", (code) => resolve([code, texts[0]!, texts[1]!]));
      });
    const [[helped, help, silent], [wrong, nothing, why]] = await Promise.all([start("--help"), start("wat")]);
    assertEquals([helped, silent, wrong, nothing], [0, "", 2, ""]);
    assertStringIncludes(help, "simulate");
    assertStringIncludes(why, '"wat"');
  });

  it("reads a text from standard input", async () => {
    const args = ["send", "16505551234", "-", "--phone-number-id", "1", "--dry-run", "--json"];
    const child = spawn(process.execPath, [...own, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data) => output += data);
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.stdin.end("Grüße,\nAnna\n");
    assertEquals(await ended, 0);
    assertEquals(JSON.parse(output).body.text.body, "Grüße,\nAnna");
  });

  it("connects with sockets, so that it can say why it cannot", async () => {
    const child = spawn(process.execPath, [...own, "tail", "ws://user:100%@127.0.0.1:1/", "--token", "t"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    let text = "";
    child.stderr.on("data", (data) => text += data);
    await until(() => text.includes("\n"), "the error");
    child.kill();
    await ended;
    assertEquals(
      text.split("\n")[0],
      "Cannot connect to 127.0.0.1:1: nothing accepts connections there (ECONNREFUSED)",
    );
  });
});

describe("a misspelt command line", () => {
  it("gets the nearest command or flag, in the same words on each runtime", async () => {
    const wrong: [args: string[], text: string][] = [
      [["serv"], 'There is no command "serv"; did you mean "serve"? See --help.\n'],
      [["nothing"], 'There is no command "nothing". See --help.\n'],
      [["tail", "--nme", "a"], 'There is no flag "--nme"; did you mean "--name"? See tail --help.\n'],
      [["tail", "--nme=a"], 'There is no flag "--nme"; did you mean "--name"? See tail --help.\n'],
      [
        ["serve", "--recieverToken", "a"],
        'There is no flag "--recieverToken"; did you mean "--receiver-token"? See serve',
      ],
      [["simulate", "--zzzzzzzz"], 'There is no flag "--zzzzzzzz". See simulate --help.\n'],
    ];
    for (const [args, text] of wrong) {
      const [code, io] = await run(args);
      assertEquals(code, 2);
      assertStringIncludes(io.text, text);
    }
  });
});
