import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";

describe("WhatsAppApiError", () => {
  it("says if the same call may succeed later", () => {
    const made = (status: number, code?: number): WhatsAppApiError =>
      new WhatsAppApiError("ERR_API_REFUSED", "refused", status, code === undefined ? {} : { graph: { code } });
    const without = ["ERR_API_UNREACHABLE", "ERR_API_QUEUE"] as const;
    const waiting = without.map((code) => new WhatsAppApiError(code, "no answer", 0));
    const passing = [...waiting, made(429), made(503), made(400, 130429), made(400, 131056), made(400, 131057)];
    const others = [made(200), made(400), made(401, 190), made(400, 131047), made(400, 131049), made(500, 131050)];
    assertEquals([...passing, ...others].map(({ isTransient }) => isTransient), [
      ...passing.map(() => true),
      ...others.map(() => false),
    ]);
  });
});
