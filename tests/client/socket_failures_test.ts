import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { HandlerError, HandshakeError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import {
  type Again,
  isWorthRetrying,
  type ReconnectFailure,
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
  TERMINAL_CODES,
} from "../../client/reconnect.ts";
import { FAILURE_RULES, retryAfter, socketFailures } from "../../client/socket_failures.ts";
import type { CloseInfo } from "../../connection/options.ts";

const settings = (options: object = {}): ReconnectSettings => reconnectSettings({ ...options } as ReconnectOptions)!;
const info = (code: number): CloseInfo => ({
  code,
  reason: "",
  clean: true,
  opened: true,
  received: { code, reason: "" },
});

const at = (status: number): HandshakeError => new HandshakeError("ERR_HANDSHAKE_STATUS", "", status);
const failed = (cause?: unknown): TransportError => new TransportError("ERR_CONNECT", "", { cause });
const named = (name: string, message = ""): Error => Object.assign(new Error(message), { name });
const coded = (code: string): Error => Object.assign(new Error(), { code });
const proxied = (status: number): TransportError => new TransportError("ERR_PROXY", "", { cause: at(status) });
const own = (code: number): CloseInfo => ({
  code: 1006,
  reason: "",
  clean: false,
  opened: true,
  sent: { code, reason: "" },
});
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Rows of the documentation, in the order of the table: kind, answer, and failures of it. */
const ROWS: readonly [name: string, again: string, failures: readonly (Error | CloseInfo)[]][] = [
  ["the server closes with a code of `terminalCodes`", "no", TERMINAL_CODES.map(info)],
  [
    "the client closes with such a code; by default not 1002 and 1007",
    "no",
    [1000, 1003, 1005, 1008, 1009, 1010].map(own),
  ],
  ["the connection is lost, its bytes are broken (1002, 1007), another close code", "yes", [
    ...[1001, 1004, 1006, 1011, 1012, 1013, 1014, 3000, 4000].map(info),
    ...[1001, 1002, 1007, 1011, 4000].map(own),
    { code: 1006, reason: "", clean: false, opened: true },
  ]],
  ["status 401", "one, with fresh credentials", [at(401)]],
  ["status 404, or an answer that is not HTTP", "if there was a connection", [
    at(404),
    new HandshakeError("ERR_HEAD_SYNTAX", ""),
    new HandshakeError("ERR_HEAD_TOO_LARGE", ""),
  ]],
  ["status 408, 425, 429, or 5xx except 501", "yes", [408, 425, 429, 500, ...range(502, 599), 600, 999].map(at)],
  ["another status, a redirect, a refusal by `onHandshakeResponse`", "no", [
    ...[200, 204, 301, 302, 307, 308, 400, 402, 403, 405, 406, 407, 409, 410, 418, 421, 422, 426, 451, 499, 501].map(
      at,
    ),
    new HandshakeError("ERR_HANDSHAKE_REFUSED", "", 101),
    new HandshakeError("ERR_HANDSHAKE_RESPONSE", "", 101),
    new HandshakeError("ERR_REDIRECT", "", 302),
  ]],
  ["the proxy answers 403 or 407", "no", [403, 407].map(proxied)],
  [
    "no permission to connect",
    "no",
    [...["NotCapable", "PermissionDenied"].map((name) => named(name)), coded("EACCES"), coded("EPERM")].map(failed),
  ],
  ["certificate not trusted, or for another name", "no", [
    failed(coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE")),
    failed(coded("ERR_TLS_CERT_ALTNAME_INVALID")),
  ]],
  ["certificate expired, or not valid yet", "if there was a connection", [
    failed(coded("CERT_HAS_EXPIRED")),
    failed(coded("CERT_NOT_YET_VALID")),
  ]],
  ["URL refused by the browser", "no", [failed(named("SecurityError"))]],
  ["`disconnect`, or a signal", "no", [new TransportError("ERR_ABORTED", "")]],
  ["any other failure of network, proxy, `token`, `headers`, `resolveUrl`; in a page all", "yes", [
    failed(),
    failed(coded("ECONNREFUSED")),
    failed(new HandlerError("token", named("PermissionDenied"))),
    new TransportError("ERR_CONNECT_TIMEOUT", ""),
    new TransportError("ERR_CONNECTION_LOST", ""),
    new TransportError("ERR_PROXY", "is dead"),
    ...[400, 404, 500, 502, 503, 504].map(proxied),
  ]],
  ["setting or file that cannot be used, another handler that throws", "no", [
    new OptionError(""),
    new StateError("ERR_UNSUPPORTED", ""),
    new HandlerError("onSendHandshake", 1),
  ]],
];

const asFailure = (failure: Error | CloseInfo): ReconnectFailure =>
  failure instanceof Error ? { failures: 1, error: failure } : { failures: 1, info: failure };
const WORDS: Record<Again, string> = {
  always: "yes",
  never: "no",
  wasOpen: "if there was a connection",
  mayBeStale: "one, with fresh credentials",
};

describe("FAILURE_RULES", () => {
  it("cover each failure by the first row that fits, and answer as documented", async () => {
    assertEquals(ROWS.length, FAILURE_RULES.length);
    for (const [index, [name, again, failures]] of ROWS.entries()) {
      for (const failure of failures.map(asFailure)) {
        const row = FAILURE_RULES.findIndex((rule) => rule.covers(failure, settings()));
        assertEquals([ROWS[row]![0], WORDS[FAILURE_RULES[row]!.again]], [name, again]);
        assertEquals(row, index);
        for (const wasOpen of [false, true]) {
          for (const mayBeStale of [false, true]) {
            const expected = again === "yes" || (wasOpen && again.startsWith("if")) ||
              (mayBeStale && again.startsWith("one"));
            const answer = isWorthRetrying(failure, settings(), { wasOpen, mayBeStale }, FAILURE_RULES);
            assertEquals(await answer, expected, name);
          }
        }
      }
    }
  });

  it("stand in the guide and at the option, word by word", () => {
    const tables = new Map([["docs/client.md", ""], ["client/settings.ts", "* "]]);
    for (const [path, before] of tables) {
      const lines = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8").split("\n");
      const cells = (line: string): string => line.split("|").map((cell) => cell.trim()).filter(Boolean).join(" | ");
      const rows = lines.filter((line) => line.trim().startsWith(`${before}|`)).map((line) =>
        cells(line.trim().slice(before.length))
      );
      const begin = rows.indexOf("failure | another attempt") + 2;
      const expected = ROWS.map(([name, again]) => `${name} | ${again}`);
      assertEquals(rows.slice(begin, begin + expected.length), expected, path);
    }
  });
});

describe("retryAfter", () => {
  const ask = (value: string): number =>
    retryAfter(new HandshakeError("ERR_HANDSHAKE_STATUS", "", 503, { headers: new Headers({ "retry-after": value }) }));

  it("reads seconds and dates, and believes up to an hour", () => {
    assertEquals([ask("0"), ask("7"), ask("100000000"), ask("-5"), ask("soon"), ask("1.5x")], [
      0,
      7000,
      3600_000,
      0,
      0,
      0,
    ]);
    const inAMinute = ask(new Date(Date.now() + 60_000).toUTCString());
    assert(inAMinute > 55_000 && inAMinute <= 60_000);
    assertEquals([retryAfter(undefined), retryAfter(new HandshakeError("ERR_HANDSHAKE_STATUS", "", 503))], [0, 0]);
  });
});

describe("socketFailures", () => {
  it("has these rules, and the time that the server asks for", () => {
    assertEquals([socketFailures.rules, socketFailures.retryAfter], [FAILURE_RULES, retryAfter]);
  });
});
