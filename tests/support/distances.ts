/** Reads a DEFLATE stream (RFC 1951) only to say how far back it refers: what zlib hides, and a window must hold. */

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131];
LENGTH_BASE.push(163, 195, 227, 258);
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

class BitReader {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  get atEnd(): boolean {
    return this.#at >= this.bytes.length * 8;
  }

  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++, this.#at++) {
      if (this.atEnd) throw new Error("the stream ends inside a block");
      value |= ((this.bytes[this.#at >> 3]! >> (this.#at & 7)) & 1) << index;
    }
    return value;
  }

  toByte(): void {
    this.#at = (this.#at + 7) & ~7;
  }
}

/** A canonical Huffman code: the symbol by code and length. */
function huffman(lengths: number[]): Map<number, number> {
  const codes = new Map<number, number>();
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    code <<= 1;
    lengths.forEach((of, symbol) => {
      if (of === length) codes.set(code++ | (length << 16), symbol);
    });
  }
  return codes;
}

function readSymbol(reader: BitReader, codes: Map<number, number>): number {
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    code = (code << 1) | reader.bits(1);
    const symbol = codes.get(code | (length << 16));
    if (symbol !== undefined) return symbol;
  }
  throw new Error("a code of no symbol");
}

const FIXED = {
  literals: huffman(Array.from({ length: 288 }, (_, at) => at < 144 ? 8 : at < 256 ? 9 : at < 280 ? 7 : 8)),
  distances: huffman(Array(30).fill(5)),
};

function readCodes(reader: BitReader): typeof FIXED {
  const literals = reader.bits(5) + 257;
  const distances = reader.bits(5) + 1;
  const count = reader.bits(4) + 4;
  const codeLengths = Array<number>(19).fill(0);
  for (let index = 0; index < count; index++) codeLengths[CODE_ORDER[index]!] = reader.bits(3);
  const codes = huffman(codeLengths);
  const lengths: number[] = [];
  while (lengths.length < literals + distances) {
    const symbol = readSymbol(reader, codes);
    if (symbol < 16) lengths.push(symbol);
    else if (symbol === 16) lengths.push(...Array(3 + reader.bits(2)).fill(lengths.at(-1)));
    else lengths.push(...Array(symbol === 17 ? 3 + reader.bits(3) : 11 + reader.bits(7)).fill(0));
  }
  return { literals: huffman(lengths.slice(0, literals)), distances: huffman(lengths.slice(literals)) };
}

/**
 * The longest distance that a stream of whole blocks refers back, 0 if it never does; and what it decompresses to, in
 * bytes.
 */
export function longestDistance(bytes: Uint8Array): { distance: number; length: number } {
  const reader = new BitReader(bytes);
  let distance = 0;
  let length = 0;
  while (!reader.atEnd) {
    reader.bits(1);
    const type = reader.bits(2);
    if (type === 0) {
      reader.toByte();
      const count = reader.bits(16);
      reader.bits(16);
      for (let index = 0; index < count; index++) reader.bits(8);
      length += count;
      continue;
    }
    const { literals, distances } = type === 1 ? FIXED : readCodes(reader);
    for (let symbol = readSymbol(reader, literals); symbol !== 256; symbol = readSymbol(reader, literals)) {
      if (symbol < 256) {
        length++;
        continue;
      }
      length += LENGTH_BASE[symbol - 257]! + reader.bits(LENGTH_EXTRA[symbol - 257]!);
      const code = readSymbol(reader, distances);
      const extra = code < 4 ? 0 : (code >> 1) - 1;
      const base = code < 4 ? code + 1 : ((2 + (code & 1)) << extra) + 1;
      distance = Math.max(distance, base + reader.bits(extra));
    }
  }
  return { distance, length };
}
