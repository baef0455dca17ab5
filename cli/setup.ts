/**
 * `setup`: checks what Meta and the server need of each other.
 *
 * @module
 */

import { API_FLAGS, API_HELP, type ApiAccess, apiAccess, TOKEN_REMEDIES, withFlags } from "./api_access.ts";
import { checkCallback } from "./callback_check.ts";
import { type CliIo, ExitCode, parseCommandLine, secretsFrom, UsageError } from "./io.ts";
import { MetaChecks } from "./meta_checks.ts";
import { SetupReport, withoutSecrets } from "./setup_report.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { describe, OptionError } from "../base/errors.ts";

/** Output of `setup --help`. */
export const SETUP_HELP: string = `setup: check that messages can be sent and received, and say what is wrong

  setup [flags]

It checks the access token (WHATSAPP_ACCESS_TOKEN), the number, the account, the subscription of the app, its webhook
fields, and the callback URL as Meta uses it: the GET with the verify token, a POST without signature, and a signed one
without contents. Without --subscribe nothing is changed. Without an access token it checks --callback alone.

  --callback URL        callback URL to check; without it, the one that Meta has
  --subscribe           subscribe the app to the account if it is not; with --callback, have Meta send the account's
                        notifications to that URL, as an override, if it sends them elsewhere
  --verify-token S      WHATSAPP_VERIFY_TOKEN: token that the server and Meta share
  --app-secret S        WHATSAPP_APP_SECRET: secret of Meta's app, to sign with
  --json                print {"ok":…,"findings":[{"check":…,"state":…,"text":…,"remedy":…}]}
${API_HELP}
  --help                print this text

The exit code is 1 if something is wrong. The access token is part of a URL of one call, debug_token, since Meta takes
it in no other way.`;

const FLAGS = {
  callback: { type: "string" },
  subscribe: { type: "boolean" },
  "verify-token": { type: "string" },
  "app-secret": { type: "string" },
  json: { type: "boolean" },
  ...API_FLAGS,
  help: { type: "boolean" },
} as const;

/** Time limit of a call of the API, in ms, and its retries: a person waits. */
const CALLS = { requestTimeout: 15_000, maxRetries: 1 };

/**
 * Runs the command.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function setup(args: readonly string[], io: CliIo): Promise<number> {
  const { values } = parseCommandLine(args, FLAGS, [], TOKEN_REMEDIES);
  if (values.help) {
    io.out(SETUP_HELP);
    return ExitCode.Success;
  }
  const access = apiAccess(values, io.env);
  const wanted = callbackOf(values.callback);
  // The server may know several; Meta knows the first.
  const verifyTokens = secretsFrom(
    { flag: "verify-token", given: values["verify-token"], variable: "WHATSAPP_VERIFY_TOKEN" },
    io.env,
  );
  const appSecrets = secretsFrom(
    { flag: "app-secret", given: values["app-secret"], variable: "WHATSAPP_APP_SECRET" },
    io.env,
  );
  const subscribe = values.subscribe ?? false;
  assertComplete(access.accessToken, verifyTokens[0], wanted, subscribe);
  const safe = withoutSecrets(io, [access.accessToken, ...appSecrets, ...verifyTokens]);
  const report = new SetupReport(safe, values.json ?? false);
  const stop = new AbortController();
  const ignoreStop = io.onStop(() => stop.abort(new Error("Stopped")));
  const { signal } = stop;
  try {
    await check({ access, wanted, verifyToken: verifyTokens[0], appSecret: appSecrets[0], subscribe, signal }, report);
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(withFlags(describe(error)));
    throw error;
  } finally {
    ignoreStop();
  }
  report.end();
  return report.wrong === 0 ? ExitCode.Success : ExitCode.Failure;
}

/** Task of a run: the access, the callback, the secrets. */
interface Task {
  readonly access: ApiAccess;
  /** The callback of the command line. */
  readonly wanted: URL | undefined;
  readonly verifyToken: string | undefined;
  readonly appSecret: string | undefined;
  readonly subscribe: boolean;
  readonly signal: AbortSignal;
}

async function check({ access, wanted, subscribe, ...secrets }: Task, report: SetupReport): Promise<void> {
  const { accessToken, options, ...ids } = access;
  const { verifyToken, appSecret, signal } = secrets;
  const meta = accessToken === undefined
    ? undefined
    : new MetaChecks({ options: { ...options, ...CALLS, accessToken }, ...ids, appSecret, signal }, report);
  await meta?.run(subscribe);
  const found = meta?.callback?.url;
  const url = wanted ?? (found !== undefined && URL.canParse(found) ? new URL(found) : undefined);
  const before = report.wrong;
  if (url !== undefined) await checkCallback({ url, verifyToken, appSecret, accessToken, signal }, report);
  // Meta asks the URL at once, and its error says less.
  const isReady = report.wrong === before;
  if (subscribe && wanted !== undefined && isReady) await meta?.overrideCallback(wanted, verifyToken!);
  else meta?.checkCallbackUrl(wanted);
}

function callbackOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const isUrl = URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
  if (isUrl) return new URL(text);
  throw new UsageError(`--callback is ${quote(redactUrl(text))}: not an https: URL`);
}

function assertComplete(
  accessToken: string | undefined,
  verifyToken: string | undefined,
  callback: URL | undefined,
  subscribe: boolean,
): void {
  if (accessToken === undefined && (subscribe || callback === undefined)) {
    throw new UsageError(
      "WHATSAPP_ACCESS_TOKEN is not set: Business settings > Users > System users > Generate token, or API Setup for a " +
        "try. Without it setup checks --callback alone",
    );
  }
  if (!subscribe || callback === undefined) return;
  if (callback.protocol !== "https:") {
    throw new UsageError(`--callback is ${quote(redactUrl(callback))}: Meta takes an https: URL only`);
  }
  if (verifyToken === undefined) {
    throw new UsageError("WHATSAPP_VERIFY_TOKEN is not set: Meta verifies the URL of --callback with it");
  }
}
