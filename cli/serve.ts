/**
 * `serve`: a webhook server from the command line.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type CliIo, ExitCode, parseCommandLine, parseNumber, secretsFrom, UsageError } from "./io.ts";
import { readJournalPlace } from "./journal_place.ts";
import { type OpenedJournal, openJournal } from "./open_journal.ts";
import { refusalPrinter } from "./refusals.ts";
import { printable } from "../base/log.ts";
import { describe, OptionError } from "../base/errors.ts";
import { WhatsAppServer } from "../whatsapp/server.ts";
import type { WhatsAppServerOptions } from "../whatsapp/settings.ts";

/** Output of `serve --help`. */
export const SERVE_HELP: string = `serve: take WhatsApp notifications, keep them, and forward them to receivers

  serve --certificate fullchain.pem --key privkey.pem [flags]
  serve --behind-proxy [flags]

Secrets (safer in the environment: other users see command lines)
  --app-secret S        WHATSAPP_APP_SECRET: secret of Meta's app, to check signatures
  --receiver-token S    WHATSAPP_RECEIVER_TOKEN: token of receivers; NAME:S gives it a name
  --verify-token S      WHATSAPP_VERIFY_TOKEN: token of Meta; generated if absent
                        Several: repeat the flag, or separate them by commas in the variable.
  --unsigned            take notifications without a signature, from any client

Address
  --port N              443, or 8080 with --behind-proxy
  --hostname ADDRESS    0.0.0.0, or 127.0.0.1 with --behind-proxy
  --path PATH           /whatsapp
  --public-url URL      callback URL to print, if it differs from the address
  --certificate FILE    PEM with its chain; SIGHUP reads it again
  --key FILE            PEM; WHATSAPP_KEY_PASSWORD if it is encrypted
  --health-path PATH    200 for GET of this path, refused or 503 while it stops: for load balancers
  --behind-proxy        speak plain HTTP on a loopback address, behind a proxy that speaks TLS; with --trusted-proxies
                        on any address
  --trusted-proxies A,B addresses or ranges of proxies that name the client (X-Forwarded-For, Forwarded), such as
                        10.0.0.0/8, loopback, private; may be repeated
  --proxy-protocol      the trusted proxies send the PROXY protocol
  --client-certificate-header NAME
                        header field in which the proxy reports the subject of the client certificate,
                        which must be Meta's
  --client-certificate-form FORM
                        form of that subject: rfc4514 (default), slashes, or commonName

Journal
  --journal PLACE       WHATSAPP_JOURNAL: notifications are there before Meta gets its 200; whatsapp.db if absent
                          FILE                                a file of SQLite, which one server has open
                          redis://USER:PASSWORD@HOST:PORT/0   Redis, for several servers; rediss:// with TLS
                          postgres://USER:PASSWORD@HOST:PORT/DATABASE
                                                              PostgreSQL, for several servers
                        A password is safer in the environment: other users see command lines.
  --redis-prefix P      prefix of the keys, the same on all servers: {tackline}:
  --redis-replicas N    replicas that must have a notification before Meta gets its 200: 0
  --postgres-schema S   schema of the tables, the same on all servers: tackline
  --memory              keep them in memory only

  --help                print this text

SIGINT and SIGTERM stop it gracefully; a second one at once.`;

