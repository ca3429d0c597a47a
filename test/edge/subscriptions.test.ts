import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Namespace } from '../support/edge.ts'
import { bodyOf, check, errorOf, INSTANT, invalid, key, setClock, UUID } from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'

const NOW = '2027-01-31T12:00:00Z'
const PLAN = {
  name: 'Pro',
  status: 'active',
  entitlements: [
    { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 500, window: 'billing_cycle' },
    { resource: 'platform_access', limit_kind: 'time_access', duration_days: 30 },
  ],
}

async function offered(plan: JsonObject = PLAN) {
  const namespace = await mintNamespace()
  await setClock(namespace, NOW)
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', plan))
  return { namespace, account: mintAccount() }
}

const subscribe = (namespace: Namespace, account: string, fields: JsonObject = {}) =>
  namespace.call('POST', `/v1/accounts/${encodeURIComponent(account)}/subscriptions`, {
    ...key(),
    plan_id: 'pro',
    ...fields,
  })

describe('a new subscription', () => {
  test('is a 201 with what it grants', async () => {
    const { namespace, account } = await offered()
    const answer = await bodyOf(
      201,
      subscribe(namespace, account, { quantity: 2.5, start_at: '2027-01-31T08:00:00+01:00' }),
    )
    const subscription_id = textAt(answer, 'subscription.subscription_id')
    const granted = {
      entitlement_id: UUID,
      account_id: account,
      scope: null,
      priority: 100,
      rollover_max_quantity: null,
      rollover_percent: null,
      effective_start: '2027-01-31T07:00:00Z',
      status: 'active',
      source: { type: 'plan', plan_id: 'pro', plan_version: 1, subscription_id },
      metadata: {},
      created_at: INSTANT,
    }
    expect(answer).toEqual({
      subscription: {
        subscription_id: UUID,
        account_id: account,
        plan_id: 'pro',
        plan_version: 1,
        quantity: 2.5,
        status: 'active',
        start_at: '2027-01-31T07:00:00Z',
        end_at: null,
        canceled_at: null,
        pending_change: null,
        billing_anchor: '2027-01-31T07:00:00Z',
        created_at: INSTANT,
      },
      entitlements: expect.arrayContaining([
        {
          ...granted,
          resource: 'benchmark_runs',
          limit_kind: 'cumulative',
          quantity: 1250,
          unit: 'count',
          window: 'billing_cycle',
          effective_end: null,
        },
        {
          ...granted,
          resource: 'platform_access',
          limit_kind: 'time_access',
          quantity: null,
          unit: expect.anything(),
          window: null,
          effective_end: '2027-03-02T07:00:00Z',
        },
      ]),
      duplicate: false,
    })
    expect(listAt(answer, 'entitlements')).toHaveLength(2)
    expect(await check(namespace, account)).toMatchObject({
      limit: 1250,
      window: { type: 'billing_cycle', start: '2027-01-31T07:00:00Z', end: '2027-02-28T07:00:00Z' },
    })
  })

  test('starts now, once, unless told otherwise', async () => {
    const { namespace, account } = await offered()
    const answer = await bodyOf(201, subscribe(namespace, account))
    expect(answer).toMatchObject({ subscription: { quantity: 1, start_at: expect.stringMatching(/^2027-01-31T12:0/) } })
  })

  test('may begin later', async () => {
    const { namespace, account } = await offered()
    const answer = await bodyOf(201, subscribe(namespace, account, { start_at: '2027-03-01T00:00:00Z' }))
    expect(answer).toMatchObject({
      subscription: { status: 'scheduled' },
      entitlements: [{ status: 'scheduled' }, { status: 'scheduled' }],
    })
    expect(await check(namespace, account)).toMatchObject({ allowed: false, reason: 'not_started' })
  })

  test('of a trial ends by itself', async () => {
    const { namespace, account } = await offered({ ...PLAN, is_trial: true, trial_days: 14 })
    const answer = await bodyOf(201, subscribe(namespace, account, { start_at: '2027-01-31T00:00:00Z' }))
    expect(at(answer, 'subscription.end_at')).toBe('2027-02-14T00:00:00Z')
  })

  test('again with its key is a 200 with the first result, changed a conflict', async () => {
    const { namespace, account } = await offered()
    const fields = { ...key(), quantity: 2 }
    const first = await bodyOf(201, subscribe(namespace, account, fields))
    const again = await bodyOf(200, subscribe(namespace, account, fields))
    expect(again).toEqual({ ...first, duplicate: true })
    expect(await errorOf(subscribe(namespace, account, { ...fields, quantity: 3 }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
    })
    const listed = await bodyOf(200, namespace.call('GET', `/v1/accounts/${account}/subscriptions`))
    expect(listAt(listed, 'data')).toEqual([first['subscription']])
  })

  test('again after a cancel is the first result still', async () => {
    const { namespace, account } = await offered()
    const fields = key()
    const first = await bodyOf(201, subscribe(namespace, account, fields))
    const path = `/v1/accounts/${account}/subscriptions/${textAt(first, 'subscription.subscription_id')}`
    await bodyOf(200, namespace.call('POST', `${path}/cancel`, {}))
    expect(await bodyOf(200, subscribe(namespace, account, fields))).toEqual({ ...first, duplicate: true })
  })

  test('of more than a quantity can be is refused', async () => {
    const { namespace, account } = await offered()
    for (const quantity of [999_999_999_999_999, 1e14]) {
      expect(await errorOf(subscribe(namespace, account, { quantity }))).toEqual(invalid('quantity'))
    }
    const listed = await bodyOf(200, namespace.call('GET', `/v1/accounts/${account}/subscriptions`))
    expect(listAt(listed, 'data')).toEqual([])
  })

  test.each(['draft', 'archived'])('to a plan that is %s is a conflict', async (status) => {
    const { namespace, account } = await offered({ ...PLAN, status })
    expect(await errorOf(subscribe(namespace, account))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'plan_not_active',
      param: 'plan_id',
    })
  })

  test('to no plan is a 404', async () => {
    const { namespace, account } = await offered()
    expect(await errorOf(subscribe(namespace, account, { plan_id: 'none' }))).toEqual({
      status: 404,
      type: 'not_found',
      code: 'not_found',
      param: 'plan_id',
    })
  })

  test.each([
    ['no key', { idempotency_key: undefined }, 'idempotency_key'],
    ['no plan', { plan_id: undefined }, 'plan_id'],
    ['no quantity', { quantity: 0 }, 'quantity'],
    ['a negative quantity', { quantity: -2 }, 'quantity'],
    ['a bad time', { start_at: 'now' }, 'start_at'],
    ['its account', { account_id: 'a' }, 'account_id'],
    ['an unknown field', { price: 1 }, 'price'],
  ])('is refused with %s', async (_, fields, param) => {
    const { namespace, account } = await offered()
    const body = { ...key(), plan_id: 'pro', ...fields }
    expect(await errorOf(namespace.call('POST', `/v1/accounts/${account}/subscriptions`, body))).toEqual(invalid(param))
  })
})

