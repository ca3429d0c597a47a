import { describe, expect, inject, it } from 'vitest'
import { accountId, acquire, advanceClock, at, grant } from '../../support/commands.ts'
import { withClient } from '../../support/scratch.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const seats = (account: string, namespace: string) =>
  grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 50 }, namespace)
const heartbeat = (lease: Answer, fields: Answer, namespace: string) =>
  api('api_lease_heartbeat', { lease_id: at(lease, 'lease.lease_id'), ...fields }, token(namespace))

/** What one statement changes in a table, seen from within its transaction. */
async function updatesOf(table: string, name: string, requests: readonly Answer[], namespace: string) {
  return await withClient(inject('ownerUrl'), async (client) => {
    await client.query('begin')
    for (const request of requests) {
      await client.query(`select ${name}($1::jsonb, $2::jsonb)`, [token(namespace), request])
    }
    const { rows } = await client.query<{ updates: number; hot: number }>(
      `select n_tup_upd::int as updates, n_tup_hot_upd::int as hot from pg_stat_xact_user_tables where relname = $1`,
      [table],
    )
    await client.query('commit')
    return rows[0]
  })
}

describe('what a lease writes', () => {
  it('a grant updates its resource once: the fencing token and the version together', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await seats(account, namespace)
    const state = () =>
      sql<{ key_version: number; last_fencing_token: number }>(
        'select key_version::int, last_fencing_token::int from resource_state where account_id = $1',
        [sqlId],
      )
    const sqlId = await accountId(account, namespace)
    const [before] = await state()
    const request = { account_id: account, resource: 'concurrent_users', holder: 'ada' }
    expect(await updatesOf('resource_state', 'api_lease_acquire', [request], namespace)).toMatchObject({ updates: 1 })
    expect(await state()).toEqual([{ key_version: (before?.key_version ?? 0) + 1, last_fencing_token: 1 }])
    expect(await updatesOf('resource_state', 'api_lease_acquire', [request], namespace)).toMatchObject({ updates: 1 })
    expect(await state()).toEqual([{ key_version: (before?.key_version ?? 0) + 2, last_fencing_token: 1 }])
  })

  it('heartbeats and renewals change no indexed column: all of their updates are HOT', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await seats(account, namespace)
    const lease = await acquire(account, 'ada', { ttl_seconds: 60 }, namespace)
    const beats = Array.from({ length: 5 }, (_, n) => ({
      lease_id: at(lease, 'lease.lease_id'),
      ttl_seconds: 60 + n,
    }))
    expect(await updatesOf('concurrency_leases', 'api_lease_heartbeat', beats, namespace)).toEqual({
      updates: 5,
      hot: 5,
    })
    const renewals = [60, 70].map((ttl_seconds) => ({
      account_id: account,
      resource: 'concurrent_users',
      holder: 'ada',
      ttl_seconds,
    }))
    expect(await updatesOf('concurrency_leases', 'api_lease_acquire', renewals, namespace)).toEqual({
      updates: 2,
      hot: 2,
    })
  })

  it('a denial, a heartbeat and a read leave the resource alone', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await seats(account, namespace)
    const lease = await acquire(account, 'ada', {}, namespace)
    const state = () => sql('select s.*, s.xmin::text from resource_state s where account_id = $1', [id])
    const id = await accountId(account, namespace)
    const before = await state()
    expect(await acquire(account, 'bob', { units: 50 }, namespace)).toMatchObject({ allowed: false })
    await heartbeat(lease, {}, namespace)
    await api('api_lease_list', { account_id: account }, token(namespace))
    expect(await state()).toEqual(before)
  })
})

describe('the job finds what has ended', () => {
  const expire = (namespace: string, most = 1000) =>
    sqlValue<Answer>('select fn_expire_leases($1, $2)', [namespace, most])

  it('also when heartbeats kept it alive, or brought its end forward', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await seats(account, namespace)
    const kept = await acquire(account, 'kept', { ttl_seconds: 60 }, namespace)
    const shortened = await acquire(account, 'shortened', { ttl_seconds: 600_000 }, namespace)
    await advanceClock(namespace, 50)
    await heartbeat(kept, { ttl_seconds: 60 }, namespace)
    await heartbeat(shortened, { ttl_seconds: 30 }, namespace)
    await advanceClock(namespace, 40)
    expect(await expire(namespace)).toMatchObject({ processed: 1, more: false })
    await advanceClock(namespace, 30)
    expect(await expire(namespace)).toMatchObject({ processed: 1, more: false })
    expect(
      await sql('select holder, end_status from concurrency_leases where account_id = $1 order by 1', [
        await accountId(account, namespace),
      ]),
    ).toEqual([
      { holder: 'kept', end_status: 'expired' },
      { holder: 'shortened', end_status: 'expired' },
    ])
  })

  it('a bounded number at a time, of the one namespace', async () => {
    const [ours, theirs] = [await mintNamespace(), await mintNamespace()]
    for (const namespace of [ours, theirs]) {
      for (let n = 0; n < 3; n++) {
        const account = mintAccount()
        await seats(account, namespace)
        await acquire(account, 'ada', { ttl_seconds: 10 }, namespace)
      }
      await advanceClock(namespace, 11)
    }
    const reports = [await expire(ours, 2), await expire(ours, 2), await expire(ours, 2)]
    expect(reports.map((report) => [report['processed'], report['more']])).toEqual([
      [2, true],
      [1, false],
      [0, false],
    ])
  })

  it('and waits for no command that is at work there', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await seats(account, namespace)
    await acquire(account, 'ada', { ttl_seconds: 10 }, namespace)
    await advanceClock(namespace, 11)
    await withClient(inject('ownerUrl'), async (client) => {
      await client.query('begin')
      await client.query('select fn_lock_resource($1, $2, false)', [
        await accountId(account, namespace),
        'concurrent_users',
      ])
      expect(await expire(namespace)).toMatchObject({ processed: 0 })
      await client.query('commit')
    })
    expect(await expire(namespace)).toMatchObject({ processed: 1 })
  })

  it('by an index of those that have not ended, in the order of their ends', async () => {
    // What the planner prefers depends on how many rows there are today; with many of them this is what it has.
    const [index] = await sql<{ definition: string }>(
      `select pg_get_indexdef('concurrency_leases_due'::regclass) as definition`,
    )
    expect(index?.definition).toMatch(/\(namespace_id, due_at\) WHERE \(ended_at IS NULL\)$/)
  })
})
