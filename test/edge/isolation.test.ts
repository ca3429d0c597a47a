import { describe, expect, test } from 'vitest'
import { type call, countRequests, mintNamespace, type Namespace, openApi } from '../support/edge.ts'
import { acquire, bodyOf, grant, key, meter, rule, setClock } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'
import { routesOf } from '../support/openapi.ts'

/**
 * What belongs to another namespace is to us as what does not exist. A namespace (ours) is asked about everything of
 * another one (theirs), by the very names that it has there; and a third one (nobody's neighbour) the same about names
 * that exist nowhere. Both must get the same answers, by the same number of requests.
 */
interface Names {
  readonly account: string
  readonly uuid: string
  readonly entitlement: string
  readonly lease: string
  readonly rule: string
  readonly subscription: string
  readonly key: string
  readonly entry: string
  readonly reservation: string
  readonly item: string
  readonly plan: string
  readonly resource: string
  readonly unit: string
  readonly used: string
}
type Asked = readonly [method: string, path: string, body?: unknown]
type Row = (names: Names, account: string) => Asked

const of = (account: string) => ({ account_id: account, resource: 'benchmark_runs' })
const path = (account: string) => `/v1/accounts/${encodeURIComponent(account)}`
const YEAR = 'granularity=month&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z'
const fresh = { max_staleness_ms: 0 }

