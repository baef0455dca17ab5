#!/usr/bin/env bash
# On Bun a Response forgets the content type of its body if `body` is read before `headers`; that of a text is never among its headers.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20.
# Expected: `new Response(form).headers.get("content-type")` is what the Fetch standard gives the body, whether or not `body` was read.
# Seen: on Bun, after `response.body` was read, it is null for a Blob with a type, a form and search parameters (so that the boundary of the
# form is lost), and for a text it is null in any order.
# What follows from it: a server that passes responses on reads `headers` first, then `body`.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >response.mjs <<'JS'
const form = new FormData();
form.append("name", "value");
const bodies = { blob: new Blob(["x"], { type: "image/png" }), form, parameters: new URLSearchParams("a=b"), text: "x" };
const type = (response) => response.headers.get("content-type")?.split(/[;]/)[0] ?? "null";
console.log(
  Object.entries(bodies).map(([name, body]) => {
    const touched = new Response(body);
    if (touched.body === null) throw new Error("no body");
    return `${name}: ${type(new Response(body))}, ${type(touched)}`;
  }).join("; "),
);
JS
seen=$(
  node response.mjs
  npx --no-install deno run -A response.mjs
  npx --no-install bun response.mjs
)
echo "$seen"
right="blob: image/png, image/png; form: multipart/form-data, multipart/form-data; \
parameters: application/x-www-form-urlencoded, application/x-www-form-urlencoded; text: text/plain, text/plain"
[ "$seen" = "$right
$right
blob: image/png, null; form: multipart/form-data, null; parameters: application/x-www-form-urlencoded, null; text: null, null" ] ||
  { echo "The behaviour has changed" >&2; exit 1; }
