import { describe, expect, it } from 'vitest'
import { accountId, check, grant, meter } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

let keys = 0
const entry = (account: string, fields: Answer = {}): Answer => ({
  idempotency_key: `b-${keys++}`,
  account_id: account,
  resource: 'benchmark_runs',
  quantity: 1,
  ...fields,
})

async function batch(entries: Answer[], namespace = 'default'): Promise<Answer[]> {
  return (await api('api_meter_batch', { entries }, token(namespace)))['results'] as Answer[]
}

it('mixed outcomes stand alone', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 10 })
  const results = await batch([
    entry(account, { quantity: 4, idempotency_key: 'a', metadata: { n: 1 } }),
    entry(account, { resource: 'nothing_such' }),
    entry(account, { quantity: 4, idempotency_key: 'a' }),
    entry(account, { quantity: 5, idempotency_key: 'a' }),
    entry(account, { quantity: 0 }),
    entry(account, { unit: 'hours' }),
    entry(account, { quantity: -1 }),
    entry(account, { occurred_at: '2199-01-01T00:00:00Z' }),
    entry(account, { quantity: 9, idempotency_key: 'b' }),
  ])
  const invalid = (code: string, param: string) => ({
    status: 'invalid',
    entry: null,
    error: { type: 'invalid_request', code, param },
  })
  expect(results).toMatchObject([
    {
      status: 'recorded',
      error: null,
      entry: { quantity: 4, included_quantity: 4, metadata: { n: 1 }, account_id: account },
    },
    invalid('unknown_resource', 'resource'),
    { status: 'duplicate', error: null, entry: { quantity: 4, metadata: { n: 1 } } },
    {
      status: 'conflict',
      entry: null,
      error: { type: 'conflict', code: 'idempotency_conflict', param: 'idempotency_key' },
    },
    invalid('invalid_parameter', 'quantity'),
    invalid('unit_mismatch', 'unit'),
    invalid('invalid_parameter', 'quantity'),
    invalid('invalid_parameter', 'occurred_at'),
    { status: 'recorded', error: null, entry: { quantity: 9, included_quantity: 6, excess_quantity: 3 } },
  ])
  expect(results.map((result) => result['index'])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(await check(account)).toMatchObject({ used: 13 })
})

it('an entry keeps the index that the Worker gave it', async () => {
  const account = mintAccount()
  const results = await batch([entry(account, { index: 7 }), entry(account, { index: 3 })])
  expect(results.map((result) => result['index'])).toEqual([7, 3])
})

