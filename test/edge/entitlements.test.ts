import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Namespace } from '../support/edge.ts'
import {
  bodyOf,
  check,
  consume,
  errorOf,
  grant,
  INSTANT,
  invalid,
  key,
  meter,
  rule,
  setClock,
  UUID,
} from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

const NOW = '2027-01-15T12:00:00Z'
const NOWHERE = '00000000-0000-4000-8000-000000000000'
const JANUARY = { type: 'calendar_month', start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z' }

async function january() {
  const namespace = await mintNamespace()
  await setClock(namespace, NOW)
  return { namespace, account: mintAccount() }
}

const held = async (namespace: Namespace, account: string) =>
  listAt(await bodyOf(200, namespace.call('GET', `/v1/accounts/${encodeURIComponent(account)}/entitlements`)), 'data')

describe('a grant by hand', () => {
  test('is a 201 with the entitlement', async () => {
    const { namespace, account } = await january()
    const body = {
      account_id: account,
      resource: 'gpu_hours',
      scope: 'us/h100',
      limit_kind: 'cumulative',
      quantity: 90,
      unit: 'minutes',
      window: 'calendar_month',
      priority: -3,
      rollover_max_quantity: 30,
      rollover_percent: 12.5,
      effective_start: '2027-01-01T01:00:00+01:00',
      effective_end: '2027-06-01T00:00:00Z',
      metadata: { promotion: 'winter' },
    }
    expect(await bodyOf(201, namespace.call('POST', '/v1/entitlements', body))).toEqual({
      ...body,
      effective_start: '2027-01-01T00:00:00Z',
      entitlement_id: UUID,
      status: 'active',
      source: { type: 'manual', plan_id: null, plan_version: null, subscription_id: null },
      created_at: INSTANT,
      duplicate: false,
    })
    expect(await check(namespace, account, { resource: 'gpu_hours', scope: 'us/h100' })).toMatchObject({
      limit: 1.5,
      window: JANUARY,
    })
  })

  test('has defaults', async () => {
    const { namespace, account } = await january()
    expect(await grant(namespace, account)).toMatchObject({
      scope: null,
      unit: 'count',
      window: 'none',
      priority: 100,
      rollover_max_quantity: null,
      rollover_percent: null,
      effective_start: expect.stringMatching(/^2027-01-15T12:0/),
      effective_end: null,
      metadata: {},
    })
  })

  test('may leave its quantity out for time_access', async () => {
    const { namespace, account } = await january()
    const fields = { account_id: account, resource: 'platform_access', limit_kind: 'time_access' }
    expect(await bodyOf(201, namespace.call('POST', '/v1/entitlements', fields))).toMatchObject({
      quantity: null,
      window: null,
    })
    expect(await check(namespace, account, { resource: 'platform_access' })).toMatchObject({
      allowed: true,
      window: null,
    })
  })

  test('takes a key: again is a 200 with the first result, changed a conflict', async () => {
    const { namespace, account } = await january()
    const body = { ...key(), account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 5 }
    const first = await bodyOf(201, namespace.call('POST', '/v1/entitlements', body))
    expect(await bodyOf(200, namespace.call('POST', '/v1/entitlements', body))).toEqual({ ...first, duplicate: true })
    expect(await errorOf(namespace.call('POST', '/v1/entitlements', { ...body, quantity: 6 }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
    })
    expect(await held(namespace, account)).toHaveLength(1)
  })

  test('a retry has the first result, whatever has become of it; a default said is one left out', async () => {
    const { namespace, account } = await january()
    const fields = { account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 10 }
    const body = { ...key(), ...fields, metadata: { order: 'A-17' } }
    const first = await bodyOf(201, namespace.call('POST', '/v1/entitlements', body))
    const path = `/v1/entitlements/${textAt(first, 'entitlement_id')}`
    const again = () => bodyOf(200, namespace.call('POST', '/v1/entitlements', { ...body, priority: 100 }))
    await bodyOf(200, namespace.call('PATCH', path, { quantity: 20 }))
    expect(await again()).toEqual({ ...first, duplicate: true })
    await bodyOf(200, namespace.call('POST', `${path}/revoke`, { reason: 'Refunded' }))
    expect(await again()).toEqual({ ...first, duplicate: true })
  })

  test.each([
    ['no quantity', { quantity: undefined }, 'quantity'],
    ['a negative quantity', { quantity: -1 }, 'quantity'],
    ['no account', { account_id: undefined }, 'account_id'],
    ['another limit kind', { limit_kind: 'rate' }, 'limit_kind'],
    ['an unknown window', { window: 'fortnight' }, 'window'],
    ['a bad window', { window: { type: 'none' } }, 'window'],
    ['a priority too large', { priority: 2_147_483_648 }, 'priority'],
    [
      'an end before its start',
      { effective_start: '2027-01-02T00:00:00Z', effective_end: '2027-01-01T00:00:00Z' },
      'effective_end',
    ],
    [
      'an end at its start',
      { effective_start: '2027-01-02T00:00:00Z', effective_end: '2027-01-02T00:00:00Z' },
      'effective_end',
    ],
    ['a bad scope', { scope: '/us' }, 'scope'],
    ['an unknown field', { plan_id: 'pro' }, 'plan_id'],
  ])('is refused with %s', async (_, fields, param) => {
    const { namespace } = await january()
    const body = { account_id: 'a', resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 1, ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/entitlements', body))).toEqual(invalid(param))
  })

  test.each([
    ['an unknown resource', { resource: 'unicorns' }, 'unknown_resource', 'resource'],
    ['a unit of another dimension', { unit: 'hours' }, 'unit_mismatch', 'unit'],
  ])('is refused with %s', async (_, fields, code, param) => {
    const { namespace } = await january()
    const body = { account_id: 'a', resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 1, ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/entitlements', body))).toEqual({ ...invalid(param), code })
  })
})

describe('a change', () => {
  test('leaves alone what it does not name', async () => {
    const { namespace, account } = await january()
    const { duplicate: _, ...granted } = await grant(namespace, account, {
      quantity: 5,
      effective_end: '2027-02-01T00:00:00Z',
    })
    const path = `/v1/entitlements/${textAt(granted, 'entitlement_id')}`
    const patch = (body: unknown) => bodyOf(200, namespace.call('PATCH', path, body))
    expect(await patch({ quantity: 7.5 })).toEqual({ ...granted, quantity: 7.5 })
    expect(await check(namespace, account)).toMatchObject({ limit: 7.5 })
    expect(await patch({ priority: 1 })).toEqual({ ...granted, quantity: 7.5, priority: 1 })
    expect(await patch({ effective_end: null })).toEqual({
      ...granted,
      quantity: 7.5,
      priority: 1,
      effective_end: null,
    })
    expect(await patch({ quantity: null })).toMatchObject({ quantity: null })
    expect(await check(namespace, account)).toMatchObject({ limit: null })
    expect(await patch({ effective_end: '2027-01-01T00:00:00Z' }).catch(() => 'refused')).toBe('refused')
  })

  test.each([
    ['nothing', {}, null],
    ['its resource', { resource: 'gpu_hours' }, 'resource'],
    ['its id', { entitlement_id: NOWHERE }, 'entitlement_id'],
    ['a negative quantity', { quantity: -1 }, 'quantity'],
    ['a null priority', { priority: null }, 'priority'],
    ['rollover of more than all', { rollover_percent: 101 }, 'rollover_percent'],
    ['rollover of what never resets', { rollover_max_quantity: 1 }, 'rollover_max_quantity'],
  ])('of %s is refused', async (_, body, param) => {
    const { namespace, account } = await january()
    const id = textAt(await grant(namespace, account), 'entitlement_id')
    expect(await errorOf(namespace.call('PATCH', `/v1/entitlements/${id}`, body))).toEqual(invalid(param))
  })
})

test('a revoked entitlement ends at once; again is the same', async () => {
  const { namespace, account } = await january()
  const { duplicate: _, ...granted } = await grant(namespace, account)
  const path = `/v1/entitlements/${textAt(granted, 'entitlement_id')}/revoke`
  const revoked = await bodyOf(200, namespace.call('POST', path, { reason: 'fraud' }))
  expect(revoked).toEqual({ ...granted, status: 'revoked' })
  expect(await bodyOf(200, namespace.call('POST', path))).toEqual(revoked)
  expect(await check(namespace, account)).toMatchObject({ allowed: false, reason: 'revoked' })
})

test.each([
  ['PATCH', ''],
  ['POST', '/revoke'],
])('%s of an entitlement that is unknown, or of another namespace: 404', async (method, suffix) => {
  const { namespace, account } = await january()
  const id = textAt(await grant(namespace, account), 'entitlement_id')
  const stranger = await mintNamespace()
  const body = method === 'PATCH' ? { priority: 1 } : {}
  for (const entitlement of [NOWHERE, id]) {
    const answer = stranger.call(method, `/v1/entitlements/${entitlement}${suffix}`, body)
    expect(await errorOf(answer)).toEqual({
      status: 404,
      type: 'not_found',
      code: 'not_found',
      param: 'entitlement_id',
    })
  }
  expect(await errorOf(stranger.call(method, `/v1/entitlements/17${suffix}`, body))).toEqual(invalid('entitlement_id'))
})

describe('everything that an account holds', () => {
  test('comes in one call, with its state', async () => {
    const { namespace, account } = await january()
    await rule(namespace, account, { action: 'overage' })
    const monthly = await grant(namespace, account, {
      quantity: 10,
      window: 'calendar_month',
      effective_start: '2026-12-01T00:00:00Z',
    })
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 })
    await grant(namespace, account, {
      resource: 'platform_access',
      limit_kind: 'time_access',
      quantity: null,
      effective_end: '2027-03-01T00:00:00Z',
    })
    await bodyOf(201, consume(namespace, account, { quantity: 12 }))
    await bodyOf(
      201,
      namespace.call('POST', '/v1/leases', {
        account_id: account,
        resource: 'concurrent_users',
        holder: 'h',
        units: 2,
      }),
    )
    const data = await held(namespace, account)
    const of = (resource: string) => data.find((each) => at(each, 'resource') === resource)
    const { duplicate: _, ...shown } = monthly
    expect(of('benchmark_runs')).toEqual({
      ...shown,
      state: {
        limit: 10,
        used: 12,
        held: 0,
        remaining: 0,
        overage_quantity: 2,
        rollover_quantity: 0,
        window: JANUARY,
        resets_at: '2027-02-01T00:00:00Z',
      },
    })
    expect(of('concurrent_users')).toMatchObject({
      state: {
        limit: 3,
        used: 2,
        held: 0,
        remaining: 1,
        overage_quantity: 0,
        rollover_quantity: 0,
        window: null,
        resets_at: null,
      },
    })
    expect(of('platform_access')).toMatchObject({ state: { limit: null, remaining: null, window: null } })
    expect(data).toHaveLength(3)
  })

  test('is nothing of an account that was never seen', async () => {
    const { namespace } = await january()
    expect(await held(namespace, 'nobody at all / ever')).toEqual([])
  })

  test('shows what is no more in force, too', async () => {
    const { namespace, account } = await january()
    await grant(namespace, account, { effective_start: '2026-01-01T00:00:00Z', effective_end: '2026-02-01T00:00:00Z' })
    await grant(namespace, account, { effective_start: '2027-06-01T00:00:00Z' })
    const statuses = (await held(namespace, account)).map((each) => at(each, 'status'))
    expect(statuses.sort()).toEqual(['expired', 'scheduled'])
  })

  test('draws in the order of priority, scope, end and age', async () => {
    const { namespace, account } = await january()
    const rows = [
      ['last', { priority: 200 }],
      ['older', {}],
      ['younger', {}],
      ['ends earlier', { effective_end: '2027-02-01T00:00:00Z' }],
      ['longer scope', { scope: 'us' }],
      ['first', { priority: 1, effective_end: null }],
    ] as const
    const names = new Map<string, string>()
    for (const [name, fields] of rows)
      names.set(textAt(await grant(namespace, account, { quantity: 1, ...fields }), 'entitlement_id'), name)
    const drained: (string | undefined)[] = []
    for (const _ of rows) {
      await bodyOf(201, meter(namespace, account, { scope: 'us' }))
      for (const each of await held(namespace, account)) {
        const name = names.get(textAt(each, 'entitlement_id'))
        if (at(each, 'state.used') === 1 && !drained.includes(name)) drained.push(name)
      }
    }
    expect(drained).toEqual(['first', 'longer scope', 'ends earlier', 'older', 'younger', 'last'])
  })
})