test('one subscription, with what it grants', async () => {
  const { namespace, account } = await offered()
  const { duplicate: _, ...created } = await bodyOf(201, subscribe(namespace, account))
  const path = `/v1/accounts/${account}/subscriptions`
  const id = textAt(created, 'subscription.subscription_id')
  expect(await bodyOf(200, namespace.call('GET', `${path}/${id}`))).toEqual(created)
  const missing = { status: 404, type: 'not_found', code: 'not_found', param: 'subscription_id' }
  expect(await errorOf(namespace.call('GET', `${path}/00000000-0000-4000-8000-000000000000`))).toEqual(missing)
  expect(await errorOf(namespace.call('GET', `/v1/accounts/another/subscriptions/${id}`))).toEqual(missing)
  expect(await errorOf(namespace.call('GET', `${path}/first`))).toEqual(invalid('subscription_id'))
})

test('a subscription keeps its version when the plan gets a new one', async () => {
  const { namespace, account } = await offered()
  await bodyOf(201, subscribe(namespace, account))
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro', entitlements: [] }))
  expect(await check(namespace, account)).toMatchObject({ limit: 500 })
  const subscriptions = await bodyOf(200, namespace.call('GET', `/v1/accounts/${account}/subscriptions`))
  expect(subscriptions).toMatchObject({ data: [{ plan_version: 1 }] })
})
