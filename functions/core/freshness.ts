import type { Snapshot } from './snapshot.ts'
import type { Verdict } from './verdict.ts'

/** How far the clocks of isolates and stores may be apart. */
export const CLOCK_SKEW_MS = 250
/** A cached denial, or a cached "unknown key", older than this must be confirmed by Postgres. */
export const DENIAL_MS = 2000
/** A revoked key works for less than 10 s: this, and the time that a check may take. */
export const KEY_RECORD_MS = 8000

/** True if what was read at `readAtMs` is less than, or exactly, `maxMs` old. What comes from the future is of no clock of ours. */
export function isWithin(maxMs: number, readAtMs: number, nowMs: number): boolean {
  const ageMs = nowMs - readAtMs
  return ageMs <= maxMs && ageMs >= -CLOCK_SKEW_MS
}

/** True until time alone may have narrowed the answer. Its `as_of` is later than now when the clock was set back. */
export function isInForce(snapshot: Snapshot, nowMs: number): boolean {
  const latestMs = nowMs + snapshot.clock_offset_ms + CLOCK_SKEW_MS
  return Date.parse(snapshot.as_of) <= latestMs && !isReached(snapshot.valid_until, latestMs)
}

/** True if this verdict, made from this snapshot, may be given without asking Postgres. */
export function mayAnswer(
  verdict: Verdict,
  snapshot: Snapshot,
  readAtMs: number,
  nowMs: number,
  maxStalenessMs: number,
): boolean {
  if (!isWithin(maxStalenessMs, readAtMs, nowMs) || !isInForce(snapshot, nowMs)) return false
  if (verdict.allowed) return true
  const latestMs = nowMs + snapshot.clock_offset_ms + CLOCK_SKEW_MS
  return nowMs - readAtMs < DENIAL_MS && !isReached(snapshot.improves_at, latestMs)
}

function isReached(instant: string | null, nowMs: number): boolean {
  return instant !== null && Date.parse(instant) <= nowMs
}
