import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError } from "../../base/errors.ts";
import {
  adoptFields,
  defaultsOf,
  defineSettings,
  refuseSetting,
  SettingsStore,
  type SettingsTable,
} from "../../base/settings.ts";

interface Values {
  timeout: number;
  size: number;
  port: number;
  fast: boolean;
  name: string;
  tags: readonly string[];
  mode: "close" | "drop";
  clock: object;
  token: string | undefined;
}

const CLOCK = {};
const TABLE: SettingsTable<Values> = {
  timeout: { kind: "number", unit: "ms", default: 10 },
  size: { kind: "number", unit: "bytes", default: 64 },
  port: { kind: "number", unit: "count", most: 65535, default: 80 },
  fast: { kind: "boolean", default: false },
  name: {
    kind: "string",
    default: "a",
    alias: "formerName",
    check: (value, name) => {
      if (value === "") throw new OptionError(`The setting "${name}" is empty`);
    },
  },
  tags: { kind: "list", default: [] },
  mode: { kind: "choice", choices: ["close", "drop"], default: "close" },
  clock: { kind: "object", default: CLOCK },
  token: { kind: "any", default: undefined },
};

class Thing {
  declare timeout: number;
  declare size: number;
  declare fast: boolean;
  declare name: string;
  declare formerName: string;
  declare token: string | undefined;
  readonly #store = new SettingsStore(TABLE);

  static {
    defineSettings<Thing, Values>(this.prototype, TABLE, (thing) => thing.#store);
  }
}

class FastThing extends Thing {
  declare fast: boolean;

  static {
    refuseSetting<FastThing>(this.prototype, "fast", "it always is");
  }
}

describe("SettingsStore", () => {
  it("has the defaults of its table, and values of its own", () => {
    const [one, other] = [new SettingsStore(TABLE), new SettingsStore(TABLE)];
    assertEquals(one.values, defaultsOf(TABLE));
    one.set("size", 1);
    assertEquals([one.values.size, other.values.size, TABLE.size.default], [1, 64, 64]);
  });

  it("checks each kind, and names setting and value in the error", () => {
    const store = new SettingsStore(TABLE);
    const wrong: [keyof Values, unknown, string][] = [
      ["timeout", -1, 'The setting "timeout" is -1, not an integer from 0 to 2147483647'],
      ["timeout", 2 ** 31, 'The setting "timeout" is 2147483648, not an integer from 0 to 2147483647'],
      ["size", 1.5, 'The setting "size" is 1.5, not an integer from 0 on'],
      ["size", "1", 'The setting "size" is "1", of type string instead of number'],
      ["port", 65536, 'The setting "port" is 65536, not an integer from 0 to 65535'],
      ["fast", 1, 'The setting "fast" is of type "number" instead of "boolean"'],
      ["name", null, 'The setting "name" is of type "object" instead of "string"'],
      ["name", "", 'The setting "name" is empty'],
      ["tags", "a", 'The setting "tags" is "a" instead of an array'],
      ["mode", "x", 'The setting "mode" is "x" instead of "close" or "drop"'],
      ["clock", undefined, 'The setting "clock" is of type "undefined" instead of "object"'],
    ];
    for (const [name, value, message] of wrong) {
      const error = assertThrows(() => store.check(name, value), OptionError);
      assertEquals(error.message, message);
    }
    const right: [keyof Values, unknown][] = [["timeout", 2 ** 31 - 1], ["size", 2 ** 31], ["mode", "drop"], [
      "token",
      5,
    ]];
    for (const [name, value] of right) store.check(name, value);
    store.checkAll();
    store.set("tags", "a" as unknown as string[]);
    assertThrows(() => store.checkAll(), OptionError, "tags");
  });

  it("takes what is given of options: not undefined, nor names that it does not know, but former names", () => {
    const store = new SettingsStore(TABLE);
    const options = { size: 1, timeout: undefined, unknown: 5, formerName: "b" };
    store.assign(options);
    assertEquals(store.values, { ...defaultsOf(TABLE), size: 1, name: "b" });
    const both = { name: "c", formerName: "d" };
    store.assign(both);
    assertEquals(store.values.name, "c");
    // Values that count as false are given all the same.
    const empty = { name: "", formerName: "d", size: 0 };
    store.assign(empty);
    assertEquals([store.values.name, store.values.size], ["", 0]);
  });

  it("asks its observer before a change, takes another value from it, and tells it of the change", () => {
    const changed: string[] = [];
    const store = new SettingsStore(TABLE, {
      changing: (name, value) => {
        if (name === "port") throw new StateError("ERR_RUNNING", "locked");
        return name === "size" ? value as number * 2 : undefined;
      },
      changed: (name) => changed.push(name),
    });
    assertThrows(() => store.set("port", 1), StateError, "locked");
    store.set("size", 4);
    store.set("fast", true);
    assertEquals([store.values.port, store.values.size, store.values.fast, changed], [80, 8, true, ["size", "fast"]]);
  });
});

describe("defineSettings", () => {
  it("shows settings like accessors of the class: in it, and not among the keys of an object", () => {
    const thing = new Thing();
    thing.size = 5;
    thing.token = "secret";
    assertEquals([thing.size, thing.timeout, "size" in thing, Object.hasOwn(thing, "size")], [5, 10, true, false]);
    assertEquals([Object.keys(thing), JSON.stringify(thing), { ...thing }], [[], "{}", {}]);
    const { enumerable, get } = Object.getOwnPropertyDescriptor(Thing.prototype, "size")!;
    assertEquals([enumerable, typeof get, new Thing().size], [false, "function", 64]);
  });

  it("gets the values of fields of a subclass, which hide it", () => {
    class Mine extends Thing {
      override size = 9;
    }
    const thing = new Mine();
    adoptFields(thing, TABLE);
    assertEquals([thing.size, Object.hasOwn(thing, "size")], [9, false]);
    thing.size = 10;
    assertEquals(thing.size, 10);
  });

  it("gets the values of fields of a former name, unless there is one of the name itself", () => {
    class Old extends Thing {
      override formerName = "old";
    }
    class Both extends Thing {
      override name = "new";
      override formerName = "old";
    }
    const things = [new Old(), new Both()];
    for (const thing of things) adoptFields(thing, TABLE);
    assertEquals(things.map((thing) => [thing.name, thing.formerName]), [["old", "old"], ["new", "new"]]);
    assertEquals(things.flatMap((thing) => Object.keys(thing)), []);
  });

  it("shows a former name as the same setting", () => {
    const thing = new Thing();
    thing.formerName = "b";
    assertEquals([thing.name, thing.formerName], ["b", "b"]);
  });

  it("works in subclasses, which may make a setting read-only", () => {
    const thing = new FastThing();
    thing.size = 7;
    assertEquals([thing.size, thing.fast], [7, false]);
    const error = assertThrows(() => thing.fast = true, StateError, 'Cannot set "fast": it always is');
    assertStrictEquals(error.code, "ERR_UNSUPPORTED");
    const plain = new Thing();
    plain.fast = true;
    assertEquals(plain.fast, true);
  });
});
