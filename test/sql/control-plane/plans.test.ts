import { describe, expect, it } from 'vitest'
import { at, check, keyed, listAt, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const RUNS = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 50, window: 'calendar_month' }
const SEATS = { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 2 }

const NO_ROLLOVER = { rollover_max_quantity: null, rollover_percent: null }

const put = (namespace: string, plan: Answer) =>
  api('api_plan_put', { plan_id: 'p', name: 'P', ...plan }, token(namespace))
const subscribe = (namespace: string, account: string, fields: Answer = {}) =>
  api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p', ...fields }, token(namespace))

describe('plans', () => {
  it('put and get: all fields, defaults filled in', async () => {
    const namespace = await mintNamespace()
    const plan = await put(namespace, {
      external_id: 'stripe_1',
      entitlements: [{ ...RUNS, scope: 'us', priority: 7, duration_days: 30 }, SEATS],
    })
    expect(plan).toEqual({
      plan_id: 'p',
      version: 1,
      name: 'P',
      status: 'active',
      is_trial: false,
      trial_days: null,
      external_id: 'stripe_1',
      entitlements: [
        { ...RUNS, scope: 'us', unit: 'count', priority: 7, duration_days: 30, ...NO_ROLLOVER },
        { ...SEATS, scope: null, unit: 'count', window: null, priority: 100, duration_days: null, ...NO_ROLLOVER },
      ],
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    expect(await api('api_plan_get', { plan_id: 'p' }, token(namespace))).toEqual(plan)
  })

  it('a new version only when what it grants changes; the old ones stay', async () => {
    const namespace = await mintNamespace()
    const version = async (plan: Answer) => at(await put(namespace, plan), 'version')
    expect(await version({ entitlements: [RUNS] })).toBe(1)
    expect(await version({ entitlements: [RUNS] })).toBe(1)
    expect(
      await version({ entitlements: [{ ...RUNS, unit: 'count', scope: null, priority: 100 }], name: 'New name' }),
    ).toBe(1)
    expect(await version({ status: 'archived' })).toBe(1)
    expect(await version({ entitlements: [{ ...RUNS, quantity: 60 }] })).toBe(2)
    expect(await version({ entitlements: [SEATS, { ...RUNS, quantity: 60 }] })).toBe(3)
    expect(await version({ entitlements: [{ ...RUNS, quantity: 60 }, SEATS] })).toBe(3)
    expect(await version({ entitlements: [] })).toBe(4)
    const get = (fields: Answer) => api('api_plan_get', { plan_id: 'p', ...fields }, token(namespace))
    expect(await get({ version: 1 })).toMatchObject({ version: 1, entitlements: [{ quantity: 50 }] })
    expect(await get({ version: 2 })).toMatchObject({ version: 2, entitlements: [{ quantity: 60 }] })
    expect(await get({})).toMatchObject({ version: 4, entitlements: [] })
    const versions = await api('api_plan_versions', { plan_id: 'p' }, token(namespace))
    expect(listAt(versions, 'data').map((plan) => at(plan, 'version'))).toEqual([4, 3, 2, 1])
    expect(await errorOf(get({ version: 5 }))).toMatchObject({ status: 404, param: 'version' })
    expect(await errorOf(api('api_plan_get', { plan_id: 'q' }, token(namespace)))).toMatchObject({
      status: 404,
      param: 'plan_id',
    })
    expect(await errorOf(api('api_plan_versions', { plan_id: 'q' }, token(namespace)))).toMatchObject({
      status: 404,
      param: 'plan_id',
    })
  })

  it('grants given to a plan that had none are a new version', async () => {
    const namespace = await mintNamespace()
    expect(await put(namespace, { status: 'draft' })).toMatchObject({ version: 1, status: 'draft', entitlements: [] })
    expect(await put(namespace, { entitlements: [RUNS] })).toMatchObject({ version: 2, entitlements: [RUNS] })
  })

  it.each([
    [{ is_trial: true }, 'trial_days', 'invalid_parameter'],
    [{ entitlements: [{ ...RUNS, resource: 'nothing_such' }] }, 'entitlements.0.resource', 'unknown_resource'],
    [{ entitlements: [{ ...RUNS, unit: 'hours' }] }, 'entitlements.0.unit', 'unit_mismatch'],
    [{ entitlements: [{ ...RUNS, window: 'fortnight' }] }, 'entitlements.0.window', 'invalid_parameter'],
    [{ entitlements: [{ ...RUNS, limit_kind: 'other' }] }, 'entitlements.0.limit_kind', 'invalid_parameter'],
    [{ entitlements: [RUNS, SEATS, { ...RUNS, quantity: 1 }] }, 'entitlements.2', 'invalid_parameter'],
  ])('refuses %j, and changes nothing', async (plan, param, code) => {
    const namespace = await mintNamespace()
    expect(await errorOf(put(namespace, plan))).toMatchObject({ status: 400, code, param })
    expect(await errorOf(api('api_plan_get', { plan_id: 'p' }, token(namespace)))).toMatchObject({ status: 404 })
  })

  it('in SQL a template inserted again replaces the earlier one', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [RUNS] })
    const insert = (quantity: number, window = 'calendar_month', scope: string | null = null) =>
      sql(
        `insert into plan_entitlement_templates (plan_id, namespace_id, resource_type_code, resource_scope, limit_kind_code, quantity_allowed, unit_code, window_type_code)
         values ('p', $1, 'benchmark_runs', $4, 'cumulative', $2, 'count', $3)`,
        [namespace, quantity, window, scope],
      )
    await insert(70)
    await insert(80)
    await insert(5, 'calendar_day')
    await insert(6, 'calendar_month', 'us')
    const rows = await sql(
      'select quantity_allowed::int as q, plan_version as v from plan_entitlement_templates where namespace_id = $1 order by 1',
      [namespace],
    )
    expect(rows).toEqual([
      { q: 5, v: 1 },
      { q: 6, v: 1 },
      { q: 80, v: 1 },
    ])
    await expect(
      sql(
        "insert into plan_entitlement_templates (plan_id, resource_type_code, limit_kind_code) values ('no-such-plan', 'gpu_hours', 'cumulative')",
      ),
    ).rejects.toMatchObject({ code: 'ME404' })
  })
})

