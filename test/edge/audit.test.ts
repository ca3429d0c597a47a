import { describe, expect, test } from 'vitest'
import {
  type CallOptions,
  call,
  devKey,
  mintNamespace,
  mintToken,
  type Namespace,
  openApi,
  sql,
} from '../support/edge.ts'
import {
  acquire,
  bodyOf,
  consume,
  errorOf,
  grant,
  INSTANT,
  invalid,
  key,
  meter,
  rule,
  UUID,
} from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'
import { routesOf } from '../support/openapi.ts'

const RUNS = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 50, window: 'calendar_month' }

async function trail(namespace: Namespace, query = 'limit=100', options: CallOptions = {}): Promise<JsonObject[]> {
  const page = await bodyOf(200, namespace.call('GET', `/v1/audit?${query}`, undefined, options))
  return (listAt(page, 'data') as JsonObject[]).toReversed()
}

/** The id of the namespace's own key. */
async function ownKey(namespace: Namespace): Promise<string> {
  const keys = listAt(await bodyOf(200, namespace.call('GET', '/v1/keys')), 'data')
  const found = keys.find((each) => namespace.key.startsWith(textAt(each, 'prefix')))
  return textAt(found ?? null, 'key_id')
}

/** One of each thing that the control plane changes, all of one account. */
async function world() {
  const namespace = await mintNamespace()
  const account = 'org_acme'
  const body = { name: 'Pro', entitlements: [RUNS] }
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', body))
  await bodyOf(200, namespace.call('PUT', '/v1/plans/max', { name: 'Max', entitlements: [{ ...RUNS, quantity: 90 }] }))
  const subscription = await bodyOf(
    201,
    namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'pro' }),
  )
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  const other = await bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'other', scopes: ['read'] }))
  return {
    namespace,
    account,
    subscription: textAt(subscription, 'subscription.subscription_id'),
    entitlement: textAt(await grant(namespace, account, { metadata: { order: 'A-17' } }), 'entitlement_id'),
    rule: textAt(await rule(namespace, account, { action: 'warn' }), 'rule_id'),
    lease: textAt(await bodyOf(201, acquire(namespace, account, 'ada')), 'lease.lease_id'),
    key: textAt(other, 'key_id'),
  }
}
type World = Awaited<ReturnType<typeof world>>

type Row = {
  /** What comes before, unaudited or of no interest. */
  given?: (world: World) => Promise<unknown>
  path?: (world: World) => string
  body?: (world: World) => unknown
  /** What the request leaves in the trail; some of it, where plans make several things. */
  expected: (world: World) => JsonObject[]
}

const concerns = (world: World, id: string) => ({ object_id: id, account_id: world.account })

