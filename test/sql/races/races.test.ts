import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import { accountId, acquire, check, consume, grant, keyed, meter } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, retried, sql, token } from '../../support/sql.ts'

const resource = 'concurrent_users'
const parallel = <Result>(count: number, work: (n: number) => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))

/** Status of a call: `ok`, or the SQLSTATE of its error. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => (error instanceof pg.DatabaseError ? (error.code ?? '') : String(error)),
  )

describe('nothing is given out twice', () => {
  it('200 units, 150 consumes of 2 at once: exactly 100 are allowed', async () => {
    const account = mintAccount()
    await grant(account, { quantity: 200, window: 'calendar_month' })
    const answers = await parallel(150, (n) =>
      retried(() => consume(account, { idempotency_key: `c${n}`, quantity: 2 })),
    )
    expect(answers.filter((answer) => answer['allowed'])).toHaveLength(100)
    expect(new Set(answers.filter((answer) => !answer['allowed']).map((answer) => answer['reason']))).toEqual(
      new Set(['limit_exceeded']),
    )
    const used = answers
      .flatMap((answer) => (answer['allowed'] ? [Number(answer['used'])] : []))
      .toSorted((a, b) => a - b)
    expect(used).toEqual(Array.from({ length: 100 }, (_, n) => 2 * (n + 1)))
    expect(await check(account, { quantity: 0 })).toMatchObject({ used: 200, remaining: 0 })
  })

  it('several resources and stacked entitlements at once', async () => {
    const account = mintAccount()
    const resources = ['benchmark_runs', 'gpu_hours', 'ai_models']
    for (const each of resources)
      for (const priority of [1, 2]) await grant(account, { resource: each, quantity: 5, priority })
    const answers = await parallel(60, (n) =>
      retried(() => consume(account, { idempotency_key: `c${n}`, resource: resources[n % 3] ?? '' })),
    )
    expect(answers.filter((answer) => answer['allowed'])).toHaveLength(30)
  })

  it('50 acquires at once for 5 seats: exactly 5, with fencing tokens 1 to 5', async () => {
    const account = mintAccount()
    await grant(account, { resource, limit_kind: 'concurrency', quantity: 5 })
    const answers = await parallel(50, (n) => retried(() => acquire(account, `holder-${n}`)))
    const tokens = answers.flatMap((answer) =>
      answer['allowed'] ? [(answer['lease'] as Answer)['fencing_token']] : [],
    )
    expect(tokens.toSorted()).toEqual([1, 2, 3, 4, 5])
  })

  it('one holder asking 20 times at once has one lease', async () => {
    const account = mintAccount()
    await grant(account, { resource, limit_kind: 'concurrency', quantity: 5 })
    const answers = await parallel(20, () => retried(() => acquire(account, 'ada')))
    expect(new Set(answers.map((answer) => (answer['lease'] as Answer)['lease_id'])).size).toBe(1)
    expect(answers.filter((answer) => !answer['renewed'])).toHaveLength(1)
    expect(await check(account, { resource, purpose: 'lease', quantity: 0 })).toMatchObject({ used: 1 })
  })

  it('an inventory is never given back below zero', async () => {
    const account = mintAccount()
    await grant(account, { resource: 'server_configs', limit_kind: 'inventory', quantity: 50 })
    await meter(account, { resource: 'server_configs', quantity: 10 })
    const outcomes = await parallel(30, () =>
      outcome(retried(() => meter(account, { resource: 'server_configs', quantity: -1 }))),
    )
    expect(outcomes.filter((each) => each === 'ok')).toHaveLength(10)
    expect(outcomes.filter((each) => each === 'ME409')).toHaveLength(20)
  })
})

describe('one idempotency key', () => {
  it.each(['consume', 'meter'] as const)('%s 50 times at once: one entry, all answers equal', async (name) => {
    const account = mintAccount()
    await grant(account)
    const call = { consume, meter }[name]
    const answers = await parallel(50, () => retried(() => call(account, { idempotency_key: 'k', quantity: 3 })))
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    const same = answers.map(({ duplicate: _, ...answer }) => JSON.stringify(answer))
    expect(new Set(same).size).toBe(1)
    expect(await check(account, { quantity: 0 })).toMatchObject({ used: 3 })
  })

  it('of an account that nobody knew, 30 times at once: one account, one entry', async () => {
    const account = mintAccount()
    const answers = await parallel(30, () => retried(() => meter(account, { idempotency_key: 'k' })))
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    expect(await sql('select 1 from accounts where external_id = $1', [account])).toHaveLength(1)
  })

  it('on two resources at once: one wins, the other is a conflict', async () => {
    for (let round = 0; round < 10; round++) {
      const account = mintAccount()
      for (const each of ['benchmark_runs', 'gpu_hours']) await grant(account, { resource: each })
      const call = round % 2 ? consume : meter
      const outcomes = await parallel(10, (n) =>
        outcome(
          retried(() => call(account, { idempotency_key: 'k', resource: n % 2 ? 'benchmark_runs' : 'gpu_hours' })),
        ),
      )
      expect(outcomes.toSorted()).toEqual([...Array(5).fill('ME409'), ...Array(5).fill('ok')])
      expect(
        await sql('select 1 from consumption_ledger where account_id = $1', [await accountId(account)]),
      ).toHaveLength(1)
    }
  })

  it('of a subscription, 10 times at once: one subscription', async () => {
    const account = mintAccount()
    const answers = await parallel(10, () =>
      retried(() => api('api_subscription_create', { idempotency_key: 'k', account_id: account, plan_id: 'pro' })),
    )
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    expect(await sql('select 1 from subscriptions where account_id = $1', [await accountId(account)])).toHaveLength(1)
  })

  it('of one batch, sent 8 times at once: recorded once', async () => {
    const account = mintAccount()
    await grant(account)
    const entries = Array.from({ length: 20 }, (_, n) => ({
      idempotency_key: `k${n}`,
      account_id: account,
      resource: n % 2 ? 'benchmark_runs' : 'gpu_hours',
      quantity: 1,
    }))
    const answers = await parallel(8, () => retried(() => api('api_meter_batch', { entries })))
    const statuses = answers.flatMap((answer) => (answer['results'] as Answer[]).map((result) => result['status']))
    expect(statuses.filter((status) => status === 'recorded')).toHaveLength(20)
    expect(statuses.filter((status) => status === 'duplicate')).toHaveLength(140)
    expect(
      await sql('select 1 from consumption_ledger where account_id = $1', [await accountId(account)]),
    ).toHaveLength(20)
  })
})

/** As the owner, who waits for locks as long as it takes: whatever fails then is a deadlock. */
async function asOwner(name: string, request: Answer, namespace: string): Promise<string> {
  return outcome(sql(`select ${name}($1, $2)`, [token(namespace), request]))
}

