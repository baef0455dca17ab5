#!/usr/bin/env bash
# A fail-over on purpose under Redis Sentinel loses writes that a replica had confirmed (WAIT 1), if there are two replicas.
#
# Version: redis-server and its Sentinel 7.0 (Debian 12).
# Expected: `SENTINEL FAILOVER` is for maintenance, with all servers alive. A write that WAIT says to be on a replica survives it; and
# the former primary stops to take writes as the replica takes over, as with the command `FAILOVER`.
# Seen: the replica is made primary while the former primary goes on; no sentinel names the new one until about a second later (it looks
# by INFO, once a second), and the former primary is told to follow some 10 s later. In the first second the other replica still follows
# the former primary and confirms its writes; then it is told to follow the new primary, and drops them. Later writes are confirmed by none.
# What follows from it: `WAIT 1` with two replicas protects against a death of the primary, where Sentinel chooses the replica that has
# most, but not against a fail-over on purpose. A client is safe if it stops writing at `+failover-state-send-slaveof-noone`, which
# only the sentinel that leads the fail-over publishes, about 0.1 s before; `+switch-master` comes a second too late.
set -euo pipefail
for program in redis-server redis-cli; do
  command -v "$program" >/dev/null || { echo "$program is missing (apt-get install redis-server)" >&2; exit 2; }
done
folder=$(mktemp -d)
first=$((20000 + RANDOM % 10000))
sentinel=$((first + 3))
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
ask() { redis-cli -p "$@" 2>/dev/null | tr -d '\r'; }
for port in "$first" $((first + 1)) $((first + 2)); do
  mkdir "$folder/$port"
  replica=()
  [ "$port" = "$first" ] || replica=(--replicaof 127.0.0.1 "$first")
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder/$port" --repl-diskless-sync-delay 0 "${replica[@]}" >/dev/null &
done
until ask "$first" INFO replication | grep -q '^connected_slaves:2'; do sleep 0.1; done
until [ "$(ask "$first" INFO replication | grep -c 'state=online')" = 2 ]; do sleep 0.1; done
printf '%s\n' "port $sentinel" 'bind 127.0.0.1' "dir $folder" "sentinel monitor primary 127.0.0.1 $first 1" > "$folder/sentinel.conf"
redis-server "$folder/sentinel.conf" --sentinel >/dev/null &
until [ "$(ask "$sentinel" SENTINEL REPLICAS primary | grep -A1 '^master-link-status$' | grep -c '^ok$')" = 2 ]; do sleep 0.1; done

# Writes one key after the other to the first primary, each with WAIT, over one connection each.
ask "$sentinel" SENTINEL FAILOVER primary >/dev/null
begun=$(date +%s%3N)
confirmed=()
number=0
named=
while [ "$(($(date +%s%3N) - begun))" -lt 5000 ]; do
  number=$((number + 1))
  copies=$(printf 'SET key:%d written\nWAIT 1 100\n' "$number" | ask "$first" | tail -1)
  [ "${copies:-0}" -lt 1 ] || confirmed+=("$number")
  [ -n "$named" ] || [ "$(ask "$sentinel" SENTINEL GET-MASTER-ADDR-BY-NAME primary | tail -1)" = "$first" ] || named=$(($(date +%s%3N) - begun))
done
still=$(ask "$first" SET later written)
new=$(ask "$sentinel" SENTINEL GET-MASTER-ADDR-BY-NAME primary | tail -1)
lost=0
for number in "${confirmed[@]}"; do
  [ -n "$(ask "$new" GET "key:$number")" ] || lost=$((lost + 1))
done
echo "redis $(redis-server --version | sed 's/.*v=\([0-9]*\.[0-9]*\).*/\1/'): ${#confirmed[@]} writes confirmed by a replica, $lost of them lost; the sentinel named\
 the new primary after ${named:-?} ms; the former one took a write after 5 s: ${still:-no}"
[ "$new" != "$first" ] && [ "$lost" -gt 0 ] && [ "$still" = OK ] || {
  echo "The behaviour has changed" >&2
  exit 1
}
