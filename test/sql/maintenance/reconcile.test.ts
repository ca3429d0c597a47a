import { describe, expect, it } from 'vitest'
import { accountId, acquire, at, check, consume, grant, listAt, meter, setClock } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

type Place = { namespace: string; account: string; id: string }

/** An account with use of each sort. */
async function used(): Promise<Place> {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2031-03-31T12:00:00Z')
  await grant(account, { window: 'calendar_month', quantity: 10 }, namespace)
  await grant(account, { resource: 'server_configs', limit_kind: 'inventory', quantity: 3 }, namespace)
  await consume(account, { quantity: 7 }, namespace)
  await meter(account, { quantity: 7.5 }, namespace)
  await meter(account, { resource: 'server_configs', quantity: 2 }, namespace)
  await meter(account, { resource: 'gpu_hours', quantity: 0.25 }, namespace)
  return { namespace, account, id: await accountId(account, namespace) }
}

const reconcile = (namespace: string, most = 500, entries = 100_000) =>
  sqlValue<Answer>('select fn_reconcile($1, $2, $3)', [namespace, most, entries])

const BILLS = 'bills, open and closed, = ledger'

describe('reconcile', () => {
  it('finds nothing where all agrees', async () => {
    const { namespace } = await used()
    expect(await reconcile(namespace)).toEqual({
      job: 'reconcile',
      processed: 3,
      more: false,
      differences: [],
      too_large: [],
    })
  })

  it.each([
    [
      'a counter that is too high',
      "update entitlement_windows set used = used + 1 where account_id = $1 and resource_type_code = 'benchmark_runs'",
      'counter = carried over + Σ allocations',
      'benchmark_runs',
      /^[-0-9a-f]{36}\/2031-04-01T00:00:00Z$/,
    ],
    [
      'a counter whose amount is wrong',
      "update entitlement_windows set billable_amount = 1 where account_id = $1 and resource_type_code = 'benchmark_runs'",
      'counter = carried over + Σ allocations',
      'benchmark_runs',
      /^[-0-9a-f]{36}\/2031-04-01T00:00:00Z$/,
    ],
    [
      'a counter that is gone',
      "delete from entitlement_windows where account_id = $1 and resource_type_code = 'benchmark_runs'",
      'counter = carried over + Σ allocations',
      'benchmark_runs',
      /^[-0-9a-f]{36}\/2031-04-01T00:00:00Z$/,
    ],
    [
      'a rollup of a day',
      "update usage_rollups set quantity = quantity - 1 where account_id = $1 and resource_type_code = 'gpu_hours'",
      'rollups by day = by quarter of an hour',
      'gpu_hours',
      /^[-0-9a-f]{36}\/2031-03-31$/,
    ],
    [
      'a rollup of a quarter of an hour',
      "update usage_rollups set quantity = quantity + 1, quarters[49] = quarters[49] + 1 where account_id = $1 and resource_type_code = 'gpu_hours'",
      'rollups = ledger, by quarter of an hour',
      'gpu_hours',
      /^[-0-9a-f]{36}\/2031-03-31\/49$/,
    ],
    [
      'a stock',
      "update inventory_totals set quantity = 9 where account_id = $1 and resource_type_code = 'server_configs'",
      'stock = Σ of its ledger entries, per scope, and never below zero',
      'server_configs',
      /^server_configs$/,
    ],
  ])('finds %s, names no account by its own name, and changes nothing', async (what, spoil, law, resource, subject) => {
    const { namespace, account, id } = await used()
    await sql(spoil, [id])
    const rows = async () => [
      await sql('select * from entitlement_windows where account_id = $1 order by resource_type_code', [id]),
      await sql('select * from usage_rollups where account_id = $1 order by resource_type_code, bucket_id', [id]),
      await sql('select * from inventory_totals where account_id = $1 order by resource_type_code', [id]),
      await sql('select * from resource_state where account_id = $1 order by resource_type_code', [id]),
    ]
    const before = await rows()
    const report = await reconcile(namespace)
    // What is billed is made of the counters.
    const found = listAt(report, 'differences').filter((each) => at(each, 'law') !== BILLS)
    expect(found, what).toEqual([{ law, account_uuid: id, resource, subject: expect.stringMatching(subject) }])
    expect(JSON.stringify(report)).not.toContain(account)
    expect(await reconcile(namespace)).toEqual(report)
    expect(await rows()).toEqual(before)
  })

  it('finds what the ledger itself has wrong', async () => {
    const { namespace, id } = await used()
    const [wrong] = await sql<{ entry_id: string }>(
      `insert into consumption_ledger
       select (jsonb_populate_record(l, jsonb_build_object('entry_id', gen_random_uuid(), 'included_quantity', 8))).*
       from consumption_ledger l where account_id = $1 and quantity = 7 returning entry_id`,
      [id],
    )
    const report = await reconcile(namespace)
    expect(listAt(report, 'differences').map((each) => [at(each, 'law'), at(each, 'subject')])).toEqual([
      ['quantity = included + overage + excess', wrong?.entry_id],
      ['what drew on a window says on which, in full; nothing else does', wrong?.entry_id],
      [BILLS, 'benchmark_runs'],
    ])
  })

  it('does a bounded number of (account, resource), goes on where it stopped, and begins anew', async () => {
    const { namespace, id } = await used()
    await sql(
      "update inventory_totals set quantity = 9 where account_id = $1 and resource_type_code = 'server_configs'",
      [id],
    )
    const steps = [await reconcile(namespace, 1), await reconcile(namespace, 1), await reconcile(namespace, 1)]
    expect(steps.map((step) => [step['processed'], step['more'], listAt(step, 'differences').length])).toEqual([
      [1, true, 0],
      [1, true, 0],
      [1, false, 1],
    ])
    expect(await reconcile(namespace)).toMatchObject({ processed: 3, more: false })
  })

  it('does a bounded number of entries, and says what is too large to be done at once', async () => {
    const { namespace, id } = await used()
    const steps = [await reconcile(namespace, 500, 2), await reconcile(namespace, 500, 2)]
    expect(steps.map((step) => [step['processed'], step['more']])).toEqual([
      [1, true],
      [2, false],
    ])
    expect(await reconcile(namespace, 500, 1)).toEqual({
      job: 'reconcile',
      processed: 1,
      more: true,
      differences: [],
      too_large: [{ account_uuid: id, resource: 'benchmark_runs' }],
    })
  })

  it('leaves other namespaces alone', async () => {
    const [ours, theirs] = [await used(), await used()]
    await sql(
      "update inventory_totals set quantity = 9 where account_id = $1 and resource_type_code = 'server_configs'",
      [theirs.id],
    )
    expect(await reconcile(ours.namespace)).toMatchObject({ differences: [] })
    expect(listAt(await reconcile(theirs.namespace), 'differences')).toHaveLength(1)
  })

  it('at once, and while commands are at work, finds nothing that is not so and changes no answer', async () => {
    const { namespace, account } = await used()
    const question = { resource: 'server_configs' }
    const { as_of: _, ...before } = await check(account, question, namespace)
    const [reports] = await Promise.all([
      Promise.all(Array.from({ length: 10 }, () => reconcile(namespace))),
      Promise.all(Array.from({ length: 40 }, (_, n) => meter(account, { quantity: 1 + (n % 3) }, namespace))),
    ])
    for (const report of reports) expect(report['differences']).toEqual([])
    const { as_of: __, ...after } = await check(account, question, namespace)
    expect(after).toEqual(before)
  })
})

