/**
 * Statistics of a server for Prometheus, on a port of their own, which only the monitoring should reach:
 * `deno run -A examples/metrics.ts`, then `curl http://127.0.0.1:9464/metrics`. Structured logs go to standard error,
 * as JSON.
 */

import { fileURLToPath } from "node:url";
import process from "node:process";
import { prometheus, PROMETHEUS_TYPE } from "../base/prometheus.ts";
import { WebSocketServer } from "../mod.ts";

/** Serves the statistics of a server. */
export function metricsServer(server: WebSocketServer, port: number): WebSocketServer {
  return new WebSocketServer({
    port,
    hostname: "127.0.0.1",
    hosts: ["127.0.0.1", "localhost"],
    onAllow: () => false,
    onCommandGet(request) {
      if (new URL(request.url).pathname !== "/metrics") return;
      return new Response(prometheus(server.stats()), { headers: { "content-type": PROMETHEUS_TYPE } });
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
