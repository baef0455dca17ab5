/** A WhatsAppServer that checks Meta's client certificate itself. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppReceiver, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { tlsFile } from "../support/support.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const OPTIONS: WhatsAppServerOptions = {
  port: 0,
  hostname: "127.0.0.1",
  certificateFile: tlsFile("leaf.pem"),
  certificateKeyFile: tlsFile("leaf.key"),
  clientRootCertificateFile: tlsFile("client-ca.pem"),
  clientCertificateName: "client.example",
  appSecret: null,
  verifyToken: "verify",
  receiverToken: "token",
  journal: null,
};

/** Posts a notification; returns the status, or "refused" by TLS. */
function post(server: WhatsAppServer, identity: string | undefined, headers = {}): Promise<number | "refused"> {
  const target = {
    host: "localhost",
    port: server.address!.port,
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    ca: read("ca.pem"),
    agent: false,
    ...identity !== undefined && { cert: read(`${identity}.pem`), key: read(`${identity}.key`) },
  };
  return new Promise((resolve) => {
    const outgoing = request(target, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode!));
    });
    outgoing.on("error", () => resolve("refused"));
    outgoing.end('{"object":"whatsapp_business_account","entry":[]}');
  });
}

describe("a WhatsAppServer with clientCertificate", () => {
  it("takes notifications with Meta's certificate only, and receivers without one", async () => {
    await using server = new WhatsAppServer({ ...OPTIONS, clientCertificate: "request" });
    await server.start();
    const answers = [];
    for (const identity of ["client", undefined, "client-names", "client-expired", "other"]) {
      answers.push(await post(server, identity));
    }
    assertEquals(answers, [200, 403, 403, "refused", "refused"]);
    // A header field is no proof.
    assertEquals(await post(server, undefined, { "x-subject": "CN=client.example" }), 403);
    assertEquals(server.failedAttempts.clientCertificate, 3);
    await using receiver = new WhatsAppReceiver(`wss://localhost:${server.address!.port}/`, {
      receiverToken: "token",
      rootCertificateFile: tlsFile("ca.pem"),
    });
    await receiver.connect();
    assertEquals(receiver.state, "open");
  });

  it("needs the name that is set", async () => {
    const options = { ...OPTIONS, clientCertificate: "require" as const, clientCertificateName: "another.example" };
    await using server = new WhatsAppServer(options);
    await server.start();
    assertEquals([await post(server, "client"), await post(server, undefined)], [403, "refused"]);
    await server.stop();
    server.clientCertificateName = "";
    await assertRejects(() => server.start(), OptionError, '"clientCertificateName" is empty');
  });

  it("does not go with a proxy, which speaks TLS instead", () => {
    for (const name of ["clientCertificate", "clientRootCertificateFile"]) {
      const options = { behindProxy: true, [name]: "request", clientCertificate: "request" as const };
      assertThrows(() => new WhatsAppServer(options), OptionError, 'does not go with "behindProxy"');
    }
  });
});
