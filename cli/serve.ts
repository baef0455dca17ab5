/**
 * `serve`: a webhook server from the command line.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type CliIo, ExitCode, parseCommandLine, parseNumber, secretsFrom, UsageError } from "./io.ts";
import { printable } from "../base/log.ts";
import { describe, OptionError } from "../base/errors.ts";
import { WhatsAppServer } from "../whatsapp/server.ts";
import type { WhatsAppServerOptions } from "../whatsapp/settings.ts";

/** What `serve --help` prints. */
export const SERVE_HELP: string = `serve: take WhatsApp notifications, keep them, and forward them to receivers

  serve --certificate fullchain.pem --key privkey.pem [flags]
  serve --behind-proxy [flags]

Secrets (better in the environment: other users see command lines)
  --app-secret S        WHATSAPP_APP_SECRET: of Meta's app, to check signatures
  --receiver-token S    WHATSAPP_RECEIVER_TOKEN: what receivers show; NAME:S gives it a name
  --verify-token S      WHATSAPP_VERIFY_TOKEN: what Meta shows; made up if absent
                        Several: repeat the flag, or put commas into the variable.
  --unsigned            take notifications without a signature, from anybody

Where
  --port N              443, or 8080 with --behind-proxy
  --hostname ADDRESS    0.0.0.0, or 127.0.0.1 with --behind-proxy
  --path PATH           /whatsapp
  --public-url URL      what to show as the callback URL, if that is another one
  --certificate FILE    PEM, with its chain; read again at SIGHUP
  --key FILE            PEM; WHATSAPP_KEY_PASSWORD if it is encrypted
  --behind-proxy        speak plain HTTP on a loopback address, behind a proxy that speaks TLS
  --client-certificate-header NAME
                        where that proxy reports the subject of the client certificate, which must be Meta's
  --client-certificate-form FORM
                        how it does: rfc4514 (default), slashes, or commonName

Keeping
  --journal FILE        whatsapp.db: notifications are there before Meta gets its 200
  --memory              keep them in memory only

  --help                this text

SIGINT and SIGTERM end it in order; a second one at once.`;

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
  "behind-proxy": { type: "boolean" },
  "client-certificate-header": { type: "string" },
  "client-certificate-form": { type: "string" },
  journal: { type: "string" },
  memory: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/**
 * Runs the command.
 *
 * @param args What follows it.
 * @param io The surroundings.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function serve(args: readonly string[], io: CliIo): Promise<number> {
  const { values } = parseCommandLine(args, FLAGS, []);
  if (values.help) {
    io.out(SERVE_HELP);
    return ExitCode.Success;
  }
  const { options, verifyToken, madeUp } = readOptions(values, io);
  let server: WhatsAppServer;
  try {
    server = new WhatsAppServer({
      ...options,
      onGetSSLPassword: () => io.env.WHATSAPP_KEY_PASSWORD ?? "",
      // Messages only: what is in a notification is nobody's business here.
      onError: (error) => io.err(`error: ${printable(describe(error))}\n`),
    });
    await server.start();
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(describe(error));
    io.err(`${printable(describe(error))}\n`);
    return ExitCode.Failure;
  }
  printStart(server, values, verifyToken, madeUp, io);
  await untilStopped(server, io);
  io.err("Stopped.\n");
  return ExitCode.Success;
}

type Values = ReturnType<typeof parseCommandLine<typeof FLAGS>>["values"];

function readOptions(
  values: Values,
  io: CliIo,
): { options: WhatsAppServerOptions; verifyToken: string; madeUp: boolean } {
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
    // An empty one is made up.
    { ...env, WHATSAPP_VERIFY_TOKEN: env.WHATSAPP_VERIFY_TOKEN || undefined },
  );
  if (appSecret.length === 0 && !values.unsigned) {
    throw new UsageError("WHATSAPP_APP_SECRET is not set; --unsigned takes notifications from anybody");
  }
  if (receiverTokens.length === 0) throw new UsageError("WHATSAPP_RECEIVER_TOKEN is not set");
  if (!behindProxy && (values.certificate === undefined || values.key === undefined)) {
    throw new UsageError("--certificate and --key are needed, or --behind-proxy");
  }
  if (values.memory && values.journal !== undefined) throw new UsageError("--memory and --journal exclude each other");
  const madeUp = given.length === 0;
  const verifyTokens = madeUp ? [randomBytes(16).toString("hex")] : given;
  const options: WhatsAppServerOptions = {
    port: parseNumber("port", values.port, [0, 65535]) ?? (behindProxy ? 8080 : 443),
    hostname: values.hostname ?? (behindProxy ? "127.0.0.1" : "0.0.0.0"),
    pathName: values.path,
    certificateFile: values.certificate,
    certificateKeyFile: values.key,
    behindProxy,
    clientCertificateHeader: values["client-certificate-header"],
    clientCertificateForm: values["client-certificate-form"] as WhatsAppServerOptions["clientCertificateForm"],
    appSecret: values.unsigned && appSecret.length === 0 ? null : appSecret,
    verifyToken: verifyTokens,
    receiverToken: receiverTokens.map(parseToken),
    journal: values.memory ? null : values.journal ?? "whatsapp.db",
  };
  return { options, verifyToken: verifyTokens[0], madeUp };
}

function parseToken(text: string): { token: string; name?: string } {
  const colon = text.indexOf(":");
  return colon <= 0 ? { token: text } : { name: text.slice(0, colon), token: text.slice(colon + 1) };
}

function printStart(server: WhatsAppServer, values: Values, verifyToken: string, madeUp: boolean, io: CliIo): void {
  const { hostname, port } = server.address!;
  const here = `${server.useSSL ? "https" : "http"}://${hostname}:${port}${server.pathName}`;
  const kept = values.memory
    ? "in memory only: they are gone when this program ends"
    : `in ${values.journal ?? "whatsapp.db"}`;
  io.err(`Listening on ${here}. Notifications are kept ${kept}.

In Meta's dashboard, under WhatsApp > Configuration > Webhook, enter
  Callback URL   ${values["public-url"] ?? `https://YOUR-HOST${server.pathName}`}
  Verify token   ${madeUp ? verifyToken : "(the one that you have set)"}
and subscribe to "messages".

Receivers connect with
  tail ${(values["public-url"] ?? `https://YOUR-HOST${server.pathName}`).replace("https:", "wss:")} --name NAME
`);
}

/** Until the first signal, and then until all has ended, or a second one comes. */
async function untilStopped(server: WhatsAppServer, io: CliIo): Promise<void> {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const ignoreStop = io.onStop(() => (++count === 1 ? first : second).resolve());
  const ignoreReload = io.onReload(() => {
    server.reloadCertificates().then(
      () => io.err("Read the certificates again.\n"),
      (error) => io.err(`error: ${printable(describe(error))}\n`),
    );
  });
  await first.promise;
  io.err("Stopping; once more to stop at once.\n");
  const hasten = new AbortController();
  second.promise.then(() => hasten.abort());
  await server.stop({ signal: hasten.signal });
  ignoreStop();
  ignoreReload();
}
