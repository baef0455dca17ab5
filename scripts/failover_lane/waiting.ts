/** Waiting, for the fail-over test and its engines. */

/** Maximum time to wait for what must come, in ms. */
export const PATIENCE = 30_000;

/** Waits for some ms. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until a condition holds, looking every 20 ms.
 *
 * @param condition The condition.
 * @param what The thing waited for, for the error.
 * @param patience Maximum time, in ms.
 * @returns Rejects if the condition does not hold in time.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patience: number = PATIENCE,
): Promise<void> {
  const end = performance.now() + patience;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}
