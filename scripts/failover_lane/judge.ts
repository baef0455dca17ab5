/**
 * Judges a case of the fail-over test by what nodes and receivers have noted.
 *
 * Delivery is at least once: a notification may come to a receiver again
 *
 * - with the same number, on a later connection: it was not yet acknowledged when the one before was lost;
 * - with another number, if a node reported `ERR_JOURNAL_LOST`: the first number went down with the old primary, and
 *   the retry of Meta was kept as a new notification.
 *
 * A notification that got its 200 may be missing only if a node reported `ERR_JOURNAL_LOST`, and a gap of the receiver
 * covers its number.
 */

/** Notes of a node. */
export interface NodeRecord {
  /** Runtime and client. */
  readonly name: string;
  /** Numbers of each notification it kept, by the digest of its body. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
  readonly errors: readonly { code: string; message: string }[];
}

/** A notification that came to a receiver. */
export interface Delivery {
  seq: number;
  digest: string;
  /** Number of the connection on which it came. */
  connection: number;
}

/** Notes of a receiver. */
export interface ReceiverRecord {
  readonly name: string;
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly { after: number; until: number }[];
}

/** All that was seen in a case. */
export interface CaseRecord {
  /** Times of the 200s in ms, by the digest of the body. */
  readonly accepted: ReadonlyMap<string, number>;
  readonly nodes: readonly NodeRecord[];
  readonly receivers: readonly ReceiverRecord[];
  /** Maximum time without a 200, in ms. */
  readonly longestGap: number;
}

/** Numbers of one case, and what must not be. */
export interface Outcome {
  accepted: number;
  /** Notifications with a 200 that came to every receiver. */
  delivered: number;
  /** Those that did not, and of them those whose loss was told to each receiver that lacks them. */
  lost: number;
  told: number;
  /** Deliveries beyond the first one of a notification to a receiver, all receivers together. */
  twice: number;
  /** Longest time without a 200, in ms. */
  gap: number;
  /** Errors of all nodes, by code. */
  errors: Map<string, number>;
  faults: string[];
}

/** Judges a case. */
export function judge(record: CaseRecord): Outcome {
  const { accepted, nodes, receivers, longestGap } = record;
  const faults: string[] = [];
  const isLossTold = nodes.some(({ errors }) => errors.some(({ code }) => code === "ERR_JOURNAL_LOST"));
  const numbersOf = (digest: string): number[] => nodes.flatMap(({ kept }) => kept.get(digest) ?? []);
  const lost = new Set<string>();
  const allUntold = new Set<string>();
  for (const { name, deliveries, gaps } of receivers) {
    const got = new Set(deliveries.map(({ digest }) => digest));
    const isInGap = (digest: string): boolean =>
      numbersOf(digest).some((seq) => gaps.some(({ after, until }) => seq > after && seq <= until));
    const missing = [...accepted.keys()].filter((digest) => !got.has(digest));
    const untold = missing.filter((digest) => !isLossTold || !isInGap(digest));
    for (const digest of missing) lost.add(digest);
    for (const digest of untold) allUntold.add(digest);
    if (untold.length > 0) {
      const which = shorten(untold.flatMap(numbersOf));
      faults.push(`"${name}" did not get ${untold.length} of ${accepted.size} that got a 200, untold: ${which}`);
    }
  }
  const gap = longestPause([...accepted.values()]);
  if (gap > longestGap) faults.push(`No 200 for ${inSeconds(gap)} s, which may be ${inSeconds(longestGap)} s at most`);
  for (const receiver of receivers) faults.push(...repetitionFaults(receiver, isLossTold));
  return {
    accepted: accepted.size,
    delivered: accepted.size - lost.size,
    lost: lost.size,
    told: lost.size - allUntold.size,
    twice: receivers.reduce((sum, { deliveries }) => sum + countRepeated(deliveries), 0),
    gap,
    errors: countCodes(nodes),
    faults,
  };
}

/** Time in s with one digit. */
export function inSeconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

/** The longest time between two neighbours. */
function longestPause(times: number[]): number {
  times.sort((one, other) => one - other);
  let pause = 0;
  for (let at = 1; at < times.length; at++) pause = Math.max(pause, times[at]! - times[at - 1]!);
  return pause;
}

function countRepeated(deliveries: readonly Delivery[]): number {
  return deliveries.length - new Set(deliveries.map(({ digest }) => digest)).size;
}

/** Repetitions that the contract does not allow. */
function repetitionFaults({ name, deliveries }: ReceiverRecord, isLossTold: boolean): string[] {
  const bySeq = new Map<number, Delivery>();
  const byDigest = new Map<string, number>();
  const reused: number[] = [];
  const repeated: number[] = [];
  const renumbered: number[] = [];
  for (const delivery of deliveries) {
    const { seq, digest, connection } = delivery;
    const before = bySeq.get(seq);
    if (before !== undefined && before.digest !== digest) reused.push(seq);
    else if (before?.connection === connection) repeated.push(seq);
    if (!isLossTold && (byDigest.get(digest) ?? seq) !== seq) renumbered.push(seq);
    bySeq.set(seq, delivery);
    byDigest.set(digest, seq);
  }
  const faults: string[] = [];
  const add = (seqs: number[], how: string): void => {
    if (seqs.length > 0) faults.push(`"${name}" got ${seqs.length} ${how}: ${shorten(seqs)}`);
  };
  add(reused, "numbers a second time, with other bodies");
  add(repeated, "notifications twice on one connection");
  add(renumbered, "notifications again under other numbers, though no loss was told");
  return faults;
}

function countCodes(nodes: readonly NodeRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { code } of nodes.flatMap(({ errors }) => errors)) counts.set(code, (counts.get(code) ?? 0) + 1);
  return counts;
}

function shorten(seqs: number[]): string {
  const sorted = seqs.sort((one, other) => one - other);
  return sorted.length > 8 ? `${sorted.slice(0, 8).join(", ")}, …` : sorted.join(", ");
}
