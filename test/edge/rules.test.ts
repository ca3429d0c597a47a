import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
import { bodyOf, check, consume, errorOf, grant, INSTANT, invalid, key, rule, UUID } from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const NO_EFFECTS = {
  warn_at_percent: null,
  overage_multiplier: null,
  overage_cap: null,
  grace_percent: null,
  grace_seconds: null,
  on_error: 'deny',
}

describe('a new rule', () => {
  test('is a 201 with the rule', async () => {
    const namespace = await mintNamespace()
    const body = {
      resource: 'benchmark_runs',
      limit_kind: 'cumulative',
      account_id: 'org acme / 1',
      plan_id: null,
      action: 'overage',
      warn_at_percent: 80.5,
      overage_multiplier: 10,
      overage_cap: 1000,
      grace_percent: 5,
      grace_seconds: 3600,
      on_error: 'allow',
    }
    const created = await bodyOf(201, namespace.call('POST', '/v1/rules', body))
    expect(created).toEqual({ ...body, rule_id: UUID, created_at: INSTANT, duplicate: false })
    const { duplicate: _, ...shown } = created
    expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/rules')), 'data')).toEqual([shown])
  })

  test('has defaults', async () => {
    const namespace = await mintNamespace()
    const body = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'block' }
    expect(await bodyOf(201, namespace.call('POST', '/v1/rules', body))).toEqual({
      ...body,
      ...NO_EFFECTS,
      account_id: null,
      plan_id: null,
      rule_id: UUID,
      created_at: INSTANT,
      duplicate: false,
    })
  })

  test('takes a key: again is a 200 with the first result, changed a conflict', async () => {
    const namespace = await mintNamespace()
    const body = { ...key(), resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'block' }
    const first = await bodyOf(201, namespace.call('POST', '/v1/rules', body))
    expect(await bodyOf(200, namespace.call('POST', '/v1/rules', body))).toEqual({ ...first, duplicate: true })
    expect(await errorOf(namespace.call('POST', '/v1/rules', { ...body, action: 'warn' }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
    })
    expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/rules')), 'data')).toHaveLength(1)
  })

  test.each([
    ['no action', { action: undefined }, 'action'],
    ['another action', { action: 'deny' }, 'action'],
    ['another limit kind', { limit_kind: 'rate' }, 'limit_kind'],
    ['a warning at nothing', { warn_at_percent: 0 }, 'warn_at_percent'],
    ['a warning beyond the limit', { warn_at_percent: 100.1 }, 'warn_at_percent'],
    ['a negative multiplier', { overage_multiplier: -1 }, 'overage_multiplier'],
    ['a negative cap', { overage_cap: -1 }, 'overage_cap'],
    ['a negative grace', { grace_percent: -1 }, 'grace_percent'],
    ['half a second', { grace_seconds: 0.5 }, 'grace_seconds'],
    ['more than ten years', { grace_seconds: 315_360_001 }, 'grace_seconds'],
    ['another on_error', { on_error: null }, 'on_error'],
    ['an unknown field', { priority: 1 }, 'priority'],
  ])('is refused with %s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    const body = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'block', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/rules', body))).toEqual(invalid(param))
  })

  test.each([
    ['an unknown resource', { resource: 'unicorns' }, { ...invalid('resource'), code: 'unknown_resource' }],
    ['an unknown plan', { plan_id: 'none' }, { status: 404, type: 'not_found', code: 'not_found', param: 'plan_id' }],
  ])('is refused with %s', async (_, fields, expected) => {
    const namespace = await mintNamespace()
    const body = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'block', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/rules', body))).toEqual(expected)
  })
})

test('the most specific rule wins: account, then plan, then resource; among equals the newest', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const plan = { name: 'Pro', entitlements: [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 1 }] }
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', plan))
  await bodyOf(201, namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'pro' }))
  const action = async () => at(await check(namespace, account, { quantity: 2 }), 'action')
  expect(await action()).toBe('block')
  const ofAll = await rule(namespace, null, { action: 'warn' })
  expect(await action()).toBe('warn')
  await rule(namespace, null, { action: 'overage' })
  expect(await action()).toBe('overage')
  await rule(namespace, null, { plan_id: 'pro', action: 'grace' })
  expect(await action()).toBe('grace')
  const ofAccount = await rule(namespace, account, { action: 'block' })
  expect(await action()).toBe('block')
  await bodyOf(200, namespace.call('PATCH', `/v1/rules/${textAt(ofAccount, 'rule_id')}`, { action: 'warn' }))
  expect(await action()).toBe('warn')
  await bodyOf(200, namespace.call('DELETE', `/v1/rules/${textAt(ofAccount, 'rule_id')}`))
  expect(await action()).toBe('grace')
  await bodyOf(200, namespace.call('DELETE', `/v1/rules/${textAt(ofAll, 'rule_id')}`))
})

