/**
 * The event emitter of `node:events`, with types for the events of a class, and without those of Node: the package has
 * no dependencies, types included.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { promiseOf } from "../base/promises.ts";

/** Events by name, each with the arguments of its listeners. */
export type EventTable = Readonly<Record<string, readonly unknown[]>>;

/** A listener of one event. */
export type EventListener<This, Args extends readonly unknown[]> = (this: This, ...args: [...Args]) => unknown;

/** A listener with any arguments. */
export type AnyListener = (...args: never[]) => unknown;

/** A listener, as an emitter returns it. */
export type KnownListener = (...args: unknown[]) => unknown;

/** An event emitter of `node:events`. */
export interface Emitter<Events extends EventTable> {
  /** Adds a listener. */
  on<Name extends keyof Events>(event: Name, listener: EventListener<this, Events[Name]>): this;
  /** Adds a listener for an event of any name. */
  on(event: string | symbol, listener: AnyListener): this;
  /** Adds a listener, as `on` does. */
  addListener<Name extends keyof Events>(event: Name, listener: EventListener<this, Events[Name]>): this;
  /** Adds a listener for an event of any name. */
  addListener(event: string | symbol, listener: AnyListener): this;
  /** Adds a listener for the next event only. */
  once<Name extends keyof Events>(event: Name, listener: EventListener<this, Events[Name]>): this;
  /** Adds a listener for the next event of any name. */
  once(event: string | symbol, listener: AnyListener): this;
  /** Adds a listener before the others. */
  prependListener<Name extends keyof Events>(event: Name, listener: EventListener<this, Events[Name]>): this;
  /** Adds a listener before the others, for an event of any name. */
  prependListener(event: string | symbol, listener: AnyListener): this;
  /** Adds a listener before the others, for the next event only. */
  prependOnceListener<Name extends keyof Events>(event: Name, listener: EventListener<this, Events[Name]>): this;
  /** Adds a listener before the others, for the next event of any name. */
  prependOnceListener(event: string | symbol, listener: AnyListener): this;
  /** Removes a listener. */
  off(event: string | symbol, listener: AnyListener): this;
  /** Removes a listener, as `off` does. */
  removeListener(event: string | symbol, listener: AnyListener): this;
  /** Removes all listeners, of one event or of all. */
  removeAllListeners(event?: string | symbol): this;
  /** Calls the listeners of an event; returns `false` if there are none. */
  emit(event: string | symbol, ...args: unknown[]): boolean;
  /** Counts the listeners of an event. */
  listenerCount(event: string | symbol, listener?: AnyListener): number;
  /** Returns the listeners of an event. */
  listeners(event: string | symbol): KnownListener[];
  /** Returns the listeners of an event, those of `once` with their wrappers. */
  rawListeners(event: string | symbol): KnownListener[];
  /** Returns the names of events that have listeners. */
  eventNames(): (string | symbol)[];
  /** Sets the number of listeners beyond which a warning is printed. */
  setMaxListeners(count: number): this;
  /** Returns that number. */
  getMaxListeners(): number;
}

/** Class of emitters with events. */
export interface EmitterClass<Events extends EventTable> {
  /** Prototype of the class. */
  readonly prototype: Emitter<Events>;
  /** Makes an emitter. */
  new (options?: { captureRejections?: boolean | undefined }): Emitter<Events>;
}

/**
 * Gives the class `EventEmitter` types for events.
 *
 * @returns The class.
 */
export function emitterClass<Events extends EventTable>(): EmitterClass<Events> {
  return EventEmitter as unknown as EmitterClass<Events>;
}

/** Name of the event that comes before each event `error`, for programs that only watch. */
const MONITOR = EventEmitter.errorMonitor;

/**
 * Calls the listeners of `error`, as `emit` does: on Bun `emit` does not look at the promises of those, and one that
 * is rejected would end the program.
 *
 * @param emitter The emitter.
 * @param error The error.
 * @param rejected Called if a listener rejects.
 */
export function emitError<Events extends EventTable>(
  emitter: Emitter<Events>,
  error: unknown,
  rejected: (error: unknown) => void,
): void {
  emitter.emit(MONITOR, error);
  for (const listener of emitter.rawListeners("error")) {
    promiseOf(Reflect.apply(listener, emitter, [error]))?.catch(rejected);
  }
}
