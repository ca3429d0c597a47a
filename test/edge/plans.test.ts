import { describe, expect, test } from 'vitest'
import { mintNamespace } from '../support/edge.ts'
import { bodyOf, errorOf, INSTANT, invalid } from '../support/edge-commands.ts'
import { at, listAt } from '../support/json-path.ts'

const RUNS = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 500, window: 'calendar_month' }
const NO_ROLLOVER = { rollover_max_quantity: null, rollover_percent: null }
const SHOWN_RUNS = { ...RUNS, scope: null, unit: 'count', duration_days: null, priority: 100, ...NO_ROLLOVER }

describe('putting a plan', () => {
  test('makes it, with the fields of the contract', async () => {
    const namespace = await mintNamespace()
    const plan = {
      name: 'Pro, the big one',
      status: 'active',
      is_trial: true,
      trial_days: 14,
      external_id: 'price_123',
      entitlements: [
        RUNS,
        {
          resource: 'gpu_hours',
          scope: 'us',
          limit_kind: 'cumulative',
          quantity: 90,
          unit: 'minutes',
          window: 'billing_cycle',
          priority: 5,
          rollover_max_quantity: 30,
          rollover_percent: 12.5,
        },
        { resource: 'platform_access', limit_kind: 'time_access', duration_days: 30 },
        { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: null },
      ],
    }
    const shown = {
      plan_id: 'pro:2027',
      version: 1,
      ...plan,
      entitlements: expect.arrayContaining([
        SHOWN_RUNS,
        { ...plan.entitlements[1], duration_days: null },
        {
          ...SHOWN_RUNS,
          resource: 'platform_access',
          limit_kind: 'time_access',
          quantity: null,
          unit: expect.anything(),
          window: null,
          duration_days: 30,
        },
        { ...SHOWN_RUNS, resource: 'concurrent_users', limit_kind: 'concurrency', quantity: null, window: null },
      ]),
      created_at: INSTANT,
      updated_at: INSTANT,
    }
    const put = await bodyOf(200, namespace.call('PUT', '/v1/plans/pro:2027', plan))
    expect(put).toEqual(shown)
    expect(await bodyOf(200, namespace.call('GET', '/v1/plans/pro:2027'))).toEqual(put)
    expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/plans')), 'data')).toEqual([put])
  })

  test('again makes a new version when, and only when, the entitlements change', async () => {
    const namespace = await mintNamespace()
    const put = (body: unknown) => bodyOf(200, namespace.call('PUT', '/v1/plans/pro', body))
    expect(await put({ name: 'Pro' })).toMatchObject({
      version: 1,
      status: 'active',
      is_trial: false,
      entitlements: [],
    })
    expect(await put({ name: 'Pro', entitlements: [RUNS] })).toMatchObject({ version: 2 })
    expect(await put({ name: 'Pro plus', status: 'active', entitlements: [RUNS] })).toMatchObject({
      version: 2,
      name: 'Pro plus',
      status: 'active',
    })
    expect(await put({ name: 'Pro' })).toMatchObject({ version: 2, entitlements: [SHOWN_RUNS] })
    expect(await put({ name: 'Pro', entitlements: [{ ...RUNS, quantity: 501 }] })).toMatchObject({ version: 3 })
    expect(await put({ name: 'Pro', entitlements: [] })).toMatchObject({ version: 4, entitlements: [] })
    const version = (n: number) => bodyOf(200, namespace.call('GET', `/v1/plans/pro?version=${n}`))
    expect(await version(2)).toMatchObject({ version: 2, entitlements: [{ quantity: 500 }] })
    expect(await version(3)).toMatchObject({ version: 3, entitlements: [{ quantity: 501 }] })
    expect(at(await bodyOf(200, namespace.call('GET', '/v1/plans/pro')), 'version')).toBe(4)
    const versions = listAt(await bodyOf(200, namespace.call('GET', '/v1/plans/pro/versions')), 'data')
    expect(versions.map((each) => at(each, 'version'))).toEqual([4, 3, 2, 1])
  })

  const row = (fields: object) => ({ name: 'Pro', entitlements: [{ ...RUNS, ...fields }] })
  test.each([
    ['no name', {}, 'name'],
    ['another status', { name: 'Pro', status: 'live' }, 'status'],
    ['a trial without days', { name: 'Pro', is_trial: true }, 'trial_days'],
    ['no trial days', { name: 'Pro', trial_days: 0 }, 'trial_days'],
    ['an unknown field', { name: 'Pro', price: 10 }, 'price'],
    ['its own id', { plan_id: 'pro', name: 'Pro' }, 'plan_id'],
    ['no quantity', row({ quantity: undefined }), 'entitlements.0.quantity'],
    ['a negative quantity', row({ quantity: -1 }), 'entitlements.0.quantity'],
    ['another limit kind', row({ limit_kind: 'rate' }), 'entitlements.0.limit_kind'],
    ['a priority that is no integer', row({ priority: 1.5 }), 'entitlements.0.priority'],
    ['rollover of more than all', row({ rollover_percent: 100.000001 }), 'entitlements.0.rollover_percent'],
    ['rollover of less than nothing', row({ rollover_max_quantity: -1 }), 'entitlements.0.rollover_max_quantity'],
    ['rollover of what never resets', row({ window: 'none', rollover_percent: 1 }), 'entitlements.0.rollover_percent'],
    ['a day too few', row({ duration_days: 0 }), 'entitlements.0.duration_days'],
    ['an unknown field inside', row({ price: 10 }), 'entitlements.0.price'],
    ['the same twice', { name: 'Pro', entitlements: [RUNS, RUNS] }, 'entitlements.1'],
    ['too many', { name: 'Pro', entitlements: Array.from({ length: 201 }, () => RUNS) }, 'entitlements'],
  ])('is refused with %s', async (_, body, param) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('PUT', '/v1/plans/pro', body))).toEqual(invalid(param))
  })

  test.each([
    ['an unknown resource', { resource: 'unicorns' }, 'unknown_resource', 'resource'],
    ['a unit of another dimension', { unit: 'hours' }, 'unit_mismatch', 'unit'],
    ['an unknown window', { window: 'fortnight' }, 'invalid_parameter', 'window'],
  ])('is refused with %s', async (_, fields, code, name) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('PUT', '/v1/plans/pro', row(fields)))).toEqual({
      ...invalid(`entitlements.0.${name}`),
      code,
    })
  })
})

