/** Values that a program may throw or return, and that have no text. */

const fail = (): never => {
  throw new Error("this value cannot be looked at");
};

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Makes each of the values. */
export const UNPRINTABLE: Readonly<Record<string, () => unknown>> = {
  "an object without a prototype": () => Object.create(null),
  "a revoked Proxy": () => revoked({}),
  "a revoked Proxy of a function": () => revoked(fail),
  "a revoked Proxy of an Error": () => revoked(new Error("x")),
  "a Proxy whose traps throw": () =>
    new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail, ownKeys: fail, getOwnPropertyDescriptor: fail }),
  "an object whose toString throws": () => ({ toString: fail }),
  "an object whose toPrimitive throws": () => ({ [Symbol.toPrimitive]: fail }),
  "an object that throws when it is inspected": () => ({
    [Symbol.for("Deno.customInspect")]: fail,
    [Symbol.for("nodejs.util.inspect.custom")]: fail,
  }),
  "a symbol": () => Symbol("x"),
  "an Error whose message throws": () => Object.defineProperty(new Error("x"), "message", { get: fail }),
  "an Error whose message is an object without a prototype": () =>
    Object.assign(new Error("x"), { message: Object.create(null) }),
  "an Error whose name throws": () => Object.defineProperty(new Error(""), "name", { get: fail }),
  "an Error whose stack throws": () => Object.defineProperty(new Error("x"), "stack", { get: fail }),
  "an Error whose cause throws": () => Object.defineProperty(new Error("x"), "cause", { get: fail, enumerable: true }),
};
