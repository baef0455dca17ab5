/**
 * Each situation that `setup` finds wrong, made with a Graph API on loopback and a real server, and the line for it.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runCli } from "../../cli.ts";
import type { WhatsAppServerOptions } from "../../whatsapp.ts";
import { Io } from "../support/cli_io.ts";
import { freePort } from "../support/free_port.ts";
import { type GraphAnswer, type GraphRequest, refusal, withGraph } from "../support/graph.ts";
import { tlsFile } from "../support/support.ts";
import { APP_SECRET, makeCallbackServer, VERIFY_TOKEN } from "../support/callback_server.ts";

const TOKEN = "EAAG-made-up-access-token";
const ACCOUNT = "102290129340398";
const NUMBER = "106540352242922";
const APP = "670843887433847";
const ENV = {
  WHATSAPP_ACCESS_TOKEN: TOKEN,
  WHATSAPP_PHONE_NUMBER_ID: NUMBER,
  WHATSAPP_ACCOUNT_ID: ACCOUNT,
  WHATSAPP_APP_SECRET: APP_SECRET,
  WHATSAPP_VERIFY_TOKEN: VERIFY_TOKEN,
};
const BOTH = ["whatsapp_business_messaging", "whatsapp_business_management"];

/** Meta as it is when all is well; a test changes what it needs. */
class Meta {
  token: Record<string, unknown> = {
    app_id: APP,
    application: "Hooks",
    type: "SYSTEM_USER",
    expires_at: 0,
    is_valid: true,
    scopes: [...BOTH, "public_profile"],
    granular_scopes: BOTH.map((scope) => ({ scope, target_ids: [ACCOUNT] })),
  };
  number: Record<string, unknown> = {
    id: NUMBER,
    display_phone_number: "+1 555-078-3881",
    verified_name: "Hall",
    status: "CONNECTED",
    quality_rating: "GREEN",
    platform_type: "CLOUD_API",
    code_verification_status: "EXPIRED",
    name_status: "APPROVED",
  };
  subscribed = [{ id: APP, name: "Hooks" }];
  overrides: Record<string, string> = {};
  fields = ["messages"];
  active = true;
  /** Name subscribed apps as Meta's OpenAPI file does, not as its samples do. */
  flatApps = false;
  callback: string;
  appSecret = APP_SECRET;
  /** Answers in place of the usual ones, by method and path. */
  answers: Record<string, GraphAnswer> = {};
  readonly calls: string[] = [];

  constructor(callback: string) {
    this.callback = callback;
  }

  readonly answer = ({ method, path, headers, json }: GraphRequest): GraphAnswer => {
    const url = new URL(path, "http://graph");
    const call = `${method} ${url.pathname}`;
    this.calls.push(call);
    if (this.answers[call] !== undefined) return this.answers[call];
    if (call === `GET /${APP}/subscriptions`) return this.#subscriptions(headers.authorization);
    if (headers.authorization !== `Bearer ${TOKEN}`) return refusal(401, 190);
    switch (call) {
      case "GET /debug_token":
        assertEquals(url.searchParams.get("input_token"), TOKEN);
        return { json: { data: this.token } };
      case `GET /${ACCOUNT}/phone_numbers`:
        return { json: { data: [{ id: NUMBER, display_phone_number: "+1 555-078-3881" }] } };
      case `GET /${NUMBER}`:
        assertStringIncludes(url.searchParams.get("fields")!, "webhook_configuration");
        return { json: { ...this.number, webhook_configuration: { application: this.callback, ...this.overrides } } };
      case `GET /${ACCOUNT}/subscribed_apps`:
        if (this.flatApps) return { json: { data: this.subscribed } };
        return { json: { data: this.subscribed.map((app) => ({ whatsapp_business_api_data: app })) } };
      case `POST /${ACCOUNT}/subscribed_apps`:
        if (json === undefined) this.subscribed.push({ id: APP, name: "Hooks" });
        else this.overrides.whatsapp_business_account = this.#verified(json as Record<string, string>);
        return { json: { success: true } };
      case `POST /${NUMBER}`: {
        const { webhook_configuration } = json as { webhook_configuration: Record<string, string> };
        this.overrides.phone_number = this.#verified(webhook_configuration);
        return { json: { success: true } };
      }
      default:
        return refusal(400, 100, { error_subcode: 33, message: `Object with ID '${url.pathname}' does not exist` });
    }
  };

