/**
 * Events in the form of the browser's, for `addEventListener` and properties such as `onmessage`, on top of listeners
 * of `node:events`.
 *
 * @module
 */

import type { Data, RawData } from "./binary_type.ts";
import type { KnownListener } from "./emitter.ts";

/** Names of the events that have this form. */
export type SocketEventName = "open" | "message" | "close" | "error";

/**
 * An event.
 *
 * @typeParam Socket Class of the WebSocket.
 */
export interface SocketEvent<Socket = unknown> {
  /** The name of the event. */
  readonly type: string;
  /** The WebSocket. */
  readonly target: Socket;
}

/**
 * A message came.
 *
 * Also from {@linkcode SocketEvent}: `type`, `target`.
 *
 * @typeParam Socket Class of the WebSocket.
 */
export interface SocketMessageEvent<Socket = unknown> extends SocketEvent<Socket> {
  /** A string for a text; the bytes in the form of `binaryType` for a binary message. */
  readonly data: Data;
}

/**
 * The connection has ended.
 *
 * Also from {@linkcode SocketEvent}: `type`, `target`.
 *
 * @typeParam Socket Class of the WebSocket.
 */
export interface SocketCloseEvent<Socket = unknown> extends SocketEvent<Socket> {
  /** The code of the peer's close frame; 1005 if it had none, 1006 if there was no close frame. */
  readonly code: number;
  /** The reason. */
  readonly reason: string;
  /** `true` if both close frames were exchanged. */
  readonly wasClean: boolean;
}

/**
 * The connection failed, or a listener.
 *
 * Also from {@linkcode SocketEvent}: `type`, `target`.
 *
 * @typeParam Socket Class of the WebSocket.
 */
export interface SocketErrorEvent<Socket = unknown> extends SocketEvent<Socket> {
  /** The error. */
  readonly error: unknown;
  /** Its message. */
  readonly message: string;
}

/**
 * Events by name.
 *
 * @typeParam Socket Class of the WebSocket.
 */
export interface SocketEventTable<Socket = unknown> {
  /** The connection is open. */
  open: SocketEvent<Socket>;
  /** A message came. */
  message: SocketMessageEvent<Socket>;
  /** The connection has ended. */
  close: SocketCloseEvent<Socket>;
  /** The connection failed, or a listener. */
  error: SocketErrorEvent<Socket>;
}

/** A function, or an object with a method `handleEvent`. */
export type SocketEventListener<Event> = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

/** State of the WebSocket that events come from. */
export interface EventSource {
  /** `true` if both close frames were exchanged. */
  readonly wasClean: boolean;
}

/** Origin of a listener: given to `addEventListener`, or a property. */
export type ListenerOrigin = "method" | "property";

interface Registration {
  readonly given: unknown;
  readonly origin: ListenerOrigin;
}

/** The functions that were given to the emitter, and what the program gave. */
const registrations = new WeakMap<KnownListener, Registration>();

/**
 * Makes the listener for the emitter.
 *
 * @param type The name of the event.
 * @param given The listener of the program.
 * @param origin Origin of the listener.
 * @param target The WebSocket.
 * @param source State of the WebSocket.
 * @returns The listener; `undefined` if there are no such events.
 */
export function wrapListener(
  type: string,
  given: unknown,
  origin: ListenerOrigin,
  target: object,
  source: EventSource,
): KnownListener | undefined {
  const makeEvent = EVENT_MAKERS.get(type);
  if (makeEvent === undefined) return undefined;
  const listener = (...args: unknown[]): unknown => callListener(given, target, makeEvent(target, source, args));
  registrations.set(listener, { given, origin });
  return listener;
}

type EventMaker = (target: object, source: EventSource, args: unknown[]) => SocketEvent;

const EVENT_MAKERS: ReadonlyMap<string, EventMaker> = new Map<string, EventMaker>([
  ["open", (target) => ({ type: "open", target })],
  ["message", (target, _source, [data, isBinary]): SocketMessageEvent => ({
    type: "message",
    target,
    data: isBinary === true ? data as RawData : String(data),
  })],
  ["close", (target, { wasClean }, [code, reason]): SocketCloseEvent => ({
    type: "close",
    target,
    code: code as number,
    reason: String(reason),
    wasClean,
  })],
  ["error", (target, _source, [error]): SocketErrorEvent => ({
    type: "error",
    target,
    error,
    message: error instanceof Error ? error.message : String(error),
  })],
]);

function callListener(given: unknown, target: object, event: SocketEvent): unknown {
  if (typeof given === "function") return Reflect.apply(given, target, [event]);
  return (given as { handleEvent(event: SocketEvent): unknown }).handleEvent(event);
}

/**
 * Finds the listener of a property among those of the emitter.
 *
 * @param listeners Those of the emitter for one event.
 * @returns The listener of the emitter, and that of the program.
 */
export function findProperty(
  listeners: readonly KnownListener[],
): { listener: KnownListener; given: unknown } | undefined {
  return find(listeners, ({ origin }) => origin === "property");
}

/**
 * Finds a listener that was given to `addEventListener` among those of the emitter.
 *
 * @param listeners Those of the emitter for one event.
 * @param given The listener of the program, or what it took for one.
 * @returns The listener of the emitter.
 */
export function findMethod(listeners: readonly KnownListener[], given: unknown): KnownListener | undefined {
  return find(listeners, (found) => found.origin === "method" && found.given === given)?.listener;
}

function find(
  listeners: readonly KnownListener[],
  fits: (registration: Registration) => boolean,
): { listener: KnownListener; given: unknown } | undefined {
  for (const listener of listeners) {
    const found = registrations.get(listener);
    if (found !== undefined && fits(found)) return { listener, given: found.given };
  }
  return undefined;
}
