/** Decoding and validation against the native `TextDecoder`. */

import { bench } from "./bench.ts";
import { decodeUtf8, Utf8Validator } from "../protocol/utf8.ts";

const native = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

for (const [name, text] of [["ASCII", "abcdefgh"], ["German", "Grüße, ä"], ["emoji", "👋🏽"]]) {
  for (const size of [16, 64, 65, 1024, 65536]) {
    const bytes = new TextEncoder().encode(text!.repeat(size)).slice(0, size);
    while (bytes.length > 0 && decodeUtf8(bytes) === undefined) {
      bytes[bytes.findLastIndex((byte) => byte > 0x7f)] = 0x2e;
    }
    const group = `${name} ${size} B`;
    const validator = new Utf8Validator();
    bench(group, "TextDecoder", () => void native.decode(bytes));
    bench(group, "decodeUtf8", () => void decodeUtf8(bytes));
    bench(group, "Utf8Validator", () => {
      validator.reset();
      validator.push(bytes);
    });
  }
}
