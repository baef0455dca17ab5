import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertHandler,
  assertHandlers,
  assertSignal,
  hasMethods,
  hintsOf,
  isHandlerName,
  OptionNames,
  showValue,
  withoutNames,
} from "../../base/option_names.ts";

const NAMES = new OptionNames("Thing", {
  tables: [{ size: true, colour: { alias: "color" } }, { onBegin: true, onEnd: true }],
  hints: { length: 'use "size"' },
  example: (value) => typeof value === "number" ? `{ size: ${value} }` : undefined,
});

/** Message of the error. */
function refusal(options: unknown): string {
  const error = assertThrows(() => NAMES.assert(options), OptionError);
  assertEquals((error as OptionError).code, "ERR_OPTION");
  return error.message;
}

describe("OptionNames", () => {
  it("takes known and former names, with any value", () => {
    for (const options of [{}, { size: undefined }, { colour: 1, onEnd: null }, { color: 1 }]) NAMES.assert(options);
  });

  it("refuses another name, with the nearest one and all that are known", () => {
    assertEquals(refusal({ sise: 1 }), 'Thing has no option "sise"; did you mean "size"? The names are colour, size');
    assertEquals(refusal({ size: 1, other: 1 }), 'Thing has no option "other": names are colour, size');
    assertEquals(
      refusal({ onend: 1 }),
      'Thing has no option "onend"; did you mean "onEnd"? The names are colour, size',
    );
    assertEquals(
      refusal({ onEmd: 1 }),
      'Thing has no option "onEmd"; did you mean "onEnd"? The handlers are onBegin, onEnd',
    );
  });

  it("leaves out a list of names that would be cut", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`aSettingOfNumber${at}`, true]));
    const names = new OptionNames("Thing", { tables: [many], hints: { length: 'use "size"' } });
    const fault = (options: object): string => assertThrows(() => names.assert(options), OptionError).message;
    assertEquals(fault({ length: 1 }), 'Thing has no option "length"; use "size"');
    assertEquals(fault({ other: 1 }), 'Thing has no option "other"');
  });

  it("gives the remedy for a name of another library", () => {
    assertEquals(refusal({ length: 1 }), 'Thing has no option "length"; use "size". The names are colour, size');
  });

  it("refuses names that all objects inherit, and those that are undefined", () => {
    assert(refusal(JSON.parse('{"__proto__":1}')).includes('"__proto__"'));
    assert(refusal({ constructor: 1 }).includes('"constructor"'));
    assert(refusal({ sise: undefined }).includes('"sise"'));
  });

  it("looks at no name in a prototype", () => {
    class Config {
      size = 1;
      get other(): number {
        return 1;
      }
    }
    NAMES.assert(new Config());
    NAMES.assert(Object.create({ inherited: 1 }));
    NAMES.assert(Object.create(null));
    NAMES.assert({ [Symbol("other")]: 1 });
  });

  it("refuses values that are no objects, and shows an object that would do", () => {
    assertEquals(refusal(5), "Thing takes options as an object such as { size: 5 }, not 5");
    assertEquals(refusal(null), "Thing takes options as an object, not null");
    assertEquals(refusal(["a"]), "Thing takes options as an object, not an array");
    assertEquals(refusal("text"), 'Thing takes options as an object, not "text"');
    assertEquals(refusal(() => {}), "Thing takes options as an object, not a function");
  });

  it("quotes no more than the beginning of a name", () => {
    assert(refusal({ ["x".repeat(10_000)]: 1 }).length < 300);
  });

  it("picks the options of the class that is built on", () => {
    assertEquals(withoutNames({ size: 1, onEnd: 2, other: 3 } as object, NAMES), { other: 3 });
  });
});

describe("assertHandlers", () => {
  it("takes functions, null and undefined, also inherited ones", () => {
    for (const onEnd of [() => {}, null, undefined]) assertHandlers({ onEnd }, { onEnd: true });
    assertHandlers(Object.create({ onEnd: () => {} }), { onEnd: true });
  });

  it("refuses any other value", () => {
    for (const [onEnd, shown] of [["f", '"f"'], [5, "5"], [{}, "an object"], [true, "true"]]) {
      const message = `The handler "onEnd" is ${shown} instead of a function`;
      assertEquals(assertThrows(() => assertHandlers({ onEnd }, { onEnd: true }), OptionError).message, message);
    }
    assertThrows(() => assertHandlers(Object.create({ onEnd: 5 }), { onEnd: true }), OptionError);
  });
});

describe("assertSignal", () => {
  it("takes a signal, null and undefined, and names the signal of a controller", () => {
    for (const signal of [AbortSignal.abort(), null, undefined]) assertSignal({ signal });
    assertSignal({});
    assertThrows(() => assertSignal({ signal: new AbortController() }), OptionError, "use its signal");
    for (const signal of ["", 5, true, {}, () => {}]) assertThrows(() => assertSignal({ signal }), OptionError);
  });
});

describe("assertHandler", () => {
  it("checks one handler", () => {
    for (const handler of [() => {}, null, undefined]) assertHandler("onEnd", handler);
    const message = 'The handler "onEnd" is 5 instead of a function';
    assertEquals(assertThrows(() => assertHandler("onEnd", 5), OptionError).message, message);
  });
});

describe("hintsOf", () => {
  it("gives each name its remedy; one of a word is the option to use", () => {
    assertEquals(hintsOf([["size", "width length"], ["leave it out: it is always red", "colour"]]), {
      width: 'use "size"',
      length: 'use "size"',
      colour: "leave it out: it is always red",
    });
  });
});

describe("isHandlerName", () => {
  it("takes names that begin with on and a capital letter", () => {
    assertEquals(["onEnd", "OnEnd", "on", "once", "end", "onlyOnce"].map(isHandlerName), [
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("hasMethods", () => {
  it("looks for functions, also inherited ones", () => {
    assertEquals([hasMethods(new Map(), "get", "set"), hasMethods({ get: 1 }, "get")], [true, false]);
    assertEquals([hasMethods(null, "get"), hasMethods("text", "at"), hasMethods([], "map", "none")], [
      false,
      false,
      false,
    ]);
  });
});

describe("showValue", () => {
  it("writes no more than the kind of an object, and any other value", () => {
    assertEquals(["a", 1, 1n, null, undefined, Symbol("s"), {}, [], () => {}].map(showValue), [
      '"a"',
      "1",
      "1",
      "null",
      "undefined",
      "Symbol(s)",
      "an object",
      "an array",
      "a function",
    ]);
    assertEquals(showValue(Object.create(null)), "an object");
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    assertEquals(showValue(proxy), "an object");
  });
});
