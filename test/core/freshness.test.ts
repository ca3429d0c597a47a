import { describe, expect, test } from 'vitest'
import { isInForce, isWithin, mayAnswer } from '../../functions/core/freshness.ts'
import { decideFromSnapshot } from '../../functions/core/verdict.ts'
import { snapshotOf } from '../support/snapshots.ts'

const NOW = Date.parse('2026-11-21T10:00:10.000Z')
const at = (ms: number) => new Date(NOW + ms).toISOString()
const MONTH_MS = 30 * 86_400_000

describe('how old something is', () => {
  test.each([
    ['just read', 0, true],
    ['as old as it may be', -1000, true],
    ['a millisecond older', -1001, false],
    ['from a clock that is a little ahead', 250, true],
    ['from a clock that is no clock of ours', 251, false],
  ])('%s', (_, ms, expected) => {
    expect(isWithin(1000, NOW + ms, NOW)).toBe(expected)
  })
})

describe('what time may have changed', () => {
  test.each([
    ['nothing', {}, true],
    ['valid a little longer', { valid_until: at(251) }, true],
    ['valid for no longer than clocks may differ', { valid_until: at(250) }, false],
    ['over', { valid_until: at(-1) }, false],
    ['read in the future, as after the clock was set back', { as_of: at(251) }, false],
    ['read by a clock that is a little ahead', { as_of: at(250) }, true],
    ['improved: that narrows nothing', { improves_at: at(-1) }, true],
  ])('%s', (_, fields, expected) => {
    expect(isInForce(snapshotOf({ as_of: at(-500), ...fields }), NOW)).toBe(expected)
    // The same a month ahead.
    const moved = Object.fromEntries(
      Object.entries({ as_of: at(-500), ...fields }).map(([name, instant]) => [
        name,
        new Date(Date.parse(instant) + MONTH_MS).toISOString(),
      ]),
    )
    expect(isInForce(snapshotOf({ ...moved, clock_offset_ms: MONTH_MS }), NOW)).toBe(expected)
  })
})

describe('what may be answered', () => {
  const answer = (quantity: number, ageMs: number, fields = {}) => {
    const snapshot = snapshotOf({ as_of: at(-ageMs), ...fields })
    const question = { account_id: 'a', resource: 'benchmark_runs', scope: null, quantity, purpose: 'any' as const }
    return mayAnswer(decideFromSnapshot(snapshot, question), snapshot, NOW - ageMs, NOW, 60_000)
  }

  test.each([
    ['an allow, for as long as was asked', 1, 60_000, {}, true],
    ['an allow, no longer', 1, 60_001, {}, false],
    ['a denial of less than 2 s ago', 101, 1999, {}, true],
    ['a denial of 2 s ago', 101, 2000, {}, false],
    ['a denial that time does not change yet', 101, 100, { improves_at: at(251) }, true],
    ['a denial that time may have changed', 101, 100, { improves_at: at(250) }, false],
    ['an allow that time can only confirm', 1, 100, { improves_at: at(-50) }, true],
    ['an allow that time may have ended', 1, 100, { valid_until: at(100) }, false],
  ])('%s', (_, quantity, ageMs, fields, expected) => {
    expect(answer(quantity, ageMs, fields)).toBe(expected)
  })
})
