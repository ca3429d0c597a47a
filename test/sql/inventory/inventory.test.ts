import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  assign,
  at,
  check,
  consume,
  grant,
  listAt,
  meter,
  ruleFor,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const resource = 'named_users'

/** An account with so many named users, in a namespace of its own. */
async function owner(quantity: number | null = 3, fields: Answer = {}) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const entitlement = await grant(account, { resource, limit_kind: 'inventory', quantity, ...fields }, namespace)
  return {
    namespace,
    account,
    entitlement: textAt(entitlement, 'entitlement_id'),
    assign: (item: string, more: Answer = {}) => assign(account, item, more, namespace),
    release: (item: string, more: Answer = {}) => unassign(account, item, more, namespace),
    ask: (question: Answer = {}) => check(account, { resource, purpose: 'assign', ...question }, namespace),
    meter: (quantity: number, more: Answer = {}) => meter(account, { resource, quantity, ...more }, namespace),
    entries: async () =>
      listAt(await api('api_ledger_list', { account_id: account, resource }, token(namespace)), 'data'),
  }
}

describe('an assignment', () => {
  it('is a decision with the counts after it, the item, and an entry of 1', async () => {
    const { assign, entries, account, ask } = await owner()
    const assigned = await assign('ada@acme.example', { metadata: { team: 'x' } })
    expect(assigned).toMatchObject({
      allowed: true,
      reason: 'within_limit',
      quantity: 1,
      limit: 3,
      used: 1,
      remaining: 2,
      window: null,
      duplicate: false,
      item: { item: 'ada@acme.example', account_id: account, resource, scope: null, metadata: { team: 'x' } },
    })
    expect(await entries()).toMatchObject([
      {
        entry_id: at(assigned, 'item.entry_id'),
        quantity: 1,
        included_quantity: 1,
        kind: 'usage',
        reverses: null,
        metadata: { team: 'x', item: 'ada@acme.example' },
      },
    ])
    expect(await ask()).toMatchObject({ used: 1 })
  })

  it('leaves nothing personal in the ledger but a salted hash', async () => {
    const { assign, namespace } = await owner()
    await assign('ada@acme.example')
    const [row] = await sql<{ entry: string; hash: Buffer; salt: Buffer; metadata: string }>(
      `select to_json(l)::text as entry, l.details_hash as hash, d.salt, d.metadata::text as metadata
       from consumption_ledger l join ledger_details d using (entry_id) where namespace_id = $1`,
      [namespace],
    )
    expect(row?.entry).not.toContain('acme')
    expect(row?.metadata).toContain('acme')
    const hash = createHash('sha256')
    hash.update(row?.salt ?? '')
    hash.update(row?.metadata ?? '')
    expect(row?.hash).toEqual(hash.digest())
  })

  it('of what is owned already is the first answer again, and counts once', async () => {
    const { assign, ask, account, namespace } = await owner(1)
    const first = await assign('ada', { metadata: { a: 1 } })
    expect(await assign('ada', { metadata: { b: 2 } })).toEqual({ ...first, duplicate: true })
    await sql("update accounts set status = 'suspended' where account_id = $1", [await accountId(account, namespace)])
    expect(await assign('ada')).toEqual({ ...first, duplicate: true })
    expect(await ask({ quantity: 0 })).toMatchObject({ used: 1 })
  })

  it('in another scope than the one it is owned in is a conflict', async () => {
    const { assign, ask } = await owner()
    await assign('ada', { scope: 'us' })
    for (const scope of [null, 'us/h100', 'eu'])
      expect(await errorOf(assign('ada', { scope }))).toMatchObject({
        status: 409,
        code: 'idempotency_conflict',
        param: 'scope',
      })
    expect(await ask()).toMatchObject({ used: 1 })
  })

  it('of the same name under another resource or account is another item', async () => {
    const { assign, account, namespace } = await owner()
    await grant(account, { resource: 'ai_models', limit_kind: 'inventory' }, namespace)
    const other = mintAccount()
    await grant(other, { resource, limit_kind: 'inventory' }, namespace)
    await assign('ada')
    expect(await assign('ada', { resource: 'ai_models' })).toMatchObject({ allowed: true, duplicate: false })
    expect(await assign('ada', { account_id: other })).toMatchObject({ allowed: true, duplicate: false, used: 1 })
  })

  it('denied writes nothing', async () => {
    const { assign, account, namespace } = await owner(1)
    await assign('ada')
    const id = await accountId(account, namespace)
    const state = () => sql('select s.*, s.xmin::text from resource_state s where account_id = $1', [id])
    const before = await state()
    expect(await assign('bob')).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
      used: 1,
      item: null,
      duplicate: false,
    })
    expect(await state()).toEqual(before)
    expect(await assign('bob', { account_id: mintAccount() })).toMatchObject({ reason: 'no_entitlement', item: null })
  })

  it.each(['cumulative', 'concurrency', 'time_access'])(
    'needs an inventory entitlement, not %s',
    async (limit_kind) => {
      const { assign } = await owner(5, { limit_kind })
      expect(await assign('ada')).toMatchObject({ allowed: false, reason: 'no_entitlement' })
    },
  )

  it('is of the stock, also where a cumulative entitlement is in force too', async () => {
    const { assign, account, namespace, ask } = await owner(2)
    await grant(account, { resource, quantity: 5, window: 'calendar_month' }, namespace)
    expect(await assign('ada')).toMatchObject({ allowed: true, limit: 2, used: 1 })
    expect(await ask()).toMatchObject({ used: 1 })
    expect(await check(account, { resource, purpose: 'consume' }, namespace)).toMatchObject({ limit: 5, used: 0 })
    expect(await audit(namespace)).toEqual({})
  })

  it('of a suspended account is denied, while a release goes on', async () => {
    const { assign, release, account, namespace } = await owner()
    await assign('ada')
    await sql("update accounts set status = 'suspended' where account_id = $1", [await accountId(account, namespace)])
    expect(await assign('bob')).toMatchObject({ allowed: false, reason: 'account_suspended' })
    expect(await release('ada')).toMatchObject({ state: { used: 0 } })
  })

  it('over the limit goes as far as the action permits', async () => {
    const { assign, account, namespace } = await owner(1)
    await ruleFor(account, { resource, limit_kind: 'inventory', action: 'overage', overage_cap: 1 }, namespace)
    await assign('a')
    expect(await assign('b')).toMatchObject({ outcome: 'overage', used: 2, overage: { quantity: 1 } })
    expect(await assign('c')).toMatchObject({ allowed: false, reason: 'overage_cap_reached' })
  })

  it.each(['', 'x'.repeat(256)])('refuses a name of no or too many characters', async (item) => {
    const { assign } = await owner()
    expect(await errorOf(assign(item))).toMatchObject({ status: 400, code: 'invalid_parameter', param: 'item' })
  })
})