/** By operation. What only reads comes first, so that it meets nothing of ours; then what makes and changes. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  check: [
    (_, a) => ['POST', '/v1/check', of(a)],
    (_, a) => ['POST', '/v1/check', { ...of(a), ...fresh }],
    (_, a) => ['POST', '/v1/check', { ...of(a), at: '2027-01-20T00:00:00Z' }],
    (n, a) => ['POST', '/v1/check', { ...of(a), resource: n.resource, ...fresh }],
  ],
  checkBatch: [
    (_, a) => [
      'POST',
      '/v1/check/batch',
      { checks: ['benchmark_runs', 'concurrent_users'].map((resource) => ({ ...of(a), resource, ...fresh })) },
    ],
  ],
  getAccount: [(_, a) => ['GET', path(a)]],
  listEntitlements: [(_, a) => ['GET', `${path(a)}/entitlements`]],
  listSubscriptions: [(_, a) => ['GET', `${path(a)}/subscriptions`]],
  getSubscription: [(n, a) => ['GET', `${path(a)}/subscriptions/${n.subscription}`]],
  listLedger: [(_, a) => ['GET', `/v1/ledger?account_id=${a}`], () => ['GET', '/v1/ledger']],
  getEntry: [(n) => ['GET', `/v1/ledger/${n.entry}`]],
  listSignedHeads: [() => ['GET', '/v1/ledger/heads']],
  getUsage: [(_, a) => ['GET', `/v1/usage?account_id=${a}&resource=benchmark_runs&${YEAR}`]],
  listBillingWindows: [(_, a) => ['GET', `/v1/billing/windows?account_id=${a}`], () => ['GET', '/v1/billing/windows']],
  exportBilling: [
    (_, a) => ['GET', `/v1/billing/export?format=jsonl&status=open&account_id=${a}`],
    () => ['GET', '/v1/billing/export?format=csv&status=open'],
  ],
  listLeases: [(_, a) => ['GET', `/v1/leases?account_id=${a}`], () => ['GET', '/v1/leases?status=active']],
  getLease: [(n) => ['GET', `/v1/leases/${n.lease}`]],
  getReservation: [(n) => ['GET', `/v1/reservations/${n.reservation}`]],
  listItems: [(_, a) => ['GET', `/v1/inventory?account_id=${a}`], () => ['GET', '/v1/inventory?resource=named_users']],
  listRules: [(_, a) => ['GET', `/v1/rules?account_id=${a}`], () => ['GET', '/v1/rules']],
  listPlans: [() => ['GET', '/v1/plans']],
  getPlan: [(n) => ['GET', `/v1/plans/${n.plan}`], (n) => ['GET', `/v1/plans/${n.plan}?version=1`]],
  listPlanVersions: [(n) => ['GET', `/v1/plans/${n.plan}/versions`]],
  listResources: [() => ['GET', '/v1/resources?limit=100']],
  listUnits: [() => ['GET', '/v1/units?limit=100']],
  listKeys: [() => ['GET', '/v1/keys']],
  listNamespaces: [() => ['GET', '/v1/namespaces']],
  createNamespace: [() => ['POST', '/v1/namespaces', { namespace: 'default' }]],
  getTestClock: [() => ['GET', '/v1/test_clock']],
  listAudit: [
    () => ['GET', '/v1/audit'],
    (_, a) => ['GET', `/v1/audit?account_id=${a}`],
    (n) => ['GET', `/v1/audit?object_id=${n.entitlement}`],
  ],

  heartbeatLease: [(n) => ['POST', `/v1/leases/${n.lease}/heartbeat`, {}]],
  releaseLease: [(n) => ['DELETE', `/v1/leases/${n.lease}`]],
  revokeLease: [(n) => ['POST', `/v1/leases/${n.lease}/revoke`, {}]],
  patchEntitlement: [(n) => ['PATCH', `/v1/entitlements/${n.entitlement}`, { quantity: 1 }]],
  revokeEntitlement: [(n) => ['POST', `/v1/entitlements/${n.entitlement}/revoke`, {}]],
  patchRule: [(n) => ['PATCH', `/v1/rules/${n.rule}`, { action: 'block' }]],
  getRule: [(n) => ['GET', `/v1/rules/${n.rule}`]],
  getKey: [(n) => ['GET', `/v1/keys/${n.key}`]],
  deleteRule: [(n) => ['DELETE', `/v1/rules/${n.rule}`]],
  revokeKey: [(n) => ['DELETE', `/v1/keys/${n.key}`]],
  rotateKey: [(n) => ['POST', `/v1/keys/${n.key}/rotate`, {}]],
  reverseEntry: [(n) => ['POST', `/v1/ledger/${n.entry}/reverse`, { idempotency_key: n.used }]],
  commitReservation: [(n) => ['POST', `/v1/reservations/${n.reservation}/commit`, {}]],
  releaseReservation: [(n) => ['POST', `/v1/reservations/${n.reservation}/release`, {}]],
  releaseItem: [(n, a) => ['DELETE', `/v1/inventory/named_users/${n.item}?account_id=${a}`]],
  changeSubscription: [
    (n, a) => ['POST', `${path(a)}/subscriptions/${n.subscription}/change`, { plan_id: n.plan, when: 'now' }],
  ],
  cancelSubscription: [(n, a) => ['POST', `${path(a)}/subscriptions/${n.subscription}/cancel`, { when: 'now' }]],
  migrateSubscription: [(n, a) => ['POST', `${path(a)}/subscriptions/${n.subscription}/migrate`, {}]],
  migratePlan: [(n) => ['POST', `/v1/plans/${n.plan}/migrate`, {}]],
  runMaintenance: [() => ['POST', '/v1/maintenance/run', { job: 'all' }]],

  consume: [
    (n, a) => ['POST', '/v1/consume', { ...of(a), idempotency_key: n.used, quantity: 7 }],
    (n, a) => ['POST', '/v1/consume', { ...of(a), ...key(), quantity: 1, unit: n.unit }],
  ],
  createReservation: [
    (n, a) => ['POST', '/v1/reservations', { ...of(a), idempotency_key: n.used, quantity: 7, ttl_seconds: 60 }],
  ],
  acquireLease: [(_, a) => ['POST', '/v1/leases', { ...of(a), resource: 'concurrent_users', holder: 'ada' }]],
  assignItem: [(n, a) => ['POST', '/v1/inventory', { ...of(a), resource: 'named_users', item: n.item }]],
  createSubscription: [(n, a) => ['POST', `${path(a)}/subscriptions`, { idempotency_key: n.used, plan_id: n.plan }]],
  meter: [
    (n, a) => ['POST', '/v1/meter', { ...of(a), idempotency_key: n.used, quantity: 3 }],
    (n, a) => ['POST', '/v1/meter', { ...of(a), ...key(), resource: n.resource, quantity: 3 }],
  ],
  meterBatch: [
    (_, a) => ['POST', '/v1/meter/batch', { entries: [{ ...of(a), idempotency_key: 'batch', quantity: 2 }] }],
  ],
  patchAccount: [(_, a) => ['PATCH', path(a), { name: 'ours', status: 'active' }]],
  grantEntitlement: [
    (n, a) => [
      'POST',
      '/v1/entitlements',
      { ...of(a), idempotency_key: `grant ${n.used}`, limit_kind: 'cumulative', quantity: 5 },
    ],
  ],
  createRule: [(_, a) => ['POST', '/v1/rules', { ...of(a), limit_kind: 'cumulative', action: 'warn' }]],
  eraseAccount: [(_, a) => ['POST', `${path(a)}/erase`]],
  putPlan: [(n) => ['PUT', `/v1/plans/${n.plan}`, { name: 'Ours' }]],
  createResource: [(n) => ['POST', '/v1/resources', { resource: n.resource, unit: 'count', name: 'Ours' }]],
  createUnit: [(n) => ['POST', '/v1/units', { unit: n.unit, dimension: 'count', factor: 3 }]],
  createKey: [() => ['POST', '/v1/keys', { name: 'ours', scopes: ['read'] }]],
  setTestClock: [() => ['POST', '/v1/test_clock', { advance_seconds: 60 }]],
  clearTestClock: [() => ['DELETE', '/v1/test_clock']],
}

test('every operation has its row: one that is new must be asked here, too', async () => {
  const { document } = await openApi()
  const served = routesOf(document).filter((route) => route.path.startsWith('/v1/'))
  expect(Object.keys(ROWS).sort()).toEqual(served.map(({ operation }) => operation.operationId).sort())
})

/** Names that are nobody's. */
function nowhere(): Names {
  const id = () => crypto.randomUUID()
  return {
    ...{ account: `acct-${id()}`, uuid: id(), entitlement: id(), lease: id(), rule: id(), subscription: id() },
    ...{ key: id(), entry: id(), reservation: id(), item: `item-${id()}`, plan: `plan-${id()}` },
    ...{ resource: `resource-${id()}`, unit: `unit-${id()}`, used: `used-${id()}` },
  }
}