  #subscriptions(authorization: unknown): GraphAnswer {
    if (authorization !== `Bearer ${APP}|${this.appSecret}`) return refusal(401, 190);
    const fields = this.fields.map((name) => ({ name, version: "v26.0" }));
    return {
      json: {
        data: [{ object: "whatsapp_business_account", callback_url: this.callback, active: this.active, fields }],
      },
    };
  }

  #verified({ override_callback_uri, verify_token }: Record<string, string>): string {
    assertEquals(verify_token, VERIFY_TOKEN);
    return override_callback_uri!;
  }
}

/** Server, Meta, and environment of a run. */
interface Scene {
  readonly url: string;
  readonly meta: Meta;
  readonly env: Record<string, string | undefined>;
  /** Flags of the command. */
  args: string[];
}

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
  readonly io: Io;
}

/** Runs `setup` against a Meta and a server that a test has changed. */
async function setup(
  change: (scene: Scene) => unknown = () => {},
  options: WhatsAppServerOptions = {},
): Promise<Outcome> {
  await using server = makeCallbackServer(options);
  await server.start();
  const url = `${server.useSSL ? "https" : "http"}://127.0.0.1:${server.address!.port}/whatsapp`;
  const scene: Scene = { url, meta: new Meta(url), env: { ...ENV }, args: [] };
  await change(scene);
  const io = new Io(scene.env);
  let code = -1;
  await withGraph(scene.meta.answer, async (_api, graph) => {
    const args = ["setup", "--api", graph.url, ...scene.args];
    code = server.useSSL ? await runProcess(args, io) : await runCli(args, io);
  });
  const printed = `${io.lines.join("\n")}${io.text}`;
  for (const secret of [TOKEN, APP_SECRET, VERIFY_TOKEN]) assert(!printed.includes(secret), printed);
  return { code, io, lines: io.lines.map((line) => line.replaceAll(url, "URL")) };
}

/** Settings of a server with a certificate of an authority that {@linkcode runProcess} trusts. */
const TLS: WhatsAppServerOptions = {
  behindProxy: false,
  certificateFile: tlsFile("leaf.pem"),
  certificateKeyFile: tlsFile("leaf.key"),
};

