import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { readSettings, settingsBody } from "../../cloud_api/phone_number_settings.ts";

describe("settings of a number", () => {
  it("pass members on that this library does not know", () => {
    const raw = { calling: { status: "ENABLED", new_member: { some_thing: 1 } }, new_section: { a: 1 } };
    const { calling, ...others } = readSettings(raw);
    assertEquals(calling, { status: "ENABLED", newMember: { someThing: 1 } });
    assertEquals(others, { raw });
    assertEquals(settingsBody({ calling }), { calling: raw.calling });
  });

  it("keep names that the business chose", () => {
    const sip = {
      status: "ENABLED",
      servers: [{ hostname: "sip.example.com", requestUriUserParams: { KEY_One: "v" } }],
    };
    assertEquals(settingsBody({ calling: { sip } }), {
      calling: {
        sip: {
          status: "ENABLED",
          servers: [{ hostname: "sip.example.com", request_uri_user_params: { KEY_One: "v" } }],
        },
      },
    });
  });

  it("are refused if there are none, or a section is not known or no object", () => {
    const refused: [object, string][] = [
      [{}, "The settings are empty"],
      [{ calling: undefined }, "The settings are empty"],
      [{ calling: "ENABLED" }, 'The setting "calling" is "ENABLED" instead of an object'],
      [{ user_identity_change: {} }, 'use "userIdentityChange"'],
      [{ raw: {} }, 'has no option "raw"'],
    ];
    for (const [settings, message] of refused) assertThrows(() => settingsBody(settings), OptionError, message);
  });
});
