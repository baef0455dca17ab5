import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHmac, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { CertificateError, OptionError } from "../../base/errors.ts";
import {
  decryptFlowRequest,
  encryptFlowResponse,
  type FlowRequest,
  verifyFlowToken,
} from "../../cloud_api/flow_crypto.ts";
import { FlowEndpointError } from "../../cloud_api/flow_endpoint_error.ts";
import { base64, fromBase64, makeKeys, publicKeyOf, sealRequest } from "../support/flow_client.ts";
import { encode, tlsFile } from "../support/support.ts";

const KEYS = await makeKeys();
const REQUEST = {
  version: "3.0",
  action: "data_exchange",
  screen: "DATES",
  data: { date: "2026-12-01", note: "für 2 👍" },
  flow_token: "token-1",
};

async function refusal(body: unknown, privateKey = KEYS.privateKey): Promise<[string, number, string]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const error = await assertRejects(() => decryptFlowRequest(text, privateKey), FlowEndpointError);
  assertEquals(error.cause, undefined);
  return [error.code, error.status, error.message];
}

/** Made with `cryptography` of Python for the key of leaf.key: the AES key is bytes 0 to 15, the vector 16 to 31. */
const VECTOR = {
  encrypted_flow_data:
    "vryB0w/BTee4OvmgkgEf9dnfQfwZb8iWi7yl3w0KJ8IPBg1rjm4rOoPuibFZ1iuOWwyQEFEZ72mIeaKcR/h2Td0vu7edcqsJ",
  encrypted_aes_key:
    "YQcZ44Zics8gIPgbMsfgy/WAfcZ64na0VcMJN0psQOIZPxfofvcBtzjh/ZnMvkpLl2MN7rubL5pGRG0ISkoQbyGCRaJHGHTS" +
    "hGMI6whO5B5RRsn89ZVED+I96SuRMh9cyu1hAtaVreUd5GJj2TDHJtrSj6npcKhDRaK2glDJ18+uVx+3GYKJw/Pj5AnuekDi" +
    "awa1/J2LSxQznj1slrvAEtN5wTNkcfWtnv0nbPdMR3SFKUXDAVqkmHldxHRBVdEMnVlWSLAdQ5WGeC51O3btT8Taq5PQi/KE" +
    "d8Cyg1yNwMhuRawwWuDQqDdV6YDylZ2mhy40UnmUMNO4fjLZltsVFA==",
  initial_vector: "EBESExQVFhcYGRobHB0eHw==",
};
const VECTOR_ANSWER = "IHgc0GOTW8rcFKP3y8aCoF5XfTqkPzR7kRI9OVGzR794ZUNTg3hs4wziaNSa2RFRQuRqaf8YzTupHjtuvXJMPA==";