describe('what is refused does not use up its key', () => {
  it('in a later request', async () => {
    const account = mintAccount()
    await batch([
      entry(account, { idempotency_key: 'k', occurred_at: '2199-01-01T00:00:00Z' }),
      entry(account, { idempotency_key: 'l', unit: 'hours' }),
    ])
    for (const idempotency_key of ['k', 'l']) {
      expect(await meter(account, { idempotency_key, quantity: 2 })).toMatchObject({ duplicate: false })
    }
  })

  it('nor make its twin in the batch a duplicate of nothing', async () => {
    const account = mintAccount()
    const future = { idempotency_key: 'k', occurred_at: '2199-01-01T00:00:00Z' }
    expect(await batch([entry(account, future), entry(account, future)])).toMatchObject([
      { status: 'invalid', entry: null, error: { param: 'occurred_at' } },
      { status: 'invalid', entry: null, error: { param: 'occurred_at' } },
    ])
    expect(await meter(account, { idempotency_key: 'k' })).toMatchObject({ duplicate: false })
  })

  it('so whoever else in the batch has it takes it: the first that can', async () => {
    const account = mintAccount()
    const ahead = { idempotency_key: 'k', occurred_at: '2199-01-01T00:00:00Z' }
    const results = await batch([
      entry(account, ahead),
      entry(account, { idempotency_key: 'k', quantity: -1 }),
      entry(account, { idempotency_key: 'l', quantity: -1 }),
      entry(account, { idempotency_key: 'k', resource: 'gpu_hours', quantity: 3 }),
      entry(account, { idempotency_key: 'k', resource: 'gpu_hours', quantity: 3 }),
      entry(account, { idempotency_key: 'k', quantity: 4 }),
      entry(account, ahead),
      entry(account, { idempotency_key: 'l', quantity: 1 }),
    ])
    expect(results).toMatchObject([
      { status: 'invalid', error: { param: 'occurred_at' } },
      { status: 'invalid', error: { param: 'quantity' } },
      { status: 'invalid', error: { param: 'quantity' } },
      { status: 'recorded', entry: { resource: 'gpu_hours', quantity: 3 } },
      { status: 'duplicate', entry: { resource: 'gpu_hours', quantity: 3 } },
      { status: 'conflict', entry: null, error: { code: 'idempotency_conflict' } },
      { status: 'invalid', error: { param: 'occurred_at' } },
      { status: 'recorded', entry: { resource: 'benchmark_runs', quantity: 1 } },
    ])
    expect(await meter(account, { idempotency_key: 'l' })).toMatchObject({ duplicate: true, entry: { quantity: 1 } })
    expect(
      await sql('select idempotency_key from idempotency_keys where account_id = $1 order by 1', [
        await accountId(account),
      ]),
    ).toEqual([{ idempotency_key: 'k' }, { idempotency_key: 'l' }])
  })

  it('a balance that would be negative fails alone', async () => {
    const account = mintAccount()
    const resource = 'server_configs'
    await grant(account, { resource, limit_kind: 'inventory', quantity: 5 })
    const results = await batch([
      entry(account, { resource, quantity: -1, idempotency_key: 'k' }),
      entry(account, { resource, quantity: 2 }),
      entry(account, { resource, quantity: -3 }),
      entry(account, { resource, quantity: -2 }),
    ])
    const refused = {
      status: 'invalid',
      entry: null,
      error: { type: 'conflict', code: 'negative_balance', param: 'quantity' },
    }
    expect(results).toMatchObject([
      refused,
      { status: 'recorded' },
      refused,
      { status: 'recorded', entry: { quantity: -2 } },
    ])
    expect(await check(account, { resource, purpose: 'assign' })).toMatchObject({ used: 0 })
    expect(await meter(account, { resource, idempotency_key: 'k', quantity: 1 })).toMatchObject({ duplicate: false })
  })
})

it('a batch of what is invalid only leaves no account behind', async () => {
  const account = mintAccount()
  await batch([entry(account, { resource: 'nothing_such' }), entry(account, { quantity: 0 })])
  expect(await sql('select 1 from accounts where external_id = $1', [account])).toEqual([])
})

it('1000 entries over many accounts, resources and scopes', async () => {
  const namespace = await mintNamespace()
  const accounts = Array.from({ length: 20 }, mintAccount)
  const resources = ['benchmark_runs', 'gpu_hours', 'server_configs']
  const entries = Array.from({ length: 1000 }, (_, n) =>
    entry(accounts[n % 20] ?? '', { resource: resources[n % 3] ?? '', scope: n % 2 ? 'us' : null, quantity: 0.1 }),
  )
  const results = await batch(entries, namespace)
  expect(new Set(results.map((result) => result['status']))).toEqual(new Set(['recorded']))
  const [row] = await sql(
    `select count(*)::int as entries, sum(quantity)::text as quantity, count(distinct account_id)::int as accounts from consumption_ledger where namespace_id = $1`,
    [namespace],
  )
  expect(row).toEqual({ entries: 1000, quantity: '100.0', accounts: 20 })
  // Again: all of it known.
  expect(new Set((await batch(entries, namespace)).map((result) => result['status']))).toEqual(new Set(['duplicate']))
})

it('a token of one account meters that account only, in every entry', async () => {
  const account = mintAccount()
  const mine = token('default', ['meter'], account)
  expect(await api('api_meter_batch', { entries: [entry(account)] }, mine)).toMatchObject({
    results: [{ status: 'recorded' }],
  })
  for (const entries of [
    [entry(account), entry(mintAccount())],
    [entry(mintAccount()), entry(account)],
  ]) {
    expect(await errorOf(api('api_meter_batch', { entries }, mine))).toMatchObject({
      status: 403,
      code: 'account_forbidden',
    })
  }
  expect(await sql('select 1 from consumption_ledger where account_id = $1', [await accountId(account)])).toHaveLength(
    1,
  )
})
