import { expect, test } from 'vitest'
import { call, countRequests, mintAccount, mintNamespace } from '../support/edge.ts'
import { acquire, bodyOf, grant, key } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'

type Context = { account: string; lease: string }

const FIELDS = ({ account }: Context) => ({ account_id: account, resource: 'benchmark_runs' })
const rows: [string, (context: Context) => [method: string, path: string, body?: unknown]][] = [
  ['check', (c) => ['POST', '/v1/check', { ...FIELDS(c), max_staleness_ms: 0 }]],
  ['check at', (c) => ['POST', '/v1/check', { ...FIELDS(c), at: '2026-01-01T00:00:00Z' }]],
  ['check of a stranger', (c) => ['POST', '/v1/check', { ...FIELDS(c), account_id: 'nobody', max_staleness_ms: 0 }]],
  ['consume', (c) => ['POST', '/v1/consume', { ...FIELDS(c), ...key(), quantity: 1 }]],
  ['consume, denied', (c) => ['POST', '/v1/consume', { ...FIELDS(c), ...key(), quantity: 1e6 }]],
  [
    'consume, converted',
    (c) => ['POST', '/v1/consume', { ...FIELDS(c), resource: 'gpu_hours', unit: 'minutes', ...key(), quantity: 1 }],
  ],
  ['meter', (c) => ['POST', '/v1/meter', { ...FIELDS(c), ...key(), quantity: 1 }]],
  [
    'meter of a stranger',
    (c) => ['POST', '/v1/meter', { ...FIELDS(c), account_id: mintAccount(), ...key(), quantity: 1 }],
  ],
  [
    'meter batch',
    (c) => [
      'POST',
      '/v1/meter/batch',
      {
        entries: Array.from({ length: 20 }, (_, n) => ({
          ...FIELDS(c),
          ...key(),
          account_id: `a${n % 3}`,
          quantity: 1,
        })),
      },
    ],
  ],
  ['meter batch, all bad', () => ['POST', '/v1/meter/batch', { entries: [1, 2] }]],
  ['acquire', (c) => ['POST', '/v1/leases', { ...FIELDS(c), resource: 'concurrent_users', holder: 'new' }]],
  ['acquire again', (c) => ['POST', '/v1/leases', { ...FIELDS(c), resource: 'concurrent_users', holder: 'held' }]],
  [
    'acquire, denied',
    (c) => ['POST', '/v1/leases', { ...FIELDS(c), resource: 'concurrent_users', holder: 'many', units: 100 }],
  ],
  ['heartbeat', ({ lease }) => ['POST', `/v1/leases/${lease}/heartbeat`, {}]],
  ['get a lease', ({ lease }) => ['GET', `/v1/leases/${lease}`]],
  ['list leases', ({ account }) => ['GET', `/v1/leases?account_id=${account}`]],
  ['release', ({ lease }) => ['DELETE', `/v1/leases/${lease}`]],
  ['ledger', ({ account }) => ['GET', `/v1/ledger?account_id=${account}`]],
  ['entitlements', ({ account }) => ['GET', `/v1/accounts/${account}/entitlements`]],
]

test.each(rows)('%s makes exactly one request to Postgres, by key and by token', async (_, request) => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 1000 })
  await grant(namespace, account, { resource: 'gpu_hours' })
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  const lease = textAt(await bodyOf(201, acquire(namespace, account, 'held')), 'lease.lease_id')
  for (const bearer of [namespace.key, namespace.token]) {
    const [method, path, body] = request({ account, lease })
    const requests = await countRequests(async () => {
      const { status, text } = await call(method, path, body, { bearer })
      expect([200, 201], text).toContain(status)
    })
    expect(requests.neon).toBe(1)
  }
})

test('what is refused by itself makes none', async () => {
  const namespace = await mintNamespace()
  const requests = await countRequests(async () => {
    expect((await namespace.call('POST', '/v1/consume', { quantity: 'x' })).status).toBe(400)
    expect((await namespace.call('POST', '/v1/consume', '{')).status).toBe(400)
    expect((await namespace.call('GET', '/v1/ledger?limit=1000')).status).toBe(400)
    expect((await namespace.call('GET', '/v1/consume')).status).toBe(405)
  })
  expect(requests.neon).toBe(0)
})
