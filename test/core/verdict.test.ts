import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseQuantity } from '../../functions/core/quantity.ts'
import type { Band, KindSnapshot, Snapshot } from '../../functions/core/snapshot.ts'
import { decideFromSnapshot, decideWithoutState, onErrorOf, type Question } from '../../functions/core/verdict.ts'
import {
  LIMIT_KINDS,
  type LimitKind,
  ON_ERROR,
  OUTCOMES,
  PURPOSES,
  type Purpose,
} from '../../functions/core/vocabulary.ts'

const MONTH = { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' }
const CEILING: Band = { up_to: null, outcome: 'block', reason: 'limit_exceeded' }

function kind(limitKind: LimitKind, changes: Partial<KindSnapshot> = {}): KindSnapshot {
  return {
    limit_kind: limitKind,
    limit: '500000000',
    used: '410000000',
    held: '0',
    remaining: '90000000',
    window: null,
    action: 'block',
    warn_at_percent: null,
    overage_multiplier: 1,
    grace: null,
    on_error: 'deny',
    bands: [{ up_to: '90000000', outcome: 'allow', reason: 'within_limit' }, CEILING],
    ...changes,
  }
}

function snapshot(kinds: readonly KindSnapshot[], changes: Partial<Snapshot> = {}): Snapshot {
  return {
    account_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a10',
    namespace: 'default',
    resource: 'benchmark_runs',
    scope: null,
    config_version: 1,
    key_version: 1,
    clock_offset_ms: 0,
    as_of: '2026-11-21T10:00:00Z',
    valid_until: null,
    improves_at: null,
    suspended: false,
    kinds,
    absent: { any: 'expired', consume: 'not_started', lease: 'revoked', assign: 'no_entitlement' },
    ...changes,
  }
}

function ask(quantity: number, purpose: Purpose = 'any'): Question {
  return { account_id: 'org_acme', resource: 'benchmark_runs', scope: null, quantity, purpose }
}

describe('one limit kind', () => {
  const overage = kind('cumulative', {
    window: MONTH,
    action: 'overage',
    warn_at_percent: 80,
    overage_multiplier: 10,
    bands: [
      { up_to: '0', outcome: 'allow', reason: 'within_limit' },
      { up_to: '90000000', outcome: 'warn', reason: 'near_limit' },
      { up_to: '110000000', outcome: 'overage', reason: 'over_limit_overage' },
      { up_to: null, outcome: 'block', reason: 'overage_cap_reached' },
    ],
  })

  it.each([
    [0, 'within_limit', 0],
    [0.000001, 'near_limit', 0],
    [90, 'near_limit', 0],
    [90.000001, 'over_limit_overage', 0.000001],
    [110, 'over_limit_overage', 20],
    [110.000001, 'overage_cap_reached', 20.000001],
    [999_999_999_999_999, 'overage_cap_reached', 999_999_999_999_909],
  ])('answers %s with %s, %s over', (quantity, reason, over) => {
    expect(decideFromSnapshot(snapshot([overage]), ask(quantity))).toMatchObject({
      quantity,
      reason,
      overage: { quantity: over, multiplier: 10 },
    })
  })

  it('gives the fields in the order of the contract', () => {
    const verdict = decideFromSnapshot(snapshot([overage]), ask(1))
    expect(JSON.stringify(verdict)).toBe(
      '{"allowed":true,"outcome":"warn","reason":"near_limit","account_id":"org_acme","resource":"benchmark_runs","scope":null,"quantity":1,' +
        '"limit":500,"used":410,"held":0,"remaining":90,"window":{"type":"calendar_month","start":"2026-11-01T00:00:00Z","end":"2026-12-01T00:00:00Z"},' +
        '"action":"overage","warn_at_percent":80,"overage":{"quantity":0,"multiplier":10},"grace":null,' +
        '"limits":[{"limit_kind":"cumulative","limit":500,"used":410,"held":0,"remaining":90,"outcome":"warn","reason":"near_limit",' +
        '"window":{"type":"calendar_month","start":"2026-11-01T00:00:00Z","end":"2026-12-01T00:00:00Z"}}]}',
    )
  })

  it('has no overage and no remainder where it is unlimited', () => {
    const unlimited = kind('cumulative', {
      limit: null,
      remaining: null,
      bands: [{ up_to: null, outcome: 'allow', reason: 'within_limit' }],
    })
    expect(decideFromSnapshot(snapshot([unlimited]), ask(1e14))).toMatchObject({
      allowed: true,
      limit: null,
      remaining: null,
      overage: { quantity: 0 },
    })
  })

  it.each([
    ['25000000', 90, 25],
    ['25000000', 100, 15],
    ['25000000', 115.5, 0],
    [null, 100, null],
  ])('of a grace of %s over the limit leaves, for %s of which 90 are within it, %s', (before, quantity, left) => {
    const until = '2026-11-22T00:00:00Z'
    const graceful = kind('cumulative', { action: 'grace', grace: { quantity_left: before, until } })
    expect(decideFromSnapshot(snapshot([graceful]), ask(quantity)).grace).toEqual({ quantity_left: left, until })
  })

  it('refuses a snapshot whose bands do not cover the question', () => {
    const broken = kind('cumulative', { bands: [{ up_to: '1', outcome: 'allow', reason: 'within_limit' }] })
    expect(() => decideFromSnapshot(snapshot([broken]), ask(1))).toThrow(RangeError)
  })
})

describe('several limit kinds', () => {
  const full = (limitKind: LimitKind) => kind(limitKind, { remaining: '0', bands: [zeroOnly, CEILING] })
  const zeroOnly: Band = { up_to: '0', outcome: 'allow', reason: 'within_limit' }
  const open = kind('time_access', {
    limit: null,
    remaining: null,
    bands: [{ up_to: null, outcome: 'allow', reason: 'within_limit' }],
  })

  it('asks the quantity of the first counted kind and 1 of the others', () => {
    const seats = kind('concurrency', {
      remaining: '1000000',
      bands: [{ up_to: '1000000', outcome: 'allow', reason: 'within_limit' }, CEILING],
    })
    const verdict = decideFromSnapshot(snapshot([kind('cumulative'), seats, open]), ask(50))
    expect(verdict.allowed).toBe(true)
    expect(verdict.limits.map((limit) => limit.limit_kind)).toEqual(['cumulative', 'concurrency', 'time_access'])
  })

  it('lets the worst lead, and of equals the earlier', () => {
    const verdict = decideFromSnapshot(snapshot([kind('cumulative'), full('inventory'), full('concurrency')]), ask(1))
    expect(verdict).toMatchObject({ allowed: false, reason: 'limit_exceeded', remaining: 0, overage: { quantity: 1 } })
    expect(decideFromSnapshot(snapshot([kind('cumulative'), open]), ask(1)).remaining).toBe(90)
  })

  it('never fails 0 for lack of headroom', () => {
    const verdict = decideFromSnapshot(snapshot([full('cumulative'), full('concurrency')]), ask(0))
    expect(verdict.allowed).toBe(true)
  })

  it.each<[Purpose, readonly LimitKind[]]>([
    ['any', ['cumulative', 'inventory', 'concurrency', 'time_access']],
    ['consume', ['cumulative', 'time_access']],
    ['lease', ['concurrency']],
    ['assign', ['inventory']],
  ])('asks for %s: %s', (purpose, expected) => {
    const verdict = decideFromSnapshot(snapshot(LIMIT_KINDS.map((limitKind) => kind(limitKind))), ask(1, purpose))
    expect(verdict.limits.map((limit) => limit.limit_kind)).toEqual(expected)
  })

  it('consumes from inventory when there is nothing cumulative, and from time access alone', () => {
    const withInventory = decideFromSnapshot(snapshot([kind('inventory'), open]), ask(91, 'consume'))
    expect(withInventory).toMatchObject({ allowed: false, limits: [{ limit_kind: 'inventory' }, {}] })
    expect(decideFromSnapshot(snapshot([open]), ask(91, 'consume')).limits).toHaveLength(1)
    expect(decideFromSnapshot(snapshot([kind('concurrency')]), ask(1, 'consume')).reason).toBe('not_started')
  })
})

describe('nothing in force', () => {
  it.each(PURPOSES)('gives the reason for %s', (purpose) => {
    const given = snapshot([])
    expect(decideFromSnapshot(given, ask(1, purpose))).toEqual({
      allowed: false,
      outcome: 'block',
      reason: given.absent[purpose],
      account_id: 'org_acme',
      resource: 'benchmark_runs',
      scope: null,
      quantity: 1,
      limit: 0,
      used: 0,
      held: 0,
      remaining: 0,
      window: null,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [],
    })
  })

  it('says that the account is suspended rather than what it lacks', () => {
    expect(decideFromSnapshot(snapshot([], { suspended: true }), ask(1)).reason).toBe('account_suspended')
  })
})

describe('no store', () => {
  it.each([
    ['allow', true, 'unavailable_allowed'],
    ['deny', false, 'unavailable_denied'],
  ] as const)('%s → %s, %s', (onError, allowed, reason) => {
    expect(decideWithoutState(ask(1), onError)).toMatchObject({ allowed, reason, limits: [] })
  })

  it.each<[LimitKind[], Record<Purpose, 'allow' | 'deny'>]>([
    [['cumulative'], { any: 'deny', consume: 'deny', lease: 'deny', assign: 'deny' }],
    [['concurrency'], { any: 'deny', consume: 'deny', lease: 'allow', assign: 'deny' }],
    [['cumulative', 'time_access'], { any: 'deny', consume: 'allow', lease: 'deny', assign: 'deny' }],
    [['cumulative', 'inventory', 'concurrency'], { any: 'deny', consume: 'deny', lease: 'allow', assign: 'allow' }],
    [[...LIMIT_KINDS], { any: 'allow', consume: 'allow', lease: 'allow', assign: 'allow' }],
  ])('of all four kinds the rules of %j allow: each purpose goes by those that it asks', (allowing, expected) => {
    const given = snapshot(
      LIMIT_KINDS.map((name) => kind(name, { on_error: ON_ERROR[allowing.includes(name) ? 0 : 1] })),
    )
    expect(Object.fromEntries(PURPOSES.map((purpose) => [purpose, onErrorOf(given, ask(1, purpose))]))).toEqual(
      expected,
    )
  })

  it('where none of the kinds asked is held, no rule says anything', () => {
    const seats = snapshot([kind('concurrency', { on_error: 'allow' })])
    expect(onErrorOf(seats, ask(1))).toBe('allow')
    expect(onErrorOf(seats, ask(1, 'consume'))).toBe('deny')
    expect(onErrorOf(snapshot([]), ask(1))).toBe('deny')
  })
})

describe('for every snapshot', () => {
  const anyKind = (limitKind: LimitKind) =>
    fc
      .record({
        remaining: fc.bigInt(0n, 10n ** 12n),
        bounds: fc.uniqueArray(fc.bigInt(0n, 10n ** 12n), { maxLength: 4 }),
        outcomes: fc.array(fc.constantFrom(...OUTCOMES), { minLength: 5, maxLength: 5 }),
      })
      .map(({ remaining, bounds, outcomes }) =>
        kind(limitKind, {
          remaining: remaining.toString(),
          bands: [...bounds.sort((a, b) => (a < b ? -1 : 1)).map(String), null].map((up_to, index) => ({
            up_to,
            outcome: outcomes[index] ?? 'block',
            reason: 'within_limit',
          })),
        }),
      )
  const anySnapshot = fc
    .subarray([...LIMIT_KINDS], { minLength: 1 })
    .chain((kinds) => fc.tuple(...kinds.map(anyKind)))
    .map((kinds) => snapshot(kinds))
  const anyQuantity = fc.bigInt(0n, 2n * 10n ** 12n).map((value) => Number(value) / 1e6)

  it('is allowed exactly if every kind asked allows, and the leading one is the worst', () => {
    fc.assert(
      fc.property(anySnapshot, anyQuantity, fc.constantFrom(...PURPOSES), (given, quantity, purpose) => {
        const verdict = decideFromSnapshot(given, ask(quantity, purpose))
        const severities = verdict.limits.map((limit) => OUTCOMES.indexOf(limit.outcome))
        expect(verdict.allowed).toBe(
          severities.length > 0 && verdict.limits.every((limit) => limit.outcome !== 'block'),
        )
        if (severities.length > 0) expect(OUTCOMES.indexOf(verdict.outcome)).toBe(Math.max(...severities))
      }),
    )
  })

  it('gives one kind the band that covers the quantity, and as overage what the remainder does not cover', () => {
    fc.assert(
      fc.property(anyKind('cumulative'), anyQuantity, (given, quantity) => {
        const asked = parseQuantity(quantity)
        const verdict = decideFromSnapshot(snapshot([given]), ask(quantity))
        const expected = given.bands.findIndex((band) => band.up_to === null || asked <= BigInt(band.up_to))
        expect(verdict.outcome).toBe(given.bands[expected]?.outcome)
        const remaining = BigInt(given.remaining ?? 0)
        expect(parseQuantity(verdict.overage.quantity)).toBe(asked > remaining ? asked - remaining : 0n)
      }),
    )
  })
})
