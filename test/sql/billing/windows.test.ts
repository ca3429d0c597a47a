import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  assign,
  at,
  consume,
  grant,
  keyed,
  listAt,
  meter,
  reverse,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'
import { closeWindows, exported, items, type Place, placeAt, sums } from './place.ts'

const NOVEMBER = { type: 'calendar_month', start: '2031-11-01T00:00:00Z', end: '2031-12-01T00:00:00Z' }

describe('an item', () => {
  it('has every field, of an entitlement and a window', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    const granted = await grant(place.account, { quantity: 50, window: 'calendar_month', scope: 'us' }, place.namespace)
    await ruleFor(place.account, { action: 'overage', overage_multiplier: 10, overage_cap: 7 }, place.namespace)
    await meter(place.account, { quantity: 60, scope: 'us/h100' }, place.namespace)
    const item = {
      entitlement_id: textAt(granted, 'entitlement_id'),
      account_id: place.account,
      resource: 'benchmark_runs',
      scope: 'us',
      window: NOVEMBER,
      status: 'open',
      included_quantity: 50,
      overage_quantity: 7,
      excess_quantity: 3,
      overage_multiplier: 10,
      billable_quantity: 7,
      billable_amount: 70,
      closed_at: null,
    }
    expect(await items(place)).toEqual([item])
    await setClock(place.namespace, '2031-12-01T01:00:00Z')
    expect(await items(place)).toEqual([{ ...item, status: 'closed', closed_at: '2031-12-01T01:00:00Z' }])
  })

  it('shows the multiplier that was recorded, also where nothing is billed', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await grant(place.account, { quantity: 50 }, place.namespace)
    await consume(place.account, { quantity: 1 }, place.namespace)
    expect(await items(place)).toMatchObject([{ overage_multiplier: 1, billable_quantity: 0, billable_amount: 0 }])
    await ruleFor(place.account, { action: 'overage', overage_multiplier: 2.5 }, place.namespace)
    await consume(place.account, { quantity: 1 }, place.namespace)
    expect(await items(place)).toMatchObject([{ overage_multiplier: 2.5, billable_quantity: 0 }])
  })

  it('bills each part by the rule of its moment; the multiplier is what makes the amount', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await grant(place.account, { quantity: 0, window: 'calendar_month' }, place.namespace)
    for (const [overage_multiplier, quantity] of [
      [10, 3],
      [20, 1],
    ] as const) {
      await ruleFor(place.account, { action: 'overage', overage_multiplier }, place.namespace)
      await consume(place.account, { quantity }, place.namespace)
    }
    await ruleFor(place.account, { action: 'warn' }, place.namespace)
    await consume(place.account, { quantity: 5 }, place.namespace)
    expect(await items(place)).toMatchObject([
      { overage_quantity: 9, billable_quantity: 4, billable_amount: 50, overage_multiplier: 12.5 },
    ])
  })

  it.each([
    ['warn', {}],
    ['grace', { grace_percent: 100 }],
  ])('what is over under the action %s is not billed', async (action, fields) => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await grant(place.account, { quantity: 5 }, place.namespace)
    await ruleFor(place.account, { action, ...fields }, place.namespace)
    await consume(place.account, { quantity: 7 }, place.namespace)
    expect(await items(place)).toMatchObject([{ overage_quantity: 2, billable_quantity: 0, billable_amount: 0 }])
  })

  it('stands for what drew on no cumulative entitlement: by the month of its recording, never billed', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await meter(place.account, { quantity: 4, occurred_at: '2031-08-01T00:00:00Z' }, place.namespace)
    const unentitled = {
      entitlement_id: null,
      scope: null,
      window: NOVEMBER,
      status: 'open',
      included_quantity: 0,
      excess_quantity: 4,
      overage_multiplier: 1,
      billable_quantity: 0,
    }
    expect(await items(place)).toMatchObject([unentitled])
    await setClock(place.namespace, '2031-12-05T00:00:00Z')
    expect(await closeWindows(place)).toBe(1)
    // Its November is closed: it stays as it was.
    await meter(place.account, { quantity: 1, occurred_at: '2031-11-20T12:00:00Z' }, place.namespace)
    expect(await items(place)).toMatchObject([
      { excess_quantity: 1, window: { start: '2031-12-01T00:00:00Z' } },
      { ...unentitled, status: 'closed', closed_at: '2031-12-01T01:00:00Z' },
    ])
    expect(await audit(place.namespace)).toEqual({})
  })

  it.each([
    ['inventory', 'named_users'],
    ['time_access', 'platform_access'],
  ])('%s adds up, too', async (limit_kind, resource) => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await grant(place.account, { limit_kind, resource, quantity: 5 }, place.namespace)
    await meter(place.account, { resource, quantity: 3 }, place.namespace)
    expect(await items(place)).toMatchObject([{ entitlement_id: null, resource, included_quantity: 3 }])
    expect(await audit(place.namespace)).toEqual({})
  })

  it('seats over the limit are counted, not billed; the ledger has each', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    const seats = { limit_kind: 'inventory', resource: 'named_users' }
    await grant(place.account, { ...seats, quantity: 1 }, place.namespace)
    await ruleFor(place.account, { ...seats, action: 'overage', overage_multiplier: 10 }, place.namespace)
    for (const user of ['ada', 'bob', 'cleo']) await assign(place.account, user, {}, place.namespace)
    expect(await items(place)).toMatchObject([
      { entitlement_id: null, included_quantity: 1, overage_quantity: 2, billable_quantity: 0, billable_amount: 0 },
    ])
    const ledger = await api('api_ledger_list', { account_id: place.account }, token(place.namespace))
    expect(listAt(ledger, 'data').map((entry) => at(entry, 'overage_quantity'))).toEqual([1, 1, 0])
  })
})

