import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import { signHeads } from '../../support/chains.ts'
import {
  accountId,
  acquire,
  assign,
  check,
  consume,
  endHold,
  grant,
  keyed,
  listAt,
  meter,
  reserve,
  reverse,
  setClock,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { type Answer, api, mintNamespace, sql, sqlAsWorker, sqlValue, token } from '../../support/sql.ts'

type Person = { namespace: string; account: string; id: string; mark: string }

/** An account with something personal wherever that can be, all of it with the same mark. */
async function person(namespace: string): Promise<Person> {
  const mark = `mark${randomUUID().replaceAll('-', '')}`
  const account = `${mark}@example.org`
  const admin = token(namespace)
  const metadata = { [mark]: { who: [mark] } }
  const own = { account_id: account }
  await grant(account, { quantity: 50, metadata, window: 'calendar_month', ...keyed() }, namespace)
  await grant(account, { resource: 'gpu_hours', metadata }, namespace)
  const refunded = await grant(account, { resource: 'gpu_hours' }, namespace)
  await api(
    'api_entitlement_revoke',
    { entitlement_id: textAt(refunded, 'entitlement_id'), reason: `Refunded to ${mark}` },
    admin,
  )
  await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 9 }, namespace)
  await grant(account, { resource: 'named_users', limit_kind: 'inventory', quantity: 9 }, namespace)
  await api('api_account_patch', { ...own, name: `Name ${mark}`, metadata }, admin)
  await api('api_account_patch', { ...own, name: `Other ${mark}` }, admin)
  await api(
    'api_rule_create',
    { ...own, ...keyed(), resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'overage' },
    admin,
  )
  const GPUS = { resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1 }
  await api('api_plan_put', { plan_id: 'p', name: 'P', status: 'active', entitlements: [GPUS] }, admin)
  const subscribed = await api('api_subscription_create', { ...own, ...keyed(), plan_id: 'p' }, admin)
  const subscription_id = textAt(subscribed, 'subscription.subscription_id')
  await api('api_subscription_change', { ...own, ...keyed(), subscription_id, plan_id: 'p', quantity: 2 }, admin)
  const { entry } = await consume(account, { quantity: 60, metadata }, namespace)
  await reverse(textAt(entry ?? {}, 'entry_id'), { quantity: 1, reason: mark }, namespace)
  await meter(account, { metadata }, namespace)
  const entries = [{ ...own, ...keyed(), resource: 'benchmark_runs', quantity: 1, metadata }]
  await api('api_meter_batch', { entries }, admin)
  const held = await reserve(account, {}, namespace)
  await reserve(account, {}, namespace)
  await endHold('commit', held, { metadata }, namespace)
  await acquire(account, mark, { metadata }, namespace)
  const { lease } = await acquire(account, `b ${mark}`, { metadata }, namespace)
  await api('api_lease_revoke', { lease_id: textAt(lease ?? {}, 'lease_id'), reason: mark }, admin)
  await assign(account, mark, { metadata }, namespace)
  await assign(account, `b ${mark}`, { metadata }, namespace)
  await unassign(account, `b ${mark}`, {}, namespace)
  return { namespace, account, id: await accountId(account, namespace), mark }
}

/** Where in the whole database a text stands: table and column. */
async function placesOf(text: string): Promise<string[]> {
  const columns = await sql<{ relation: string; column: string }>(
    `select format('%I', c.relname) as relation, format('%I', a.attname) as column
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm') order by 1, 2`,
  )
  expect(columns.length).toBeGreaterThan(200)
  const searches = columns.map(
    ({ relation, column }) =>
      `select '${relation}.${column}' as place where exists (select from ${relation}
         where strpos(${column}::text, $1) > 0 or strpos(${column}::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0)`,
  )
  return (await sql<{ place: string }>(searches.join(' union all '), [text])).map(({ place }) => place)
}

const erase = ({ namespace, account }: Person) => api('api_account_erase', { account_id: account }, token(namespace))

/** All that is recorded, counted and chained of an account. */
async function record({ id, namespace, account }: Person) {
  const { namespace_id: _, ...state } = await check(account, {}, namespace)
  return {
    ledger: await sql('select * from consumption_ledger where account_id = $1 order by entry_id', [id]),
    allocations: await sql(
      'select * from consumption_allocations where account_id = $1 order by entry_id, draw_order',
      [id],
    ),
    windows: await sql('select * from entitlement_windows where account_id = $1 order by bucket_id, window_end', [id]),
    rollups: await sql('select * from usage_rollups where account_id = $1 order by bucket_id, day', [id]),
    stock: await sql('select * from inventory_totals where account_id = $1', [id]),
    heads: await sql(
      'select resource_type_code, chain_seq, chain_hash from resource_state where account_id = $1 order by 1',
      [id],
    ),
    state: { ...state, as_of: null },
    leases: await sql(
      'select lease_id, units, fencing_token, expires_at from concurrency_leases where account_id = $1 order by 1',
      [id],
    ),
    items: await sql('select entry_id, assigned_at from inventory_items where account_id = $1 order by 1', [id]),
  }
}

