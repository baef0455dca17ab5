import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WhatsAppApiErrorCode } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";

function refused(status: number, code?: number): WhatsAppApiError {
  return new WhatsAppApiError("ERR_API_REFUSED", "refused", status, code === undefined ? {} : { graph: { code } });
}

describe("isTransient of WhatsAppApiError", () => {
  it("tells refusals that pass from others", () => {
    const passing = [refused(429), refused(503), refused(400, 130429), refused(400, 131056), refused(400, 131057)];
    const others = [refused(400), refused(401, 190), refused(400, 131047), refused(400, 131049), refused(500, 131050)];
    assertEquals(passing.map(({ isTransient }) => isTransient), passing.map(() => true));
    assertEquals(others.map(({ isTransient }) => isTransient), others.map(() => false));
  });

  it("holds without an answer and for a full queue, but not where the API has done what was asked", () => {
    const of = (code: WhatsAppApiErrorCode, status: number): boolean =>
      new WhatsAppApiError(code, "", status).isTransient;
    assertEquals([of("ERR_API_UNREACHABLE", 0), of("ERR_API_QUEUE", 0)], [true, true]);
    assertEquals([of("ERR_API_ANSWER", 200), of("ERR_MEDIA_TOO_LARGE", 200)], [false, false]);
  });

  it("is no member that a log shows", () => assert(!JSON.stringify(refused(503)).includes("isTransient")));
});
