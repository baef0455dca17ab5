/** For tests of several servers with a journal in Redis: one server's journal, and an address that leads to one Redis or another. */

import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { JournalError } from "../errors.ts";
import type { JournalEntry, NewEntry } from "../journal.ts";
import { RedisJournal, type RedisJournalOptions } from "../redis_journal.ts";
import type { ClientMaker, ProgramClient } from "./redis.ts";
import { decode, encode } from "./support.ts";

export function entry(body: string, more: Partial<NewEntry> = {}): NewEntry {
  const bytes = encode(body);
  const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
  return { bytes, signature: "", receivedAt: new Date(0), digest, forward: true, ...more };
}

export const bodies = (entries: readonly JournalEntry[]): string[] => entries.map(({ bytes }) => decode(bytes));

/** One server's journal, and what it was told. */
export class Node {
  readonly told: string[] = [];
  readonly seqs: number[] = [];
  readonly errors: JournalError[] = [];

  private constructor(readonly journal: RedisJournal, readonly program: ProgramClient) {
    journal.listen({
      appended: ({ seq, bytes }) => {
        this.told.push(decode(bytes));
        this.seqs.push(seq);
      },
      error: (error) => void this.errors.push(error),
    });
  }

  static async open(make: ClientMaker, url: string, options: RedisJournalOptions = {}): Promise<Node> {
    const program = await make(url);
    try {
      return new Node(await RedisJournal.open(program.client, options), program);
    } catch (error) {
      await program.close();
      throw error;
    }
  }

  /** Appends bodies, each as soon as Redis takes it. */
  async append(...bodies: string[]): Promise<number[]> {
    const seqs: number[] = [];
    for (const body of bodies) {
      for (let tries = 1;; tries++) {
        try {
          seqs.push((await this.journal.append(entry(body))).seq);
          break;
        } catch (error) {
          if (tries === 1000) throw error;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    }
    return seqs;
  }

  /** The messages of errors with a code. */
  messages(code: string): string[] {
    return this.errors.filter((error) => error.code === code).map(({ message }) => message);
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.program.close();
  }
}

/** A port that leads to one Redis, then to another. What is connected stays where it is, until it is cut. */
export class ServiceAddress {
  target: number;
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    server.on("connection", (client) => {
      // Port 0: nobody answers.
      if (this.target === 0) client.destroy();
      else this.#join(client, connect(this.target, "127.0.0.1"));
    });
  }

  static listen(target: number): Promise<ServiceAddress> {
    const server = createServer();
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve(new ServiceAddress(server, target)));
    });
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  #join(client: Socket, redis: Socket): void {
    for (const [socket, other] of [[client, redis], [redis, client]]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  /** Leads elsewhere from now on, and ends what is connected. */
  lead(target: number): void {
    this.target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.lead(0);
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
