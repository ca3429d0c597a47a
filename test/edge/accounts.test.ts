import { describe, expect, test } from 'vitest'
import { call, devKey, mintAccount, mintNamespace, mintToken, type Namespace } from '../support/edge.ts'
import {
  acquire,
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
} from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

const pathOf = (account: string) => `/v1/accounts/${encodeURIComponent(account)}`
const get = (namespace: Namespace, account: string) => bodyOf(200, namespace.call('GET', pathOf(account)))
const patch = (namespace: Namespace, account: string, fields: unknown) =>
  bodyOf(200, namespace.call('PATCH', pathOf(account), fields))

const fresh = { name: null, timezone: 'UTC', status: 'active', metadata: {}, created_at: null }

describe('an account', () => {
  test('that was never seen is no error', async () => {
    const namespace = await mintNamespace()
    expect(await get(namespace, 'nobody / ever')).toEqual({ account_id: 'nobody / ever', ...fresh })
  })

  test('that was never seen is made by a change, in the time of its namespace', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2027-01-15T12:00:00Z')
    const fields = { name: 'Acme Corp. 🦄', timezone: 'Europe/Berlin', status: 'active', metadata: { tier: [1, null] } }
    const made = await patch(namespace, 'org_acme', fields)
    expect(made).toEqual({ account_id: 'org_acme', ...fields, created_at: expect.stringMatching(/^2027-01-15T12:0/) })
    expect(await get(namespace, 'org_acme')).toEqual(made)
  })

  test('that appeared by itself has a time of creation', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await grant(namespace, account)
    expect(await get(namespace, account)).toEqual({ account_id: account, ...fresh, created_at: INSTANT })
  })

  test('keeps what a change does not name; metadata is replaced as a whole', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    const first = await patch(namespace, account, { name: 'Acme', metadata: { a: 1 }, timezone: 'Asia/Tokyo' })
    expect(await patch(namespace, account, { metadata: { b: 2 } })).toEqual({ ...first, metadata: { b: 2 } })
    expect(await patch(namespace, account, { name: null })).toEqual({ ...first, metadata: { b: 2 }, name: null })
  })

  test('is echoed as the caller wrote it, a raw UUID too', async () => {
    const upper = crypto.randomUUID().toUpperCase()
    const options = { bearer: devKey }
    await bodyOf(200, call('PATCH', pathOf(upper), { name: 'one' }, options))
    for (const account of [upper, upper.toLowerCase()]) {
      expect(await bodyOf(200, call('GET', pathOf(account), undefined, options))).toMatchObject({
        account_id: account,
        name: 'one',
      })
    }
  })

  test.each([
    ['nothing', {}, null],
    ['an unknown timezone', { timezone: 'Mars/Olympus' }, 'timezone'],
    ['an abbreviation', { timezone: 'CEST' }, 'timezone'],
    ['an offset', { timezone: '+02:00' }, 'timezone'],
    ['no timezone', { timezone: null }, 'timezone'],
    ['an empty timezone', { timezone: '' }, 'timezone'],
    ['another status', { status: 'closed' }, 'status'],
    ['no status', { status: null }, 'status'],
    ['an empty name', { name: '' }, 'name'],
    ['a name too long', { name: 'n'.repeat(256) }, 'name'],
    ['metadata of no object', { metadata: [] }, 'metadata'],
    ['too much metadata', { metadata: { a: 'x'.repeat(4096) } }, 'metadata'],
    ['an unknown field', { external_id: 'x' }, 'external_id'],
    ['another id', { account_id: 'x' }, 'account_id'],
  ])('is not changed by %s', async (_, body, param) => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    expect(await errorOf(namespace.call('PATCH', pathOf(account), body))).toEqual(invalid(param))
    expect(await get(namespace, account)).toEqual({ account_id: account, ...fresh })
  })

  test('is read with the scope read and changed with admin', async () => {
    const namespace = await mintNamespace()
    for (const scope of ['check', 'meter', 'lease', 'read']) {
      const bearer = await mintToken(namespace.name, scope)
      const missing = { status: 403, type: 'permission', code: 'missing_scope', param: null }
      expect(await errorOf(call('PATCH', pathOf('a'), { name: 'x' }, { bearer }))).toEqual(missing)
      if (scope === 'read') await bodyOf(200, call('GET', pathOf('a'), undefined, { bearer }))
      else expect(await errorOf(call('GET', pathOf('a'), undefined, { bearer }))).toEqual(missing)
    }
  })

  test('of another is nothing for a token that is bound to one', async () => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'admin', { sub: 'mine' })
    await bodyOf(200, call('PATCH', pathOf('mine'), { name: 'x' }, { bearer }))
    await bodyOf(200, call('GET', pathOf('mine'), undefined, { bearer }))
    const forbidden = { status: 403, code: 'account_forbidden' }
    expect(await errorOf(call('GET', pathOf('yours'), undefined, { bearer }))).toMatchObject(forbidden)
    expect(await errorOf(call('PATCH', pathOf('yours'), { name: 'x' }, { bearer }))).toMatchObject(forbidden)
  })
})