/** Every operation that changes what is audited, by the route that the document gives it. */
const rows: Record<string, Row> = {
  'PUT /v1/plans/{plan_id}': {
    path: () => '/v1/plans/pro',
    body: () => ({ name: 'Professional', entitlements: [{ ...RUNS, quantity: 60 }] }),
    expected: () => [
      { action: 'create', object_type: 'plan_version', object_id: 'pro/2', account_id: null, before: null },
      {
        action: 'create',
        object_type: 'plan_template',
        before: null,
        after: { ...RUNS, quantity: 60, plan_version: 2 },
      },
      {
        action: 'update',
        object_type: 'plan',
        object_id: 'pro',
        before: { name: 'Pro', version: 1 },
        after: { name: 'Professional', version: 2 },
      },
    ],
  },
  'POST /v1/accounts/{account_id}/subscriptions': {
    path: ({ account }) => `/v1/accounts/${account}/subscriptions`,
    body: () => ({ ...key(), plan_id: 'pro', quantity: 2 }),
    expected: ({ account }) => [
      {
        action: 'create',
        object_type: 'subscription',
        before: null,
        after: { account_id: account, plan_id: 'pro', quantity: 2 },
      },
      {
        action: 'create',
        object_type: 'entitlement',
        before: null,
        after: { ...RUNS, account_id: account, quantity: 100 },
      },
    ],
  },
  'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/change': {
    path: ({ account, subscription }) => `/v1/accounts/${account}/subscriptions/${subscription}/change`,
    body: () => ({ plan_id: 'max', when: 'now' }),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'subscription',
        ...concerns(world, world.subscription),
        before: { plan_id: 'pro' },
        after: { plan_id: 'max' },
      },
      { action: 'create', object_type: 'entitlement', after: { ...RUNS, quantity: 90 } },
    ],
  },
  'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/cancel': {
    path: ({ account, subscription }) => `/v1/accounts/${account}/subscriptions/${subscription}/cancel`,
    body: () => ({ when: 'now' }),
    expected: (world) => [
      {
        action: 'cancel',
        object_type: 'subscription',
        ...concerns(world, world.subscription),
        before: { canceled_at: null },
        after: { canceled_at: INSTANT },
      },
    ],
  },
  'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/migrate': {
    given: ({ namespace }) =>
      bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro', entitlements: [{ ...RUNS, quantity: 70 }] })),
    path: ({ account, subscription }) => `/v1/accounts/${account}/subscriptions/${subscription}/migrate`,
    body: () => ({}),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'subscription',
        ...concerns(world, world.subscription),
        before: { plan_version: 1 },
        after: { plan_version: 2 },
      },
      { action: 'create', object_type: 'entitlement', after: { ...RUNS, quantity: 70 } },
    ],
  },
  'POST /v1/plans/{plan_id}/migrate': {
    given: ({ namespace }) =>
      bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro', entitlements: [{ ...RUNS, quantity: 70 }] })),
    path: () => '/v1/plans/pro/migrate',
    body: () => ({}),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'subscription',
        ...concerns(world, world.subscription),
        before: { plan_version: 1 },
        after: { plan_version: 2 },
      },
    ],
  },
  'POST /v1/entitlements': {
    body: ({ account }) => ({ ...RUNS, account_id: account, metadata: { order: 'B-18' } }),
    expected: ({ account }) => [
      {
        action: 'create',
        object_type: 'entitlement',
        object_id: UUID,
        account_id: account,
        before: null,
        after: { ...RUNS, account_id: account, metadata: { order: 'B-18' }, source_type: 'manual' },
      },
    ],
  },
  'PATCH /v1/entitlements/{entitlement_id}': {
    path: ({ entitlement }) => `/v1/entitlements/${entitlement}`,
    body: () => ({ quantity: 0.5 }),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'entitlement',
        ...concerns(world, world.entitlement),
        before: { quantity: 100, metadata: { order: 'A-17' } },
        after: { quantity: 0.5, metadata: { order: 'A-17' } },
      },
    ],
  },
  'POST /v1/entitlements/{entitlement_id}/revoke': {
    path: ({ entitlement }) => `/v1/entitlements/${entitlement}/revoke`,
    body: () => ({ reason: 'Refunded' }),
    expected: (world) => [
      {
        action: 'revoke',
        object_type: 'entitlement',
        ...concerns(world, world.entitlement),
        before: { revoked_at: null, revoke_reason: null },
        after: { revoked_at: INSTANT, revoke_reason: 'Refunded' },
      },
    ],
  },
  'PATCH /v1/accounts/{account_id}': {
    path: ({ account }) => `/v1/accounts/${account}`,
    body: () => ({ name: 'Acme Inc.', timezone: 'Asia/Tokyo', status: 'suspended', metadata: { of: 'sales' } }),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'account',
        ...concerns(world, world.account),
        before: { name: null, timezone: 'UTC', status: 'active', external_id: world.account, metadata: {} },
        after: { name: 'Acme Inc.', timezone: 'Asia/Tokyo', status: 'suspended', metadata: { of: 'sales' } },
      },
    ],
  },
  'POST /v1/rules': {
    body: ({ account }) => ({ resource: 'gpu_hours', limit_kind: 'cumulative', account_id: account, action: 'grace' }),
    expected: ({ account }) => [
      {
        action: 'create',
        object_type: 'rule',
        account_id: account,
        before: null,
        after: { resource: 'gpu_hours', account_id: account, action: 'grace' },
      },
    ],
  },
  'PATCH /v1/rules/{rule_id}': {
    path: (world) => `/v1/rules/${world.rule}`,
    body: () => ({ action: 'overage', overage_cap: 10 }),
    expected: (world) => [
      {
        action: 'update',
        object_type: 'rule',
        ...concerns(world, world.rule),
        before: { action: 'warn', overage_cap: null },
        after: { action: 'overage', overage_cap: 10 },
      },
    ],
  },
  'DELETE /v1/rules/{rule_id}': {
    path: (world) => `/v1/rules/${world.rule}`,
    expected: (world) => [
      {
        action: 'delete',
        object_type: 'rule',
        ...concerns(world, world.rule),
        before: { action: 'warn' },
        after: null,
      },
    ],
  },
  'POST /v1/resources': {
    body: () => ({ resource: 'builds', unit: 'count', name: 'Builds' }),
    expected: () => [
      {
        action: 'create',
        object_type: 'resource',
        object_id: 'builds',
        before: null,
        after: { resource: 'builds', unit: 'count', name: 'Builds' },
      },
    ],
  },
  'POST /v1/units': {
    body: () => ({ unit: 'dozen', dimension: 'count', factor: 12 }),
    expected: () => [
      { action: 'create', object_type: 'unit', object_id: 'dozen', before: null, after: { unit: 'dozen', factor: 12 } },
    ],
  },
  'POST /v1/keys': {
    body: () => ({ name: 'ci', scopes: ['read', 'check'] }),
    expected: () => [
      {
        action: 'create',
        object_type: 'key',
        account_id: null,
        before: null,
        after: { name: 'ci', scopes: ['check', 'read'] },
      },
    ],
  },
  'POST /v1/keys/{key_id}/rotate': {
    path: (world) => `/v1/keys/${world.key}/rotate`,
    body: () => ({ overlap_seconds: 60 }),
    expected: (world) => [
      { action: 'create', object_type: 'key', before: null, after: { name: 'other', scopes: ['read'] } },
      {
        action: 'update',
        object_type: 'key',
        object_id: world.key,
        before: { expires_at: null },
        after: { expires_at: INSTANT },
      },
    ],
  },
  'DELETE /v1/keys/{key_id}': {
    path: (world) => `/v1/keys/${world.key}`,
    expected: (world) => [
      {
        action: 'revoke',
        object_type: 'key',
        object_id: world.key,
        before: { name: 'other', revoked_at: null },
        after: { name: 'other', revoked_at: INSTANT },
      },
    ],
  },
  'POST /v1/leases/{lease_id}/revoke': {
    path: ({ lease }) => `/v1/leases/${lease}/revoke`,
    body: () => ({ reason: 'left the firm' }),
    expected: (world) => [
      {
        action: 'revoke',
        object_type: 'lease',
        ...concerns(world, world.lease),
        before: { holder: 'ada', end_status: null },
        after: { holder: 'ada', end_status: 'revoked', end_reason: 'left the firm' },
      },
    ],
  },
  'POST /v1/test_clock': {
    body: () => ({ advance_seconds: 3600 }),
    expected: ({ namespace: { name } }) => [
      {
        action: 'update',
        object_type: 'namespace',
        object_id: name,
        before: { clock_offset_seconds: 0 },
        after: { clock_offset_seconds: expect.closeTo(3600, 0) },
      },
    ],
  },
  'DELETE /v1/test_clock': {
    given: ({ namespace }) => namespace.call('POST', '/v1/test_clock', { advance_seconds: 3600 }),
    expected: ({ namespace: { name } }) => [
      { action: 'update', object_type: 'namespace', object_id: name, after: { clock_offset_seconds: 0 } },
    ],
  },
  'POST /v1/maintenance/run': {
    given: async ({ namespace, account }) => {
      await bodyOf(201, consume(namespace, account))
      await bodyOf(200, namespace.call('POST', '/v1/test_clock', { advance_seconds: 40 * 86_400 }))
    },
    body: () => ({ job: 'close_windows' }),
    expected: ({ account }) => [
      {
        action: 'close',
        object_type: 'window',
        account_id: account,
        before: { used: 1, frozen_at: null },
        after: { used: 1, frozen_at: INSTANT },
      },
    ],
  },
}

