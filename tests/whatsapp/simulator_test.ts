import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { verifySignature } from "../../cloud_api/signature.ts";
import { WebSocketServer } from "../../server.ts";
import { percentile, Simulator, type SimulatorOptions } from "../../whatsapp/simulator.ts";

/** Runs a simulator against a server that answers each request with the next status. */
async function simulate(
  statuses: number[],
  options: Partial<SimulatorOptions>,
): Promise<{ report: Simulator["report"]; bodies: string[] }> {
  const bodies: string[] = [];
  await using server = new WebSocketServer({
    hostname: "127.0.0.1",
    port: 0,
    onCommandGet: async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      assert(verifySignature(body, request.headers.get("x-hub-signature-256") ?? "", "s"));
      bodies.push(new TextDecoder().decode(body));
      return new Response("done", { status: statuses.shift() ?? 200 });
    },
  });
  await server.start();
  const url = `http://127.0.0.1:${server.address!.port}/`;
  const report = await new Simulator({ url, appSecret: "s", rate: Infinity, ...options }).run();
  return { report, bodies };
}

describe("Simulator", () => {
  it("sends signed notifications once each, and a share of them twice", async () => {
    const { report, bodies } = await simulate([], { count: 20, duplicates: 0.25, types: ["text", "status"] });
    assertEquals([report.accepted, report.refused, report.retries, report.duplicates], [20, 0, 0, 5]);
    assertEquals([bodies.length, new Set(bodies).size], [25, 20]);
    assertEquals([...report.statuses], [[200, 25]]);
  });

  it("tries again after 503, and not after 401, and reports the first failure", async () => {
    const { report } = await simulate([503, 503, 200, 401], { count: 2, concurrency: 1 });
    assertEquals([report.accepted, report.refused, report.retries], [1, 1, 2]);
    assertEquals(report.firstFailure, "503 done");
  });

  it("tries once without time for retries", async () => {
    const { report } = await simulate([503], { count: 1, retryFor: 0 });
    assertEquals([report.accepted, report.refused, report.retries], [0, 1, 0]);
  });

  it("refuses options out of range", () => {
    for (
      const options of [
        { url: "nowhere" },
        { appSecret: "" },
        { rate: 0 },
        { duplicates: 1.5 },
        { count: -1 },
        { concurrency: 0 },
      ]
    ) assertThrows(() => new Simulator({ url: "http://127.0.0.1/", appSecret: "s", ...options }), OptionError);
  });
});

describe("percentile", () => {
  it("takes values of a sorted list, and none of an empty one", () => {
    assertEquals([0, 0.5, 0.99, 1].map((part) => percentile([1, 2, 3, 4], part)), [1, 3, 4, 4]);
    assertEquals(percentile([], 0.5), NaN);
  });
});