test('a suspended account is denied what asks; what records or gives back goes on; resumed, it is as before', async () => {
  const [namespace, account] = [await mintNamespace(), mintAccount()]
  await grant(namespace, account)
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory', quantity: 5 })
  const hold = { account_id: account, resource: 'benchmark_runs', quantity: 2, ttl_seconds: 600 }
  const item = { account_id: account, resource: 'named_users' }
  const lease = textAt(await bodyOf(201, acquire(namespace, account, 'ada')), 'lease.lease_id')
  const held = await bodyOf(201, namespace.call('POST', '/v1/reservations', { ...hold, ...key() }))
  const freed = await bodyOf(201, namespace.call('POST', '/v1/reservations', { ...hold, ...key() }))
  await bodyOf(201, namespace.call('POST', '/v1/inventory', { ...item, item: 'ada' }))

  await patch(namespace, account, { status: 'suspended' })
  const denied = { allowed: false, outcome: 'block', reason: 'account_suspended' }
  expect(await check(namespace, account)).toMatchObject(denied)
  expect(await bodyOf(200, consume(namespace, account))).toMatchObject({ ...denied, entry: null })
  expect(await bodyOf(200, namespace.call('POST', '/v1/reservations', { ...hold, ...key() }))).toMatchObject({
    ...denied,
    reservation: null,
  })
  expect(await bodyOf(200, acquire(namespace, account, 'bob'))).toMatchObject({ ...denied, lease: null })
  expect(await bodyOf(200, namespace.call('POST', '/v1/inventory', { ...item, item: 'bob' }))).toMatchObject({
    ...denied,
    item: null,
  })
  expect(await bodyOf(201, meter(namespace, account))).toMatchObject({ over_limit: false })
  const of = (answer: typeof held) => `/v1/reservations/${textAt(answer, 'reservation.reservation_id')}`
  await bodyOf(200, namespace.call('POST', `${of(held)}/commit`, {}))
  await bodyOf(200, namespace.call('POST', `${of(freed)}/release`, {}))
  await bodyOf(200, namespace.call('POST', `/v1/leases/${lease}/heartbeat`, {}))
  await bodyOf(200, namespace.call('DELETE', `/v1/leases/${lease}`))
  await bodyOf(200, namespace.call('DELETE', `/v1/inventory/named_users/ada?account_id=${account}`))

  await patch(namespace, account, { status: 'active' })
  expect(await check(namespace, account)).toMatchObject({ allowed: true, used: 3 })
  expect(await bodyOf(201, consume(namespace, account))).toMatchObject({ allowed: true, used: 4 })
})

