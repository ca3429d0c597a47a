import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Namespace } from '../support/edge.ts'
import {
  advance,
  bodyOf,
  check,
  consume,
  errorOf,
  grant,
  INSTANT,
  invalid,
  key,
  rule,
  setClock,
} from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'

const NOW = '2027-01-20T12:00:00Z'
const START = '2027-01-10T00:00:00Z'
const PERIOD_END = '2027-02-10T00:00:00Z'
const NOWHERE = '00000000-0000-4000-8000-000000000000'

const plan = (quantity: number, fields: JsonObject = {}) => ({
  name: 'Plan',
  entitlements: [
    { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity, window: 'calendar_month', ...fields },
  ],
})

/** An account that is on the plan `basic` since START, and another plan, `pro`. */
async function subscribed(plans: Record<string, JsonObject> = { basic: plan(50), pro: plan(500) }) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, NOW)
  for (const [id, body] of Object.entries(plans)) await bodyOf(200, namespace.call('PUT', `/v1/plans/${id}`, body))
  const path = `/v1/accounts/${account}/subscriptions`
  const [plan_id] = Object.keys(plans)
  const created = await bodyOf(201, namespace.call('POST', path, { ...key(), plan_id, start_at: START }))
  const one = `${path}/${textAt(created, 'subscription.subscription_id')}`
  return {
    namespace,
    account,
    created,
    path: one,
    change: (body: JsonObject) => namespace.call('POST', `${one}/change`, body),
    cancel: (body: JsonObject = {}) => namespace.call('POST', `${one}/cancel`, body),
    migrate: (body: JsonObject = {}) => namespace.call('POST', `${one}/migrate`, body),
    get: () => bodyOf(200, namespace.call('GET', one)),
  }
}

