import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, mintToken, type Namespace } from '../support/edge.ts'
import { bodyOf, check, errorOf, grant, invalid, meter, UUID } from '../support/edge-commands.ts'
import { at, type JsonObject, listAt } from '../support/json-path.ts'

const entry = (account: string, idempotency_key: string, fields: JsonObject = {}): JsonObject => ({
  idempotency_key,
  account_id: account,
  resource: 'benchmark_runs',
  quantity: 1,
  ...fields,
})

async function batch(namespace: Namespace, entries: unknown[]) {
  return listAt(await bodyOf(200, namespace.call('POST', '/v1/meter/batch', { entries })), 'results')
}

describe('the results', () => {
  test('come in order, each on its own', async () => {
    const namespace = await mintNamespace()
    const [one, two] = [mintAccount(), mintAccount()]
    await grant(namespace, one, { quantity: 2 })
    await bodyOf(201, meter(namespace, one, { idempotency_key: 'earlier' }))
    const results = await batch(namespace, [
      entry(one, 'a', { metadata: { n: 1 } }),
      entry(one, 'b', { quantity: 0 }),
      entry(two, 'a', { quantity: 3 }),
      entry(one, 'a', { metadata: { n: 1 } }),
      entry(one, 'earlier'),
      entry(one, 'earlier', { quantity: 7 }),
      entry(one, 'c', { resource: 'unicorns' }),
      entry(one, 'd', { unit: 'minutes' }),
      'no entry at all',
      entry(one, 'e', { nonsense: true }),
      entry(one, 'f', { metadata: { a: '\u0000' } }),
    ])
    const refused = (code: string, param: string) => ({
      status: 'invalid',
      entry: null,
      error: { type: 'invalid_request', code, message: expect.any(String), param },
    })
    expect(results).toEqual([
      {
        index: 0,
        status: 'recorded',
        entry: expect.objectContaining({ entry_id: UUID, account_id: one, metadata: { n: 1 }, included_quantity: 1 }),
        error: null,
      },
      { index: 1, ...refused('invalid_parameter', 'entries.1.quantity') },
      {
        index: 2,
        status: 'recorded',
        entry: expect.objectContaining({ account_id: two, quantity: 3, excess_quantity: 3 }),
        error: null,
      },
      { index: 3, status: 'duplicate', entry: at(results[0] ?? null, 'entry'), error: null },
      { index: 4, status: 'duplicate', entry: expect.objectContaining({ idempotency_key: 'earlier' }), error: null },
      {
        index: 5,
        status: 'conflict',
        entry: null,
        error: {
          type: 'conflict',
          code: 'idempotency_conflict',
          message: expect.any(String),
          param: 'entries.5.idempotency_key',
        },
      },
      { index: 6, ...refused('unknown_resource', 'entries.6.resource') },
      { index: 7, ...refused('unit_mismatch', 'entries.7.unit') },
      {
        index: 8,
        status: 'invalid',
        entry: null,
        error: expect.objectContaining({ code: 'invalid_parameter', param: 'entries.8' }),
      },
      { index: 9, ...refused('invalid_parameter', 'entries.9.nonsense') },
      { index: 10, ...refused('invalid_parameter', 'entries.10.metadata.a') },
    ])
    expect(await check(namespace, one)).toMatchObject({ used: 2 })
  })

  test('of giving back more than is owned', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const stock = { resource: 'server_configs' }
    await grant(namespace, account, { ...stock, limit_kind: 'inventory', quantity: 3 })
    expect(
      await batch(namespace, [
        entry(account, 'a', { ...stock, quantity: 2 }),
        entry(account, 'b', { ...stock, quantity: -3 }),
        entry(account, 'c', { ...stock, quantity: -1 }),
      ]),
    ).toMatchObject([
      { status: 'recorded' },
      { status: 'invalid', error: { type: 'conflict', code: 'negative_balance', param: 'entries.1.quantity' } },
      { status: 'recorded' },
    ])
  })

  test('are invalid, all of them, when all entries are', async () => {
    const namespace = await mintNamespace()
    expect(await batch(namespace, [1, null])).toMatchObject([
      { index: 0, status: 'invalid' },
      { index: 1, status: 'invalid' },
    ])
  })

  test('of a thousand entries', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { quantity: 5000 })
    const results = await batch(
      namespace,
      Array.from({ length: 1000 }, (_, n) => entry(account, `k${n}`, { quantity: 0.1 })),
    )
    expect(results.every((result) => at(result, 'status') === 'recorded')).toBe(true)
    expect(await check(namespace, account)).toMatchObject({ used: 100 })
  })
})

describe('what fails as a whole', () => {
  test.each([
    ['no entries', {}, 'entries'],
    ['an empty list', { entries: [] }, 'entries'],
    ['a list too long', { entries: Array.from({ length: 1001 }, () => 1) }, 'entries'],
    ['something else', { entries: {} }, 'entries'],
    ['an unknown field', { entries: [1], mode: 'fast' }, 'mode'],
  ])('%s', async (_, body, param) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('POST', '/v1/meter/batch', body))).toEqual(invalid(param))
  })

  test('an entry of an account that is not the token’s', async () => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'meter', { sub: 'mine' })
    const answer = namespace.call(
      'POST',
      '/v1/meter/batch',
      { entries: [entry('mine', 'a'), entry('yours', 'b')] },
      { bearer },
    )
    expect(await errorOf(answer)).toEqual({
      status: 403,
      type: 'permission',
      code: 'account_forbidden',
      param: 'entries.1.account_id',
    })
    expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/ledger?account_id=mine')), 'data')).toEqual([])
  })
})
