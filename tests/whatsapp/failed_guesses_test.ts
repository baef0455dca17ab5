import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError } from "../../base/errors.ts";
import { FailedGuesses } from "../../whatsapp/failed_guesses.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../mod.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { FakeClock, pipe, settle, until } from "../support/support.ts";

/** A server that is reached over streams from addresses of the test's choice. */
class GuessedServer {
  readonly clock = new FakeClock();
  readonly server = new WhatsAppServer({
    clock: this.clock,
    behindProxy: true,
    hostname: "127.0.0.1",
    port: 0,
    appSecret: null,
    receiverToken: "right",
    verifyToken: "verify",
    journal: null,
    failureDelay: 1500,
    onError: () => {},
  });

  /** Connects; returns 101, or the status of the refusal. */
  async connect(hostname: string, options: WebSocketClientOptions): Promise<number> {
    const [ours, theirs] = pipe();
    this.server.acceptStream(theirs, { remoteAddress: { hostname, port: 1 } });
    const client = new WebSocketClient("ws://example.com/", { connectTimeout: 0, ...options });
    try {
      await client.connect({ stream: ours });
    } catch (error) {
      return (error as HandshakeError).status;
    }
    await client.disconnect(false);
    return 101;
  }

  guess(hostname: string): Promise<number> {
    return this.connect(hostname, { token: "wrong" });
  }

  async wrong(count: number): Promise<void> {
    await until(() => this.server.failedAttempts.receiverToken === count, `${count} wrong guesses`);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    assertEquals(this.clock.pending, 0);
  }
}

describe("guessing the token of a receiver", () => {
  it("gets 429 unchecked after 20 wrong tokens of one address, until the delay is over", async () => {
    const guessed = new GuessedServer();
    const guesses = Array.from({ length: 20 }, () => guessed.guess("203.0.113.1"));
    await guessed.wrong(20);
    // The right token too: otherwise the refusal would tell a right guess from a wrong one.
    assertEquals(await guessed.connect("203.0.113.1", { token: "right" }), 429);
    assertEquals(await guessed.guess("203.0.113.1"), 429);
    assertEquals(guessed.server.stats().refusals.failureDelay, 2);
    assertEquals(guessed.server.failedAttempts.receiverToken, 20);
    guessed.clock.advance(1500);
    assertEquals(await Promise.all(guesses), new Array(20).fill(401));
    assertEquals(await guessed.connect("203.0.113.1", { token: "right" }), 101);
    await guessed.stop();
  });

  it("sends Retry-After with the 429", async () => {
    const guessed = new GuessedServer();
    const guesses = Array.from({ length: 20 }, () => guessed.guess("203.0.113.1"));
    await guessed.wrong(20);
    const [ours, theirs] = pipe();
    guessed.server.acceptStream(theirs, { remoteAddress: { hostname: "203.0.113.1", port: 1 } });
    const client = new WebSocketClient("ws://example.com/", { token: "right" });
    const error = await assertRejects(() => client.connect({ stream: ours }), HandshakeError);
    assertEquals([error.status, error.headers?.get("retry-after")], [429, "2"]);
    await guessed.stop();
    await Promise.all(guesses);
  });

  it("counts per IPv6 network of 64 bits, and blocks no other network", async () => {
    const guessed = new GuessedServer();
    const guesses = Array.from({ length: 20 }, (_, index) => guessed.guess(`2001:db8:0:7::${index + 1}`));
    await guessed.wrong(20);
    assertEquals(await guessed.connect("2001:db8:0:7:ffff::1", { token: "right" }), 429);
    assertEquals(await guessed.connect("2001:db8:0:8::1", { token: "right" }), 101);
    assertEquals(await guessed.connect("203.0.113.9", { token: "right" }), 101);
    guessed.clock.advance(1500);
    await Promise.all(guesses);
    await guessed.stop();
  });

  it("is as slow for a client that does not wait for the answers", async () => {
    const guessed = new GuessedServer();
    for (let index = 0; index < 20; index++) {
      const [ours, theirs] = pipe();
      guessed.server.acceptStream(theirs, { remoteAddress: { hostname: "203.0.113.1", port: 1 } });
      const client = new WebSocketClient("ws://example.com/", { token: "wrong" });
      const refused = client.connect({ stream: ours }).catch(() => {});
      await guessed.wrong(index + 1);
      await client.disconnect(false);
      await refused;
    }
    assertEquals(await guessed.guess("203.0.113.1"), 429);
    await guessed.stop();
  });

  it("has a limit for each address, also while a hundred guesses wait", async () => {
    const guessed = new GuessedServer();
    const answers: number[] = [];
    for (let index = 0; index < 300; index++) {
      const hostname = `198.51.100.${index % 6}`;
      void guessed.guess(hostname).then((status) => void answers.push(status));
      await settle();
    }
    await until(() => answers.length === 200, "the answers that come at once");
    // 6 x 20 are looked at: 100 of them wait, 20 are beyond what may wait, and all others are not looked at.
    assertEquals(guessed.server.failedAttempts.receiverToken, 120);
    assertEquals(
      [answers.filter((status) => status === 401).length, answers.filter((status) => status === 429).length],
      [
        20,
        180,
      ],
    );
    guessed.clock.advance(1500);
    await until(() => answers.length === 300, "the others");
    await guessed.stop();
  });

  it("and that of the token of the URL's verification count together", async () => {
    const guessed = new GuessedServer();
    await guessed.server.start();
    const url = `http://127.0.0.1:${
      guessed.server.address!.port
    }/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=`;
    const get = async (token: string): Promise<number> => {
      const response = await fetch(url + token);
      await response.body?.cancel();
      return response.status;
    };
    const guesses = Array.from({ length: 100 }, () => guessed.guess("127.0.0.1"));
    await guessed.wrong(100);
    assertEquals([await get("wrong"), await get("verify")], [429, 429]);
    guessed.clock.advance(1500);
    await Promise.all(guesses);
    assertEquals(await get("verify"), 200);
    await guessed.stop();
  });
});

