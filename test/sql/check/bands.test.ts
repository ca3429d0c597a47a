import { describe, expect, it } from 'vitest'
import { check, grant, meter, ruleFor } from '../../support/commands.ts'
import { type Answer, mintAccount } from '../../support/sql.ts'

const BELOW_90 = '89.999999'
const ABOVE_90 = '90.000001'

/** 100 granted, 10 used: 90 left. Each row asks for one quantity at or beside an edge. */
const edges: [rule: Answer | null, quantity: string, outcome: string, reason: string][] = [
  [null, '0', 'allow', 'within_limit'],
  [null, BELOW_90, 'allow', 'within_limit'],
  [null, '90', 'allow', 'within_limit'],
  [null, ABOVE_90, 'block', 'limit_exceeded'],
  [{ action: 'block' }, ABOVE_90, 'block', 'limit_exceeded'],
  // Warned from 80 of 100 on, so from 70 more.
  [{ action: 'block', warn_at_percent: 80 }, '0', 'allow', 'within_limit'],
  [{ action: 'block', warn_at_percent: 80 }, '69.999999', 'allow', 'within_limit'],
  [{ action: 'block', warn_at_percent: 80 }, '70', 'warn', 'near_limit'],
  [{ action: 'block', warn_at_percent: 80 }, '90', 'warn', 'near_limit'],
  [{ action: 'block', warn_at_percent: 80 }, ABOVE_90, 'block', 'limit_exceeded'],
  [{ action: 'block', warn_at_percent: 100 }, BELOW_90, 'allow', 'within_limit'],
  [{ action: 'block', warn_at_percent: 100 }, '90', 'warn', 'near_limit'],
  [{ action: 'block', warn_at_percent: 10 }, '0', 'warn', 'near_limit'],
  // A threshold between two millionths: 33.3333333 % of 100 is reached at 23.333334 more.
  [{ action: 'block', warn_at_percent: 33.3333333 }, '23.333333', 'allow', 'within_limit'],
  [{ action: 'block', warn_at_percent: 33.3333333 }, '23.333334', 'warn', 'near_limit'],
  [{ action: 'warn' }, '90', 'allow', 'within_limit'],
  [{ action: 'warn' }, ABOVE_90, 'warn', 'over_limit_warned'],
  [{ action: 'warn' }, '999999999999999', 'warn', 'over_limit_warned'],
  [{ action: 'warn', warn_at_percent: 80 }, '90', 'warn', 'near_limit'],
  [{ action: 'warn', warn_at_percent: 80 }, ABOVE_90, 'warn', 'over_limit_warned'],
  [{ action: 'overage' }, '90', 'allow', 'within_limit'],
  [{ action: 'overage' }, ABOVE_90, 'overage', 'over_limit_overage'],
  [{ action: 'overage' }, '999999999999999', 'overage', 'over_limit_overage'],
  [{ action: 'overage', overage_cap: 20 }, '109.999999', 'overage', 'over_limit_overage'],
  [{ action: 'overage', overage_cap: 20 }, '110', 'overage', 'over_limit_overage'],
  [{ action: 'overage', overage_cap: 20 }, '110.000001', 'block', 'overage_cap_reached'],
  [{ action: 'overage', overage_cap: 0 }, '90', 'allow', 'within_limit'],
  [{ action: 'overage', overage_cap: 0 }, ABOVE_90, 'block', 'overage_cap_reached'],
  [{ action: 'grace' }, ABOVE_90, 'grace', 'over_limit_grace'],
  [{ action: 'grace' }, '999999999999999', 'grace', 'over_limit_grace'],
  [{ action: 'grace', grace_percent: 10 }, '90', 'allow', 'within_limit'],
  [{ action: 'grace', grace_percent: 10 }, '99.999999', 'grace', 'over_limit_grace'],
  [{ action: 'grace', grace_percent: 10 }, '100', 'grace', 'over_limit_grace'],
  [{ action: 'grace', grace_percent: 10 }, '100.000001', 'block', 'grace_exhausted'],
  [{ action: 'grace', grace_percent: 0 }, ABOVE_90, 'block', 'grace_exhausted'],
  [{ action: 'grace', grace_seconds: 0 }, ABOVE_90, 'block', 'grace_exhausted'],
  [{ action: 'grace', grace_seconds: 60 }, ABOVE_90, 'grace', 'over_limit_grace'],
  [{ action: 'grace', grace_percent: 10, warn_at_percent: 90 }, '79.999999', 'allow', 'within_limit'],
  [{ action: 'grace', grace_percent: 10, warn_at_percent: 90 }, '80', 'warn', 'near_limit'],
]

