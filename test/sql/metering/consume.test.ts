import { describe, expect, it } from 'vitest'
import { accountId, at, check, consume, grant, meter, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, mintAccount, sql, sqlValue } from '../../support/sql.ts'

describe('a consume draws within what is permitted, or not at all', () => {
  // 10 granted; what is asked in turn, and outcome, reason, overage of the entry, used after.
  const runs: [
    rule: Answer | null,
    asked: [quantity: number, outcome: string, reason: string, overage: number, used: number][],
  ][] = [
    [
      null,
      [
        [6, 'allow', 'within_limit', 0, 6],
        [5, 'block', 'limit_exceeded', 0, 6],
        [4, 'allow', 'within_limit', 0, 10],
      ],
    ],
    [
      { action: 'block', warn_at_percent: 50 },
      [
        [4, 'allow', 'within_limit', 0, 4],
        [1, 'warn', 'near_limit', 0, 5],
        [5, 'warn', 'near_limit', 0, 10],
      ],
    ],
    [
      { action: 'warn' },
      [
        [12, 'warn', 'over_limit_warned', 2, 12],
        [1, 'warn', 'over_limit_warned', 1, 13],
      ],
    ],
    [
      { action: 'overage', overage_cap: 3 },
      [
        [12, 'overage', 'over_limit_overage', 2, 12],
        [2, 'block', 'overage_cap_reached', 0, 12],
        [1, 'overage', 'over_limit_overage', 1, 13],
      ],
    ],
    [
      { action: 'grace', grace_percent: 20 },
      [
        [11, 'grace', 'over_limit_grace', 1, 11],
        [2, 'block', 'grace_exhausted', 0, 11],
        [1, 'grace', 'over_limit_grace', 1, 12],
      ],
    ],
  ]
  it.each(runs)('%j', async (rule, asked) => {
    const account = mintAccount()
    await grant(account, { quantity: 10 })
    if (rule) await ruleFor(account, rule)
    for (const [quantity, outcome, reason, overage, used] of asked) {
      const answer = await consume(account, { quantity })
      expect(answer).toMatchObject({
        outcome,
        reason,
        allowed: outcome !== 'block',
        used,
        remaining: Math.max(0, 10 - used),
        limit: 10,
        quantity,
      })
      if (outcome === 'block') expect(answer).toMatchObject({ entry: null, duplicate: false })
      else {
        expect(answer).toMatchObject({
          duplicate: false,
          entry: {
            quantity,
            included_quantity: quantity - overage,
            overage_quantity: overage,
            excess_quantity: 0,
            kind: 'usage',
            late: false,
            reverses: null,
          },
        })
      }
      expect(at(answer, 'limits.0')).toMatchObject({ limit_kind: 'cumulative', outcome, reason, used })
      expect(await check(account, { quantity: 0 })).toMatchObject({ used })
    }
  })
})

it('gives the entry as the contract shows it', async () => {
  const account = mintAccount()
  await grant(account)
  const answer = await consume(account, { idempotency_key: 'run_1', quantity: 2, scope: 'us', metadata: { job: 'x' } })
  const now = at(answer, 'as_of')
  expect(answer['entry']).toEqual({
    entry_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/),
    idempotency_key: 'run_1',
    account_id: account,
    resource: 'benchmark_runs',
    scope: 'us',
    quantity: 2,
    unit: 'count',
    original_quantity: 2,
    original_unit: 'count',
    occurred_at: now,
    recorded_at: now,
    late: false,
    kind: 'usage',
    reverses: null,
    included_quantity: 2,
    overage_quantity: 0,
    excess_quantity: 0,
    metadata: { job: 'x' },
  })
})

describe('which kind a consume draws on', () => {
  it.each([
    [['cumulative'], 'cumulative'],
    [['cumulative', 'inventory', 'time_access', 'concurrency'], 'cumulative'],
    [['inventory', 'time_access', 'concurrency'], 'inventory'],
    [['time_access', 'concurrency'], 'time_access'],
    [['concurrency'], null],
  ])('held %j: %s', async (kinds, drawn) => {
    const account = mintAccount()
    for (const limitKind of kinds) await grant(account, { limit_kind: limitKind, quantity: 10 })
    const answer = await consume(account, { quantity: 2 })
    if (drawn === null) {
      expect(answer).toMatchObject({ allowed: false, reason: 'no_entitlement', entry: null })
      return
    }
    expect(answer).toMatchObject({ allowed: true, entry: { included_quantity: 2 } })
    const [row] = await sql<{ kind: string }>(
      'select limit_kind_code as kind from consumption_ledger where entry_id = $1',
      [textAt(answer, 'entry.entry_id')],
    )
    expect(row?.kind).toBe(drawn)
  })
})

