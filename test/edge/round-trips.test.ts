import { expect, test } from 'vitest'
import { call, countRequests, mintAccount, mintNamespace } from '../support/edge.ts'
import { acquire, assign, bodyOf, grant, key, meter, reserve } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'

type Context = { account: string; lease: string; entry: string; reservation: string; items: string[] }

const NOVEMBER = 'resource=benchmark_runs&granularity=day&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z'
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
  ['reserve', (c) => ['POST', '/v1/reservations', { ...FIELDS(c), ...key(), quantity: 1, ttl_seconds: 60 }]],
  ['reserve, denied', (c) => ['POST', '/v1/reservations', { ...FIELDS(c), ...key(), quantity: 1e6, ttl_seconds: 60 }]],
  ['get a reservation', ({ reservation }) => ['GET', `/v1/reservations/${reservation}`]],
  ['commit', ({ reservation }) => ['POST', `/v1/reservations/${reservation}/commit`, { quantity: 2 }]],
  ['release a hold', ({ reservation }) => ['POST', `/v1/reservations/${reservation}/release`]],
  ['assign', (c) => ['POST', '/v1/inventory', { ...FIELDS(c), resource: 'named_users', item: 'new' }]],
  ['assign again', (c) => ['POST', '/v1/inventory', { ...FIELDS(c), resource: 'named_users', item: 'a' }]],
  [
    'release an item',
    ({ account, items }) => ['DELETE', `/v1/inventory/named_users/${items.shift()}?account_id=${account}`],
  ],
  ['list items', ({ account }) => ['GET', `/v1/inventory?account_id=${account}`]],
  ['acquire', (c) => ['POST', '/v1/leases', { ...FIELDS(c), resource: 'concurrent_users', holder: 'new' }]],
  ['acquire again', (c) => ['POST', '/v1/leases', { ...FIELDS(c), resource: 'concurrent_users', holder: 'held' }]],
  ['heartbeat', ({ lease }) => ['POST', `/v1/leases/${lease}/heartbeat`, {}]],
  ['get a lease', ({ lease }) => ['GET', `/v1/leases/${lease}`]],
  ['list leases', ({ account }) => ['GET', `/v1/leases?account_id=${account}`]],
  ['release', ({ lease }) => ['DELETE', `/v1/leases/${lease}`]],
  ['ledger', ({ account }) => ['GET', `/v1/ledger?account_id=${account}`]],
  ['get an entry', ({ entry }) => ['GET', `/v1/ledger/${entry}`]],
  ['reverse', ({ entry }) => ['POST', `/v1/ledger/${entry}/reverse`, { ...key(), quantity: 1 }]],
  ['usage', ({ account }) => ['GET', `/v1/usage?account_id=${account}&${NOVEMBER}`]],
  ['account', ({ account }) => ['GET', `/v1/accounts/${account}`]],
  ['account of a stranger', () => ['GET', '/v1/accounts/nobody']],
  ['suspend', ({ account }) => ['PATCH', `/v1/accounts/${account}`, { status: 'suspended' }]],
  ['change of a stranger', () => ['PATCH', `/v1/accounts/${mintAccount()}`, { timezone: 'Europe/Berlin' }]],
  ['all jobs', () => ['POST', '/v1/maintenance/run', { job: 'all' }]],
  ['billing windows', ({ account }) => ['GET', `/v1/billing/windows?account_id=${account}`]],
  ['billing export', ({ account }) => ['GET', `/v1/billing/export?account_id=${account}&status=open`]],
  ['entitlements', ({ account }) => ['GET', `/v1/accounts/${account}/entitlements`]],
]

test.each(rows)('%s makes exactly one request to Postgres, by key and by token', async (_, request) => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 1000 })
  await grant(namespace, account, { resource: 'gpu_hours' })
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  const lease = textAt(await bodyOf(201, acquire(namespace, account, 'held')), 'lease.lease_id')
  const entry = textAt(await bodyOf(201, meter(namespace, account, { quantity: 10 })), 'entry.entry_id')
  const reservation = textAt(await bodyOf(201, reserve(namespace, account)), 'reservation.reservation_id')
  const items = ['a', 'b']
  await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory' })
  for (const item of items) await bodyOf(201, assign(namespace, account, item))
  for (const bearer of [namespace.key, namespace.token]) {
    const [method, path, body] = request({ account, lease, entry, reservation, items })
    const requests = await countRequests(async () => {
      const { status, text } = await call(method, path, body, { bearer })
      expect([200, 201], text).toContain(status)
    })
    expect(requests.neon).toBe(1)
  }
})

test('an acquire that is denied makes one request to Postgres; by a token then none, while Redis knows', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 1 })
  const denied = async (bearer: string) => {
    const body = { account_id: account, resource: 'concurrent_users', holder: 'many', units: 2 }
    const requests = await countRequests(async () => {
      expect(await bodyOf(200, call('POST', '/v1/leases', body, { bearer }))).toMatchObject({ allowed: false })
    })
    return requests.neon
  }
  expect(await denied(namespace.key)).toBe(1)
  expect(await denied(namespace.key)).toBe(1)
  await expect.poll(() => denied(namespace.token)).toBe(0)
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