describe('cumulative: 100 granted, 10 used', () => {
  it.each(edges)('%j, asked for %s: %s, %s', async (rule, quantity, outcome, reason) => {
    const account = mintAccount()
    await grant(account)
    await meter(account, { quantity: 10 })
    if (rule) await ruleFor(account, rule)
    expect(await check(account, { quantity })).toMatchObject({
      allowed: outcome !== 'block',
      outcome,
      reason,
      limit: 100,
      used: 10,
      held: 0,
      remaining: 90,
      action: rule?.['action'] ?? 'block',
      warn_at_percent: rule?.['warn_at_percent'] ?? null,
      overage: { quantity: Number(quantity) > 90 ? Number((Number(quantity) - 90).toFixed(6)) : 0, multiplier: 1 },
    })
  })
})

it('gives all the fields of the contract, for the example of the contract', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 500, window: 'calendar_month' })
  await ruleFor(account, { action: 'overage', warn_at_percent: 80, overage_multiplier: 10 })
  await meter(account, { quantity: 410 })
  const window = { type: 'calendar_month', start: expect.stringMatching(/-01T00:00:00Z$/), end: expect.any(String) }
  expect(await check(account)).toEqual({
    allowed: true,
    outcome: 'warn',
    reason: 'near_limit',
    resource: 'benchmark_runs',
    scope: null,
    quantity: 1,
    limit: 500,
    used: 410,
    held: 0,
    remaining: 90,
    window,
    action: 'overage',
    warn_at_percent: 80,
    overage: { quantity: 0, multiplier: 10 },
    grace: null,
    limits: [
      {
        limit_kind: 'cumulative',
        limit: 500,
        used: 410,
        held: 0,
        remaining: 90,
        outcome: 'warn',
        reason: 'near_limit',
        window,
      },
    ],
    as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/),
  })
})

describe('used beyond the limit', () => {
  it.each([
    [{ action: 'block' }, 0, 'allow', 'within_limit'],
    [{ action: 'block' }, 0.000001, 'block', 'limit_exceeded'],
    [{ action: 'block', warn_at_percent: 80 }, 0, 'warn', 'near_limit'],
    [{ action: 'overage', overage_cap: 20 }, 0, 'allow', 'within_limit'],
    // 15 over under the action block was excess, which is not overage: the cap has all its 20 left.
    [{ action: 'overage', overage_cap: 20 }, 20, 'overage', 'over_limit_overage'],
    [{ action: 'overage', overage_cap: 20 }, 20.000001, 'block', 'overage_cap_reached'],
    [{ action: 'grace', grace_percent: 20 }, 5, 'grace', 'over_limit_grace'],
    [{ action: 'grace', grace_percent: 20 }, 5.000001, 'block', 'grace_exhausted'],
  ])('115 of 100 used, then %j, asked for %s: %s, %s', async (rule, quantity, outcome, reason) => {
    const account = mintAccount()
    await grant(account)
    expect(await meter(account, { quantity: 115 })).toMatchObject({ entry: { excess_quantity: 15 } })
    await ruleFor(account, rule)
    expect(await check(account, { quantity })).toMatchObject({ outcome, reason, limit: 100, used: 115, remaining: 0 })
  })
})

describe('unlimited', () => {
  it.each([
    ['cumulative', 'any'],
    ['inventory', 'assign'],
    ['concurrency', 'lease'],
  ] as const)('%s allows any quantity and never warns', async (limitKind, purpose) => {
    const account = mintAccount()
    await grant(account, { limit_kind: limitKind, quantity: null })
    await ruleFor(account, { limit_kind: limitKind, action: 'block', warn_at_percent: 1 })
    const decision = await check(account, { quantity: '999999999999999', purpose })
    expect(decision).toMatchObject({ outcome: 'allow', reason: 'within_limit', limit: null, remaining: null })
    expect(decision['overage']).toEqual({ quantity: 0, multiplier: 1 })
  })

  it('adds up to unlimited with a finite one', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 5 })
    await grant(account, { quantity: null, priority: 200 })
    await meter(account, { quantity: 7 })
    expect(await check(account, { quantity: 1000 })).toMatchObject({
      allowed: true,
      limit: null,
      used: 7,
      remaining: null,
    })
  })
})

describe('a limit of zero', () => {
  it.each([
    [0, 'allow', 'within_limit'],
    [0.000001, 'block', 'limit_exceeded'],
  ])('asked for %s: %s, %s', async (quantity, outcome, reason) => {
    const account = mintAccount()
    await grant(account, { quantity: 0 })
    expect(await check(account, { quantity })).toMatchObject({ outcome, reason, limit: 0, remaining: 0 })
  })
})

it('is exact: 0.1 + 0.2 is 0.3', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 0.3 })
  await consumeTwice(account)
  expect(await check(account, { quantity: 0 })).toMatchObject({ limit: 0.3, used: 0.3, remaining: 0 })
  expect(await check(account, { quantity: '0.000001' })).toMatchObject({ allowed: false })
})

async function consumeTwice(account: string): Promise<void> {
  expect(await meter(account, { quantity: 0.1 })).toMatchObject({ over_limit: false })
  expect(await meter(account, { quantity: 0.2 })).toMatchObject({ over_limit: false })
}
