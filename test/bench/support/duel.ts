import type { Bounds, Round, Target } from './load.ts'
import type { Bench, Effort, Result } from './row.ts'
import { compare, percentile } from './statistics.ts'

type Plan = { rounds: number; warmUp: Bounds; round: Bounds }

/** The first requests after a start find cold caches and unoptimised code everywhere. */
const PLANS: Record<Effort, Plan> = {
  full: { rounds: 5, warmUp: { requests: 1_000, ms: 3_000 }, round: { requests: 600, ms: 3_000 } },
  quick: { rounds: 2, warmUp: { requests: 40, ms: 500 }, round: { requests: 60, ms: 500 } },
}

export type Duel = {
  rounds: [Round, Round][]
  /** Requests that reached Neon's protocol for one of A's. */
  upstream: Result
}

/**
 * A against B in turns: what slows the machine down slows both.
 * @param heavy bounds of a round and of a warm-up whose requests take longer than usual
 */
export async function duel(bench: Bench, what: string, a: Target, b: Target, heavy?: Bounds): Promise<Duel> {
  const { cloud, load, effort } = bench
  const plan = PLANS[effort]
  const { warmUp, round } = heavy && effort === 'full' ? { warmUp: heavy, round: heavy } : plan
  const rounds = plan.rounds
  await load.round(a, warmUp)
  await load.round(b, warmUp)
  const pairs: [Round, Round][] = []
  const counts: [number, number][] = []
  for (let n = 0; n < rounds; n++) {
    await cloud.neon.resetStats()
    const ofA = await load.round(a, round)
    counts.push([(await cloud.neon.stats()).requests, ofA.latencies.length])
    pairs.push([ofA, await load.round(b, round)])
  }
  const upstream = { what: `${what}: upstream requests`, against: 'requests', unit: '', counted: true } as const
  return { rounds: pairs, upstream: { ...upstream, goal: { equals: 1 }, ...compare(counts) } }
}

type Labels = Pick<Result, 'what' | 'against' | 'goal'>

export function p50({ rounds }: Duel, labels: Labels): Result {
  const pairs = rounds.map(([a, b]) => [percentile(a.latencies, 0.5), percentile(b.latencies, 0.5)] as const)
  return { ...labels, unit: 'ms', counted: false, ...compare(pairs) }
}

/** @param each how many things one request of A, and of B, stands for */
export function rate({ rounds }: Duel, labels: Labels, each = 1): Result {
  const pairs = rounds.map(([a, b]) => [a.requestsPerSecond * each, b.requestsPerSecond * each] as const)
  return { ...labels, unit: '/s', counted: false, ...compare(pairs) }
}
