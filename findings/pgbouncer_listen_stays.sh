#!/usr/bin/env bash
# LISTEN through pgbouncer in transaction mode succeeds, and its notifications go to another client, which never listened.
#
# Versions: pgbouncer 1.18 and postgresql 15 (Debian 12), pg 8.23.1 (npm) on node.
# Expected: as the documentation says, LISTEN is not supported in this mode: it is refused, or nobody gets anything, and the channel is
# forgotten when its client goes.
# Seen: LISTEN resolves. What is sent while the server connection is free is lost; what is sent while another client is in a transaction on
# this connection comes to that client, as an event of a channel it has not heard of. It goes on when the client that listened has gone:
# the connection listens until pgbouncer closes it.
# What follows from it: a client must not trust that a notification is of a channel it listens to, and a listener must prove its channel,
# by a notification to itself, and not by the success of LISTEN.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] || { echo "postgresql-15 is missing (apt-get install postgresql-15)" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 12000))
as=()
[ "$(id -u)" != 0 ] || { as=(setpriv --reuid=postgres --clear-groups); chown postgres "$folder"; }
trap '"${as[@]}" "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop || true; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
"${as[@]}" "$bin/initdb" -D "$folder/data" --no-sync --auth=trust --username=me >/dev/null
"${as[@]}" "$bin/pg_ctl" -s -w -D "$folder/data" -l "$folder/data/log" -o "-p $port -k $folder -c listen_addresses=127.0.0.1" start
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg@8.23.1
command -v pgbouncer >/dev/null || PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null || { echo "pgbouncer is missing (apt-get install pgbouncer)" >&2; exit 2; }
pooler=$((port + 1))
cat >pgbouncer.ini <<INI
[databases]
postgres = host=127.0.0.1 port=$port user=me
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
INI
"${as[@]}" "$(command -v pgbouncer)" -q pgbouncer.ini >/dev/null 2>&1 &
trap 'kill %1 || true; "${as[@]}" "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop || true; rm -rf "$folder"' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$pooler") 2>/dev/null; do sleep 0.1; done

cat >listen.mjs <<'JS'
import pg from "pg";
const [port, pooler] = process.argv.slice(2);
const connect = async (to, heard) => {
  const client = new pg.Client(`postgres://me@127.0.0.1:${to}/postgres`);
  client.on("notification", ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  await client.connect();
  return client;
};
const heard = { listener: [], other: [] };
const listener = await connect(pooler, heard.listener);
const other = await connect(pooler, heard.other);
const sender = await connect(port, []);
const send = async (text) => {
  await sender.query("SELECT pg_notify('orders', $1)", [text]);
  await new Promise((resolve) => setTimeout(resolve, 300));
};
await listener.query("LISTEN orders");
await send("nobody works");
await other.query("BEGIN");
await send("the other one works");
await other.query("COMMIT");
await listener.end();
await other.query("BEGIN");
await send("the listener has gone");
await other.query("COMMIT");
console.log(`listener: ${heard.listener.join(", ") || "nothing"}\nother: ${heard.other.join(", ") || "nothing"}`);
process.exit(0);
JS
seen=$(node listen.mjs "$port" "$pooler")
echo "$seen"
[ "$seen" = "listener: nothing
other: orders the other one works, orders the listener has gone" ] || { echo "The behaviour has changed" >&2; exit 1; }
