import { describe, expect, it } from 'vitest'
import { accountId, at, check, checkWhen, consume, grant, meter, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, mintAccount, sql } from '../../support/sql.ts'

/** What each entitlement has used, in the order given. */
async function usedOf(account: string, entitlements: Answer[]): Promise<unknown[]> {
  const list = await api('api_entitlement_list', { account_id: account })
  const rows = list['data'] as Answer[]
  return entitlements.map((entitlement) => {
    const row = rows.find((candidate) => candidate['entitlement_id'] === entitlement['entitlement_id'])
    return row ? at(row, 'state.used') : undefined
  })
}

/** Grants of 10 each, in the order in which 4 × 6 must be drawn: 10, 10, 4, 0. */
const orders: [why: string, scope: string | null, grants: Answer[]][] = [
  ['lower priority first', null, [{ priority: 1 }, { priority: 50 }, { priority: 100 }, { priority: 101 }]],
  ['longer scope first', 'us/h100/a', [{ scope: 'us/h100/a' }, { scope: 'us/h100' }, { scope: 'us' }, {}]],
  [
    'priority before scope',
    'us/h100',
    [{ priority: 1 }, { scope: 'us/h100' }, { scope: 'us' }, { priority: 101, scope: 'us' }],
  ],
  [
    'earlier effective_end first, none last',
    null,
    [
      { effective_end: '2081-01-01T00:00:00Z' },
      { effective_end: '2082-01-01T00:00:00Z' },
      { effective_end: '2083-01-01T00:00:00Z' },
      {},
    ],
  ],
  [
    'earlier end of window or effective_end first',
    null,
    [
      { window: 'calendar_day' },
      { window: 'calendar_year' },
      { effective_end: '2082-01-01T00:00:00Z' },
      { window: 'rolling_30d' },
    ],
  ],
  [
    'scope before end',
    'us',
    [{ scope: 'us' }, { window: 'calendar_day' }, { effective_end: '2082-01-01T00:00:00Z' }, {}],
  ],
  ['older first', null, [{}, {}, {}, {}]],
]

describe('draw order', () => {
  for (const backwards of [false, true]) {
    it.each(orders.filter(([why]) => !(backwards && why === 'older first')))(
      `%s (granted ${backwards ? 'backwards' : 'in order'})`,
      async (_why, scope, grants) => {
        const account = mintAccount()
        const entitlements: Answer[] = []
        for (const fields of backwards ? grants.toReversed() : grants) {
          entitlements.push(await grant(account, { quantity: 10, ...fields }))
        }
        if (backwards) entitlements.reverse()
        for (let n = 0; n < 4; n++)
          expect(await consume(account, { scope, quantity: 6 })).toMatchObject({ allowed: true })
        const rows = await sql<{ used: string }>(
          `select coalesce(sum(a.included_quantity), 0)::text as used
           from unnest($1::uuid[]) with ordinality e (id, n) left join consumption_allocations a on a.entitlement_id = e.id
           group by e.n order by e.n`,
          [entitlements.map((entitlement) => entitlement['entitlement_id'])],
        )
        expect(rows.map((row) => Number(row.used))).toEqual([10, 10, 4, 0])
      },
    )
  }
})

describe('within one kind entitlements add up', () => {
  it('limit, used and remaining are sums; what is over of one takes nothing from the others', async () => {
    const account = mintAccount()
    const first = await grant(account, { quantity: 10, priority: 1 })
    await grant(account, { quantity: 20, priority: 2 })
    await meter(account, { quantity: 15 })
    expect(await check(account)).toMatchObject({ limit: 30, used: 15, remaining: 15 })
    await api('api_entitlement_patch', { entitlement_id: textAt(first, 'entitlement_id'), quantity: 4 })
    // 10 of 4 used, 5 of 20: the headroom is that of the second.
    expect(await check(account, { quantity: 15 })).toMatchObject({ limit: 24, used: 15, remaining: 15, allowed: true })
    expect(await check(account, { quantity: 15.000001 })).toMatchObject({ allowed: false })
  })

  it('what is over goes to the last in draw order', async () => {
    const account = mintAccount()
    const grants = [
      await grant(account, { quantity: 10, priority: 1 }),
      await grant(account, { quantity: 10, priority: 2 }),
    ]
    await ruleFor(account, { action: 'overage' })
    await meter(account, { quantity: 25 })
    expect(await usedOf(account, grants)).toEqual([10, 15])
  })

  it('one that ends takes its headroom along, one that starts brings it', async () => {
    const account = mintAccount()
    await grant(account, {
      quantity: 10,
      effective_start: '2080-01-01T00:00:00Z',
      effective_end: '2080-03-01T00:00:00Z',
    })
    await grant(account, {
      quantity: 5,
      effective_start: '2080-02-01T00:00:00Z',
      effective_end: '2080-04-01T00:00:00Z',
    })
    const limitAt = async (now: string) => (await checkWhen(now, account))['limit']
    expect(await limitAt('2080-01-31T23:59:59.999Z')).toBe(10)
    expect(await limitAt('2080-02-01T00:00:00Z')).toBe(15)
    expect(await limitAt('2080-02-29T23:59:59.999Z')).toBe(15)
    expect(await limitAt('2080-03-01T00:00:00Z')).toBe(5)
    expect(await checkWhen('2080-04-01T00:00:00Z', account)).toMatchObject({ limit: 0, reason: 'expired' })
    expect(await checkWhen('2079-12-31T23:59:59.999Z', account)).toMatchObject({ reason: 'not_started' })
  })
})