/** What the jobs have left to do of an account, and what they have done. */
async function left(id: string): Promise<unknown> {
  const [row] = await sql(
    `select (select count(*)::int from concurrency_leases where account_id = $1 and ended_at is null) as leases,
       (select count(*)::int from reservations where account_id = $1 and ended_at is null) as reservations,
       (select count(*)::int from entitlement_windows where account_id = $1 and frozen_at is not null) as frozen`,
    [id],
  )
  return row
}

describe('one run of all jobs', () => {
  it('says what each did, in the namespace of the caller alone', async () => {
    const places = [await used(), await used()] as const
    for (const { namespace, account } of places) {
      await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency' }, namespace)
      await acquire(account, 'ada', { ttl_seconds: 60 }, namespace)
      await grant(account, { quantity: 50 }, namespace)
      await api(
        'api_reservation_create',
        { idempotency_key: 'hold', account_id: account, resource: 'benchmark_runs', quantity: 2, ttl_seconds: 60 },
        token(namespace),
      )
      await setClock(namespace, '2031-04-02T00:00:00Z')
    }
    const [ours, theirs] = places
    const run = () => api('api_maintenance', { job: 'all' }, token(ours.namespace))
    const report = (leases: number, reservations: number, windows: number) => ({
      results: [
        { job: 'expire_leases', processed: leases, more: false },
        { job: 'expire_reservations', processed: reservations, more: false },
        { job: 'close_windows', processed: windows, more: false },
        { job: 'reconcile', processed: 4, more: false, differences: [], too_large: [] },
        { job: 'verify_chain', processed: expect.any(Number), more: false, faults: [] },
      ],
    })
    expect(await run()).toEqual(report(1, 1, 3))
    expect(await run()).toEqual(report(0, 0, 0))
    expect(await left(ours.id)).toEqual({ leases: 0, reservations: 0, frozen: 3 })
    expect(await left(theirs.id)).toEqual({ leases: 1, reservations: 1, frozen: 0 })
  })

  it('many of them at once do each thing once', async () => {
    const { namespace, account, id } = await used()
    await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 20 }, namespace)
    await Promise.all(Array.from({ length: 12 }, (_, n) => acquire(account, `h${n}`, { ttl_seconds: 60 }, namespace)))
    await setClock(namespace, '2031-04-02T00:00:00Z')
    const reports = await Promise.all(
      Array.from({ length: 8 }, () => api('api_maintenance', { job: 'all' }, token(namespace))),
    )
    const total = (n: number) => reports.reduce((sum, report) => sum + Number(at(report, `results.${n}.processed`)), 0)
    expect([total(0), total(1), total(2)]).toEqual([12, 0, 3])
    expect(await left(id)).toEqual({ leases: 0, reservations: 0, frozen: 3 })
  })
})
