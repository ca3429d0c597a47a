import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { accountId, acquire, assign, at, check, consume, grant, keyed, meter, ruleFor } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintNamespace, sql, token } from '../../support/sql.ts'

describe.each([
  ['a string', { rawUuids: false }, () => 'org_acme'],
  ['a UUID that neither takes as it is', { rawUuids: false }, () => randomUUID()],
  ['a UUID that both take as it is', { rawUuids: true }, () => randomUUID()],
])('two namespaces with the same account, %s', (_what, options, name) => {
  it('see nothing of each other', async () => {
    const account = name()
    const [ours, theirs] = [await mintNamespace(options), await mintNamespace(options)]
    const plan = {
      plan_id: 'p',
      name: 'P',
      entitlements: [{ resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 5 }],
    }
    await api('api_plan_put', plan, token(ours))
    await api('api_resource_create', { resource: 'our_resource', unit: 'count' }, token(ours))
    await api('api_unit_create', { unit: 'our_unit', dimension: 'count', factor: 12 }, token(ours))
    const subscription = await api(
      'api_subscription_create',
      { ...keyed(), account_id: account, plan_id: 'p' },
      token(ours),
    )
    const entitlement = await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency' }, ours)
    await grant(account, { resource: 'named_users', limit_kind: 'inventory' }, ours)
    await assign(account, 'ada', {}, ours)
    const rule = await ruleFor(account, { action: 'warn' }, ours)
    await ruleFor(null, { action: 'overage' }, ours)
    const lease = await acquire(account, 'ada', {}, ours)
    await grant(account, {}, ours)
    const consumed = await consume(account, { idempotency_key: 'same', quantity: 3 }, ours)
    const entry = { entry_id: at(consumed, 'entry.entry_id') }
    const key = await api(
      'api_key_create',
      { name: 'k', scopes: ['read'], hash: randomUUID().replaceAll('-', '').repeat(2), prefix: 'p' },
      token(ours),
    )

    expect(await accountId(account, theirs)).not.toBe(await accountId(account, ours))
    expect(await check(account, {}, theirs)).toMatchObject({ reason: 'no_entitlement' })
    for (const [list, request] of [
      ['api_lease_list', { account_id: account }],
      ['api_lease_list', {}],
      ['api_inventory_list', { account_id: account }],
      ['api_inventory_list', {}],
      ['api_ledger_list', { account_id: account }],
      ['api_ledger_list', {}],
      ['api_rule_list', {}],
      ['api_subscription_list', { account_id: account }],
      ['api_entitlement_list', { account_id: account }],
      ['api_plan_list', {}],
      ['api_key_list', {}],
    ] as const) {
      expect([list, (await api(list, request, token(theirs)))['data']]).toEqual([list, []])
      expect((await api(list, request, token(ours)))['data']).not.toEqual([])
    }
    const known = async (list: string, field: string) =>
      ((await api(list, { limit: 100 }, token(theirs)))['data'] as Answer[]).map((row) => row[field])
    expect(await known('api_resource_list', 'resource')).not.toContain('our_resource')
    expect(await known('api_unit_list', 'unit')).not.toContain('our_unit')
    expect(await errorOf(check_(account, 'our_resource', theirs))).toMatchObject({ code: 'unknown_resource' })

    const notFound: [string, Answer][] = [
      ['api_lease_get', { lease_id: at(lease, 'lease.lease_id') }],
      ['api_lease_heartbeat', { lease_id: at(lease, 'lease.lease_id') }],
      ['api_lease_release', { lease_id: at(lease, 'lease.lease_id') }],
      ['api_lease_revoke', { lease_id: at(lease, 'lease.lease_id') }],
      ['api_entitlement_patch', { entitlement_id: at(entitlement, 'entitlement_id'), priority: 1 }],
      ['api_entitlement_revoke', { entitlement_id: at(entitlement, 'entitlement_id') }],
      ['api_rule_get', { rule_id: at(rule, 'rule_id') }],
      ['api_rule_patch', { rule_id: at(rule, 'rule_id'), action: 'block' }],
      ['api_rule_delete', { rule_id: at(rule, 'rule_id') }],
      ['api_ledger_get', entry],
      ['api_ledger_reverse', { ...keyed(), ...entry }],
      ['api_plan_get', { plan_id: 'p' }],
      ['api_plan_versions', { plan_id: 'p' }],
      ['api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }],
      [
        'api_subscription_get',
        { account_id: account, subscription_id: at(subscription, 'subscription.subscription_id') },
      ],
      ['api_key_get', { key_id: at(key, 'key_id') }],
      ['api_key_revoke', { key_id: at(key, 'key_id') }],
      ['api_rule_create', { plan_id: 'p', resource: 'gpu_hours', limit_kind: 'cumulative', action: 'warn' }],
    ]
    for (const [name, request] of notFound)
      expect([name, await errorOf(api(name, request, token(theirs)))]).toMatchObject([
        name,
        { status: 404, code: 'not_found' },
      ])

    // The same key, and rules of the whole namespace, are each one's own.
    await grant(account, { quantity: 1 }, theirs)
    expect(await consume(account, { idempotency_key: 'same', quantity: 2 }, theirs)).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
    })
    expect(await meter(account, { idempotency_key: 'same', quantity: 1 }, theirs)).toMatchObject({
      duplicate: false,
      entry: { account_id: account },
    })
    expect(await check(account, {}, ours)).toMatchObject({ used: 3 })
  })
})

