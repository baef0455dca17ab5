#!/usr/bin/env bash
# `deno install` says nothing of a dependency on a tarball, and installs nothing.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), npm 10; is-odd 3.0.1 as the tarball.
# Expected: `"is-odd": "file:./is-odd-3.0.1.tgz"` in package.json is installed, as by npm and Bun, or is refused.
# Seen on Deno: exit code 0, no message, and no node_modules/is-odd. `deno run` then asks whether `deno install` was forgotten.
# What follows from it: a package that is not published yet is installed by `npm install` or `bun add` first; Deno runs it then.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6 bun@1.4.5
deno=$PWD/node_modules/.bin/deno bun=$PWD/node_modules/.bin/bun
npm pack --silent is-odd@3.0.1 >/dev/null
for tool in deno bun npm; do
  mkdir "$tool"
  cp is-odd-3.0.1.tgz "$tool/"
  echo '{ "name": "a", "private": true, "dependencies": { "is-odd": "file:./is-odd-3.0.1.tgz" } }' >"$tool/package.json"
done
installed() { if [ -e "$1/node_modules/is-odd/package.json" ]; then echo installed; else echo "not there"; fi; }
said=$(cd deno && "$deno" install 2>&1) && code=0 || code=$?
(cd bun && "$bun" install) >/dev/null 2>&1
(cd npm && npm install --silent --no-audit --no-fund)
said_named=no
grep -q is-odd <<<"$said" && said_named=yes
seen="deno: exit $code, names it: $said_named, $(installed deno)
bun: $(installed bun)
npm: $(installed npm)"
echo "$seen"
[ "$seen" = "deno: exit 0, names it: no, not there
bun: installed
npm: installed" ] || { echo "The behaviour has changed" >&2; exit 1; }
