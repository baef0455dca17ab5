import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash } from "node:crypto";
import { signNotification } from "../../cloud_api/signature.ts";
import { collectNotification } from "../../whatsapp/notification_body.ts";
import { encode } from "../support/support.ts";

const BODY = encode('{"object":"whatsapp_business_account","entry":[]}');
const SIGNATURE = signNotification(BODY, "s");

function stream(size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= BODY.length) return controller.close();
      controller.enqueue(BODY.slice(at, at += size));
    },
  });
}

describe("collectNotification", () => {
  it("collects, checks and hashes a body in pieces of any size", async () => {
    for (const size of [1, 7, BODY.length]) {
      const { bytes, authentic, digest } = await collectNotification(stream(size), SIGNATURE, ["other", "s"], "/a\n");
      assertEquals([bytes, authentic], [BODY, true]);
      assertEquals(digest, new Uint8Array(createHash("sha256").update("/a\n").update(BODY).digest()));
    }
  });

  it("is not authentic with another secret or none, and always where none is asked for", async () => {
    assertEquals((await collectNotification(stream(9), SIGNATURE, ["other"], "")).authentic, false);
    assertEquals((await collectNotification(stream(9), SIGNATURE, [], "")).authentic, false);
    assertEquals((await collectNotification(stream(9), "", null, "")).authentic, true);
  });

  it("takes no stream for an empty body", async () => {
    const { bytes, digest } = await collectNotification(null, "", null, "");
    assertEquals(bytes.length, 0);
    assertNotEquals(digest, (await collectNotification(stream(9), "", null, "")).digest);
  });

  it("rejects with the error of the stream", async () => {
    const broken = new ReadableStream<Uint8Array<ArrayBuffer>>({ pull: () => Promise.reject(new Error("lost")) });
    await assertRejects(() => collectNotification(broken, SIGNATURE, ["s"], ""), Error, "lost");
  });
});
