import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, mintToken } from '../support/edge.ts'
import {
  acquire,
  bodyOf,
  check,
  consume,
  errorOf,
  grant,
  INSTANT,
  invalid,
  rule,
  setClock,
} from '../support/edge-commands.ts'
import { at } from '../support/json-path.ts'

const NOW = '2027-01-15T12:00:00Z'
const JANUARY = { type: 'calendar_month', start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z' }

describe('a decision', () => {
  test('has the fields of the contract, in their order', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, NOW)
    await grant(namespace, account, { quantity: 500, window: 'calendar_month' })
    await rule(namespace, account, { action: 'overage', warn_at_percent: 80, overage_multiplier: 10 })
    await bodyOf(201, consume(namespace, account, { quantity: 410 }))
    const decision = await check(namespace, account)
    const counts = { limit: 500, used: 410, held: 0, remaining: 90 }
    expect(decision).toEqual({
      allowed: true,
      outcome: 'warn',
      reason: 'near_limit',
      account_id: account,
      resource: 'benchmark_runs',
      scope: null,
      quantity: 1,
      ...counts,
      window: JANUARY,
      action: 'overage',
      warn_at_percent: 80,
      overage: { quantity: 0, multiplier: 10 },
      grace: null,
      limits: [{ limit_kind: 'cumulative', ...counts, outcome: 'warn', reason: 'near_limit', window: JANUARY }],
      source: 'postgres',
      as_of: expect.stringMatching(/^2027-01-15T12:0/),
      degraded: false,
    })
    expect(Object.keys(decision)).toEqual([
      ...['allowed', 'outcome', 'reason', 'account_id', 'resource', 'scope', 'quantity', 'limit', 'used', 'held'],
      ...[
        'remaining',
        'window',
        'action',
        'warn_at_percent',
        'overage',
        'grace',
        'limits',
        'source',
        'as_of',
        'degraded',
      ],
    ])
  })

  test('of an account that was never seen is a denial with nothing in it', async () => {
    const namespace = await mintNamespace()
    expect(await check(namespace, 'never seen', { scope: 'us/h100', quantity: 3 })).toEqual({
      allowed: false,
      outcome: 'block',
      reason: 'no_entitlement',
      account_id: 'never seen',
      resource: 'benchmark_runs',
      scope: 'us/h100',
      quantity: 3,
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
      source: 'postgres',
      as_of: INSTANT,
      degraded: false,
    })
  })

  test('of an unlimited entitlement has null for limit and remaining', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { quantity: null })
    expect(await check(namespace, account, { quantity: 999_999_999_999_999 })).toMatchObject({
      allowed: true,
      limit: null,
      used: 0,
      remaining: null,
      limits: [{ limit: null, remaining: null }],
    })
  })

  test('of a rolling window has no end', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, NOW)
    await grant(namespace, account, { window: 'rolling_30d' })
    expect(await check(namespace, account)).toMatchObject({
      window: { type: 'rolling_30d', start: expect.stringMatching(/^2026-12-16T12:0/), end: null },
    })
  })
})

test('a key with the scope check may check', async () => {
  const namespace = await mintNamespace()
  const token = await mintToken(namespace.name, 'check')
  const body = { account_id: 'a', resource: 'benchmark_runs' }
  expect(await bodyOf(200, namespace.call('POST', '/v1/check', body, { bearer: token }))).toMatchObject({ quantity: 1 })
})

