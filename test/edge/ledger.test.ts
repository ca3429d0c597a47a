import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Namespace } from '../support/edge.ts'
import { bodyOf, errorOf, grant, invalid, meter, setClock } from '../support/edge-commands.ts'
import { at, listAt } from '../support/json-path.ts'

async function keysOf(namespace: Namespace, query: string): Promise<unknown[]> {
  const page = await bodyOf(200, namespace.call('GET', `/v1/ledger?${query}`))
  return listAt(page, 'data').map((entry) => at(entry, 'idempotency_key'))
}

async function recorded() {
  const namespace = await mintNamespace()
  await setClock(namespace, '2027-01-15T12:00:00Z')
  const [one, two] = [mintAccount(), mintAccount()]
  await grant(namespace, one, { effective_start: '2026-01-01T00:00:00Z' })
  const rows = [
    [one, 'b', { occurred_at: '2027-01-02T00:00:00Z', metadata: { kept: true } }],
    [one, 'a', { occurred_at: '2027-01-01T00:00:00Z' }],
    [one, 'd', { occurred_at: '2027-01-04T00:00:00Z', resource: 'gpu_hours', quantity: 0.5 }],
    [two, 'c', { occurred_at: '2027-01-03T00:00:00Z' }],
  ] as const
  for (const [account, idempotency_key, fields] of rows)
    await bodyOf(201, meter(namespace, account, { idempotency_key, ...fields }))
  return { namespace, one, two }
}

test('the ledger is newest first, filtered by account, resource and occurred_at', async () => {
  const { namespace, one, two } = await recorded()
  expect(await keysOf(namespace, '')).toEqual(['d', 'c', 'b', 'a'])
  expect(await keysOf(namespace, `account_id=${one}`)).toEqual(['d', 'b', 'a'])
  expect(await keysOf(namespace, `account_id=${two}`)).toEqual(['c'])
  expect(await keysOf(namespace, 'resource=gpu_hours')).toEqual(['d'])
  expect(await keysOf(namespace, 'from=2027-01-02T00:00:00Z&to=2027-01-04T00:00:00Z')).toEqual(['c', 'b'])
  expect(await keysOf(namespace, `account_id=${one}&resource=benchmark_runs&to=2027-01-02T00:00:00Z`)).toEqual(['a'])
  expect(await keysOf(namespace, 'account_id=nobody')).toEqual([])
})

test('an entry reads as it was answered when it was recorded', async () => {
  const namespace = await mintNamespace()
  const account = 'with spaces / and ünïcode'
  const { entry } = await bodyOf(201, meter(namespace, account, { metadata: { a: [0.1] } }))
  expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/ledger')), 'data')).toEqual([entry])
})

describe('what is refused', () => {
  test.each([
    ['from=yesterday', invalid('from')],
    ['to=2027-01-01', invalid('to')],
    ['account_id=', invalid('account_id')],
    ['account_id=a&account_id=b', invalid('account_id')],
    ['limit=101', invalid('limit')],
    ['limit=1.5', invalid('limit')],
    ['cursor=nonsense', invalid('cursor')],
    ['account=a', invalid('account')],
    ['resource=unicorns', { ...invalid('resource'), code: 'unknown_resource' }],
  ])('%s', async (query, expected) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('GET', `/v1/ledger?${query}`))).toEqual(expected)
  })
})
