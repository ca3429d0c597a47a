import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Isolate } from '../../support/isolate.ts'
import type { Cloud } from './cloud.ts'
import type { Crowd } from './crowd.ts'
import type { Counts } from './duel.ts'
import type { Geography, Mix } from './predicted-mix.ts'
import type { Bench } from './row.ts'
import { createRandom, createZipf } from './zipf.ts'

export type Duration = { warmUpMs: number; measuredMs: number }

export type Simulated = {
  /** By the tier that answered, in milliseconds. */
  latencies: Record<keyof Mix, number[]>
  counts: Counts
  /** Time that Postgres spent on statements. */
  databaseMs: number
  /** Of the thread that has the isolates, and the load's generator: more than the isolates' own. */
  cpuMs: number
}

const SEED = 1
const Answer = z.object({ source: z.enum(['memory', 'redis', 'postgres']) })
/** More checks under way than this: the machine cannot do what it is asked to simulate. */
const MOST_UNDER_WAY = 2_000

/**
 * Checks at random times and random isolates, at a given rate whatever the answers take. The isolates are instances of
 * the whole service in this process, each with a memory of its own; the stores are as far as the proxies' delays say.
 */
export async function simulate(
  { cloud }: Bench,
  crowd: Crowd,
  geography: Geography,
  { warmUpMs, measuredMs }: Duration,
): Promise<Simulated> {
  const random = createRandom(SEED)
  const zipf = createZipf(geography.accounts, random)
  const isolates = Array.from({ length: geography.isolates }, () => cloud.isolate())
  const latencies: Simulated['latencies'] = { memory: [], redis: [], postgres: [] }
  let underWay = 0
  let isMeasured = false
  let failure: unknown

  async function check(isolate: Isolate, account_id: string): Promise<void> {
    const counts = isMeasured
    underWay++
    const asked = performance.now()
    const response = await isolate.fetch(
      'POST',
      '/v1/check',
      { account_id, resource: 'benchmark_runs', quantity: 1 },
      cloud.headers,
    )
    const answer = await response.json()
    const ms = performance.now() - asked
    underWay--
    if (!response.ok) throw new Error(`/v1/check answered ${response.status}: ${JSON.stringify(answer)}`)
    if (counts) latencies[Answer.parse(answer).source].push(ms)
  }

  async function run(ms: number): Promise<void> {
    const end = performance.now() + ms
    let due = performance.now()
    for (;;) {
      due += (-Math.log(1 - random()) * 1000) / geography.perSecond
      if (due >= end) break
      const left = due - performance.now()
      if (left > 1) await sleep(left)
      if (failure) throw failure
      if (underWay > MOST_UNDER_WAY) throw new Error(`${MOST_UNDER_WAY} checks are under way: this machine is too slow`)
      const isolate = isolates[Math.floor(random() * isolates.length)]
      if (isolate) check(isolate, crowd.account(zipf.sample())).catch((error: unknown) => (failure ??= error))
    }
  }

  await cloud.redis('FLUSHALL')
  await Promise.all([cloud.upstash.delay(geography.redisMs), cloud.neon.delay(geography.neonMs)])
  try {
    await run(warmUpMs)
    await Promise.all([cloud.upstash.resetStats(), cloud.neon.resetStats()])
    const before = { database: await databaseMs(cloud), cpu: process.threadCpuUsage() }
    isMeasured = true
    await run(measuredMs)
    const { user, system } = process.threadCpuUsage(before.cpu)
    const [upstash, neon] = await Promise.all([cloud.upstash.stats(), cloud.neon.stats()])
    const after = await databaseMs(cloud)
    // The last answers, and what follows them.
    while (underWay > 0) await sleep(10)
    await Promise.all(isolates.map((isolate) => isolate.settled()))
    if (failure) throw failure
    const counts = {
      databaseRequests: neon.requests,
      redisRequests: upstash.requests,
      redisCommands: upstash.commands,
    }
    return { latencies, counts, databaseMs: after - before.database, cpuMs: (user + system) / 1000 }
  } finally {
    await Promise.all([cloud.upstash.delay(0), cloud.neon.delay(0)])
  }
}

async function databaseMs({ sql }: Cloud): Promise<number> {
  const { rows } = await sql("SELECT active_time FROM pg_stat_database WHERE datname = 'mec'")
  return Number(rows[0]?.active_time)
}
