/**
 * Beats of the nodes of a backplane over Redis, which tell each other whom they hear. They show a link that works in one direction only:
 * where messages of a node do not arrive, only the others know.
 *
 * Each node publishes a beat at an interval: JSON with its ID, its name, the number of the beat, the number of beats since it listens
 * without a break, and the last beat that it heard of each node.
 *
 * @module
 */

import { printable } from "../base/log.ts";

/** Maximum of nodes in one beat, and of nodes remembered. */
const MAX_TOLD = 64;
const MAX_NODES = 256;
/** Number of later beats after which one that was not heard counts as lost. */
const PATIENCE = 3;
/** Number of own beats after which a node that was not heard counts as gone. */
const MAX_AGE = 6;
const MAX_NAME_LENGTH = 64;

/** One beat of a node. */
interface Beat {
  node: string;
  name: string;
  beat: number;
  since: number;
  heard: Readonly<Record<string, number>>;
}

/** A change of the link to a node. */
export interface WayChange {
  /** Its name, made printable and in quotes, or "itself". */
  name: string;
  /** Whether what this node publishes arrives there. */
  open: boolean;
}

interface Neighbour {
  /** Its last beat, and the one of this node that was the last when it came. */
  beat: number;
  at: number;
}

/** The nodes that one node knows. */
export class RedisNodes {
  #id: string;
  #name: string;
  #beat = 0;
  /** Beats that Redis has taken over the present connection. */
  #sent = 0;
  /** Beats that were sent while this node listened without a break. */
  #since = 0;
  #heard = new Map<string, Neighbour>();
  /** Nodes that do not hear this one, as far as was told. */
  #closed = new Set<string>();

  /**
   * Begins without other nodes.
   *
   * @param id Tells this node from others.
   * @param name What others call it in their errors.
   */
  constructor(id: string, name: string) {
    this.#id = id;
    this.#name = name;
  }

  /** The next beat. Those that were not heard for long are forgotten. */
  next(): string {
    this.#beat++;
    this.#since++;
    for (const [id, { at }] of this.#heard) {
      if (this.#beat - at <= MAX_AGE) continue;
      this.#heard.delete(id);
      if (id !== this.#id) this.#closed.delete(id);
    }
    const heard = Object.fromEntries([...this.#heard].slice(0, MAX_TOLD).map(([id, { beat }]) => [id, beat]));
    const beat: Beat = { node: this.#id, name: this.#name, beat: this.#beat, since: this.#since, heard };
    return JSON.stringify(beat);
  }

  /** Redis has taken the last beat. */
  sent(): void {
    this.#sent++;
  }

  /** Redis may not have taken the last beat, or publishing begins over another connection. */
  interrupted(): void {
    this.#sent = 0;
  }

  /** This node listens anew: what was sent before may have been missed. */
  listens(): void {
    this.#since = 0;
  }

  /**
   * Looks whether this node hears itself; if not, its connections lead to different servers.
   *
   * @returns What has changed.
   */
  checkOwn(): WayChange | undefined {
    if (this.#sent < PATIENCE || this.#since <= PATIENCE) return undefined;
    return this.#judge(this.#id, "itself", this.#heard.get(this.#id)?.beat);
  }

  /**
   * Takes a beat.
   *
   * @param text What came.
   * @returns What has changed; `"unknown"`: it is no beat.
   */
  take(text: string): WayChange | undefined | "unknown" {
    const beat = parseBeat(text);
    if (beat === undefined) return "unknown";
    if (this.#heard.has(beat.node) || this.#heard.size < MAX_NODES) {
      this.#heard.set(beat.node, { beat: beat.beat, at: this.#beat });
    }
    if (beat.node === this.#id || !this.#heard.has(beat.node)) return undefined;
    if (beat.since <= PATIENCE || this.#sent < PATIENCE) return undefined;
    const theirs = Object.hasOwn(beat.heard, this.#id) ? beat.heard[this.#id] : undefined;
    // A list that is full leaves some out.
    if (theirs === undefined && Object.keys(beat.heard).length >= MAX_TOLD) return undefined;
    return this.#judge(beat.node, JSON.stringify(printable(beat.name.slice(0, MAX_NAME_LENGTH))), theirs);
  }

  #judge(id: string, name: string, theirs: number | undefined): WayChange | undefined {
    const open = theirs !== undefined && this.#beat - theirs < PATIENCE;
    if (open !== this.#closed.has(id)) return undefined;
    if (open) this.#closed.delete(id);
    else this.#closed.add(id);
    return { name, open };
  }
}

function parseBeat(text: string): Beat | undefined {
  try {
    const { node, name, beat, since, heard } = JSON.parse(text) as Record<string, unknown>;
    const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
    if (typeof node !== "string" || typeof name !== "string" || !isCount(beat) || !isCount(since)) return undefined;
    if (typeof heard !== "object" || heard === null || !Object.values(heard).every(isCount)) return undefined;
    return { node, name, beat, since, heard } as Beat;
  } catch {
    return undefined;
  }
}
