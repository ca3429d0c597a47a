import { createHash, randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { acquire, assign, grant, keyed, meter, reserve, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

/** One object of each sort, all of one account, in a namespace of their own. */
type World = { namespace: string; account: string; ids: Answer }
let world: World

beforeAll(async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const as = token(namespace)
  const plan = {
    plan_id: 'basic',
    name: 'Basic',
    entitlements: [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 5 }],
  }
  await api('api_plan_put', plan, as)
  const subscription = await api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'basic' }, as)
  const entitlement = await grant(
    account,
    { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 50 },
    namespace,
  )
  await grant(account, { resource: 'gpu_hours' }, namespace)
  await grant(account, { resource: 'named_users', limit_kind: 'inventory' }, namespace)
  await assign(account, 'ada', {}, namespace)
  const key = await api('api_key_create', { name: 'k', scopes: ['read'], ...secret() }, as)
  world = {
    namespace,
    account,
    ids: {
      lease_id: textAt(await acquire(account, 'ada', {}, namespace), 'lease.lease_id'),
      reservation_id: textAt(await reserve(account, {}, namespace), 'reservation.reservation_id'),
      released_reservation_id: textAt(await reserve(account, {}, namespace), 'reservation.reservation_id'),
      entitlement_id: textAt(entitlement, 'entitlement_id'),
      subscription_id: textAt(subscription, 'subscription.subscription_id'),
      rule_id: textAt(await ruleFor(account, { action: 'warn' }, namespace), 'rule_id'),
      namespace_rule_id: textAt(await ruleFor(null, { action: 'warn' }, namespace), 'rule_id'),
      key_id: textAt(key, 'key_id'),
      plan_id: 'basic',
      entry_id: textAt(await meter(account, { quantity: 100 }, namespace), 'entry.entry_id'),
    },
  }
})

function secret(): { hash: string; prefix: string } {
  return { hash: createHash('sha256').update(randomUUID()).digest('hex'), prefix: 'mec_sk_t_abc' }
}

type Access = {
  /** Any of these is enough. */
  scopes: string[]
  /** own: a token of one account may do it for itself. free: it concerns no account. never: such a token may not. */
  confined: 'own' | 'free' | 'never'
  request: (world: World) => Answer
}

const use = ({ account }: World): Answer => ({
  ...keyed(),
  account_id: account,
  resource: 'benchmark_runs',
  quantity: 1,
})
const ofAccount = ({ account }: World): Answer => ({ account_id: account })
const named =
  (name: string) =>
  ({ ids }: World): Answer => ({ [name]: ids[name] ?? null })

