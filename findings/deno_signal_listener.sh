#!/bin/sh
# A signal listener that is added within a listener is called for the signal that is being handled.
#
# Versions: Deno 2.9.6. Node 20 and Bun 1.4.5 call it for the next signal, as EventEmitter does.
# Expected: "first". Seen on Deno: "first", "second".
# Follows: "stop in order at the first signal, at once at the second" needs one listener that counts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/main.mjs" <<'END'
import process from "node:process";
process.once("SIGTERM", () => {
  console.log("first");
  process.once("SIGTERM", () => console.log("second"));
  setTimeout(() => process.exit(), 200);
});
setTimeout(() => {}, 10_000);
process.kill(process.pid, "SIGTERM");
END
for runtime in "deno run -A" "bun" "node"; do
  command -v "${runtime%% *}" > /dev/null || continue
  echo "$runtime: $($runtime "$folder/main.mjs" | tr '\n' ' ')"
done