describe('overage cap and grace count over all scopes', () => {
  it('the cap', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 10, scope: 'us' })
    await grant(account, { quantity: 10, scope: 'eu' })
    await ruleFor(account, { action: 'overage', overage_cap: 6 })
    expect(await consume(account, { scope: 'us', quantity: 14 })).toMatchObject({
      outcome: 'overage',
      entry: { overage_quantity: 4 },
    })
    expect(await check(account, { scope: 'eu', quantity: 12 })).toMatchObject({ reason: 'over_limit_overage' })
    expect(await check(account, { scope: 'eu', quantity: 12.000001 })).toMatchObject({ reason: 'overage_cap_reached' })
    expect(await consume(account, { scope: 'eu', quantity: 12 })).toMatchObject({ outcome: 'overage' })
    expect(await check(account, { scope: 'us', quantity: 1 })).toMatchObject({ reason: 'overage_cap_reached' })
  })

  it('the grace', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 10, scope: 'us' })
    await grant(account, { quantity: 10, scope: 'eu' })
    await ruleFor(account, { action: 'grace', grace_percent: 50, grace_seconds: 3600 })
    const crossing = await consume(account, { scope: 'us', quantity: 13 })
    expect(crossing).toMatchObject({ outcome: 'grace', grace: { quantity_left: 2, until: expect.any(String) } })
    expect(await check(account, { scope: 'eu', quantity: 12 })).toMatchObject({
      reason: 'over_limit_grace',
      grace: { quantity_left: 0, until: textAt(crossing, 'grace.until') },
    })
    expect(await check(account, { scope: 'eu', quantity: 12.000001 })).toMatchObject({ reason: 'grace_exhausted' })
  })
})

describe('stocks are laid over the entitlements, deepest scope first', () => {
  it.each([
    ['us/h100', 9, 5, 4],
    ['us', 9, 5, 4],
    [null, 7, 3, 4],
  ] as const)('asked for %s: limit %s, %s used, %s left', async (scope, limit, used, remaining) => {
    // 2 in us/h100 and 3 in us are owned: the entitlement of us takes the deepest two, the general one the rest.
    const account = mintAccount()
    await grant(account, { limit_kind: 'inventory', scope: 'us', quantity: 2 })
    await grant(account, { limit_kind: 'inventory', quantity: 7 })
    await meter(account, { scope: 'us/h100', quantity: 2 })
    await meter(account, { scope: 'us', quantity: 3 })
    expect(await check(account, { scope, purpose: 'assign' })).toMatchObject({ limit, used, remaining })
  })

  it('what was owned under a plan that ended counts under the next', async () => {
    const account = mintAccount()
    const trial = await grant(account, { limit_kind: 'inventory', quantity: 3 })
    await meter(account, { quantity: 3 })
    await api('api_entitlement_revoke', { entitlement_id: textAt(trial, 'entitlement_id') })
    await grant(account, { limit_kind: 'inventory', quantity: 5 })
    expect(await check(account, { purpose: 'assign', quantity: 3 })).toMatchObject({
      allowed: false,
      used: 3,
      remaining: 2,
    })
  })
})

it('50 stacked entitlements are drawn to the last millionth', async () => {
  const account = mintAccount()
  await sql(
    `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed, priority)
     select $1, 'benchmark_runs', 'cumulative', 0.1, n from generate_series(1, 50) n`,
    [await accountId(account)],
  )
  expect(await consume(account, { quantity: 5.000001 })).toMatchObject({ allowed: false, remaining: 5 })
  expect(await consume(account, { quantity: 5 })).toMatchObject({ allowed: true, used: 5, remaining: 0 })
})