/** A namespace in which both accounts have one of everything. */
async function inhabit(namespace: Namespace): Promise<Names> {
  const names = nowhere()
  const { plan, resource, unit } = names
  const entitlements = [{ resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 5 }]
  await bodyOf(200, namespace.call('PUT', `/v1/plans/${plan}`, { name: 'Theirs', entitlements }))
  await bodyOf(201, namespace.call('POST', '/v1/units', { unit, dimension: 'count', factor: 12 }))
  await bodyOf(201, namespace.call('POST', '/v1/resources', { resource, unit: 'count', name: 'Theirs' }))
  await rule(namespace, null, { action: 'overage' })
  const made = await bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'theirs', scopes: ['admin'] }))
  const things = async (account: string) => {
    const entitlement = textAt(await grant(namespace, account), 'entitlement_id')
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
    await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory', quantity: 5 })
    await grant(namespace, account, { resource })
    const subscription = await bodyOf(
      201,
      namespace.call('POST', `${path(account)}/subscriptions`, { ...key(), plan_id: plan }),
    )
    const entry = await bodyOf(201, meter(namespace, account, { idempotency_key: names.used, quantity: 3 }))
    await bodyOf(201, meter(namespace, account, { resource }))
    const hold = { ...of(account), ...key(), quantity: 2, ttl_seconds: 3600 }
    const reserved = await bodyOf(201, namespace.call('POST', '/v1/reservations', hold))
    const item = { account_id: account, resource: 'named_users', item: names.item }
    await bodyOf(201, namespace.call('POST', '/v1/inventory', item))
    await bodyOf(200, namespace.call('PATCH', path(account), { name: 'Theirs', timezone: 'Asia/Tokyo' }))
    return {
      entitlement,
      rule: textAt(await rule(namespace, account, { action: 'warn' }), 'rule_id'),
      lease: textAt(await bodyOf(201, acquire(namespace, account, 'ada')), 'lease.lease_id'),
      subscription: textAt(subscription, 'subscription.subscription_id'),
      entry: textAt(entry, 'entry.entry_id'),
      reservation: textAt(reserved, 'reservation.reservation_id'),
    }
  }
  await things(names.uuid)
  return { ...names, ...(await things(names.account)), key: textAt(made, 'key_id') }
}

