/** Skips a store for a while after it failed, so that an outage costs a few requests its budget, and not all of them. */
export interface Breaker {
  isOpen(): boolean
  open(): void
  close(): void
}

export function createBreaker(nowMs: () => number, openMs: number): Breaker {
  let openUntilMs = Number.NEGATIVE_INFINITY
  return {
    isOpen: () => nowMs() < openUntilMs,
    open() {
      openUntilMs = nowMs() + openMs
    },
    close() {
      openUntilMs = Number.NEGATIVE_INFINITY
    },
  }
}