describe('a denial leaves nothing behind', () => {
  const tables = [
    'accounts',
    'resource_state',
    'idempotency_keys',
    'consumption_ledger',
    'consumption_allocations',
    'usage_rollups',
    'inventory_totals',
    'entitlement_windows',
    'entitlement_window_parts',
    'entitlements',
    'control_rules',
    'concurrency_leases',
    'inventory_items',
    'subscriptions',
    'reservations',
  ]
  const rowsOf = async (id: string) => {
    const union = tables
      .map((name) => `select '${name}' as name from ${name} where account_id = $1`)
      .join(' union all ')
    return (await sql<{ name: string }>(union, [id])).map((row) => row.name)
  }

  it('of an account that was never seen', async () => {
    const account = mintAccount()
    expect(await consume(account, { metadata: { a: 1 } })).toMatchObject({
      allowed: false,
      reason: 'no_entitlement',
      duplicate: false,
      entry: null,
    })
    expect(await rowsOf(await accountId(account))).toEqual([])
  })

  it('no counter, no event, no new version', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 1 })
    const id = await accountId(account)
    const state = () => sql('select s.*, s.xmin::text from resource_state s where account_id = $1', [id])
    const before = await state()
    expect(await consume(account, { quantity: 2 })).toMatchObject({ allowed: false })
    expect(await state()).toEqual(before)
    expect((await rowsOf(id)).toSorted()).toEqual(['accounts', 'entitlements', 'resource_state'])
  })

  it('and the table list is complete', async () => {
    const rows = await sql<{ name: string }>(
      `select c.table_name as name from information_schema.columns c where c.table_schema = 'public' and c.column_name = 'account_id' order by 1`,
    )
    const derived = ['reservation_allocations', 'ledger_details', 'audit_log', 'audit_details', 'signed_heads']
    expect(rows.map((row) => row.name).filter((name) => !derived.includes(name))).toEqual(tables.toSorted())
  })
})

describe('the snapshot that comes with it is what a check at that instant reads', () => {
  const worlds: [string, grants: Answer[], rule: Answer | null, quantity: number][] = [
    ['within the limit', [{ quantity: 10, window: 'calendar_month' }], { action: 'block', warn_at_percent: 50 }, 4],
    ['denied', [{ quantity: 10 }], null, 11],
    ['into overage', [{ quantity: 10 }], { action: 'overage', overage_multiplier: 2.5, overage_cap: 5 }, 12],
    ['into grace', [{ quantity: 10 }], { action: 'grace', grace_percent: 50, grace_seconds: 3600 }, 12],
    ['into grace without end', [{ quantity: 10, window: 'rolling_30d' }], { action: 'grace', grace_percent: 50 }, 12],
    ['of a rolling window', [{ quantity: 10, window: 'rolling_30d' }], null, 3],
    ['over several entitlements', [{ quantity: 3 }, { quantity: 5, scope: 'us' }], { action: 'warn' }, 7],
    ['of a stock', [{ quantity: 10, limit_kind: 'inventory' }], { limit_kind: 'inventory', action: 'warn' }, 12],
    ['beside time access', [{ quantity: 10 }, { limit_kind: 'time_access', quantity: 5 }], null, 2],
    ['one still to come', [{ quantity: 10 }, { quantity: 5, effective_start: '2090-01-01T00:00:00Z' }], null, 2],
    ['nothing held', [], null, 1],
  ]
  it.each(worlds)('%s', async (_what, grants, rule, quantity) => {
    const account = mintAccount()
    for (const fields of grants) await grant(account, fields)
    if (rule) await ruleFor(account, rule)
    for (const number of [1, 2]) {
      const request = { idempotency_key: `k${number}`, account_id: account, resource: 'benchmark_runs', scope: 'us' }
      const answer = await api('api_consume', { ...request, quantity })
      const read = await sqlValue<Answer>(
        `select fn_snapshot(n, fn_account_uuid(n, $1), 'benchmark_runs', 'us', $2::timestamptz)
         from namespaces n where n.namespace_id = 'default'`,
        [account, textAt(answer, 'snapshot.as_of')],
      )
      expect(answer['snapshot']).toEqual(read)
      if (at(answer, 'entry') === null) continue
      // The first result, with the state of then.
      expect(await api('api_consume', { ...request, quantity })).toEqual({ ...answer, duplicate: true })
    }
  })
})

it('a pay-as-you-go account: unlimited under overage, all of it billed', async () => {
  const account = mintAccount()
  await grant(account, { quantity: null, window: 'calendar_month' })
  await ruleFor(account, { action: 'overage', overage_multiplier: 2.5 })
  await consume(account, { quantity: 3 })
  await meter(account, { quantity: 4 })
  const rows = await sql(
    'select used, included_quantity, overage_quantity, billable_quantity, billable_amount from entitlement_windows where account_id = $1',
    [await accountId(account)],
  )
  expect(rows).toEqual([
    { used: '7', included_quantity: '7', overage_quantity: '0', billable_quantity: '7', billable_amount: '17.5' },
  ])
})

it('a rule that changes in mid-month bills each part by its own multiplier', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 10, window: 'calendar_month' })
  await ruleFor(account, { action: 'overage', overage_multiplier: 2 })
  await meter(account, { quantity: 13 })
  await ruleFor(account, { action: 'overage', overage_multiplier: 5 })
  await meter(account, { quantity: 4 })
  await ruleFor(account, { action: 'warn' })
  await meter(account, { quantity: 7 })
  await ruleFor(account, { action: 'block' })
  await meter(account, { quantity: 1 })
  const rows = await sql(
    'select used, included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount from entitlement_windows where account_id = $1',
    [await accountId(account)],
  )
  expect(rows).toEqual([
    {
      used: '25',
      included_quantity: '10',
      overage_quantity: '14',
      excess_quantity: '1',
      billable_quantity: '7',
      billable_amount: '26',
    },
  ])
})
