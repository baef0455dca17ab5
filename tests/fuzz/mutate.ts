/** Mutations by which fuzz targets make valid input invalid. */

import { concat } from "../../base/bytes.ts";
import type { Random } from "../support/support.ts";

/** Spoils bytes in a few places: bits, runs, cuts, copies, and words of the format. */
export function mutate(random: Random, bytes: Uint8Array, words: readonly Uint8Array[] = []): Uint8Array<ArrayBuffer> {
  let mutant = new Uint8Array(bytes);
  for (let count = 1 + random.int(4); count > 0; count--) mutant = mutateOnce(random, mutant, words);
  return mutant;
}

function mutateOnce(random: Random, bytes: Uint8Array, words: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const at = random.int(bytes.length + 1);
  const to = at + random.int(Math.min(bytes.length - at, 64) + 1);
  const insert = (piece: Uint8Array): Uint8Array<ArrayBuffer> =>
    concat(bytes.subarray(0, at), piece, bytes.subarray(at));
  switch (random.int(8)) {
    case 0: {
      const flipped = new Uint8Array(bytes);
      flipped[at]! ^= 1 << random.int(8);
      return flipped;
    }
    case 1: {
      const replaced = new Uint8Array(bytes);
      replaced[at] = random.pick([0x00, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, random.int(256)]);
      return replaced;
    }
    case 2:
      return insert(random.bytes(1 + random.int(16)));
    case 3:
      return concat(bytes.subarray(0, at), bytes.subarray(to));
    case 4:
      return insert(bytes.subarray(at, to));
    case 5:
      return new Uint8Array(bytes.subarray(0, at));
    case 6:
      return words.length === 0 ? insert(Uint8Array.of(random.int(256))) : insert(random.pick(words));
    default: {
      const piece = bytes.slice(at, to);
      return concat(...Array.from({ length: 1 + random.int(20) }, () => piece), bytes.subarray(at));
    }
  }
}
