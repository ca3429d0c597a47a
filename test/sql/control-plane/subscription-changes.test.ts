import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  acquire,
  advanceClock,
  at,
  check,
  consume,
  endHold,
  grant,
  keyed,
  listAt,
  meter,
  reserve,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, type Json, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const RUNS = { resource: 'benchmark_runs', limit_kind: 'cumulative', window: 'calendar_month' }
const SEATS = { resource: 'concurrent_users', limit_kind: 'concurrency' }
const START = '2031-03-10T00:00:00Z'
/** A month after START: the end of the billing period. */
const PERIOD_END = '2031-04-10T00:00:00Z'

const NO_CHANGE = { pending_change: null, canceled_at: null }

/** A namespace with plans, and an account that is subscribed to the first of them since START. */
async function world(plans: Record<string, Answer>, fields: Answer = {}) {
  const namespace = await mintNamespace()
  const as = token(namespace)
  const account = mintAccount()
  const put = (plan_id: string, plan: Answer) => api('api_plan_put', { plan_id, name: plan_id, ...plan }, as)
  await setClock(namespace, '2031-03-09T00:00:00Z')
  for (const [plan_id, plan] of Object.entries(plans)) await put(plan_id, plan)
  const subscribe = (request: Answer) =>
    api('api_subscription_create', { ...keyed(), account_id: account, ...request }, as)
  const created = await subscribe({ plan_id: Object.keys(plans)[0] ?? '', start_at: START, ...fields })
  const subscription_id = textAt(created, 'subscription.subscription_id')
  await setClock(namespace, '2031-03-20T00:00:00Z')
  const ask = (name: string, request: Answer) =>
    api(`api_subscription_${name}`, { account_id: account, subscription_id, ...request }, as)
  return {
    namespace,
    as,
    account,
    subscription_id,
    put,
    subscribe,
    change: (plan_id: string, request: Answer = {}) => ask('change', { plan_id, ...request }),
    cancel: (request: Answer = {}) => ask('cancel', request),
    migrate: (request: Answer = {}) => ask('migrate', request),
    get: (request: Answer = {}) => ask('get', request),
    use: (quantity: number, request: Answer = {}) => consume(account, { quantity, ...request }, namespace),
    state: (question: { resource?: string; scope?: string; at?: string } = {}) =>
      check(account, { quantity: 0, ...question }, namespace),
  }
}

const small = (quantity: number | null, fields: Answer = {}): Answer => ({
  entitlements: [{ ...RUNS, quantity, ...fields }],
})

/** The entitlements of an answer: what they grant, from when until when, and how they stand. */
const granted = (answer: Answer): Json[] =>
  listAt(answer, 'entitlements').map((entitlement) => [
    at(entitlement, 'quantity'),
    at(entitlement, 'effective_start'),
    at(entitlement, 'effective_end'),
    at(entitlement, 'status'),
  ])

