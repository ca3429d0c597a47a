import { describe, expect, it } from 'vitest'
import { accountId, assign, at, check, grant, keyed, meter, ruleFor } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

describe('included + overage + excess = quantity', () => {
  // 10 granted; metered in turn: included, overage, excess.
  const runs: [rule: Answer | null, uses: [quantity: number, included: number, overage: number, excess: number][]][] = [
    [
      null,
      [
        [4, 4, 0, 0],
        [9, 6, 0, 3],
        [2, 0, 0, 2],
      ],
    ],
    [{ action: 'block' }, [[13, 10, 0, 3]]],
    [
      { action: 'warn' },
      [
        [13, 10, 3, 0],
        [5, 0, 5, 0],
      ],
    ],
    [
      { action: 'overage' },
      [
        [13, 10, 3, 0],
        [5, 0, 5, 0],
      ],
    ],
    [
      { action: 'overage', overage_cap: 4 },
      [
        [13, 10, 3, 0],
        [5, 0, 1, 4],
        [1, 0, 0, 1],
      ],
    ],
    [{ action: 'grace' }, [[13, 10, 3, 0]]],
    [
      { action: 'grace', grace_percent: 40 },
      [
        [13, 10, 3, 0],
        [5, 0, 1, 4],
      ],
    ],
    [{ action: 'grace', grace_seconds: 0 }, [[13, 10, 0, 3]]],
  ]
  it.each(runs)('%j: %j', async (rule, uses) => {
    const account = mintAccount()
    await grant(account, { quantity: 10 })
    if (rule) await ruleFor(account, rule)
    let used = 0
    for (const [quantity, included, overage, excess] of uses) {
      used += quantity
      expect(await meter(account, { quantity })).toMatchObject({
        duplicate: false,
        over_limit: overage + excess > 0,
        entry: { quantity, included_quantity: included, overage_quantity: overage, excess_quantity: excess },
        state: { limit: 10, used, held: 0, remaining: Math.max(0, 10 - used) },
      })
    }
    expect(await check(account, { quantity: 0 })).toMatchObject({ used })
  })

  it('with nothing entitled all is excess, and recorded', async () => {
    const account = mintAccount()
    expect(await meter(account, { quantity: 5 })).toMatchObject({
      over_limit: true,
      entry: { included_quantity: 0, overage_quantity: 0, excess_quantity: 5 },
      state: { limit: 0, used: 0, held: 0, remaining: 0 },
    })
  })

  it('splits a grace bound that lies between two millionths down to a whole one', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 0.000003 })
    await ruleFor(account, { action: 'grace', grace_percent: 50 })
    expect(await meter(account, { quantity: 1 })).toMatchObject({
      entry: { included_quantity: 0.000003, overage_quantity: 0.000001, excess_quantity: 0.999996 },
    })
  })
})

it('an account appears by itself, as its caller writes it', async () => {
  const account = mintAccount()
  await meter(account)
  const rows = await sql('select namespace_id, status, timezone from accounts where external_id = $1', [account])
  expect(rows).toEqual([{ namespace_id: 'default', status: 'active', timezone: 'UTC' }])
})

