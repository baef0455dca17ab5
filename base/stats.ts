/**
 * Statistics of servers and clients: connections, frames, messages, bytes, ends of connections, and durations.
 *
 * @module
 */

/** Upper bounds of the buckets of a {@linkcode HistogramSnapshot}, in ms; the last bucket has none. */
export const HISTOGRAM_BOUNDS: readonly number[] = [
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
];

/** Durations by size, in the form of Prometheus and OpenTelemetry. */
export interface HistogramSnapshot {
  /** Number of durations. */
  readonly count: number;
  /** Their sum, in ms. */
  readonly sum: number;
  /**
   * Number of durations up to the bound at the same index of {@linkcode HISTOGRAM_BOUNDS}, above the bound before; last
   * the rest.
   */
  readonly buckets: readonly number[];
}

/** Received and sent. */
export interface Traffic {
  /** Received from peers. */
  readonly received: number;
  /** Sent to peers. */
  readonly sent: number;
}

/** Bytes of compressed messages before and after. */
export interface CompressionTraffic {
  /** Bytes of the messages. */
  readonly plain: number;
  /** Bytes of their compressed form. */
  readonly compressed: number;
  /** `compressed / plain`; 1 as long as there were none. */
  readonly ratio: number;
}

/** Messages between nodes. */
export interface BackplaneTraffic {
  /** Messages sent to the other nodes. */
  readonly published: number;
  /** Messages of other nodes. */
  readonly received: number;
  /** Messages of this node that perhaps did not reach the others. */
  readonly lost: number;
  /** Messages of other nodes that did not arrive, as far as that is known. */
  readonly missed: number;
}

/** Counters of a server or a client since it was made. */
export interface Stats {
  /** Connections. */
  readonly connections: {
    /** WebSockets that are open, or being closed. */
    readonly open: number;
    /** Connections whose handshake is not done; on a server plain HTTP and TLS handshakes too. */
    readonly handshaking: number;
    /** WebSockets that have been opened so far. */
    readonly opened: number;
  };
  /** Frames of WebSockets, control frames included. */
  readonly frames: Traffic;
  /** Messages. */
  readonly messages: Traffic;
  /**
   * Bytes of WebSockets, with TLS before encryption; on a server the sent bytes include the answer of the handshake.
   * Bytes that the operating system has taken count as sent.
   */
  readonly bytes: Traffic;
  /** Messages that `send` did not take, since too many bytes waited for a slow peer. */
  readonly dropped: number;
  /** Bytes that wait for slow peers now. */
  readonly bufferedAmount: number;
  /** Ends of WebSockets, by the code in the peer's close frame, or else in ours; 1006 if there was neither. */
  readonly closes: Readonly<Record<number, number>>;
  /**
   * Number of refusals before a WebSocket was open, by reason: the code of an error, such as `"ERR_TLS_HANDSHAKE"`, or
   * `"allow"`,
   * `"maxConnections"`, `"failureDelay"`, …
   */
  readonly refusals: Readonly<Record<string, number>>;
  /** Failures of open WebSockets, by the code of the error. */
  readonly failures: Readonly<Record<string, number>>;
  /** Compressed messages that came. */
  readonly inflated: CompressionTraffic;
  /** Compressed messages that were sent; a broadcast counts once for each window size. */
  readonly deflated: CompressionTraffic;
  /** Messages between nodes; all 0 without a `backplane`. */
  readonly backplane: BackplaneTraffic;
  /**
   * Durations from TCP (on a server), or from the beginning of the attempt (on a client), to the end of the handshake.
   */
  readonly handshakeTimes: HistogramSnapshot;
  /** Durations from ping to pong. */
  readonly pingTimes: HistogramSnapshot;
}

/** Durations by size. */
export class Histogram {
  #counts: number[] = new Array(HISTOGRAM_BOUNDS.length + 1).fill(0);
  #sum = 0;

  /**
   * Counts a duration.
   *
   * @param ms The duration.
   */
  add(ms: number): void {
    let at = 0;
    while (at < HISTOGRAM_BOUNDS.length && ms > HISTOGRAM_BOUNDS[at]!) at++;
    this.#counts[at]!++;
    this.#sum += ms;
  }

