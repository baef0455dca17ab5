import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ABNORMAL_CLOSURE, INTERNAL_ERROR, NO_STATUS_RECEIVED, NORMAL_CLOSURE } from "../../base/close_codes.ts";
import { CloseCode } from "../../base/errors.ts";

describe("close codes of clients", () => {
  it("are those that CloseCode names", () => {
    assertEquals([NORMAL_CLOSURE, NO_STATUS_RECEIVED, ABNORMAL_CLOSURE, INTERNAL_ERROR], [
      CloseCode.NormalClosure,
      CloseCode.NoStatusReceived,
      CloseCode.AbnormalClosure,
      CloseCode.InternalError,
    ]);
  });
});