describe('windows', () => {
  it('rolling_30d is billed by the calendar month of occurred_at', async () => {
    const place = await placeAt('2031-12-02T12:00:00Z')
    await ruleFor(place.account, { action: 'overage' }, place.namespace)
    await grant(
      place.account,
      { quantity: null, window: 'rolling_30d', effective_start: '2031-10-01T00:00:00Z' },
      place.namespace,
    )
    await meter(place.account, { quantity: 2 }, place.namespace)
    await sql("update namespaces set late_arrival_grace = '7 days' where namespace_id = $1", [place.namespace])
    await meter(place.account, { quantity: 3, occurred_at: '2031-11-30T23:59:59Z' }, place.namespace)
    expect(await items(place)).toMatchObject([
      {
        window: { type: 'rolling_30d', start: '2031-12-01T00:00:00Z', end: '2032-01-01T00:00:00Z' },
        billable_quantity: 2,
      },
      {
        window: { type: 'rolling_30d', start: '2031-11-01T00:00:00Z', end: '2031-12-01T00:00:00Z' },
        billable_quantity: 3,
      },
    ])
  })

  it('none closes when its entitlement ends, by date or revocation', async () => {
    const place = await placeAt('2031-11-01T00:00:00Z')
    const revoked = await grant(place.account, {}, place.namespace)
    await consume(place.account, { quantity: 2 }, place.namespace)
    const window = { type: 'none', start: '2031-11-01T00:00:00Z', end: null }
    const open = await items(place)
    expect(open).toMatchObject([{ status: 'open', window: { type: 'none', end: null } }])
    await api(
      'api_entitlement_patch',
      { entitlement_id: textAt(revoked, 'entitlement_id'), effective_end: '2031-12-01T00:00:00Z' },
      token(place.namespace),
    )
    expect(await items(place)).toMatchObject([
      { status: 'open', window: { ...window, start: expect.any(String), end: '2031-12-01T00:00:00Z' } },
    ])
    await setClock(place.namespace, '2031-11-10T00:00:00Z')
    await api('api_entitlement_revoke', { entitlement_id: textAt(revoked, 'entitlement_id') }, token(place.namespace))
    const [item] = await items(place)
    const end = textAt(item ?? null, 'window.end')
    expect(end).toMatch(/^2031-11-10T00:00:0/)
    await setClock(place.namespace, '2031-11-10T02:00:00Z')
    expect(await items(place)).toMatchObject([
      { status: 'closed', closed_at: end.replace('T00', 'T01'), included_quantity: 2 },
    ])
  })

  it('is closed by time: the job changes nothing that is answered', async () => {
    const place = await placeAt('2031-11-20T12:00:00Z')
    await grant(place.account, { quantity: null, window: 'calendar_month' }, place.namespace)
    await ruleFor(place.account, { action: 'overage', overage_multiplier: 0.05 }, place.namespace)
    await consume(place.account, { quantity: 7 }, place.namespace)
    await meter(place.account, { resource: 'gpu_hours', quantity: 1 }, place.namespace)
    await setClock(place.namespace, '2031-12-01T00:59:58Z')
    expect((await items(place)).map(({ status }) => status)).toEqual(['open', 'open'])
    await setClock(place.namespace, '2031-12-09T00:00:00Z')
    const before = [JSON.stringify(await items(place)), JSON.stringify(await exported(place))]
    expect((await items(place)).map(({ closed_at }) => closed_at)).toEqual(Array(2).fill('2031-12-01T01:00:00Z'))
    expect(await closeWindows(place)).toBe(2)
    expect([JSON.stringify(await items(place)), JSON.stringify(await exported(place))]).toEqual(before)
    // Nor does another grace, once it is frozen.
    await sql("update namespaces set late_arrival_grace = '90 days' where namespace_id = $1", [place.namespace])
    expect(JSON.stringify(await items(place))).toBe(before[0])
  })

  it.each([
    ['release', '2031-12-01T02:00:00Z'],
    ['commit', '2031-12-01T02:00:00Z'],
    ['nothing', '2031-12-01T06:00:00Z'],
  ])('stays open while a hold draws on it: until %s', async (how, closes) => {
    const place = await placeAt('2031-11-30T23:59:00Z')
    await grant(place.account, { quantity: 10, window: 'calendar_month' }, place.namespace)
    const ttl_seconds = (Date.parse('2031-12-01T06:00:00Z') - Date.parse('2031-11-30T23:59:00Z')) / 1000
    const held = await api(
      'api_reservation_create',
      { ...keyed(), account_id: place.account, resource: 'benchmark_runs', quantity: 4, ttl_seconds },
      token(place.namespace),
    )
    await setClock(place.namespace, '2031-12-01T02:00:00Z')
    expect(await items(place)).toMatchObject([{ status: 'open', included_quantity: 0 }])
    if (how !== 'nothing')
      await api(
        `api_reservation_${how}`,
        { reservation_id: textAt(held, 'reservation.reservation_id') },
        token(place.namespace),
      )
    await setClock(place.namespace, '2031-12-01T07:00:00Z')
    const [item] = await items(place)
    expect(item).toMatchObject({ status: 'closed', included_quantity: how === 'commit' ? 4 : 0 })
    expect(textAt(item ?? null, 'closed_at').slice(0, 18)).toBe(closes.slice(0, 18))
    await closeWindows(place)
    expect(await items(place)).toEqual([item])
  })
})