const check_ = (account: string, resource: string, namespace: string) =>
  api('api_snapshot', { account_id: account, resource }, token(namespace))

describe('a raw UUID', () => {
  it('belongs to the first namespace that uses it; to the others it maps like any string', async () => {
    const [first, second] = [await mintNamespace({ rawUuids: true }), await mintNamespace({ rawUuids: true })]
    const account = randomUUID()
    expect([await accountId(account, first), await accountId(account, second)]).toEqual([account, account])
    await meter(account, {}, second)
    expect(await accountId(account, second)).toBe(account)
    expect(await accountId(account, first)).not.toBe(account)
    await meter(account, {}, first)
    const rows = await sql(
      'select namespace_id, external_id from accounts where account_id = $1 or external_id = $1::text order by external_id nulls first',
      [account],
    )
    expect(rows).toEqual([
      { namespace_id: second, external_id: null },
      { namespace_id: first, external_id: account },
    ])
  })

  it('in capitals is the same account; answers echo what the caller wrote', async () => {
    const account = randomUUID()
    await grant(account)
    await meter(account.toUpperCase(), { quantity: 2 })
    expect(await check(account)).toMatchObject({ used: 2 })
    expect(await api('api_ledger_list', { account_id: account.toUpperCase() })).toMatchObject({
      data: [{ account_id: account.toUpperCase() }],
    })
  })

  it('in a namespace that takes none maps like any string', async () => {
    const account = randomUUID()
    const namespace = await mintNamespace()
    await meter(account, {}, namespace)
    expect(await accountId(account, namespace)).not.toBe(account)
    expect(await accountId(account)).toBe(account)
  })

  it('first named by SQL belongs to default', async () => {
    const account = randomUUID()
    await sql("select fn_meter_consumption('k', $1, 'benchmark_runs', 1)", [account])
    expect(await sql('select namespace_id from accounts where account_id = $1', [account])).toEqual([
      { namespace_id: 'default' },
    ])
    expect(await api('api_ledger_list', { account_id: account })).toMatchObject({ data: [{ idempotency_key: 'k' }] })
  })
})

it.each(['ä', '  spaces  ', "'; drop table accounts; --", '日本語', 'a'.repeat(255), 'UPPER', 'upper', '%', 'a/b'])(
  'the account %j is one of its own, by the same UUID each time',
  async (account) => {
    const namespace = await mintNamespace()
    await meter(account, { quantity: 2 }, namespace)
    await meter(account, { quantity: 2 }, namespace)
    const rows = await sql('select account_id, external_id from accounts where namespace_id = $1', [namespace])
    expect(rows).toEqual([{ account_id: await accountId(account, namespace), external_id: account }])
  },
)
