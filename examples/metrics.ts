/**
 * Statistics in the text format of Prometheus, on a port of their own, which only the monitoring should reach:
 * `deno run -A examples/metrics.ts`, then `curl http://127.0.0.1:9464/metrics`. Structured logs go to standard error,
 * as JSON.
 */

import { fileURLToPath } from "node:url";
import process from "node:process";
import { HISTOGRAM_BOUNDS, type HistogramSnapshot, type Stats, WebSocketServer } from "../mod.ts";

/** A metric with its samples: labels, in braces or "", and value. */
function metric(name: string, type: string, help: string, samples: Iterable<[labels: string, value: number]>): string {
  const lines = [...samples].map(([labels, value]) => `${name}${labels} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n");
}

function byLabel(label: string, counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).map(([key, value]) => [`{${label}="${key}"}`, value]);
}

function traffic({ received, sent }: { received: number; sent: number }): [string, number][] {
  return [['{direction="received"}', received], ['{direction="sent"}', sent]];
}

function histogram(name: string, help: string, { count, sum, buckets }: HistogramSnapshot): string {
  let below = 0;
  const samples = HISTOGRAM_BOUNDS.map((bound, index) => {
    below += buckets[index]!;
    return `${name}_bucket{le="${bound / 1000}"} ${below}`;
  });
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} histogram`,
    ...samples,
    `${name}_bucket{le="+Inf"} ${count}`,
    `${name}_sum ${sum / 1000}`,
    `${name}_count ${count}`,
  ].join("\n");
}

/** All statistics of a server, as Prometheus reads them. */
export function prometheus(stats: Stats): string {
  const { connections } = stats;
  return [
    metric("websocket_connections", "gauge", "Open WebSockets.", [["", connections.open]]),
    metric("websocket_handshaking", "gauge", "Connections before their handshake.", [["", connections.handshaking]]),
    metric("websocket_opened_total", "counter", "WebSockets ever opened.", [["", connections.opened]]),
    metric("websocket_frames_total", "counter", "Frames.", traffic(stats.frames)),
    metric("websocket_messages_total", "counter", "Messages.", traffic(stats.messages)),
    metric("websocket_bytes_total", "counter", "Bytes on the wire.", traffic(stats.bytes)),
    metric("websocket_dropped_total", "counter", "Messages left out for slow peers.", [["", stats.dropped]]),
    metric("websocket_buffered_bytes", "gauge", "Bytes that wait for slow peers.", [["", stats.bufferedAmount]]),
    metric("websocket_closes_total", "counter", "Ended WebSockets by close code.", byLabel("code", stats.closes)),
    metric("websocket_refusals_total", "counter", "Refusals by reason.", byLabel("reason", stats.refusals)),
    metric("websocket_failures_total", "counter", "Failed WebSockets by error.", byLabel("error", stats.failures)),
    metric("websocket_inflated_ratio", "gauge", "Compressed by plain bytes received.", [["", stats.inflated.ratio]]),
    metric("websocket_deflated_ratio", "gauge", "Compressed by plain bytes sent.", [["", stats.deflated.ratio]]),
    histogram("websocket_handshake_seconds", "From TCP to the end of the handshake.", stats.handshakeTimes),
    histogram("websocket_ping_seconds", "From ping to pong.", stats.pingTimes),
    "",
  ].join("\n");
}

/** Serves the statistics of a server. */
export function metricsServer(server: WebSocketServer, port: number): WebSocketServer {
  return new WebSocketServer({
    port,
    hostname: "127.0.0.1",
    hosts: ["127.0.0.1", "localhost"],
    onAllow: () => false,
    onCommandGet(request) {
      if (new URL(request.url).pathname !== "/metrics") return;
      return new Response(prometheus(server.stats()), { headers: { "content-type": "text/plain; version=0.0.4" } });
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    signal: stop.signal,
    onMessageReceived: (connection, text) => void connection.send(text),
    onLog: ({ error, ...record }) => console.error(JSON.stringify({ ...record, error: error && String(error) })),
  });
  const metrics = metricsServer(server, 9464);
  metrics.start().then(() => stop.signal.addEventListener("abort", () => metrics.stop()));
  await server.start();
}
