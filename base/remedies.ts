/**
 * Remedies for mistakes, which follow the short text of an error: for names of other libraries, for values that are no
 * options, for members that a class does not have. Entries with sockets install them; a page does without, and is
 * smaller.
 *
 * @module
 */

/** Remedies of one subject, such as the client. */
export interface Remedies {
  /**
   * Finds the remedy for an unknown option.
   *
   * @param owner The options, as the error names them.
   * @param name The unknown name.
   * @returns The remedy, such as `use "hostname"`; `undefined` if there is none.
   */
  forOption?(owner: string, name: string): string | undefined;
  /**
   * Writes a value that is no options object as one.
   *
   * @param owner The options, as the error names them.
   * @param value The value.
   * @returns An example, such as `{ port: 8080 }`; `undefined` if there is none.
   */
  exampleOf?(owner: string, value: unknown): string | undefined;
  /**
   * Finds the remedy for a value that cannot be sent.
   *
   * @param data The value.
   * @returns The remedy; `undefined` if there is none.
   */
  forPayload?(data: unknown): string | undefined;
  /**
   * Checks the members of an object whose class is complete.
   *
   * @param owner The object.
   * @throws {OptionError} If a subclass has a member that is never used.
   */
  assertMembers?(owner: object): void;
}

const installed: Remedies[] = [];

/**
 * Installs remedies, beside those that there are.
 *
 * @param remedies The remedies.
 */
export function useRemedies(remedies: Remedies): void {
  installed.push(remedies);
}

/**
 * Asks the installed remedies, in the order in which they came.
 *
 * @param ask Asks one of them.
 * @returns The first answer.
 */
export function findRemedy(ask: (remedies: Remedies) => string | undefined | void): string | undefined {
  for (const remedies of installed) {
    const answer = ask(remedies);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