/** An answer without what differs between any two: names, ids, times, secrets. */
function shapeOf(text: string, names: Names, namespace: Namespace): string {
  const known = Object.entries(names).reduce((left, [what, name]) => left.replaceAll(name, `<${what}>`), text)
  return known
    .replaceAll(/mec_sk_[\w-]+/g, '<secret>')
    .replaceAll(namespace.name, '<namespace>')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/"clock_offset_seconds":[\d.]+/g, '<offset>')
}

interface Seen {
  readonly asked: string
  readonly status: number
  readonly answer: string
  readonly requestsToPostgres: number
}

/** What was seen, and how many requests Redis had by the time that no more came. */
async function ask(namespace: Namespace, names: Names, account: string): Promise<{ rows: Seen[]; redis: number }> {
  const rows: Seen[] = []
  const { upstash } = await countRequests(async () => {
    rows.push(...(await askAll(namespace, names, account)))
    const more = async () => (await countRequests(() => scheduler.wait(50))).upstash
    await expect.poll(more, { timeout: 5000 }).toBe(0)
  })
  return { rows, redis: upstash }
}

async function askAll(namespace: Namespace, names: Names, account: string): Promise<Seen[]> {
  const seen: Seen[] = []
  for (const [operation, rows] of Object.entries(ROWS)) {
    for (const [n, row] of rows.entries()) {
      const [method, target, body] = row(names, account)
      let reply: Awaited<ReturnType<typeof call>> | undefined
      const { neon } = await countRequests(async () => {
        reply = await namespace.call(method, target, body)
      })
      const answer = shapeOf(reply?.text ?? '', names, namespace)
      seen.push({ asked: `${operation} ${n}`, status: reply?.status ?? 0, answer, requestsToPostgres: neon })
    }
  }
  return seen
}

describe.each([
  ['ours takes no raw UUIDs, theirs does', { ours: false, theirs: true }],
  ['ours takes raw UUIDs, theirs does not', { ours: true, theirs: false }],
  ['both take raw UUIDs, and theirs has it', { ours: true, theirs: true }],
])('what another namespace has does not exist: %s', (_, { ours: oursRaw, theirs: theirsRaw }) => {
  test.each(['account', 'uuid'] as const)(
    'the same answers and as many requests, to an account named by %s',
    async (kind) => {
      const theirs = await mintNamespace({ rawUuids: theirsRaw })
      const [ours, unrelated] = [await mintNamespace({ rawUuids: oursRaw }), await mintNamespace({ rawUuids: oursRaw })]
      for (const namespace of [theirs, ours, unrelated]) await setClock(namespace, '2027-01-15T12:00:00Z')
      const [known, unknown] = [await inhabit(theirs), nowhere()]
      const seen = await ask(ours, known, known[kind])
      const expected = await ask(unrelated, unknown, unknown[kind])
      expect(seen).toEqual(expected)
      expect(seen.rows.filter(({ requestsToPostgres }) => requestsToPostgres !== 1)).toEqual([])
      // Neither all found nor all refused: else the table has stopped asking.
      for (const status of [200, 201, 400, 404]) expect(seen.rows.map((row) => row.status)).toContain(status)
      // And theirs is as it was: what we changed by the same names was ours.
      expect(await bodyOf(200, theirs.call('GET', path(known[kind])))).toMatchObject({ name: 'Theirs' })
      expect(await bodyOf(200, theirs.call('GET', `/v1/leases/${known.lease}`))).toMatchObject({
        lease: { status: 'active' },
      })
    },
    60_000,
  )
})
