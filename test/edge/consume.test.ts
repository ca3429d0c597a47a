import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
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
import { at } from '../support/json-path.ts'

async function funded(quantity: number) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity })
  return { namespace, account }
}

describe('an allowed consume', () => {
  test('is a 201 with the decision after the write and the entry', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, '2027-01-15T12:00:00Z')
    await grant(namespace, account, { quantity: 10, window: 'calendar_month' })
    const used = { limit: 10, used: 3, held: 0, remaining: 7 }
    const window = { type: 'calendar_month', start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z' }
    const body = {
      idempotency_key: 'run 1',
      quantity: 3,
      scope: 'us/h100',
      metadata: { order: 'A-17', deep: { n: [1, null] } },
    }
    expect(await bodyOf(201, consume(namespace, account, body))).toEqual({
      allowed: true,
      outcome: 'allow',
      reason: 'within_limit',
      account_id: account,
      resource: 'benchmark_runs',
      scope: 'us/h100',
      quantity: 3,
      ...used,
      window,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [{ limit_kind: 'cumulative', ...used, outcome: 'allow', reason: 'within_limit', window }],
      source: 'postgres',
      as_of: INSTANT,
      degraded: false,
      duplicate: false,
      entry: {
        entry_id: UUID,
        idempotency_key: 'run 1',
        account_id: account,
        resource: 'benchmark_runs',
        scope: 'us/h100',
        quantity: 3,
        unit: 'count',
        original_quantity: 3,
        original_unit: 'count',
        occurred_at: expect.stringMatching(/^2027-01-15T12:0/),
        recorded_at: expect.stringMatching(/^2027-01-15T12:0/),
        late: false,
        kind: 'usage',
        reverses: null,
        included_quantity: 3,
        overage_quantity: 0,
        excess_quantity: 0,
        metadata: { order: 'A-17', deep: { n: [1, null] } },
      },
    })
  })

  test('is converted into the unit of the resource', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { resource: 'gpu_hours', quantity: 2 })
    const answer = await bodyOf(
      201,
      consume(namespace, account, { resource: 'gpu_hours', quantity: 30, unit: 'minutes' }),
    )
    expect(answer).toMatchObject({
      used: 0.5,
      remaining: 1.5,
      entry: { quantity: 0.5, unit: 'hours', original_quantity: 30, original_unit: 'minutes' },
    })
  })

  test('over the limit records what the rule permits', async () => {
    const { namespace, account } = await funded(10)
    await rule(namespace, account, { action: 'overage', overage_cap: 5, overage_multiplier: 2.5 })
    expect(await bodyOf(201, consume(namespace, account, { quantity: 12 }))).toMatchObject({
      outcome: 'overage',
      reason: 'over_limit_overage',
      used: 12,
      remaining: 0,
      overage: { quantity: 2, multiplier: 2.5 },
      entry: { included_quantity: 10, overage_quantity: 2, excess_quantity: 0 },
    })
    expect(await bodyOf(200, consume(namespace, account, { quantity: 4 }))).toMatchObject({
      allowed: false,
      reason: 'overage_cap_reached',
      overage: { quantity: 4 },
    })
  })
})

test('a denied consume is a 200 that changes nothing and keeps its key', async () => {
  const { namespace, account } = await funded(2)
  const body = { idempotency_key: 'again', quantity: 3 }
  const denied = { allowed: false, reason: 'limit_exceeded', used: 0, remaining: 2, entry: null, duplicate: false }
  expect(await bodyOf(200, consume(namespace, account, body))).toMatchObject(denied)
  expect(await bodyOf(200, consume(namespace, account, body))).toMatchObject(denied)
  expect(at(await bodyOf(200, namespace.call('GET', `/v1/ledger?account_id=${account}`)), 'data')).toEqual([])
  await grant(namespace, account, { quantity: 1 })
  expect(await bodyOf(201, consume(namespace, account, body))).toMatchObject({ allowed: true, duplicate: false })
})

