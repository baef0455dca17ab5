/**
 * Statistics in the text format of Prometheus, which OpenTelemetry collectors and VictoriaMetrics read too.
 *
 * @example The statistics of a server
 * ```ts
 * import { prometheus } from "@tackline/websocket/metrics";
 * import { WebSocketServer } from "@tackline/websocket/server";
 *
 * await using server = new WebSocketServer({ port: 0 });
 * await server.start();
 * console.log(prometheus(server.stats()));
 * ```
 *
 * @module
 */

import { HISTOGRAM_BOUNDS, type HistogramSnapshot, type Stats } from "./stats.ts";

/** The `content-type` of the format. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4";

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

/**
 * Writes all statistics of a server or a client in the text format of Prometheus.
 *
 * @param stats Result of `stats()`.
 * @returns Lines of text; answer with {@linkcode PROMETHEUS_TYPE} as `content-type`.
 *
 * @example A port for the monitoring
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket";
 * import { prometheus, PROMETHEUS_TYPE } from "@tackline/websocket/metrics";
 *
 * await using server = new WebSocketServer({ port: 0 });
 * await using metrics = new WebSocketServer({
 *   port: 0, // of its own, such as 9464
 *   hostname: "127.0.0.1",
 *   onCommandGet(request) {
 *     if (new URL(request.url).pathname !== "/metrics") return;
 *     return new Response(prometheus(server.stats()), { headers: { "content-type": PROMETHEUS_TYPE } });
 *   },
 * });
 * await Promise.all([server.start(), metrics.start()]);
 * ```
 */
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