/** A plan of so many runs by calendar month, and its overage rule. */
async function plan(place: Place, plan_id: string, quantity: number | null, overage_multiplier: number): Promise<void> {
  const entitlements = [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity, window: 'calendar_month' }]
  await api('api_plan_put', { plan_id, name: plan_id, entitlements }, token(place.namespace))
  await ruleFor(null, { plan_id, action: 'overage', overage_multiplier }, place.namespace)
}

const subscribe = async (place: Place, plan_id: string): Promise<Answer> => {
  const made = await api(
    'api_subscription_create',
    { ...keyed(), account_id: place.account, plan_id },
    token(place.namespace),
  )
  return { account_id: place.account, subscription_id: textAt(made, 'subscription.subscription_id') }
}

describe('a plan change in mid-window', () => {
  it('divides the window: each entitlement is billed for what was drawn through it, by its own rule', async () => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    await plan(place, 'starter', 5, 10)
    await plan(place, 'pro', 9, 2)
    const subscription = await subscribe(place, 'starter')
    const first = await meter(place.account, { quantity: 8 }, place.namespace)
    await setClock(place.namespace, '2031-11-20T12:00:00Z')
    await api('api_subscription_change', { ...subscription, plan_id: 'pro', when: 'now' }, token(place.namespace))
    await meter(place.account, { quantity: 3 }, place.namespace)
    const starter = { included_quantity: 5, overage_quantity: 3, overage_multiplier: 10, billable_amount: 30 }
    const pro = { included_quantity: 1, overage_quantity: 2, overage_multiplier: 2, billable_amount: 4 }
    expect(await items(place)).toMatchObject([pro, starter])
    // Late and reversed: with the entitlement that it was drawn through.
    await meter(place.account, { quantity: 1, occurred_at: '2031-11-15T00:00:00Z' }, place.namespace)
    await reverse(textAt(first, 'entry.entry_id'), { quantity: 2 }, place.namespace)
    expect(await items(place)).toMatchObject([pro, { ...starter, overage_quantity: 2, billable_amount: 20 }])
    await setClock(place.namespace, '2031-12-10T00:00:00Z')
    const before = JSON.stringify(await items(place))
    await closeWindows(place)
    expect(JSON.stringify(await items(place))).toBe(before)
    // The next window is the new plan's alone.
    await meter(place.account, { quantity: 1 }, place.namespace)
    expect(await items(place)).toMatchObject([{ included_quantity: 1, status: 'open' }, pro, { overage_quantity: 2 }])
    expect(await audit(place.namespace)).toEqual({})
  })

  it('back and forth: three parts, and what was all given back stays listed', async () => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    await plan(place, 'starter', 50, 10)
    await plan(place, 'pro', 90, 2)
    const subscription = await subscribe(place, 'starter')
    const uses = []
    for (const plan_id of ['pro', 'starter', 'pro']) {
      uses.push(await consume(place.account, { quantity: 2 }, place.namespace))
      await api('api_subscription_change', { ...subscription, plan_id, when: 'now' }, token(place.namespace))
    }
    await reverse(textAt(uses[0] ?? null, 'entry.entry_id'), {}, place.namespace)
    expect((await items(place)).map((item) => item['included_quantity']).sort()).toEqual([0, 2, 2])
    expect(await sums(place)).toMatchObject({ included_quantity: 4 })
    expect(await audit(place.namespace)).toEqual({})
  })

  it('a change of window type carries usage without billing it twice', async () => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    await plan(place, 'starter', 5, 10)
    const entitlements = [
      { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 9, window: 'billing_cycle' },
    ]
    await api('api_plan_put', { plan_id: 'cycle', name: 'c', entitlements }, token(place.namespace))
    const subscription = await subscribe(place, 'starter')
    await meter(place.account, { quantity: 8 }, place.namespace)
    await api('api_subscription_change', { ...subscription, plan_id: 'cycle', when: 'now' }, token(place.namespace))
    await meter(place.account, { quantity: 3 }, place.namespace)
    expect(await sums(place)).toMatchObject({
      included_quantity: 6,
      overage_quantity: 3,
      excess_quantity: 2,
      billable_amount: 30,
    })
    expect(await audit(place.namespace)).toEqual({})
  })
})

