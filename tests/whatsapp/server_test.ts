import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readFileSync } from "node:fs";
import { createHmac } from "node:crypto";
import { request } from "node:https";
import { HandlerError, HandshakeError, OptionError, StateError } from "../../base/errors.ts";
import {
  signNotification,
  tokenProtocol,
  verifySignature,
  type WhatsAppDelivery,
  WhatsAppReceiver,
  WhatsAppServer,
  type WhatsAppServerOptions,
} from "../../whatsapp.ts";
import { RawSocket } from "../support/sockets.ts";
import { concat } from "../../base/bytes.ts";
import { decode, encode, pipe, tlsFile, turns, until } from "../support/support.ts";
import { connect, PATH, post, SECRET, startVerified as start, urlOf } from "../support/whatsapp.ts";

function notification(...messages: unknown[]): string {
  const value = { messaging_product: "whatsapp", messages };
  return JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  });
}

const text = (id: string, body = "Hi"): unknown => ({
  id,
  from: "491700000001",
  timestamp: "1790416800",
  type: "text",
  text: { body },
});

describe("signatures", () => {
  const body = encode('{"object":"whatsapp_business_account","entry":[]}');
  const signature = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";

  it("are HMAC-SHA256 over the raw bytes, with the app secret", () => {
    assertEquals(signNotification(body, "test_app_secret"), signature);
    assertEquals(verifySignature(body, signature, "test_app_secret"), true);
    assertEquals(verifySignature(body, signature.toUpperCase().replace("SHA256", "sha256"), "test_app_secret"), true);
  });

  it("do not match other bytes, another secret, or another form", () => {
    assertEquals(verifySignature(concat(body, encode(" ")), signature, "test_app_secret"), false);
    assertEquals(verifySignature(body, signature, "test_app_secreT"), false);
    const sha1 = "sha1=" + createHmac("sha1", "test_app_secret").update(body).digest("hex");
    for (
      const bad of [
        "",
        "sha256=",
        signature.slice(7),
        signature + "0",
        signature.slice(0, -1),
        sha1,
        signature.replace("d", "g"),
        " " + signature,
      ]
    ) {
      assertEquals(verifySignature(body, bad, "test_app_secret"), false);
    }
  });

  it("match the vectors, where those are present", () => {
    const folder = new URL("../../../shared/whatsapp/constructed/", import.meta.url);
    if (!existsSync(folder)) return;
    const vectors = JSON.parse(readFileSync(new URL("signature-vectors.json", folder), "utf8"));
    assertEquals(vectors.length, 3);
    for (const { file, appSecret, "X-Hub-Signature-256": expected } of vectors) {
      assertEquals(signNotification(readFileSync(new URL(file, folder)), appSecret), expected);
    }
  });
});

describe("WhatsAppServer settings", () => {
  it("speak TLS always: setting useSSL throws", () => {
    const server = new WhatsAppServer();
    assertEquals(server.useSSL, true);
    assertThrows(() => server.useSSL = false, StateError, "useSSL");
    assertThrows(() => server.useSSL = true, StateError);
    server.behindProxy = true;
    assertEquals(server.useSSL, false);
  });

  it("cannot be changed while it runs", async () => {
    await using server = await start();
    const names = ["verifyToken", "appSecret", "receiverToken"] as const;
    for (const name of names) assertThrows(() => server[name] = "x", StateError, `Cannot set "${name}"`);
    assertThrows(() => server.behindProxy = false, StateError, 'Cannot set "behindProxy"');
  });

  it("must name each secret, or waive it with null", async () => {
    const base = { behindProxy: true, hostname: "127.0.0.1", port: 0 };
    const refused: [WhatsAppServerOptions, string][] = [
      [{ ...base, receiverToken: "t" }, "appSecret"],
      [{ ...base, appSecret: "", receiverToken: "t" }, "appSecret"],
      [{ ...base, appSecret: "s" }, "receiverToken"],
      [{ ...base, appSecret: "s", receiverToken: "" }, "receiverToken"],
      [{ ...base, appSecret: "s", receiverToken: "t", hostname: "0.0.0.0" }, "loopback"],
    ];
    for (const [options, says] of refused) {
      const server = new WhatsAppServer(options);
      await assertRejects(() => server.start(), OptionError, says);
      assertEquals(server.active, false);
    }
    const taken: WhatsAppServerOptions[] = [
      { ...base, appSecret: null, receiverToken: null },
      { ...base, appSecret: "s", onAllow: () => true },
    ];
    for (const options of taken) {
      const server = new WhatsAppServer(options);
      await server.start();
      await server.stop();
    }
  });
});

