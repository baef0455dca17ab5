/** A named receiver of the fail-over test, which comes back for ever and notes all that it gets. */

import { createHash } from "node:crypto";
import { WhatsAppReceiver } from "../../whatsapp.ts";
import type { Delivery, ReceiverRecord } from "./judge.ts";
import { SECRET, TOKEN } from "./node.ts";
import { sleep } from "./waiting.ts";

/** A named receiver of one node. */
export class Receiver implements ReceiverRecord {
  readonly name: string;
  readonly deliveries: Delivery[] = [];
  readonly gaps: { after: number; until: number }[] = [];
  readonly errors: string[] = [];
  /** Digests of the bodies that came. */
  readonly got: Set<string> = new Set();
  /** Resolves when the server has admitted its name. */
  readonly known: Promise<void>;
  #receiver: WhatsAppReceiver;
  #stopped = false;
  #running: Promise<void>;

  constructor(name: string, port: number) {
    this.name = name;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.known = promise;
    this.#receiver = new WhatsAppReceiver(`ws://127.0.0.1:${port}/whatsapp`, {
      name,
      receiverToken: TOKEN,
      appSecret: SECRET,
      // What comes twice is to be seen.
      deduplicate: false,
      onCaughtUp: () => resolve(),
      onGap: (after, until) => void this.gaps.push({ after, until }),
      onError: (error) => void this.errors.push(String(error)),
    });
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let connection = 1; !this.#stopped; connection++) {
      try {
        await this.#receiver.connect();
        for await (const { seq = 0, raw } of this.#receiver.notifications) {
          const digest = createHash("sha256").update(raw).digest("hex");
          this.got.add(digest);
          this.deliveries.push({ seq, digest, connection });
        }
      } catch {
        // The node could not read its journal: it closed the connection.
      }
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#receiver.disconnect(false);
    await this.#running;
  }
}
