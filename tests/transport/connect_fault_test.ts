import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HandlerError, TransportError } from "../../base/errors.ts";
import { type ConnectFault, connectFault } from "../../transport/connect_fault.ts";
import { secureClient } from "../../transport/node_tls.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import { WebSocketClient } from "../../client.ts";
import { FakeClock, startEcho, tlsFile } from "../support/support.ts";

const IS_DENO = "Deno" in globalThis;

const named = (name: string, message = ""): Error => Object.assign(new Error(message), { name });
const coded = (code: string): Error => Object.assign(new Error(), { code });
const wrap = (cause: unknown): TransportError => new TransportError("ERR_CONNECT", "", { cause });

const FAULTS: Record<ConnectFault | "none", readonly unknown[]> = {
  permission: [named("NotCapable"), named("PermissionDenied"), coded("EACCES"), coded("EPERM")],
  certificate: [
    named("InvalidData", "invalid peer certificate: UnknownIssuer"),
    named("InvalidData", 'invalid peer certificate: certificate not valid for name "a"'),
    named("InvalidData", "invalid peer certificate: Revoked"),
    ...["SELF_SIGNED_CERT_IN_CHAIN", "DEPTH_ZERO_SELF_SIGNED_CERT", "ERR_TLS_CERT_ALTNAME_INVALID"].map(coded),
    ...["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "CERT_REVOKED"].map(coded),
  ],
  expired: [
    named("InvalidData", "invalid peer certificate: certificate expired: verification time 1"),
    named("InvalidData", "invalid peer certificate: certificate not valid yet: verification time 1"),
    named("InvalidData", "invalid peer certificate: Expired"),
    named("InvalidData", "invalid peer certificate: NotValidYet"),
    ...["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"].map(coded),
  ],
  url: [new DOMException("insecure", "SecurityError")],
  none: [
    ...["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "ENETUNREACH"].map(coded),
    named("InvalidData", "received corrupt message of type InvalidContentType"),
    "NotCapable",
    undefined,
    new HandlerError("token", named("NotCapable")),
  ],
};

describe("connectFault", () => {
  it("finds what only a person can mend, by the errors of each platform, and in their causes", () => {
    for (const [kind, errors] of Object.entries(FAULTS)) {
      for (const error of errors) {
        const found = [error, wrap(error), wrap(wrap(error))].map(connectFault);
        assertEquals(found, new Array(3).fill(kind === "none" ? undefined : kind), String(error));
      }
    }
  });

  it("ends with causes that go round", () => {
    const error = new Error();
    error.cause = error;
    assertEquals(connectFault(error), undefined);
  });

  it("knows the certificates that this runtime refuses", async () => {
    const cases: [name: string, root: string, hostname: string, fault: ConnectFault][] = [
      ["leaf", "", "127.0.0.1", "certificate"],
      ["leaf", "ca.pem", "127.0.0.2", "certificate"],
      ["expired", "expired.pem", "127.0.0.1", "expired"],
    ];
    for (const [name, root, hostname, fault] of cases) {
      const server = await startEcho({
        hostname: "0.0.0.0",
        useSSL: true,
        certificateFile: tlsFile(`${name}.pem`),
        certificateKeyFile: tlsFile(`${name}.key`),
      });
      const { port } = server.address!;
      const client = new WebSocketClient(`wss://${hostname}:${port}/`, {
        rootCertificateFile: root && tlsFile(root),
        // Without a pause, and not without end.
        reconnect: { minDelay: 0, maxDelay: 0, maxAttempts: 3 },
      });
      const error = await assertRejects(() => client.connect(), TransportError, "Cannot connect");
      assertEquals([connectFault(error), client.stats().refusals], [fault, { ERR_CONNECT: 1 }]);
      if (IS_DENO) {
        const { signal } = new AbortController();
        const target = { hostname, port, tls: false, rootCertificates: [], signal, proxy: undefined };
        const raw = await runtimeTransport().connect({ ...target, clock: new FakeClock() });
        const rootCertificates = root === "" ? [] : [readFileSync(tlsFile(root), "utf8")];
        const secured = secureClient(raw, { hostname, rootCertificates, signal, clock: new FakeClock() });
        const failure = await secured.then(() => undefined, (failure) => failure);
        // `node:tls` of Deno does not say that it has expired.
        assertEquals(connectFault(failure), "certificate", String(failure));
      }
      await server.stop();
    }
  });

  if (IS_DENO) {
    it("knows the error of a program that may not connect, which ends its client", () => {
      const program = fileURLToPath(new URL("../support/may_not_connect.ts", import.meta.url));
      const args = ["run", "--no-check", "--no-prompt", "--deny-net", "--quiet", program];
      const { stdout, stderr } = spawnSync(process.execPath, args, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 30_000,
      });
      assertEquals([stdout, stderr], ["permission after 1\n", ""]);
    });
  }
});