const functions: Record<string, Access> = {
  api_snapshot: {
    scopes: ['check'],
    confined: 'own',
    request: ({ account }) => ({ account_id: account, resource: 'benchmark_runs' }),
  },
  api_snapshot_batch: {
    scopes: ['check'],
    confined: 'own',
    request: ({ account }) => ({ checks: [{ account_id: account, resource: 'benchmark_runs' }] }),
  },
  api_consume: { scopes: ['meter'], confined: 'own', request: use },
  api_meter: { scopes: ['meter'], confined: 'own', request: use },
  api_meter_batch: { scopes: ['meter'], confined: 'own', request: (of) => ({ entries: [use(of)] }) },
  api_ledger_list: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_ledger_get: { scopes: ['read'], confined: 'own', request: named('entry_id') },
  api_ledger_reverse: {
    scopes: ['meter'],
    confined: 'own',
    request: (of) => ({ ...named('entry_id')(of), ...keyed(), quantity: 1 }),
  },
  api_usage: {
    scopes: ['read'],
    confined: 'own',
    request: ({ account }) => ({
      account_id: account,
      resource: 'benchmark_runs',
      granularity: 'day',
      from: '2026-11-01T00:00:00Z',
      to: '2026-12-01T00:00:00Z',
    }),
  },
  api_reservation_create: {
    scopes: ['meter'],
    confined: 'own',
    request: (of) => ({ ...use(of), resource: 'gpu_hours', ttl_seconds: 60 }),
  },
  api_reservation_get: { scopes: ['read', 'meter'], confined: 'own', request: named('reservation_id') },
  api_reservation_commit: { scopes: ['meter'], confined: 'own', request: named('reservation_id') },
  api_reservation_release: {
    scopes: ['meter'],
    confined: 'own',
    request: ({ ids }) => ({ reservation_id: ids['released_reservation_id'] ?? null }),
  },
  api_inventory_assign: {
    scopes: ['meter'],
    confined: 'own',
    request: ({ account }) => ({ account_id: account, resource: 'named_users', item: 'ada' }),
  },
  api_inventory_list: { scopes: ['read', 'meter'], confined: 'own', request: ofAccount },
  api_inventory_release: {
    scopes: ['meter'],
    confined: 'own',
    request: ({ account }) => ({ account_id: account, resource: 'named_users', item: 'ada' }),
  },
  api_lease_acquire: {
    scopes: ['lease'],
    confined: 'own',
    request: ({ account }) => ({ account_id: account, resource: 'concurrent_users', holder: 'ada' }),
  },
  api_lease_heartbeat: { scopes: ['lease'], confined: 'own', request: named('lease_id') },
  api_lease_get: { scopes: ['read', 'lease'], confined: 'own', request: named('lease_id') },
  api_lease_list: { scopes: ['read', 'lease'], confined: 'own', request: ofAccount },
  api_lease_release: { scopes: ['lease'], confined: 'own', request: named('lease_id') },
  api_lease_revoke: { scopes: ['admin'], confined: 'own', request: named('lease_id') },
  api_resource_list: { scopes: ['read'], confined: 'free', request: () => ({}) },
  api_resource_create: {
    scopes: ['admin'],
    confined: 'never',
    request: () => ({ resource: 'a_resource', unit: 'count' }),
  },
  api_unit_list: { scopes: ['read'], confined: 'free', request: () => ({}) },
  api_unit_create: {
    scopes: ['admin'],
    confined: 'never',
    request: () => ({ unit: 'dozen', dimension: 'count', factor: 12 }),
  },
  api_plan_put: { scopes: ['admin'], confined: 'never', request: () => ({ plan_id: 'other', name: 'Other' }) },
  api_plan_get: { scopes: ['read'], confined: 'free', request: named('plan_id') },
  api_plan_list: { scopes: ['read'], confined: 'free', request: () => ({}) },
  api_plan_versions: { scopes: ['read'], confined: 'free', request: named('plan_id') },
  api_plan_migrate: { scopes: ['admin'], confined: 'never', request: named('plan_id') },
  api_account_get: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_account_patch: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...ofAccount(of), metadata: { a: 1 } }),
  },
  api_subscription_create: {
    scopes: ['admin'],
    confined: 'own',
    request: ({ account }) => ({ ...keyed(), account_id: account, plan_id: 'basic' }),
  },
  api_subscription_get: {
    scopes: ['read'],
    confined: 'own',
    request: (of) => ({ ...ofAccount(of), ...named('subscription_id')(of) }),
  },
  api_subscription_change: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...ofAccount(of), ...named('subscription_id')(of), plan_id: 'basic' }),
  },
  api_subscription_migrate: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...ofAccount(of), ...named('subscription_id')(of) }),
  },
  api_subscription_cancel: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...ofAccount(of), ...named('subscription_id')(of), when: 'period_end' }),
  },
  api_subscription_list: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_entitlement_grant: {
    scopes: ['admin'],
    confined: 'own',
    request: ({ account }) => ({ account_id: account, resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1 }),
  },
  api_entitlement_patch: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...named('entitlement_id')(of), priority: 5 }),
  },
  api_entitlement_revoke: { scopes: ['admin'], confined: 'own', request: named('entitlement_id') },
  api_entitlement_list: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_rule_create: {
    scopes: ['admin'],
    confined: 'own',
    request: ({ account }) => ({
      account_id: account,
      resource: 'gpu_hours',
      limit_kind: 'cumulative',
      action: 'warn',
    }),
  },
  api_rule_list: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_rule_get: { scopes: ['read'], confined: 'own', request: named('rule_id') },
  api_rule_patch: {
    scopes: ['admin'],
    confined: 'own',
    request: (of) => ({ ...named('rule_id')(of), action: 'block' }),
  },
  api_rule_delete: { scopes: ['admin'], confined: 'own', request: named('rule_id') },
  api_key_create: {
    scopes: ['admin'],
    confined: 'never',
    request: () => ({ name: 'k', scopes: ['check'], ...secret() }),
  },
  api_key_list: { scopes: ['read'], confined: 'never', request: () => ({}) },
  api_key_get: { scopes: ['read'], confined: 'never', request: named('key_id') },
  api_key_revoke: { scopes: ['admin'], confined: 'never', request: named('key_id') },
  api_key_rotate: { scopes: ['admin'], confined: 'never', request: (of) => ({ ...named('key_id')(of), ...secret() }) },
  api_test_clock_get: { scopes: ['admin'], confined: 'never', request: () => ({}) },
  api_test_clock_set: { scopes: ['admin'], confined: 'never', request: () => ({ advance_seconds: 1 }) },
  api_test_clock_clear: { scopes: ['admin'], confined: 'never', request: () => ({}) },
  api_billing_windows: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_billing_export: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_audit_list: { scopes: ['read'], confined: 'own', request: ofAccount },
  api_ledger_heads: { scopes: ['admin'], confined: 'never', request: () => ({}) },
  api_heads_due: { scopes: ['admin'], confined: 'never', request: () => ({}) },
  api_heads_store: { scopes: ['admin'], confined: 'never', request: () => ({ heads: [] }) },
  api_heads_export: { scopes: ['admin'], confined: 'never', request: () => ({}) },
  api_maintenance: { scopes: ['admin'], confined: 'never', request: () => ({ job: 'expire_leases' }) },
  api_account_erase: { scopes: ['admin'], confined: 'own', request: ofAccount },
}
/** Tested where they are at home: no credential, or the operator's. */
const elsewhere = ['api_ready', 'api_namespace_create', 'api_namespace_list']
const all = ['check', 'meter', 'lease', 'read']