describe('a change', () => {
  test('leaves alone what it does not name', async () => {
    const namespace = await mintNamespace()
    const { duplicate: _, ...created } = await rule(namespace, 'a', {
      action: 'overage',
      overage_cap: 5,
      warn_at_percent: 80,
    })
    const path = `/v1/rules/${textAt(created, 'rule_id')}`
    expect(await bodyOf(200, namespace.call('PATCH', path, { warn_at_percent: 90 }))).toEqual({
      ...created,
      warn_at_percent: 90,
    })
    expect(await bodyOf(200, namespace.call('PATCH', path, { overage_cap: null, on_error: 'allow' }))).toEqual({
      ...created,
      warn_at_percent: 90,
      overage_cap: null,
      on_error: 'allow',
    })
  })

  test.each([
    ['nothing', {}, null],
    ['its resource', { resource: 'gpu_hours' }, 'resource'],
    ['its action to nothing', { action: null }, 'action'],
  ])('of %s is refused', async (_, body, param) => {
    const namespace = await mintNamespace()
    const id = textAt(await rule(namespace, 'a', { action: 'warn' }), 'rule_id')
    expect(await errorOf(namespace.call('PATCH', `/v1/rules/${id}`, body))).toEqual(invalid(param))
  })
})

test('a deleted rule is answered once, then gone', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 1 })
  const { duplicate: _, ...created } = await rule(namespace, account, { action: 'warn' })
  const path = `/v1/rules/${textAt(created, 'rule_id')}`
  await bodyOf(201, consume(namespace, account, { quantity: 2 }))
  expect(await bodyOf(200, namespace.call('GET', path))).toEqual(created)
  expect(await bodyOf(200, namespace.call('DELETE', path))).toEqual(created)
  expect(await errorOf(namespace.call('DELETE', path))).toMatchObject({ status: 404 })
  expect(await bodyOf(200, consume(namespace, account, { quantity: 1 }))).toMatchObject({ allowed: false })
})

test.each(['GET', 'PATCH', 'DELETE'])('%s of a rule that is unknown, or of another namespace: 404', async (method) => {
  const id = textAt(await rule(await mintNamespace(), 'a', { action: 'warn' }), 'rule_id')
  const stranger = await mintNamespace()
  const body = method === 'PATCH' ? { action: 'block' } : undefined
  for (const target of [NOWHERE, id]) {
    const answer = stranger.call(method, `/v1/rules/${target}`, body)
    expect(await errorOf(answer)).toEqual({ status: 404, type: 'not_found', code: 'not_found', param: 'rule_id' })
  }
  expect(await errorOf(stranger.call(method, '/v1/rules/1', body))).toEqual(invalid('rule_id'))
})

test('the list is filtered by resource, account and plan, newest first', async () => {
  const namespace = await mintNamespace()
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro' }))
  await rule(namespace, null, { action: 'warn' })
  await rule(namespace, 'a', { action: 'grace' })
  await rule(namespace, null, { action: 'overage', plan_id: 'pro' })
  await rule(namespace, null, { action: 'block', resource: 'gpu_hours' })
  const actions = async (query: string) => {
    const page = await bodyOf(200, namespace.call('GET', `/v1/rules${query}`))
    return listAt(page, 'data').map((each) => at(each, 'action'))
  }
  expect(await actions('')).toEqual(['block', 'overage', 'grace', 'warn'])
  expect(await actions('?resource=benchmark_runs')).toEqual(['overage', 'grace', 'warn'])
  expect(await actions('?account_id=a')).toEqual(['grace'])
  expect(await actions('?plan_id=pro')).toEqual(['overage'])
  expect(await errorOf(namespace.call('GET', '/v1/rules?action=warn'))).toEqual(invalid('action'))
  expect(await errorOf(namespace.call('GET', '/v1/rules?resource=unicorns'))).toMatchObject({
    code: 'unknown_resource',
  })
})
