/** The words that `scripts/style_rules.ts` looks for. */

/** First words of doc comments that put a question, or point at a thing without its name. */
export const RIDDLE_WORDS: readonly string[] = "What Whether Where Who How So Which That Those Whose".split(" ");

/** Words that hide who does something. `anyone`, `everyone` and `everybody` are not among them: they say "each". */
export const VAGUE_WORDS: readonly string[] = "somebody someone anybody nobody whoever whomever whosoever".split(" ");

/** Metaphors in lower case, and how to mend them. */
export const METAPHORS: ReadonlyMap<string, string> = new Map([
  ["for good", 'write "not reconnecting", "finally" or "permanently", or leave it out'],
  ["go by that name", 'write "does not serve the host …"'],
  ["goes by that name", 'write "serves the host …"'],
  ["not as it should be", 'write "FAILED:"'],
  ["nothing is to be done", 'write "Ignored on purpose:" and the reason'],
]);