describe('no deadlocks', () => {
  const resources = [
    'ai_models',
    'benchmark_runs',
    'concurrent_users',
    'gpu_hours',
    'named_users',
    'platform_access',
    'server_configs',
  ]
  const entriesFor = (accounts: string[], keys: string) =>
    accounts.flatMap((account) =>
      resources.map((each) => ({
        idempotency_key: `${keys}-${each}`,
        account_id: account,
        resource: each,
        quantity: 1,
      })),
    )

  it('batches in opposite orders, over new and known accounts', async () => {
    const namespace = await mintNamespace()
    for (let round = 0; round < 25; round++) {
      const accounts = [mintAccount(), mintAccount(), mintAccount()]
      const outcomes = await parallel(6, (n) => {
        const entries = entriesFor(accounts.slice(n % 2), n % 3 ? 'shared' : randomUUID())
        return asOwner('api_meter_batch', { entries: n % 2 ? entries : entries.toReversed() }, namespace)
      })
      expect(outcomes).toEqual(Array(6).fill('ok'))
    }
  })

  it('subscribe, grant, revoke, rules, batches and consumes of one account', async () => {
    const namespace = await mintNamespace()
    const grants = resources.map((each) => ({ resource: each, limit_kind: 'cumulative', quantity: 5 }))
    await api('api_plan_put', { plan_id: 'p', name: 'P', entitlements: grants }, token(namespace))
    for (let round = 0; round < 25; round++) {
      const account = mintAccount()
      // Some of the rows are there already: who makes the missing ones must not hold what others wait with.
      for (const each of resources.filter((_, n) => (n + round) % 2))
        await meter(account, { resource: each }, namespace)
      const entitlement = await grant(account, { resource: 'gpu_hours' }, namespace)
      const outcomes = await Promise.all([
        asOwner('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }, namespace),
        asOwner('api_meter_batch', { entries: entriesFor([account], 'a') }, namespace),
        asOwner('api_meter_batch', { entries: entriesFor([account], 'b').toReversed() }, namespace),
        asOwner('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }, namespace),
        asOwner('api_entitlement_revoke', { entitlement_id: entitlement['entitlement_id'] ?? null }, namespace),
        asOwner('api_consume', { ...keyed(), account_id: account, resource: 'gpu_hours', quantity: 1 }, namespace),
        asOwner(
          'api_rule_create',
          { account_id: account, resource: 'server_configs', limit_kind: 'cumulative', action: 'warn' },
          namespace,
        ),
        asOwner(
          'api_entitlement_grant',
          { account_id: account, resource: 'ai_models', limit_kind: 'cumulative', quantity: 1 },
          namespace,
        ),
        outcome(
          sql('update accounts set timezone = $2 where account_id = $1', [
            await accountId(account, namespace),
            'Asia/Tokyo',
          ]),
        ),
      ])
      expect(outcomes).toEqual(Array(9).fill('ok'))
    }
  })

  it('fn_expire_leases beside acquires and releases', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { resource, limit_kind: 'concurrency', quantity: 500 }, namespace)
    const outcomes = await parallel(40, async (n) => {
      if (n % 4 === 0) return outcome(sql('select fn_expire_leases($1)', [namespace]))
      return asOwner('api_lease_acquire', { account_id: account, resource, holder: `h${n % 7}` }, namespace)
    })
    expect(new Set(outcomes)).toEqual(new Set(['ok']))
  })
})

