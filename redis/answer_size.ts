/**
 * Sizes of answers, which adapt to a limit that Redis does not tell.
 *
 * @module
 */

/** Number of answers after which a larger one is tried again. */
const PATIENCE = 64;
/** Smallest share: one notification of the usual limits comes in any case. */
const LEAST = 1 / 1024;

/**
 * Share of the usual size that the next answer may have: halved each time a connection is lost before the answer has
 * come. Redis closes a connection whose answers exceed its `client-output-buffer-limit`, and would close the next one
 * for the same answer.
 */
export class AnswerSize {
  #share = 1;
  #answers = 0;

  /**
   * Asks for an answer.
   *
   * @param ask Sends the command; gets a number above 0, at most 1, by which to multiply limits.
   * @returns The answer. Rejects as `ask` does.
   */
  async ask<Answer>(ask: (share: number) => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await ask(this.#share);
      if (this.#share < 1 && ++this.#answers >= PATIENCE) this.#change(this.#share * 2);
      return answer;
    } catch (error) {
      this.#change(Math.max(LEAST, this.#share / 2));
      throw error;
    }
  }

  #change(share: number): void {
    this.#share = share;
    this.#answers = 0;
  }
}
