/**
 * The same scripts of calls on npm `ws` and on ours: events, their arguments and their order are the same. What differs
 * on purpose is in docs/ws.md, and tested beside it.
 */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { Opcode } from "../../protocol/frame_header.ts";
import { describePeer } from "../support/peers.ts";
import { encode, turns } from "../support/support.ts";
import { type Host, loadWs, play, type Script, startRig, Story } from "../support/ws_rig.ts";
import { attackWith, upgradeHead } from "../support/hostile.ts";
import * as ours from "../../ws.ts";

const scripts: Record<string, Script> = {
  "messages of both kinds": {
    serve(socket, story) {
      socket.on("message", (data, isBinary) => story.note("message", data, isBinary));
      socket.onmessage = ({ type, data, target }) => story.note("property", type, data, target === socket);
      socket.addEventListener("message", (event) => story.note("method", event.data));
    },
    async drive(client, story, socket) {
      client.send("Grüße");
      client.send(Uint8Array.of(1, 2, 255));
      client.send("");
      client.send(new Uint8Array(0));
      client.sendFrame(Opcode.Text, "frag", false);
      client.sendFrame(Opcode.Continuation, "", false);
      client.sendFrame(Opcode.Continuation, "ments", true);
      await story.until("method", 5);
      for (const type of ["arraybuffer", "fragments", "nodebuffer", "blob?"] as const) {
        socket.binaryType = type as "nodebuffer";
        story.note("type", socket.binaryType);
        client.send(Uint8Array.of(7, 8));
        client.send("text");
        await story.until("method", ["arraybuffer", "fragments", "nodebuffer", "blob?"].indexOf(type) * 2 + 7);
      }
      void client.close(1000);
    },
  },
  "bursts, with pauses in between": {
    serve(socket, story) {
      socket.on("message", (data) => {
        story.note("message", String(data), socket.isPaused);
        if (String(data) !== "pause") return;
        socket.pause();
        story.note("paused", socket.isPaused);
      });
    },
    async drive(client, story, socket) {
      for (let index = 0; index < 50; index++) client.send(`${index}`);
      client.send("pause");
      await story.until("paused");
      await client.drained();
      client.send("later");
      await client.drained();
      await turns(5);
      story.note("resume");
      socket.resume();
      await story.until("message", 52);
      void client.close(1000);
    },
  },
  "a close frame of the peer with a code": {
    serve(socket, story) {
      socket.onclose = ({ type, code, reason, wasClean }) => story.note("onclose", type, code, reason, wasClean);
    },
    drive: (client) => client.close(3001, "bye"),
  },
  "a close frame of the peer without a code": { serve() {}, drive: (client) => client.close() },
  "a peer that vanishes": {
    serve(socket, story) {
      socket.on("error", () => story.note("error"));
      socket.onclose = ({ code, reason, wasClean }) => story.note("onclose", code, reason, wasClean);
    },
    drive: (client) => client.terminate(),
  },
  "close() without a code": {
    serve(socket, story) {
      story.note("states", socket.readyState, socket.OPEN, socket.protocol, socket.extensions);
      socket.close();
      story.note("after close", socket.readyState);
      socket.close(5);
      socket.send("x", (error) => story.note("sent", error));
      socket.send("y");
      socket.ping("z", false, (error: Error) => story.note("pinged", error ?? "fine"));
    },
    drive: async (client, story) => story.note("the client got", (await client.closed).code),
  },
  "close() with a code and a reason": {
    serve: (socket) => socket.close(4001, Buffer.from("Grüße")),
    async drive(client, story) {
      const { code, reason } = await client.closed;
      story.note("the client got", code, reason);
    },
  },
  "terminate()": {
    serve(socket) {
      socket.on("close", () => socket.terminate());
    },
    async drive(client, story, socket) {
      socket.terminate();
      story.note("after terminate", socket.readyState);
      await client.closed;
    },
  },
  "calls after the end": {
    serve(socket, story) {
      socket.on("close", () => {
        socket.send("x", (error) => story.note("sent", error));
        socket.send("y");
        socket.ping();
        socket.pong();
        socket.close();
        socket.pause();
        socket.resume();
        story.note("states", socket.readyState, socket.isPaused);
      });
    },
    async drive(client, story) {
      await client.close();
      await story.until("sent");
    },
  },
  "pings and pongs": {
    serve(socket, story) {
      socket.on("ping", (data) => story.note("ping", data));
      socket.on("pong", (data) => story.note("pong", data));
    },
    async drive(client, story, socket) {
      await client.ping("to the server");
      await story.until("ping");
      socket.ping();
      await story.until("pong");
      socket.ping("text");
      socket.ping(Uint8Array.of(1, 2), false);
      socket.ping(12);
      await story.until("pong", 4);
      client.pong("unasked");
      await story.until("pong", 5);
      socket.ping("with callback", (error: Error) => story.note("pinged", error ?? "fine"));
      await story.until("pong", 6);
      await story.until("pinged");
      void client.close();
    },
  },
  "pings without automatic answer": {
    options: { autoPong: false },
    serve: (socket) => void socket.on("ping", (data) => socket.pong(`own ${data}`)),
    async drive(client, story) {
      client.ping("a").catch(() => {});
      void client.close();
      await story.until("close");
    },
  },
  "wrong arguments": {
    serve(socket, story) {
      const attempt = (name: string, call: () => unknown): void => {
        try {
          call();
          story.note(name, "fine");
        } catch (error) {
          story.note(name, "thrown", error instanceof Error);
        }
      };
      attempt("code 1005", () => socket.close(1005));
      attempt("code 999", () => socket.close(999));
      attempt("long reason", () => socket.close(1000, "a".repeat(124)));
      attempt("long ping", () => socket.ping("a".repeat(126)));
      attempt("long pong", () => socket.pong("a".repeat(126)));
      attempt("send true", () => socket.send(true as never));
      attempt("send an object", () => socket.send({} as never));
      attempt("longest reason", () => socket.close(1000, "a".repeat(123)));
    },
    drive: async (client, story) => story.note("the client got", (await client.closed).reason.length),
  },
  "listeners that come and go": {
    serve(socket, story) {
      const listener = (event: { data: unknown }): void => story.note("listener", event.data);
      const object = { handleEvent: (event: { data: unknown }): void => story.note("object", event.data) };
      socket.addEventListener("message", listener);
      socket.addEventListener("message", listener);
      socket.addEventListener("message", object);
      socket.addEventListener("message", () => story.note("once"), { once: true });
      socket.onmessage = () => story.note("replaced");
      const property = (): void => story.note("property");
      socket.onmessage = property;
      story.note("getter", socket.onmessage === property, socket.onclose, socket.listenerCount("message"));
      socket.onopen = 5 as never;
      story.note("no function", socket.onopen);
      socket.once("message", (data) => {
        story.note("of once", String(data));
        socket.removeEventListener("message", listener);
        socket.onmessage = null;
        socket.removeEventListener("message", object);
      });
      socket.addEventListener("nothing" as "open", () => {});
      story.note("names", socket.eventNames().filter((name) => name !== "close"));
    },
    async drive(client, story) {
      client.send("1");
      await story.until("of once");
      client.send("2");
      await client.ping();
      await client.close();
    },
  },
  "a text that is not UTF-8": {
    serve: (socket, story) => void socket.on("error", (error) => story.note("error", error)),
    drive: (client) => void client.sendFrame(Opcode.Text, Uint8Array.of(0xc3, 0x28), true),
  },
  "a message beyond maxPayload": {
    options: { maxPayload: 10 },
    serve(socket, story) {
      socket.on("message", (data) => story.note("message", data));
      socket.onerror = ({ type, error }) => story.note("onerror", type, error);
    },
    async drive(client, story) {
      client.send(new Uint8Array(10));
      client.send(new Uint8Array(11));
      story.note("the client got", (await client.closed).code);
    },
  },
};