/** Tested on their own: erase.test.ts; and the operator's, whose trail is the new namespace's. */
const ELSEWHERE = ['POST /v1/accounts/{account_id}/erase', 'POST /v1/namespaces']

async function adminRoutes(): Promise<string[]> {
  return routesOf((await openApi()).document)
    .filter(({ method, operation }) => method !== 'GET' && operation.description?.endsWith('Scope: `admin`.'))
    .map(({ method, path }) => `${method} ${path}`)
}

test('every operation of the control plane is in the table', async () => {
  expect((await adminRoutes()).filter((route) => !(route in rows) && !ELSEWHERE.includes(route))).toEqual([])
})

describe.each(Object.entries(rows))('%s', (route, { given, path, body, expected }) => {
  test('leaves who, for which request, from what, to what', async () => {
    const made = await world()
    const { namespace } = made
    await given?.(made)
    const [method = '', template = ''] = route.split(' ')
    const requestId = `req-${crypto.randomUUID()}`
    const reply = await namespace.call(method, path?.(made) ?? template, body?.(made), {
      headers: { 'X-Request-Id': requestId },
    })
    expect([200, 201], reply.text).toContain(reply.status)
    const entries = (await trail(namespace)).filter((entry) => entry['request_id'] === requestId)
    const actor = `key:${await ownKey(namespace)}`
    for (const entry of entries) expect(entry).toMatchObject({ audit_id: UUID, at: INSTANT, actor, erased: false })
    for (const each of expected(made)) expect(entries).toContainEqual(expect.objectContaining(partly(each)))
    expect(JSON.stringify(entries)).not.toMatch(/key_hash|account_seed/)
  })
})

