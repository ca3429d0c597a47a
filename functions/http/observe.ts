import type { Facts, Tier } from './api.ts'

/** One request, as logs and metrics see it. */
export interface Observation extends Facts {
  readonly requestId: string
  readonly method: string
  readonly status: number
  readonly totalMs: number
  readonly timings: ReadonlyMap<Tier, number>
}

export type Observe = (observation: Observation) => void

/** Workers Analytics Engine. */
export interface Analytics {
  writeDataPoint(point: {
    readonly indexes: readonly string[]
    readonly blobs: readonly string[]
    readonly doubles: readonly number[]
  }): void
}

/**
 * Writes one point a request, if there is somewhere to write it, and logs the requests that somebody should look at.
 * Columns: index1 the namespace; blob1 to blob5 operation, source, outcome, status, `degraded` or empty; double1 to
 * double3 the milliseconds in all, in Redis, in Postgres.
 */
export function createObserve(analytics: Analytics | undefined): Observe {
  return function observe(observation) {
    const { operation = '', namespace = '', source = '', outcome = '', degraded = false, timings } = observation
    const { requestId, method, status, totalMs } = observation
    analytics?.writeDataPoint({
      indexes: [namespace],
      blobs: [operation, source, outcome, String(status), degraded ? 'degraded' : ''],
      doubles: [totalMs, timings.get('redis') ?? 0, timings.get('postgres') ?? 0],
    })
    if (status < 500 && status !== 429 && !degraded) return
    const io = Object.fromEntries(timings)
    const request = { request_id: requestId, method, operation, namespace, status, source, degraded, total_ms: totalMs }
    console.warn(JSON.stringify({ event: 'request', ...request, io_ms: io }))
  }
}
