import { describe, expect, test } from 'vitest'
import { type CallOptions, mintAccount, mintNamespace, mintToken } from '../support/edge.ts'
import { bodyOf, check, errorOf, grant, INSTANT, invalid, meter, UUID } from '../support/edge-commands.ts'
import { at, type JsonObject, listAt } from '../support/json-path.ts'

const resource = 'named_users'

async function owner(quantity = 3) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { resource, limit_kind: 'inventory', quantity })
  const assign = (item: string, fields: JsonObject = {}, options?: CallOptions) =>
    namespace.call('POST', '/v1/inventory', { account_id: account, resource, item, ...fields }, options)
  const release = (item: string, query = `?account_id=${account}`, options?: CallOptions) =>
    namespace.call('DELETE', `/v1/inventory/${resource}/${encodeURIComponent(item)}${query}`, undefined, options)
  const list = (query = '') => bodyOf(200, namespace.call('GET', `/v1/inventory${query}`))
  const ask = () => check(namespace, account, { resource, for: 'assign' })
  return { namespace, account, assign, release, list, ask }
}

const one = (account: string, item: string) => ({
  item,
  account_id: account,
  resource,
  scope: null,
  assigned_at: INSTANT,
  entry_id: UUID,
  metadata: {},
})

describe('assigning', () => {
  test('is a 201 with the decision after it and the item', async () => {
    const { assign, account } = await owner()
    const counts = { limit: 3, used: 1, held: 0, remaining: 2 }
    expect(await bodyOf(201, assign('ada@acme.example', { scope: 'us', metadata: { team: 'x' } }))).toEqual({
      allowed: true,
      outcome: 'allow',
      reason: 'within_limit',
      account_id: account,
      resource,
      scope: 'us',
      quantity: 1,
      ...counts,
      window: null,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [{ limit_kind: 'inventory', ...counts, outcome: 'allow', reason: 'within_limit', window: null }],
      source: 'postgres',
      as_of: INSTANT,
      degraded: false,
      item: { ...one(account, 'ada@acme.example'), scope: 'us', metadata: { team: 'x' } },
      duplicate: false,
    })
  })

  test('what is owned already is a 200 with the first answer, and counts once', async () => {
    const { assign, ask } = await owner()
    const first = await bodyOf(201, assign('ada'))
    await bodyOf(201, assign('bob'))
    expect(await bodyOf(200, assign('ada'))).toEqual({ ...first, duplicate: true })
    expect(await ask()).toMatchObject({ used: 2 })
  })

  test('what is owned in another scope is a 409', async () => {
    const { assign } = await owner()
    await bodyOf(201, assign('ada', { scope: 'us' }))
    expect(await errorOf(assign('ada', { scope: 'eu' }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'idempotency_conflict',
      param: 'scope',
    })
  })

  test('beyond the limit is denied', async () => {
    const { assign } = await owner(1)
    await bodyOf(201, assign('ada'))
    expect(await bodyOf(200, assign('bob'))).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
      used: 1,
      item: null,
      duplicate: false,
    })
  })

  test('needs an inventory entitlement', async () => {
    const { namespace, account, assign } = await owner()
    await grant(namespace, account, { resource: 'ai_models', limit_kind: 'cumulative' })
    await grant(namespace, account, { resource: 'ai_models', limit_kind: 'concurrency' })
    const denied = { allowed: false, reason: 'no_entitlement', item: null }
    expect(await bodyOf(200, assign('m', { resource: 'ai_models' }))).toMatchObject(denied)
    expect(await bodyOf(200, assign('m', { account_id: mintAccount() }))).toMatchObject(denied)
  })

  test('is a ledger entry of 1, and a release one of -1: the count is the sum of the ledger', async () => {
    const { namespace, account, assign, release, ask } = await owner()
    const assigned = await bodyOf(201, assign('ada'))
    await bodyOf(201, assign('bob'))
    const released = await bodyOf(200, release('ada'))
    const ledger = await bodyOf(200, namespace.call('GET', `/v1/ledger?account_id=${account}`))
    const entries = listAt(ledger, 'data')
    expect(entries.map((entry) => [at(entry, 'quantity'), at(entry, 'kind')])).toEqual([
      [-1, 'usage'],
      [1, 'usage'],
      [1, 'usage'],
    ])
    expect(entries[0]).toEqual(at(released, 'entry'))
    expect(at(entries[2] ?? null, 'entry_id')).toBe(at(assigned, 'item.entry_id'))
    expect(await ask()).toMatchObject({ used: 1 })
  })

  test.each([
    [{ item: undefined }, 'item'],
    [{ item: '' }, 'item'],
    [{ item: 'x'.repeat(256) }, 'item'],
    [{ item: 'a\nb' }, 'item'],
    [{ item: '.' }, 'item'],
    [{ item: '..' }, 'item'],
    [{ item: 1 }, 'item'],
    [{ account_id: undefined }, 'account_id'],
    [{ scope: 'us//x' }, 'scope'],
    [{ metadata: 'x' }, 'metadata'],
    [{ quantity: 1 }, 'quantity'],
    [{ idempotency_key: 'k' }, 'idempotency_key'],
  ])('refuses %o', async (fields, param) => {
    const namespace = await mintNamespace()
    const body = { account_id: 'a', resource, item: 'i', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/inventory', body))).toEqual(invalid(param))
  })

  test('7 at once at 5 give 5', async () => {
    const { assign, ask } = await owner(5)
    const answers = await Promise.all(Array.from({ length: 7 }, (_, n) => assign(`user-${n}`)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5)
    expect(answers.filter(({ status, body }) => status === 200 && body['allowed'] === false)).toHaveLength(2)
    expect(await ask()).toMatchObject({ used: 5, remaining: 0 })
  })
})

describe('releasing', () => {
  test('is a 200 with the item, its entry and what is left; it may be assigned again', async () => {
    const { account, assign, release } = await owner(1)
    await bodyOf(201, assign('ada'))
    expect(await bodyOf(200, release('ada'))).toEqual({
      item: one(account, 'ada'),
      entry: expect.objectContaining({ quantity: -1, metadata: { item: 'ada' } }),
      state: { limit: 1, used: 0, held: 0, remaining: 1 },
    })
    await bodyOf(201, assign('ada'))
  })

  test.each([
    'us/h100/0',
    '50%',
    '%2F',
    'a b+c',
    'ä 🦄',
    'x?account_id=y#z',
    '...',
    "o'brien; drop table",
    'x'.repeat(255),
    '🦄'.repeat(255),
    '\\',
  ])('takes any printable name: %s', async (item) => {
    const { account, assign, release, list } = await owner()
    await bodyOf(201, assign(item))
    expect(await list(`?account_id=${account}`)).toMatchObject({ data: [{ item }] })
    expect(await bodyOf(200, release(item))).toMatchObject({ item: { item } })
  })

  test('of what is not owned is a 404', async () => {
    const { namespace, account, assign, release } = await owner()
    await bodyOf(201, assign('ada'))
    const missing = { status: 404, type: 'not_found', code: 'not_found', param: 'item' }
    expect(await errorOf(release('bob'))).toEqual(missing)
    expect(await errorOf(release('ada', '?account_id=stranger'))).toEqual(missing)
    const stranger = await mintNamespace()
    const path = `/v1/inventory/${resource}/ada?account_id=${account}`
    expect(await errorOf(stranger.call('DELETE', path))).toEqual(missing)
    await bodyOf(200, release('ada'))
    expect(await errorOf(release('ada'))).toEqual(missing)
    expect(await errorOf(namespace.call('DELETE', `/v1/inventory/unicorns/ada?account_id=${account}`))).toEqual({
      ...invalid('resource'),
      code: 'unknown_resource',
    })
  })

  test.each([
    ['', 'account_id'],
    ['?account_id=', 'account_id'],
    ['?account_id=a&item=b', 'item'],
  ])('refuses the query "%s"', async (query, param) => {
    const { release } = await owner()
    expect(await errorOf(release('ada', query))).toEqual(invalid(param))
  })
})

test('what is metered never goes below the items', async () => {
  const { namespace, account, assign } = await owner()
  await bodyOf(201, assign('ada'))
  await bodyOf(201, meter(namespace, account, { resource }))
  expect(await bodyOf(201, meter(namespace, account, { resource, quantity: -1 }))).toMatchObject({ state: { used: 1 } })
  expect(await errorOf(meter(namespace, account, { resource, quantity: -1 }))).toMatchObject({
    status: 409,
    code: 'negative_balance',
  })
})

describe('the list', () => {
  test('shows who owns what, newest first, by account and resource, in pages', async () => {
    const { namespace, account, assign, list } = await owner()
    const other = mintAccount()
    for (const each of [resource, 'ai_models'])
      await grant(namespace, other, { resource: each, limit_kind: 'inventory' })
    await bodyOf(201, assign('a'))
    await bodyOf(201, assign('b'))
    await bodyOf(201, assign('c', { account_id: other }))
    await bodyOf(201, assign('d', { account_id: other, resource: 'ai_models' }))
    const names = async (query: string) => listAt(await list(query), 'data').map((item) => at(item, 'item'))
    expect(await names('')).toEqual(['d', 'c', 'b', 'a'])
    expect(await names(`?account_id=${account}`)).toEqual(['b', 'a'])
    expect(await names(`?resource=${resource}`)).toEqual(['c', 'b', 'a'])
    expect(await names(`?account_id=${other}&resource=ai_models`)).toEqual(['d'])
    expect(await names('?account_id=nobody')).toEqual([])
    expect(await list(`?account_id=${account}`)).toMatchObject({ data: [one(account, 'b'), one(account, 'a')] })
    const first = await list('?limit=3')
    expect(first).toMatchObject({ has_more: true, next_cursor: expect.any(String) })
    expect(await names(`?limit=3&cursor=${at(first, 'next_cursor')}`)).toEqual(['a'])
  })

  test.each([
    ['?limit=0', invalid('limit')],
    ['?cursor=x', invalid('cursor')],
    ['?item=a', invalid('item')],
    ['?resource=unicorns', { ...invalid('resource'), code: 'unknown_resource' }],
  ])('refuses %s', async (query, expected) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('GET', `/v1/inventory${query}`))).toEqual(expected)
  })

  test.each(['read', 'meter'])('may be read with the scope %s', async (scope) => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, scope)
    await bodyOf(200, namespace.call('GET', '/v1/inventory', undefined, { bearer }))
  })
})

