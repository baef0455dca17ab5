import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { prometheus, PROMETHEUS_TYPE } from "../../base/prometheus.ts";
import { HISTOGRAM_BOUNDS } from "../../base/stats.ts";
import { WebSocketClient } from "../../client.ts";
import { metricsServer } from "../../examples/metrics.ts";
import { startEcho, until } from "../support/support.ts";

/** Reads the format: types of metrics, and samples by name with labels. */
function read(text: string): { types: Map<string, string>; samples: Map<string, number> } {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  assert(text.endsWith("\n"), "the last line ends");
  for (const line of text.trimEnd().split("\n")) {
    const [mark, kind, name, type] = line.split(" ");
    if (mark === "#") {
      if (kind === "TYPE") types.set(name!, type!);
      continue;
    }
    const at = line.lastIndexOf(" ");
    assert(Number.isFinite(Number(line.slice(at + 1))), line);
    assert(!samples.has(line.slice(0, at)), `twice: ${line}`);
    samples.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return { types, samples };
}

describe("prometheus()", () => {
  it("writes each statistic of a server once, with its type", async () => {
    await using server = await startEcho({ pingInterval: 0 });
    const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`);
    await client.connect();
    client.send("echo");
    assertEquals(await client.receive(), "echo");
    await client.disconnect();
    await until(() => server.connections.size === 0, "the end");
    const { types, samples } = read(prometheus(server.stats()));
    const expected: [string, number][] = [
      ["websocket_connections", 0],
      ["websocket_opened_total", 1],
      ['websocket_messages_total{direction="received"}', 1],
      ['websocket_messages_total{direction="sent"}', 1],
      ['websocket_closes_total{code="1000"}', 1],
      ['websocket_handshake_seconds_bucket{le="+Inf"}', 1],
      ["websocket_handshake_seconds_count", 1],
    ];
    assertEquals(expected.map(([name]) => [name, samples.get(name)]), expected);
    for (const name of samples.keys()) {
      const metric = name.split("{")[0]!;
      const isPart = types.get(metric.replace(/_(bucket|sum|count)$/, "")) === "histogram";
      assert(types.has(metric) || isPart, `${metric} has no type`);
    }
  });

  it("counts a histogram upwards, in seconds", () => {
    const buckets = [...HISTOGRAM_BOUNDS.map(() => 1), 1];
    const pingTimes = { count: buckets.length, sum: 5000, buckets };
    const { samples } = read(prometheus({ ...new WebSocketClient("ws://localhost/").stats(), pingTimes }));
    const name = "websocket_ping_seconds";
    assertEquals(samples.get(`${name}_sum`), 5);
    const counts = HISTOGRAM_BOUNDS.map((bound) => samples.get(`${name}_bucket{le="${bound / 1000}"}`));
    assertEquals(counts, HISTOGRAM_BOUNDS.map((_, index) => index + 1));
    assertEquals(samples.get(`${name}_bucket{le="+Inf"}`), buckets.length);
  });

  it("is what the example serves, on its path only", async () => {
    await using server = await startEcho();
    await using metrics = metricsServer(server, 0);
    await metrics.start();
    const url = `http://127.0.0.1:${metrics.address!.port}`;
    const response = await fetch(`${url}/metrics`);
    assertEquals(response.headers.get("content-type"), PROMETHEUS_TYPE);
    assertStringIncludes(await response.text(), "\nwebsocket_connections 0\n");
    const other = await fetch(`${url}/`);
    assertEquals(other.status, 426);
    await other.body?.cancel();
  });
});
