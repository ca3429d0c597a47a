import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { accountId, acquire, assign, grant, keyed, meter, reserve, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, sqlAsWorker, token } from '../../support/sql.ts'

type World = { namespace: string; account: string; id: (name: string) => string }
type Told = { result: Answer; changes: Change[] }
type Change = {
  namespace: string
  config_version: number
  clock_offset_ms: number
  keys: {
    account_id: string
    resource: string
    key_version: number
    snapshot: Answer | null
    holders: Answer[] | null
  }[]
  api_keys: { hash: string; record: Answer | null }[]
}

/** What a command answers the Worker, and what it tells it of. */
async function told(namespace: string, name: string, request: Answer): Promise<Told> {
  const [row] = await sqlAsWorker<Told>(
    `select answer - 'changes' as result, coalesce(answer -> 'changes', '[]') as changes
     from (select fn_told(${name}($1::jsonb, $2::jsonb)::jsonb) as answer offset 0) as told`,
    [token(namespace), request],
  )
  if (!row) throw new Error(`no answer from ${name}`)
  return row
}

async function mint(): Promise<World> {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const admin = token(namespace)
  const entitlements = [
    { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 5 },
    { resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 5 },
  ]
  for (const plan_id of ['p', 'q']) await api('api_plan_put', { plan_id, name: plan_id, entitlements }, admin)
  const granted = await grant(account, {}, namespace)
  await grant(account, { resource: 'gpu_hours' }, namespace)
  await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 2 }, namespace)
  await grant(account, { resource: 'named_users', limit_kind: 'inventory', quantity: 2 }, namespace)
  await assign(account, 'ada@example.org', {}, namespace)
  const subscribed = await api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }, admin)
  const hash = randomBytes(32).toString('hex')
  const key = await api('api_key_create', { name: 'k', scopes: ['check'], hash, prefix: 'x' }, admin)
  const ids: Record<string, string> = {
    entitlement: textAt(granted, 'entitlement_id'),
    lease: textAt(await acquire(account, 'ada', {}, namespace), 'lease.lease_id'),
    entry: textAt(await meter(account, {}, namespace), 'entry.entry_id'),
    hold: textAt(await reserve(account, {}, namespace), 'reservation.reservation_id'),
    rule: textAt(await ruleFor(account, { action: 'warn' }, namespace), 'rule_id'),
    namespaceRule: textAt(await ruleFor(null, { action: 'warn' }, namespace), 'rule_id'),
    subscription: textAt(subscribed, 'subscription.subscription_id'),
    key: textAt(key, 'key_id'),
    keyHash: hash,
  }
  return { namespace, account, id: (name) => ids[name] ?? '' }
}

/** All versions in a namespace: of its configuration, and of each key that has one. */
async function versions(namespace: string): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; version: string }>(
    `select 'config' as name, config_version as version from namespaces where namespace_id = $1
     union all
     select coalesce(a.external_id, a.account_id::text) || ' ' || s.resource_type_code, s.key_version
     from resource_state s join accounts a using (account_id) where a.namespace_id = $1`,
    [namespace],
  )
  return Object.fromEntries(rows.map(({ name, version }) => [name, version]))
}

const use = (account_id: string) => ({ ...keyed(), account_id, resource: 'benchmark_runs', quantity: 1 })

const commands: [name: string, request: (world: World) => Answer][] = [
  ['api_consume', ({ account }) => use(account)],
  ['api_consume', ({ account }) => ({ ...use(account), quantity: 1e6 })],
  ['api_meter', ({ account }) => use(account)],
  ['api_meter', () => use(mintAccount())],
  [
    'api_meter_batch',
    ({ account }) => ({
      entries: [use(account), use(account), use(mintAccount()), { ...use(account), resource: 'gpu_hours' }],
    }),
  ],
  ['api_ledger_reverse', ({ id }) => ({ ...keyed(), entry_id: id('entry') })],
  ['api_lease_acquire', ({ account }) => ({ account_id: account, resource: 'concurrent_users', holder: 'bob' })],
  ['api_lease_heartbeat', ({ id }) => ({ lease_id: id('lease') })],
  ['api_lease_release', ({ id }) => ({ lease_id: id('lease') })],
  ['api_lease_revoke', ({ id }) => ({ lease_id: id('lease'), reason: 'test' })],
  ['api_reservation_create', ({ account }) => ({ ...use(account), ttl_seconds: 60 })],
  ['api_reservation_commit', ({ id }) => ({ reservation_id: id('hold') })],
  ['api_reservation_release', ({ id }) => ({ reservation_id: id('hold') })],
  ['api_inventory_assign', ({ account }) => ({ account_id: account, resource: 'named_users', item: 'bob' })],
  [
    'api_inventory_release',
    ({ account }) => ({ account_id: account, resource: 'named_users', item: 'ada@example.org' }),
  ],
  [
    'api_entitlement_grant',
    () => ({ account_id: mintAccount(), resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 1 }),
  ],
  ['api_entitlement_patch', ({ id }) => ({ entitlement_id: id('entitlement'), quantity: 3 })],
  ['api_entitlement_revoke', ({ id }) => ({ entitlement_id: id('entitlement') })],
  ['api_subscription_create', () => ({ ...keyed(), account_id: mintAccount(), plan_id: 'p' })],
  [
    'api_subscription_change',
    ({ account, id }) => ({
      account_id: account,
      subscription_id: id('subscription'),
      plan_id: 'q',
      when: 'now',
    }),
  ],
  [
    'api_subscription_cancel',
    ({ account, id }) => ({ account_id: account, subscription_id: id('subscription'), when: 'now' }),
  ],
  ['api_account_patch', ({ account }) => ({ account_id: account, status: 'suspended' })],
  ['api_account_patch', ({ account }) => ({ account_id: account, timezone: 'Asia/Tokyo' })],
  [
    'api_rule_create',
    ({ account }) => ({ account_id: account, resource: 'gpu_hours', limit_kind: 'cumulative', action: 'warn' }),
  ],
  ['api_rule_create', () => ({ resource: 'gpu_hours', limit_kind: 'cumulative', action: 'warn' })],
  ['api_rule_patch', ({ id }) => ({ rule_id: id('rule'), action: 'overage' })],
  ['api_rule_patch', ({ id }) => ({ rule_id: id('namespaceRule'), action: 'overage' })],
  ['api_rule_delete', ({ id }) => ({ rule_id: id('rule') })],
  ['api_resource_create', () => ({ resource: 'calls', unit: 'count' })],
  ['api_unit_create', () => ({ unit: 'dozen', dimension: 'count', factor: 12 })],
  ['api_plan_put', () => ({ plan_id: 'p', name: 'P', entitlements: [] })],
  ['api_test_clock_set', () => ({ advance_seconds: 3600 })],
  ['api_test_clock_clear', () => ({})],
  ['api_key_revoke', ({ id }) => ({ key_id: id('key') })],
  ['api_maintenance', () => ({ job: 'all' })],
  ['api_snapshot', ({ account }) => ({ account_id: account, resource: 'benchmark_runs' })],
  ['api_entitlement_list', ({ account }) => ({ account_id: account })],
]

