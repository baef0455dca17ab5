#!/usr/bin/env bash
# What `deno pack` makes of a class with an iterator stays in every bundle, though nothing uses it.
#
# Versions: deno 2.9.6, esbuild 0.25.12, rollup 4.68.8 (npm).
# Expected: a bundler leaves out a class that nothing imports, whether it has `[Symbol.asyncIterator]` or not.
# Seen: `deno pack` writes `_computedKey = Symbol.asyncIterator;` at the top of the module, an assignment with an effect. esbuild
# keeps it and the class (hundreds of bytes for nothing); of the source it keeps nothing. rollup leaves it out in both.
# What follows from it: a package made by `deno pack` needs "sideEffects" in its package.json.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6 esbuild@0.25.12 rollup@4.68.8
deno=$PWD/node_modules/.bin/deno esbuild=$PWD/node_modules/.bin/esbuild rollup=$PWD/node_modules/.bin/rollup
mkdir source
cd source
cat >mod.ts <<'TS'
/** A list. */
export class List {
  /** Its items, one by one. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    yield "this text is in the bundle, or it is not";
  }
}
/** A number. */
export const one: number = 1;
TS
echo '{ "name": "@a/list", "version": "1.0.0", "exports": "./mod.ts", "license": "MIT" }' >deno.json
"$deno" pack --quiet --allow-dirty --output "$folder/list.tgz" >/dev/null 2>&1
cd "$folder"
tar xzf list.tgz
echo 'import { one } from "./package/mod.js"; console.log(one);' >packed.js
echo 'import { one } from "./source/mod.ts"; console.log(one);' >plain.ts
has() { if grep -q "this text is in the bundle" "$1"; then echo kept; else echo "left out"; fi; }
"$esbuild" packed.js --bundle --minify --format=esm --outfile=a.js --log-level=error
"$esbuild" plain.ts --bundle --minify --format=esm --outfile=b.js --log-level=error
"$rollup" packed.js --silent --file c.js
seen="esbuild, as packed: $(has a.js)
esbuild, the source: $(has b.js)
rollup, as packed: $(has c.js)"
echo "$seen"
[ "$seen" = "esbuild, as packed: kept
esbuild, the source: left out
rollup, as packed: left out" ] || { echo "The behaviour has changed" >&2; exit 1; }