test.each(['/v1/plans/none', '/v1/plans/none/versions'])('GET %s is a 404', async (path) => {
  const namespace = await mintNamespace()
  expect(await errorOf(namespace.call('GET', path))).toEqual({
    status: 404,
    type: 'not_found',
    code: 'not_found',
    param: 'plan_id',
  })
})

test.each([
  ['99', { status: 404, type: 'not_found', code: 'not_found', param: 'version' }],
  ['0', invalid('version')],
  ['two', invalid('version')],
])('version %s', async (version, expected) => {
  const namespace = await mintNamespace()
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro' }))
  expect(await errorOf(namespace.call('GET', `/v1/plans/pro?version=${version}`))).toEqual(expected)
})

test('a plan is of its namespace', async () => {
  const [namespace, other] = [await mintNamespace(), await mintNamespace()]
  await bodyOf(200, namespace.call('PUT', '/v1/plans/mine', { name: 'Mine' }))
  expect(await errorOf(other.call('GET', '/v1/plans/mine'))).toMatchObject({ status: 404 })
  expect(await bodyOf(200, other.call('PUT', '/v1/plans/mine', { name: 'Theirs' }))).toMatchObject({
    version: 1,
    name: 'Theirs',
  })
  expect(await bodyOf(200, namespace.call('GET', '/v1/plans/mine'))).toMatchObject({ name: 'Mine' })
})