describe('a closed window never changes, byte for byte', () => {
  it.each([
    ['not by the job', false],
    ['nor when the job has run', true],
  ])('%s', async (_, isFrozen) => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    await plan(place, 'starter', 5, 10)
    await plan(place, 'pro', 9, 2)
    const subscription = await subscribe(place, 'starter')
    const first = await meter(place.account, { quantity: 8 }, place.namespace)
    await meter(place.account, { resource: 'gpu_hours', quantity: 2 }, place.namespace)
    await setClock(place.namespace, '2031-12-10T00:00:00Z')
    if (isFrozen) await closeWindows(place)
    const closed = async () => [
      JSON.stringify(await items(place, { status: 'closed' })),
      JSON.stringify(await exported(place)),
    ]
    const before = await closed()

    expect(
      await meter(place.account, { quantity: 4, occurred_at: '2031-11-12T00:00:00Z' }, place.namespace),
    ).toMatchObject({ entry: { late: true, included_quantity: 4 } })
    expect(await reverse(textAt(first, 'entry.entry_id'), { quantity: 6 }, place.namespace)).toMatchObject({
      entry: { late: true },
    })
    await api('api_subscription_change', { ...subscription, plan_id: 'pro', when: 'now' }, token(place.namespace))
    await meter(place.account, { quantity: 1, occurred_at: '2031-11-12T00:00:00Z' }, place.namespace)
    await ruleFor(place.account, { action: 'overage', overage_multiplier: 99 }, place.namespace)
    await api('api_account_patch', { account_id: place.account, timezone: 'Asia/Tokyo' }, token(place.namespace))
    await meter(place.account, { quantity: 1, occurred_at: '2031-11-30T20:00:00Z' }, place.namespace)
    await api('api_subscription_cancel', { ...subscription, when: 'now' }, token(place.namespace))
    await meter(
      place.account,
      { resource: 'gpu_hours', quantity: 1, occurred_at: '2031-11-12T00:00:00Z' },
      place.namespace,
    )

    expect(await closed()).toEqual(before)
    // What came late is in the present: of the credit, 3 of overage at the price of November.
    expect(await sums(place, { status: 'open' })).toMatchObject({ billable_quantity: -3, billable_amount: -30 })
    await setClock(place.namespace, '2032-03-01T00:00:00Z')
    await closeWindows(place)
    expect(
      JSON.stringify((await items(place)).filter((item) => textAt(item, 'closed_at') === '2031-12-01T01:00:00Z')),
    ).toBe(before[0])
    expect(await audit(place.namespace)).toEqual({})
  })

  it('not by hand either', async () => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    await plan(place, 'starter', 5, 10)
    await plan(place, 'pro', 9, 2)
    const subscription = await subscribe(place, 'starter')
    await api('api_subscription_change', { ...subscription, plan_id: 'pro', when: 'now' }, token(place.namespace))
    await meter(place.account, { quantity: 8 }, place.namespace)
    await setClock(place.namespace, '2031-12-10T00:00:00Z')
    await closeWindows(place)
    const account = await accountId(place.account, place.namespace)
    for (const change of [
      'update entitlement_windows set overage_quantity = 0 where account_id = $1',
      'delete from entitlement_windows where account_id = $1',
      'update entitlement_window_parts set overage_quantity = 0 where account_id = $1',
      'delete from entitlement_window_parts where account_id = $1',
    ])
      expect(await errorOf(sql(change, [account])), change).toMatchObject({ status: 409, code: 'window_closed' })
  })
})