/** Messages to send, and how the client gets them. */
const sent: [name: string, send: (socket: ours.WebSocket) => void][] = [
  ["a string", (socket) => socket.send("Grüße")],
  ["an empty string", (socket) => socket.send("")],
  ["a number", (socket) => socket.send(12.5)],
  ["nothing", (socket) => socket.send(undefined)],
  ["null", (socket) => socket.send(null)],
  ["a Buffer", (socket) => socket.send(Buffer.from("bytes"))],
  ["a part of an ArrayBuffer", (socket) => socket.send(new Uint8Array(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2))],
  ["an ArrayBuffer", (socket) => socket.send(Uint8Array.of(5, 6).buffer)],
  ["a DataView", (socket) => socket.send(new DataView(Uint8Array.of(1, 2, 3).buffer, 1))],
  ["a Float64Array", (socket) => socket.send(Float64Array.of(1.5))],
  ["a list of octets", (socket) => socket.send([1, 2, 3])],
  ["a Blob", (socket) => socket.send(new Blob(["blob"]))],
  ["a string as binary", (socket) => socket.send("Grüße", { binary: true })],
  ["bytes as text", (socket) => socket.send(encode("Grüße"), { binary: false })],
  ["without compression", (socket) => socket.send("a".repeat(2000), { compress: false })],
  ["with compression", (socket) => socket.send("a".repeat(2000), { compress: true })],
  ["fragments of a text", (socket) => {
    socket.send("frag", { fin: false });
    socket.send("men", { fin: false, binary: true });
    socket.send("ts");
  }],
  ["fragments of bytes", (socket) => {
    socket.send(Uint8Array.of(1), { fin: false });
    socket.send(Uint8Array.of(2), { fin: true });
  }],
];