describe('subscriptions', () => {
  it('provision what the plan grants, from start_at on', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await put(namespace, { entitlements: [{ ...RUNS, window: 'billing_cycle' }, SEATS] })
    const answer = await subscribe(namespace, account, { start_at: '2031-01-31T10:00:00.123Z', quantity: 3 })
    expect(answer).toMatchObject({
      duplicate: false,
      subscription: {
        account_id: account,
        plan_id: 'p',
        plan_version: 1,
        quantity: 3,
        status: 'scheduled',
        start_at: '2031-01-31T10:00:00.123Z',
        end_at: null,
        billing_anchor: '2031-01-31T10:00:00.123Z',
      },
    })
    const bySource = listAt(answer, 'entitlements').toSorted((a, b) =>
      textAt(a, 'resource') < textAt(b, 'resource') ? -1 : 1,
    )
    const source = {
      type: 'plan',
      plan_id: 'p',
      plan_version: 1,
      subscription_id: at(answer, 'subscription.subscription_id'),
    }
    const common = {
      account_id: account,
      status: 'scheduled',
      effective_start: '2031-01-31T10:00:00.123Z',
      effective_end: null,
      source,
    }
    expect(bySource).toMatchObject([
      { ...common, resource: 'benchmark_runs', quantity: 150, window: 'billing_cycle', limit_kind: 'cumulative' },
      { ...common, resource: 'concurrent_users', quantity: 6, window: null },
    ])
    const get = { account_id: account, subscription_id: at(answer, 'subscription.subscription_id') }
    const { duplicate: _, ...shown } = answer
    expect(await api('api_subscription_get', get, token(namespace))).toEqual(shown)
    expect(await check(account, { at: '2031-03-01T00:00:00Z' }, namespace)).toMatchObject({
      limit: 150,
      window: { start: '2031-02-28T10:00:00.123Z', end: '2031-03-31T10:00:00.123Z' },
    })
  })

  it('a trial ends after its days, a template after its duration, whichever is first', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const durations = [
      [null, '2031-03-15T00:00:00Z'],
      [7, '2031-03-08T00:00:00Z'],
      [30, '2031-03-15T00:00:00Z'],
    ] as const
    await put(namespace, {
      is_trial: true,
      trial_days: 14,
      entitlements: durations.map(([duration_days], n) => ({ ...RUNS, duration_days, priority: n })),
    })
    const answer = await subscribe(namespace, account, { start_at: '2031-03-01T00:00:00Z' })
    expect(answer).toMatchObject({ subscription: { end_at: '2031-03-15T00:00:00Z' } })
    const ends = listAt(answer, 'entitlements').toSorted(
      (a, b) => Number(at(a, 'priority')) - Number(at(b, 'priority')),
    )
    expect(ends.map((entitlement) => at(entitlement, 'effective_end'))).toEqual(durations.map(([, end]) => end))
    expect(await check(account, { at: '2031-03-07T23:59:59.999Z' }, namespace)).toMatchObject({ limit: 150 })
    expect(await check(account, { at: '2031-03-08T00:00:00Z' }, namespace)).toMatchObject({ limit: 100 })
    expect(await check(account, { at: '2031-03-15T00:00:00Z' }, namespace)).toMatchObject({ reason: 'expired' })
  })

  it('without a trial a duration alone ends a template', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [{ ...RUNS, duration_days: 30 }, SEATS] })
    const answer = await subscribe(namespace, mintAccount(), { start_at: '2031-03-01T00:00:00Z' })
    expect(answer).toMatchObject({ subscription: { end_at: null } })
    const ends = listAt(answer, 'entitlements').map((entitlement) => at(entitlement, 'effective_end'))
    expect(ends.toSorted()).toEqual(['2031-03-31T00:00:00Z', null].toSorted())
  })

  it('multiplies exactly, to 6 decimals, and leaves unlimited unlimited', async () => {
    const namespace = await mintNamespace()
    await put(namespace, {
      entitlements: [
        { ...RUNS, quantity: 0.333333 },
        { ...SEATS, quantity: null },
      ],
    })
    const answer = await subscribe(namespace, mintAccount(), { quantity: 0.5 })
    const quantities = listAt(answer, 'entitlements').map((entitlement) => at(entitlement, 'quantity'))
    expect(quantities.toSorted()).toEqual([0.166667, null].toSorted())
  })

  it.each([
    [{ quantity: 999_999_999_999_999 }, 999_999_999_999_999],
    [{ quantity: 20 }, 1e14],
    [{ quantity: 1e14 }, 10],
    [{ quantity: 1, rollover_max_quantity: 1e14, window: 'calendar_month' }, 10],
    // Of 16 digits.
    [{ quantity: 1_234_567_890.12345 }, 1.1],
  ])('%j × %d is more than a quantity can be: nothing is subscribed to', async (granted, quantity) => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await put(namespace, { entitlements: [SEATS, { ...RUNS, ...granted }] })
    expect(await errorOf(subscribe(namespace, account, { quantity, idempotency_key: 'k' }))).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'quantity',
    })
    expect(await sql('select 1 from accounts where external_id = $1', [account])).toEqual([])
    expect(await subscribe(namespace, account, { idempotency_key: 'k' })).toMatchObject({ duplicate: false })
  })

  it('multiplies up to the last quantity that there is', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [{ ...RUNS, quantity: 333_333_333_333_333 }] })
    expect(await subscribe(namespace, mintAccount(), { quantity: 3 })).toMatchObject({
      entitlements: [{ quantity: 999_999_999_999_999 }],
    })
  })

  it('stay on the version that they subscribed to', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [RUNS] })
    const [before, after] = [mintAccount(), mintAccount()]
    await subscribe(namespace, before)
    await put(namespace, { entitlements: [{ ...RUNS, quantity: 60 }] })
    expect(await subscribe(namespace, after)).toMatchObject({ subscription: { plan_version: 2 } })
    expect(await check(before, {}, namespace)).toMatchObject({ limit: 50 })
    expect(await check(after, {}, namespace)).toMatchObject({ limit: 60 })
  })

  it('are created once per key', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await put(namespace, { entitlements: [RUNS] })
    const request = { idempotency_key: 'k', start_at: '2031-03-01T00:00:00Z' }
    const first = await subscribe(namespace, account, request)
    await put(namespace, { status: 'archived' })
    expect(await subscribe(namespace, account, request)).toEqual({ ...first, duplicate: true })
    for (const change of [{ quantity: 2 }, { start_at: null }, { start_at: '2031-03-02T00:00:00Z' }]) {
      expect(await errorOf(subscribe(namespace, account, { ...request, ...change }))).toMatchObject({
        status: 409,
        code: 'idempotency_conflict',
      })
    }
    expect(listAt(await api('api_subscription_list', { account_id: account }, token(namespace)), 'data')).toHaveLength(
      1,
    )
    expect(await errorOf(subscribe(namespace, account, {}))).toMatchObject({
      status: 409,
      code: 'plan_not_active',
      param: 'plan_id',
    })
  })

  it.each(['draft', 'archived'])('to a plan that is %s: plan_not_active; to none: 404', async (status) => {
    const namespace = await mintNamespace()
    await put(namespace, { status, entitlements: [RUNS] })
    const account = mintAccount()
    expect(await errorOf(subscribe(namespace, account))).toMatchObject({ status: 409, code: 'plan_not_active' })
    expect(await errorOf(subscribe(namespace, account, { plan_id: 'q' }))).toMatchObject({
      status: 404,
      code: 'not_found',
      param: 'plan_id',
    })
    expect(await sql('select 1 from accounts where external_id = $1', [account])).toEqual([])
  })

  it('of another account: 404', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [RUNS] })
    const answer = await subscribe(namespace, mintAccount())
    const get = { account_id: mintAccount(), subscription_id: at(answer, 'subscription.subscription_id') }
    expect(await errorOf(api('api_subscription_get', get, token(namespace)))).toMatchObject({
      status: 404,
      param: 'subscription_id',
    })
  })

  it('a plan without grants can be subscribed to', async () => {
    const namespace = await mintNamespace()
    await put(namespace, { entitlements: [] })
    expect(await subscribe(namespace, mintAccount())).toMatchObject({
      entitlements: [],
      subscription: { status: 'active' },
    })
  })

  it('fn_provision_plan_entitlements does the same for SQL users', async () => {
    const rows = await sql<{ resource_type_code: string; quantity_allowed: string | null; source_type: string }>(
      `select * from fn_provision_plan_entitlements(gen_random_uuid(), 'pro', '2031-01-01T00:00:00Z') order by resource_type_code`,
    )
    expect(rows.map((row) => [row.resource_type_code, row.quantity_allowed, row.source_type])).toEqual([
      ['benchmark_runs', '500', 'plan'],
      ['concurrent_users', '10', 'plan'],
      ['gpu_hours', '100', 'plan'],
      ['server_configs', '3', 'plan'],
    ])
    const nobody = sql("select * from fn_provision_plan_entitlements(null, 'pro')")
    expect(await errorOf(nobody)).toMatchObject({ status: 400, code: 'invalid_parameter', param: 'account_id' })
  })
})
