import { describe, expect, test } from 'vitest'
import { mintNamespace, type Namespace } from '../support/edge.ts'
import {
  acquire,
  assign,
  bodyOf,
  consume,
  errorOf,
  grant,
  invalid,
  key,
  meter,
  rule,
} from '../support/edge-commands.ts'
import { at, type Json, listAt, textAt } from '../support/json-path.ts'

type List = { path: string; id: string; make: (namespace: Namespace, n: number) => Promise<unknown>; before?: number }

const subscribe = async (namespace: Namespace) => {
  await bodyOf(200, namespace.call('PUT', '/v1/plans/p', { name: 'P' }))
  return bodyOf(201, namespace.call('POST', '/v1/accounts/a/subscriptions', { ...key(), plan_id: 'p' }))
}
const version = (quantity: number) => ({
  name: 'P',
  entitlements: [{ resource: 'gpu_hours', limit_kind: 'cumulative', quantity }],
})

const useUp = async (namespace: Namespace, account: string) => {
  await grant(namespace, account, { quantity: 1 })
  return bodyOf(201, consume(namespace, account))
}

const lists: List[] = [
  { path: '/v1/billing/windows', id: 'entitlement_id', make: (namespace, n) => useUp(namespace, `a${n % 3}`) },
  { path: '/v1/billing/windows?account_id=a', id: 'entitlement_id', make: (namespace) => useUp(namespace, 'a') },
  { path: '/v1/ledger', id: 'entry_id', make: (namespace, n) => bodyOf(201, meter(namespace, `a${n}`)) },
  {
    path: '/v1/ledger?account_id=a',
    id: 'entry_id',
    make: (namespace) => bodyOf(201, meter(namespace, 'a', { occurred_at: '2026-11-01T00:00:00Z' })),
  },
  {
    path: '/v1/leases',
    id: 'lease_id',
    make: async (namespace, n) => {
      if (n === 0)
        await grant(namespace, 'a', { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: null })
      return bodyOf(201, acquire(namespace, 'a', `h${n}`))
    },
  },
  {
    path: '/v1/inventory',
    id: 'entry_id',
    make: async (namespace, n) => {
      if (n === 0) await grant(namespace, 'a', { resource: 'named_users', limit_kind: 'inventory', quantity: null })
      return bodyOf(201, assign(namespace, 'a', `i${n}`))
    },
  },
  { path: '/v1/rules', id: 'rule_id', make: (namespace, n) => rule(namespace, `a${n}`, { action: 'warn' }) },
  {
    path: '/v1/keys',
    id: 'key_id',
    before: 1,
    make: (namespace, n) => bodyOf(201, namespace.call('POST', '/v1/keys', { name: `k${n}`, scopes: ['check'] })),
  },
  {
    path: '/v1/plans',
    id: 'plan_id',
    make: (namespace, n) => bodyOf(200, namespace.call('PUT', `/v1/plans/p${n}`, { name: 'P' })),
  },
  {
    path: '/v1/plans/p/versions',
    id: 'version',
    make: (namespace, n) => bodyOf(200, namespace.call('PUT', '/v1/plans/p', version(n))),
  },
  {
    path: '/v1/audit',
    id: 'audit_id',
    // The namespace, and its key.
    before: 2,
    make: (namespace, n) => rule(namespace, `a${n}`, { action: 'warn' }),
  },
  { path: '/v1/audit?account_id=a', id: 'audit_id', make: (namespace) => rule(namespace, 'a', { action: 'warn' }) },
  { path: '/v1/accounts/a/subscriptions', id: 'subscription_id', make: subscribe },
  {
    path: '/v1/resources',
    id: 'resource',
    before: 7,
    make: (namespace, n) =>
      bodyOf(201, namespace.call('POST', '/v1/resources', { resource: `r${n}`, unit: 'count', name: 'R' })),
  },
  {
    path: '/v1/units',
    id: 'unit',
    before: 11,
    make: (namespace, n) =>
      bodyOf(201, namespace.call('POST', '/v1/units', { unit: `u${n}`, dimension: 'd', factor: 1 })),
  },
]

describe.each(lists)('$path', ({ path, id, make, before = 0 }) => {
  const MADE = 5

  test('comes in pages, each thing once', async () => {
    const namespace = await mintNamespace()
    for (let n = 0; n < MADE; n++) await make(namespace, n)
    const get = (query: string) => bodyOf(200, namespace.call('GET', path + (path.includes('?') ? '&' : '?') + query))
    const whole = await get('limit=100')
    expect(whole).toMatchObject({ has_more: false, next_cursor: null })
    const all = listAt(whole, 'data')
    expect(all).toHaveLength(MADE + before)
    expect(new Set(all.map((each) => at(each, id))).size).toBe(MADE + before)
    const collected: Json[] = []
    let query = 'limit=2'
    for (let pages = 1; ; pages++) {
      const page = await get(query)
      collected.push(...listAt(page, 'data'))
      if (page['has_more'] === false) {
        expect(page['next_cursor']).toBeNull()
        expect(pages).toBe(Math.ceil((MADE + before) / 2))
        break
      }
      expect(listAt(page, 'data')).toHaveLength(2)
      query = `limit=2&cursor=${encodeURIComponent(textAt(page, 'next_cursor'))}`
    }
    expect(collected).toEqual(all)
    expect(await get(`limit=${MADE + before}`)).toMatchObject({ has_more: false, next_cursor: null })
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=ten', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=bm9uc2Vuc2U', 'cursor'],
    ['cursor=WyIxIl0', 'cursor'],
    ['cursor=%F0%9F%A6%84', 'cursor'],
    ['page=2', 'page'],
  ])('refuses %s, or gives nothing strange', async (query, param) => {
    const namespace = await mintNamespace()
    if (path === '/v1/plans/p/versions') await make(namespace, 0)
    const reply = await namespace.call('GET', path + (path.includes('?') ? '&' : '?') + query)
    // A cursor is opaque: one that is well-formed for this list by accident may mean something.
    if (query === 'cursor=WyIxIl0' && reply.status === 200) return
    expect(await errorOf(Promise.resolve(reply))).toEqual(invalid(param))
  })
})

test('a page is of twenty unless told otherwise, and of a hundred at most', async () => {
  const namespace = await mintNamespace()
  const entries = Array.from({ length: 101 }, (_, n) => ({
    idempotency_key: `k${n}`,
    account_id: 'a',
    resource: 'benchmark_runs',
    quantity: 1,
  }))
  await bodyOf(200, namespace.call('POST', '/v1/meter/batch', { entries }))
  expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/ledger')), 'data')).toHaveLength(20)
  const page = await bodyOf(200, namespace.call('GET', '/v1/ledger?limit=100'))
  expect(listAt(page, 'data')).toHaveLength(100)
  expect(page['has_more']).toBe(true)
})
