import { exports } from 'cloudflare:workers'
import { describe, expect, inject, test } from 'vitest'
import { runScheduled } from '../../functions/maintenance/run.ts'
import { SCHEDULE } from '../../functions/maintenance/schedule.ts'
import { createSignHeads } from '../../functions/maintenance/sign-heads.ts'
import { createRunStep } from '../../functions/maintenance/step.ts'
import { createGateway } from '../../functions/store/gateway.ts'
import {
  breakPostgres,
  countRequests,
  mend,
  mintAccount,
  mintNamespace,
  mintToken,
  type Namespace,
  sql,
} from '../support/edge.ts'
import {
  acquire,
  advance,
  bodyOf,
  check,
  consume,
  errorOf,
  grant,
  invalid,
  key,
  setClock,
} from '../support/edge-commands.ts'
import type { EdgeStores } from '../support/edge-stores.ts'
import { at, listAt } from '../support/json-path.ts'

/** A namespace with one thing for each job to do. */
async function neglected() {
  const [namespace, account] = [await mintNamespace(), mintAccount()]
  await setClock(namespace, '2027-01-31T23:00:00Z')
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  await grant(namespace, account, { window: 'calendar_month' })
  await bodyOf(201, acquire(namespace, account, 'a', { ttl_seconds: 10 }))
  await bodyOf(201, acquire(namespace, account, 'b', { ttl_seconds: 10 }))
  await bodyOf(201, consume(namespace, account, { quantity: 3 }))
  const hold = { ...key(), account_id: account, resource: 'benchmark_runs', quantity: 2, ttl_seconds: 60 }
  await bodyOf(201, namespace.call('POST', '/v1/reservations', hold))
  await setClock(namespace, '2027-02-10T00:00:00Z')
  return { namespace, account }
}

const DONE = {
  expire_leases: { job: 'expire_leases', processed: 2, more: false },
  expire_reservations: { job: 'expire_reservations', processed: 1, more: false },
  close_windows: { job: 'close_windows', processed: 1, more: false },
  reconcile: { job: 'reconcile', processed: 2, more: false, differences: [], too_large: [] },
  verify_chain: { job: 'verify_chain', processed: expect.any(Number), more: false, faults: [] },
  // Of the entries, and of the audit trail.
  sign_heads: { job: 'sign_heads', processed: 2, more: false },
}
/** What is left of it when cron has just done it: the windows that are closed meanwhile are in the audit trail. */
const AGAIN: Readonly<Record<string, { processed: number }>> = {
  expire_leases: { processed: 0 },
  expire_reservations: { processed: 0 },
  close_windows: { processed: 0 },
  sign_heads: { processed: 1 },
}
/** They find the same again. */
const READING = new Set(['reconcile', 'verify_chain'])
/** What the database has no key for is no part of `all`. */
const ALL = Object.values(DONE).filter(({ job }) => job !== 'sign_heads')
const run = (namespace: Namespace, job: string) => bodyOf(200, namespace.call('POST', '/v1/maintenance/run', { job }))

describe('a run', () => {
  test.each(Object.entries(DONE))(
    'of %s says what it did, and the second time that there was nothing',
    async (job, done) => {
      const { namespace } = await neglected()
      expect(await run(namespace, job)).toEqual({ results: [done] })
      expect(await run(namespace, job)).toEqual({ results: [READING.has(job) ? done : { ...done, processed: 0 }] })
    },
  )

  test('of all says what each did', async () => {
    const { namespace } = await neglected()
    expect(await run(namespace, 'all')).toEqual({ results: ALL })
  })

  test('late, twice and at once changes no answer', async () => {
    const { namespace, account } = await neglected()
    const answers = async () => {
      const decisions = [
        await check(namespace, account),
        await check(namespace, account, { at: '2027-01-31T23:30:00Z' }),
        await check(namespace, account, { resource: 'concurrent_users', for: 'lease' }),
      ].map(({ as_of: _, ...decision }) => decision)
      const lists = await Promise.all(
        ['/v1/leases', '/v1/ledger', `/v1/accounts/${account}/entitlements`].map((path) =>
          bodyOf(200, namespace.call('GET', path)),
        ),
      )
      return [...decisions, ...lists]
    }
    const before = await answers()
    await Promise.all(Array.from({ length: 5 }, () => run(namespace, 'all')))
    expect(await answers()).toEqual(before)
    await run(namespace, 'all')
    expect(await answers()).toEqual(before)
  })

  test('is of the namespace of the caller alone', async () => {
    const [ours, theirs] = await Promise.all([neglected(), neglected()])
    await run(ours.namespace, 'all')
    expect(await run(theirs.namespace, 'all')).toEqual({ results: ALL })
  })

  test('of reconcile reports what does not agree, without names, and changes nothing', async () => {
    const { namespace, account } = await neglected()
    const miscount = (by: number) =>
      sql(
        `update entitlement_windows w set used = used + $2::int from accounts a
         where a.account_id = w.account_id and a.namespace_id = $1 returning w.account_id`,
        [namespace.name, by],
      )
    const spoilt = await miscount(1)
    const report = await run(namespace, 'reconcile')
    expect(listAt(report, 'results.0.differences')).toEqual([
      {
        law: 'counter = carried over + Σ allocations',
        account_uuid: at(spoilt[0] ?? null, 'account_id'),
        resource: 'benchmark_runs',
        subject: expect.stringMatching(/2027-02-01T00:00:00Z$/),
      },
    ])
    expect(JSON.stringify(report)).not.toContain(account)
    expect(await run(namespace, 'reconcile')).toEqual(report)
    await miscount(-1)
    expect(await run(namespace, 'reconcile')).toEqual({ results: [DONE.reconcile] })
  })

  test('leaves to time what is time’s: a lease is over to the second without it', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await setClock(namespace, '2027-01-15T12:00:00Z')
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 1 })
    await bodyOf(201, acquire(namespace, account, 'a', { ttl_seconds: 10 }))
    await advance(namespace, 10)
    await bodyOf(201, acquire(namespace, account, 'b'))
  })
})