describe("decryptFlowRequest()", () => {
  it("opens and answers a request that another implementation made, byte for byte", async () => {
    const { request, key } = await decryptFlowRequest(VECTOR, readFileSync(tlsFile("leaf.key"), "utf8"));
    assertEquals([request.action, request.flowToken], ["INIT", "token-1"]);
    assertEquals(encryptFlowResponse({ screen: "DATES", data: { note: "für 2 👍" } }, key), VECTOR_ANSWER);
  });

  it("opens a request of the client, as text, bytes or object, and the client opens the answer", async () => {
    const { body, open } = await sealRequest(KEYS.publicKey, REQUEST);
    for (const form of [JSON.stringify(body), encode(JSON.stringify(body)), body]) {
      const { request, key } = await decryptFlowRequest(form, KEYS.privateKey);
      assertEquals(request, {
        version: "3.0",
        action: "data_exchange",
        screen: "DATES",
        data: { date: "2026-12-01", note: "für 2 👍" },
        flowToken: "token-1",
        raw: REQUEST,
      });
      const answer = { screen: "SUMMARY", data: { text: "für 2 👍".repeat(1000) } };
      assertEquals(await open(encryptFlowResponse(answer, key)), answer);
    }
  });

  it("takes a vector of 12 bytes, and an empty screen and missing data as absent", async () => {
    const sealed = await sealRequest(KEYS.publicKey, { action: "INIT", screen: "", data: null }, { vectorBytes: 12 });
    const { request, key } = await decryptFlowRequest(sealed.body, KEYS.privateKey);
    assertEquals(request, { action: "INIT", data: {}, raw: { action: "INIT", screen: "", data: null } });
    assertEquals(await sealed.open(encryptFlowResponse({ data: {} }, key)), { data: {} });
  });

  it("reads error notifications with both of Meta's names", async () => {
    for (const name of ["error", "error_key"]) {
      const data = { [name]: "invalid-screen-transition", error_message: "No such screen" };
      const { body } = await sealRequest(KEYS.publicKey, { ...REQUEST, data });
      const { request } = await decryptFlowRequest(body, KEYS.privateKey);
      assertEquals(request.error, { key: "invalid-screen-transition", message: "No such screen" });
    }
    for (const data of [{ error: "mine" }, { error_message: "mine" }]) {
      const { body } = await sealRequest(KEYS.publicKey, { ...REQUEST, data });
      assertEquals((await decryptFlowRequest(body, KEYS.privateKey)).request.error, undefined);
    }
  });

  it("takes keys that are encrypted as Meta's guide and others do, with their pass phrase", async () => {
    const plain = createPrivateKey(readFileSync(tlsFile("leaf.key"))).export({ type: "pkcs8", format: "pem" });
    const { body } = await sealRequest(await publicKeyOf(String(plain)), REQUEST);
    for (const name of ["pkcs8-des3.key", "pkcs8-aes256-sha512.key", "traditional-des3.key"]) {
      const pem = readFileSync(tlsFile(name), "utf8");
      assertEquals((await decryptFlowRequest(body, pem, "secret")).request.screen, "DATES", name);
      for (const [passphrase, code] of [["wrong", "ERR_KEY_PASSWORD_WRONG"], [undefined, "ERR_KEY_PASSWORD_MISSING"]]) {
        const error = await assertRejects(() => decryptFlowRequest(body, pem, passphrase), CertificateError);
        assertEquals([name, error.code], [name, code]);
        assert(passphrase !== undefined || error.message.includes('set "passphrase"'), error.message);
      }
    }
  });

  it("refuses keys that are no RSA keys of 2048 bits, without showing them", async () => {
    const short = (await makeKeys(1024)).privateKey;
    const ec = readFileSync(tlsFile("ec.key"), "utf8");
    const cases: [key: unknown, message: string][] = [
      [short, 'The key "privateKey" is an RSA key of 1024 bits: flows need RSA with 2048 bits'],
      [ec, 'The key "privateKey" is of type "ec"'],
      ["hunter2", 'The option "privateKey" is a text of 7 characters, not the text of a PEM file'],
      [KEYS.privateKey.replaceAll("\n", "\\n"), 'The option "privateKey" has "\\n" in place of line breaks'],
      [undefined, 'The option "privateKey" is of type undefined instead of the text of a PEM file'],
      [{ key: "hunter2" }, 'The option "privateKey" is an object instead'],
    ];
    for (const [key, message] of cases) {
      const error = await assertRejects(() => decryptFlowRequest("{}", key as string), Error);
      assert(error instanceof CertificateError || error instanceof OptionError);
      assertStringIncludes(error.message, message);
      assert(!error.message.includes("hunter2"));
    }
  });

  it("answers 421 to a request for another public key, or whose key is no AES key of 128 bits", async () => {
    const other = await sealRequest((await makeKeys()).publicKey, REQUEST);
    const long = await sealRequest(KEYS.publicKey, REQUEST, { keyBytes: 32 });
    const { body } = await sealRequest(KEYS.publicKey, REQUEST);
    const cut = { ...body, encrypted_aes_key: body.encrypted_aes_key.slice(0, 100) };
    for (const sent of [other.body, long.body, cut]) {
      const [code, status, message] = await refusal(sent);
      assertEquals([code, status], ["ERR_FLOW_KEY", 421]);
      assertStringIncludes(message, "cannot be decrypted");
    }
  });

  it("answers 421 to data that were changed anywhere, cut short, or moved to another vector", async () => {
    const { body } = await sealRequest(KEYS.publicKey, REQUEST);
    const data = fromBase64(body.encrypted_flow_data);
    const changed = [0, 40, data.length - 17, data.length - 16, data.length - 1].map((at) =>
      data.map((byte, index) => index === at ? byte ^ 1 : byte)
    );
    const cut = [1, 15, 16, 17, data.length - 1].map((length) => data.slice(0, length));
    for (const bytes of [...changed, ...cut]) {
      const [code, status] = await refusal({ ...body, encrypted_flow_data: base64(bytes) });
      assertEquals([bytes.length, code, status], [bytes.length, "ERR_FLOW_DATA", 421]);
    }
    const vector = fromBase64(body.initial_vector).map((byte) => byte ^ 0xff);
    assertEquals((await refusal({ ...body, initial_vector: base64(vector) }))[0], "ERR_FLOW_DATA");
  });

  it("answers 400 to what is no request, and shows nothing of it", async () => {
    const { body } = await sealRequest(KEYS.publicKey, REQUEST);
    const sealed = async (plain: unknown): Promise<unknown> => (await sealRequest(KEYS.publicKey, plain)).body;
    const cases: [body: unknown, message: string][] = [
      ["", "The body of the request is not JSON"],
      ['{"card":"4111', "The body of the request is not JSON"],
      ['["4111"]', "The body of the request is not a JSON object"],
      ["null", "The body of the request is not a JSON object"],
      [{}, 'The body of the request has no base64 in "encrypted_aes_key"'],
      [{ ...body, encrypted_flow_data: 1e20 }, 'has no base64 in "encrypted_flow_data"'],
      [{ ...body, encrypted_flow_data: { a: 1 } }, 'has no base64 in "encrypted_flow_data"'],
      [{ ...body, initial_vector: "****" }, 'has no base64 in "initial_vector"'],
      [{ ...body, initial_vector: "AAAA" }, '"initial_vector" has 3 bytes instead of 16'],
      [await sealed('{"card":"4111'), "The decrypted request is not JSON"],
      [await sealed('"4111"'), "The decrypted request is not a JSON object"],
      [await sealed({ screen: "4111" }), 'The decrypted request has no "action"'],
    ];
    for (const [sent, expected] of cases) {
      const [code, status, message] = await refusal(sent);
      assertEquals([code, status], ["ERR_FLOW_BODY", 400], message);
      assertStringIncludes(message, expected);
      assert(!message.includes("4111"), message);
    }
    const invalid = Uint8Array.of(0x22, 0xff, 0x22);
    await assertRejects(() => decryptFlowRequest(invalid, KEYS.privateKey), FlowEndpointError, "is not JSON");
  });

  it("hides the key of a request from logs", async () => {
    const { body } = await sealRequest(KEYS.publicKey, REQUEST);
    const { key } = await decryptFlowRequest(body, KEYS.privateKey);
    assertEquals([JSON.stringify(key), Object.keys(key)], ["{}", []]);
  });
});

