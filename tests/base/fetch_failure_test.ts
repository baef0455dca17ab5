import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { failedBeforeRequest, fetchFailureText } from "../../base/fetch_failure.ts";

/** What `fetch` of this runtime throws. */
async function failureOf(url: string): Promise<unknown> {
  try {
    await (await fetch(url)).body?.cancel();
  } catch (error) {
    return error;
  }
  throw new Error(`${url} has answered`);
}

/** Serves TCP connections on a free port. */
async function listen(onConnect: (socket: import("node:net").Socket) => void) {
  const server = createServer(onConnect);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port: (server.address() as AddressInfo).port, close };
}

/** An error of Deno's, whose cause has the reason. */
function ofDeno(reason: string): TypeError {
  const url = "https://example.com/?secret=1";
  const cause = new Error(`error sending request for url (${url}): client error (Connect): ${reason}`);
  return new TypeError("fetch failed", { cause });
}

describe("failedBeforeRequest", () => {
  it("knows failures without a connection from those after it", async () => {
    const { port, close } = await listen((socket) => socket.once("data", () => socket.destroy()));
    assertEquals(failedBeforeRequest(await failureOf(`http://127.0.0.1:${port}/`)), false);
    await close();
    assertEquals(failedBeforeRequest(await failureOf(`http://127.0.0.1:${port}/`)), true);
    assertEquals(failedBeforeRequest(ofDeno("invalid peer certificate: UnknownIssuer")), true);
    assertEquals([failedBeforeRequest(new Error("other")), failedBeforeRequest(undefined)], [false, false]);
  });
});

describe("fetchFailureText", () => {
  it("says that nothing listens, in the words of no runtime", async () => {
    const { port, close } = await listen(() => {});
    await close();
    const text = fetchFailureText(await failureOf(`http://127.0.0.1:${port}/`));
    assertEquals(text, "nothing accepts connections there (ECONNREFUSED)");
  });

  it("says that the server left without an answer", async () => {
    const { port, close } = await listen((socket) => socket.once("data", () => socket.destroy()));
    const text = fetchFailureText(await failureOf(`http://127.0.0.1:${port}/`));
    await close();
    assertEquals(text, "the server has ended the connection without an answer");
  });

  it("says that the port does not speak TLS", async () => {
    const { port, close } = await listen((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 No\r\n\r\n")));
    const text = fetchFailureText(await failureOf(`https://127.0.0.1:${port}/`));
    await close();
    assertEquals(text, 'the server does not speak TLS on this port: use "http:"');
  });

  it("names the remedy for a certificate that is not trusted", () => {
    const ofBun = Object.assign(new TypeError("unable to verify the first certificate"), {
      code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    });
    for (const error of [ofDeno("invalid peer certificate: UnknownIssuer"), ofBun]) {
      assertEquals(
        fetchFailureText(error),
        "the certificate of the server is not trusted: name the file of its authority in the environment variable " +
          "DENO_CERT (Deno) or NODE_EXTRA_CA_CERTS (Bun)",
      );
    }
  });

  it("leaves out the URL, which may hold secrets, before a reason that it does not know", () => {
    assertEquals(fetchFailureText(ofDeno("an unusual reason")), "an unusual reason");
  });

  it("has the text of any other error", () => {
    assertEquals(fetchFailureText(new Error("no answer within 30 s")), "no answer within 30 s");
    assertEquals(fetchFailureText("a text"), "a text");
  });
});
