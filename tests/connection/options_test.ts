import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { defaultsOf, SettingsStore } from "../../base/settings.ts";
import { CONNECTION_SETTINGS, PROTOCOL_SETTINGS, protocolOptions } from "../../connection/options.ts";
import "../../connection/connection.ts";
import { assertDocumented } from "../support/setting_docs.ts";

describe("protocolOptions", () => {
  it("fills in the switches that are not given", () => {
    assertEquals(protocolOptions.read({}), defaultsOf(PROTOCOL_SETTINGS));
    assertEquals(protocolOptions.read({ manualPong: true, manualClose: undefined }).manualPong, true);
  });

  it("refuses other names and other kinds of values", () => {
    const wrong: [object, string][] = [
      [{ manualpong: true }, 'The setting "options" has no option "manualpong"; did you mean "manualPong"?'],
      [{ autoPong: false }, 'use "manualPong"'],
      [{ manualPong: "false" }, 'The setting "options.manualPong" is of type "string" instead of "boolean"'],
      [{ frameByFrame: 1 }, '"options.frameByFrame"'],
      [["manualPong"], "not an array"],
    ];
    for (const [options, says] of wrong) assertThrows(() => protocolOptions.read(options), OptionError, says);
  });
});

describe("CONNECTION_SETTINGS", () => {
  it("checks the switches, and the clock", () => {
    const store = new SettingsStore(CONNECTION_SETTINGS);
    store.check("options", { manualPong: true });
    assertThrows(() => store.check("options", { manualPong: 1 }), OptionError, "options.manualPong");
    assertThrows(() => store.check("clock", { now: () => 0 }), OptionError, '"clock"');
    assertThrows(() => store.check("clock", null), OptionError, '"clock"');
  });
});

describe("PROTOCOL_SETTINGS", () => {
  it("have the defaults and kinds that their documentation names", () => {
    assertDocumented(PROTOCOL_SETTINGS, ["connection/options.ts"], []);
  });
});
