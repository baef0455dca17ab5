import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type CliIo, runCli } from "../../cli.ts";
import { WebSocketClient } from "../../client.ts";
import { OptionError } from "../../base/errors.ts";
import { Simulator } from "../../whatsapp/simulator.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import {
  signNotification,
  verifySignature,
  WhatsAppReceiver,
  WhatsAppServer,
  type WhatsAppServerOptions,
} from "../../whatsapp.ts";
import { encode, pipe } from "../support/support.ts";
import { createHmac } from "node:crypto";

const BODY = encode('{"object":"whatsapp_business_account","entry":[]}');
/** Values that must be rejected as secrets. */
const EMPTY: readonly string[] = ["", " ", "\t\r\n", "\u00a0"];
/** Lists that must not either: what `"real,".split(",")` makes, above all. */
const LISTS: readonly (readonly string[])[] = [[], ...EMPTY.map((empty) => [empty]), "real,".split(","), ["", "real"]];
const signed = (secret: string): string => `sha256=${createHmac("sha256", secret).update(BODY).digest("hex")}`;

describe("secrets", () => {
  const url = "ws://127.0.0.1:1/";
  const SECRET = "hunter2";

  it("must be texts: other kinds are named, and never shown", async () => {
    const kinds: [value: unknown, kind: string][] = [
      [[SECRET], "an array"],
      [{ token: SECRET }, "an object"],
      [4711, "a number"],
      [true, "a boolean"],
      [null, "null"],
      [Promise.resolve(SECRET), "a promise (await it)"],
    ];
    for (const [value, kind] of kinds) {
      const given = value as string;
      const failures = [
        assertThrows(() => new WhatsAppReceiver(url, { receiverToken: given }), OptionError, '"receiverToken"'),
      ];
      // A function may return a promise.
      if (!(value instanceof Promise)) {
        failures.push(
          await assertRejects(() => new WhatsAppReceiver(url, { receiverToken: () => given }).connect(), OptionError),
          await assertRejects(() => new WebSocketClient(url, { token: () => given }).connect(), OptionError, '"token"'),
        );
      }
      // `null` stands for no option of a client.
      if (value !== null) {
        failures.push(assertThrows(() => new WebSocketClient(url, { token: given }), OptionError, '"token"'));
      }
      for (const { message } of failures) {
        assertStringIncludes(message, `${kind} instead of a string`);
        assertEquals([message.includes(SECRET), message.includes("4711")], [false, false], message);
      }
    }
    const list = [SECRET, 4711] as unknown as string[];
    assertThrows(() => verifySignature(BODY, "", list), OptionError, "has an entry that is a number");
  });

  it("have no white space around them, nor control characters, which no peer would show", async () => {
    const faults: [secret: string, fault: string][] = [
      [`${SECRET}\n`, "ends with a line break: trim it"],
      [`${SECRET}\r\n`, "ends with a line break: trim it"],
      [`${SECRET} `, "ends with white space: trim it"],
      [` ${SECRET}`, "begins with white space: trim it"],
      [`\u00a0${SECRET}`, "begins with white space: trim it"],
      [`${SECRET}\n${SECRET}`, "control character"],
      [`${SECRET}\0`, "control character"],
    ];
    const whole: WhatsAppServerOptions = {
      behindProxy: true,
      hostname: "127.0.0.1",
      appSecret: "s",
      receiverToken: "t",
    };
    for (const [secret, fault] of faults) {
      const failures = [
        assertThrows(() => new WhatsAppServer({ appSecret: ["s", secret] }), OptionError, '"appSecret"'),
        assertThrows(() => new WhatsAppServer({ verifyToken: secret }), OptionError, '"verifyToken"'),
        await assertRejects(() => new WhatsAppServer({ ...whole, receiverToken: secret }).start(), OptionError),
        await assertRejects(() => new WhatsAppServer({ ...whole, receiverToken: [{ token: secret }] }).start()),
        assertThrows(() => new WhatsAppReceiver(url, { receiverToken: secret }), OptionError, '"receiverToken"'),
        await assertRejects(() => new WhatsAppReceiver(url, { receiverToken: () => secret }).connect(), OptionError),
        assertThrows(() => new WebSocketClient(url, { token: secret }), OptionError, '"token"'),
        assertThrows(() => new WhatsAppApi({ accessToken: secret, phoneNumberId: "1" }), OptionError, '"accessToken"'),
        assertThrows(() => signNotification(BODY, secret), OptionError, '"appSecret"'),
      ];
      for (const { message } of failures as Error[]) {
        assertStringIncludes(message, fault);
        assertEquals(message.includes(SECRET), false, message);
      }
    }
    // Inside they may have white space, and any other character.
    new WhatsAppReceiver(url, { receiverToken: "chosen by you, é" });
  });
});

