import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { OptionTable } from "../../base/option_names.ts";
import type { SimulatorOptions } from "../../whatsapp/simulator.ts";
import { SIMULATOR_SETTINGS, simulatorOptions } from "../../whatsapp/simulator_settings.ts";

const GIVEN = { url: "http://127.0.0.1:1/", appSecret: "s" };

describe("simulatorOptions", () => {
  it("fills in the defaults", () => {
    // An option without a row would not compile.
    const names: OptionTable<SimulatorOptions> = SIMULATOR_SETTINGS;
    assertEquals(Object.keys(simulatorOptions.read(GIVEN)), Object.keys(names));
    const { rate, count, concurrency, types, signal } = simulatorOptions.read(GIVEN);
    assertEquals([rate, count, concurrency, types, signal], [10, 100, 64, undefined, undefined]);
    assertEquals(simulatorOptions.read({ ...GIVEN, rate: Infinity, duplicates: 0.5 }).rate, Infinity);
  });

  it("refuses values out of range", () => {
    const wrong: [object, string][] = [
      [{ url: undefined }, "not a URL"],
      [{ url: 5 }, '"url" is 5'],
      [{ appSecret: "" }, '"appSecret"'],
      [{ rate: 0 }, "rate"],
      [{ rate: "10" }, "rate"],
      [{ duplicates: 2 }, "duplicates"],
      [{ concurrency: 0 }, "from 1 to 10000"],
      [{ types: ["text", "txt"] }, '"txt", which is none; did you mean "text"? The types are text, '],
      [{ types: ["nothing like it"] }, "which is none; the types are text, "],
      [{ types: [7] }, '"types" has 7'],
    ];
    for (const [options, says] of wrong) {
      assertThrows(() => simulatorOptions.read({ ...GIVEN, ...options }), OptionError, says);
    }
  });
});