describe('a change', () => {
  test('now is a 200 with the same subscription and what it grants, its usage counted on', async () => {
    const { namespace, account, created, change, get } = await subscribed()
    await bodyOf(201, consume(namespace, account, { quantity: 30 }))
    const answer = await bodyOf(200, change({ plan_id: 'pro', when: 'now' }))
    expect(answer).toEqual({
      subscription: {
        ...(created['subscription'] as JsonObject),
        plan_id: 'pro',
        plan_version: 1,
        end_at: null,
        canceled_at: null,
        pending_change: null,
      },
      entitlements: [
        expect.objectContaining({
          quantity: 500,
          status: 'active',
          effective_start: INSTANT,
          source: {
            type: 'plan',
            plan_id: 'pro',
            plan_version: 1,
            subscription_id: at(created, 'subscription.subscription_id'),
          },
        }),
      ],
      duplicate: false,
    })
    const { duplicate: _, ...shown } = answer
    expect(await get()).toEqual(shown)
    expect(await check(namespace, account)).toMatchObject({ limit: 500, used: 30, remaining: 470 })
  })

  test('below what is used denies, or bills, by the rule', async () => {
    const { namespace, account, change } = await subscribed({ pro: plan(500), basic: plan(50) })
    await bodyOf(201, consume(namespace, account, { quantity: 60 }))
    await bodyOf(200, change({ plan_id: 'basic' }))
    expect(await check(namespace, account)).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
      limit: 50,
      used: 60,
      remaining: 0,
    })
    await rule(namespace, account, { action: 'overage' })
    expect(await bodyOf(201, consume(namespace, account, { quantity: 2 }))).toMatchObject({
      entry: { included_quantity: 0, overage_quantity: 2 },
    })
  })

  test('at the end of the period shows as pending, and comes about by itself', async () => {
    const { namespace, account, change, get } = await subscribed()
    expect(await bodyOf(200, change({ plan_id: 'pro', when: 'period_end', quantity: 2 }))).toMatchObject({
      subscription: {
        plan_id: 'basic',
        quantity: 1,
        pending_change: { plan_id: 'pro', plan_version: 1, quantity: 2, at: PERIOD_END },
      },
      entitlements: [
        { quantity: 50, status: 'active', effective_end: PERIOD_END },
        { quantity: 1000, status: 'scheduled', effective_start: PERIOD_END },
      ],
    })
    expect(await check(namespace, account)).toMatchObject({ limit: 50 })
    await setClock(namespace, PERIOD_END)
    expect(await check(namespace, account)).toMatchObject({ limit: 1000 })
    expect(await get()).toMatchObject({ subscription: { plan_id: 'pro', quantity: 2, pending_change: null } })
  })

  test('again with its key is the first result, changed a conflict; the header may bring it', async () => {
    const { change, path, namespace } = await subscribed()
    const request = { ...key(), plan_id: 'pro' }
    const first = await bodyOf(200, change(request))
    expect(first['duplicate']).toBe(false)
    expect(await bodyOf(200, change(request))).toEqual({ ...first, duplicate: true })
    const headers = { 'Idempotency-Key': request.idempotency_key }
    const byHeader = namespace.call('POST', `${path}/change`, { plan_id: 'pro' }, { headers })
    expect(await bodyOf(200, byHeader)).toMatchObject({ duplicate: true })
    expect(await errorOf(change({ ...request, quantity: 2 }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
    })
  })

  test('a retry has the first result, whatever came after it', async () => {
    const { change } = await subscribed()
    const [up, down] = [
      { ...key(), plan_id: 'pro' },
      { ...key(), plan_id: 'basic', quantity: 2 },
    ]
    const first = await bodyOf(200, change(up))
    const second = await bodyOf(200, change(down))
    expect(await bodyOf(200, change(up))).toEqual({ ...first, duplicate: true })
    expect(await bodyOf(200, change(down))).toEqual({ ...second, duplicate: true })
  })

  test('to more than a quantity can be is refused and changes nothing', async () => {
    const { change, get } = await subscribed()
    const before = await get()
    expect(await errorOf(change({ plan_id: 'pro', quantity: 2e12 }))).toEqual(invalid('quantity'))
    expect(await get()).toEqual(before)
  })

  test.each([
    ['no plan', { plan_id: undefined }, 'plan_id'],
    ['another time', { when: 'tomorrow' }, 'when'],
    ['no time', { when: null }, 'when'],
    ['no quantity', { quantity: 0 }, 'quantity'],
    ['an unknown field', { price: 1 }, 'price'],
  ])('is refused with %s', async (_, fields, param) => {
    const { change } = await subscribed()
    expect(await errorOf(change({ plan_id: 'pro', ...fields }))).toEqual(invalid(param))
  })

  test('to no plan is a 404, to one that is not active a 409', async () => {
    const { change } = await subscribed({ basic: plan(50), draft: { ...plan(1), status: 'draft' } })
    expect(await errorOf(change({ plan_id: 'none' }))).toMatchObject({
      status: 404,
      code: 'not_found',
      param: 'plan_id',
    })
    expect(await errorOf(change({ plan_id: 'draft' }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'plan_not_active',
      param: 'plan_id',
    })
  })
})

describe('a cancel', () => {
  test('now ends it; again changes nothing; then there is nothing to change', async () => {
    const { namespace, account, cancel, change, migrate } = await subscribed()
    const answer = await bodyOf(200, cancel({ when: 'now' }))
    expect(answer).toMatchObject({
      subscription: { status: 'canceled', end_at: INSTANT, canceled_at: INSTANT },
      entitlements: [{ status: 'expired' }],
    })
    expect(await check(namespace, account)).toMatchObject({ allowed: false, reason: 'expired' })
    expect(await bodyOf(200, cancel())).toEqual(answer)
    const ended = { status: 409, type: 'conflict', code: 'subscription_ended', param: 'subscription_id' }
    expect(await errorOf(change({ plan_id: 'pro' }))).toEqual(ended)
    expect(await errorOf(migrate())).toEqual(ended)
  })

  test('at the end of the period ends it then, and may be taken back before', async () => {
    const { namespace, account, cancel, change, get } = await subscribed()
    expect(await bodyOf(200, cancel({ when: 'period_end' }))).toMatchObject({
      subscription: { status: 'active', end_at: PERIOD_END, canceled_at: INSTANT },
      entitlements: [{ status: 'active', effective_end: PERIOD_END }],
    })
    expect(await bodyOf(200, change({ plan_id: 'basic' }))).toMatchObject({
      subscription: { end_at: null, canceled_at: null },
    })
    await bodyOf(200, cancel({ when: 'period_end' }))
    await setClock(namespace, PERIOD_END)
    expect(await check(namespace, account)).toMatchObject({ allowed: false, reason: 'expired' })
    expect(await get()).toMatchObject({ subscription: { status: 'canceled' } })
  })
})