describe('idempotency', () => {
  test('the same request again is a 200 with the first result', async () => {
    const { namespace, account } = await funded(10)
    const body = { ...key(), quantity: 4, metadata: { a: 1 } }
    const first = await bodyOf(201, consume(namespace, account, body))
    await bodyOf(201, consume(namespace, account, { quantity: 5 }))
    expect(await bodyOf(200, consume(namespace, account, body))).toEqual({ ...first, duplicate: true })
    expect(await check(namespace, account)).toMatchObject({ used: 9 })
  })

  test.each([
    ['another quantity', { quantity: 5 }],
    ['another scope', { scope: 'us' }],
    ['another resource', { resource: 'gpu_hours' }],
    ['another unit', { resource: 'gpu_hours', unit: 'minutes' }],
  ])('the same key with %s is a conflict', async (_, change) => {
    const { namespace, account } = await funded(10)
    await grant(namespace, account, { resource: 'gpu_hours' })
    const body = { ...key(), quantity: 4 }
    await bodyOf(201, consume(namespace, account, body))
    expect(await errorOf(consume(namespace, account, { ...body, ...change }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'idempotency_conflict',
      param: 'idempotency_key',
    })
    expect(await check(namespace, account)).toMatchObject({ used: 4 })
  })

  test('a key belongs to one operation', async () => {
    const { namespace, account } = await funded(10)
    const body = { ...key(), quantity: 4 }
    await bodyOf(201, consume(namespace, account, body))
    expect(await errorOf(meter(namespace, account, body))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
  })

  test('a key belongs to one account', async () => {
    const { namespace, account } = await funded(10)
    const other = mintAccount()
    await grant(namespace, other)
    const body = { ...key(), quantity: 4 }
    await bodyOf(201, consume(namespace, account, body))
    expect(await bodyOf(201, consume(namespace, other, body))).toMatchObject({ duplicate: false })
  })

  test('the header may stand in for the field', async () => {
    const { namespace, account } = await funded(10)
    const headers = { 'Idempotency-Key': 'from the header' }
    const body = { account_id: account, resource: 'benchmark_runs', quantity: 1 }
    const first = await bodyOf(201, namespace.call('POST', '/v1/consume', body, { headers }))
    expect(at(first, 'entry.idempotency_key')).toBe('from the header')
    const again = { ...body, idempotency_key: 'from the header' }
    expect(await bodyOf(200, namespace.call('POST', '/v1/consume', again))).toMatchObject({ duplicate: true })
    expect(await bodyOf(200, namespace.call('POST', '/v1/consume', again, { headers }))).toMatchObject({
      duplicate: true,
    })
  })

  test('a header that differs from the field is refused, so is none of both', async () => {
    const { namespace, account } = await funded(10)
    const body = { account_id: account, resource: 'benchmark_runs', quantity: 1 }
    const headers = { 'Idempotency-Key': 'one' }
    const both = namespace.call('POST', '/v1/consume', { ...body, idempotency_key: 'two' }, { headers })
    expect(await errorOf(both)).toEqual(invalid('idempotency_key'))
    expect(await errorOf(namespace.call('POST', '/v1/consume', body))).toEqual(invalid('idempotency_key'))
    const empty = namespace.call('POST', '/v1/consume', body, { headers: { 'Idempotency-Key': '' } })
    expect(await errorOf(empty)).toEqual(invalid('idempotency_key'))
  })

  test.each(['/v1/check', '/v1/leases'])('%s has no key', async (path) => {
    const namespace = await mintNamespace()
    const body = { account_id: 'a', resource: 'concurrent_users', ...(path === '/v1/leases' ? { holder: 'h' } : {}) }
    expect(await errorOf(namespace.call('POST', path, { ...body, idempotency_key: 'k' }))).toEqual(
      invalid('idempotency_key'),
    )
  })
})

describe('what is refused', () => {
  test.each([
    ['no quantity', { quantity: undefined }, 'quantity'],
    ['nothing', { quantity: 0 }, 'quantity'],
    ['less than nothing', { quantity: -1 }, 'quantity'],
    ['a tenth of a millionth', { quantity: 1.0000001 }, 'quantity'],
    ['too much', { quantity: 1e15 }, 'quantity'],
    ['an occurred_at: it is now', { occurred_at: '2027-01-15T12:00:00Z' }, 'occurred_at'],
    ['a key too long', { idempotency_key: 'k'.repeat(256) }, 'idempotency_key'],
    ['an empty key', { idempotency_key: '' }, 'idempotency_key'],
    ['a key with a line break', { idempotency_key: 'a\nb' }, 'idempotency_key'],
    ['metadata that are a list', { metadata: [] }, 'metadata'],
    ['metadata of more than 4 KiB', { metadata: { text: 'x'.repeat(4096) } }, 'metadata'],
    ['metadata with NUL', { metadata: { a: { b: 'x\u0000' } } }, 'metadata.a.b'],
    ['an unknown field', { mode: 'strict' }, 'mode'],
  ])('%s', async (_, fields, param) => {
    const { namespace, account } = await funded(10)
    const body = { ...key(), account_id: account, resource: 'benchmark_runs', quantity: 1, ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/consume', body))).toEqual(invalid(param))
  })

  test('a unit of another dimension, and one that nobody knows', async () => {
    const { namespace, account } = await funded(10)
    const mismatch = { status: 400, type: 'invalid_request', code: 'unit_mismatch', param: 'unit' }
    expect(await errorOf(consume(namespace, account, { unit: 'minutes' }))).toEqual(mismatch)
    expect(await errorOf(consume(namespace, account, { unit: 'parsecs' }))).toEqual(mismatch)
  })

  test('an unknown resource', async () => {
    const { namespace, account } = await funded(10)
    expect(await errorOf(consume(namespace, account, { resource: 'unicorns' }))).toEqual({
      ...invalid('resource'),
      code: 'unknown_resource',
    })
  })
})

test('the longest key, and 4 KiB of metadata, are kept', async () => {
  const { namespace, account } = await funded(10)
  const idempotency_key = '🔑'.repeat(255)
  const metadata = { text: 'x'.repeat(4096 - '{"text":""}'.length) }
  const answer = await bodyOf(201, consume(namespace, account, { idempotency_key, metadata }))
  expect(answer).toMatchObject({ entry: { idempotency_key, metadata } })
})
