/** Ports and addresses that cannot be listened on: the error has the same words on each runtime. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { CertificateError, TransportError } from "../../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { runtime } from "../support/needs.ts";
import { tlsFile } from "../support/support.ts";

const TLS: WebSocketServerOptions = {
  useSSL: true,
  certificateFile: tlsFile("leaf.pem"),
  certificateKeyFile: tlsFile("leaf.key"),
};

/** Starts a server that cannot, and returns the error. */
async function failure(options: WebSocketServerOptions): Promise<TransportError> {
  const server = new WebSocketServer({ hostname: "127.0.0.1", port: 0, ...options });
  const error = await assertRejects(() => server.start(), TransportError);
  assertEquals([error.code, server.active, error.cause instanceof Error], ["ERR_LISTEN", false, true]);
  return error;
}

describe("a server that cannot listen", () => {
  it("names the port that is in use, held by this library or another program", async () => {
    await using first = new WebSocketServer({ hostname: "127.0.0.1", port: 0 });
    await first.start();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    for (const port of [first.address!.port, (other.address() as { port: number }).port]) {
      for (const options of [{}, TLS]) {
        const { message, cause } = await failure({ ...options, port });
        assertEquals(message, `Cannot listen on 127.0.0.1:${port}: the port is in use already (EADDRINUSE)`);
        assertEquals((cause as { code?: string }).code, "EADDRINUSE");
      }
    }
    await new Promise<void>((resolve) => other.close(() => resolve()));
  });

  it("names an address or name that this machine does not have", async () => {
    const cases: [hostname: string, shown: string, reason: string][] = [
      ["192.0.2.1", "192.0.2.1", "this machine does not have the address (EADDRNOTAVAIL)"],
      ["[2001:db8::1]", "[2001:db8::1]", "this machine does not have the address (EADDRNOTAVAIL)"],
      ["nowhere.invalid", "nowhere.invalid", "the host name is not known (ENOTFOUND)"],
      ["999.1.1.1", "999.1.1.1", "the host name is not known (ENOTFOUND)"],
      ["a..b", "a..b", "the host name is not known (ENOTFOUND)"],
    ];
    for (const [hostname, shown, reason] of cases) {
      assertEquals((await failure({ hostname })).message, `Cannot listen on ${shown}:0: ${reason}`);
    }
  });

  it("says what is wrong with a certificate file, and names the setting", async () => {
    const cases: [files: Partial<WebSocketServerOptions>, message: string][] = [
      [{ certificateFile: tlsFile("none.pem") }, 'none.pem" of "certificateFile": there is no such file (ENOENT)'],
      [{ certificateFile: tlsFile("") }, 'of "certificateFile": it is a directory (EISDIR)'],
      [{ certificateKeyFile: tlsFile("none") }, 'none" of "certificateKeyFile": there is no such file (ENOENT)'],
      [{ certificateKeyFile: tlsFile("leaf.key/x") }, "a part of the path is not a directory (ENOTDIR)"],
      [{ rootCertificateFile: tlsFile("none") }, 'none" of "rootCertificateFile": there is no such file (ENOENT)'],
      [{ certificateFile: "a\0b" }, '"certificateFile" is not the path of a file'],
      [{ certificateFile: tlsFile("leaf.key") }, "it has no certificate in PEM"],
      [{ certificateFile: tlsFile("make.sh") }, "it has no certificate in PEM"],
      [{ certificateKeyFile: tlsFile("leaf.pem") }, "There is no private key in"],
      [{ certificateKeyFile: tlsFile("other.key") }, "does not belong to the certificate"],
    ];
    for (const [files, message] of cases) {
      const server = new WebSocketServer({ hostname: "127.0.0.1", port: 0, ...TLS, ...files });
      const error = await assertRejects(() => server.start(), CertificateError);
      assertStringIncludes(error.message, message);
      assertEquals(server.active, false);
    }
  });
});

describe("a program without flags", () => {
  const program = fileURLToPath(new URL("../support/attempts.ts", import.meta.url));

  /** Runs the program without the configuration of this package; returns its lines by name. */
  function run(...flags: string[]): Record<string, { code?: string; message?: string }> {
    const own = runtime === "Deno" ? ["run", "--no-config", "--no-check", "--no-prompt", ...flags] : [];
    // Over stdin: `node:child_process` of Deno adds "-A" to commands that run Deno.
    const input = `exec ${[process.execPath, ...own, program].map((part) => `'${part}'`).join(" ")}`;
    const { status, stdout, stderr } = spawnSync("sh", ["-s"], { input, encoding: "utf8" });
    assertEquals([status, stderr], [0, ""]);
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
    return Object.fromEntries(lines.map(({ name, ...line }) => [name, line]));
  }

  it("shares a port, or gets an error that names the flag", () => {
    const { listen, reusePort, connect } = run("--allow-net");
    assertEquals(listen, {});
    assertStringIncludes(connect!.message!, "nothing accepts connections there (ECONNREFUSED)");
    if (runtime === "Bun") return assertEquals(reusePort, {});
    assertEquals(reusePort, {
      code: "ERR_LISTEN",
      message:
        'Cannot listen on 127.0.0.1:0 with "reusePort": run Deno with --unstable-net, or with "unstable": ["net"] in deno.json',
    });
    assertEquals(run("--allow-net", "--unstable-net").reusePort, {});
  });

  if (runtime === "Deno") {
    it("gets an error that names the permission it lacks, and that of the proxy", () => {
      const { listen, connect, proxy } = run();
      const requires = (port: number): string =>
        `Requires net access to "127.0.0.1:${port}", run again with the --allow-net flag`;
      assertEquals(listen, { code: "ERR_LISTEN", message: `Cannot listen on 127.0.0.1:0: ${requires(0)}` });
      assertEquals(connect, { code: "ERR_CONNECT", message: `Cannot connect to 127.0.0.1:1: ${requires(1)}` });
      assertEquals(proxy, { code: "ERR_PROXY", message: `Cannot connect to the proxy 127.0.0.1:1: ${requires(1)}` });
      assert(run("--allow-net=127.0.0.1:1").listen!.message!.includes("--allow-net"));
    });
  }
});
