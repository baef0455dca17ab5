import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketError } from "../../base/errors.ts";
import { FlowEndpointError } from "../../cloud_api/flow_endpoint_error.ts";

describe("FlowEndpointError", () => {
  it("has the status that Meta expects for its code", () => {
    const cases = [
      ["ERR_FLOW_SIGNATURE", 432],
      ["ERR_FLOW_KEY", 421],
      ["ERR_FLOW_DATA", 421],
      ["ERR_FLOW_BODY", 400],
      ["ERR_FLOW_TOO_LARGE", 413],
      ["ERR_FLOW_MEDIA", 400],
    ] as const;
    for (const [code, status] of cases) {
      const error = new FlowEndpointError(code, "the fault");
      assert(error instanceof WebSocketError);
      assertEquals([error.name, error.code, error.status, error.message], [
        "FlowEndpointError",
        code,
        status,
        "the fault",
      ]);
    }
  });
});
