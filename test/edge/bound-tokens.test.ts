import { describe, expect, test } from 'vitest'
import { call, mintNamespace, mintToken } from '../support/edge.ts'
import { acquire, assign, bodyOf, errorOf, grant, key, meter, reserve, rule } from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

const YEAR = 'resource=benchmark_runs&granularity=month&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z'

/** A token with `sub` may act on that account only, also where a path names a thing and not its account. */
async function neighbours() {
  const namespace = await mintNamespace()
  await bodyOf(200, namespace.call('PUT', '/v1/plans/pro', { name: 'Pro' }))
  const things = async (account: string) => {
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
    await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory' })
    await bodyOf(201, assign(namespace, account, 'ada'))
    const subscription = await bodyOf(
      201,
      namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'pro' }),
    )
    return {
      entitlement: textAt(await grant(namespace, account), 'entitlement_id'),
      entry: textAt(await bodyOf(201, meter(namespace, account)), 'entry.entry_id'),
      lease: textAt(await bodyOf(201, acquire(namespace, account, 'h')), 'lease.lease_id'),
      reservation: textAt(await bodyOf(201, reserve(namespace, account)), 'reservation.reservation_id'),
      rule: textAt(await rule(namespace, account, { action: 'warn' }), 'rule_id'),
      subscription: textAt(subscription, 'subscription.subscription_id'),
    }
  }
  const [mine, yours] = [await things('mine'), await things('yours')]
  return { namespace, mine, yours, bearer: await mintToken(namespace.name, 'admin', { sub: 'mine' }) }
}

describe('things of another account', () => {
  test('are neither read nor changed', async () => {
    const { yours, bearer } = await neighbours()
    const rows = [
      ['PATCH', `/v1/entitlements/${yours.entitlement}`, { quantity: 1 }],
      ['POST', `/v1/entitlements/${yours.entitlement}/revoke`, {}],
      ['GET', `/v1/ledger/${yours.entry}`, undefined],
      ['POST', `/v1/ledger/${yours.entry}/reverse`, key()],
      ['GET', `/v1/usage?account_id=yours&${YEAR}`, undefined],
      ['GET', `/v1/reservations/${yours.reservation}`, undefined],
      ['POST', `/v1/reservations/${yours.reservation}/commit`, {}],
      ['POST', `/v1/reservations/${yours.reservation}/release`, {}],
      ['DELETE', '/v1/inventory/named_users/ada?account_id=yours', undefined],
      ['GET', '/v1/inventory?account_id=yours', undefined],
      ['GET', `/v1/leases/${yours.lease}`, undefined],
      ['POST', `/v1/leases/${yours.lease}/heartbeat`, {}],
      ['POST', `/v1/leases/${yours.lease}/revoke`, {}],
      ['DELETE', `/v1/leases/${yours.lease}`, undefined],
      ['PATCH', `/v1/rules/${yours.rule}`, { action: 'block' }],
      ['DELETE', `/v1/rules/${yours.rule}`, undefined],
      ['GET', `/v1/accounts/yours/subscriptions/${yours.subscription}`, undefined],
      ['POST', `/v1/accounts/yours/subscriptions/${yours.subscription}/change`, { plan_id: 'pro' }],
      ['POST', `/v1/accounts/yours/subscriptions/${yours.subscription}/cancel`, {}],
      ['POST', `/v1/accounts/yours/subscriptions/${yours.subscription}/migrate`, {}],
      ['POST', '/v1/plans/pro/migrate', {}],
      ['GET', '/v1/accounts/yours/subscriptions', undefined],
      ['GET', '/v1/accounts/yours/entitlements', undefined],
      ['GET', '/v1/accounts/yours', undefined],
      ['PATCH', '/v1/accounts/yours', { status: 'suspended' }],
      ['POST', '/v1/maintenance/run', { job: 'all' }],
      ['GET', '/v1/ledger?account_id=yours', undefined],
      ['GET', '/v1/leases?account_id=yours', undefined],
      ['GET', '/v1/rules?account_id=yours', undefined],
    ] as const
    for (const [method, path, body] of rows) {
      const { status, code } = await errorOf(call(method, path, body, { bearer }))
      expect([`403 account_forbidden`, `404 not_found`], `${method} ${path}`).toContain(`${status} ${code}`)
    }
  })

  test('are not found under an account of its own', async () => {
    const { yours, bearer } = await neighbours()
    const answer = call('GET', `/v1/accounts/mine/subscriptions/${yours.subscription}`, undefined, { bearer })
    expect(await errorOf(answer)).toMatchObject({ status: 404 })
  })

  test('are not in lists that name no account', async () => {
    const { mine, bearer } = await neighbours()
    const ids = async (path: string, id: string) =>
      listAt(await bodyOf(200, call('GET', path, undefined, { bearer })), 'data').map((each) => at(each, id))
    expect(await ids('/v1/leases', 'lease_id')).toEqual([mine.lease])
    expect(await ids('/v1/rules', 'rule_id')).toEqual([mine.rule])
  })
})

test('its own things are its own', async () => {
  const { mine, bearer } = await neighbours()
  await bodyOf(200, call('GET', `/v1/leases/${mine.lease}`, undefined, { bearer }))
  await bodyOf(200, call('POST', `/v1/leases/${mine.lease}/heartbeat`, {}, { bearer }))
  await bodyOf(200, call('DELETE', `/v1/leases/${mine.lease}`, undefined, { bearer }))
  await bodyOf(200, call('PATCH', `/v1/entitlements/${mine.entitlement}`, { quantity: 1 }, { bearer }))
  await bodyOf(200, call('PATCH', `/v1/rules/${mine.rule}`, { action: 'block' }, { bearer }))
  await bodyOf(200, call('GET', `/v1/accounts/mine/subscriptions/${mine.subscription}`, undefined, { bearer }))
})