const FLAGS = {
  "app-secret": { type: "string", multiple: true },
  "receiver-token": { type: "string", multiple: true },
  "verify-token": { type: "string", multiple: true },
  unsigned: { type: "boolean" },
  port: { type: "string" },
  hostname: { type: "string" },
  path: { type: "string", default: "/whatsapp" },
  "public-url": { type: "string" },
  certificate: { type: "string" },
  key: { type: "string" },
  "health-path": { type: "string" },
  "behind-proxy": { type: "boolean" },
  "trusted-proxies": { type: "string", multiple: true },
  "proxy-protocol": { type: "boolean" },
  "client-certificate-header": { type: "string" },
  "client-certificate-form": { type: "string" },
  journal: { type: "string" },
  "redis-prefix": { type: "string" },
  "redis-replicas": { type: "string" },
  "postgres-schema": { type: "string" },
  memory: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/**
 * Runs the command.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function serve(args: readonly string[], io: CliIo): Promise<number> {
  const { values } = parseCommandLine(args, FLAGS, []);
  if (values.help) {
    io.out(SERVE_HELP);
    return ExitCode.Success;
  }
  const { options, verifyToken, generated } = readOptions(values, io);
  const place = readJournalPlace(values, io.env);
  let opened: OpenedJournal | undefined;
  let server: WhatsAppServer;
  try {
    opened = await openJournal(place, values);
    server = new WhatsAppServer({
      ...options,
      journal: opened.journal,
      onGetSSLPassword: () => io.env.WHATSAPP_KEY_PASSWORD ?? "",
      // Messages only: contents of notifications do not belong into a log.
      onError: (error) => io.err(`error: ${printable(describe(error))}\n`),
      onLog: refusalPrinter(io),
    });
    await server.start();
  } catch (error) {
    await opened?.close();
    if (error instanceof UsageError) throw error;
    if (error instanceof OptionError) throw new UsageError(describe(error));
    io.err(`${printable(describe(error))}\n`);
    return ExitCode.Failure;
  }
  const stopped = untilStopped(server, io);
  // Who reads that it listens may send a signal at once.
  printStart(server, values, { verifyToken, generated, kept: opened.shown }, io);
  await stopped;
  await opened.close();
  io.err("Stopped.\n");
  return ExitCode.Success;
}

type Values = ReturnType<typeof parseCommandLine<typeof FLAGS>>["values"];

function readOptions(
  values: Values,
  io: CliIo,
): { options: WhatsAppServerOptions; verifyToken: string; generated: boolean } {
  const { env } = io;
  const behindProxy = values["behind-proxy"] ?? false;
  const appSecret = secretsFrom(
    { flag: "app-secret", given: values["app-secret"], variable: "WHATSAPP_APP_SECRET" },
    env,
  );
  const receiverTokens = secretsFrom(
    { flag: "receiver-token", given: values["receiver-token"], variable: "WHATSAPP_RECEIVER_TOKEN" },
    env,
  );
  const given = secretsFrom(
    { flag: "verify-token", given: values["verify-token"], variable: "WHATSAPP_VERIFY_TOKEN" },
    // An empty token is generated.
    { ...env, WHATSAPP_VERIFY_TOKEN: env.WHATSAPP_VERIFY_TOKEN || undefined },
  );
  if (appSecret.length === 0 && !values.unsigned) {
    throw new UsageError("WHATSAPP_APP_SECRET is not set; --unsigned takes notifications from any client");
  }
  if (receiverTokens.length === 0) throw new UsageError("WHATSAPP_RECEIVER_TOKEN is not set");
  if (!behindProxy && (values.certificate === undefined || values.key === undefined)) {
    throw new UsageError("--certificate and --key are missing; or use --behind-proxy");
  }
  const generated = given.length === 0;
  const verifyTokens = generated ? [randomBytes(16).toString("hex")] : given;
  const options: WhatsAppServerOptions = {
    port: parseNumber("port", values.port, [0, 65535]) ?? (behindProxy ? 8080 : 443),
    hostname: values.hostname ?? (behindProxy ? "127.0.0.1" : "0.0.0.0"),
    pathName: values.path,
    certificateFile: values.certificate,
    certificateKeyFile: values.key,
    healthPath: values["health-path"],
    behindProxy,
    trustedProxies: values["trusted-proxies"]?.flatMap((list) => list.split(",").map((proxy) => proxy.trim())),
    proxyProtocol: values["proxy-protocol"],
    clientCertificateHeader: values["client-certificate-header"],
    clientCertificateForm: values["client-certificate-form"] as WhatsAppServerOptions["clientCertificateForm"],
    appSecret: values.unsigned && appSecret.length === 0 ? null : appSecret,
    verifyToken: verifyTokens,
    receiverToken: receiverTokens.map(parseToken),
  };
  return { options, verifyToken: verifyTokens[0]!, generated };
}

function parseToken(text: string): { token: string; name?: string | undefined } {
  const colon = text.indexOf(":");
  return colon <= 0 ? { token: text } : { name: text.slice(0, colon), token: text.slice(colon + 1) };
}

function printStart(
  server: WhatsAppServer,
  values: Values,
  { verifyToken, generated, kept }: { verifyToken: string; generated: boolean; kept: string },
  io: CliIo,
): void {
  const { hostname, port } = server.address!;
  const here = `${server.useSSL ? "https" : "http"}://${hostname}:${port}${server.pathName}`;
  io.err(`Listening on ${here}. Notifications are kept ${kept}.

In Meta's dashboard, under WhatsApp > Configuration > Webhook, enter
  Callback URL   ${values["public-url"] ?? `https://YOUR-HOST${server.pathName}`}
  Verify token   ${generated ? verifyToken : "(the one that you set)"}
and subscribe to "messages".

Receivers connect with
  tail ${(values["public-url"] ?? `https://YOUR-HOST${server.pathName}`).replace("https:", "wss:")} --name NAME
`);
}

/** Waits for the first signal, then stops the server; a second signal terminates connections at once. */
async function untilStopped(server: WhatsAppServer, io: CliIo): Promise<void> {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const ignoreStop = io.onStop(() => (++count === 1 ? first : second).resolve());
  const ignoreReload = io.onReload(() => {
    server.reloadCertificates().then(
      () => io.err("The certificates were read again.\n"),
      (error) => io.err(`error: ${printable(describe(error))}\n`),
    );
  });
  await first.promise;
  io.err("Stopping; repeat the signal to stop at once.\n");
  const terminate = new AbortController();
  second.promise.then(() => terminate.abort());
  await server.stop({ signal: terminate.signal });
  ignoreStop();
  ignoreReload();
}