test('a token that is bound to an account acts on that one only', async () => {
  const { namespace, account, assign, release } = await owner()
  await bodyOf(201, assign('ada'))
  const other = { bearer: await mintToken(namespace.name, 'meter', { sub: 'another' }) }
  const forbidden = { status: 403, code: 'account_forbidden' }
  expect(await errorOf(assign('bob', {}, other))).toMatchObject(forbidden)
  expect(await errorOf(release('ada', undefined, other))).toMatchObject(forbidden)
  const list = (query: string, options: CallOptions) =>
    namespace.call('GET', `/v1/inventory${query}`, undefined, options)
  expect(await errorOf(list(`?account_id=${account}`, other))).toMatchObject(forbidden)
  expect(await bodyOf(200, list('', other))).toMatchObject({ data: [] })
  const own = { bearer: await mintToken(namespace.name, 'meter', { sub: account }) }
  expect(await bodyOf(200, list('', own))).toMatchObject({ data: [{ item: 'ada' }] })
  await bodyOf(200, release('ada', undefined, own))
  const reader = { bearer: await mintToken(namespace.name, 'read') }
  expect(await errorOf(assign('bob', {}, reader))).toMatchObject({ status: 403, code: 'missing_scope' })
  expect(await errorOf(release('ada', undefined, reader))).toMatchObject({ status: 403, code: 'missing_scope' })
})
