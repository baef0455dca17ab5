#!/usr/bin/env bash
# Bun's collector counts a WebAssembly memory as live twice, once somebody has looked at its buffer.
#
# Version: bun 1.4.5 (npm).
# Expected: a memory of 11 MiB is 11 MiB to the collector, as an ArrayBuffer of that length is.
# Seen: `heapStats().extraMemorySize` rises by 11 MiB when the memory is made, and by 11 MiB again at the first access to `memory.buffer`,
# which allocates nothing. An ArrayBuffer of 11 MiB counts once.
# What follows from it: the collector lets garbage grow in proportion to what lives, so a module with a memory that is large, and mostly
# unused, makes a small program keep much more garbage than its own heap: take the smallest memory that will do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5
cat >count.mjs <<'JS'
import { heapStats } from "bun:jsc";
const live = () => {
  Bun.gc(true);
  return heapStats().extraMemorySize;
};
const MIB = 1024 * 1024;
const steps = [];
let before = live();
const step = (name) => {
  const now = live();
  steps.push(`${name} ${Math.round((now - before) / MIB)}`);
  before = now;
};
const memory = new WebAssembly.Memory({ initial: 176, maximum: 176 });
step("memory");
const view = new Uint8Array(memory.buffer, 0, 1);
step("its buffer");
const plain = new Uint8Array(11 * MIB);
step("an ArrayBuffer");
console.log(steps.join(", "));
// All of it is in use until here.
if (view.length + plain.length + memory.buffer.byteLength === 0) throw new Error("unreachable");
JS
seen=$(npx --no-install bun count.mjs)
echo "$seen"
[ "$seen" = "memory 11, its buffer 11, an ArrayBuffer 11" ] || { echo "The behaviour has changed" >&2; exit 1; }