it('every api_ function is in the table', async () => {
  const rows = await sql<{ name: string }>(
    `select distinct proname as name from pg_proc where proname like 'api\\_%' and pronamespace = 'public'::regnamespace`,
  )
  // A function that came later is tested with its issue; one that is gone must not stay here.
  expect([...Object.keys(functions), ...elsewhere].filter((name) => !rows.some((row) => row.name === name))).toEqual([])
  expect(rows.length).toBeGreaterThanOrEqual(Object.keys(functions).length + elsewhere.length)
})

describe.each(Object.entries(functions))('%s', (name, { scopes, confined, request }) => {
  it('needs its scope', async () => {
    for (const scope of all.filter((candidate) => !scopes.includes(candidate))) {
      const error = await errorOf(api(name, request(world), token(world.namespace, [scope])))
      expect(error).toMatchObject({ status: 403, code: 'missing_scope' })
    }
    expect(await errorOf(api(name, request(world), token(world.namespace, [])))).toMatchObject({
      status: 403,
      code: 'missing_scope',
    })
  })

  it('needs a namespace and a credential that exist', async () => {
    const unknown: Answer[] = [
      token(`t-${randomUUID().slice(0, 8)}`),
      { type: 'key', hash: secret().hash },
      { type: 'other', namespace: world.namespace, scopes: ['admin'] },
      {},
    ]
    for (const credential of unknown) {
      expect(await errorOf(api(name, request(world), credential))).toMatchObject({
        status: 401,
        code: 'unauthenticated',
      })
    }
  })

  it(`a token of one account: ${confined}`, async () => {
    const other = token(world.namespace, ['admin'], mintAccount())
    const own = token(world.namespace, ['admin'], world.account)
    if (confined === 'free') expect(await api(name, request(world), other)).toEqual(expect.anything())
    else
      expect(await errorOf(api(name, request(world), other))).toMatchObject({ status: 403, code: 'account_forbidden' })
    if (confined === 'never')
      expect(await errorOf(api(name, request(world), own))).toMatchObject({ status: 403, code: 'account_forbidden' })
  })
})

// These change the world, so they come after the refusals.
describe('what the scopes allow', () => {
  const isLast = ([name]: [string, Access]) => /revoke|delete|release|erase/.test(name)
  const rows = Object.entries(functions)
  it.each([...rows.filter((row) => !isLast(row)), ...rows.filter(isLast)])(
    '%s with each of its scopes',
    async (name, { scopes, confined, request }) => {
      for (const scope of scopes) {
        const account = confined === 'own' ? world.account : null
        expect(await api(name, request(world), token(world.namespace, [scope], account))).toEqual(expect.anything())
      }
      if (!['api_rule_delete', 'api_inventory_release', 'api_key_rotate'].includes(name))
        expect(await api(name, request(world), token(world.namespace))).toEqual(expect.anything())
    },
  )
})

it('and all that they changed is in the audit trail as changed by them', async () => {
  const rows = await sql<{ actor: string; entries: string; unsigned: string }>(
    `select split_part(actor, ':', 1) as actor, count(*) as entries, count(*) filter (where request_id is null) as unsigned
     from audit_log where namespace_id = $1 group by 1 order by 1`,
    [world.namespace],
  )
  // The namespace itself was made by SQL.
  expect(rows).toEqual([
    { actor: 'role', entries: '1', unsigned: '1' },
    { actor: 'token', entries: expect.any(String), unsigned: '0' },
  ])
  expect(Number(rows[1]?.entries)).toBeGreaterThan(20)
})

describe('a token of one account', () => {
  it('lists its own account when it names none', async () => {
    const [account, other] = [mintAccount(), mintAccount()]
    for (const each of [account, other]) {
      await grant(each, { resource: 'concurrent_users', limit_kind: 'concurrency' }, world.namespace)
      await acquire(each, each, {}, world.namespace)
      await ruleFor(each, { action: 'warn' }, world.namespace)
      await api(
        'api_meter',
        { ...keyed(), account_id: each, resource: 'benchmark_runs', quantity: 1 },
        token(world.namespace),
      )
    }
    const own = token(world.namespace, ['read'], account)
    for (const name of ['api_lease_list', 'api_rule_list', 'api_ledger_list']) {
      const data = (await api(name, {}, own))['data'] as Answer[]
      expect(data.map((row) => row['account_id'])).toEqual([account])
    }
  })

  it('changes no rule of the whole namespace, though it be an admin', async () => {
    const own = token(world.namespace, ['admin'], world.account)
    const id = { rule_id: world.ids['namespace_rule_id'] ?? null }
    expect(await errorOf(api('api_rule_patch', { ...id, action: 'block' }, own))).toMatchObject({
      code: 'account_forbidden',
    })
    expect(await errorOf(api('api_rule_delete', id, own))).toMatchObject({ code: 'account_forbidden' })
    const rule = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'block' }
    expect(await errorOf(api('api_rule_create', rule, own))).toMatchObject({ code: 'account_forbidden' })
  })
})
