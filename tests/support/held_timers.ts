/**
 * Timers of packages, which take no clock: held while a test runs, and called when the test says so.
 *
 * Keep-alive and back-off of packages are seconds long. Timers from a given delay on are not started; shorter ones are.
 */

type Callback = (...args: unknown[]) => void;

/** A timer that is held, in the form of those of Node. */
class HeldTimer {
  constructor(readonly kind: "timeout" | "interval", readonly delay: number, readonly run: () => void) {}

  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

const NAMES = ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] as const;

/** Holds all timers of at least `least` ms until it is disposed; those that are left then never run. */
export class HeldTimers implements Disposable {
  readonly #real = NAMES.map((name) => globalThis[name]);
  readonly #held = new Set<HeldTimer>();

  constructor(least: number) {
    const real = { setTimeout: globalThis.setTimeout, setInterval: globalThis.setInterval };
    const start = (
      kind: HeldTimer["kind"],
      begin: Callback,
      callback: Callback,
      delay: number,
      args: unknown[],
    ): unknown => {
      if (!(delay >= least)) return begin(callback, delay, ...args);
      const timer = new HeldTimer(kind, delay, () => callback(...args));
      this.#held.add(timer);
      return timer;
    };
    const stop = (end: Callback) => (timer: unknown): void => {
      if (timer instanceof HeldTimer) this.#held.delete(timer);
      else end(timer);
    };
    Object.assign(globalThis, {
      setTimeout: (callback: Callback, delay = 0, ...args: unknown[]) =>
        start("timeout", real.setTimeout as Callback, callback, delay, args),
      setInterval: (callback: Callback, delay = 0, ...args: unknown[]) =>
        start("interval", real.setInterval as Callback, callback, delay, args),
      clearTimeout: stop(globalThis.clearTimeout as Callback),
      clearInterval: stop(globalThis.clearInterval as Callback),
    });
  }

  /** Number of timers with a delay that are held. */
  count(kind: HeldTimer["kind"], delay: number): number {
    return this.#find(kind, delay).length;
  }

  /** Delays of all timers that are held, for messages. */
  get all(): string[] {
    return [...this.#held].map(({ kind, delay }) => `${kind} ${delay}`);
  }

  /** Has the time of a delay pass for all timers with it: they are called once. Fails if there is none. */
  fire(kind: HeldTimer["kind"], delay: number): void {
    const timers = this.#find(kind, delay);
    if (timers.length === 0) throw new Error(`no ${kind} of ${delay} ms is held, but ${this.all.join() || "none"}`);
    for (const timer of timers) {
      if (kind === "timeout") this.#held.delete(timer);
      timer.run();
    }
  }

  #find(kind: HeldTimer["kind"], delay: number): HeldTimer[] {
    return [...this.#held].filter((timer) => timer.kind === kind && timer.delay === delay);
  }

  [Symbol.dispose](): void {
    this.#held.clear();
    Object.assign(globalThis, Object.fromEntries(NAMES.map((name, index) => [name, this.#real[index]])));
  }
}
