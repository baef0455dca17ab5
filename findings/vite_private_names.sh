#!/usr/bin/env bash
# One static block that uses a private name makes all private names of a module into WeakMaps in a page built by Vite 7.
#
# Versions: vite 7.3.8, vite 8.4.0, esbuild 0.25.12 (npm); default settings, a library of one module.
# Expected: "baseline widely available", Vite's default target, has private names since 2021, and static blocks since 2023: neither is
# rewritten, or the static block alone is.
# Seen: Vite 7 writes `new WeakMap` for a field of a class with a static block, and nothing of the kind without it. Vite 8 rewrites neither.
# What follows from it: a class that must be small in pages has no static block; friend functions are made in another way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >block.js <<'JS'
export let read;
export class Box {
  #value = 1;
  #other = 2;
  static { read = (box) => box.#value; }
  sum() { return this.#value + this.#other; }
}
JS
grep -v "static {" block.js >plain.js
seen=""
for version in 7.3.8 8.4.0; do
  mkdir "vite$version"
  cp block.js plain.js "vite$version/"
  cd "vite$version"
  npm init -y >/dev/null
  npm install --silent --no-audit --no-fund "vite@$version"
  for name in block plain; do
    cat >build.mjs <<JS
import { build } from "vite";
await build({ configFile: false, logLevel: "silent", build: { lib: { entry: "$name.js", formats: ["es"], fileName: "$name" } } });
JS
    node build.mjs
    if cat dist/*"$name"* | grep -q WeakMap; then how="WeakMap"; else how="private names"; fi
    seen+="vite $version, $name: $how"$'\n'
  done
  cd ..
done
echo -n "$seen"
[ "$seen" = "vite 7.3.8, block: WeakMap
vite 7.3.8, plain: private names
vite 8.4.0, block: private names
vite 8.4.0, plain: private names
" ] || { echo "The behaviour has changed" >&2; exit 1; }