describe('a migration', () => {
  test('moves one to the newest version of its plan', async () => {
    const { namespace, account, migrate } = await subscribed()
    await bodyOf(201, consume(namespace, account, { quantity: 30 }))
    await bodyOf(200, namespace.call('PUT', '/v1/plans/basic', plan(80)))
    expect(await check(namespace, account)).toMatchObject({ limit: 50 })
    expect(await bodyOf(200, migrate())).toMatchObject({ subscription: { plan_id: 'basic', plan_version: 2 } })
    expect(await check(namespace, account)).toMatchObject({ limit: 80, used: 30 })
  })

  test('of all subscribers goes in batches, tried out first', async () => {
    const { namespace, account, created } = await subscribed()
    const second = mintAccount()
    await bodyOf(201, namespace.call('POST', `/v1/accounts/${second}/subscriptions`, { ...key(), plan_id: 'basic' }))
    await bodyOf(200, namespace.call('PUT', '/v1/plans/basic', plan(80)))
    const run = (body: JsonObject) => bodyOf(200, namespace.call('POST', '/v1/plans/basic/migrate', body))
    const row = {
      subscription_id: at(created, 'subscription.subscription_id'),
      account_id: account,
      from_version: 1,
      to_version: 2,
      result: 'migrated',
      reason: null,
      effective_at: INSTANT,
    }
    const batch = { plan_id: 'basic', version: 2, migrated: 1, skipped: 0 }
    expect(await run({ dry_run: true, limit: 1 })).toEqual({
      ...batch,
      dry_run: true,
      data: [row],
      has_more: true,
      next_cursor: expect.any(String),
    })
    expect(await check(namespace, account)).toMatchObject({ limit: 50 })
    const first = await run({ limit: 1 })
    expect(first).toMatchObject({ ...batch, dry_run: false, data: [row], has_more: true })
    expect(await run({ limit: 1, cursor: first['next_cursor'] ?? null })).toMatchObject({
      ...batch,
      data: [{ account_id: second }],
      has_more: false,
      next_cursor: null,
    })
    for (const each of [account, second]) expect(await check(namespace, each)).toMatchObject({ limit: 80 })
    expect(await run({})).toMatchObject({ migrated: 0, data: [] })
  })

  test('of all passes by whose quantity would be too large', async () => {
    const { namespace, change } = await subscribed()
    await bodyOf(200, change({ plan_id: 'basic', quantity: 1e13 }))
    await bodyOf(200, namespace.call('PUT', '/v1/plans/basic', plan(100)))
    for (const dry_run of [true, false]) {
      expect(await bodyOf(200, namespace.call('POST', '/v1/plans/basic/migrate', { dry_run }))).toMatchObject({
        migrated: 0,
        skipped: 1,
        data: [{ result: 'skipped', reason: 'quantity_too_large', effective_at: null }],
      })
    }
  })

  test('refuses what it cannot do', async () => {
    const { namespace, change, migrate } = await subscribed()
    const all = (id: string, body: JsonObject = {}) => namespace.call('POST', `/v1/plans/${id}/migrate`, body)
    expect(await errorOf(all('none'))).toMatchObject({ status: 404, param: 'plan_id' })
    expect(await errorOf(all('basic', { limit: 101 }))).toEqual(invalid('limit'))
    expect(await errorOf(all('basic', { cursor: 'x' }))).toEqual(invalid('cursor'))
    await bodyOf(200, change({ plan_id: 'pro', when: 'period_end' }))
    expect(await errorOf(migrate())).toEqual({
      status: 409,
      type: 'conflict',
      code: 'change_pending',
      param: 'subscription_id',
    })
  })
})

