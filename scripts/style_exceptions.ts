/** Exceptions to the rules of style: the end of a path (`support.ts` is any file of that name), and the reason. */

/** Files of the tests that may wait for real time. */
export const SLEEPS_ALLOWED: ReadonlyMap<string, string> = new Map([
  ["chromium.ts", "asks a page, which has no event for its tests"],
  ["crash.ts", "kills programs at times drawn by lot"],
  ["crash_receiver.ts", "connects again after its server was killed"],
  ["crash_server.ts", "connects again while Redis is away"],
  ["fault_proxy.ts", "delays bytes, as it is told to"],
  ["redis_node.ts", "appends again while Redis is away"],
  ["support.ts", "until() polls a condition that has no event"],
]);

/** Files that may contain vague words and metaphors. */
export const WORDS_ALLOWED: ReadonlyMap<string, string> = new Map([
  ["scripts/style_words.ts", "lists them"],
]);