for (const perMessageDeflate of [false, true, { threshold: 0, serverNoContextTakeover: true }]) {
  scripts[`what the client gets, perMessageDeflate ${JSON.stringify(perMessageDeflate)}`] = {
    options: { perMessageDeflate },
    client: { compression: true },
    serve: (socket, story) => story.note("extensions", socket.extensions),
    async drive(client, story, socket) {
      for (const [name, send] of sent) {
        const received = client.receive();
        send(socket);
        const data = await received;
        story.note(name, typeof data === "string" ? data : [...data]);
      }
      void client.close();
    },
  };
}

scripts["callbacks of a burst, in order"] = {
  serve(socket, story) {
    for (let index = 0; index < 100; index++) {
      socket.send(`${index}`, (error) => story.note("sent", index, error ?? "fine"));
    }
    socket.send(new Blob(["blob"]), (error) => story.note("sent", "blob", error ?? "fine"));
    socket.send("behind the blob", (error) => story.note("sent", "behind", error ?? "fine"));
  },
  async drive(client, story) {
    for (let index = 0; index < 102; index++) story.note("got", String(await client.receive()).length);
    await story.until("sent", 102);
    void client.close();
  },
};

describePeer("ws and ours", "npm:ws@8.23.0 in a folder", (folder) => {
  const theirs = loadWs(folder[0]);
  const notesOf = async (host: Host, script: Script): Promise<unknown[]> => {
    const notes = await play(host, script);
    // Callbacks of `send` come when the operating system has the bytes: before or after other events.
    const isSent = (entry: unknown): boolean => (entry as unknown[])[0] === "sent";
    return [notes.filter((entry) => !isSent(entry)), notes.filter(isSent)];
  };
  for (const [name, script] of Object.entries(scripts)) {
    it(`tell the same story of ${name}`, async () => {
      assertEquals(await notesOf(ours as Host, script), await notesOf(theirs, script));
    });
  }

  const handshakes: [string, ours.WebSocketServerOptions, head?: string[]][] = [
    ["no option", {}],
    ["offers", {}, ["Sec-WebSocket-Protocol: a, b"]],
    ["handleProtocols that chooses", { handleProtocols: (set) => [...set].at(-1)! }, ["Sec-WebSocket-Protocol: a, b"]],
    ["handleProtocols that chooses none", { handleProtocols: () => false }, ["Sec-WebSocket-Protocol: a, b"]],
    ["handleProtocols without offers", { handleProtocols: () => "c" }],
    [
      "verifyClient that agrees",
      { verifyClient: ({ origin, req }) => origin === "http://a" && req.url === "/hostile" },
      [
        "Origin: http://a",
      ],
    ],
    ["verifyClient that refuses", { verifyClient: () => false }],
    ["verifyClient that agrees by its callback", { verifyClient: (_info, answer) => answer(true) }],
    ["verifyClient that agrees later", { verifyClient: (_info, answer) => void turns().then(() => answer(true)) }],
    ["verifyClient that refuses with a status", {
      verifyClient: (_info, answer) => answer(false, 429, "slowly", { "Retry-After": 5 }),
    }],
    ["verifyClient that refuses later", { verifyClient: (_info, answer) => void turns().then(() => answer(false)) }],
    ["another path", { path: "/chat" }],
    ["its path", { path: "/hostile" }],
    ["compression that is offered", { perMessageDeflate: true }, ["Sec-WebSocket-Extensions: permessage-deflate"]],
    ["compression that is not wanted", {}, ["Sec-WebSocket-Extensions: permessage-deflate"]],
    ["a malformed offer", {}, ["Sec-WebSocket-Protocol: a,,b c"]],
    ["an offer twice", {}, ["Sec-WebSocket-Protocol: a, a"]],
  ];
  for (const [name, options, lines = []] of handshakes) {
    it(`answer a handshake the same way: ${name}`, async () => {
      const answers = [];
      for (const host of [ours as Host, theirs]) {
        const story = new Story();
        const rig = await startRig(host, options, (socket, request) => {
          story.note("open", request.url, socket.protocol, socket.extensions, socket.readyState);
          socket.close(1000);
        });
        rig.wss.on("headers", (lines) => void lines.push("X-Added: yes", "Set-Cookie: a=b"));
        const answer = await attackWith(rig.port, upgradeHead(...lines), undefined, { answered: true, stay: 5000 });
        const [head] = answer.split("\r\n\r\n");
        const wanted = /^(HTTP|sec-websocket-(protocol|accept|extensions)|x-added|set-cookie|retry-after)/i;
        const fields = head!.split("\r\n").filter((line) => wanted.test(line)).map((line) => line.toLowerCase());
        answers.push([fields.sort(), story.entries]);
        await rig.close();
      }
      assertEquals(answers[0], answers[1]);
    });
  }
});
