import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, sql } from '../support/edge.ts'
import { bodyOf, check, errorOf, grant, invalid, key, meter, rule, setClock, UUID } from '../support/edge-commands.ts'

const NOW = '2027-01-15T12:00:00Z'

async function january(fields: Record<string, string | number> = {}) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, NOW)
  await grant(namespace, account, {
    quantity: 10,
    window: 'calendar_month',
    effective_start: '2026-06-01T00:00:00Z',
    ...fields,
  })
  return { namespace, account }
}

describe('an entry', () => {
  test('has the fields of the contract', async () => {
    const { namespace, account } = await january()
    const fields = {
      idempotency_key: 'run_12345',
      quantity: 1,
      unit: 'count',
      occurred_at: '2027-01-15T11:00:00+02:00',
      metadata: { a: 'b' },
    }
    expect(await bodyOf(201, meter(namespace, account, fields))).toEqual({
      duplicate: false,
      over_limit: false,
      entry: {
        entry_id: UUID,
        idempotency_key: 'run_12345',
        account_id: account,
        resource: 'benchmark_runs',
        scope: null,
        quantity: 1,
        unit: 'count',
        original_quantity: 1,
        original_unit: 'count',
        occurred_at: '2027-01-15T09:00:00Z',
        recorded_at: expect.stringMatching(/^2027-01-15T12:0/),
        late: false,
        kind: 'usage',
        reverses: null,
        included_quantity: 1,
        overage_quantity: 0,
        excess_quantity: 0,
        metadata: { a: 'b' },
      },
      state: { limit: 10, used: 1, held: 0, remaining: 9 },
    })
  })

  test('is recorded whatever the limit, what is over it as excess', async () => {
    const { namespace, account } = await january()
    expect(await bodyOf(201, meter(namespace, account, { quantity: 12 }))).toMatchObject({
      over_limit: true,
      entry: { quantity: 12, included_quantity: 10, overage_quantity: 0, excess_quantity: 2 },
      state: { limit: 10, used: 12, remaining: 0 },
    })
  })

  test('is recorded as overage as far as the rule permits', async () => {
    const { namespace, account } = await january()
    await rule(namespace, account, { action: 'overage', overage_cap: 3 })
    expect(await bodyOf(201, meter(namespace, account, { quantity: 14 }))).toMatchObject({
      over_limit: true,
      entry: { included_quantity: 10, overage_quantity: 3, excess_quantity: 1 },
    })
  })

  test('is recorded of an account that holds nothing', async () => {
    const namespace = await mintNamespace()
    expect(await bodyOf(201, meter(namespace, mintAccount(), { quantity: 2 }))).toMatchObject({
      over_limit: true,
      entry: { included_quantity: 0, overage_quantity: 0, excess_quantity: 2 },
      state: { limit: 0, used: 0, held: 0, remaining: 0 },
    })
  })

  test('is recorded of a suspended account', async () => {
    const { namespace, account } = await january()
    await sql(`update accounts set status = 'suspended' where namespace_id = $1`, [namespace.name])
    expect(await bodyOf(201, meter(namespace, account))).toMatchObject({ entry: { quantity: 1 } })
  })
})

describe('occurred_at', () => {
  test.each([
    ['in the open window', '2027-01-01T00:00:00Z', { late: false, used: 1 }],
    ['in a closed window: it counts now, late', '2026-12-31T23:59:59Z', { late: true, used: 1 }],
    ['five minutes ahead', '2027-01-15T12:04:59Z', { late: false, used: 1 }],
  ])('%s', async (_, occurred_at, { late, used }) => {
    const { namespace, account } = await january()
    expect(await bodyOf(201, meter(namespace, account, { occurred_at }))).toMatchObject({
      entry: { late, occurred_at },
    })
    expect(await check(namespace, account)).toMatchObject({ used })
  })

  test('in a window that is over but not closed counts there', async () => {
    const { namespace, account } = await january()
    await setClock(namespace, '2027-02-01T00:30:00Z')
    const occurred_at = '2027-01-31T23:00:00Z'
    expect(await bodyOf(201, meter(namespace, account, { occurred_at }))).toMatchObject({ entry: { late: false } })
    expect(await check(namespace, account)).toMatchObject({ used: 0 })
    expect(await check(namespace, account, { at: occurred_at })).toMatchObject({ used: 1 })
  })

  test('is cut to whole microseconds: the last nanosecond of a window is in it', async () => {
    const { namespace, account } = await january()
    await setClock(namespace, '2027-02-01T00:30:00Z')
    const occurred_at = '2027-01-31T23:59:59.999999999Z'
    expect(await bodyOf(201, meter(namespace, account, { occurred_at }))).toMatchObject({
      entry: { occurred_at: '2027-01-31T23:59:59.999999Z' },
    })
    const entries = [{ ...key(), account_id: account, resource: 'benchmark_runs', quantity: 2, occurred_at }]
    await bodyOf(200, namespace.call('POST', '/v1/meter/batch', { entries }))
    expect(await check(namespace, account)).toMatchObject({ used: 0 })
    expect(await check(namespace, account, { at: occurred_at })).toMatchObject({ used: 3 })
  })

  test('more than five minutes ahead is refused', async () => {
    const { namespace, account } = await january()
    expect(await errorOf(meter(namespace, account, { occurred_at: '2027-01-15T12:10:00Z' }))).toEqual(
      invalid('occurred_at'),
    )
  })
})

