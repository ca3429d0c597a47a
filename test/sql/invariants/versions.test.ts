import { describe, expect, it } from 'vitest'
import {
  accountId,
  acquire,
  advanceClock,
  at,
  check,
  consume,
  grant,
  keyed,
  meter,
  ruleFor,
} from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

type World = { namespace: string; account: string; other: string; ids: Answer }

async function mint(): Promise<World> {
  const namespace = await mintNamespace()
  const [account, other] = [mintAccount(), mintAccount()]
  await api(
    'api_plan_put',
    { plan_id: 'p', name: 'P', entitlements: [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 5 }] },
    token(namespace),
  )
  const ids: Answer = {}
  for (const each of [other, account]) {
    ids['entitlement_id'] = (await grant(each, { quantity: 10 }, namespace))['entitlement_id'] ?? null
    await grant(each, { quantity: 10, resource: 'gpu_hours' }, namespace)
    await grant(each, { limit_kind: 'concurrency', quantity: 3 }, namespace)
  }
  ids['rule_id'] = (await ruleFor(account, { limit_kind: 'inventory', action: 'warn' }, namespace))['rule_id'] ?? null
  ids['namespace_rule_id'] =
    (await ruleFor(null, { limit_kind: 'inventory', action: 'warn' }, namespace))['rule_id'] ?? null
  ids['lease_id'] = at(await acquire(account, 'ada', { resource: 'benchmark_runs' }, namespace), 'lease.lease_id')
  return { namespace, account, other, ids }
}

type Versions = { config: number; key: number; ofOthers: string }

async function versions({ namespace, account }: World): Promise<Versions> {
  const id = await accountId(account, namespace)
  const number = async (text: string, value: string) => Number(await sqlValue<string>(text, [value]))
  return {
    config: await number('select config_version from namespaces where namespace_id = $1', namespace),
    key: await number(
      "select key_version from resource_state where account_id = $1 and resource_type_code = 'benchmark_runs'",
      id,
    ),
    ofOthers: JSON.stringify(
      await sql(
        `select account_id, resource_type_code, key_version from resource_state s join accounts a using (account_id)
         where a.namespace_id = $1 and (account_id, resource_type_code) <> ($2, 'benchmark_runs') order by 1, 2`,
        [namespace, id],
      ),
    ),
  }
}

type Moves = 'key' | 'config' | 'none' | 'account'

