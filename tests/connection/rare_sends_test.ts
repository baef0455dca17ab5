import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runInNewContext } from "node:vm";
import type { MessageData, SendBytes, SendData } from "../../protocol/payload.ts";
import { join } from "../support/ends.ts";
import { until } from "../support/support.ts";

describe("send", () => {
  for (const compression of [false, { threshold: 0 }]) {
    it(`takes bytes of each kind, on both ends${compression ? ", compressed" : ""}`, async () => {
      const { client, peer, server, atServer, atClient, close } = await join({ compression }, { compression });
      const shared = new SharedArrayBuffer(4);
      new Uint8Array(shared).set([1, 2, 3, 4]);
      const bytes = Uint8Array.of(1, 2, 3, 4);
      const kinds: SendBytes[] = [
        bytes,
        bytes.buffer,
        new DataView(bytes.buffer),
        new Float32Array(bytes.buffer),
        shared,
        new Int16Array(shared),
        new Blob([bytes]),
        runInNewContext("Uint8Array.of(1, 2, 3, 4)"),
        runInNewContext("Uint8Array.of(1, 2, 3, 4).buffer"),
      ];
      const all: SendData[] = [...kinds, "end"];
      for (const data of all) client.send(data);
      for (const data of all) peer.send(data);
      for (const data of kinds) assertEquals(server.broadcastData(data), 1);
      for (const data of kinds) assertEquals(server.sendDataTo(data, () => true), 1);
      void peer.subscribe("topic");
      for (const data of all) assertEquals(server.publish("topic", data), 1);
      peer.send("last");
      await until(() => atClient.at(-1)?.[0] === "last" && atServer.at(-1)?.[0] === "end", "the messages");
      const got = kinds.map((): [MessageData] => [bytes]);
      assertEquals(atServer, [...got, ["end"]]);
      assertEquals(atClient, [...got, ["end"], ...got, ...got, ...got, ["end"], ["last"]]);
      await close();
    });
  }
});