describe('what a command tells the edge of', () => {
  it.each(commands)('%s: exactly the versions that it moved', async (name, request) => {
    const world = await mint()
    const before = await versions(world.namespace)
    const { changes } = await told(world.namespace, name, request(world))
    const after = await versions(world.namespace)
    const moved = Object.fromEntries(Object.entries(after).filter(([key, version]) => before[key] !== version))
    const { config, ...movedKeys } = moved

    expect(changes.length).toBeLessThanOrEqual(1)
    const keys = changes.flatMap((change) => change.keys)
    expect(Object.fromEntries(keys.map((k) => [`${k.account_id} ${k.resource}`, String(k.key_version)]))).toEqual(
      movedKeys,
    )
    if (config !== undefined) expect(changes.map((change) => String(change.config_version))).toEqual([config])
    for (const change of changes) expect(change.namespace).toBe(world.namespace)
  })

  it('is the new time of the clock', async () => {
    const { namespace } = await mint()
    const { changes } = await told(namespace, 'api_test_clock_set', { advance_seconds: 3600 })
    expect(changes[0]?.clock_offset_ms).toBeGreaterThan(3_599_000)
    expect(changes[0]?.clock_offset_ms).toBeLessThan(3_601_000)
  })

  it('is the SHA-256 of a revoked key, and of a rotated one its end, too', async () => {
    const { namespace, id } = await mint()
    const { changes: rotated } = await told(namespace, 'api_key_rotate', {
      key_id: id('key'),
      hash: randomBytes(32).toString('hex'),
      prefix: 'x',
      overlap_seconds: 60,
    })
    const [known] = await sql('select scopes, fn_rfc3339(expires_at) as expires_at from api_keys where key_id = $1', [
      id('key'),
    ])
    expect(rotated[0]?.api_keys).toEqual([{ hash: id('keyHash'), record: known }])
    expect(known?.['expires_at']).not.toBeNull()
    const { changes } = await told(namespace, 'api_key_revoke', { key_id: id('key') })
    expect(changes[0]?.api_keys).toEqual([{ hash: id('keyHash'), record: null }])
  })

  it('is nothing of a command that failed, and of the next one only its own', async () => {
    const { namespace, account } = await mint()
    await expect(told(namespace, 'api_consume', { ...use(account), quantity: 'x' })).rejects.toThrow()
    const { changes } = await told(namespace, 'api_consume', use(account))
    expect(changes.flatMap(({ keys }) => keys)).toHaveLength(1)
  })

  it.each([
    ['no rule', {}, 1],
    ['a warning', { warn_at_percent: 1 }, 1],
    ['a rolling window', { window: 'rolling_30d' }, 3],
    ['a month', { window: 'calendar_month' }, 3],
    ['a plan that is not in force yet', { effective_start: '2090-01-01T00:00:00Z' }, 2],
    ['a scope', { scope: 'us' }, 2],
  ])('is, of a consume, in its own answer: the snapshot that a check would read: %s', async (_, fields, quantity) => {
    const { namespace, account } = await mint()
    const { warn_at_percent, ...granted } = { warn_at_percent: undefined, ...fields }
    await grant(account, granted, namespace)
    if (warn_at_percent !== undefined) {
      await ruleFor(account, { action: 'overage', warn_at_percent, overage_cap: 10 }, namespace)
    }
    for (const scope of [null, 'us/h100']) {
      const { result } = await told(namespace, 'api_consume', { ...use(account), quantity, scope })
      // Of a check that does not take up what the consume left.
      await sql('update resource_state set continuation = null where account_id = $1', [
        await accountId(account, namespace),
      ])
      const read = await api(
        'api_snapshot',
        { account_id: account, resource: 'benchmark_runs', scope },
        token(namespace),
      )
      const { as_of, ...expected } = read
      expect(as_of).toBeTruthy()
      expect(result['snapshot']).toMatchObject(withoutRollingStart(expected))
    }
  })
})

/** The start of a rolling window moves with each reading. */
function withoutRollingStart(snapshot: Answer): Answer {
  return JSON.parse(
    JSON.stringify(snapshot, (name, value) => (name === 'start' || name === 'improves_at' ? undefined : value)),
  )
}
