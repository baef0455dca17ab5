import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { apiAccess, type ApiValues, required, withFlags } from "../../cli/api_access.ts";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { UsageError } from "../../cli/io.ts";
import { VERSION } from "../../cli/version.ts";

describe("apiAccess", () => {
  it("takes ids from flags, or else from the environment, and the token from there only", () => {
    const env = {
      WHATSAPP_ACCESS_TOKEN: "token",
      WHATSAPP_PHONE_NUMBER_ID: "1065",
      WHATSAPP_ACCOUNT_ID: "1022",
    };
    const userAgent = `tackline/${VERSION}`;
    assertEquals(apiAccess({}, env), {
      accessToken: "token",
      phoneNumberId: "1065",
      accountId: "1022",
      options: { baseUrl: undefined, version: undefined, userAgent },
    });
    const values = { "phone-number-id": "7", "account-id": "8", "api-version": "v27.0", api: "https://a.example" };
    assertEquals(apiAccess(values, env), {
      accessToken: "token",
      phoneNumberId: "7",
      accountId: "8",
      options: { baseUrl: "https://a.example", version: "v27.0", userAgent },
    });
    assertEquals(apiAccess({}, {}).accessToken, undefined);
  });

  it("refuses what is no id, and does not show a long one: it may be a token", () => {
    const wrong: [values: ApiValues, env: Record<string, string>, why: string][] = [
      [{ "phone-number-id": "+1 650" }, {}, '--phone-number-id is "+1 650": an id has digits only'],
      [{ "account-id": "" }, {}, '--account-id is "": an id has digits only'],
      [{}, { WHATSAPP_ACCOUNT_ID: "E".repeat(200) }, "WHATSAPP_ACCOUNT_ID is a text of 200 characters: an id has"],
      [{}, { WHATSAPP_ACCESS_TOKEN: "" }, "WHATSAPP_ACCESS_TOKEN is empty"],
    ];
    for (const [values, env, why] of wrong) assertThrows(() => apiAccess(values, env), UsageError, why);
  });

  it("takes an API with TLS, or on a loopback address", () => {
    for (const api of ["https://a.example/graph", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"]) {
      assertEquals(apiAccess({ api }, {}).options.baseUrl, api);
    }
    for (const api of ["http://a.example", "ws://127.0.0.1", "a.example", "http://127.0.0.1@a.example/"]) {
      assertThrows(() => apiAccess({ api }, {}), UsageError, "neither an https: URL nor one on a loopback address");
    }
  });
});

describe("required", () => {
  it("says what is missing, and where it is found", () => {
    assertEquals(required("1065", "WHATSAPP_PHONE_NUMBER_ID", "look there"), "1065");
    const missing = (): string => required(undefined, "WHATSAPP_PHONE_NUMBER_ID", "look there");
    assertThrows(missing, UsageError, "WHATSAPP_PHONE_NUMBER_ID is not set: look there");
  });
});

describe("withFlags", () => {
  it("names flags and variables instead of options", () => {
    assertEquals(withFlags('The "caption" has 1025 characters'), "The --caption has 1025 characters");
    assertEquals(withFlags('The setting "accessToken" is empty'), "WHATSAPP_ACCESS_TOKEN is empty");
    const faults: [object, string][] = [
      [{ version: "26" }, '--api-version is "26" instead of a version such as "v26.0"'],
      [{ baseUrl: "https://a.example/v26.0" }, "--api has the version v26.0 in its path: give it as --api-version"],
    ];
    for (const [options, text] of faults) {
      const make = (): WhatsAppApi => new WhatsAppApi({ accessToken: "t", phoneNumberId: "1", ...options });
      assertEquals(withFlags(assertThrows(make, OptionError).message), text);
    }
    assertEquals(withFlags("Cannot send: the recipient is empty"), "Cannot send: the recipient is empty");
  });
});
