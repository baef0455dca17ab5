import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { dryFetch } from "../../cli/dry_run.ts";
import { Io } from "../support/cli_io.ts";

const URL_TEXT = "https://graph.facebook.com/v26.0/1065";
const headers = { authorization: "Bearer secret" };

/** Prints a request, and gives the answer. */
async function print(url: string, init: RequestInit, asJson: boolean): Promise<[lines: string[], answer: unknown]> {
  const io = new Io();
  const response = await dryFetch(io, asJson)(url, { method: "POST", headers, ...init });
  return [io.lines, await response.json()];
}

describe("dryFetch", () => {
  it("prints JSON to be read, or in one line, without header fields", async () => {
    const body = JSON.stringify({ type: "text" });
    const answer = { messages: [{ id: "wamid.NOT_SENT" }] };
    assertEquals(await print(`${URL_TEXT}/messages`, { body }, false), [
      [`POST ${URL_TEXT}/messages\n{\n  "type": "text"\n}`],
      answer,
    ]);
    assertEquals(await print(`${URL_TEXT}/messages`, { body }, true), [
      [`{"method":"POST","url":"${URL_TEXT}/messages","body":{"type":"text"}}`],
      answer,
    ]);
  });

  it("prints each field of a form, and not the bytes of its file", async () => {
    const form = new FormData();
    form.set("messaging_product", "whatsapp");
    form.set("file", new Blob(["12345"], { type: "application/pdf" }), "bill.pdf");
    const request = new Request(URL_TEXT, { method: "POST", body: form });
    const type = request.headers.get("content-type")!;
    const bytes = new Uint8Array(await request.arrayBuffer());
    for (const body of [bytes, new Blob([bytes]).stream()]) {
      const init = { body, headers: { ...headers, "content-type": type } };
      const [lines, answer] = await print(`${URL_TEXT}/media`, init, true);
      assertEquals(JSON.parse(lines[0]!).body, {
        messaging_product: "whatsapp",
        file: "bill.pdf, application/pdf, 5 bytes",
      });
      assertEquals(answer, { id: "ID_OF_THE_UPLOADED_FILE" });
    }
  });

  it("prints the size of any other body", async () => {
    const [lines] = await print(`${URL_TEXT}/media`, { body: new Uint8Array(7) }, true);
    assertEquals(JSON.parse(lines[0]!).body, "7 bytes");
  });
});