  /**
   * Copies the counters.
   *
   * @returns A copy.
   */
  snapshot(): HistogramSnapshot {
    const buckets = [...this.#counts];
    return { count: buckets.reduce((sum, count) => sum + count, 0), sum: this.#sum, buckets };
  }
}

/** Counts. One object serves many connections; the fields are plain, since some change with each frame. */
export class Meter {
  /** Frames received. */
  framesReceived = 0;
  /** Frames sent. */
  framesSent = 0;
  /** Messages received. */
  messagesReceived = 0;
  /** Messages sent. */
  messagesSent = 0;
  /** Bytes received. */
  bytesReceived = 0;
  /** Bytes sent. */
  bytesSent = 0;
  /** Messages that `send` did not take. */
  dropped = 0;
  /** WebSockets that have been opened. */
  opened = 0;
  /** Bytes that wait for slow peers, except large messages that many of them share. */
  buffered = 0;
  /** Limit of `buffered`; beyond it slow peers get no more messages. */
  maxBuffered: number = Infinity;
  /** Bytes of compressed messages received, before decompression. */
  inflatedFrom = 0;
  /** Bytes of compressed messages received, after decompression. */
  inflatedTo = 0;
  /** Bytes of compressed messages sent, before compression. */
  deflatedFrom = 0;
  /** Bytes of compressed messages sent, after compression. */
  deflatedTo = 0;
  /** Messages sent to other nodes. */
  backplanePublished = 0;
  /** Messages of other nodes. */
  backplaneReceived = 0;
  /** Messages that did not reach the other nodes. */
  backplaneLost = 0;
  /** Messages of other nodes that were missed. */
  backplaneMissed = 0;
  /** Durations of handshakes. */
  readonly handshakeTimes: Histogram = new Histogram();
  /** Durations from ping to pong. */
  readonly pingTimes: Histogram = new Histogram();
  #closes = new Map<number, number>();
  #refusals = new Map<string, number>();
  #failures = new Map<string, number>();

  /**
   * Counts the end of a WebSocket.
   *
   * @param code The close code.
   */
  close(code: number): void {
    increase(this.#closes, code);
  }

  /**
   * Counts a refusal before a WebSocket was open.
   *
   * @param reason The reason.
   */
  refuse(reason: string): void {
    increase(this.#refusals, reason);
  }

  /**
   * Counts the failure of a WebSocket.
   *
   * @param code The code of the error.
   */
  fail(code: string): void {
    increase(this.#failures, code);
  }

  /**
   * Copies the counters.
   *
   * @param now Current values.
   * @returns A copy.
   */
  snapshot(now: { open: number; handshaking: number; bufferedAmount: number }): Stats {
    return {
      connections: { open: now.open, handshaking: now.handshaking, opened: this.opened },
      frames: { received: this.framesReceived, sent: this.framesSent },
      messages: { received: this.messagesReceived, sent: this.messagesSent },
      bytes: { received: this.bytesReceived, sent: this.bytesSent },
      dropped: this.dropped,
      bufferedAmount: now.bufferedAmount,
      closes: Object.fromEntries(this.#closes),
      refusals: Object.fromEntries(this.#refusals),
      failures: Object.fromEntries(this.#failures),
      inflated: compression(this.inflatedTo, this.inflatedFrom),
      deflated: compression(this.deflatedFrom, this.deflatedTo),
      backplane: {
        published: this.backplanePublished,
        received: this.backplaneReceived,
        lost: this.backplaneLost,
        missed: this.backplaneMissed,
      },
      handshakeTimes: this.handshakeTimes.snapshot(),
      pingTimes: this.pingTimes.snapshot(),
    };
  }
}

function increase<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function compression(plain: number, compressed: number): CompressionTraffic {
  return { plain, compressed, ratio: plain === 0 ? 1 : compressed / plain };
}

class NoHistogram extends Histogram {
  override add(): void {}
}

/** Has the members of a meter, which stay as they are: connections share it, and must not see each other's bytes. */
class NoMeter extends Meter {
  override readonly handshakeTimes: Histogram = new NoHistogram();
  override readonly pingTimes: Histogram = new NoHistogram();

  constructor() {
    super();
    for (const [name, value] of Object.entries(this)) {
      if (typeof value === "number") Object.defineProperty(this, name, { get: () => value, set: () => {} });
    }
  }

  override close(): void {}
  override refuse(): void {}
  override fail(): void {}
}

/** Counts nothing: for connections without statistics. */
export const UNMETERED: Meter = /* @__PURE__ */ new NoMeter();
