import type { Cron } from './cron.ts'

const MINUTE_MS = 60_000

/** Time as the clock sees it; tests give it another one. */
export type TimeSource = {
  now(): Date
  /** Calls back once after so many milliseconds. Gives what takes it back. */
  after(ms: number, callback: () => void): () => void
}

export type ClockOptions = {
  crons: readonly Cron[]
  /** One run. It must end by itself: while it has not, its expression does not fire again. */
  fire(expression: string, scheduled: Date): Promise<void>
  /** A run that failed. Its expression fires again when it is its turn. */
  failed(expression: string, error: unknown): void
  time?: TimeSource
}

const realTime: TimeSource = {
  now: () => new Date(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Cloudflare's cron triggers, on this machine: at the start of each minute fires those that are due. Minutes that the
 * machine slept through are not made up for: nothing of ours depends on it.
 */
export function startClock({ crons, fire, failed, time = realTime }: ClockOptions): { stop(): void } {
  const running = new Set<string>()
  let last = 0
  let cancel = wait()

  function wait(): () => void {
    return time.after(MINUTE_MS - (time.now().getTime() % MINUTE_MS), () => {
      // Timers come a little early or late.
      const minute = Math.round(time.now().getTime() / MINUTE_MS) * MINUTE_MS
      cancel = wait()
      if (minute === last) return
      last = minute
      for (const cron of crons) if (cron.matches(new Date(minute))) void run(cron.expression, new Date(minute))
    })
  }

  async function run(expression: string, scheduled: Date): Promise<void> {
    if (running.has(expression)) return
    running.add(expression)
    try {
      await fire(expression, scheduled)
    } catch (error) {
      failed(expression, error)
    } finally {
      running.delete(expression)
    }
  }

  return { stop: () => cancel() }
}
