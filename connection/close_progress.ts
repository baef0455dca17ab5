/**
 * Progress of a peer while its connection is being closed: a slow reader gets all that was sent before, a peer that
 * does nothing is given up after `closeTimeout`, and none holds a close for ever.
 *
 * @module
 */

/** Longest time of a close with progress, in periods of `closeTimeout`. */
export const MOST_PERIODS = 10;

/** The sending side of a connection, whose bytes a peer takes. */
export interface ProgressSource {
  /** Bytes that the operating system has taken for the peer. */
  readonly bytesWritten: number;
  /** Bytes that still wait for it. */
  readonly bufferedAmount: number;
  /** `true` if so many wait that the peer reads slowly. */
  readonly congested: boolean;
}

/** Decides at the end of each period of `closeTimeout` whether the peer gets another one. */
export class CloseProgress {
  readonly #sender: ProgressSource;
  readonly #received: () => number;
  #periods = 1;
  #writtenBefore: number;
  #receivedBefore: number;
  /** `true` if bytes waited when the period began; a few, such as the close frame alone, do not count. */
  #waited: boolean;

  /**
   * Begins the first period.
   *
   * @param sender The bytes that the peer takes.
   * @param received Returns the number of bytes that have come from it, as far as they are of use.
   */
  constructor(sender: ProgressSource, received: () => number = () => 0) {
    this.#sender = sender;
    this.#received = received;
    this.#writtenBefore = sender.bytesWritten;
    this.#receivedBefore = received();
    this.#waited = sender.congested;
  }

  /**
   * Watches a response to plain HTTP, of which any byte counts.
   *
   * @param transport Its transport.
   * @returns The progress.
   */
  static ofResponse(transport: { readonly bytesWritten: number }): CloseProgress {
    return new CloseProgress({
      get bytesWritten(): number {
        return transport.bytesWritten;
      },
      bufferedAmount: 1,
      congested: true,
    });
  }

  /** Number of periods so far. */
  get periods(): number {
    return this.#periods;
  }

  /**
   * Ends a period, and begins another one if the peer has made progress.
   *
   * @returns `false` if it has not, or has had all its periods.
   */
  renew(): boolean {
    const { bytesWritten, bufferedAmount } = this.#sender;
    const received = this.#received();
    const sent = bytesWritten !== this.#writtenBefore && (this.#waited || bufferedAmount > 0);
    const progress = sent || received !== this.#receivedBefore;
    this.#writtenBefore = bytesWritten;
    this.#receivedBefore = received;
    this.#waited = bufferedAmount > 0;
    if (!progress || this.#periods === MOST_PERIODS) return false;
    this.#periods++;
    return true;
  }
}