describe("verifyFlowToken()", () => {
  const url = (text: string): string =>
    base64(encode(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const sign = (secret: string, head: object, claims: object): string => {
    const signed = `${url(JSON.stringify(head))}.${url(JSON.stringify(claims))}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  };
  const HEAD = { alg: "HS256", typ: "JWT" };
  const requestWith = (flowTokenSignature?: string, flowToken = "token-1"): FlowRequest => ({
    action: "INIT",
    data: {},
    flowToken,
    flowTokenSignature,
    raw: {},
  });

  it("accepts a token signed with one of the secrets", () => {
    const signature = sign("old", HEAD, { flow_token: "token-1" });
    assertEquals(verifyFlowToken(requestWith(signature), "old"), true);
    assertEquals(verifyFlowToken(requestWith(signature), ["new", "old"]), true);
  });

  it("refuses other secrets, tokens, algorithms and forms", () => {
    const good = sign("s", HEAD, { flow_token: "token-1" });
    const [head, claims, mac] = good.split(".") as [string, string, string];
    const bad = [
      undefined,
      "",
      "a.b",
      `${head}.${claims}.`,
      `${good}.`,
      `${head}.${claims}.${mac.slice(1)}`,
      sign("other", HEAD, { flow_token: "token-1" }),
      sign("s", HEAD, { flow_token: "token-2" }),
      sign("s", HEAD, {}),
      sign("s", { alg: "none" }, { flow_token: "token-1" }),
      sign("s", {}, { flow_token: "token-1" }),
    ];
    for (const signature of bad) {
      assertEquals([signature, verifyFlowToken(requestWith(signature), "s")], [signature, false]);
    }
    assertEquals(verifyFlowToken(requestWith(good, "token-2"), "s"), false);
    assertEquals(verifyFlowToken(requestWith(good), "s"), true);
  });
});
