#!/bin/sh
# A Deno that node:child_process of another Deno starts without any permission flag has all permissions.
#
# Versions: Deno 2.9.6.
# Expected: both lines say "denied". Seen: the first one says "listening": `-A` is added, also behind `/bin/sh -c`.
# Follows: a test of missing permissions passes one harmless flag, such as --allow-env=NOT_READ.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/child.mjs" <<'END'
try {
  Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
  console.log("listening");
} catch (error) {
  console.log(error.name === "NotCapable" ? "denied" : error);
}
END
cat > "$folder/parent.mjs" <<'END'
import { spawnSync } from "node:child_process";
import process from "node:process";
for (const flags of [[], ["--allow-env=NOT_READ"]]) {
  const args = ["run", "--no-prompt", ...flags, process.argv[2]];
  console.log(flags.join() || "no flags", spawnSync(Deno.execPath(), args, { encoding: "utf8" }).stdout.trim());
}
END
deno run -A "$folder/parent.mjs" "$folder/child.mjs"