describe("stop of a WhatsAppServer", () => {
  it("sends the answers that are held back at once, and leaves no timer", async () => {
    const guessed = new GuessedServer();
    await guessed.server.start();
    const url = `ws://127.0.0.1:${guessed.server.address!.port}/`;
    const client = new WebSocketClient(url, { token: "wrong", connectTimeout: 0 });
    const refused = assertRejects(() => client.connect(), HandshakeError, "401");
    await guessed.wrong(1);
    assertEquals(guessed.clock.pending, 1);
    await guessed.server.stop();
    await refused;
    assertEquals(guessed.clock.pending, 0);
  });
});

describe("FailedGuesses", () => {
  it("remembers no more than 10 000 wrong guesses: the oldest are forgotten", async () => {
    const guesses = new FailedGuesses(new FakeClock(), 1000);
    for (let index = 0; index < 20; index++) void guesses.delayAnswer("203.0.113.1", "no");
    assertEquals(guesses.mayGuess("203.0.113.1"), false);
    for (let index = 0; index < 9_980; index++) void guesses.delayAnswer(`2001:db8:${index.toString(16)}::1`, "no");
    assertEquals(guesses.mayGuess("203.0.113.1"), false);
    await guesses.delayAnswer("203.0.113.2", "no");
    assertEquals(guesses.mayGuess("203.0.113.1"), true);
    guesses.release();
  });

  it("neither delays nor counts with a delay of 0", async () => {
    const clock = new FakeClock();
    const guesses = new FailedGuesses(clock, 0);
    for (let index = 0; index < 200; index++) assertEquals(await guesses.delayAnswer("203.0.113.1", "no"), "no");
    assertEquals([guesses.mayGuess("203.0.113.1"), clock.pending], [true, 0]);
  });
});