/** What concerns one key moves its version, what concerns the namespace moves its own; nothing moves both. */
const changes: [what: string, moves: Moves, change: (world: World) => Promise<unknown>][] = [
  ['a check', 'none', ({ account, namespace }) => check(account, {}, namespace)],
  [
    'a snapshot',
    'none',
    ({ account, namespace }) =>
      api('api_snapshot', { account_id: account, resource: 'benchmark_runs' }, token(namespace)),
  ],
  ['a denied consume', 'none', ({ account, namespace }) => consume(account, { quantity: 11 }, namespace)],
  [
    'a heartbeat',
    'none',
    ({ ids, namespace }) => api('api_lease_heartbeat', { lease_id: ids['lease_id'] ?? null }, token(namespace)),
  ],
  [
    'reading',
    'none',
    ({ account, namespace }) => api('api_entitlement_list', { account_id: account }, token(namespace)),
  ],
  [
    'a plan',
    'none',
    ({ namespace }) => api('api_plan_put', { plan_id: 'q', name: 'Q', entitlements: [] }, token(namespace)),
  ],
  ['a consume', 'key', ({ account, namespace }) => consume(account, {}, namespace)],
  ['a use', 'key', ({ account, namespace }) => meter(account, {}, namespace)],
  [
    'a batch',
    'key',
    ({ account, namespace }) =>
      api(
        'api_meter_batch',
        { entries: [{ ...keyed(), account_id: account, resource: 'benchmark_runs', quantity: 1 }] },
        token(namespace),
      ),
  ],
  ['a grant', 'key', ({ account, namespace }) => grant(account, {}, namespace)],
  [
    'a patch',
    'key',
    ({ ids, namespace }) =>
      api('api_entitlement_patch', { entitlement_id: ids['entitlement_id'] ?? null, quantity: 4 }, token(namespace)),
  ],
  [
    'a revocation',
    'key',
    ({ ids, namespace }) =>
      api('api_entitlement_revoke', { entitlement_id: ids['entitlement_id'] ?? null }, token(namespace)),
  ],
  [
    'a subscription',
    'key',
    ({ account, namespace }) =>
      api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }, token(namespace)),
  ],
  ['a lease', 'key', ({ account, namespace }) => acquire(account, 'bob', { resource: 'benchmark_runs' }, namespace)],
  [
    'a release',
    'key',
    ({ ids, namespace }) => api('api_lease_release', { lease_id: ids['lease_id'] ?? null }, token(namespace)),
  ],
  [
    'a revoked lease',
    'key',
    ({ ids, namespace }) => api('api_lease_revoke', { lease_id: ids['lease_id'] ?? null }, token(namespace)),
  ],
  ["an account's rule", 'key', ({ account, namespace }) => ruleFor(account, { action: 'block' }, namespace)],
  [
    "a change of an account's rule",
    'key',
    ({ ids, namespace }) =>
      api('api_rule_patch', { rule_id: ids['rule_id'] ?? null, action: 'block' }, token(namespace)),
  ],
  [
    "the end of an account's rule",
    'key',
    ({ ids, namespace }) => api('api_rule_delete', { rule_id: ids['rule_id'] ?? null }, token(namespace)),
  ],
  [
    'SQL: an entitlement deleted',
    'key',
    ({ ids }) => sql('delete from entitlements where entitlement_id = $1', [ids['entitlement_id']]),
  ],
  ["a plan's rule", 'config', ({ namespace }) => ruleFor(null, { plan_id: 'p', action: 'warn' }, namespace)],
  ["a resource's rule", 'config', ({ namespace }) => ruleFor(null, { action: 'block' }, namespace)],
  [
    "a change of a resource's rule",
    'config',
    ({ ids, namespace }) =>
      api('api_rule_patch', { rule_id: ids['namespace_rule_id'] ?? null, action: 'block' }, token(namespace)),
  ],
  [
    "the end of a resource's rule",
    'config',
    ({ ids, namespace }) => api('api_rule_delete', { rule_id: ids['namespace_rule_id'] ?? null }, token(namespace)),
  ],
  [
    'a resource',
    'config',
    ({ namespace }) => api('api_resource_create', { resource: 'calls', unit: 'count' }, token(namespace)),
  ],
  [
    'a unit',
    'config',
    ({ namespace }) => api('api_unit_create', { unit: 'dozen', dimension: 'count', factor: 12 }, token(namespace)),
  ],
  ['the clock', 'config', ({ namespace }) => advanceClock(namespace, 60)],
  ['the clock cleared', 'config', ({ namespace }) => api('api_test_clock_clear', {}, token(namespace))],
  [
    'its status',
    'account',
    ({ account }) => sql("update accounts set status = 'suspended' where external_id = $1", [account]),
  ],
  [
    'its timezone',
    'account',
    ({ account }) => sql("update accounts set timezone = 'Asia/Tokyo' where external_id = $1", [account]),
  ],
]

describe('versions', () => {
  it.each(changes)('%s moves: %s', async (_what, moves, change) => {
    const world = await mint()
    const before = await versions(world)
    await change(world)
    const after = await versions(world)
    expect(after.config > before.config).toBe(moves === 'config')
    expect(after.key > before.key).toBe(moves === 'key' || moves === 'account')
    // A change of the account concerns all its resources, but no other account.
    if (moves !== 'account') expect(after.ofOthers).toBe(before.ofOthers)
    else expect(after.ofOthers).not.toBe(before.ofOthers)
  })

  it('a rule in SQL that moves from an account to the namespace moves both', async () => {
    const world = await mint()
    const before = await versions(world)
    await sql('update control_rules set account_id = null where rule_id = $1', [world.ids['rule_id']])
    const after = await versions(world)
    expect(after.config).toBeGreaterThan(before.config)
    expect(after.key).toBeGreaterThan(before.key)
  })

  it('an entitlement in SQL that moves to another resource moves both', async () => {
    const world = await mint()
    const before = await versions(world)
    await sql("update entitlements set resource_type_code = 'ai_models' where entitlement_id = $1", [
      world.ids['entitlement_id'],
    ])
    expect((await versions(world)).key).toBeGreaterThan(before.key)
  })
})
