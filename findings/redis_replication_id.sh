#!/usr/bin/env bash
# A Redis primary gets another replication id when its first replica attaches, though it never failed over or restarted.
#
# Version: redis-server 7.0 (Debian 12).
# Expected: `master_replid` names the history of the data, so it stays until a fail-over or a restart; where it changes, the former id
# stands in `master_replid2`, so that others can see that one history goes on.
# Seen: the id that a primary shows from its start on, also after writes, is replaced when the first replica attaches, and
# `master_replid2` stays all zeros. A replica that comes later, or comes back, changes nothing. `run_id` stays the same.
# What follows from it: a program that takes a new id for "another history" sees one when somebody adds a replica to a lone primary.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
folder=$(mktemp -d)
first=$((20000 + RANDOM % 20000))
second=$((first + 1))
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
for port in "$first" "$second"; do
  mkdir "$folder/$port"
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder/$port" >/dev/null &
done
ask() { redis-cli -p "$@" | tr -d '\r'; }
until [ "$(ask "$first" PING 2>/dev/null)$(ask "$second" PING 2>/dev/null)" = PONGPONG ]; do sleep 0.1; done
field() { ask "$first" INFO | sed -n "s/^$1://p"; }
attach() {
  ask "$second" REPLICAOF 127.0.0.1 "$first" >/dev/null
  until ask "$first" INFO replication | grep -q '^slave0:.*state=online'; do sleep 0.1; done
}

run=$(field run_id)
start=$(field master_replid)
ask "$first" SET key value >/dev/null
written=$(field master_replid)
attach
attached=$(field master_replid)
former=$(field master_replid2)
ask "$second" REPLICAOF NO ONE >/dev/null
until [ "$(field connected_slaves)" = 0 ]; do sleep 0.1; done
attach
again=$(field master_replid)

same() { [ "$1" = "$2" ] && echo same || echo other; }
seen="$(redis-server --version | sed 's/.*v=\([0-9]*\.[0-9]*\).*/\1/'): after a write $(same "$start" "$written"), first replica $(same "$written" "$attached"),\
 again $(same "$attached" "$again"), former id $(same "$former" "$written"), run id $(same "$run" "$(field run_id)")"
echo "$seen"
[ "$seen" = "7.0: after a write same, first replica other, again same, former id other, run id same" ] || {
  echo "The behaviour has changed" >&2
  exit 1
}