describe('a change now', () => {
  it('gives the same subscription another plan, from now on', async () => {
    const { change, get, subscription_id, state } = await world({ basic: small(50), pro: small(500) })
    const answer = await change('pro')
    expect(answer).toMatchObject({
      duplicate: false,
      subscription: {
        ...NO_CHANGE,
        subscription_id,
        plan_id: 'pro',
        plan_version: 1,
        quantity: 1,
        status: 'active',
        start_at: START,
        end_at: null,
        billing_anchor: START,
      },
    })
    expect(granted(answer)).toEqual([[500, expect.stringMatching(/^2031-03-20T00:00/), null, 'active']])
    const { duplicate: _, ...shown } = answer
    expect(await get()).toEqual(shown)
    expect(await state()).toMatchObject({ limit: 500 })
    expect(await state({ at: '2031-03-15T00:00:00Z' })).toMatchObject({ limit: 50 })
  })

  it('goes on with the usage of the running window', async () => {
    const { namespace, change, use, state } = await world({ basic: small(50), pro: small(500) })
    await use(30)
    await change('pro')
    expect(await state()).toMatchObject({ limit: 500, used: 30, remaining: 470 })
    await use(100)
    await change('basic')
    expect(await state()).toMatchObject({ limit: 50, used: 130, remaining: 0 })
    await setClock(namespace, '2031-04-01T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 50, used: 0, remaining: 50 })
    expect(await audit(namespace)).toEqual({})
  })

  it('keeps the anchor of a billing cycle, and gives it to what is new', async () => {
    const cycle = { window: 'billing_cycle' }
    const { use, change, state } = await world({
      basic: small(50, cycle),
      pro: {
        entitlements: [
          { ...RUNS, ...cycle, quantity: 500 },
          { ...RUNS, ...cycle, resource: 'gpu_hours', quantity: 5 },
        ],
      },
    })
    await use(30)
    await change('pro')
    const window = { type: 'billing_cycle', start: START, end: PERIOD_END }
    expect(await state()).toMatchObject({ limit: 500, used: 30, window })
    expect(await state({ resource: 'gpu_hours' })).toMatchObject({ limit: 5, used: 0, window })
  })

  it('below what is used denies', async () => {
    const { use, change } = await world({ pro: small(500), basic: small(50) })
    await use(60)
    await change('basic')
    expect(await use(1)).toMatchObject({ allowed: false, reason: 'limit_exceeded', limit: 50, used: 60, remaining: 0 })
  })

  it('below what is used is overage where the rule says so', async () => {
    const { namespace, account, use, change } = await world({ pro: small(500), basic: small(50) })
    await ruleFor(account, { action: 'overage', overage_multiplier: 3, overage_cap: 10 }, namespace)
    await use(60)
    await change('basic')
    // What was within the limit when it was used is not billed for having been.
    expect(await use(4)).toMatchObject({
      allowed: true,
      reason: 'over_limit_overage',
      entry: { included_quantity: 0, overage_quantity: 4 },
    })
    expect(await use(7)).toMatchObject({ allowed: false, reason: 'overage_cap_reached' })
    expect(await audit(namespace)).toEqual({})
  })

  it.each(['none', 'rolling_30d', 'calendar_day', 'billing_cycle', 'calendar_quarter'])(
    'into a window of another type, %s, carries what was used',
    async (window) => {
      const { namespace, use, change, state } = await world({ basic: small(50), pro: small(500, { window }) })
      await use(30)
      await change('pro')
      expect(await state()).toMatchObject({ limit: 500, used: 30, window: { type: window } })
      await use(5)
      expect(await state()).toMatchObject({ used: 35 })
      await change('basic')
      expect(await state()).toMatchObject({ limit: 50, used: 35, window: { type: 'calendar_month' } })
      expect(await audit(namespace)).toEqual({})
    },
  )

  it.each([
    ['a window of another type', small(10), small(10, { window: 'billing_cycle' })],
    ['a rolling window', small(10), small(10, { window: 'rolling_30d' })],
    [
      'fewer entitlements',
      { entitlements: [1, 2].map((priority) => ({ ...RUNS, quantity: 5, priority })) },
      small(10, { priority: 3 }),
    ],
  ])('into %s goes on holding what is held: it comes back, or is committed there', async (_, before, after) => {
    const { account, namespace, change, state, use } = await world({ before, after })
    const hold = (quantity: number) =>
      reserve(account, { resource: 'benchmark_runs', quantity, ttl_seconds: 86_400 }, namespace)
    const [committed, released] = [await hold(7), await hold(3)]
    await setClock(namespace, '2031-03-20T06:00:00Z')
    await change('after')
    expect(await state()).toMatchObject({ limit: 10, used: 0, held: 10, remaining: 0 })
    expect(await use(1)).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    expect(await state({ at: '2031-03-20T05:59:59Z' })).toMatchObject({ used: 0, held: 10, remaining: 0 })
    await endHold('release', released, {}, namespace)
    expect(await state()).toMatchObject({ held: 7, remaining: 3 })
    const { state: left } = await endHold('commit', committed, { quantity: 6 }, namespace)
    expect(left).toEqual({ limit: 10, used: 6, held: 0, remaining: 4 })
    expect(await use(4)).toMatchObject({ allowed: true, used: 10 })
    expect(await use(1)).toMatchObject({ allowed: false })
    expect(await audit(namespace)).toEqual({})
  })

  it('what was carried is gone with the window, of a rolling one with the month', async () => {
    const { namespace, use, change, state } = await world({
      basic: small(50),
      pro: {
        entitlements: [{ ...RUNS, quantity: 500, window: 'calendar_week' }],
      },
      rolling: small(500, { window: 'rolling_30d' }),
    })
    await use(30)
    await change('pro')
    await change('rolling')
    expect(await state()).toMatchObject({ used: 30 })
    await setClock(namespace, '2031-04-01T00:00:00Z')
    expect(await state()).toMatchObject({ used: 0 })
  })

  it('loses no usage when several entitlements become fewer, or more', async () => {
    const tiers = {
      entitlements: [
        { ...RUNS, quantity: 100, priority: 1 },
        { ...RUNS, quantity: 100, priority: 2 },
        { ...RUNS, quantity: 100, priority: 3, window: 'none' },
      ],
    }
    const { namespace, use, change, state } = await world({ tiers, one: small(1000) })
    await use(250)
    await change('one')
    expect(await state()).toMatchObject({ limit: 1000, used: 250, remaining: 750 })
    await change('tiers')
    expect(await state()).toMatchObject({ limit: 300, used: 250 })
    expect(await audit(namespace)).toEqual({})

    const other = await world({ tiers, other: small(2000, { window: 'billing_cycle' }) })
    await other.use(250)
    await other.change('other')
    expect(await other.state()).toMatchObject({ limit: 2000, used: 250 })
  })

  it('scopes go on each by itself', async () => {
    const scoped = (us: number, eu: number) => ({
      entitlements: [
        { ...RUNS, quantity: us, scope: 'us' },
        { ...RUNS, quantity: eu, scope: 'eu' },
      ],
    })
    const { use, change, state } = await world({ a: scoped(10, 20), b: scoped(100, 200) })
    await use(3, { scope: 'us' })
    await use(4, { scope: 'eu' })
    await change('b')
    expect(await state({ scope: 'us' })).toMatchObject({ limit: 100, used: 3 })
    expect(await state({ scope: 'eu' })).toMatchObject({ limit: 200, used: 4 })
  })

  it('seats are taken under the new plan, too', async () => {
    const seats = (quantity: number) => ({ entitlements: [{ ...SEATS, quantity }] })
    const { namespace, account, change } = await world({ two: seats(2), one: seats(1) })
    await acquire(account, 'ada', {}, namespace)
    await acquire(account, 'bob', {}, namespace)
    await change('one')
    expect(await check(account, { resource: 'concurrent_users', purpose: 'lease' }, namespace)).toMatchObject({
      allowed: false,
      limit: 1,
      used: 2,
    })
  })

  it('what the new plan does not grant ends, what only it grants begins', async () => {
    const { change, state } = await world({
      a: small(5),
      b: { entitlements: [{ ...RUNS, resource: 'gpu_hours', quantity: 7 }] },
    })
    await change('b')
    expect(await state()).toMatchObject({ reason: 'expired', limit: 0 })
    expect(await state({ resource: 'gpu_hours' })).toMatchObject({ limit: 7 })
  })

  it('of the quantity alone multiplies anew and keeps version and plan, even of an archived one', async () => {
    const { change, put, use, state } = await world({ basic: small(50) })
    await use(30)
    await put('basic', { status: 'archived', ...small(60) })
    const answer = await change('basic', { quantity: 3 })
    expect(answer).toMatchObject({ subscription: { plan_id: 'basic', plan_version: 1, quantity: 3 } })
    expect(await state()).toMatchObject({ limit: 150, used: 30 })
    expect(await change('basic')).toMatchObject({ subscription: { quantity: 3 } })
  })

  it('to more than a quantity can be is refused and changes nothing', async () => {
    const { change, get, state } = await world(
      { basic: small(20), pro: small(2e14), exact: small(0.123456) },
      { quantity: 10 },
    )
    const before = await get()
    for (const refused of [
      () => change('basic', { quantity: 1e14 }),
      () => change('pro'),
      () => change('pro', { when: 'period_end' }),
      // Of 16 digits, which no answer could show.
      () => change('exact', { quantity: 1e10 + 1 }),
    ]) {
      expect(await errorOf(refused())).toMatchObject({ status: 400, code: 'invalid_parameter', param: 'quantity' })
    }
    expect(await get()).toEqual(before)
    expect(await state()).toMatchObject({ limit: 200 })
    expect(await change('pro', { quantity: 4.999999 })).toMatchObject({
      entitlements: [{ quantity: 999_999_800_000_000 }],
    })
  })

  it('before the start counts from the start', async () => {
    const { change, state } = await world({ basic: small(50), pro: small(500) }, { start_at: '2031-05-01T00:00:00Z' })
    const answer = await change('pro')
    expect(answer).toMatchObject({ subscription: { ...NO_CHANGE, plan_id: 'pro', status: 'scheduled' } })
    expect(granted(answer)).toEqual([[500, '2031-05-01T00:00:00Z', null, 'scheduled']])
    expect(await state()).toMatchObject({ reason: 'not_started' })
    expect(await state({ at: '2031-05-01T00:00:00Z' })).toMatchObject({ limit: 500 })
  })

  it('late use counts in the plan that was in force when it occurred', async () => {
    const { namespace, account, use, change, state } = await world({ basic: small(50), pro: small(500) })
    await advanceClock(namespace, 86_400)
    await change('pro')
    await meter(account, { quantity: 20, occurred_at: '2031-03-20T12:00:00Z' }, namespace)
    expect(await state()).toMatchObject({ used: 20 })
    await use(1)
    const drawn = await sql(
      `select e.plan_id, sum(a.included_quantity)::int as q from consumption_allocations a join entitlements e using (entitlement_id)
       join accounts c on c.account_id = a.account_id where c.external_id = $1 group by 1 order by 1`,
      [account],
    )
    expect(drawn).toEqual([
      { plan_id: 'basic', q: 20 },
      { plan_id: 'pro', q: 1 },
    ])
    expect(await audit(namespace)).toEqual({})
  })

  it.each([
    [{ plan_id: 'none' }, 404, 'not_found', 'plan_id'],
    [{ plan_id: 'draft' }, 409, 'plan_not_active', 'plan_id'],
    [{ plan_id: 'archived' }, 409, 'plan_not_active', 'plan_id'],
    [{ plan_id: 'a', subscription_id: '00000000-0000-4000-8000-000000000000' }, 404, 'not_found', 'subscription_id'],
    [{ plan_id: 'a', account_id: 'another' }, 404, 'not_found', 'subscription_id'],
  ])('%j: %i %s', async (request, status, code, param) => {
    const { change, get } = await world({
      a: small(5),
      draft: { status: 'draft', ...small(6) },
      archived: { status: 'archived', ...small(7) },
    })
    const before = await get()
    expect(await errorOf(change('a', request))).toMatchObject({ status, code, param })
    expect(await get()).toEqual(before)
  })
})

describe('a change at the end of the period', () => {
  it('is dates: it shows as pending, and counts from then on without any job', async () => {
    const { namespace, change, get, use, state } = await world({ pro: small(500), basic: small(50) })
    await use(60)
    const answer = await change('basic', { when: 'period_end', quantity: 2 })
    expect(answer).toMatchObject({
      subscription: {
        plan_id: 'pro',
        quantity: 1,
        status: 'active',
        end_at: null,
        canceled_at: null,
        pending_change: { plan_id: 'basic', plan_version: 1, quantity: 2, at: PERIOD_END },
      },
    })
    expect(granted(answer)).toEqual([
      [500, START, PERIOD_END, 'active'],
      [100, PERIOD_END, null, 'scheduled'],
    ])
    expect(await state()).toMatchObject({ limit: 500, used: 60 })
    await setClock(namespace, '2031-04-09T23:59:59Z')
    expect(await state()).toMatchObject({ limit: 500, used: 0 })
    await use(70)
    await setClock(namespace, PERIOD_END)
    expect(await state()).toMatchObject({ limit: 100, used: 70 })
    const changed = await get()
    expect(changed).toMatchObject({ subscription: { ...NO_CHANGE, plan_id: 'basic', quantity: 2, status: 'active' } })
    expect(granted(changed)).toEqual([[100, PERIOD_END, null, 'active']])
    const list = await api(
      'api_subscription_list',
      { account_id: at(changed, 'subscription.account_id') ?? '' },
      token(namespace),
    )
    expect(listAt(list, 'data')).toEqual([changed['subscription']])
    expect(await audit(namespace)).toEqual({})
  })

  it.each([
    ['2031-01-31T10:00:00Z', '2031-02-15T00:00:00Z', '2031-02-28T10:00:00Z'],
    ['2031-01-31T10:00:00Z', '2031-03-01T00:00:00Z', '2031-03-31T10:00:00Z'],
    ['2031-01-31T10:00:00Z', '2031-03-31T10:00:00Z', '2031-04-30T10:00:00Z'],
  ])('anchored on %s and asked on %s it is %s', async (start_at, now, end) => {
    const namespace = await mintNamespace()
    const as = token(namespace)
    const account_id = mintAccount()
    await setClock(namespace, '2031-01-01T00:00:00Z')
    await api('api_plan_put', { plan_id: 'p', name: 'P', ...small(5) }, as)
    const created = await api('api_subscription_create', { ...keyed(), account_id, plan_id: 'p', start_at }, as)
    await setClock(namespace, now)
    const subscription_id = textAt(created, 'subscription.subscription_id')
    const answer = await api('api_subscription_cancel', { account_id, subscription_id, when: 'period_end' }, as)
    expect(at(answer, 'subscription.end_at')).toBe(end)
  })

  it('a second change takes the place of the first, at the period end or now', async () => {
    const { change, get, state, use, namespace } = await world({
      pro: small(500),
      basic: small(50),
      team: { entitlements: [{ ...RUNS, quantity: 900, priority: 1 }] },
    })
    await change('basic', { when: 'period_end' })
    const second = await change('team', { when: 'period_end' })
    expect(second).toMatchObject({ subscription: { pending_change: { plan_id: 'team', at: PERIOD_END } } })
    expect(granted(second)).toEqual([
      [500, START, PERIOD_END, 'active'],
      [900, PERIOD_END, null, 'scheduled'],
    ])
    await use(20)
    const now = await change('basic')
    expect(now).toMatchObject({ subscription: { ...NO_CHANGE, plan_id: 'basic' } })
    expect(await state()).toMatchObject({ limit: 50, used: 20 })
    expect(granted(now)).toEqual([[50, expect.any(String), null, 'active']])
    await setClock(namespace, '2031-05-01T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 50 })
    expect(await get()).toMatchObject({ subscription: { plan_id: 'basic' } })
  })

  it('a change to the plan it has takes a pending one back, and all is as it was', async () => {
    const { change, get, state } = await world({
      pro: {
        entitlements: [
          { ...RUNS, quantity: 500, duration_days: 40 },
          { ...SEATS, quantity: 3 },
        ],
      },
      basic: small(50),
    })
    const ends = async () => listAt(await get(), 'entitlements').map((row) => at(row, 'effective_end'))
    const before = await ends()
    await change('basic', { when: 'period_end' })
    expect(await change('pro')).toMatchObject({ subscription: { ...NO_CHANGE, plan_id: 'pro', end_at: null } })
    // Durations count from when the plan began, not from when it was confirmed.
    expect((await ends()).toSorted()).toEqual(before.toSorted())
    expect(await state({ at: '2031-04-18T23:59:59Z' })).toMatchObject({ limit: 500 })
  })

  it('what it replaces cannot be made to go on beside it', async () => {
    const { as, change, get } = await world({ pro: small(500), basic: small(50) })
    const entitlement_id = textAt(listAt(await get(), 'entitlements')[0] ?? null, 'entitlement_id')
    const patch = (effective_end: string | null) => api('api_entitlement_patch', { entitlement_id, effective_end }, as)
    await change('basic', { when: 'period_end' })
    for (const end of [null, '2031-04-10T00:00:01Z']) {
      expect(await errorOf(patch(end))).toMatchObject({
        status: 409,
        code: 'entitlement_replaced',
        param: 'effective_end',
      })
    }
    expect(await patch(PERIOD_END)).toMatchObject({ effective_end: PERIOD_END })
    await change('pro')
    expect(await errorOf(patch('2031-03-21T00:00:00Z'))).toMatchObject({ code: 'entitlement_replaced' })
  })

  it('after a pending change has come about, the next one starts from it', async () => {
    const { namespace, change, use, state } = await world({ pro: small(500), basic: small(50), team: small(900) })
    await change('basic', { when: 'period_end' })
    await setClock(namespace, '2031-04-20T00:00:00Z')
    await use(20)
    expect(await change('team')).toMatchObject({ subscription: { ...NO_CHANGE, plan_id: 'team' } })
    expect(await state()).toMatchObject({ limit: 900, used: 20 })
    const next = await change('pro', { when: 'period_end' })
    expect(at(next, 'subscription.pending_change.at')).toBe('2031-05-10T00:00:00Z')
  })
})

describe('a trial', () => {
  const trial = { is_trial: true, trial_days: 14, ...small(10) }

  it('that converts before it ends goes on without end, its usage counted', async () => {
    const { change, use, state, namespace } = await world({ trial, pro: small(500) })
    await use(6)
    expect(await change('pro')).toMatchObject({ subscription: { plan_id: 'pro', end_at: null, status: 'active' } })
    await setClock(namespace, '2031-03-25T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 500, used: 6 })
  })

  it('converts at its end when it is told so before', async () => {
    const { change, use, get, state, namespace } = await world({ trial, pro: small(500) })
    await use(6)
    const answer = await change('pro', { when: 'period_end' })
    expect(answer).toMatchObject({
      subscription: { plan_id: 'trial', end_at: null, pending_change: { plan_id: 'pro', at: '2031-03-24T00:00:00Z' } },
    })
    await setClock(namespace, '2031-03-23T23:59:00Z')
    expect(await state()).toMatchObject({ limit: 10 })
    await setClock(namespace, '2031-03-24T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 500, used: 6 })
    expect(await get()).toMatchObject({ subscription: { plan_id: 'pro', status: 'active', end_at: null } })
  })

  it('ends by itself, and then it is over', async () => {
    const { change, cancel, get, use, namespace } = await world({ trial, pro: small(500) })
    await setClock(namespace, '2031-03-24T00:00:00Z')
    expect(await use(1)).toMatchObject({ allowed: false, reason: 'expired' })
    expect(await get()).toMatchObject({ subscription: { status: 'expired', end_at: '2031-03-24T00:00:00Z' } })
    expect(await errorOf(change('pro'))).toMatchObject({
      status: 409,
      code: 'subscription_ended',
      param: 'subscription_id',
    })
    expect(await cancel()).toMatchObject({ subscription: { status: 'expired', canceled_at: null } })
  })

  it('is made no longer by a new version, a quantity or a cancel taken back', async () => {
    const { put, change, migrate, cancel } = await world({ trial })
    const end = { subscription: { end_at: '2031-03-24T00:00:00Z' } }
    await put('trial', { ...trial, ...small(20) })
    expect(await migrate()).toMatchObject({ subscription: { plan_version: 2, ...end.subscription } })
    expect(await change('trial', { quantity: 2 })).toMatchObject(end)
    expect(await cancel({ when: 'period_end' })).toMatchObject(end)
    const back = await change('trial')
    expect(back).toMatchObject({ subscription: { ...NO_CHANGE, ...end.subscription } })
    expect(granted(back)).toEqual([[40, expect.any(String), '2031-03-24T00:00:00Z', 'active']])
  })

  it('that is changed to begins when the change does', async () => {
    const { change } = await world({ basic: small(5), trial })
    expect(await change('trial', { when: 'period_end' })).toMatchObject({
      subscription: { end_at: '2031-04-24T00:00:00Z' },
    })
  })
})

describe('a cancel', () => {
  it('now ends it now; again changes nothing', async () => {
    const { cancel, change, migrate, use, get } = await world({ basic: small(50) })
    await use(5)
    const answer = await cancel()
    const end_at = at(answer, 'subscription.end_at')
    expect(answer).toMatchObject({ subscription: { status: 'canceled', canceled_at: end_at, pending_change: null } })
    expect(granted(answer)).toEqual([[50, START, end_at, 'expired']])
    expect(await use(1)).toMatchObject({ allowed: false, reason: 'expired' })
    expect(await cancel()).toEqual(answer)
    expect(await cancel({ when: 'period_end' })).toEqual(answer)
    expect(await get()).toMatchObject({ subscription: { status: 'canceled' } })
    for (const call of [() => change('basic'), () => migrate()]) {
      expect(await errorOf(call())).toMatchObject({ status: 409, code: 'subscription_ended' })
    }
  })

  it('at the end of the period is dates; now may still be sooner', async () => {
    const { cancel, state, namespace, get } = await world({ basic: small(50) })
    const answer = await cancel({ when: 'period_end' })
    expect(answer).toMatchObject({
      subscription: { status: 'active', end_at: PERIOD_END, canceled_at: expect.any(String) },
    })
    expect(granted(answer)).toEqual([[50, START, PERIOD_END, 'active']])
    await setClock(namespace, '2031-04-01T00:00:00Z')
    expect(await cancel({ when: 'period_end' })).toEqual(answer)
    expect(await state()).toMatchObject({ limit: 50 })
    await setClock(namespace, PERIOD_END)
    expect(await state()).toMatchObject({ reason: 'expired', limit: 0 })
    expect(await get()).toMatchObject({ subscription: { status: 'canceled', end_at: PERIOD_END } })

    const sooner = await world({ basic: small(50) })
    await sooner.cancel({ when: 'period_end' })
    expect(await sooner.cancel()).toMatchObject({ subscription: { status: 'canceled' } })
    expect(await sooner.state()).toMatchObject({ limit: 0 })
  })

  it('takes the place of a pending change, and a change that of a pending cancel', async () => {
    const { cancel, change, state, namespace } = await world({ basic: small(50), pro: small(500) })
    await change('pro', { when: 'period_end' })
    const canceled = await cancel({ when: 'period_end' })
    expect(canceled).toMatchObject({ subscription: { plan_id: 'basic', pending_change: null, end_at: PERIOD_END } })
    expect(granted(canceled)).toEqual([[50, START, PERIOD_END, 'active']])
    const back = await change('basic')
    expect(back).toMatchObject({ subscription: { ...NO_CHANGE, end_at: null } })
    await setClock(namespace, '2031-06-01T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 50 })
  })

  it('before the start ends it before it began', async () => {
    const { cancel, state } = await world({ basic: small(50) }, { start_at: '2031-05-01T00:00:00Z' })
    const answer = await cancel()
    expect(answer).toMatchObject({ subscription: { status: 'canceled' }, entitlements: [{ status: 'revoked' }] })
    expect(await state({ at: '2031-05-02T00:00:00Z' })).toMatchObject({ limit: 0, reason: 'revoked' })
  })

  it('leaves the other subscriptions and grants of the account alone', async () => {
    const { namespace, account, cancel, subscribe, state } = await world({ basic: small(50), addon: small(7) })
    await subscribe({ plan_id: 'addon' })
    await grant(account, { quantity: 3 }, namespace)
    expect(await state()).toMatchObject({ limit: 60 })
    await cancel()
    expect(await state()).toMatchObject({ limit: 10 })
  })
})

describe('add-ons, grants and overrides', () => {
  it('several subscriptions add up, each with its own counter, and a change concerns one', async () => {
    const { change, subscribe, use, state } = await world({ basic: small(50), addon: small(7), pro: small(500) })
    await subscribe({ plan_id: 'addon', quantity: 2 })
    await use(60)
    expect(await state()).toMatchObject({ limit: 64, used: 60, remaining: 4 })
    await change('pro')
    expect(await state()).toMatchObject({ limit: 514, used: 60, remaining: 454 })
  })

  it('a grant counts at once, before or after the plan by its priority; a rule of the account overrides', async () => {
    const { namespace, account, use, state } = await world({ basic: small(50) })
    await use(50)
    expect(await use(1)).toMatchObject({ allowed: false })
    await grant(account, { quantity: 5, priority: 1 }, namespace)
    expect(await use(5)).toMatchObject({ allowed: true, limit: 55, remaining: 0 })
    await ruleFor(null, { action: 'block' }, namespace)
    await ruleFor(account, { action: 'overage' }, namespace)
    expect(await use(1)).toMatchObject({ allowed: true, reason: 'over_limit_overage' })
    expect(await state()).toMatchObject({ used: 56 })
  })
})

describe('to the newest version', () => {
  it('of its plan, one subscription, with its usage', async () => {
    const { put, migrate, use, state } = await world({ basic: small(50) })
    await use(30)
    await put('basic', { status: 'archived', ...small(80) })
    expect(await state()).toMatchObject({ limit: 50 })
    const answer = await migrate()
    expect(answer).toMatchObject({ duplicate: false, subscription: { plan_id: 'basic', plan_version: 2 } })
    expect(await state()).toMatchObject({ limit: 80, used: 30 })
    expect(await migrate()).toEqual(answer)
  })

  it('at the end of the period', async () => {
    const { put, migrate, state, namespace } = await world({ basic: small(50) })
    await put('basic', small(80))
    expect(await migrate({ when: 'period_end' })).toMatchObject({
      subscription: { plan_version: 1, pending_change: { plan_id: 'basic', plan_version: 2, at: PERIOD_END } },
    })
    await setClock(namespace, PERIOD_END)
    expect(await state()).toMatchObject({ limit: 80 })
  })

  it('not while the plan is a draft, nor while something is pending', async () => {
    const { put, migrate, change, cancel } = await world({ basic: small(50), pro: small(500) })
    await put('basic', { status: 'draft', ...small(80) })
    expect(await errorOf(migrate())).toMatchObject({ status: 409, code: 'plan_not_active' })
    await put('basic', small(80))
    await change('pro', { when: 'period_end' })
    expect(await errorOf(migrate())).toMatchObject({ status: 409, code: 'change_pending', param: 'subscription_id' })
    await cancel({ when: 'period_end' })
    expect(await errorOf(migrate())).toMatchObject({ status: 409, code: 'change_pending' })
  })
})

describe('all subscribers of a plan', () => {
  async function subscribers(count: number) {
    const namespace = await mintNamespace()
    const as = token(namespace)
    await setClock(namespace, START)
    const put = (plan: Answer) => api('api_plan_put', { plan_id: 'p', name: 'P', ...plan }, as)
    await put(small(50))
    await api('api_plan_put', { plan_id: 'other', name: 'Other', ...small(1) }, as)
    const accounts = Array.from({ length: count }, () => mintAccount())
    const ids: string[] = []
    for (const account_id of accounts) {
      const created = await api('api_subscription_create', { ...keyed(), account_id, plan_id: 'p' }, as)
      ids.push(textAt(created, 'subscription.subscription_id'))
      await consume(account_id, { quantity: 5 }, namespace)
    }
    const migrate = (request: Answer = {}) => api('api_plan_migrate', { plan_id: 'p', ...request }, as)
    const limits = () =>
      Promise.all(accounts.map(async (account) => at(await check(account, { quantity: 0 }, namespace), 'limit')))
    return { namespace, as, put, accounts, ids, migrate, limits }
  }

  it('in bounded batches, with a dry run that changes nothing', async () => {
    const { namespace, put, accounts, ids, migrate, limits } = await subscribers(5)
    expect(await migrate()).toMatchObject({ migrated: 0, data: [], has_more: false, next_cursor: null })
    await put(small(80))
    const dry = await migrate({ dry_run: true })
    expect(dry).toEqual({
      plan_id: 'p',
      version: 2,
      dry_run: true,
      migrated: 5,
      skipped: 0,
      data: ids.map((subscription_id, n) => ({
        subscription_id,
        account_id: accounts[n],
        from_version: 1,
        to_version: 2,
        result: 'migrated',
        reason: null,
        effective_at: expect.any(String),
      })),
      has_more: false,
      next_cursor: null,
    })
    expect(await limits()).toEqual([50, 50, 50, 50, 50])
    const first = await migrate({ limit: 2 })
    expect(first).toMatchObject({ dry_run: false, migrated: 2, has_more: true })
    expect(await limits()).toEqual([80, 80, 50, 50, 50])
    const second = await migrate({ limit: 2, cursor: first['next_cursor'] ?? null })
    expect(listAt(second, 'data').map((row) => at(row, 'subscription_id'))).toEqual(ids.slice(2, 4))
    expect(await migrate({ limit: 2, cursor: second['next_cursor'] ?? null })).toMatchObject({
      migrated: 1,
      has_more: false,
      next_cursor: null,
    })
    expect(await limits()).toEqual([80, 80, 80, 80, 80])
    expect(await migrate()).toMatchObject({ migrated: 0, data: [] })
    expect(await check(accounts[0] ?? '', {}, namespace)).toMatchObject({ used: 5 })
    expect(await audit(namespace)).toEqual({})
  })

  it('not those who are about to change or to end, nor who have', async () => {
    const { as, put, accounts, ids, migrate, limits } = await subscribers(4)
    const on = (n: number) => ({ account_id: accounts[n] ?? '', subscription_id: ids[n] ?? '' })
    await api('api_subscription_change', { ...on(0), plan_id: 'other', when: 'period_end' }, as)
    await api('api_subscription_cancel', { ...on(1), when: 'period_end' }, as)
    await api('api_subscription_cancel', on(2), as)
    await put(small(80))
    const answer = await migrate()
    expect(answer).toMatchObject({ migrated: 1, skipped: 2 })
    expect(
      listAt(answer, 'data').map((row) => [at(row, 'subscription_id'), at(row, 'result'), at(row, 'reason')]),
    ).toEqual([
      [ids[0], 'skipped', 'change_pending'],
      [ids[1], 'skipped', 'cancel_pending'],
      [ids[3], 'migrated', null],
    ])
    expect(await limits()).toEqual([50, 50, 0, 80])
  })

  it('not those whose quantity would be too large, and the others all the same', async () => {
    const { as, put, accounts, ids, migrate, limits } = await subscribers(3)
    const many = { account_id: accounts[1] ?? '', subscription_id: ids[1] ?? '', plan_id: 'p', quantity: 1e13 }
    await api('api_subscription_change', many, as)
    await put(small(100))
    const skipped = { result: 'skipped', reason: 'quantity_too_large', effective_at: null }
    for (const dry_run of [true, false]) {
      expect(await migrate({ dry_run })).toMatchObject({
        migrated: 2,
        skipped: 1,
        data: [{ result: 'migrated' }, { subscription_id: ids[1], ...skipped }, { result: 'migrated' }],
      })
    }
    expect(await limits()).toEqual([100, 5e14, 100])
    const one = { account_id: accounts[1] ?? '', subscription_id: ids[1] ?? '' }
    expect(await errorOf(api('api_subscription_migrate', one, as))).toMatchObject({ status: 400, param: 'quantity' })
  })

  it('those too who came to it by a change that was pending', async () => {
    const { namespace, as, put, accounts, migrate } = await subscribers(0)
    const account_id = mintAccount()
    const created = await api('api_subscription_create', { ...keyed(), account_id, plan_id: 'other' }, as)
    const subscription_id = textAt(created, 'subscription.subscription_id')
    await api('api_subscription_change', { account_id, subscription_id, plan_id: 'p', when: 'period_end' }, as)
    await put(small(80))
    expect(await migrate()).toMatchObject({ data: [] })
    await setClock(namespace, '2031-04-10T00:01:00Z')
    expect(await migrate()).toMatchObject({ migrated: 1 })
    expect(await check(account_id, {}, namespace)).toMatchObject({ limit: 80 })
    expect(accounts).toEqual([])
  })

  it('at the end of each one’s period', async () => {
    const { namespace, put, migrate, limits } = await subscribers(2)
    await put(small(80))
    expect(await migrate({ when: 'period_end' })).toMatchObject({ migrated: 2 })
    expect(await limits()).toEqual([50, 50])
    await setClock(namespace, '2031-04-10T01:00:00Z')
    expect(await limits()).toEqual([80, 80])
  })

  it('twice at once moves each once', async () => {
    const { namespace, put, migrate, limits } = await subscribers(6)
    await put(small(80))
    const answers = await Promise.all([migrate(), migrate(), migrate()])
    expect(answers.map((answer) => Number(answer['migrated'])).reduce((a, b) => a + b)).toBe(6)
    expect(await limits()).toEqual([80, 80, 80, 80, 80, 80])
    expect(
      await sql(
        `select account_id from entitlements e join accounts a using (account_id) where a.namespace_id = $1 and effective_end is null
         group by 1 having count(*) > 1`,
        [namespace],
      ),
    ).toEqual([])
  })

  it('among batches of uses of the same accounts, in whatever order: no deadlock, nothing lost', async () => {
    const { namespace, as, put, accounts, migrate, limits } = await subscribers(12)
    await put(small(80))
    const uses = (order: string[]) =>
      api(
        'api_meter_batch',
        {
          entries: order.map((account_id, index) => ({
            ...keyed(),
            index,
            account_id,
            resource: 'benchmark_runs',
            quantity: 1,
          })),
        },
        as,
      )
    await Promise.all([
      migrate({ limit: 7 }),
      ...Array.from({ length: 6 }, (_, n) => uses(n % 2 ? accounts : accounts.toReversed())),
      migrate(),
    ])
    await migrate()
    expect(await limits()).toEqual(accounts.map(() => 80))
    expect(await check(accounts[3] ?? '', { quantity: 0 }, namespace)).toMatchObject({ used: 11 })
    expect(await audit(namespace)).toEqual({})
  })

  it('of none: 404; of a draft: 409', async () => {
    const { as, put, migrate } = await subscribers(0)
    expect(await errorOf(api('api_plan_migrate', { plan_id: 'q' }, as))).toMatchObject({
      status: 404,
      param: 'plan_id',
    })
    await put({ status: 'draft' })
    expect(await errorOf(migrate())).toMatchObject({ status: 409, code: 'plan_not_active' })
    await put({})
    expect(await errorOf(migrate({ cursor: 'x' }))).toMatchObject({ status: 400, param: 'cursor' })
  })
})

describe('rollover across a change', () => {
  const rolling = (quantity: number, fields: Answer = { rollover_percent: 100 }) => small(quantity, fields)

  it('what was rolled into the running window stays in it; the next is by the new terms', async () => {
    const { namespace, change, use, state } = await world({
      a: rolling(100),
      b: rolling(300, { rollover_max_quantity: 10 }),
    })
    await use(40)
    await setClock(namespace, '2031-04-02T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 160 })
    await use(150)
    await change('b')
    expect(await state()).toMatchObject({ limit: 360, used: 150 })
    await setClock(namespace, '2031-05-02T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 310, used: 0 })
  })

  it('a plan without any keeps what there is, and adds nothing', async () => {
    const { namespace, change, use, state } = await world({ a: rolling(100), b: small(300) })
    await use(40)
    await setClock(namespace, '2031-04-02T00:00:00Z')
    const answer = await change('b')
    expect(answer).toMatchObject({ entitlements: [{ rollover_percent: 0, rollover_max_quantity: null }] })
    expect(await state()).toMatchObject({ limit: 360 })
    await setClock(namespace, '2031-05-02T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 300 })
  })

  it('the window before counts though the plan that had it is gone', async () => {
    const cycle = { window: 'billing_cycle', rollover_percent: 50 }
    const { namespace, change, use, state } = await world({ a: rolling(100, cycle), b: rolling(40, cycle) })
    await use(20)
    await change('b', { when: 'period_end' })
    await setClock(namespace, PERIOD_END)
    expect(await state()).toMatchObject({ limit: 80, used: 0 })
  })

  it('a change that was taken back leaves no trace in it', async () => {
    const { namespace, change, state } = await world({ a: rolling(100), b: rolling(300) })
    await change('b', { when: 'period_end' })
    await change('a')
    await setClock(namespace, '2031-05-02T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 200 })
  })

  it('the maximum is multiplied, too', async () => {
    const { namespace, state } = await world({ a: rolling(100, { rollover_max_quantity: 20 }) }, { quantity: 2 })
    await setClock(namespace, '2031-04-02T00:00:00Z')
    expect(await state()).toMatchObject({ limit: 240 })
  })

  it('a plan with other rollover is a new version', async () => {
    const { put } = await world({ a: rolling(100) })
    expect(await put('a', rolling(100))).toMatchObject({ version: 1 })
    expect(await put('a', rolling(100, { rollover_percent: 90 }))).toMatchObject({ version: 2 })
    expect(await put('a', rolling(100, { rollover_max_quantity: 90 }))).toMatchObject({
      version: 3,
      entitlements: [{ rollover_max_quantity: 90, rollover_percent: null }],
    })
    expect(await errorOf(put('a', rolling(100, { rollover_percent: 50, window: 'none' })))).toMatchObject({
      status: 400,
      param: 'entitlements.0.rollover_percent',
    })
  })
})

describe('keys', () => {
  it('a change, a cancel and a migration are made once per key', async () => {
    const { change, cancel, migrate, put, get } = await world({ basic: small(50), pro: small(500) })
    const first = await change('pro', { idempotency_key: 'c', when: 'now' })
    expect(await change('pro', { idempotency_key: 'c' })).toEqual({ ...first, duplicate: true })
    for (const call of [
      () => change('basic', { idempotency_key: 'c' }),
      () => change('pro', { idempotency_key: 'c', quantity: 2 }),
      () => change('pro', { idempotency_key: 'c', when: 'period_end' }),
      () => cancel({ idempotency_key: 'c' }),
      () => migrate({ idempotency_key: 'c' }),
    ]) {
      expect(await errorOf(call())).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    }
    await put('pro', small(600))
    await migrate({ idempotency_key: 'm' })
    expect(await migrate({ idempotency_key: 'm' })).toMatchObject({
      duplicate: true,
      subscription: { plan_version: 2 },
    })
    await cancel({ idempotency_key: 'x' })
    // A retry after the end is still the same request.
    expect(await change('pro', { idempotency_key: 'c' })).toMatchObject({ duplicate: true })
    expect(await cancel({ idempotency_key: 'x' })).toMatchObject({ duplicate: true })
    expect(await get()).toMatchObject({ subscription: { status: 'canceled' } })
  })

  it('a retry has the first answer, whatever came after it', async () => {
    const { namespace, change, cancel, migrate, put, subscribe, account } = await world({
      basic: small(50),
      pro: small(500),
    })
    const start = { plan_id: 'basic', idempotency_key: 's' }
    const subscribed = await subscribe(start)
    const subscription_id = textAt(subscribed, 'subscription.subscription_id')
    const commands = [
      () => change('pro', { subscription_id, idempotency_key: 'k1' }),
      () => change('basic', { subscription_id, idempotency_key: 'k2', quantity: 2 }),
      () => change('pro', { subscription_id, idempotency_key: 'k3', when: 'period_end' }),
      () => cancel({ subscription_id, idempotency_key: 'k4', when: 'period_end' }),
      () => change('basic', { subscription_id, idempotency_key: 'k5' }),
      () => migrate({ subscription_id, idempotency_key: 'k6' }),
      () => cancel({ subscription_id, idempotency_key: 'k7' }),
      () => cancel({ subscription_id, idempotency_key: 'k8' }),
    ]
    await put('basic', small(60))
    const first: Answer[] = []
    for (const command of commands) first.push(await command())
    await advanceClock(namespace, 86_400)
    expect(await subscribe(start)).toEqual({ ...subscribed, duplicate: true })
    for (const [n, command] of commands.entries()) expect(await command()).toEqual({ ...first[n], duplicate: true })
    expect(account).toBe(at(subscribed, 'entitlements.0.account_id'))
    expect(await audit(namespace)).toEqual({})
  })

  it('a retry of what a version of before has kept, the id alone, has the subscription as it is', async () => {
    const { namespace, account, change, subscribe } = await world({ basic: small(50), pro: small(500) })
    const start = { plan_id: 'basic', idempotency_key: 's' }
    const subscribed = await subscribe(start)
    const subscription_id = textAt(subscribed, 'subscription.subscription_id')
    await change('pro', { subscription_id, idempotency_key: 'k1' })
    const changed = await change('basic', { subscription_id, idempotency_key: 'k2' })
    await sql(
      `update idempotency_keys set result = jsonb_build_object('subscription_id', $2::text)
       where account_id = $1 and idempotency_key in ('s', 'k1', 'k2')`,
      [await accountId(account, namespace), subscription_id],
    )
    for (const retry of [
      () => subscribe(start),
      () => change('pro', { subscription_id, idempotency_key: 'k1' }),
      () => change('basic', { subscription_id, idempotency_key: 'k2' }),
    ]) {
      expect(await retry()).toEqual({ ...changed, duplicate: true })
    }
  })

  it('one key at once for two subscriptions is one change and one conflict', async () => {
    const { change, subscribe, get, subscription_id } = await world({
      basic: small(50),
      other: { entitlements: [{ ...RUNS, resource: 'gpu_hours', quantity: 5 }] },
    })
    const second = textAt(await subscribe({ plan_id: 'other' }), 'subscription.subscription_id')
    for (let n = 2; n < 8; n++) {
      const same = { idempotency_key: `k${n}`, quantity: n }
      const results = await Promise.allSettled([
        change('basic', same),
        change('other', { ...same, subscription_id: second }),
      ])
      expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'ME409' } })
      const shown = [await get(), await get({ subscription_id: second })]
      expect(shown.filter((answer) => at(answer, 'subscription.quantity') === n)).toHaveLength(1)
    }
    expect(subscription_id).not.toBe(second)
  })

  it('a refused change uses up no key', async () => {
    const { change, put } = await world({ basic: small(50), pro: { status: 'draft', ...small(500) } })
    expect(await errorOf(change('pro', { idempotency_key: 'c' }))).toMatchObject({ code: 'plan_not_active' })
    await put('pro', { status: 'active' })
    expect(await change('pro', { idempotency_key: 'c' })).toMatchObject({ duplicate: false })
  })
})

describe('at once', () => {
  it('changes, cancels and uses leave one plan, and no use is lost', async () => {
    const { namespace, account, change, use, get } = await world({ a: small(1000), b: small(2000), c: small(3000) })
    await Promise.all([
      ...Array.from({ length: 12 }, () => use(1)),
      ...['b', 'c', 'a', 'b'].map((plan) => change(plan)),
      change('c', { when: 'period_end' }),
    ])
    const { subscription } = await get()
    const inForce = await sql<{ plan_id: string }>(
      `select plan_id from entitlements e join accounts a using (account_id), lateral fn_now(a.namespace_id) now
       where a.external_id = $1 and e.effective_start <= now and (e.effective_end is null or e.effective_end > now) and e.revoked_at is null`,
      [account],
    )
    expect(inForce).toEqual([{ plan_id: at(subscription ?? null, 'plan_id') }])
    expect(await check(account, { quantity: 0 }, namespace)).toMatchObject({ used: 12 })
    expect(await audit(namespace)).toEqual({})
  })
})

it('each change moves the versions of what it concerns', async () => {
  const { account, change, cancel } = await world({
    a: small(5),
    b: { entitlements: [{ ...RUNS, resource: 'gpu_hours', quantity: 7 }] },
  })
  const versions = async () =>
    Object.fromEntries(
      (
        await sql<{ r: string; v: string }>(
          `select resource_type_code as r, key_version as v from resource_state s join accounts a using (account_id) where external_id = $1`,
          [account],
        )
      ).map(({ r, v }) => [r, Number(v)]),
    )
  const first = await versions()
  await change('b')
  const second = await versions()
  expect(second['benchmark_runs']).toBeGreaterThan(first['benchmark_runs'] ?? 0)
  expect(second['gpu_hours']).toBeGreaterThan(first['gpu_hours'] ?? 0)
  await cancel({ when: 'period_end' })
  expect((await versions())['gpu_hours']).toBeGreaterThan(second['gpu_hours'] ?? 0)
})