describe('units', () => {
  it.each([
    [30, 'minutes', 0.5],
    [1, 'hours', 1],
    [2, 'days', 48],
    [1, 'seconds', 0.000278],
    // Half a millionth of an hour is 0.0018 s: half up.
    [0.0018, 'seconds', 0.000001],
    [0.0054, 'seconds', 0.000002],
    [0.00009, 'minutes', 0.000002],
  ])('%s %s against hours is %s', async (quantity, unit, hours) => {
    const account = mintAccount()
    await grant(account, { resource: 'gpu_hours' })
    expect(await meter(account, { resource: 'gpu_hours', quantity, unit })).toMatchObject({
      entry: {
        quantity: hours,
        unit: 'hours',
        original_quantity: quantity,
        original_unit: unit,
        included_quantity: hours,
      },
      state: { used: hours },
    })
  })

  it('an entitlement in another unit of the dimension is converted too', async () => {
    const account = mintAccount()
    await grant(account, { resource: 'gpu_hours', quantity: 2, unit: 'days' })
    expect(await check(account, { resource: 'gpu_hours' })).toMatchObject({ limit: 48 })
  })

  it.each([
    ['count', 'unit_mismatch'],
    ['bytes', 'unit_mismatch'],
    ['no_such_unit', 'unit_mismatch'],
  ])('%s against hours: %s', async (unit, code) => {
    const account = mintAccount()
    const error = await errorOf(meter(account, { resource: 'gpu_hours', unit }))
    expect(error).toMatchObject({ status: 400, code, param: 'unit' })
    expect(await errorOf(grant(account, { resource: 'gpu_hours', unit }))).toMatchObject({
      status: 400,
      code,
      param: 'unit',
    })
  })

  it('what is nothing after conversion, or too much, is refused', async () => {
    const account = mintAccount()
    for (const [quantity, unit] of [
      [0.0017, 'seconds'],
      [999_999_999_999_999, 'days'],
      [0, 'hours'],
      [0.0000001, 'hours'],
      [1e15, 'hours'],
      // 277777777777.776944 hours: more digits than an answer carries exactly.
      [999_999_999_999_997, 'seconds'],
    ]) {
      const error = await errorOf(meter(account, { resource: 'gpu_hours', quantity: quantity ?? 0, unit: unit ?? '' }))
      expect(error).toMatchObject({ status: 400, code: 'invalid_parameter', param: 'quantity' })
    }
  })
})

describe('occurred_at', () => {
  it('up to 5 minutes in the future counts when its time has come, more is refused', async () => {
    const account = mintAccount()
    await grant(account, { window: 'rolling_24h' })
    const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
    expect(await meter(account, { occurred_at: ahead(240) })).toMatchObject({ entry: { late: false } })
    expect(await check(account)).toMatchObject({ used: 0 })
    expect(await check(account, { at: ahead(241) })).toMatchObject({ used: 1 })
    expect(await errorOf(meter(account, { occurred_at: ahead(330) }))).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'occurred_at',
    })
  })
})

describe('inventory: what is owned', () => {
  it('goes up and down, never below zero', async () => {
    const account = mintAccount()
    const resource = 'server_configs'
    await grant(account, { resource, limit_kind: 'inventory', quantity: 3 })
    expect(await meter(account, { resource, quantity: 5 })).toMatchObject({
      over_limit: true,
      entry: { included_quantity: 3, excess_quantity: 2 },
      state: { limit: 3, used: 5, remaining: 0 },
    })
    expect(await meter(account, { resource, quantity: -4 })).toMatchObject({
      over_limit: false,
      entry: { quantity: -4, included_quantity: -4 },
      state: { limit: 3, used: 1, remaining: 2 },
    })
    expect(await errorOf(meter(account, { resource, quantity: -2 }))).toMatchObject({
      status: 409,
      code: 'negative_balance',
      param: 'quantity',
    })
    expect(await meter(account, { resource, quantity: -1 })).toMatchObject({ state: { used: 0, remaining: 3 } })
    expect(await errorOf(meter(account, { resource, quantity: -0.000001 }))).toMatchObject({ status: 409 })
  })

  it('per scope: what is owned in one cannot be given back in another', async () => {
    const account = mintAccount()
    const resource = 'server_configs'
    await grant(account, { resource, limit_kind: 'inventory', quantity: 3 })
    await meter(account, { resource, scope: 'us', quantity: 2 })
    expect(await errorOf(meter(account, { resource, quantity: -1 }))).toMatchObject({ code: 'negative_balance' })
    expect(await errorOf(meter(account, { resource, scope: 'us/h100', quantity: -1 }))).toMatchObject({
      code: 'negative_balance',
    })
    expect(await meter(account, { resource, scope: 'us', quantity: -1 })).toMatchObject({ state: { used: 1 } })
  })

  it('never below the number of items assigned', async () => {
    const account = mintAccount()
    const resource = 'named_users'
    await grant(account, { resource, limit_kind: 'inventory', quantity: 5 })
    await meter(account, { resource, quantity: 1 })
    await assign(account, 'ada', { resource })
    expect(await meter(account, { resource, quantity: -1 })).toMatchObject({ state: { used: 1 } })
    expect(await errorOf(meter(account, { resource, quantity: -1 }))).toMatchObject({ code: 'negative_balance' })
  })

  it.each(['cumulative', 'time_access', 'concurrency', null])(
    'a negative quantity of %s is refused',
    async (limitKind) => {
      const account = mintAccount()
      if (limitKind) await grant(account, { limit_kind: limitKind })
      await meter(account, { quantity: 5 })
      expect(await errorOf(meter(account, { quantity: -1 }))).toMatchObject({
        status: 400,
        code: 'invalid_parameter',
        param: 'quantity',
      })
    },
  )

  it('gives back what was owned when the entitlement has ended', async () => {
    const account = mintAccount()
    const entitlement = await grant(account, { limit_kind: 'inventory', quantity: 3 })
    await meter(account, { quantity: 3 })
    await api('api_entitlement_revoke', { entitlement_id: at(entitlement, 'entitlement_id') })
    expect(await meter(account, { quantity: -3 })).toMatchObject({ entry: { quantity: -3 } })
    expect(await errorOf(meter(account, { quantity: -1 }))).toMatchObject({ code: 'negative_balance' })
  })
})

