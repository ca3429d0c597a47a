import { prepareCrowd } from '../support/crowd.ts'
import { openHeap } from '../support/heap.ts'
import { createLoad, type Target } from '../support/load.ts'
import { markdownTable } from '../support/report.ts'
import type { Bench, Effort, Row } from '../support/row.ts'
import { compare } from '../support/statistics.ts'

/** Each quarter of the accounts, which is more than an isolate keeps, is checked so often before the next one. */
const PASSES: Record<Effort, number> = { full: 10, quick: 1 }
const QUARTERS = 4
/** Most checks come in batches, for the time it takes; each tenth comes alone. */
const BATCH = 90
const ALONE = 10
const MIB = 2 ** 20

/**
 * The memory of an isolate, after a collection, as it checks more and more accounts: flat, once the caches are full.
 * Each account is checked ten times. No check is older than it may be: what Redis does not have is read from Postgres.
 */
async function run(bench: Bench) {
  const { cloud, effort } = bench
  const { headers } = cloud
  const crowd = await prepareCrowd(bench)
  const { url, workerd } = await cloud.inspectedMec()
  const heap = await openHeap(await workerd.inspector('mec'))
  const quarter = crowd.size / QUARTERS
  const turns = Math.ceil((quarter * PASSES[effort]) / (BATCH + ALONE))
  let next = 0
  let from = 0
  const check = () => ({
    account_id: crowd.account(from + (next++ % quarter)),
    resource: 'benchmark_runs',
    quantity: 1,
  })
  const target = (path: string, body: () => string): Target => ({
    url: new URL(path, url).href,
    headers,
    status: 200,
    body,
  })
  const batches = target('/v1/check/batch', () => JSON.stringify({ checks: Array.from({ length: BATCH }, check) }))
  const alone = target('/v1/check', () => JSON.stringify(check()))
  const load = createLoad()
  const heaps: { checks: number; mib: number }[] = [{ checks: 0, mib: (await heap.usedBytes()) / MIB }]
  try {
    for (let n = 0; n < QUARTERS; n++) {
      from = n * quarter
      await load.round(batches, { requests: turns, ms: Number.POSITIVE_INFINITY })
      await load.round(alone, { requests: turns * ALONE, ms: Number.POSITIVE_INFINITY })
      heaps.push({ checks: next, mib: (await heap.usedBytes()) / MIB })
    }
  } finally {
    load.close()
    heap.close()
    await workerd.stop()
  }
  bench.report.section(
    'Memory of the isolate',
    markdownTable(
      ['checks', 'heap after a collection'],
      heaps.map(({ checks, mib }) => [String(checks), `${mib.toFixed(1)} MiB`]),
    ),
  )
  const [, first, ...later] = heaps.map(({ mib }) => mib)
  if (first === undefined) throw new RangeError('nothing was measured')
  return [
    {
      what: `heap of the isolate, ${next} checks on ${crowd.size} accounts`,
      against: `after the first ${next / QUARTERS}`,
      unit: 'MiB',
      goal: { atMost: 1.1 },
      counted: false,
      ...compare([[Math.max(...later), first]]),
    },
  ]
}

export const isolateMemory: Row = { name: 'isolate-memory', run }
