import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
import { bodyOf, check, consume, errorOf, grant, invalid, meter } from '../support/edge-commands.ts'

const raw = (quantity: string, metadata = '{}') =>
  `{"idempotency_key":"k","account_id":"a","resource":"benchmark_runs","quantity":${quantity},"metadata":${metadata}}`

test('0.1 + 0.2 is 0.3', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 0.3 })
  await bodyOf(201, consume(namespace, account, { quantity: 0.1 }))
  const reply = await consume(namespace, account, { quantity: 0.2 })
  expect(reply.text).toContain('"used":0.3,')
  expect(reply.body).toMatchObject({ used: 0.3, remaining: 0 })
  expect(await bodyOf(200, consume(namespace, account, { quantity: 0.000001 }))).toMatchObject({
    reason: 'limit_exceeded',
  })
})

test('ten thousand tenths of a millionth part: a millionth a hundred times is 0.0001', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const entries = Array.from({ length: 100 }, (_, n) => ({
    idempotency_key: `k${n}`,
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 0.000001,
  }))
  await grant(namespace, account, { quantity: 0.0001 })
  await bodyOf(200, namespace.call('POST', '/v1/meter/batch', { entries }))
  expect(await check(namespace, account)).toMatchObject({ used: 0.0001, remaining: 0, allowed: false })
})

describe('literals', () => {
  test.each([
    ['1', 1],
    ['1.0', 1],
    ['0.10', 0.1],
    ['1e2', 100],
    ['25E-2', 0.25],
    ['0.000001', 0.000001],
    ['999999999999999', 999_999_999_999_999],
    ['999999999.999999', 999_999_999.999999],
    ['123456789.123456', 123_456_789.123456],
    ['100000000000000.0000000000000000', 1e14],
  ])('%s is kept exactly', async (literal, value) => {
    const namespace = await mintNamespace()
    await grant(namespace, 'a', { quantity: null })
    const reply = await namespace.call('POST', '/v1/meter', raw(literal))
    expect(await bodyOf(201, Promise.resolve(reply))).toMatchObject({
      entry: { quantity: value },
      state: { used: value },
    })
    expect(reply.text).toContain(`"quantity":${value === 0.000001 ? '0.000001' : String(value)},`)
  })

  test.each([
    '1.0000000000000001',
    '0.30000000000000004',
    '0.1000000000000000055511151231257827',
    '9007199254740993',
    '1000000000000000',
    '99999999999999999999',
    '1e15',
    '1e-7',
    '1e400',
    '1e-400',
    '0.0000001',
    '123456789.1234567',
    '9999999999.9999999',
    '1234567890.123456',
  ])('%s is refused', async (literal) => {
    const namespace = await mintNamespace()
    for (const path of ['/v1/meter', '/v1/consume']) {
      expect(await errorOf(namespace.call('POST', path, raw(literal)))).toEqual(invalid('quantity'))
    }
  })

  test.each(['01', '+1', '.5', '1.', 'NaN', 'Infinity', '0x10', '1_000'])('%s is no JSON', async (literal) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('POST', '/v1/meter', raw(literal)))).toMatchObject({ code: 'invalid_json' })
  })

  test('in metadata are kept exactly, or refused', async () => {
    const namespace = await mintNamespace()
    const reply = await namespace.call('POST', '/v1/meter', raw('1', '{"a":[1.25,12345678901234567890]}'))
    expect(await errorOf(Promise.resolve(reply))).toEqual(invalid('metadata.a.1'))
    const kept = { metadata: { a: 0.1, b: '12345678901234567890', c: 1e21 } }
    expect(await bodyOf(201, meter(namespace, 'a', kept))).toMatchObject({ entry: kept })
  })
})

test('limits, caps and states are exact', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 999_999_999.999999 })
  await bodyOf(201, consume(namespace, account, { quantity: 0.000001 }))
  const reply = await namespace.call('POST', '/v1/check', {
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 999_999_999.999998,
    max_staleness_ms: 0,
  })
  expect(reply.body).toMatchObject({
    allowed: true,
    limit: 999_999_999.999999,
    used: 0.000001,
    remaining: 999_999_999.999998,
  })
  expect(await check(namespace, account, { quantity: 999_999_999.999999 })).toMatchObject({
    allowed: false,
    overage: { quantity: 0.000001 },
  })
})
