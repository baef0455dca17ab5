/**
 * Handlers of a class: options, properties and methods of subclasses, by one rule.
 *
 * A handler that is an own property (an option, an assignment, a field of a subclass) comes before a method of a
 * subclass. The prototype of the class has each name, so that a handler that is not set costs no search.
 *
 * @module
 */

import { assertHandler } from "./option_names.ts";

/** Names of handlers: an entry for each. */
export type HandlerNames = Readonly<Record<string, true>>;

/**
 * Gives a class its handlers, which are not set. The class declares them as optional methods, which emit nothing: a
 * subclass may then have a method or a field of the name.
 *
 * @param prototype The prototype of the class.
 * @param names The names.
 */
export function defineHandlers(prototype: object, names: HandlerNames): void {
  for (const name of Object.keys(names)) {
    Object.defineProperty(prototype, name, { configurable: true, enumerable: false, writable: true, value: undefined });
  }
}

/** Assigned handlers that messages wait for: an assignment hands them over. */
export class AwaitedHandlers<Handlers extends object> {
  /** The handlers. */
  readonly assigned: { [Name in keyof Handlers]?: Handlers[Name] | undefined } = {};
  /** Called after an assignment. */
  readonly changed: () => void;

  /**
   * Begins without handlers.
   *
   * @param changed Called after an assignment.
   */
  constructor(changed: () => void) {
    this.changed = changed;
  }
}

/**
 * Gives a class handlers that must be told of assignments. A method of a subclass hides them; `adoptHandlers` takes
 * over a field.
 *
 * @param prototype The prototype of the class.
 * @param names The names.
 * @param handlersOf Returns the handlers of an instance.
 */
export function defineAwaitedHandlers<Owner extends object>(
  prototype: Owner,
  names: readonly (keyof Owner & string)[],
  handlersOf: (owner: Owner) => AwaitedHandlers<Owner>,
): void {
  for (const name of names) {
    const property: PropertyDescriptor & ThisType<Owner> = {
      configurable: true,
      enumerable: false,
      get() {
        return handlersOf(this).assigned[name];
      },
      set(handler: Owner[typeof name] | null | undefined) {
        assertHandler(name, handler);
        const { assigned, changed } = handlersOf(this);
        assigned[name] = handler ?? undefined;
        changed();
      },
    };
    Object.defineProperty(prototype, name, property);
  }
}

/**
 * Sets the handlers that are among options.
 *
 * @param owner The object.
 * @param names The handlers of its class.
 * @param options The options; `undefined` and `null` stand for no handler.
 * @throws {OptionError} If a handler is not a function.
 */
export function assignHandlers(owner: object, names: HandlerNames, options: object): void {
  for (const name of Object.keys(names)) {
    const handler: unknown = Reflect.get(options, name);
    assertHandler(name, handler);
    if (handler !== undefined && handler !== null) Reflect.set(owner, name, handler);
  }
}

/**
 * Takes over fields of a subclass, and checks all handlers; before an object begins its work. A field without a value
 * hides no method: `class Mine extends Base { onAllow; }` must not lift what `Base` refuses.
 *
 * @param owner The object.
 * @param names The handlers of its class.
 * @throws {OptionError} If a handler is not a function.
 */
export function adoptHandlers(owner: object, names: HandlerNames): void {
  for (const name of Object.keys(names)) {
    const handler: unknown = Reflect.get(owner, name);
    assertHandler(name, handler);
    if (!Object.hasOwn(owner, name)) continue;
    const inherited = findInherited(owner, name);
    const unset = handler === undefined || handler === null;
    // An own property hides the accessor, and would get later assignments.
    const hides = inherited?.set !== undefined || (unset && inherited?.value !== undefined);
    if (!hides) continue;
    Reflect.deleteProperty(owner, name);
    if (!unset) Reflect.set(owner, name, handler);
  }
}

function findInherited(owner: object, name: string): PropertyDescriptor | undefined {
  for (let from = Reflect.getPrototypeOf(owner); from !== null; from = Reflect.getPrototypeOf(from)) {
    const found = Reflect.getOwnPropertyDescriptor(from, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