test.each([
  [{}, 'job'],
  [{ job: 'everything' }, 'job'],
  [{ job: ['all'] }, 'job'],
  [{ job: 'all', force: true }, 'force'],
])('%j is refused', async (body, param) => {
  const namespace = await mintNamespace()
  expect(await errorOf(namespace.call('POST', '/v1/maintenance/run', body))).toEqual(invalid(param))
})

test('is for admins of the whole namespace only', async () => {
  const namespace = await mintNamespace()
  const attempt = async (scope: string, claims = {}) =>
    errorOf(
      namespace.call(
        'POST',
        '/v1/maintenance/run',
        { job: 'all' },
        { bearer: await mintToken(namespace.name, scope, claims) },
      ),
    )
  expect(await attempt('meter')).toMatchObject({ status: 403, code: 'missing_scope' })
  expect(await attempt('admin', { sub: 'a' })).toMatchObject({ status: 403, code: 'account_forbidden' })
})

// Only here: over all namespaces it would do the work of tests that run beside it.
describe('cron', () => {
  const fire = (cron: string) => exports.default.scheduled({ cron, scheduledTime: new Date() })

  test.each([...new Set(SCHEDULE.map(({ cron }) => cron))])('%s runs its jobs, in every namespace', async (cron) => {
    const places = await Promise.all([neglected(), neglected()])
    await fire(cron)
    for (const { namespace } of places) {
      for (const { job, cron: own } of SCHEDULE) {
        const { results } = await run(namespace, job)
        const done = own === cron && !READING.has(job) ? { ...DONE[job], ...AGAIN[job] } : DONE[job]
        expect(results).toEqual([done])
      }
    }
  })

  test('goes by the clock of each namespace', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await setClock(namespace, '2027-01-31T23:00:00Z')
    await grant(namespace, account, { window: 'calendar_month' })
    await bodyOf(201, consume(namespace, account, { quantity: 3 }))
    await neglected()
    for (const { cron } of SCHEDULE) await fire(cron)
    await setClock(namespace, '2027-02-10T00:00:00Z')
    expect((await run(namespace, 'close_windows')).results).toEqual([DONE.close_windows])
  })

  test('that nothing is scheduled for asks nothing', async () => {
    const { neon } = await countRequests(() => fire('1 1 1 1 *'))
    expect(neon).toBe(0)
  })

  test('says what failed, each job by itself, and makes up for it the next time', async () => {
    const { workerUrl, neonEndpoint } = inject<EdgeStores>('edge')
    const gateway = createGateway({ databaseUrl: workerUrl, fetchEndpoint: neonEndpoint, budgetMs: 5000 })
    const { namespace } = await neglected()
    const fire = () =>
      runScheduled(
        createRunStep(gateway, createSignHeads({ gateway, signer: null, bucket: undefined })),
        async () => true,
        '* * * * *',
        'cron-test',
        () => Date.now(),
      )
    await breakPostgres({ error: { status: 500 } })
    expect(await fire()).toEqual(
      ['expire_leases', 'expire_reservations'].map((job) => ({
        ...{
          job,
          processed: 0,
          steps: 0,
          more: true,
          differences: [],
          too_large: [],
          faults: [],
          failed: 'unavailable',
        },
      })),
    )
    await mend()
    expect(await fire()).toMatchObject([{ failed: null }, { failed: null }])
    expect(await run(namespace, 'expire_leases')).toEqual({ results: [{ ...DONE.expire_leases, processed: 0 }] })
  })
})