describe("empty secrets", () => {
  it("neither sign nor verify", () => {
    assertEquals(verifySignature(BODY, signed("real"), ["other", "real"]), true);
    for (const secret of EMPTY) {
      assertThrows(() => signNotification(BODY, secret), OptionError, "appSecret");
      for (const shown of [signed(secret), signed("real"), ""]) {
        assertThrows(() => verifySignature(BODY, shown, secret), OptionError, "appSecret");
      }
    }
    for (const list of LISTS) {
      for (const shown of [signed(""), signed("real"), ""]) {
        assertThrows(() => verifySignature(BODY, shown, list), OptionError, "appSecret");
      }
    }
    for (const missing of [undefined, null, 7] as unknown as string[]) {
      assertThrows(() => signNotification(BODY, missing), OptionError, "appSecret");
      assertThrows(() => verifySignature(BODY, signed("real"), missing), OptionError, "appSecret");
    }
  });

  it("keep a server from starting, in each place where one can stand", async () => {
    const base: WhatsAppServerOptions = { behindProxy: true, hostname: "127.0.0.1", port: 0, journal: null };
    const whole: WhatsAppServerOptions = { ...base, appSecret: "s", receiverToken: "t" };
    const refused = async (options: WhatsAppServerOptions, says: string): Promise<void> => {
      const server = new WhatsAppServer(options);
      const error = await assertRejects(() => server.start(), OptionError);
      assertStringIncludes(error.message, says);
      assertEquals(server.active, false);
    };
    for (const secret of [...EMPTY, ...LISTS]) {
      await refused({ ...whole, appSecret: secret }, "appSecret");
      await refused({ ...whole, receiverToken: secret }, "receiverToken");
      await refused({ ...whole, verifyToken: secret }, "verifyToken");
      await refused({ ...whole, apps: [{ pathName: "/a", appSecret: secret }] }, "appSecret");
      await refused({ ...whole, apps: [{ pathName: "/a", appSecret: "s", verifyToken: secret }] }, "verifyToken");
    }
    for (const token of EMPTY) {
      await refused({ ...whole, receiverToken: [{ token }] }, "receiverToken");
      await refused({ ...whole, receiverToken: ["t", { token, name: "a" }] }, "receiverToken");
      const certificate = { clientCertificateHeader: "x", clientCertificateName: token };
      await refused({ ...whole, ...certificate }, "clientCertificateName");
    }
    const server = new WhatsAppServer({ ...whole, verifyToken: "v" });
    server.appSecret = ["real", ""];
    await assertRejects(() => server.start(), OptionError, "appSecret");
    server.appSecret = "real";
    server.verifyToken = [""];
    await assertRejects(() => server.start(), OptionError, "verifyToken");
    // Without one every verification is refused.
    server.verifyToken = "";
    await server.start();
    await server.stop();
  });

  it("let nothing in where a server takes streams without having started", async () => {
    for (const appSecret of [undefined, ...EMPTY, ["", " "]]) {
      const [ours, theirs] = pipe();
      new WhatsAppServer({ appSecret, onError: () => {} }).acceptStream(theirs);
      const secret = typeof appSecret === "string" ? appSecret : "";
      const fields = [
        "Host: a",
        "Connection: close",
        "Content-Type: application/json",
        `Content-Length: ${BODY.length}`,
        `X-Hub-Signature-256: ${signed(secret)}`,
      ];
      const writer = ours.writable.getWriter();
      writer.write(encode(`POST / HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`)).catch(() => {});
      writer.write(BODY).catch(() => {});
      writer.close().catch(() => {});
      assertStringIncludes(await new Response(ours.readable).text(), "HTTP/1.1 401 ");
    }
  });

  it("are refused by receivers, clients, the API, and the simulator", async () => {
    const url = "ws://127.0.0.1:1/";
    for (const secret of [...EMPTY, ...LISTS]) {
      assertThrows(() => new WhatsAppReceiver(url, { appSecret: secret }), OptionError, "appSecret");
      const receiver = new WhatsAppReceiver(url);
      receiver.appSecret = secret;
      await assertRejects(() => receiver.connect(), OptionError, "appSecret");
    }
    for (const token of EMPTY) {
      assertThrows(() => new WhatsAppReceiver(url, { receiverToken: token }), OptionError, "receiverToken");
      const receiver = new WhatsAppReceiver(url);
      receiver.receiverToken = token;
      await assertRejects(() => receiver.connect(), OptionError, "receiverToken");
      const asked = new WhatsAppReceiver(url, { receiverToken: () => Promise.resolve(token) });
      await assertRejects(() => asked.connect(), OptionError, "receiverToken");
      assertThrows(() => new WebSocketClient(url, { token }), OptionError, "token");
      await assertRejects(() => new WebSocketClient(url, { token: () => token }).connect(), OptionError, "token");
      assertThrows(() => new WhatsAppApi({ accessToken: token, phoneNumberId: "1" }), OptionError, "accessToken");
      const fetched: unknown[] = [];
      const fetch = (request: unknown): Promise<Response> => {
        fetched.push(request);
        return Promise.reject(new Error("no network here"));
      };
      const api = new WhatsAppApi({ accessToken: () => token, phoneNumberId: "1", fetch });
      await assertRejects(() => api.markAsRead("x"), OptionError, "accessToken");
      assertEquals(fetched, []);
      const simulation = { url: "http://127.0.0.1:1/", appSecret: token };
      assertThrows(() => new Simulator(simulation), OptionError, "appSecret");
    }
  });

  const run = async (args: string[], env: Record<string, string>): Promise<[code: number, text: string]> => {
    let text = "";
    const io: CliIo = {
      env,
      terminal: false,
      out: (line) => void (text += line),
      err: (more) => void (text += more),
      onStop: () => () => {},
      onReload: () => () => {},
    };
    return [await runCli(args, io), text];
  };

  it("are refused on the command line and in the environment, with the name of what is empty", async () => {
    const serve = ["serve", "--behind-proxy", "--memory", "--port", "0"];
    const tail = ["tail", "ws://127.0.0.1:1/", "--no-reconnect"];
    const replay = ["replay", "ws://127.0.0.1:1/", "--from", "1"];
    const simulate = ["simulate", "http://127.0.0.1:1/", "--count", "1", "--retry-for", "0"];
    const whole = { WHATSAPP_APP_SECRET: "s", WHATSAPP_RECEIVER_TOKEN: "t", WHATSAPP_VERIFY_TOKEN: "v" };
    const wrong: [args: string[], env: Record<string, string>, says: string][] = [];
    for (const value of ["", " ", "real,", ",real", "real, ,other"]) {
      for (const args of [serve, tail, replay, simulate]) {
        wrong.push([args, { ...whole, WHATSAPP_APP_SECRET: value }, "WHATSAPP_APP_SECRET"]);
      }
      wrong.push([serve, { ...whole, WHATSAPP_RECEIVER_TOKEN: value }, "WHATSAPP_RECEIVER_TOKEN"]);
      if (value !== "") wrong.push([serve, { ...whole, WHATSAPP_VERIFY_TOKEN: value }, "WHATSAPP_VERIFY_TOKEN"]);
    }
    for (const value of EMPTY) {
      for (const args of [serve, tail, replay, simulate]) {
        wrong.push([[...args, "--app-secret", value], whole, "--app-secret"]);
      }
      for (const args of [tail, replay, simulate]) wrong.push([[...args, "--token", value], whole, "--token"]);
      for (const args of [tail, replay, simulate]) {
        wrong.push([args, { ...whole, WHATSAPP_RECEIVER_TOKEN: value }, "WHATSAPP_RECEIVER_TOKEN"]);
      }
      wrong.push([[...serve, "--verify-token", value], whole, "--verify-token"]);
      wrong.push([[...serve, "--receiver-token", "t", "--receiver-token", value], whole, "--receiver-token"]);
    }
    wrong.push([[...serve, "--receiver-token", "billing:"], whole, "receiverToken"]);
    wrong.push([[...serve, "--receiver-token", "billing: "], whole, "receiverToken"]);
    for (const [args, env, says] of wrong) {
      const [code, text] = await run(args, env);
      assertEquals(code, 2, `${args.join(" ")} ${JSON.stringify(env)}: ${text}`);
      assertStringIncludes(text, says);
      assertStringIncludes(text, "is empty");
    }
  });
});
