#!/usr/bin/env bash
# A Redis script that lacks a right fails with ERR instead of NOPERM, and the error does not name the command.
#
# Version: redis-server 7.0 (Debian 12).
# Expected: a command that the user may not run is refused with the same code from a script as without one, NOPERM, and the
# error names it: clients tell missing rights from faults by that code.
# Seen: without a script "NOPERM … no permissions to run the 'set' command"; from a script "ERR The user executing the script
# can't run this command or subcommand script: <digest>", for a forbidden key likewise. Only ACL LOG has the name of it.
# What follows from it: code that treats NOPERM apart misses the refusals of scripts, and an administrator who wants to know
# which right a script needs has to look into ACL LOG, or into a list.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" >/dev/null &
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
admin() { redis-cli -p "$port" "$@"; }
worker() { redis-cli -p "$port" --no-auth-warning --user worker --pass secret "$@"; }
until [ "$(admin PING 2>/dev/null)" = PONG ]; do sleep 0.1; done
admin ACL SETUSER worker on '>secret' '~own:*' -@all +eval +get >/dev/null

show() { head -n 1 | sed -E "s/ script: [0-9a-f]+.*/ script: …/"; }
seen=$(
  echo "command: $(worker SET own:a 1 | show)"
  echo "command in a script: $(worker EVAL "return redis.call('SET', KEYS[1], '1')" 1 own:a | show)"
  echo "key: $(worker GET other | show)"
  echo "key in a script: $(worker EVAL "return redis.call('GET', 'other')" 0 | show)"
  echo "logged: $(admin ACL LOG | grep -x -e set -e other -e lua -e toplevel | sort | uniq -c | tr -s ' ' | tr '\n' ';')"
)
echo "$seen"
[ "$seen" = "command: NOPERM this user has no permissions to run the 'set' command
command in a script: ERR The user executing the script can't run this command or subcommand script: …
key: NOPERM this user has no permissions to access one of the keys used as arguments
key in a script: ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: …
logged:  2 lua; 2 other; 2 set; 2 toplevel;" ] || { echo "The behaviour has changed" >&2; exit 1; }
