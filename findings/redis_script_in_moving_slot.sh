#!/usr/bin/env bash
# While a cluster moves a slot, a script of Redis fails halfway at a key that has never existed; what it wrote before stays.
#
# Version: redis-server 7.0 (Debian 12).
# Expected: until `CLUSTER SETSLOT … NODE` the source owns the slot, and ASK concerns keys that have gone to the target. A script that
# Redis has let start there, since all its KEYS are there, runs to its end: a key that is nowhere reads as empty, as before.
# Seen: with MIGRATING set and no key moved yet, the script starts, its first SET is done, and then `EXISTS` of a name that is on neither
# server raises "Script attempted to access a non local key in a cluster node". `redis.pcall` gets the same error, and the SET stays.
# If the same name is in KEYS, the script is refused as a whole, with TRYAGAIN. Outside a migration both run.
# What follows from it: a script must have in KEYS also the names that may be missing, such as a lock or a lease, and must read those
# that it finds only inside before its first write; else a reshard leaves half of its work.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
folder=$(mktemp -d)
source=$((20000 + RANDOM % 10000))
target=$((source + 1))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
for port in "$source" "$target"; do
  mkdir "$folder/$port"
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder/$port" --cluster-enabled yes --cluster-port $((port + 20000)) >/dev/null &
done
ask() { redis-cli -p "$@" 2>&1 | tr -d '\r'; }
until [ "$(ask "$source" PING)$(ask "$target" PING)" = PONGPONG ]; do sleep 0.1; done
ask "$source" CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null
ask "$source" CLUSTER MEET 127.0.0.1 "$target" $((target + 20000)) >/dev/null
until ask "$source" CLUSTER INFO | grep -q cluster_state:ok && ask "$target" CLUSTER INFO | grep -q cluster_state:ok; do sleep 0.1; done

# SET a key of KEYS, then look for another one that is nowhere.
script='#!lua
redis.call("SET", KEYS[1], ARGV[1])
local found = redis.pcall("EXISTS", ARGV[2])
return type(found) == "table" and found.err or "exists: " .. found'
short() { sed -e 's/ script: .*//' -e 's/^(error) //' -e 's/^ERR //' -e 's/ Multiple.*//'; }
run() { ask "$source" EVAL "$script" "$@" | short; }

ask "$source" SET '{a}there' 0 >/dev/null
before=$(run 1 '{a}there' 1 '{a}nowhere')
slot=$(ask "$source" CLUSTER KEYSLOT '{a}')
ask "$target" CLUSTER SETSLOT "$slot" IMPORTING "$(ask "$source" CLUSTER MYID)" >/dev/null
ask "$source" CLUSTER SETSLOT "$slot" MIGRATING "$(ask "$target" CLUSTER MYID)" >/dev/null
undeclared=$(run 1 '{a}there' 2 '{a}nowhere')
value=$(ask "$source" GET '{a}there')
declared=$(run 2 '{a}there' '{a}nowhere' 3 '{a}nowhere')
kept=$(ask "$source" GET '{a}there')

seen="before: $before
moving: $undeclared; value $value
moving, in KEYS: $declared; value $kept"
echo "$seen"
[ "$seen" = "before: exists: 0
moving: Script attempted to access a non local key in a cluster node; value 2
moving, in KEYS: TRYAGAIN; value 2" ] || {
  echo "The behaviour has changed" >&2
  exit 1
}