/** Objects inside an expectation stand for themselves and whatever else there is. */
function partly(expectation: JsonObject): JsonObject {
  const loosen = (value: unknown) =>
    typeof value === 'object' && value !== null && !('asymmetricMatch' in value)
      ? expect.objectContaining(value)
      : value
  return Object.fromEntries(
    Object.entries(expectation).map(([name, value]) => [
      name,
      name === 'before' || name === 'after' ? loosen(value) : value,
    ]),
  )
}

test('a new namespace begins its own trail, by the operator', async () => {
  const name = `n-${crypto.randomUUID().slice(0, 18)}`
  const headers = { 'X-Request-Id': `req-${name}` }
  const created = await bodyOf(201, call('POST', '/v1/namespaces', { namespace: name }, { bearer: devKey, headers }))
  const bearer = textAt(created, 'key.secret')
  const [made, first, ...rest] = listAt(
    await bodyOf(200, call('GET', '/v1/audit', undefined, { bearer })),
    'data',
  ).toReversed()
  expect(made).toMatchObject({ action: 'create', object_type: 'namespace', object_id: name, request_id: `req-${name}` })
  expect(at(made ?? null, 'actor')).toMatch(/^key:/)
  expect(first).toMatchObject({ action: 'create', object_type: 'key', object_id: at(created, 'key.key_id') })
  expect(rest).toEqual([])
})

test('what only asks, and what only records use, leaves nothing', async () => {
  const { namespace, account, lease } = await world()
  const before = await trail(namespace)
  await bodyOf(201, consume(namespace, account))
  await bodyOf(200, consume(namespace, 'a new one'))
  await bodyOf(201, meter(namespace, 'a new one'))
  await bodyOf(200, namespace.call('POST', `/v1/leases/${lease}/heartbeat`, {}))
  await bodyOf(200, namespace.call('DELETE', `/v1/leases/${lease}`))
  await bodyOf(200, namespace.call('GET', '/v1/plans'))
  expect(await trail(namespace)).toEqual(before)
})

test('a token signs with its subject', async () => {
  const { namespace, account } = await world()
  const bearer = await mintToken(namespace.name, 'admin', { sub: account })
  const body = { ...RUNS, account_id: account }
  await bodyOf(201, call('POST', '/v1/entitlements', body, { bearer }))
  await bodyOf(
    201,
    call(
      'POST',
      '/v1/rules',
      { resource: 'gpu_hours', limit_kind: 'cumulative', action: 'warn' },
      { bearer: namespace.token },
    ),
  )
  expect((await trail(namespace)).slice(-2).map((entry) => entry['actor'])).toEqual([`token:${account}`, 'token'])
  expect(await trail(namespace, `actor=${encodeURIComponent(`token:${account}`)}`)).toHaveLength(1)
})

