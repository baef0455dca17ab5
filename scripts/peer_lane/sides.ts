/** Connections with a peer's programs: our client to its server, and its client to our server. */

import { WebSocketClient } from "../../client.ts";
import { WebSocketServer } from "../../server.ts";
import { systemClock } from "../../base/clock.ts";
import type { ConnectionOptions } from "../../connection/options.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { Deadline } from "./deadline.ts";
import { describeRefusal, OK, Unexpected } from "./outcome.ts";
import type { PeerRole } from "./peer.ts";
import { type Case, type CaseSession, outcomeOf, type SessionSettings } from "./play.ts";
import { Program } from "./program.ts";
import { type Playable, Session } from "./session.ts";

/** Longest time in which a server starts to take connections, in ms. */
const START_TIMEOUT = 60_000;
/** Longest time from the end of a connection to the line of the program, in ms. */
const PRINT_TIMEOUT = 3000;

/** A program's command line and folder. */
export interface Start {
  command: readonly string[];
  folder: string;
  /** Line of a client that our server waits for before it sends. */
  waitsFor: string | undefined;
}

/** Plays cases with one program of a peer. */
export interface Side {
  /** Plays a case; returns its outcome. */
  play(one: Case): Promise<string>;
  /** Ends the program. */
  stop(): Promise<void>;
}

/**
 * Makes the side for a role of the peer.
 *
 * @param written Called with what a program wrote, when it is killed.
 */
export function sideOf(role: PeerRole, start: Start, written: (text: string) => void): Side {
  return role === "server" ? new ServerSide(start, written) : new ClientSide(start, written);
}

const file = (name: string): string => decodeURIComponent(new URL(`../../tests/tls/${name}`, import.meta.url).pathname);

/** Settings of our side. No ping comes by itself, and limits are above the largest message. */
function settingsOf({ frameSize = 0 }: SessionSettings): ConnectionOptions {
  return {
    pingInterval: 0,
    messageTimeout: 0,
    maxMessageSize: 2 ** 26,
    maxBufferedAmount: 2 ** 26,
    closeTimeout: 5000,
    splitMessage: frameSize > 0,
    frameSize,
  };
}

function deflateVariable({ compression }: SessionSettings): Record<string, string> {
  return { PEER_DEFLATE: compression === undefined ? "off" : "on" };
}

/** Waits for the line `closed CODE`, and takes the code. */
async function printedBy(program: Program, from: number): Promise<string | undefined> {
  const line = await program.waitForLine(from, (line) => /^closed( \d+)?$/.test(line), PRINT_TIMEOUT);
  return line?.slice("closed".length).trim();
}

/** Plays each connection of a case until one has an outcome other than "ok", which may be a failure to connect. */
async function playAll({ sessions }: Case, play: (session: CaseSession) => Promise<string>): Promise<string> {
  try {
    for (const session of sessions) {
      const outcome = await play(session);
      if (outcome !== OK) return outcome;
    }
    return OK;
  } catch (error) {
    if (error instanceof Unexpected) return error.outcome;
    throw error;
  }
}

/** A server of the peer, which lives as long as its environment fits and nothing went wrong. */
class ServerSide implements Side {
  readonly #start: Start;
  readonly #written: (text: string) => void;
  #program: Program | undefined;
  #environment = "";
  #port = 0;

  constructor(start: Start, written: (text: string) => void) {
    this.#start = start;
    this.#written = written;
  }