/** Runs the program as a process of its own: the runtimes read whom to trust when they start. */
async function runProcess(args: readonly string[], io: Io): Promise<number> {
  const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  const own = "deno" in process.versions ? ["run", "-A", "--no-check", program] : [program];
  const authority = tlsFile("ca.pem");
  const child = spawn(process.execPath, [...own, ...args], {
    env: { ...process.env, ...io.env, DENO_CERT: authority, NODE_EXTRA_CA_CERTS: authority },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (data) => output += data);
  child.stderr.on("data", (data) => io.err(`${data}`));
  const code = await new Promise<number>((resolve) => child.on("close", resolve));
  for (const line of output.split("\n").slice(0, -1)) io.out(line);
  return code;
}

/** A server that has a certificate, and nothing else. */
async function withHttps(certificate: string, action: (url: string) => Promise<void>): Promise<void> {
  const server = createServer({
    cert: readFileSync(tlsFile(`${certificate}.pem`)),
    key: readFileSync(tlsFile(`${certificate}.key`)),
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await action(`https://127.0.0.1:${(server.address() as AddressInfo).port}/whatsapp`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The lines of a run that are neither right nor a summary, nor say that loopback is not public. */
async function wrongLines(change: (scene: Scene) => unknown, options?: WhatsAppServerOptions): Promise<string[]> {
  const { code, lines, io } = await setup(change, options);
  const wrong = lines.filter((line) => !line.startsWith("ok ") && !line.includes("is on this machine"));
  assertEquals([code, io.text], [wrong.some((line) => line.startsWith("WRONG")) ? 1 : 0, ""], lines.join("\n"));
  const summary = wrong.pop()!;
  const count = wrong.filter((line) => line.startsWith("WRONG")).length;
  assert(count === 0 ? summary === "Nothing is wrong." : summary.startsWith(`${count} of `), summary);
  return wrong;
}

const DAY = 86_400;
const NEW_TOKEN = "         To mend it: Business settings > Users > System users > Generate token, with the expiry " +
  "Never, and the permissions whatsapp_business_messaging and whatsapp_business_management";
const NO_OTHERS = "skipped  number: Number, account and subscription cannot be checked without a valid token";
const NO_CALLBACK = "skipped  callback: Meta's callback URL is not known";

describe("cli: setup", () => {
  it("finds nothing wrong, and changes nothing", async () => {
    let meta: Meta | undefined;
    const { code, lines } = await setup((scene) => void (meta = scene.meta));
    assertEquals(lines, [
      'ok       token: The access token of the app "Hooks" (670843887433847) is valid and does not expire, and has ' +
      "both permissions",
      "ok       account: The account 102290129340398 has a number",
      'ok       number: +1 555-078-3881 "Hall" is registered and connected; its quality is green',
      'ok       subscription: The app "Hooks" (670843887433847) is subscribed to the account 102290129340398',
      'ok       fields: The app "Hooks" (670843887433847) is subscribed to the field messages',
      "note     callback: URL is on this machine: Meta needs a public https: URL",
      "ok       verification: URL answers Meta's GET with the challenge",
      "ok       unsigned: A POST without signature is refused with 401",
      "ok       signed: A POST signed with WHATSAPP_APP_SECRET is answered with 200",
      "ok       callback: Meta sends to URL, the URL of the app",
      "Nothing is wrong.",
    ]);
    assertEquals(code, 0);
    assertEquals(meta!.calls.filter((call) => !call.startsWith("GET ")), []);
  });

  it("prints its findings as JSON", async () => {
    const { code, io } = await setup(({ meta, args }) => {
      meta.subscribed = [];
      args.push("--json");
    });
    const { ok, findings } = JSON.parse(io.lines[0]!) as { ok: boolean; findings: Record<string, string>[] };
    assertEquals([code, ok, io.lines.length], [1, false, 1]);
    assertEquals(findings.find(({ state }) => state === "wrong"), {
      check: "subscription",
      state: "wrong",
      text: `The app "Hooks" (${APP}) is not subscribed to the account ${ACCOUNT}: no message comes`,
      remedy: "setup --subscribe",
    });
  });

  it("says of an account with very many numbers what it has seen of it", async () => {
    const numbersTo = (last: number) => (scene: Scene) => {
      const data = Array.from({ length: last }, (_, index) => ({ id: String(index + 1) }));
      scene.meta.answers[`GET /${ACCOUNT}/phone_numbers`] = { json: { data: [...data, { id: NUMBER }] } };
    };
    assertEquals(await wrongLines(numbersTo(999)), []);
    assertEquals(await wrongLines(numbersTo(1000)), [
      `note     account: The account ${ACCOUNT} has 1000 numbers or more: ${NUMBER} is not among the first`,
    ]);
  });

  describe("the access token", () => {
    it("that Meta does not take", async () => {
      const answer = refusal(401, 190, { message: `Malformed access token ${TOKEN}` });
      assertEquals(await wrongLines(({ meta }) => meta.answers["GET /debug_token"] = answer), [
        "WRONG    token: Cannot check the access token. Meta's code 190: the access token has expired, or is not " +
        "valid. Meta says: Malformed access token … (fbtrace_id trace)",
        "         To mend it: Generate one without expiry: Business settings > Users > System users > Generate token, " +
        "and put it into WHATSAPP_ACCESS_TOKEN",
        NO_OTHERS,
        NO_CALLBACK,
      ]);
    });

    it("that has expired, or was invalidated", async () => {
      const lines = await wrongLines(({ meta }) => Object.assign(meta.token, { is_valid: false, expires_at: 1.7e9 }));
      assertEquals(lines.slice(0, 2), [
        "WRONG    token: The access token has expired on 2023-11-14 22:13 UTC",
        NEW_TOKEN,
      ]);
      const error = { code: 190, message: "The user changed the password" };
      assertEquals(
        (await wrongLines(({ meta }) => Object.assign(meta.token, { is_valid: false, error })))[0],
        "WRONG    token: The access token is not valid: The user changed the password",
      );
    });

    it("that lacks a permission", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.token.scopes = ["whatsapp_business_messaging"]), [
        "WRONG    token: The access token lacks the permission whatsapp_business_management",
        NEW_TOKEN,
      ]);
    });

    it("that expires soon", async () => {
      const end = Math.floor(Date.now() / 1000) + DAY;
      const [line, remedy] = await wrongLines(({ meta }) => meta.token.expires_at = end);
      const date = new Date(end * 1000).toISOString().slice(0, 16).replace("T", " ");
      assertEquals(
        line,
        `note     token: The access token of the app "Hooks" (${APP}) is valid, but expires on ${date} UTC`,
      );
      assertEquals(remedy, NEW_TOKEN);
    });

    it("whose access to data ends", async () => {
      const [line] = await wrongLines(({ meta }) => meta.token.data_access_expires_at = 1.7e9);
      assertEquals(line, "WRONG    token: The access token has expired on 2023-11-14 22:13 UTC");
    });

    it("that Meta does not show", async () => {
      const lines = await wrongLines(({ meta }) => meta.answers["GET /debug_token"] = refusal(400, 100));
      assertEquals(lines, [
        "note     token: Meta does not show this token: its end and its permissions are not known",
        `note     subscription: Subscribed to the account ${ACCOUNT}: "Hooks" (${APP})`,
        "         To mend it: See that your app is among them: its id is in the App Dashboard",
        "skipped  fields: The id of the app is not known, so the webhook fields cannot be read",
      ]);
    });

    it("that Meta describes with ids and times that are none", async () => {
      const lines = await wrongLines(({ env, meta }) => {
        delete env.WHATSAPP_ACCOUNT_ID;
        meta.token.app_id = "7\u001b[2J\r\n";
        meta.token.expires_at = 1e300;
        meta.token.granular_scopes = [{ scope: BOTH[0], target_ids: ["x/../y", "\u001b[2J", ACCOUNT] }];
      });
      assertEquals(lines.slice(0, 2), [
        `note     account: WHATSAPP_ACCOUNT_ID is not set; the token may use the account ${ACCOUNT}`,
        `note     subscription: Subscribed to the account ${ACCOUNT}: "Hooks" (${APP})`,
      ]);
    });

    it("when the API cannot be reached", async () => {
      const [line] = await wrongLines(({ meta }) => meta.answers["GET /debug_token"] = { fault: "cut" });
      assert(line!.startsWith("WRONG    token: Cannot check the access token. Cannot reach http://127.0.0.1:"), line);
    });
  });

  describe("the number", () => {
    it("that is none of the account", async () => {
      const remedy =
        `         To mend it: Set WHATSAPP_PHONE_NUMBER_ID to an id of this account: ${NUMBER} (+1 555-078-3881)`;
      assertEquals(
        await wrongLines(({ env }) => env.WHATSAPP_PHONE_NUMBER_ID = "15550783881"),
        [
          `WRONG    account: The account ${ACCOUNT} has a number, and 15550783881 is none of them`,
          remedy,
          "WRONG    number: Cannot read the number 15550783881. Meta's code 100/33: there is no object with this id, or " +
          "the token may not see it. Meta says: Object with ID '/15550783881' does not exist (fbtrace_id trace)",
          remedy,
          "skipped  callback: Meta's callback URL is not known",
        ].filter((line) => !line.includes("Meta's callback")),
      );
    });

    it("that was not named", async () => {
      const lines = await wrongLines(({ env }) => delete env.WHATSAPP_PHONE_NUMBER_ID);
      assertEquals(lines.slice(0, 2), [
        "WRONG    number: WHATSAPP_PHONE_NUMBER_ID is not set",
        `         To mend it: Set WHATSAPP_PHONE_NUMBER_ID to an id of this account: ${NUMBER} (+1 555-078-3881)`,
      ]);
    });

    it("that is not registered", async () => {
      const change = { status: "PENDING", platform_type: "NOT_APPLICABLE", code_verification_status: "VERIFIED" };
      assertEquals(await wrongLines(({ meta }) => Object.assign(meta.number, change)), [
        'WRONG    number: +1 555-078-3881 "Hall" is not registered yet; its quality is green',
        `         To mend it: Register it: curl -X POST https://graph.facebook.com/v26.0/${NUMBER}/register ` +
        '-H "Authorization: Bearer $WHATSAPP_ACCESS_TOKEN" -H "Content-Type: application/json" ' +
        `-d '{"messaging_product":"whatsapp","pin":"6 digits that you choose"}'`,
      ]);
    });

    it("that is of low quality", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.number.quality_rating = "RED"), [
        "note     number: Recipients block or report this number: Meta may limit it",
        "         To mend it: Send less marketing, and only to people who want it",
      ]);
    });
  });

  describe("the account", () => {
    it("that does not exist, or that the token may not see", async () => {
      const lines = await wrongLines(({ env }) => env.WHATSAPP_ACCOUNT_ID = "1");
      assert(
        lines[0]!.startsWith("WRONG    account: Cannot read the account 1. Meta's code 100/33: there is no object"),
      );
      assertEquals(lines[1]!.trim().slice(0, 40), "To mend it: Compare the id with API Setu");
    });

    it("that was not named is that of the token which has the number", async () => {
      const lines = await wrongLines(({ env, meta }) => {
        delete env.WHATSAPP_ACCOUNT_ID;
        meta.token.granular_scopes = [{ scope: BOTH[0], target_ids: ["1", ACCOUNT] }];
      });
      assertEquals(lines, [
        `note     account: WHATSAPP_ACCOUNT_ID is not set; the token may use the account ${ACCOUNT}`,
      ]);
    });

    it("that was not named, and cannot be found", async () => {
      const lines = await wrongLines(({ env, meta }) => {
        delete env.WHATSAPP_ACCOUNT_ID;
        meta.token.granular_scopes = [];
      });
      assertEquals(lines[0], "skipped  account: WHATSAPP_ACCOUNT_ID is not set, so no subscription can be checked");
    });
  });

  describe("the subscription", () => {
    it("that is missing", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.subscribed = [{ id: "1", name: "Other" }]), [
        `WRONG    subscription: The app "Hooks" (${APP}) is not subscribed to the account ${ACCOUNT}: no message ` +
        'comes; subscribed: "Other" (1)',
        "         To mend it: setup --subscribe",
      ]);
    });

    it("is found in both forms of Meta's answer", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.flatApps = true), []);
    });

    it("is made with --subscribe, once", async () => {
      const calls: string[][] = [];
      for (const line of ["is now subscribed", "is subscribed"]) {
        const { code, lines } = await setup((scene) => {
          scene.args.push("--subscribe");
          if (calls.length === 0) scene.meta.subscribed = [];
          calls.push(scene.meta.calls);
        });
        assertEquals(code, 0);
        assertStringIncludes(lines[3]!, `ok       subscription: The app "Hooks" (${APP}) ${line} to the account`);
      }
      const posts = calls.map((list) => list.filter((call) => call.startsWith("POST")));
      assertEquals(posts, [[`POST /${ACCOUNT}/subscribed_apps`], []]);
    });

    it("that Meta refuses", async () => {
      const lines = await wrongLines(({ meta, args }) => {
        meta.subscribed = [];
        meta.answers[`POST /${ACCOUNT}/subscribed_apps`] = refusal(403, 200);
        args.push("--subscribe");
      });
      assertEquals(
        lines[0],
        "WRONG    subscription: Cannot subscribe to the account. Meta's code 200: the token lacks a permission, or the " +
          "app may not act for this account. Meta says: (#200) Made up (fbtrace_id trace)",
      );
    });
  });

  describe("the app", () => {
    it("that is not subscribed to the field messages", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.fields = ["account_update"]), [
        `WRONG    fields: The app "Hooks" (${APP}) is not subscribed to the field messages: no message comes`,
        "         To mend it: App Dashboard > WhatsApp > Configuration > Webhook > Webhook fields > messages > Subscribe",
      ]);
    });

    it("whose webhook is switched off", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.active = false), [
        `WRONG    fields: Meta has switched off the webhook of the app "Hooks" (${APP})`,
        "         To mend it: App Dashboard > WhatsApp > Configuration > Webhook > Verify and save",
      ]);
    });

    it("that has another secret than the environment and the server", async () => {
      assertEquals(await wrongLines(({ meta }) => meta.appSecret = "another"), [
        `WRONG    fields: WHATSAPP_APP_SECRET is not the app secret of the app "Hooks" (${APP}): signatures of Meta ` +
        "will not match",
        "         To mend it: App Dashboard > App settings > Basic > App secret > Show",
      ]);
    });
  });

  describe("the callback", () => {
    it("that is another one at Meta", async () => {
      const lines = await wrongLines(({ meta, args, url }) => {
        meta.callback = "https://old.example/hook?key=1";
        args.push("--callback", url);
      });
      assertEquals(lines, [
        "WRONG    callback: Meta sends to https://old.example/hook?…, the URL of the app, and not to URL",
        "         To mend it: setup --subscribe --callback URL; or App Dashboard > WhatsApp > Configuration > Webhook",
      ]);
    });

    it("that an override sends elsewhere", async () => {
      const [line] = await wrongLines(({ meta, args, url }) => {
        meta.overrides = { whatsapp_business_account: "https://old.example/hook" };
        args.push("--callback", url);
      });
      assertEquals(
        line,
        "WRONG    callback: Meta sends to https://old.example/hook, the override of the account, and not to URL",
      );
    });

    it("is set with --subscribe, for the account, or for a number with an override of its own", async () => {
      for (const owner of ["whatsapp_business_account", "phone_number"]) {
        const { code, lines } = await setup(({ meta, args, url }) => {
          meta.callback = "https://old.example/hook";
          if (owner === "phone_number") meta.overrides.phone_number = "https://old.example/number";
          args.push("--subscribe", "--callback", url);
        }, TLS);
        const whose = owner === "phone_number" ? "number" : "account";
        assertEquals(lines.at(-2), `ok       callback: Meta sends to URL now, the override of the ${whose}`);
        assertEquals(code, 0);
      }
    });

    it("is not set if Meta could not verify it", async () => {
      let calls: readonly string[] = [];
      const lines = await wrongLines(({ meta, args, url }) => {
        meta.callback = "https://old.example/hook";
        args.push("--subscribe", "--callback", url.replace("/whatsapp", "/other"));
        calls = meta.calls;
      }, TLS);
      assertStringIncludes(lines[0]!, "/other answers the GET with 404");
      assertEquals(calls.filter((call) => call.startsWith("POST")), []);
    });

    it("that Meta cannot verify though it answers here", async () => {
      const lines = await wrongLines(({ meta, args, url }) => {
        meta.callback = "https://old.example/hook";
        meta.answers[`POST /${ACCOUNT}/subscribed_apps`] = refusal(400, 2200);
        args.push("--subscribe", "--callback", url);
      }, TLS);
      assertEquals(lines, [
        "WRONG    callback: Cannot set the callback URL. Meta's code 2200: Meta could not verify the callback URL: its " +
        "GET was not answered with the challenge. Meta says: (#2200) Made up (fbtrace_id trace)",
        "         To mend it: Check it with setup --callback URL, and that a firewall lets Meta in",
      ]);
    });

    it("that Meta does not have", async () => {
      const [line] = await wrongLines(({ meta }) => meta.callback = "");
      assertEquals(line, "WRONG    callback: Meta has no callback URL for this number");
    });

    it("with another verify token", async () => {
      assertEquals(await wrongLines(({ env }) => env.WHATSAPP_VERIFY_TOKEN = "another token"), [
        "WRONG    verification: URL answers the GET with 403: the server has another verify token than " +
        "WHATSAPP_VERIFY_TOKEN",
        "         To mend it: Use the same text for the server, for WHATSAPP_VERIFY_TOKEN, and in the dashboard",
      ]);
    });

    it("with another app secret than Meta and the environment", async () => {
      const lines = await wrongLines(({ env, meta }) => env.WHATSAPP_APP_SECRET = meta.appSecret = "another secret");
      assertEquals(lines, [
        "WRONG    signed: A POST signed with WHATSAPP_APP_SECRET is answered with 401: the server has another app " +
        "secret, or a proxy changes the body or drops X-Hub-Signature-256",
        "         To mend it: App Dashboard > App settings > Basic > App secret > Show: give it to both",
      ]);
    });

    it("that nothing answers", async () => {
      const port = await freePort();
      const lines = await wrongLines(({ args }) => args.push("--callback", `http://127.0.0.1:${port}/whatsapp`));
      assertEquals(lines.slice(0, 2), [
        `WRONG    verification: Cannot reach http://127.0.0.1:${port}/whatsapp: nothing accepts connections there ` +
        "(ECONNREFUSED)",
        "         To mend it: See that the server runs, and that DNS, firewall and proxy lead to it",
      ]);
    });

    it("with a self-signed certificate", async () => {
      await withHttps("self-signed", async (url) => {
        const lines = await wrongLines(({ args }) => args.push("--callback", url));
        assertEquals(lines.slice(0, 2), [
          `WRONG    verification: Cannot reach ${url}: its certificate is self-signed`,
          "         To mend it: Meta takes certificates of public authorities only, with the whole chain: use Let's " +
          "Encrypt, or a tunnel",
        ]);
      });
    });
  });

  it("takes the first of several secrets, as the server may have them while one is replaced", async () => {
    const { code } = await setup(({ env }) => {
      env.WHATSAPP_APP_SECRET = `${APP_SECRET},another secret`;
      env.WHATSAPP_VERIFY_TOKEN = `${VERIFY_TOKEN}, another token`;
    });
    assertEquals(code, 0);
  });

  it("checks a callback alone without access token", async () => {
    const { code, lines } = await setup(({ env, args, url }) => {
      delete env.WHATSAPP_ACCESS_TOKEN;
      args.push("--callback", url);
    });
    assertEquals([code, lines.length, lines.at(-1)], [0, 5, "Nothing is wrong."]);
  });

  it("reports a wrong command line with exit code 2", async () => {
    const wrong: [args: string[], why: string, env?: Record<string, string>][] = [
      [["more"], "more"],
      [["--access-token", "x"], "the access token comes from WHATSAPP_ACCESS_TOKEN only"],
      [["--subscrib"], 'There is no flag "--subscrib"; did you mean "--subscribe"?'],
      [["--callback", "nowhere"], '--callback is "nowhere": not an https: URL'],
      [[], "WHATSAPP_ACCESS_TOKEN is not set", {}],
      [["--subscribe", "--callback", "https://a.example"], "WHATSAPP_ACCESS_TOKEN is not set", {}],
      [["--subscribe", "--callback", "https://a.example"], "WHATSAPP_VERIFY_TOKEN is not set", {
        WHATSAPP_ACCESS_TOKEN: TOKEN,
      }],
      [["--subscribe", "--callback", "http://127.0.0.1:8080/"], "Meta takes an https: URL only"],
      [[], "WHATSAPP_ACCOUNT_ID is a text of 25 characters: an id has digits only", {
        WHATSAPP_ACCESS_TOKEN: TOKEN,
        WHATSAPP_ACCOUNT_ID: TOKEN,
      }],
    ];
    for (const [args, why, env] of wrong) {
      const io = new Io(env ?? ENV);
      assertEquals(await runCli(["setup", ...args], io), 2, io.text);
      assertStringIncludes(io.text, why);
      assertEquals(io.lines, []);
    }
  });

  it("ends at a signal", async () => {
    const io = new Io(ENV);
    await withGraph(() => ({ fault: "silence" }), async (_api, graph) => {
      const ended = runCli(["setup", "--api", graph.url], io);
      await graph.count(1);
      io.stop();
      assertEquals([await ended, io.text, io.lines], [1, "Stopped\n", []]);
    });
  });
});

