import { prepareCrowd } from '../support/crowd.ts'
import { type Geography, type Mix, predictMix } from '../support/predicted-mix.ts'
import { dollarsPerMillion, PRICES, READ_ON } from '../support/prices.ts'
import { markdownTable } from '../support/report.ts'
import type { Bench, Effort, Result, Row } from '../support/row.ts'
import { type Duration, type Simulated, simulate } from '../support/simulate.ts'
import { compare } from '../support/statistics.ts'
import { createZipf, quantiles } from '../support/zipf.ts'

const TIERS = ['memory', 'redis', 'postgres'] as const
const REDIS_MS = 5
const NEON_MS = 80
/** wrangler.toml's MAX_STALENESS_MS. */
const STALENESS_MS = 60_000

type Plan = { isolates: readonly number[]; perSecond: number; duration: Duration }

/** Measured for as long as Redis keeps answering from one reading, so that each account in use is read anew once. */
const PLANS: Record<Effort, Plan> = {
  full: { isolates: [1, 20, 100], perSecond: 400, duration: { warmUpMs: 30_000, measuredMs: STALENESS_MS } },
  quick: { isolates: [1, 2], perSecond: 100, duration: { warmUpMs: 200, measuredMs: 600 } },
}

type Outcome = { geography: Geography; predicted: Mix; simulated: Simulated; checks: number }

async function run(bench: Bench): Promise<Result[]> {
  const crowd = await prepareCrowd(bench)
  const { isolates, perSecond, duration } = PLANS[bench.effort]
  const fixed = {
    perSecond,
    accounts: crowd.size,
    redisMs: REDIS_MS,
    neonMs: NEON_MS,
    stalenessMs: STALENESS_MS,
  }
  const outcomes: Outcome[] = []
  for (const count of isolates) {
    const geography = { isolates: count, ...fixed }
    const simulated = await simulate(bench, crowd, geography, duration)
    const checks = TIERS.reduce((sum, tier) => sum + simulated.latencies[tier].length, 0)
    const predicted = predictMix(geography, createZipf(crowd.size, Math.random))
    outcomes.push({ geography, predicted, simulated, checks })
  }
  bench.report.section('Geography', describe(fixed, outcomes))
  bench.report.section('Dollars per million checks', describeCost(outcomes))
  return outcomes.flatMap(({ geography, predicted, simulated, checks }) =>
    TIERS.map((tier) => ({
      what: `geography, ${geography.isolates} isolates: answers from ${tier}`,
      against: 'predicted',
      unit: '%',
      goal: 'report' as const,
      counted: false,
      ...compare([[(simulated.latencies[tier].length / checks) * 100, predicted[tier] * 100]]),
    })),
  )
}

function describe(fixed: Omit<Geography, 'isolates'>, outcomes: readonly Outcome[]): string {
  const lines = outcomes.flatMap(({ geography, predicted, simulated, checks }) => {
    const all = TIERS.flatMap((tier) => simulated.latencies[tier])
    return [
      ...TIERS.map((tier) => [
        String(geography.isolates),
        tier,
        percent(simulated.latencies[tier].length / checks),
        percent(predicted[tier]),
        ...latencies(simulated.latencies[tier]),
      ]),
      [String(geography.isolates), 'all', '100 %', '100 %', ...latencies(all)],
    ]
  })
  return `${fixed.perSecond} checks a second on ${fixed.accounts} accounts (Zipf, s = 1), at random times (Poisson), each to
a random isolate, with one API key and the default staleness of ${fixed.stalenessMs / 1000} s. Redis is ${fixed.redisMs} ms away and Postgres
${fixed.neonMs} ms: the local protocol servers wait so long before they do anything. The isolates are instances of the whole
service in one Node process, each with a memory of its own, over HTTP to the same two stores; the network between caller
and Worker is left out. The predicted share follows from times to live and rates alone (test/bench/support/predicted-mix.ts).

${markdownTable(['isolates', 'tier', 'share', 'predicted', 'p50', 'p95', 'p99'], lines)}`
}

function describeCost(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(({ geography, simulated, checks }) => {
    const perCheck = {
      redisCommands: simulated.counts.redisCommands / checks,
      databaseRequests: simulated.counts.databaseRequests / checks,
      cpuMs: simulated.cpuMs / checks,
      databaseMs: simulated.databaseMs / checks,
    }
    const { workers, redis, postgres, total } = dollarsPerMillion(perCheck)
    return [
      String(geography.isolates),
      ...[perCheck.redisCommands, perCheck.databaseRequests, perCheck.cpuMs, perCheck.databaseMs].map((number) =>
        number.toFixed(3),
      ),
      ...[workers, redis, postgres, total].map((dollars) => `$${dollars.toFixed(3)}`),
    ]
  })
  const sources = Object.values(PRICES).map(({ name, source, ...prices }) => {
    const each = Object.entries(prices).map(([of, dollars]) => `${of} $${dollars}`)
    return `- [${name}](${source}): ${each.join(', ')}`
  })
  const head = [
    'isolates',
    'Redis commands',
    'database requests',
    'Worker ms',
    'database ms',
    'Workers',
    'Upstash',
    'Neon',
    'total',
  ]
  return `Of the checks above; the first four columns are per check, counted at the protocol servers: reads and the fills
that follow an answer. Worker ms includes the load's generator. A CU of Neon is counted as one core, and only while it
computes: one that never sleeps costs its price by the hour, whatever is asked. A script counts as one command. List
prices of ${READ_ON}, beyond what plans include:

${sources.join('\n')}

${markdownTable(head, lines)}`
}

function latencies(values: readonly number[]): string[] {
  const found = quantiles(values)
  return found ? [found.p50, found.p95, found.p99].map((ms) => `${ms.toFixed(1)} ms`) : ['–', '–', '–']
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

export const geography: Row = { name: 'geography', run }