describe('reading', () => {
  test('needs the scope read', async () => {
    const { namespace } = await world()
    for (const scope of ['check', 'meter', 'lease']) {
      const bearer = await mintToken(namespace.name, scope)
      expect(await errorOf(call('GET', '/v1/audit', undefined, { bearer }))).toMatchObject({
        status: 403,
        code: 'missing_scope',
      })
    }
    const bearer = await mintToken(namespace.name, 'read')
    expect((await trail(namespace, '', { bearer })).length).toBeGreaterThan(5)
  })

  test('a token of one account sees what concerns that account, and nothing else', async () => {
    const { namespace, account } = await world()
    await grant(namespace, 'another')
    const bearer = await mintToken(namespace.name, 'read', { sub: account })
    const seen = await trail(namespace, '', { bearer })
    expect(seen.length).toBeGreaterThan(3)
    expect(new Set(seen.map((entry) => entry['account_id']))).toEqual(new Set([account]))
    expect(await trail(namespace, `account_id=${account}`, { bearer })).toEqual(seen)
    expect(await errorOf(call('GET', '/v1/audit?account_id=another', undefined, { bearer }))).toMatchObject({
      status: 403,
      code: 'account_forbidden',
    })
  })

  test('one namespace sees nothing of another, though accounts and objects be called the same', async () => {
    const [one, two] = [await world(), await world()]
    for (const query of [
      '',
      `account_id=${one.account}`,
      'object_type=plan&object_id=pro',
      `object_id=${one.account}`,
    ]) {
      const ids = new Set((await trail(one.namespace, query)).map((entry) => entry['audit_id']))
      expect((await trail(two.namespace, query)).filter((entry) => ids.has(entry['audit_id'] ?? null))).toEqual([])
    }
    expect(await trail(two.namespace, `object_id=${one.entitlement}`)).toEqual([])
    expect(await trail(one.namespace, `object_id=${one.entitlement}`)).toHaveLength(1)
    expect(await trail(two.namespace, 'account_id=nobody')).toEqual([])
  })

  test('filters by account, object, action, actor and time, all of them at once', async () => {
    const made = await world()
    const { namespace, account } = made
    await bodyOf(200, namespace.call('POST', `/v1/entitlements/${made.entitlement}/revoke`, {}))
    const [entry] = (await trail(namespace)).slice(-1)
    const query = new URLSearchParams({
      account_id: account,
      object_type: 'entitlement',
      object_id: made.entitlement,
      action: 'revoke',
      actor: textAt(entry ?? null, 'actor'),
      from: textAt(entry ?? null, 'at'),
      to: '2100-01-01T00:00:00Z',
    })
    expect(await trail(namespace, query.toString())).toEqual([entry])
    for (const [name, value] of Object.entries({
      account_id: 'another',
      object_type: 'plan',
      object_id: made.rule,
      action: 'create',
      actor: 'cron',
      from: '2099-01-01T00:00:00Z',
      to: textAt(entry ?? null, 'at'),
    })) {
      const other = new URLSearchParams(query)
      other.set(name, value)
      expect(await trail(namespace, other.toString()), name).toEqual([])
    }
  })

  test.each([
    ['object_type=nothing', 'object_type'],
    ['action=look', 'action'],
    ['from=yesterday', 'from'],
    ['to=2026-02-30T00:00:00Z', 'to'],
    ['account_id=', 'account_id'],
    ['actor=', 'actor'],
    ['resource=gpu_hours', 'resource'],
  ])('refuses %s', async (query, param) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('GET', `/v1/audit?${query}`))).toEqual(invalid(param))
  })

  test('shows personal strings while they exist, and says when they are gone', async () => {
    const made = await world()
    const query = `object_id=${made.entitlement}`
    const [before] = await trail(made.namespace, query)
    expect(before).toMatchObject({ erased: false, after: { metadata: { order: 'A-17' } } })
    await sql('delete from audit_details where audit_id = $1::uuid', [textAt(before ?? null, 'audit_id')])
    const [after] = await trail(made.namespace, query)
    expect(after).toEqual({
      ...before,
      erased: true,
      after: expect.not.objectContaining({ metadata: expect.anything() }),
    })
  })
})
