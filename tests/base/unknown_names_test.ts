import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertMembers, refuseForeignNames, refuseUnknownNames } from "../../base/unknown_names.ts";

/** A guarded class with a setting and two handlers, and a guarded class that is built on it. */
class Machine {
  #speed = 1;
  onStarted: unknown;

  static {
    Object.defineProperty(this.prototype, "onMessageReceived", { writable: true, value: undefined });
    refuseUnknownNames(this.prototype, "Machine", { onmessage: "onMessageReceived", velocity: "maxSpeed" });
  }

  get maxSpeed(): number {
    return this.#speed;
  }
  set maxSpeed(value: number) {
    this.#speed = value;
  }
  get size(): number {
    return 2;
  }
  get port(): number {
    return 0;
  }
  set port(_: number) {}
}

class Motor extends Machine {
  fuel = "";

  static {
    Object.defineProperty(this.prototype, "onEmpty", { writable: true, value: undefined });
    refuseUnknownNames(this.prototype, "Motor", { onempty: "onEmpty" }, { on: "turn the key" });
  }
}

class Boat extends Motor {}

const set = (owner: object, name: string): boolean => Reflect.set(owner, name, 9);

describe("refuseUnknownNames", () => {
  it("refuses on the class itself whatever it does not have", () => {
    const cases: [string, string][] = [
      ["onmessage", '; did you mean "onMessageReceived"?'],
      ["OnMessage", '; did you mean "onMessageReceived"?'],
      ["velocity", '; did you mean "maxSpeed"?'],
      ["maxSped", '; did you mean "maxSpeed"?'],
      ["colour", ""],
    ];
    for (const [name, hint] of cases) {
      const machine = new Machine();
      const error = assertThrows(() => set(machine, name), OptionError);
      assertEquals(error.message, `Cannot set "${name}": a Machine has no such property${hint}`);
      assertEquals(Object.keys(machine), ["onStarted"]);
    }
  });

  it("knows the names of a class that is built on another", () => {
    for (
      const [name, meant] of [["onempty", "onEmpty"], ["onmessage", "onMessageReceived"], ["fual", "fuel"]] as const
    ) {
      const error = assertThrows(() => set(new Motor(), name), OptionError);
      assertEquals(error.message, `Cannot set "${name}": a Motor has no such property; did you mean "${meant}"?`);
    }
  });

  it("lets a subclass have its own properties, except those that are nearly ours", () => {
    const boat = new Boat();
    for (
      const name of [
        "name",
        "_maxSpeed",
        "$maxSpeed",
        "onDocked",
        "onArrived",
        "sails",
        "ports",
        "sort",
        "maxWeight",
        "speed",
        "velocities",
      ]
    ) {
      assertEquals([set(boat, name), Reflect.get(boat, name), Object.hasOwn(boat, name)], [true, 9, true]);
    }
    const nearly = {
      onmessage: "onMessageReceived",
      onempty: "onEmpty",
      MAXSPEED: "maxSpeed",
      maxSpede: "maxSpeed",
      maxxSpeed: "maxSpeed",
      maxSpee: "maxSpeed",
      maySpeed: "maxSpeed",
      onMessageRecieved: "onMessageReceived",
    };
    for (const [name, meant] of Object.entries(nearly)) {
      const text =
        `Cannot set "${name}"; did you mean "${meant}"? A property of a subclass needs a name that differs more`;
      assertEquals(assertThrows(() => set(boat, name), OptionError).message, text);
      assertEquals(Object.hasOwn(boat, name), false);
    }
  });

  it("is not asked about known names, reads, fields, symbols, and names that every object has", () => {
    const machine = new Machine();
    machine.maxSpeed = 3;
    set(machine, "onMessageReceived");
    set(machine, "toString");
    set(machine, "__proto__");
    Reflect.set(machine, Symbol.for("x"), 1);
    assertEquals([machine.maxSpeed, Reflect.get(machine, "unknown"), "unknown" in machine], [3, undefined, false]);
    assertEquals([set(new Machine(), "size"), new Machine() instanceof Object], [false, true]);
    class Legacy extends Machine {
      onmessage = 1;
    }
    assertEquals(new Legacy().onmessage, 1);
  });

  it("lets prototypes and objects of other classes be extended", () => {
    class Sub extends Machine {}
    for (const owner of [Sub.prototype, Machine.prototype, Object.create(new Machine())]) {
      assertEquals(set(owner, "helper"), true);
      Reflect.deleteProperty(owner, "helper");
    }
    assertEquals(set({}, "onmessage"), true);
  });
});

describe("assertMembers", () => {
  const refused = (owner: object, name: string, meant: string): void => {
    const text = `The subclass has "${name}", which is never used; did you mean "${meant}"? ` +
      "A member of its own needs a name that differs more";
    assertEquals(assertThrows(() => assertMembers(owner), OptionError).message, text);
  };

  it("refuses methods, accessors and fields of subclasses whose names are nearly ours", () => {
    class Method extends Motor {
      onMesageReceived(): void {}
    }
    class Accessor extends Motor {
      get maxxSpeed(): number {
        return 1;
      }
    }
    class Field extends Machine {
      MaxSpeed = 1;
    }
    class Foreign extends Motor {
      onMessage(): void {}
    }
    class Between extends Foreign {}
    refused(new Method(), "onMesageReceived", "onMessageReceived");
    refused(new Method(), "onMesageReceived", "onMessageReceived");
    refused(new Accessor(), "maxxSpeed", "maxSpeed");
    refused(new Field(), "MaxSpeed", "maxSpeed");
    refused(new Between(), "onMessage", "onMessageReceived");
  });

  it("allows what differs more, what is ours, and helpers of a handler that is set", () => {
    class Own extends Motor {
      _onEmpty = 1;
      size2 = 1;
      override get size(): number {
        return 3;
      }
      onEmpty(): void {}
      onEmpti(): void {}
      onempty(): void {}
      onDocked(): void {}
    }
    assertMembers(new Own());
    assertMembers(new Boat());
    assertMembers({ onmessage: 1 });
    class Helper extends Machine {
      onMessage(): void {}
    }
    const helper = new Helper();
    refused(helper, "onMessage", "onMessageReceived");
    Reflect.set(helper, "onMessageReceived", () => {});
    assertMembers(helper);
  });
});

describe("members of other libraries", () => {
  class Plug {
    length = 1;
    static {
      refuseForeignNames(this.prototype, "Plug", { onopen: "set onOpen" }, { readyState: "use state" });
    }
  }

  it("cannot be read, unless a subclass has them", () => {
    class Own extends Motor {
      on(): number {
        return 5;
      }
    }
    assertEquals(new Own().on(), 5);
    const text = assertThrows(() => Reflect.get(new Boat(), "on"), OptionError).message;
    assertEquals(text, 'Motor has no "on": turn the key');
    assertEquals(["on" in new Boat(), Reflect.get(new Boat(), "then"), Reflect.get(new Machine(), "on")], [
      false,
      undefined,
      undefined,
    ]);
    const state = assertThrows(() => Reflect.get(new Plug(), "readyState"), OptionError).message;
    assertEquals(state, 'Plug has no "readyState": use state');
  });

  it("cannot be set on a class that is open for others", () => {
    const plug = new Plug();
    const error = assertThrows(() => set(plug, "onopen"), OptionError);
    assertEquals(error.message, 'Cannot set "onopen" of a Plug: set onOpen');
    for (const name of ["isAlive", "user", "lengt", "OnOpen"]) assertEquals(set(plug, name), true);
    assertEquals(Object.keys(plug), ["length", "isAlive", "user", "lengt", "OnOpen"]);
  });
});
