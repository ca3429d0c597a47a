import { describe, expect, it } from 'vitest'
import { acquire, consume, grant, setClock } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, token } from '../../support/sql.ts'

const snapshots = async (checks: Answer[], credential: Answer): Promise<Answer[]> =>
  (await api('api_snapshot_batch', { checks }, credential))['snapshots'] as Answer[]

/** What does not depend on the moment of asking, nor on how many are asked together. */
const timeless = ({ as_of: _, auth: __, ...snapshot }: Answer): Answer => snapshot

describe('a batch of checks', () => {
  it('gives each the snapshot that it gets alone, in order', async () => {
    const namespace = await mintNamespace()
    const [one, two] = [mintAccount(), mintAccount()]
    await setClock(namespace, '2031-03-10T00:00:00Z')
    const fields = { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }
    await grant(one, { ...fields, scope: 'us' }, namespace)
    await grant(one, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 }, namespace)
    await grant(two, fields, namespace)
    await acquire(one, 'ada', {}, namespace)
    await consume(two, { quantity: 7 }, namespace)
    const checks = [
      { account_id: two, resource: 'benchmark_runs' },
      { account_id: one, resource: 'benchmark_runs', scope: 'us/h100' },
      { account_id: one, resource: 'benchmark_runs', scope: null, at: null },
      { account_id: two, resource: 'benchmark_runs', at: '2031-02-10T00:00:00Z' },
      { account_id: one, resource: 'concurrent_users' },
      { account_id: 'nobody', resource: 'gpu_hours' },
      { account_id: two, resource: 'benchmark_runs' },
    ]
    const together = await snapshots(checks, token(namespace))
    const alone = []
    for (const check of checks) alone.push(await api('api_snapshot', check, token(namespace)))
    expect(together.map(timeless)).toEqual(alone.map(timeless))
    const now = together.filter((_, n) => n !== 3).map((snapshot) => snapshot['as_of'])
    expect(new Set(now).size).toBe(1)
    expect(together[3]).toMatchObject({ as_of: '2031-02-10T00:00:00Z' })
  })

  it('is one read: no writer comes between two of its elements', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { quantity: null }, namespace)
    const checks = Array.from({ length: 100 }, () => ({ account_id: account, resource: 'benchmark_runs' }))
    const [reads] = await Promise.all([
      Promise.all(Array.from({ length: 5 }, () => snapshots(checks, token(namespace)))),
      Promise.all(Array.from({ length: 40 }, () => consume(account, {}, namespace))),
    ])
    for (const read of reads) expect(new Set(read.map((snapshot) => JSON.stringify(snapshot))).size).toBe(1)
  })

  it('an unknown resource is named with its place', async () => {
    const known = { account_id: mintAccount(), resource: 'benchmark_runs' }
    const checks = [known, known, { ...known, resource: 'unicorns' }, { ...known, resource: 'dragons' }]
    expect(await errorOf(api('api_snapshot_batch', { checks }))).toMatchObject({
      status: 400,
      code: 'unknown_resource',
      param: 'checks.2.resource',
    })
  })

  it('a token of one account asks about that account in every element', async () => {
    const own = mintAccount()
    const check = { account_id: own, resource: 'benchmark_runs' }
    const credential = token('default', ['check'], own)
    expect(await snapshots([check, check], credential)).toHaveLength(2)
    const other = { ...check, account_id: mintAccount() }
    for (const checks of [[other], [check, other], [other, check, check]]) {
      expect(await errorOf(api('api_snapshot_batch', { checks }, credential))).toMatchObject({
        status: 403,
        code: 'account_forbidden',
      })
    }
  })
})
