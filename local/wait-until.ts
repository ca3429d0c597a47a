import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until the condition holds; false when it still does not after `budgetMs`. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  budgetMs: number,
  everyMs = 10,
): Promise<boolean> {
  const deadline = performance.now() + budgetMs
  while (!(await condition())) {
    if (performance.now() > deadline) return false
    await sleep(everyMs)
  }
  return true
}
