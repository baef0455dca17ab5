/** Exceptions to the rules of style: a file, and the reason. */

/** Files of the tests that may wait for real time. */
export const SLEEPS_ALLOWED: ReadonlyMap<string, string> = new Map([
  ["tests/support/chromium.ts", "asks a page, which has no event for its tests"],
  ["tests/support/crash.ts", "kills programs at times drawn by lot"],
  ["tests/support/crash_receiver.ts", "connects again after its server was killed"],
  ["tests/support/crash_server.ts", "connects again while Redis is away"],
  ["tests/support/fault_proxy.ts", "delays bytes, as it is told to"],
  ["tests/redis/backplane_test.ts", "clients of other packages back off by timers of their own, up to some seconds"],
  ["tests/support/support.ts", "until() polls a condition that has no event"],
]);

/** Files that may contain vague words and metaphors. */
export const WORDS_ALLOWED: ReadonlyMap<string, string> = new Map([
  ["scripts/style_words.ts", "lists them"],
]);
