import { expect, test } from 'vitest'
import { call, mintNamespace } from '../support/edge.ts'
import { bodyOf, errorOf, key } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'

const NONE = '00000000-0000-4000-8000-000000000000'
const asked = { account_id: 'a', resource: 'benchmark_runs' }
const used = { ...asked, ...key(), quantity: 1 }
const ruled = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'warn' }
const SUBSCRIPTIONS = '/v1/accounts/a/subscriptions'
const DAY = 'granularity=day&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z'

/** Every end-point of the contract, a request that is well-formed, and the scopes any one of which is enough. */
const endpoints: readonly (readonly [string, string, unknown, readonly string[]])[] = [
  ['POST', '/v1/check', asked, ['check']],
  ['POST', '/v1/check/batch', { checks: [asked] }, ['check']],
  ['POST', '/v1/consume', used, ['meter']],
  ['POST', '/v1/meter', used, ['meter']],
  ['POST', '/v1/meter/batch', { entries: [used] }, ['meter']],
  ['POST', `/v1/ledger/${NONE}/reverse`, key(), ['meter']],
  ['GET', '/v1/ledger', undefined, ['read']],
  ['GET', `/v1/ledger/${NONE}`, undefined, ['read']],
  ['GET', `/v1/usage?account_id=a&resource=benchmark_runs&${DAY}`, undefined, ['read']],
  ['POST', '/v1/reservations', { ...used, ...key(), ttl_seconds: 5 }, ['meter']],
  ['POST', `/v1/reservations/${NONE}/commit`, {}, ['meter']],
  ['POST', `/v1/reservations/${NONE}/release`, {}, ['meter']],
  ['GET', `/v1/reservations/${NONE}`, undefined, ['meter', 'read']],
  ['POST', '/v1/leases', { ...asked, holder: 'h' }, ['lease']],
  ['POST', `/v1/leases/${NONE}/heartbeat`, {}, ['lease']],
  ['DELETE', `/v1/leases/${NONE}`, undefined, ['lease']],
  ['POST', `/v1/leases/${NONE}/revoke`, {}, []],
  ['GET', '/v1/leases', undefined, ['read', 'lease']],
  ['GET', `/v1/leases/${NONE}`, undefined, ['read', 'lease']],
  ['POST', '/v1/inventory', { ...asked, item: 'i' }, ['meter']],
  ['DELETE', '/v1/inventory/named_users/i?account_id=a', undefined, ['meter']],
  ['GET', '/v1/inventory', undefined, ['read', 'meter']],
  ['PUT', '/v1/plans/p', { name: 'P' }, []],
  ['GET', '/v1/plans/p', undefined, ['read']],
  ['GET', '/v1/plans', undefined, ['read']],
  ['GET', '/v1/plans/p/versions', undefined, ['read']],
  ['POST', SUBSCRIPTIONS, { ...key(), plan_id: 'p' }, []],
  ['GET', SUBSCRIPTIONS, undefined, ['read']],
  ['GET', `${SUBSCRIPTIONS}/${NONE}`, undefined, ['read']],
  ['POST', `${SUBSCRIPTIONS}/${NONE}/change`, { plan_id: 'p' }, []],
  ['POST', `${SUBSCRIPTIONS}/${NONE}/cancel`, {}, []],
  ['POST', `${SUBSCRIPTIONS}/${NONE}/migrate`, {}, []],
  ['POST', '/v1/entitlements', { ...asked, limit_kind: 'cumulative', quantity: 1 }, []],
  ['PATCH', `/v1/entitlements/${NONE}`, { quantity: 1 }, []],
  ['POST', `/v1/entitlements/${NONE}/revoke`, {}, []],
  ['GET', '/v1/accounts/a/entitlements', undefined, ['read']],
  ['GET', '/v1/accounts/a', undefined, ['read']],
  ['PATCH', '/v1/accounts/a', { name: 'A' }, []],
  ['POST', '/v1/rules', ruled, []],
  ['GET', '/v1/rules', undefined, ['read']],
  ['GET', `/v1/rules/${NONE}`, undefined, ['read']],
  ['PATCH', `/v1/rules/${NONE}`, { action: 'warn' }, []],
  ['DELETE', `/v1/rules/${NONE}`, undefined, []],
  ['GET', '/v1/resources', undefined, ['read']],
  ['POST', '/v1/resources', { resource: 'r', unit: 'count' }, []],
  ['GET', '/v1/units', undefined, ['read']],
  ['POST', '/v1/units', { unit: 'u', dimension: 'd', factor: 1 }, []],
  ['GET', '/v1/keys', undefined, ['read']],
  ['GET', `/v1/keys/${NONE}`, undefined, ['read']],
  ['POST', '/v1/keys', { name: 'k', scopes: ['read'] }, []],
  ['DELETE', `/v1/keys/${NONE}`, undefined, []],
  ['POST', `/v1/keys/${NONE}/rotate`, {}, []],
  ['GET', '/v1/audit', undefined, ['read']],
  ['GET', '/v1/billing/windows', undefined, ['read']],
  ['POST', '/v1/test_clock', { advance_seconds: 1 }, []],
  ['DELETE', '/v1/test_clock', undefined, []],
  ['POST', '/v1/maintenance/run', { job: 'expire_leases' }, []],
]

test.each(['check', 'meter', 'lease', 'read', 'admin'])(
  'a key of the scope %s is refused exactly where the contract says so',
  async (scope) => {
    const namespace = await mintNamespace()
    const bearer = textAt(
      await bodyOf(201, namespace.call('POST', '/v1/keys', { name: scope, scopes: [scope] })),
      'secret',
    )
    for (const [method, path, body, scopes] of endpoints) {
      const mayDo = scope === 'admin' || scopes.includes(scope)
      const asking = call(method, path, body, { bearer })
      if (mayDo) expect([200, 201, 404], `${method} ${path}`).toContain((await asking).status)
      else expect(await errorOf(asking), `${method} ${path}`).toMatchObject({ status: 403, code: 'missing_scope' })
    }
  },
)
