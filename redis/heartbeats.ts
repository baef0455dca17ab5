/**
 * Heartbeats of the nodes of a backplane over Redis, which tell each other which nodes they hear. They reveal a path
 * that works in one direction only, since only the receiving nodes know that messages of a node do not arrive.
 *
 * Each node publishes a beat at an interval: JSON with its ID, its name, the number of the beat, the number of beats
 * since it listens without a break, and the last beat that it received of each node.
 *
 * @module
 */

import { printable } from "../base/log.ts";

/** Maximum of nodes listed in one beat, and of nodes remembered. */
const MAX_LISTED = 64;
const MAX_NODES = 256;
/** Number of later beats after which an unheard beat counts as lost. */
const PATIENCE = 3;
/** Number of own beats after which an unheard node counts as gone. */
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

/** A change of the path to a node. */
export interface PathChange {
  /** Name of the node, made printable and in quotes, or "itself". */
  name: string;
  /** `true` if messages of this node arrive there. */
  open: boolean;
}

interface Neighbour {
  /** Number of its last beat, and of the last beat of this node at that time. */
  beat: number;
  at: number;
}

/** Heartbeats of one node, and the other nodes that it hears. */
export class Heartbeats {
  #id: string;
  #name: string;
  #beat = 0;
  /** Number of beats that Redis has accepted over the present connection. */
  #sent = 0;
  /** Number of beats sent since this node listens without a break. */
  #since = 0;
  #neighbours = new Map<string, Neighbour>();
  /** Nodes reported not to hear this one. */
  #closed = new Set<string>();

  /**
   * Begins without other nodes.
   *
   * @param id Unique ID of this node.
   * @param name Name of this node in errors of other nodes.
   */
  constructor(id: string, name: string) {
    this.#id = id;
    this.#name = name;
  }

  /** Makes the next beat, and forgets nodes that are gone. */
  next(): string {
    this.#beat++;
    this.#since++;
    for (const [id, { at }] of this.#neighbours) {
      if (this.#beat - at <= MAX_AGE) continue;
      this.#neighbours.delete(id);
      if (id !== this.#id) this.#closed.delete(id);
    }
    const heard = Object.fromEntries([...this.#neighbours].slice(0, MAX_LISTED).map(([id, { beat }]) => [id, beat]));
    const beat: Beat = { node: this.#id, name: this.#name, beat: this.#beat, since: this.#since, heard };
    return JSON.stringify(beat);
  }

  /** Notes that Redis has accepted the last beat. */
  sent(): void {
    this.#sent++;
  }

  /** Notes that the last beat may be lost, or that another connection publishes from now on. */
  interrupted(): void {
    this.#sent = 0;
  }

  /** Notes that this node listens over a new connection: earlier beats may have been missed. */
  listens(): void {
    this.#since = 0;
  }

  /**
   * Checks whether this node hears itself; if not, its connections lead to different servers.
   *
   * @returns The change, if there is one.
   */
  checkOwn(): PathChange | undefined {
    if (this.#sent < PATIENCE || this.#since <= PATIENCE) return undefined;
    return this.#judge(this.#id, "itself", this.#neighbours.get(this.#id)?.beat);
  }

  /**
   * Takes a beat of any node.
   *
   * @param text The beat.
   * @returns The change, if there is one; `"unknown"` if the text is no beat.
   */
  take(text: string): PathChange | undefined | "unknown" {
    const beat = parseBeat(text);
    if (beat === undefined) return "unknown";
    if (this.#neighbours.has(beat.node) || this.#neighbours.size < MAX_NODES) {
      this.#neighbours.set(beat.node, { beat: beat.beat, at: this.#beat });
    }
    if (beat.node === this.#id || !this.#neighbours.has(beat.node)) return undefined;
    if (beat.since <= PATIENCE || this.#sent < PATIENCE) return undefined;
    const theirs = Object.hasOwn(beat.heard, this.#id) ? beat.heard[this.#id] : undefined;
    // A full list leaves nodes out.
    if (theirs === undefined && Object.keys(beat.heard).length >= MAX_LISTED) return undefined;
    return this.#judge(beat.node, JSON.stringify(printable(beat.name.slice(0, MAX_NAME_LENGTH))), theirs);
  }

  #judge(id: string, name: string, theirs: number | undefined): PathChange | undefined {
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