describe('inventory', () => {
  test('goes down as items are given back, not below zero', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const resource = 'server_configs'
    await grant(namespace, account, { resource, limit_kind: 'inventory', quantity: 3 })
    await bodyOf(201, meter(namespace, account, { resource, quantity: 2 }))
    expect(await errorOf(meter(namespace, account, { resource, quantity: -3 }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'negative_balance',
      param: 'quantity',
    })
    expect(await bodyOf(201, meter(namespace, account, { resource, quantity: -2 }))).toMatchObject({
      entry: { quantity: -2 },
      state: { used: 0, remaining: 3 },
    })
  })

  test('nothing else goes down', async () => {
    const { namespace, account } = await january()
    await bodyOf(201, meter(namespace, account, { quantity: 5 }))
    expect((await errorOf(meter(namespace, account, { quantity: -1 }))).status).toBe(400)
  })
})

describe('idempotency', () => {
  test('the same request again is a 200 with the first result', async () => {
    const { namespace, account } = await january()
    const fields = { ...key(), quantity: 2, occurred_at: '2027-01-10T00:00:00Z' }
    const first = await bodyOf(201, meter(namespace, account, fields))
    const sameInstant = { ...fields, occurred_at: '2027-01-10T01:00:00+01:00' }
    for (const again of [fields, sameInstant]) {
      expect(await bodyOf(200, meter(namespace, account, again))).toMatchObject({
        entry: first['entry'] ?? null,
        duplicate: true,
      })
    }
    expect(await check(namespace, account)).toMatchObject({ used: 2 })
  })

  test('with another occurred_at it is a conflict', async () => {
    const { namespace, account } = await january()
    const fields = { ...key(), quantity: 2, occurred_at: '2027-01-10T00:00:00Z' }
    await bodyOf(201, meter(namespace, account, fields))
    const other = meter(namespace, account, { ...fields, occurred_at: '2027-01-10T00:00:01Z' })
    expect(await errorOf(other)).toMatchObject({ status: 409, type: 'conflict', code: 'idempotency_conflict' })
  })
})

describe('what is refused', () => {
  test.each([
    ['no key', { idempotency_key: undefined }, 'idempotency_key'],
    ['no account', { account_id: undefined }, 'account_id'],
    ['nothing', { quantity: 0 }, 'quantity'],
    ['null', { quantity: null }, 'quantity'],
    ['a bad time', { occurred_at: '2027-13-01T00:00:00Z' }, 'occurred_at'],
    ['a time before 1970', { occurred_at: '1969-12-31T23:59:59Z' }, 'occurred_at'],
    ['a bad unit', { unit: '' }, 'unit'],
    ['a null of metadata', { metadata: null }, 'metadata'],
    ['an unknown field', { at: NOW }, 'at'],
  ])('%s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    const body = { ...key(), account_id: 'a', resource: 'benchmark_runs', quantity: 1, ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/meter', body))).toEqual(invalid(param))
  })

  test.each([
    ['an unknown resource', { resource: 'unicorns' }, { ...invalid('resource'), code: 'unknown_resource' }],
    ['a unit of another dimension', { unit: 'bytes' }, { ...invalid('unit'), code: 'unit_mismatch' }],
  ])('%s', async (_, fields, expected) => {
    const { namespace, account } = await january()
    expect(await errorOf(meter(namespace, account, fields))).toEqual(expected)
  })
})
