import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mintNamespace, openApi } from '../support/edge.ts'
import { acquire, assign, bodyOf, grant, key, meter, reserve, rule } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'
import { routesOf } from '../support/openapi.ts'
import { arbitraryRequest, type Known } from '../support/random-requests.ts'

const RUNS = 300
const SEED = 20_261_121
/** What would end the namespace's own key, or move the clock of everything. */
const LEFT_OUT = new Set(['createNamespace', 'listNamespaces'])

/** A namespace with one of everything, so that random requests meet something. */
async function inhabited() {
  const namespace = await mintNamespace()
  await bodyOf(
    200,
    namespace.call('PUT', '/v1/plans/pro', {
      name: 'Pro',
      entitlements: [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 100 }],
    }),
  )
  const entitlement = await grant(namespace, 'a')
  await grant(namespace, 'a', { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 })
  const lease = await bodyOf(201, acquire(namespace, 'a', 'h'))
  const metered = await bodyOf(201, meter(namespace, 'a', { quantity: 50 }))
  const reserved = await bodyOf(201, reserve(namespace, 'a', { quantity: 9 }))
  await grant(namespace, 'a', { resource: 'named_users', limit_kind: 'inventory' })
  await bodyOf(201, assign(namespace, 'a', 'i/1'))
  const made = await rule(namespace, 'a', { action: 'overage', overage_cap: 10 })
  const subscription = await bodyOf(
    201,
    namespace.call('POST', '/v1/accounts/a/subscriptions', { ...key(), plan_id: 'pro' }),
  )
  const known: Known = {
    account_id: ['a', 'b/c d', '🦄'],
    resource: ['benchmark_runs', 'gpu_hours', 'concurrent_users', 'server_configs', 'named_users'],
    plan_id: ['pro'],
    unit: ['count', 'hours', 'minutes', null],
    window: ['calendar_month', 'billing_cycle', 'rolling_30d', 'none', null],
    scope: [null, 'us', 'us/h100'],
    idempotency_key: ['k1', 'k2', 'k3', 'k4', 'k5'],
    advance_seconds: [0, 1, 3600],
    entitlement_id: [textAt(entitlement, 'entitlement_id')],
    entry_id: [textAt(metered, 'entry.entry_id')],
    lease_id: [textAt(lease, 'lease.lease_id')],
    reservation_id: [textAt(reserved, 'reservation.reservation_id')],
    item: ['i/1', 'i2'],
    rule_id: [textAt(made, 'rule_id')],
    subscription_id: [textAt(subscription, 'subscription.subscription_id')],
    version: [1, 2],
    limit: [1, 20, 100],
    cursor: ['x'],
  }
  return { namespace, known }
}

test(`${RUNS} random requests: never a fault of ours, always an answer as documented`, async () => {
  const { namespace, known } = await inhabited()
  const { document } = await openApi()
  const routes = routesOf(document).filter(({ operation }) => !LEFT_OUT.has(operation.operationId))
  const requests = fc.sample(arbitraryRequest(document, routes, known), { seed: SEED, numRuns: RUNS })
  const statuses = new Map<number, number>()
  for (const { method, path, body } of requests) {
    // `call` holds the answer to the document.
    const { status, text } = await namespace.call(method, path, body)
    expect(status, `${method} ${path} ${JSON.stringify(body)} ${text}`).toBeLessThan(500)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  // Neither all good nor all bad: else the test has stopped testing.
  expect((statuses.get(200) ?? 0) + (statuses.get(201) ?? 0)).toBeGreaterThan(RUNS / 5)
  expect(statuses.get(400)).toBeGreaterThan(RUNS / 10)
}, 60_000)
