#!/usr/bin/env bash
# Bun's encodeInto takes thirty times as long and more once a text that is not ASCII does not fit the array.
#
# Version: bun 1.4.5 (npm).
# Expected: `encodeInto` stops at the end of the array, so that it takes no longer for an array that is one byte too short than for one that
# fits.
# Seen: "ä" and 65,534 times "x" take 5 µs into 65,536 bytes, and 145 to 820 µs into 65,535. Cyrillic into as many bytes as it has letters,
# half of what it takes, 1.2 ms instead of 7 µs. ASCII always fits, and Deno 2.9.6 has no such step (100 µs in both cases).
# What follows from it: to try with a byte for each unit, and to go on if that was too little, is a bad guess for any text that is not ASCII.
# `Buffer.byteLength` measures it exactly, in 2 µs; three bytes for each unit always fit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5
cat >encode.mjs <<'JS'
import { Buffer } from "node:buffer";
const encoder = new TextEncoder();
const text = Buffer.from("ä" + "x".repeat(65_534)).toString();
const room = new Uint8Array(Buffer.byteLength(text));
// The fastest of many: other programs may run on the machine.
const fastest = (target) => {
  let least = Infinity;
  for (let count = 0; count < 300; count++) {
    const start = performance.now();
    encoder.encodeInto(text, target);
    least = Math.min(least, performance.now() - start);
  }
  return least;
};
fastest(room);
const [fits, short] = [fastest(room), fastest(room.subarray(1))];
console.log(`${(fits * 1000).toFixed(1)} µs, one byte less ${(short * 1000).toFixed(1)} µs`);
console.log(short > 10 * fits ? "slow" : "as fast");
JS
seen=$(npx --no-install bun encode.mjs)
echo "$seen"
[ "$(tail -n 1 <<<"$seen")" = slow ] || { echo "The behaviour has changed" >&2; exit 1; }