test('a new timezone starts with the next window', async () => {
  const [namespace, account] = [await mintNamespace(), mintAccount()]
  await setClock(namespace, '2027-01-20T00:00:00Z')
  await grant(namespace, account, { window: 'calendar_month', effective_start: '2026-12-01T00:00:00Z' })
  const january = { type: 'calendar_month', start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z' }
  expect(await bodyOf(201, consume(namespace, account))).toMatchObject({ window: january })
  await patch(namespace, account, { timezone: 'Asia/Tokyo' })
  expect(await check(namespace, account)).toMatchObject({ used: 1, window: january })
  await setClock(namespace, '2027-02-01T00:00:00Z')
  expect(await check(namespace, account)).toMatchObject({
    used: 0,
    window: { type: 'calendar_month', start: january.end, end: '2027-02-28T15:00:00Z' },
  })
})

describe('everything that an account holds comes in one call, each with its state:', () => {
  test('limit, used, held, remaining, overage_quantity, window, resets_at of each limit kind and window', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await setClock(namespace, '2027-01-20T00:00:00Z')
    await bodyOf(200, namespace.call('PUT', '/v1/plans/p', { name: 'P' }))
    for (const name of ['monthly', 'cycle', 'rolling', 'pack', 'endless'])
      await bodyOf(201, namespace.call('POST', '/v1/resources', { resource: name, unit: 'count', name }))
    const start = { effective_start: '2027-01-10T06:00:00Z' }
    await grant(namespace, account, { resource: 'monthly', window: 'calendar_month', quantity: 10, ...start })
    await grant(namespace, account, { resource: 'cycle', window: 'billing_cycle', quantity: 10, ...start })
    await grant(namespace, account, { resource: 'rolling', window: 'rolling_30d', quantity: 10, ...start })
    const end = { effective_end: '2027-06-01T00:00:00Z' }
    await grant(namespace, account, { resource: 'pack', window: 'none', quantity: 10, ...start, ...end })
    await grant(namespace, account, { resource: 'endless', window: 'none', quantity: null, ...start })
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 })
    await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory', quantity: 3 })
    await grant(namespace, account, { resource: 'platform_access', limit_kind: 'time_access', quantity: null, ...end })
    await rule(namespace, account, { resource: 'monthly', action: 'overage' })
    for (const resource of ['monthly', 'cycle', 'rolling', 'pack', 'endless']) {
      const quantity = resource === 'monthly' ? 12 : 4
      await bodyOf(201, meter(namespace, account, { resource, quantity }))
      const hold = { ...key(), account_id: account, resource, quantity: 1, ttl_seconds: 600 }
      await bodyOf(201, namespace.call('POST', '/v1/reservations', hold))
    }
    await bodyOf(201, acquire(namespace, account, 'ada', { units: 2 }))
    await bodyOf(201, meter(namespace, account, { resource: 'named_users', quantity: 2 }))
    const held = listAt(await bodyOf(200, namespace.call('GET', `${pathOf(account)}/entitlements`)), 'data')
    const states = Object.fromEntries(held.map((each) => [textAt(each, 'resource'), at(each, 'state')]))
    const some = { limit: 10, used: 4, held: 1, remaining: 5, overage_quantity: 0 }
    const until = (type: string, from: string, to: string | null) => ({ type, start: from, end: to })
    const january = until('calendar_month', '2027-01-01T00:00:00Z', '2027-02-01T00:00:00Z')
    const cycle = until('billing_cycle', '2027-01-10T06:00:00Z', '2027-02-10T06:00:00Z')
    const stock = { limit: 3, used: 2, held: 0, remaining: 1, overage_quantity: 0, window: null, resets_at: null }
    expect(states).toMatchObject({
      monthly: {
        ...{ limit: 10, used: 12, held: 1, remaining: 0, overage_quantity: 3 },
        ...{ window: january, resets_at: january.end },
      },
      cycle: { ...some, window: cycle, resets_at: cycle.end },
      rolling: {
        ...some,
        window: until('rolling_30d', expect.stringMatching(/^2026-12-21T00:0/), null),
        resets_at: null,
      },
      pack: { ...some, window: until('none', start.effective_start, end.effective_end), resets_at: null },
      endless: {
        ...some,
        ...{ limit: null, remaining: null },
        ...{ window: until('none', start.effective_start, null), resets_at: null },
      },
      concurrent_users: stock,
      named_users: stock,
      platform_access: {
        ...{ limit: null, used: 0, held: 0, remaining: null, overage_quantity: 0, window: null, resets_at: null },
      },
    })
  })

  test('what is not in force has a state of zeros', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await grant(namespace, account, { effective_start: '2090-01-01T00:00:00Z', window: 'calendar_month' })
    const [scheduled] = listAt(await bodyOf(200, namespace.call('GET', `${pathOf(account)}/entitlements`)), 'data')
    expect(scheduled).toMatchObject({
      status: 'scheduled',
      state: { limit: 0, used: 0, held: 0, remaining: 0, overage_quantity: 0, window: null, resets_at: null },
    })
  })
})