  play(one: Case): Promise<string> {
    return playAll(one, (session) => this.#session(session, one.timeout));
  }

  async stop(): Promise<void> {
    if (this.#program === undefined) return;
    await this.#program.kill();
    this.#written(this.#program.text);
    this.#program = undefined;
  }

  async #session(session: CaseSession, timeout: number): Promise<string> {
    const program = await this.#run(session);
    const from = program.lines.length;
    using deadline = new Deadline(timeout, systemClock);
    const failures: unknown[] = [];
    const client = new WebSocketClient(`${session.tls ? "wss" : "ws"}://localhost:${this.#port}/`, {
      ...settingsOf(session),
      compression: session.compression ?? false,
      rootCertificateFile: session.tls ? file("ca.pem") : "",
      onError: (error) => void failures.push(error),
    });
    try {
      await deadline.race(client.connect());
    } catch (error) {
      await this.stop();
      throw error instanceof Unexpected ? error : new Unexpected(describeRefusal(error));
    }
    const connection: Playable = client.connection!;
    const printed = (): Promise<string | undefined> => printedBy(program, from);
    const outcome = await outcomeOf(
      session,
      new Session(connection, {
        peer: "server",
        failure: () => failures[0],
        inflated: () => client.stats().inflated.plain,
        printed,
      }, deadline),
    );
    await this.#finish(connection, outcome === OK, printed);
    return outcome;
  }

  /** Leaves a server that is as new, or none. */
  async #finish(connection: Playable, isOk: boolean, printed: () => Promise<string | undefined>): Promise<void> {
    if (!isOk) connection.terminate();
    await connection.close();
    if (!isOk || await printed() === undefined) await this.stop();
  }

  async #run(session: CaseSession): Promise<Program> {
    const env = {
      ...deflateVariable(session),
      ...session.tls ? { PEER_CERT: file("leaf.pem"), PEER_KEY: file("leaf.key") } : {},
    };
    const environment = JSON.stringify(env);
    if (this.#program !== undefined && !this.#program.hasEnded && this.#environment === environment) {
      return this.#program;
    }
    await this.stop();
    this.#environment = environment;
    this.#port = await freePort();
    const { command, folder } = this.#start;
    this.#program = new Program(command, folder, { ...env, PEER_PORT: String(this.#port) });
    if (await this.#program.waitForPort(this.#port, START_TIMEOUT)) return this.#program;
    await this.stop();
    throw new Unexpected("does not start");
  }
}

/** A client of the peer, which is started for each connection. */
class ClientSide implements Side {
  readonly #start: Start;
  readonly #written: (text: string) => void;

  constructor(start: Start, written: (text: string) => void) {
    this.#start = start;
    this.#written = written;
  }

  play(one: Case): Promise<string> {
    return playAll(one, (session) => this.#session(session, one.timeout));
  }

  async stop(): Promise<void> {}

  async #session(session: CaseSession, timeout: number): Promise<string> {
    const failures: unknown[] = [];
    const opened = Promise.withResolvers<Playable>();
    await using server = new WebSocketServer({
      hostname: "127.0.0.1",
      port: 0,
      ...settingsOf(session),
      compression: session.compression ?? false,
      ...session.tls ? { useSSL: true, certificateFile: file("leaf.pem"), certificateKeyFile: file("leaf.key") } : {},
      onOpen: (connection) => opened.resolve(connection),
      onError: (error) => void failures.push(error),
    });
    await server.start();
    const program = this.#run(session, server.address!.port);
    using deadline = new Deadline(timeout, systemClock);
    try {
      const connection = await this.#opened(deadline.race(Promise.race([opened.promise, program.ended])), failures);
      await this.#ready(program, timeout);
      return await outcomeOf(
        session,
        new Session(connection, {
          peer: "client",
          failure: () => failures[0],
          inflated: () => server.stats().inflated.plain,
          printed: () => printedBy(program, 0),
        }, deadline),
      );
    } finally {
      await program.kill();
      this.#written(program.text);
    }
  }

  /** Waits for a connection; the program may end instead, or wait for an answer that our server does not give. */
  async #opened(connection: Promise<Playable | void>, failures: readonly unknown[]): Promise<Playable> {
    const opened = await connection.catch((error: unknown) => {
      if (failures.length === 0) throw error;
    });
    if (opened) return opened;
    throw new Unexpected(failures.length > 0 ? describeRefusal(failures[0]) : "does not connect");
  }

  async #ready(program: Program, timeout: number): Promise<void> {
    const { waitsFor } = this.#start;
    if (waitsFor !== undefined) await program.waitForLine(0, (line) => line === waitsFor, timeout);
  }

  #run(session: CaseSession, port: number): Program {
    const { command, folder } = this.#start;
    return new Program(command, folder, {
      ...deflateVariable(session),
      PEER_URL: `${session.tls ? "wss" : "ws"}://localhost:${port}/`,
      ...session.tls ? { PEER_CA: file("ca.pem") } : {},
    });
  }
}
