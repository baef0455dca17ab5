import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { explainApiError, problemLines } from "../../cli/api_remedies.ts";
import { type GraphError, WhatsAppApiError } from "../../cloud_api/api_error.ts";

const refused = (graph: GraphError | undefined, status = 400): WhatsAppApiError =>
  new WhatsAppApiError("ERR_API_REFUSED", `The Graph API answered ${status} to /v26.0/1065/messages`, status, {
    graph,
  });

describe("explainApiError", () => {
  it("knows the codes that senders and setups meet, each with a remedy", () => {
    // Those of Meta's page, without those of analytics and of public keys.
    const codes = [
      ...[0, 1, 2, 3, 4, 10, 33, 100, 190, 200, 219, 299, 368, 613, 803, 2200, 2201, 80007],
      ...[130429, 130472, 130497, 131000, 131005, 131008, 131009, 131016, 131021, 131026, 131030, 131031, 131037],
      ...[131042, 131045, 131047, 131048, 131049, 131050, 131051, 131052, 131053, 131056, 131057, 131062],
      ...[132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069],
      ...[133000, 133004, 133005, 133006, 133008, 133009, 133010, 133015, 133016, 134011, 135000],
    ];
    for (const code of codes) {
      const { meaning, remedy, says } = explainApiError(refused({ code, message: "Meta's text" }));
      assert(!meaning.startsWith("The Graph API answered"), `${code} has no meaning`);
      assert(remedy !== undefined && remedy.length > 10, `${code} has no remedy`);
      assert(!meaning.endsWith(".") && !remedy.endsWith("."), `${code} ends with a full stop`);
      assertEquals(says, "Meta's text");
    }
  });

  it("lets a subcode say more than its code", () => {
    assertEquals(explainApiError(refused({ code: 190, subcode: 463 })).meaning, "the access token has expired");
    assertEquals(
      explainApiError(refused({ code: 100, subcode: 33 })).meaning,
      "there is no object with this id, or the token may not see it",
    );
    const [plain, unknown] = [
      explainApiError(refused({ code: 190 })),
      explainApiError(refused({ code: 190, subcode: 7 })),
    ];
    assertEquals(unknown, { ...plain, subcode: 7 });
  });

  it("adds Meta's details to its message, unless the message has them", () => {
    const says = (message: string | undefined, details: string | undefined): string | undefined =>
      explainApiError(refused({ code: 100, message, details })).says;
    assertEquals(says("Invalid", "the parameter to"), "Invalid: the parameter to");
    assertEquals(says("Invalid: the parameter to", "the parameter to"), "Invalid: the parameter to");
    const userMessage = "The name is taken";
    assertEquals(
      explainApiError(refused({ code: 100, message: "Invalid", userMessage })).says,
      `Invalid: ${userMessage}`,
    );
    assertEquals([says(undefined, "details"), says("message", undefined)], ["details", "message"]);
  });

  it("has the error's own text for an unknown code, and for an answer that is no error of Meta", () => {
    const text = "The Graph API answered 400 to /v26.0/1065/messages";
    assertEquals(problemLines(explainApiError(refused({ code: 999_999 }))), [`Meta's code 999999: ${text}`]);
    assertEquals(problemLines(explainApiError(refused(undefined))), [text]);
    assertEquals(problemLines(explainApiError(refused(undefined, 502))), [
      text.replace("400", "502"),
      "To mend it: Try again later; https://metastatus.com/whatsapp-business-api shows outages of Meta",
    ]);
    assertEquals(problemLines(explainApiError(refused(undefined, 404)))[0], "the API does not know the path");
    assertEquals(problemLines(explainApiError(new Error("Stopped"))), ["Stopped"]);
  });
});

describe("problemLines", () => {
  it("has a line for each part that there is", () => {
    const graph = { code: 131047, subcode: 2, message: "(#131047) Re-engagement message", traceId: "A1b" };
    assertEquals(problemLines(explainApiError(refused(graph))), [
      "Meta's code 131047/2: more than 24 hours have passed since the recipient's last message",
      "To mend it: Send a template: --template NAME --language CODE; or wait until the recipient writes",
      "Meta says: (#131047) Re-engagement message (fbtrace_id A1b)",
    ]);
  });
});