/** A row of the table in docs/meta-setup.md: the change that makes it, settings of the server, a certificate. */
interface Situation {
  change: (scene: Scene) => unknown;
  server?: WhatsAppServerOptions;
  certificate?: string;
}

const SITUATIONS: Readonly<Record<string, Situation>> = {
  "the token has expired": { change: ({ meta }) => meta.token.expires_at = Date.UTC(2025, 10, 1) / 1000 },
  "the token is not valid": { change: ({ meta }) => meta.answers["GET /debug_token"] = refusal(401, 190) },
  "the token lacks a permission": { change: ({ meta }) => meta.token.scopes = [BOTH[0]] },
  "another number": { change: ({ env }) => env.WHATSAPP_PHONE_NUMBER_ID = "15550783881" },
  "the number is not registered": { change: ({ meta }) => meta.number.platform_type = "NOT_APPLICABLE" },
  "no subscription": { change: ({ meta }) => meta.subscribed = [] },
  "no field messages": { change: ({ meta }) => meta.fields = [] },
  "another app secret here": { change: ({ meta }) => meta.appSecret = "another" },
  "another app secret there": { change: () => {}, server: { appSecret: "another" } },
  "unsigned notifications": { change: () => {}, server: { appSecret: null } },
  "another verify token": { change: () => {}, server: { verifyToken: "another" } },
  "another path": { change: ({ args, url }) => args.push("--callback", url.replace("/whatsapp", "/other")) },
  "the server is away": {
    change: async ({ args }) => args.push("--callback", `http://127.0.0.1:${await freePort()}/whatsapp`),
  },
  "a self-signed certificate": { change: () => {}, certificate: "self-signed" },
  "an expired certificate": { change: () => {}, certificate: "expired" },
  "the chain is missing": { change: () => {}, certificate: "leaf" },
  "another URL at Meta": {
    change({ meta, args, url }) {
      meta.overrides.whatsapp_business_account = "https://old.example/hook";
      args.push("--callback", url);
    },
  },
};