describe('a release', () => {
  it('gives the item back by an entry of -1, and it may be assigned again', async () => {
    const { assign, release, entries, namespace } = await owner(1)
    const first = await assign('ada', { scope: 'us', metadata: { a: 1 } })
    const released = await release('ada')
    expect(released).toMatchObject({
      item: at(first, 'item'),
      entry: { quantity: -1, scope: 'us', kind: 'usage', metadata: { a: 1, item: 'ada' } },
      state: { limit: 1, used: 0, held: 0, remaining: 1 },
    })
    const second = await assign('ada')
    expect(second).toMatchObject({ allowed: true, duplicate: false, item: { scope: null, metadata: {} } })
    expect((await entries()).map((entry) => [at(entry, 'quantity'), at(entry, 'entry_id')])).toEqual([
      [1, at(second, 'item.entry_id')],
      [-1, at(released, 'entry.entry_id')],
      [1, at(first, 'item.entry_id')],
    ])
    expect(await audit(namespace)).toEqual({})
  })

  it('of what is not owned is 404', async () => {
    const { assign, release, account, namespace } = await owner()
    await assign('ada')
    const missing = { status: 404, code: 'not_found', param: 'item' }
    expect(await errorOf(release('bob'))).toMatchObject(missing)
    expect(await errorOf(release('ada', { resource: 'ai_models' }))).toMatchObject(missing)
    expect(await errorOf(release('ada', { account_id: mintAccount() }))).toMatchObject(missing)
    expect(await errorOf(unassign(account, 'ada', {}, await mintNamespace()))).toMatchObject(missing)
    await release('ada')
    expect(await errorOf(release('ada'))).toMatchObject(missing)
    expect(await audit(namespace)).toEqual({})
  })

  it('works when the entitlement has ended', async () => {
    const { assign, release, entitlement, namespace } = await owner()
    await assign('ada')
    await api('api_entitlement_revoke', { entitlement_id: entitlement }, token(namespace))
    expect(await release('ada')).toMatchObject({ state: { limit: 0, used: 0 } })
    expect(await audit(namespace)).toEqual({})
  })

  it('shows what is left when others hold more than there is', async () => {
    const { assign, release, account, namespace } = await owner(2, { priority: 1 })
    await grant(account, { resource, limit_kind: 'inventory', quantity: 0, priority: 2 }, namespace)
    await ruleFor(account, { resource, limit_kind: 'inventory', action: 'warn' }, namespace)
    for (const item of ['a', 'b', 'c']) await assign(item)
    const hold = { idempotency_key: 'k', account_id: account, resource, quantity: 1, ttl_seconds: 60 }
    await api('api_reservation_create', hold, token(namespace))
    expect(await release('a')).toMatchObject({ state: { used: 2, held: 1, remaining: 0 } })
    expect(await release('b')).toMatchObject({ state: { used: 1, held: 1, remaining: 0 } })
    expect(await release('c')).toMatchObject({ state: { used: 0, held: 1, remaining: 1 } })
  })
})