describe('an erase', () => {
  it('leaves the personal strings nowhere, and sums and chains as they were', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2031-03-31T12:00:00Z')
    const [ada, bob] = [await person(namespace), await person(namespace)]
    await signHeads(namespace)
    const before = await record(ada)
    expect((await placesOf(ada.mark)).toSorted()).toEqual(
      expect.arrayContaining([
        'accounts.account_name',
        'accounts.external_id',
        'accounts.metadata',
        'audit_details.after',
        'audit_details.before',
        'concurrency_leases.end_reason',
        'concurrency_leases.holder',
        'concurrency_leases.metadata',
        'entitlements.metadata',
        'entitlements.revoke_reason',
        'inventory_items.item',
        'inventory_items.metadata',
        'ledger_details.metadata',
      ]),
    )
    const of = await placesOf(bob.mark)

    const answer = await erase(ada)
    expect(answer).toEqual({
      account_id: ada.account,
      erased_at: expect.stringMatching(/^\d{4}-.*Z$/),
      complete: true,
      // A consume, its reversal, a use, one of a batch, a commit; two assigned, one released.
      ledger_details: 8,
      leases: 2,
      items: 1,
      entitlements: 3,
      audit_details: expect.any(Number),
    })
    expect(await placesOf(ada.mark)).toEqual([])
    expect(await record(ada)).toEqual(before)
    expect(await placesOf(bob.mark)).toEqual(of)
    expect(await audit(namespace)).toEqual({})
    expect(await sqlValue('select fn_verify_chain($1)', [namespace])).toMatchObject({ faults: [], more: false })
  })

  it('said again finds nothing, and says when it was', async () => {
    const ada = await person(await mintNamespace())
    const first = await erase(ada)
    const zero = { ledger_details: 0, leases: 0, items: 0, entitlements: 0, audit_details: 0 }
    expect(await erase(ada)).toEqual({ ...first, ...zero })
    expect(await placesOf(ada.mark)).toEqual([])
  })

  it('is in the audit trail, by whom, without what was erased', async () => {
    const ada = await person(await mintNamespace())
    await erase(ada)
    const trail = await api('api_audit_list', { action: 'erase' }, token(ada.namespace, ['read']))
    expect(listAt(trail, 'data')).toMatchObject([
      { action: 'erase', object_type: 'account', object_id: ada.id, actor: 'token', erased: true },
    ])
    expect(JSON.stringify(await api('api_audit_list', { limit: 100 }, token(ada.namespace, ['read'])))).not.toContain(
      ada.mark,
    )
  })

  it('of an account that was never seen does nothing', async () => {
    const namespace = await mintNamespace()
    expect(await api('api_account_erase', { account_id: 'nobody' }, token(namespace))).toMatchObject({
      account_id: 'nobody',
      erased_at: null,
      complete: true,
      ledger_details: 0,
    })
    expect(await sql('select from accounts where namespace_id = $1', [namespace])).toEqual([])
    expect(await sql('select from audit_log where namespace_id = $1 and account_id is not null', [namespace])).toEqual(
      [],
    )
  })

  it('of very much is done in parts', async () => {
    const ada = await person(await mintNamespace())
    const reports: Answer[] = []
    do {
      const [row] = await sql<{ report: Answer }>('select fn_account_erase($1, $2, 3) as report', [ada.id, ada.account])
      reports.push(row?.report ?? {})
    } while (reports.at(-1)?.['complete'] === false && reports.length < 20)
    expect(reports.length).toBeGreaterThanOrEqual(3)
    expect(reports.map((report) => Number(report['ledger_details']))).toEqual([
      3,
      3,
      2,
      ...reports.slice(3).map(() => 0),
    ])
    expect(await placesOf(ada.mark)).toEqual([])
  })

  it('keeps seats and items as they are, under names of nobody', async () => {
    const ada = await person(await mintNamespace())
    await erase(ada)
    const held = { account_id: ada.account }
    const leases = listAt(await api('api_lease_list', held, token(ada.namespace)), 'data') as Answer[]
    expect(leases.map(({ holder, lease_id }) => holder === `erased:${lease_id}`)).toEqual([true, true])
    const items = listAt(await api('api_inventory_list', held, token(ada.namespace)), 'data') as Answer[]
    expect(items).toMatchObject([{ item: `erased:${items[0]?.['entry_id']}`, metadata: {} }])
    // The seat goes on, and can be given back.
    const [active] = leases.filter(({ status }) => status === 'active')
    expect(
      await api('api_lease_heartbeat', { lease_id: active?.['lease_id'] ?? null }, token(ada.namespace)),
    ).toBeDefined()
    const released = await unassign(ada.account, String(items[0]?.['item']), {}, ada.namespace)
    expect(released).toMatchObject({ state: { used: 0 } })
  })

  it('leaves retries what they were', async () => {
    const namespace = await mintNamespace()
    const account = `mark${randomUUID()}`
    await grant(account, {}, namespace)
    await api(
      'api_plan_put',
      { plan_id: 'p', name: 'P', entitlements: [{ resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1 }] },
      token(namespace),
    )
    const [use, hold, rule, given, plan] = [keyed(), keyed(), keyed(), keyed(), keyed()]
    const same = {
      use: () => consume(account, { ...use, metadata: { a: 1 } }, namespace),
      hold: () => reserve(account, { ...hold, resource: 'benchmark_runs' }, namespace),
      rule: () =>
        api(
          'api_rule_create',
          { ...rule, account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'warn' },
          token(namespace),
        ),
      given: () => grant(account, { ...given, metadata: { a: 1 } }, namespace),
      plan: () => api('api_subscription_create', { ...plan, account_id: account, plan_id: 'p' }, token(namespace)),
    }
    const first = {
      use: await same.use(),
      hold: await same.hold(),
      rule: await same.rule(),
      given: await same.given(),
      plan: await same.plan(),
    }
    await api('api_account_erase', { account_id: account }, token(namespace))
    expect(await same.use()).toMatchObject({
      entry: { entry_id: textAt(first.use, 'entry.entry_id') },
      duplicate: true,
    })
    expect(await same.hold()).toEqual({ ...first.hold, duplicate: true })
    expect(await same.rule()).toEqual({ ...first.rule, duplicate: true })
    expect(await same.given()).toEqual({ ...first.given, metadata: {}, duplicate: true })
    expect(await same.plan()).toEqual({ ...first.plan, duplicate: true })
  })

  it('and whoever uses the string again goes on with the same account, under its name', async () => {
    const ada = await person(await mintNamespace())
    const before = await check(ada.account, {}, ada.namespace)
    await erase(ada)
    await meter(ada.account, {}, ada.namespace)
    expect(await check(ada.account, {}, ada.namespace)).toMatchObject({ used: Number(before['used']) + 1 })
    const listed = await api('api_ledger_list', { account_id: ada.account }, token(ada.namespace))
    expect(listAt(listed, 'data')[0]).toMatchObject({ account_id: ada.account })
    const again = await erase(ada)
    expect(again).toMatchObject({ complete: true, ledger_details: 0 })
    expect(await placesOf(ada.mark)).toEqual([])
  })

  it('tells the edge what to forget, by the name that it knows', async () => {
    const ada = await person(await mintNamespace())
    const [row] = await sqlAsWorker<{ told: { changes: { keys: Answer[] }[] } }>(
      'select fn_told(api_account_erase($1, $2)) as told',
      [token(ada.namespace), { account_id: ada.account }],
    )
    const keys = row?.told.changes[0]?.keys ?? []
    expect(keys.map(({ resource }) => resource).toSorted()).toEqual([
      ...['benchmark_runs', 'concurrent_users', 'gpu_hours', 'named_users'],
    ])
    for (const key of keys) expect(key).toMatchObject({ account_id: ada.account, snapshot: null, holders: null })
  })

  it('waits for who is at work there, and at once with others breaks nothing', async () => {
    const ada = await person(await mintNamespace())
    const commands = [
      ...Array.from({ length: 3 }, () => () => erase(ada)),
      ...Array.from({ length: 12 }, (_, n) => () => consume(ada.account, { metadata: { n } }, ada.namespace)),
      ...Array.from({ length: 4 }, (_, n) => () => acquire(ada.account, `h${n % 2}`, {}, ada.namespace)),
      ...Array.from(
        { length: 4 },
        (_, n) => () =>
          api(
            'api_account_patch',
            { account_id: ada.account, status: n % 2 ? 'active' : 'suspended' },
            token(ada.namespace),
          ),
      ),
    ]
    const results = await Promise.allSettled(commands.map((command) => command()))
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    await erase(ada)
    expect(await placesOf(ada.mark)).toEqual([])
    expect(await audit(ada.namespace)).toEqual({})
  })
})
