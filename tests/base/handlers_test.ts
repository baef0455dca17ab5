import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  adoptHandlers,
  assignHandlers,
  AwaitedHandlers,
  defineAwaitedHandlers,
  defineHandlers,
} from "../../base/handlers.ts";

const NAMES = { onStart: true, onText: true } as const;

/** `onStart` is plain, and assignments of `onText` are noted. */
class Thing {
  onStart?(): unknown;
  onText?(text: string): unknown;
  /** The assigned handlers, and `undefined` for none. */
  readonly assigned: unknown[] = [];
  readonly #awaited = new AwaitedHandlers<Thing>(() => this.assigned.push(this.#awaited.assigned.onText));

  static {
    defineHandlers(this.prototype, NAMES);
    defineAwaitedHandlers<Thing>(this.prototype, ["onText"], (thing) => thing.#awaited);
  }

  constructor(options: object = {}) {
    assignHandlers(this, NAMES, options);
  }
}

class WithMethods extends Thing {
  override onStart() {
    return "method";
  }
  override onText(text: string) {
    return `method ${text}`;
  }
}

const field = (Base: typeof Thing, name: string, value: unknown): Thing => {
  const Sub = class extends Base {
    [name] = value;
  };
  return new Sub();
};

describe("handlers of a class", () => {
  it("are on the prototype, not enumerable, and not set", () => {
    const thing = new Thing();
    assertEquals([thing.onStart, thing.onText, Object.keys(thing)], [undefined, undefined, ["assigned"]]);
    assertEquals(Object.keys(Thing.prototype), []);
    assertEquals(["onStart" in thing, "onText" in thing], [true, true]);
  });

  it("are methods, unless an option or an assignment comes first", () => {
    const option = (): string => "option";
    assertEquals([new WithMethods().onStart(), new WithMethods().onText("a")], ["method", "method a"]);
    const given = new WithMethods({ onStart: option, onText: option });
    assertEquals([given.onStart(), given.onText("a")], ["option", "option"]);
    const thing = new Thing();
    thing.onStart = option;
    thing.onText = option;
    assertEquals([thing.onStart(), thing.onText("a"), thing.assigned], ["option", "option", [option]]);
  });

  it("that are null or undefined are none", () => {
    for (const none of [null, undefined]) {
      const thing = new WithMethods({ onStart: none, onText: none });
      assertEquals([thing.onStart(), thing.onText("a")], ["method", "method a"]);
      const assigned = new Thing();
      Object.assign(assigned, { onText: none });
      assertEquals([assigned.onText, assigned.assigned], [undefined, [undefined]]);
    }
  });

  it("that are no functions are refused in options, assignments and fields", () => {
    for (const wrong of ["x", 0, false, {}, Symbol("x"), Object.create(null)]) {
      for (const name of Object.keys(NAMES)) {
        const text = `The handler "${name}" is `;
        assertThrows(() => new Thing({ [name]: wrong }), OptionError, text);
        assertThrows(() => adoptHandlers(field(Thing, name, wrong), NAMES), OptionError, text);
      }
      assertThrows(() => Object.assign(new Thing(), { onText: wrong }), OptionError, '"onText" is ');
    }
    class Wrong extends Thing {}
    Object.assign(Wrong.prototype, { onStart: 1 });
    assertThrows(() => adoptHandlers(new Wrong(), NAMES), OptionError, 'The handler "onStart" is 1 instead of');
  });
});

describe("adoptHandlers", () => {
  it("takes over fields, so that assignments are noted again", () => {
    const handler = (): void => {};
    const thing = field(Thing, "onText", handler);
    assertEquals([thing.assigned, Object.hasOwn(thing, "onText")], [[], true]);
    adoptHandlers(thing, NAMES);
    assertEquals([thing.assigned, Object.hasOwn(thing, "onText")], [[handler], false]);
    assertStrictEquals(thing.onText, handler);
    const unset = field(Thing, "onText", undefined);
    adoptHandlers(unset, NAMES);
    unset.onText = handler;
    assertEquals(unset.assigned, [handler]);
  });

  it("leaves a field that hides a method, unless it has no value", () => {
    const handler = (): string => "field";
    for (const name of ["onStart", "onText"] as const) {
      const thing = field(WithMethods, name, handler);
      adoptHandlers(thing, NAMES);
      assertEquals([thing[name]!("a"), Object.hasOwn(thing, name)], ["field", true]);
      for (const none of [null, undefined]) {
        const unset = field(WithMethods, name, none);
        adoptHandlers(unset, NAMES);
        assertEquals([Object.hasOwn(unset, name), String(unset[name]!("a")).startsWith("method")], [false, true]);
      }
    }
  });
});