it.each(['api_meter', 'api_consume'])('%s refuses what it cannot know or keep', async (name) => {
  const body = { ...keyed(), account_id: mintAccount(), resource: 'benchmark_runs', quantity: 1 }
  const errors: [Answer, string, string][] = [
    [{ ...body, resource: 'nothing_such' }, 'unknown_resource', 'resource'],
    [{ ...body, quantity: 0 }, 'invalid_parameter', 'quantity'],
    [{ ...body, quantity: null }, 'invalid_parameter', 'quantity'],
    [{ ...body, quantity: 0.0000001 }, 'invalid_parameter', 'quantity'],
    [{ ...body, quantity: 1e15 }, 'invalid_parameter', 'quantity'],
    [{ ...body, idempotency_key: '' }, 'invalid_parameter', 'idempotency_key'],
    [{ ...body, idempotency_key: null }, 'invalid_parameter', 'idempotency_key'],
    [{ ...body, idempotency_key: 'k'.repeat(256) }, 'invalid_parameter', 'idempotency_key'],
    [{ ...body, unit: 'hours' }, 'unit_mismatch', 'unit'],
  ]
  for (const [request, code, param] of errors) {
    expect(await errorOf(api(name, request))).toMatchObject({ status: 400, code, param })
  }
  expect(await sql('select 1 from accounts where external_id = $1', [body.account_id])).toEqual([])
})