describe('who may', () => {
  const operations = ['change', 'cancel', 'migrate'] as const
  const bodies: Record<(typeof operations)[number], JsonObject> = {
    change: { plan_id: 'pro' },
    cancel: {},
    migrate: {},
  }

  test.each(operations)('%s: of another account, or of none, is a 404', async (operation) => {
    const { namespace, path } = await subscribed()
    const missing = { status: 404, type: 'not_found', code: 'not_found', param: 'subscription_id' }
    const elsewhere = path.replace(/accounts\/[^/]+/, 'accounts/another')
    expect(await errorOf(namespace.call('POST', `${elsewhere}/${operation}`, bodies[operation]))).toEqual(missing)
    const nowhere = path.replace(/[^/]+$/, NOWHERE)
    expect(await errorOf(namespace.call('POST', `${nowhere}/${operation}`, bodies[operation]))).toEqual(missing)
  })
})

test('several subscriptions and grants of an account add up', async () => {
  const { namespace, account, cancel } = await subscribed()
  await bodyOf(
    201,
    namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'pro', quantity: 2 }),
  )
  await grant(namespace, account, { quantity: 7, window: 'calendar_month' })
  expect(await check(namespace, account)).toMatchObject({ limit: 1057 })
  await bodyOf(200, cancel())
  expect(await check(namespace, account)).toMatchObject({ limit: 1007 })
})

describe('rollover', () => {
  const rolling = plan(100, { rollover_max_quantity: 50, rollover_percent: 75 })
  const state = async (namespace: Namespace, account: string) => {
    const held = await bodyOf(200, namespace.call('GET', `/v1/accounts/${account}/entitlements`))
    return at(listAt(held, 'data')[0] ?? null, 'state')
  }

  test('what a window leaves is added to the next, shown, used last and not rolled over again', async () => {
    const { namespace, account } = await subscribed({ rolling })
    await bodyOf(201, consume(namespace, account, { quantity: 60 }))
    await setClock(namespace, '2027-02-01T00:00:00Z')
    expect(await state(namespace, account)).toMatchObject({ limit: 130, remaining: 130, rollover_quantity: 30 })
    await bodyOf(201, consume(namespace, account, { quantity: 20 }))
    await setClock(namespace, '2027-03-01T00:00:00Z')
    expect(await state(namespace, account)).toMatchObject({ limit: 150, rollover_quantity: 50 })
    await bodyOf(201, consume(namespace, account, { quantity: 150 }))
    expect(await bodyOf(200, consume(namespace, account))).toMatchObject({ allowed: false, limit: 150, used: 150 })
    await setClock(namespace, '2027-04-01T00:00:00Z')
    expect(await check(namespace, account)).toMatchObject({ limit: 100 })
  })

  test('is once, though many ask first', async () => {
    const { namespace, account } = await subscribed({ rolling })
    await bodyOf(201, consume(namespace, account, { quantity: 80 }))
    await setClock(namespace, '2027-02-01T00:00:00Z')
    await advance(namespace, 1)
    const answers = await Promise.all(Array.from({ length: 20 }, () => consume(namespace, account, { quantity: 10 })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(11)
    expect(await check(namespace, account)).toMatchObject({ limit: 115, used: 110 })
  })

  test('of a grant by hand can be changed and taken back', async () => {
    const { namespace, account } = await subscribed()
    const made = await grant(namespace, account, {
      resource: 'gpu_hours',
      window: 'calendar_month',
      quantity: 10,
      rollover_percent: 100,
    })
    const patch = (body: JsonObject) =>
      bodyOf(200, namespace.call('PATCH', `/v1/entitlements/${textAt(made, 'entitlement_id')}`, body))
    expect(await patch({ rollover_max_quantity: 4 })).toMatchObject({ rollover_max_quantity: 4, rollover_percent: 100 })
    await setClock(namespace, '2027-02-01T00:00:00Z')
    expect(await check(namespace, account, { resource: 'gpu_hours' })).toMatchObject({ limit: 14 })
    await patch({ rollover_max_quantity: null, rollover_percent: null })
    expect(await check(namespace, account, { resource: 'gpu_hours' })).toMatchObject({ limit: 10 })
  })
})
