import { NeonDbError } from '@neondatabase/serverless'
import { FAILURE_STATUSES, Failure, type FailureStatus } from '../core/failure.ts'

/** lock_not_available, query_canceled, deadlock_detected, serialization_failure: another attempt may succeed. */
const CONTENDED = new Set(['55P03', '57014', '40P01', '40001'])
/** Connection exceptions, insufficient resources, and the server going down or coming up. */
const UNAVAILABLE = /^(?:08|53|57P0)/
const REFUSED = /^ME(\d{3})$/

/**
 * Names what a failed call means, as database/README.md lays down.
 * Whatever carries no SQLSTATE (network, time budget, the proxy's own errors) is `unavailable`.
 */
export function failureOf(error: unknown): Failure {
  const sqlstate = error instanceof NeonDbError ? error.code : undefined
  if (!sqlstate || UNAVAILABLE.test(sqlstate)) return unavailable('unavailable', 'The database could not be reached.')
  if (CONTENDED.has(sqlstate)) return unavailable('contended', 'Too many requests for the same data at once.')
  return refusal(error, sqlstate) ?? new Failure(500, 'internal', 'Something went wrong on our side.')
}

function unavailable(code: string, message: string): Failure {
  return new Failure(503, code, `${message} It is safe to try again.`)
}

function refusal(error: unknown, sqlstate: string): Failure | null {
  const status = statusOf(Number(REFUSED.exec(sqlstate)?.[1]))
  if (!status || !(error instanceof NeonDbError)) return null
  const { code, param, ...extra } = parseDetail(error.detail)
  if (typeof code !== 'string') return null
  return new Failure(status, code, error.message, { param: typeof param === 'string' ? param : null, extra })
}

function statusOf(status: number): FailureStatus | undefined {
  return FAILURE_STATUSES.find((known) => known === status)
}

function parseDetail(detail: string | undefined): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(detail ?? '')
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}