describe('SQL users', () => {
  const call = `select fn_meter_consumption(p_idempotency_key => coalesce(f ->> 'key', 'k'), p_account_id => $1, p_resource_type_code => 'gpu_hours',
      p_quantity => coalesce(f ->> 'quantity', '1')::numeric, p_unit_code => f ->> 'unit', p_resource_scope => f ->> 'scope',
      p_occurred_at => (f ->> 'occurred_at')::timestamptz, p_metadata => coalesce(f -> 'metadata', '{}'))
    from (select $2::jsonb as f) fields`

  it.each([
    ['quantity', { quantity: 'NaN' }],
    ['quantity', { quantity: '-Infinity' }],
    ['quantity', { quantity: '277777777777.776944' }],
    ['quantity', { quantity: '0.0000001', unit: 'days' }],
    ['quantity', { quantity: '1234567890.123456', unit: 'seconds' }],
    ['idempotency_key', { key: '' }],
    ['idempotency_key', { key: 'a\nb' }],
    ['idempotency_key', { key: 'a\u009f' }],
    ['scope', { scope: '' }],
    ['scope', { scope: '/us' }],
    ['scope', { scope: 'us/' }],
    ['scope', { scope: 'us//x' }],
    ['scope', { scope: 'us\t' }],
    ['scope', { scope: 's'.repeat(256) }],
    ['metadata', { metadata: [] }],
    ['metadata', { metadata: 'text' }],
    ['metadata', { metadata: { a: 'x'.repeat(4096) } }],
    ['occurred_at', { occurred_at: '1900-01-01T00:00:00Z' }],
    ['occurred_at', { occurred_at: '-infinity' }],
    ['occurred_at', { occurred_at: 'infinity' }],
  ])('are refused what HTTP refuses as %s (%#)', async (param, fields) => {
    const id = await accountId(mintAccount())
    expect(await errorOf(sql(call, [id, fields]))).toMatchObject({ status: 400, code: 'invalid_parameter', param })
    expect(await sql('select 1 from accounts where account_id = $1', [id])).toEqual([])
  })

  it('may write what HTTP may', async () => {
    const id = await accountId(mintAccount())
    for (const [n, fields] of [
      { quantity: '1.0000000' },
      { quantity: '123456789.123456', scope: 'us/h100 ü' },
      { quantity: '0.0018', unit: 'seconds', metadata: { a: 'x'.repeat(4000) } },
      { quantity: '999999999999999', occurred_at: '1970-01-01T00:00:00Z' },
    ].entries())
      expect(await sqlValue(call, [id, { key: `k ${n}`, ...fields }])).toEqual(expect.any(String))
  })

  it('must name an account', async () => {
    for (const command of [
      "fn_meter_consumption('k', null, 'gpu_hours', 1)",
      "fn_check_entitlement(null, 'gpu_hours')",
    ])
      expect(await errorOf(sql(`select ${command}`))).toMatchObject({ status: 400, param: 'account_id' })
  })
})

it('a consume is never negative', async () => {
  const account = mintAccount()
  await grant(account, { limit_kind: 'inventory' })
  const call = api('api_consume', { ...keyed(), account_id: account, resource: 'benchmark_runs', quantity: -1 })
  expect(await errorOf(call)).toMatchObject({ status: 400, code: 'invalid_parameter', param: 'quantity' })
})

it('metadata stands outside the ledger, which holds its salted SHA-256', async () => {
  const account = mintAccount()
  const first = await meter(account, { metadata: { user: 'ada@example.com' } })
  const second = await meter(account, { metadata: { user: 'ada@example.com' } })
  const bare = await meter(account)
  const rows = await sql<{ right: boolean | null; hash: string | null }>(
    `select l.details_hash = digest(d.salt || convert_to(d.metadata::text, 'UTF8'), 'sha256') as right, encode(l.details_hash, 'hex') as hash
     from unnest($1::uuid[]) with ordinality e (entry_id, n) join consumption_ledger l using (entry_id) left join ledger_details d using (entry_id) order by e.n`,
    [[first, second, bare].map((answer) => at(answer, 'entry.entry_id'))],
  )
  expect(rows.map((row) => row.right)).toEqual([true, true, null])
  expect(rows[0]?.hash).not.toBe(rows[1]?.hash)
})

it('a resource of the namespace itself is metered in its own unit', async () => {
  const namespace = await mintNamespace()
  await api('api_unit_create', { unit: 'kilotokens', dimension: 'tokens', factor: 1000 }, token(namespace))
  await api('api_resource_create', { resource: 'llm_tokens', unit: 'tokens', name: 'Tokens' }, token(namespace))
  const account = mintAccount()
  await grant(account, { resource: 'llm_tokens', quantity: 5, unit: 'kilotokens' }, namespace)
  expect(await meter(account, { resource: 'llm_tokens', quantity: 1.5, unit: 'kilotokens' }, namespace)).toMatchObject({
    entry: { quantity: 1500, unit: 'tokens' },
    state: { limit: 5000, used: 1500, remaining: 3500 },
  })
})
