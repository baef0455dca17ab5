import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Callback, checkCallback } from "../../cli/callback_check.ts";
import { type Finding, SetupReport } from "../../cli/setup_report.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { WhatsAppServerOptions } from "../../whatsapp.ts";
import { tlsFile } from "../support/support.ts";
import { APP_SECRET, makeCallbackServer, VERIFY_TOKEN } from "../support/callback_server.ts";

/** A real server, whose notifications are counted. */
async function withServer(
  action: (url: URL, notifications: string[]) => Promise<void>,
  options: WhatsAppServerOptions = {},
): Promise<void> {
  await using server = makeCallbackServer(options);
  const notifications: string[] = [];
  server.onRawMessage = (_server, raw) => void notifications.push(String(raw));
  await server.start();
  await action(new URL(`http://127.0.0.1:${server.address!.port}/whatsapp`), notifications);
}

/** Another program in place of the server. */
async function withProgram(listener: RequestListener, action: (url: URL) => Promise<void>): Promise<void> {
  await withListening(createHttpServer(listener), (port) => action(new URL(`http://127.0.0.1:${port}/whatsapp`)));
}

async function withListening(server: Server, action: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await action((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The findings, without the one about loopback. */
async function findingsOf(url: URL, more: Partial<Callback> = {}): Promise<Finding[]> {
  const report = new SetupReport({ out() {} }, false);
  const { signal } = new AbortController();
  await checkCallback({ url, verifyToken: VERIFY_TOKEN, appSecret: APP_SECRET, signal, ...more }, report);
  return report.findings.filter(({ text }) => !text.endsWith("is on this machine: Meta needs a public https: URL"));
}

describe("checkCallback", () => {
  it("finds nothing wrong with a server that is set up, and hands nothing to receivers", () =>
    withServer(async (url, notifications) => {
      assertEquals(await findingsOf(url), [
        { check: "verification", state: "ok", text: `${url} answers Meta's GET with the challenge` },
        { check: "unsigned", state: "ok", text: "A POST without signature is refused with 401" },
        { check: "signed", state: "ok", text: "A POST signed with WHATSAPP_APP_SECRET is answered with 200" },
      ]);
      assertEquals(notifications.map((raw) => parseNotification(raw).records), [[]]);
    }));

  it("says that the server has another verify token", () =>
    withServer(async (url) => {
      const [verification, unsigned, signed] = await findingsOf(url, { verifyToken: "another" });
      assertEquals(verification, {
        check: "verification",
        state: "wrong",
        text: `${url} answers the GET with 403: the server has another verify token than WHATSAPP_VERIFY_TOKEN`,
        remedy: "Use the same text for the server, for WHATSAPP_VERIFY_TOKEN, and in the dashboard",
      });
      assertEquals([unsigned?.state, signed?.state], ["ok", "ok"]);
    }));

  it("says that the server has another app secret", () =>
    withServer(async (url) => {
      const findings = await findingsOf(url, { appSecret: "another" });
      assertEquals(findings.map(({ state }) => state), ["ok", "ok", "wrong"]);
      assertEquals(findings[2], {
        check: "signed",
        state: "wrong",
        text: "A POST signed with WHATSAPP_APP_SECRET is answered with 401: the server has another app secret, or a " +
          "proxy changes the body or drops X-Hub-Signature-256",
        remedy: "App Dashboard > App settings > Basic > App secret > Show: give it to both",
      });
    }));

  it("says that the server takes unsigned notifications", () =>
    withServer(async (url) => {
      assertEquals((await findingsOf(url))[1], {
        check: "unsigned",
        state: "wrong",
        text: "A POST without signature is answered with 200: any client can send notifications to it",
        remedy: "Give the server the app secret: WHATSAPP_APP_SECRET, or appSecret",
      });
    }, { appSecret: null }));

  it("names the checks that lack a secret, and does the others", () =>
    withServer(async (url) => {
      const findings = await findingsOf(url, { verifyToken: undefined, appSecret: undefined });
      assertEquals(findings.map(({ check, state }) => [check, state]), [
        ["verification", "skipped"],
        ["unsigned", "ok"],
        ["signed", "skipped"],
      ]);
    }));

  it("says that the server has another path, and does not post to it", () =>
    withServer(async (url) => {
      const other = new URL("/webhook", url);
      assertEquals(await findingsOf(other), [{
        check: "verification",
        state: "wrong",
        text: `${other} answers the GET with 404`,
        remedy: "Compare the path of the URL with that of the server: --path, or pathName",
      }]);
    }));

  it("says that nothing listens", async () => {
    let url = new URL("http://127.0.0.1/");
    await withProgram(() => {}, (free) => Promise.resolve(void (url = free)));
    assertEquals(await findingsOf(url), [{
      check: "verification",
      state: "wrong",
      text: `Cannot reach ${url}: nothing accepts connections there (ECONNREFUSED)`,
      remedy: "See that the server runs, and that DNS, firewall and proxy lead to it",
    }]);
  });

  it("says that something else answers, with the beginning of its answer only", async () => {
    const cases: [status: number, location: string | undefined, body: string, text: string][] = [
      [200, undefined, `<html>${"x".repeat(50_000)}`, "answers the GET with 200, but with"],
      [302, "https://login.example/?secret=1", "", "answers the GET with 302, a redirect to https://login.example/?…"],
      [503, undefined, "", "answers the GET with 503"],
      [429, undefined, "", "answers the GET with 429: too many wrong verify tokens came before"],
    ];
    for (const [status, location, body, text] of cases) {
      await withProgram(
        (_request, response) => response.writeHead(status, location === undefined ? {} : { location }).end(body),
        async (url) => {
          const findings = await findingsOf(url);
          assertEquals(findings.map(({ check, state }) => [check, state]), [["verification", "wrong"]]);
          assert(findings[0]!.text.startsWith(`${url} ${text}`), findings[0]!.text);
          assert(findings[0]!.text.length < 200, findings[0]!.text);
        },
      );
    }
  });

  it("shows no part of a secret that the answer echoes", async () => {
    // It is cut behind 40 characters.
    const accessToken = "EAAG/made+up/access+token/of/some/length";
    for (
      const echo of [
        VERIFY_TOKEN,
        APP_SECRET,
        accessToken,
        encodeURIComponent(accessToken),
        new URLSearchParams({ a: VERIFY_TOKEN }).toString(),
      ]
    ) {
      for (const before of ["", "x".repeat(20), "x".repeat(30)]) {
        await withProgram((_request, response) => response.end(`${before}${echo}`), async (url) => {
          const [finding] = await findingsOf(url, { accessToken });
          assert(finding!.text.includes("answers the GET with 200"), finding!.text);
          assert(!finding!.text.includes("EAAG"), finding!.text);
          assert(!finding!.text.includes("chosen") && !finding!.text.includes("5f2c0a4b"), finding!.text);
        });
      }
    }
  });

  it("says that the answer has more than the challenge", () =>
    withProgram(
      (request, response) => response.end(`${new URL(request.url!, "http://a").searchParams.get("hub.challenge")}\n`),
      async (url) => assertEquals((await findingsOf(url))[0]?.remedy, "Answer with the challenge alone"),
    ));

  it("says that Meta takes https: only, and asks no other host without TLS", async () => {
    assertEquals(await findingsOf(new URL("http://hooks.example.com/whatsapp?secret=1")), [{
      check: "callback",
      state: "wrong",
      text: "http://hooks.example.com/whatsapp?… is not an https: URL: Meta takes no other",
      remedy: "Give the server a certificate of a public authority, or put a proxy or a tunnel with one before it",
    }]);
  });

  it("explains what is wrong with the certificate", async () => {
    const PUBLIC =
      "Meta takes certificates of public authorities only, with the whole chain: use Let's Encrypt, or a tunnel";
    const cases: [file: string, failure: string, remedy: string][] = [
      ["self-signed", "its certificate is self-signed", PUBLIC],
      ["expired", "its certificate has expired on 2021-01-01", "Renew it, and have the server read it"],
      ["other-name", 'its certificate is for "b.example", not for this host', 'Get one for "127.0.0.1"'],
      [
        "leaf",
        'its certificate is not trusted: either its authority "Tackline test CA" is not a public one, or the server ' +
        "does not send the whole chain",
        `Give the server the file with the chain, such as fullchain.pem. ${PUBLIC}`,
      ],
    ];
    for (const [file, failure, remedy] of cases) {
      const server = createHttpsServer({
        cert: readFileSync(tlsFile(`${file}.pem`)),
        key: readFileSync(tlsFile(`${file}.key`)),
      });
      await withListening(server, async (port) => {
        const url = new URL(`https://127.0.0.1:${port}/whatsapp`);
        const text = `Cannot reach ${url}: ${failure}`;
        assertEquals(await findingsOf(url), [{ check: "verification", state: "wrong", text, remedy }]);
      });
    }
  });

  it("ends when it is aborted", () =>
    withProgram(() => {}, async (url) => {
      const stop = new AbortController();
      const checks = findingsOf(url, { signal: stop.signal });
      stop.abort(new Error("stopped"));
      await assertRejects(() => checks, Error, "stopped");
    }));
});