describe('the list', () => {
  it('filters by account, resource, status and the end of the window', async () => {
    const namespace = await mintNamespace()
    const [one, other] = [mintAccount(), mintAccount()]
    for (const account of [one, other])
      for (const resource of ['benchmark_runs', 'gpu_hours'])
        await grant(account, { resource, window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    for (const now of ['2031-11-10T12:00:00Z', '2031-12-10T12:00:00Z', '2032-01-10T12:00:00Z']) {
      await setClock(namespace, now)
      for (const account of [one, other])
        for (const resource of ['benchmark_runs', 'gpu_hours']) await consume(account, { resource }, namespace)
    }
    await grant(one, { resource: 'server_configs' }, namespace)
    await consume(one, { resource: 'server_configs' }, namespace)
    const list = async (request: Answer) =>
      listAt(await api('api_billing_windows', request, token(namespace)), 'data') as Answer[]
    expect(await list({})).toHaveLength(13)
    expect(await list({ account_id: one })).toHaveLength(7)
    expect(await list({ account_id: 'nobody' })).toEqual([])
    expect(await list({ account_id: other, resource: 'gpu_hours' })).toMatchObject(
      ['2032-01-01', '2031-12-01', '2031-11-01'].map((day) => ({ window: { start: `${day}T00:00:00Z` } })),
    )
    expect(await list({ status: 'open' })).toHaveLength(5)
    expect(await list({ status: 'closed' })).toHaveLength(8)
    const ends = { from: '2031-12-01T00:00:00Z', to: '2032-01-01T00:00:00Z' }
    expect(await list(ends)).toHaveLength(4)
    expect(await list({ from: ends.to })).toHaveLength(9)
    expect(await list({ to: ends.to })).toHaveLength(4)
    expect(await errorOf(list({ resource: 'no_such' }))).toMatchObject({ status: 400, code: 'unknown_resource' })
  })

  it('is as of its first page: what closes meanwhile is neither missed nor new', async () => {
    const place = await placeAt('2031-11-10T12:00:00Z')
    for (let n = 0; n < 5; n++) {
      await grant(place.account, { quantity: 1, window: 'calendar_month' }, place.namespace)
      await consume(place.account, {}, place.namespace)
    }
    await setClock(place.namespace, '2031-12-01T00:30:00Z')
    const first = await api('api_billing_windows', { status: 'open', limit: 2 }, token(place.namespace))
    await setClock(place.namespace, '2031-12-02T00:00:00Z')
    const cursor = textAt(first, 'next_cursor')
    expect(await items(place, { status: 'open', cursor })).toHaveLength(3)
    expect(await items(place, { status: 'closed', cursor })).toEqual([])
    expect(await items(place, { status: 'open' })).toEqual([])
  })
})