describe("docs/meta-setup.md: the table of setup", () => {
  const text = readFileSync(new URL("../../docs/meta-setup.md", import.meta.url), "utf8");
  const [, section] = text.split("## Checked by a command");
  const rows = section!.split("\n## ")[0]!.split("\n").filter((line) => line.startsWith("| ")).slice(2);
  const documented = new Map(
    rows.map((row) => row.split("|").slice(1, 3).map((cell) => cell.trim()) as [string, string]),
  );

  it("has a row for each situation, and no other", () => {
    assertEquals([...documented.keys()], Object.keys(SITUATIONS));
  });

  for (const [wrong, { change, server, certificate }] of Object.entries(SITUATIONS)) {
    it(`says what is printed for: ${wrong}`, async () => {
      let lines: readonly string[] = [];
      const run = async (callback?: string): Promise<void> => {
        const outcome = await setup(async (scene) => {
          await change(scene);
          if (callback !== undefined) scene.args.push("--callback", callback);
        }, server);
        lines = outcome.io.lines.map((line) =>
          line.replace(/https?:\/\/127\.0\.0\.1:\d+/g, "https://hooks.example.com")
        );
        assertEquals(outcome.code, 1);
      };
      if (certificate === undefined) await run();
      else await withHttps(certificate, run);
      const expected = documented.get(wrong)!;
      assert(lines.includes(`WRONG    ${expected.slice(1, -1)}`), `${expected}\nis not among\n${lines.join("\n")}`);
    });
  }
});