describe('a queue on one row', () => {
  it('times out for the Worker, with 55P03, instead of using up the connections', async () => {
    const account = mintAccount()
    await grant(account)
    const id = await accountId(account)
    const holder = new pg.Client({ connectionString: inject('ownerUrl') })
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query(
        "select 1 from resource_state where account_id = $1 and resource_type_code = 'benchmark_runs' for update",
        [id],
      )
      const key = { idempotency_key: 'k' }
      expect(await Promise.all([outcome(consume(account, key)), outcome(meter(account, key))])).toEqual([
        '55P03',
        '55P03',
      ])
      // A check waits for nobody.
      expect(await check(account)).toMatchObject({ allowed: true })
      await holder.query('rollback')
      expect(await consume(account, key)).toMatchObject({ allowed: true, duplicate: false, used: 1 })
    } finally {
      await holder.end()
    }
  })

  it('the Worker gives up a lock after 1 s, a statement after 4 s', async () => {
    const rows = await sql<{ setting: string }>(
      `select unnest(s.setconfig) as setting from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where r.rolname = 'mec_worker'`,
    )
    expect(rows.map((row) => row.setting)).toEqual(expect.arrayContaining(['lock_timeout=1s', 'statement_timeout=4s']))
  })
})

it('a snapshot taken meanwhile has the version of the state that it shows', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 1000 })
  const snapshot = () => api('api_snapshot', { account_id: account, resource: 'benchmark_runs' })
  const { key_version: first } = await snapshot()
  const snapshots = await parallel(40, async (n) => {
    const consumed = retried(() => consume(account, { idempotency_key: `c${n}` }))
    const [before, , after] = await Promise.all([snapshot(), consumed, consumed.then(snapshot)])
    return [before, after]
  })
  for (const { key_version: version, kinds } of snapshots.flat()) {
    expect(kinds).toMatchObject([{ used: String((Number(version) - Number(first)) * 1_000_000) }])
  }
})

it('and after all of it the record is whole', async () => {
  expect(await audit('default')).toEqual({})
})