describe('what is asked', () => {
  /** All four kinds of one resource: each has its own headroom. */
  async function everyKind() {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { quantity: 10 })
    await grant(namespace, account, { limit_kind: 'inventory', quantity: 20 })
    await grant(namespace, account, { limit_kind: 'concurrency', quantity: 30 })
    await grant(namespace, account, { limit_kind: 'time_access', quantity: null })
    return { namespace, account }
  }

  test('for: each purpose asks its own limit kinds', async () => {
    const { namespace, account } = await everyKind()
    const kinds = (decision: Awaited<ReturnType<typeof check>>) => {
      const limits = decision['limits']
      return Array.isArray(limits) ? limits.map((limit) => at(limit, 'limit_kind')) : []
    }
    const rows = [
      ['any', 11, false, ['cumulative', 'inventory', 'concurrency', 'time_access']],
      ['any', 10, true, ['cumulative', 'inventory', 'concurrency', 'time_access']],
      ['consume', 11, false, ['cumulative', 'time_access']],
      ['assign', 20, true, ['inventory']],
      ['assign', 21, false, ['inventory']],
      ['lease', 30, true, ['concurrency']],
      ['lease', 31, false, ['concurrency']],
    ] as const
    for (const [purpose, quantity, allowed, asked] of rows) {
      const decision = await check(namespace, account, { for: purpose, quantity })
      expect({ allowed: decision['allowed'], kinds: kinds(decision) }).toEqual({ allowed, kinds: asked })
    }
  })

  test('a check for consume, lease and assign answers what the command would', async () => {
    const namespace = await mintNamespace()
    const [seats, runs] = [mintAccount(), mintAccount()]
    await grant(namespace, seats, { limit_kind: 'concurrency', quantity: 2 })
    await grant(namespace, runs, { quantity: 2 })
    expect(await check(namespace, seats, { for: 'consume' })).toMatchObject({
      allowed: false,
      reason: 'no_entitlement',
    })
    expect(await bodyOf(200, consume(namespace, seats))).toMatchObject({ allowed: false, reason: 'no_entitlement' })
    expect(await check(namespace, runs, { for: 'lease' })).toMatchObject({ allowed: false, reason: 'no_entitlement' })
    const lease = acquire(namespace, runs, 'h', { resource: 'benchmark_runs' })
    expect(await bodyOf(200, lease)).toMatchObject({ allowed: false, reason: 'no_entitlement' })
    expect(await check(namespace, runs, { for: 'assign' })).toMatchObject({ reason: 'no_entitlement' })
  })

  test('quantity 0 asks whether it is in force at all', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    expect(await check(namespace, account, { quantity: 0 })).toMatchObject({ allowed: false, reason: 'no_entitlement' })
    await grant(namespace, account, { quantity: 1 })
    await bodyOf(201, consume(namespace, account))
    expect(await check(namespace, account, { quantity: 0 })).toMatchObject({ allowed: true, remaining: 0, quantity: 0 })
    expect(await check(namespace, account)).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
  })

  test('at decides as of another instant, past or future', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, NOW)
    await grant(namespace, account, {
      quantity: 5,
      window: 'calendar_month',
      effective_start: '2026-11-10T00:00:00Z',
      effective_end: '2027-03-01T00:00:00Z',
    })
    await bodyOf(201, consume(namespace, account, { quantity: 4 }))
    const rows = [
      ['2026-11-09T23:59:59Z', { allowed: false, reason: 'not_started' }],
      ['2026-12-10T00:00:00Z', { allowed: true, used: 0, as_of: '2026-12-10T00:00:00Z' }],
      ['2027-01-31T23:59:59.999999Z', { allowed: false, used: 4, window: JANUARY }],
      ['2027-02-01T00:59:59.999999999+01:00', { allowed: false, used: 4, window: JANUARY }],
      ['2027-02-01T01:00:00+01:00', { allowed: true, used: 0, as_of: '2027-02-01T00:00:00Z' }],
      ['2027-03-01T00:00:00Z', { allowed: false, reason: 'expired' }],
    ] as const
    for (const [instant, expected] of rows) {
      expect(await check(namespace, account, { quantity: 2, at: instant })).toMatchObject({
        ...expected,
        source: 'postgres',
      })
    }
  })

  test.each([null, 0, 60_000])('max_staleness_ms %s', async (max_staleness_ms) => {
    const namespace = await mintNamespace()
    expect(await check(namespace, 'a', { max_staleness_ms })).toMatchObject({ degraded: false })
  })

  test('a scope draws on what covers it', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { quantity: 1 })
    await grant(namespace, account, { quantity: 10, scope: 'us' })
    await grant(namespace, account, { quantity: 100, scope: 'us/h100' })
    const rows = [
      [null, 1],
      ['us', 11],
      ['us/h100', 111],
      ['us/h100/rack 7', 111],
      ['us/h1001', 11],
      ['eu', 1],
    ] as const
    for (const [scope, limit] of rows)
      expect(await check(namespace, account, { scope })).toMatchObject({ scope, limit })
  })
})

describe('what is refused', () => {
  test.each([
    ['no account', { account_id: undefined }, 'account_id'],
    ['no resource', { resource: undefined }, 'resource'],
    ['a negative quantity', { quantity: -1 }, 'quantity'],
    ['seven decimals', { quantity: 0.0000001 }, 'quantity'],
    ['a quantity as text', { quantity: '1' }, 'quantity'],
    ['no time', { at: 'yesterday' }, 'at'],
    ['a time without offset', { at: '2027-01-15T12:00:00' }, 'at'],
    ['30 February', { at: '2027-02-30T12:00:00Z' }, 'at'],
    ['too much staleness', { max_staleness_ms: 60_001 }, 'max_staleness_ms'],
    ['a negative staleness', { max_staleness_ms: -1 }, 'max_staleness_ms'],
    ['half a millisecond', { max_staleness_ms: 0.5 }, 'max_staleness_ms'],
    ['another purpose', { for: 'reserve' }, 'for'],
    ['another on_error', { on_error: 'maybe' }, 'on_error'],
    ['an empty scope', { scope: '' }, 'scope'],
    ['a scope with an empty segment', { scope: 'us//h100' }, 'scope'],
    ['an unknown field', { Quantity: 1 }, 'Quantity'],
  ])('%s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    const body = { account_id: 'a', resource: 'benchmark_runs', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/check', body))).toEqual(invalid(param))
  })

  test('an unknown resource', async () => {
    const namespace = await mintNamespace()
    const body = { account_id: 'a', resource: 'unicorns' }
    expect(await errorOf(namespace.call('POST', '/v1/check', body))).toEqual({
      ...invalid('resource'),
      code: 'unknown_resource',
    })
  })
})