describe("Meta's verification", () => {
  const verify = async (server: WhatsAppServer, query: string): Promise<[number, string, string | null]> => {
    const response = await fetch(`${urlOf(server)}?${query}`);
    return [response.status, await response.text(), response.headers.get("content-type")];
  };

  it("gets the challenge as plain text", async () => {
    await using server = await start();
    const query = "hub.mode=subscribe&hub.verify_token=verify&hub.challenge=";
    assertEquals(await verify(server, `${query}1158201444`), [200, "1158201444", "text/plain; charset=utf-8"]);
    assertEquals((await verify(server, `${query}%3Cb%3E%C3%A9`))[1], "<b>é");
    // A browser that guesses types would run it.
    const page = await fetch(`${urlOf(server)}?${query}%3Cscript%3E`);
    assertEquals([await page.text(), page.headers.get("x-content-type-options")], ["<script>", "nosniff"]);
  });

  it("gets 403 for a wrong token or mode, and for an empty token where none is configured", async () => {
    await using server = await start();
    for (
      const query of [
        "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=unsubscribe&hub.verify_token=verify&hub.challenge=1",
        "hub.mode=&hub.verify_token=verify",
      ]
    ) assertEquals((await verify(server, query))[0], 403);
    await server.stop();
    server.verifyToken = "";
    await server.start();
    for (
      const query of ["hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "hub.mode=subscribe&hub.challenge=1"]
    ) {
      assertEquals((await verify(server, query))[0], 403);
    }
  });
});

describe("notifications", () => {
  it("reach every receiver byte for byte, with any formatting of their JSON", async () => {
    await using server = await start();
    const got: string[][] = [[], []];
    const receivers = await Promise.all(
      [0, 1].map((index) => connect(server, { onMessageReceived: (raw) => void got[index]!.push(raw) })),
    );
    const bodies = [
      '{"object":"whatsapp_business_account","entry":[]}',
      '{ "entry" : [ ],\n\t"object":"whatsapp_business_account", "a":"\\u00e9\\/ é 👋 \\ud83d\\ude00" }\r\n',
      "\uFEFF{}",
      "not JSON at all, but signed",
    ];
    for (const body of bodies) assertEquals(await post(server, body), 200);
    await until(() => got.every((one) => one.length === bodies.length), "all notifications");
    assertEquals(got, [bodies, bodies]);
    await Promise.all(receivers.map((receiver) => receiver.disconnect()));
  });

  it("that are not UTF-8 arrive as bytes: nothing authentic is lost", async () => {
    await using server = await start();
    const got: Uint8Array[] = [];
    const receiver = await connect(server, { onBinaryDataReceived: (bytes) => void got.push(bytes) });
    const body = Uint8Array.of(0x22, 0xff, 0x22);
    assertEquals(await post(server, body), 200);
    await until(() => got.length === 1, "the bytes");
    assertEquals(got[0], body);
    await receiver.disconnect();
  });

  it("are taken with Content-Length and chunked, up to 4 MiB", async () => {
    await using server = await start();
    const sizes: number[] = [];
    server.onRawMessage = (raw) => void sizes.push(raw.length);
    const big = JSON.stringify("x".repeat(4 * 1024 * 1024 - 2));
    assertEquals(await post(server, big), 200);
    const chunked = await fetch(urlOf(server), {
      method: "POST",
      body: ReadableStream.from([encode('{"a":'), encode("1}")]),
      headers: {
        "content-type": "application/json; charset=utf-8",
        "x-hub-signature-256": signNotification(encode('{"a":1}'), SECRET),
      },
    });
    assertEquals([chunked.status, await chunked.text()], [200, "OK\n"]);
    assertEquals(sizes, [4 * 1024 * 1024, 7]);
    assertEquals(await post(server, big + " ").catch(() => 413), 413);
    assertEquals(sizes.length, 2);
  });

  it("are refused with 401 without a valid signature, with 415 when they are no JSON", async () => {
    await using server = await start();
    let taken = 0;
    server.onRawMessage = () => void taken++;
    const body = notification(text("1"));
    for (
      const signature of [
        "",
        "sha256=",
        "sha256=" + "0".repeat(64),
        signNotification(encode(body), "other"),
        signNotification(encode(body + " "), SECRET),
      ]
    ) {
      assertEquals(await post(server, body, { headers: { "x-hub-signature-256": signature } }), 401);
    }
    assertEquals(await post(server, body, { headers: { "content-type": "text/plain" } }), 415);
    assertEquals(taken, 0);
    assertEquals(await post(server, body), 200);
    assertEquals(taken, 1);
  });

  it("without a signature are refused before their body is read", async () => {
    await using server = await start();
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(
      `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n`,
    );
    assertStringIncludes(decode((await socket.read())!), "HTTP/1.1 401 ");
    await socket.close();
  });

  it("are never taken unsigned because a secret is missing: only null waives it", async () => {
    const body = notification(text("1"));
    const lines = `Host: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${
      encode(body).length
    }\r\n`;
    const request = `POST / HTTP/1.1\r\n${lines}X-Hub-Signature-256: sha256=${"0".repeat(64)}\r\n\r\n${body}`;
    for (const [appSecret, status] of [[undefined, 401], ["", 401], ["s", 401], [null, 200]] as const) {
      const [ours, theirs] = pipe();
      const server = new WhatsAppServer({ appSecret, onError: () => {} });
      server.acceptStream(theirs);
      const writer = ours.writable.getWriter();
      writer.write(encode(request)).catch(() => {});
      writer.close().catch(() => {});
      assertStringIncludes(await new Response(ours.readable).text(), `HTTP/1.1 ${status} `);
    }
    for (const receiverToken of [undefined, ""]) {
      for (const shown of [undefined, "t"]) {
        const [ours, theirs] = pipe();
        new WhatsAppServer({ receiverToken, onError: () => {} }).acceptStream(theirs);
        const receiver = new WhatsAppReceiver("ws://localhost/", { receiverToken: shown });
        await assertRejects(() => receiver.connect({ stream: ours }), HandshakeError, "401");
      }
    }
  });

  it("can be stopped by onRawMessage, which sees the delivery; Meta still gets its 200", async () => {
    await using server = await start();
    const deliveries: WhatsAppDelivery[] = [];
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    const bodies = ["stop", "later", "throw", "pass"].map((body) => notification(text("1", body)));
    server.onRawMessage = (raw, delivery) => {
      deliveries.push(delivery);
      if (raw.includes("throw")) throw new Error("mine");
      if (raw.includes("later")) return Promise.resolve(false);
      return raw.includes("stop") ? false : undefined;
    };
    for (const body of bodies) assertEquals(await post(server, body), 200);
    await until(() => got.length === 2, "the two that pass");
    assertEquals(got, [bodies[2], bodies[3]]);
    assert(server.errors[0] instanceof HandlerError);
    const { bytes, signature, verified, receivedAt, remoteAddress } = deliveries[0]!;
    assertEquals([new TextDecoder().decode(bytes), signature], [
      bodies[0],
      signNotification(encode(bodies[0]!), SECRET),
    ]);
    assertEquals([verified, remoteAddress, receivedAt instanceof Date], [true, "127.0.0.1", true]);
    await receiver.disconnect();
  });

  it("leave other paths and requests to onCommandGet", async () => {
    await using server = await start({ onCommandGet: (request) => new Response(`mine ${request.method}`) });
    const base = urlOf(server).replace(PATH, "");
    assertEquals(await (await fetch(`${base}/health`)).text(), "mine GET");
    assertEquals(await (await fetch(`${base}/other`, { method: "POST", body: "x" })).text(), "mine POST");
    assertEquals(await (await fetch(urlOf(server))).text(), "mine GET");
    assertEquals(await (await fetch(urlOf(server), { method: "PUT" })).text(), "mine PUT");
  });
});

describe("receivers", () => {
  it("must show the token, in a header or as a subprotocol entry that is never echoed", async () => {
    await using server = await start({ receiverToken: "tökən/+" });
    for (const receiverToken of [undefined, "token", "tökən/"]) {
      await assertRejects(() => connect(server, { receiverToken }), HandshakeError, "401");
    }
    await (await connect(server, { receiverToken: "tökən/+" })).disconnect();
    const protocols = ["whatsapp-notifications", tokenProtocol("tökən/+")];
    const receiver = await connect(server, { receiverToken: undefined, protocols });
    assertEquals(receiver.protocol, "whatsapp-notifications");
    await receiver.disconnect();
    await assertRejects(
      () => connect(server, { receiverToken: undefined, protocols: [tokenProtocol("x")] }),
      HandshakeError,
    );
    await assertRejects(() => connect(server, { receiverToken: undefined, protocols: ["bearer.*"] }), HandshakeError);
  });

  it("may set the token after construction, and keep it beside headers of their own", async () => {
    await using server = await start();
    const receiver = new WhatsAppReceiver(urlOf(server).replace("http", "ws"));
    receiver.receiverToken = "token";
    receiver.headers = { "x-a": "b" };
    await receiver.connect();
    await receiver.disconnect();
  });

  it("get typed messages of what comes frame by frame too", async () => {
    await using server = await start({ splitMessage: true, frameSize: 50 });
    const ids: string[] = [];
    let frames = 0;
    const receiver = await connect(server, {
      options: { frameByFrame: true },
      onMessageReceived: () => void frames++,
      onWhatsAppMessageReceived: (message) => void ids.push(message.id),
    });
    await post(server, notification(text("1"), text("2")));
    await until(() => ids.length === 2, "both messages");
    assertEquals([ids, frames > 3], [["1", "2"], true]);
    await receiver.disconnect();
  });

  it("are asked for by onAllow too", async () => {
    await using server = await start({ onAllow: () => false });
    await assertRejects(() => connect(server), HandshakeError, "403");
  });

  it("use TLS, except to a loopback address", async () => {
    assertEquals(new WhatsAppReceiver().useSSL, true);
    const vague = new WhatsAppReceiver({ useSSL: undefined, protocols: undefined });
    assertEquals([vague.useSSL, vague.protocols.length], [true, 3]);
    const receiver = new WhatsAppReceiver("ws://example.com/");
    await assertRejects(() => receiver.connect(), OptionError, "TLS");
  });

  it("get raw text first, then one call for each message and status of each batch, in order", async () => {
    await using server = await start();
    const events: string[] = [];
    const receiver = await connect(server, {
      onMessageReceived: (raw) => void events.push(`raw ${raw.length > 0}`),
      onWhatsAppMessageReceived: (message) => void events.push(`${message.type} ${message.id}`),
      onStatusReceived: (status) => void events.push(`${status.status} ${status.id}`),
    });
    const value = {
      messages: [text("1"), { id: "2", type: "new" }],
      statuses: [{ id: "3", status: "read" }],
    };
    const other = { messages: [text("4"), { id: "5", type: "new" }], statuses: [{ id: "3", status: "sent" }] };
    const changes = [{ field: "messages", value }, { field: "account_update", value: {} }, {
      field: "messages",
      value: other,
    }];
    await post(server, JSON.stringify({ object: "whatsapp_business_account", entry: [{ id: "1", changes }] }));
    await post(server, "{}");
    const batch = ["text 1", "unknown 2", "read 3", "text 4", "unknown 5", "sent 3"];
    await until(() => events.length === 8, "8 events");
    assertEquals(events, ["raw true", ...batch, "raw true"]);
    await receiver.disconnect();
  });

  it("iterate over messages, each of a batch, at their own pace", async () => {
    const server = await start();
    const receiver = await connect(server);
    const { messages } = receiver;
    await post(server, notification(text("1"), text("2")));
    await post(server, '{"object":"page"}');
    await post(server, notification(text("3")));
    const ids: string[] = [];
    for await (const message of messages) {
      ids.push(message.id);
      if (ids.length === 3) void server.stop();
    }
    assertEquals(ids, ["1", "2", "3"]);
    await server.stop();
  });

  it("keep messages that arrive before a handler is set", async () => {
    await using server = await start();
    const receiver = await connect(server);
    let heard = false;
    const other = await connect(server, { onWhatsAppMessageReceived: () => void (heard = true) });
    await post(server, notification(text("1")));
    await until(() => heard, "the message at another receiver");
    await turns(2);
    const ids: string[] = [];
    receiver.onWhatsAppMessageReceived = (message) => void ids.push(message.id);
    await until(() => ids.length === 1, "the message");
    await Promise.all([receiver.disconnect(), other.disconnect()]);
  });

  it("that do not acknowledge do not hold up the others, nor Meta, when they do not read", async () => {
    await using server = await start({ maxBufferedAmount: 4 * 1024 * 1024 });
    const slow = new WhatsAppReceiver(urlOf(server).replace("http", "ws"), {
      receiverToken: "token",
      protocols: ["whatsapp-notifications"],
      autoCheckMessages: false,
    });
    await slow.connect();
    let got = 0;
    const fast = await connect(server, { onMessageReceived: () => void got++ });
    for (let index = 0; index < 30; index++) {
      assertEquals(await post(server, notification(text(`${index}`, "x".repeat(1_000_000)))), 200);
    }
    await until(() => got === 30, "30 notifications");
    assert(server.errors.some((error) => (error as { code: string }).code === "ERR_SLOW_CONSUMER"));
    await fast.disconnect();
    await slow.disconnect(false);
  });
});

describe("the pair over TLS", () => {
  it("delivers from end to end", async () => {
    await using server = await start({
      behindProxy: false,
      certificateFile: tlsFile("leaf.pem"),
      certificateKeyFile: tlsFile("traditional-aes256.key"),
      onGetSSLPassword: () => "secret",
    });
    const receiver = new WhatsAppReceiver(`wss://localhost:${server.address!.port}${PATH}`, {
      receiverToken: "token",
      rootCertificateFile: tlsFile("ca.pem"),
    });
    await receiver.connect();
    const body = notification(text("wamid.TLS", "Grüße"));
    const headers = {
      "content-type": "application/json",
      "x-hub-signature-256": signNotification(encode(body), SECRET),
    };
    const answer = await new Promise<string>((resolve, reject) => {
      const ca = readFileSync(tlsFile("ca.pem"));
      const target = { host: "localhost", port: server.address!.port, path: PATH, method: "POST", headers, ca };
      const outgoing = request({ ...target, agent: false }, (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding("utf8");
        response.on("data", (part: string) => text += part);
        response.on("end", () => resolve(text));
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
    assertEquals(answer, "200 OK\n");
    for await (const message of receiver.messages) {
      assertEquals([message.id, message.type === "text" && message.text.body], ["wamid.TLS", "Grüße"]);
      break;
    }
    await receiver.disconnect();
  });
});