describe('items beside what is metered', () => {
  it('neither metering nor reversal goes below the number of items', async () => {
    const { assign, release, meter, ask, namespace } = await owner(5)
    const entry = await meter(1)
    await assign('ada')
    await assign('bob', { scope: 'us' })
    expect(await ask()).toMatchObject({ used: 3 })
    expect(await meter(-1)).toMatchObject({ state: { used: 2 } })
    expect(await errorOf(meter(-1))).toMatchObject({ status: 409, code: 'negative_balance' })
    expect(await errorOf(meter(-1, { scope: 'us' }))).toMatchObject({ code: 'negative_balance' })
    const reverse = { entry_id: at(entry, 'entry.entry_id'), idempotency_key: 'r' }
    expect(await errorOf(api('api_ledger_reverse', reverse, token(namespace)))).toMatchObject({
      code: 'negative_balance',
    })
    await release('ada')
    expect(await errorOf(meter(-1))).toMatchObject({ code: 'negative_balance' })
    expect(await audit(namespace)).toEqual({})
  })

  it('an entry of an item is not reversible: the item is released', async () => {
    const { assign, release, namespace } = await owner()
    const assigned = await assign('ada')
    const released = await release('ada')
    for (const entry_id of [at(assigned, 'item.entry_id'), at(released, 'entry.entry_id')])
      expect(
        await errorOf(api('api_ledger_reverse', { entry_id, idempotency_key: 'r' }, token(namespace))),
      ).toMatchObject({ status: 409, code: 'not_reversible' })
  })

  it('consume draws on the same stock', async () => {
    const { assign, account, namespace } = await owner(2)
    await consume(account, { resource, quantity: 1 }, namespace)
    expect(await assign('ada')).toMatchObject({ allowed: true, used: 2 })
    expect(await assign('bob')).toMatchObject({ allowed: false })
  })
})

it('the list: newest first, by account and resource, page by page', async () => {
  const { assign, account, namespace } = await owner(10)
  const other = mintAccount()
  for (const each of ['ai_models', resource])
    await grant(other, { resource: each, limit_kind: 'inventory', quantity: 10 }, namespace)
  for (const item of ['a', 'b', 'c']) await assign(item)
  await assign('d', { account_id: other })
  await assign('e', { account_id: other, resource: 'ai_models' })
  const list = (request: Answer) => api('api_inventory_list', request, token(namespace))
  const names = async (request: Answer) => listAt(await list(request), 'data').map((item) => at(item, 'item'))
  expect(await names({})).toEqual(['e', 'd', 'c', 'b', 'a'])
  expect(await names({ account_id: account })).toEqual(['c', 'b', 'a'])
  expect(await names({ resource })).toEqual(['d', 'c', 'b', 'a'])
  expect(await names({ account_id: other, resource })).toEqual(['d'])
  expect(await names({ account_id: mintAccount() })).toEqual([])
  const first = await list({ limit: 2 })
  expect(first).toMatchObject({ has_more: true, data: [{ item: 'e', account_id: other }, { item: 'd' }] })
  const second = await list({ limit: 3, cursor: at(first, 'next_cursor') })
  expect(second).toMatchObject({
    has_more: false,
    next_cursor: null,
    data: [{ item: 'c' }, { item: 'b' }, { item: 'a' }],
  })
  expect(await errorOf(list({ cursor: 'x' }))).toMatchObject({ status: 400, param: 'cursor' })
  expect(await errorOf(list({ resource: 'unicorns' }))).toMatchObject({ code: 'unknown_resource' })
  expect(await names({ limit: 1 })).toEqual(['e'])
})

it('each step moves the version of its key', async () => {
  const { assign, release, account, namespace } = await owner()
  const id = await accountId(account, namespace)
  const version = async () =>
    Number(await sqlValue('select key_version from resource_state where account_id = $1', [id]))
  const start = await version()
  await assign('ada')
  expect(await version()).toBe(start + 1)
  await assign('ada')
  expect(await version()).toBe(start + 1)
  await release('ada')
  expect(await version()).toBe(start + 2)
})

it('in SQL: fn_assign_item and fn_release_item', async () => {
  const account = mintAccount()
  await grant(account, { resource, limit_kind: 'inventory', quantity: 1 })
  const id = await accountId(account)
  expect(await sql(`select * from fn_assign_item($1, 'named_users', 'ada')`, [id])).toMatchObject([
    {
      assigned: true,
      entry_id: expect.any(String),
      reason: 'within_limit',
      quantity_limit: '1',
      used: '1',
      remaining: '0',
    },
  ])
  expect(
    await sql(`select assigned, entry_id, reason from fn_assign_item($1, 'named_users', 'bob', 'us')`, [id]),
  ).toEqual([{ assigned: false, entry_id: null, reason: 'limit_exceeded' }])
  for (const [wrong, param] of [
    [`E'a\\nb'`, 'item'],
    [`'bob', ''`, 'scope'],
    [`'bob', null, '[]'`, 'metadata'],
  ])
    expect(await errorOf(sql(`select * from fn_assign_item($1, 'named_users', ${wrong})`, [id]))).toMatchObject({
      status: 400,
      param,
    })
  expect(await sqlValue(`select fn_release_item($1, 'named_users', 'ada')`, [id])).toBe(true)
  expect(await errorOf(sql(`select fn_release_item($1, 'named_users', 'ada')`, [id]))).toMatchObject({ status: 404 })
})
