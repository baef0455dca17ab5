import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { certificateFault } from "../../cli/callback_certificate.ts";
import { tlsFile } from "../support/support.ts";

async function withListening(server: Server, action: (url: URL) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the peer may leave inside the handshake
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await action(new URL(`https://localhost:${(server.address() as AddressInfo).port}/whatsapp`));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const tlsServer = (name: string): Server => {
  const server = createServer({
    cert: readFileSync(tlsFile(`${name}.pem`)),
    key: readFileSync(tlsFile(`${name}.key`)),
  });
  server.on("tlsClientError", () => {});
  return server;
};

describe("certificateFault", () => {
  it("tells a certificate that has expired, or is not valid yet", () =>
    withListening(tlsServer("self-signed"), async (url) => {
      const failureAt = async (day: string): Promise<string | undefined> =>
        (await certificateFault(url, Date.parse(day)))?.failure;
      assertEquals(await failureAt("2100-01-02"), "its certificate has expired on 2100-01-01");
      assertEquals(await failureAt("2019-12-31"), "its certificate is not valid before 2020-01-01");
      assertEquals(await failureAt("2026-01-01"), "its certificate is self-signed");
    }));

  it("tells a certificate of another name from one whose authority is not known", async () => {
    await withListening(tlsServer("other-name"), async (url) => {
      const fault = await certificateFault(url);
      assertEquals(fault?.failure, 'its certificate is for "b.example", not for this host');
      assertEquals(fault?.remedy, 'Get one for "localhost"');
    });
    await withListening(tlsServer("leaf"), async (url) => {
      assertEquals(
        (await certificateFault(url))?.failure,
        'its certificate is not trusted: either its authority "Tackline test CA" is not a public one, or the server ' +
          "does not send the whole chain",
      );
    });
  });

  it("says nothing if there is no certificate", async () => {
    let gone = new URL("https://localhost/");
    await withListening(createTcpServer((socket) => socket.end("HTTP/1.1 400 No\r\n\r\n")), async (url) => {
      gone = url;
      assertEquals(await certificateFault(url), undefined);
    });
    assertEquals(await certificateFault(gone), undefined);
  });
});
