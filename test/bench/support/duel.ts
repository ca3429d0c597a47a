import type { Bounds, Round, Target } from './load.ts'
import type { Bench, Effort, Result } from './row.ts'
import { compare, percentile } from './statistics.ts'

type Plan = { warmUp: Bounds; rounds: number; turns: number; turn: Bounds }

/**
 * A turn is short beside the moments in which a machine is busy with something else, so that these hit both sides of a
 * round alike. The first requests after a start find cold caches and unoptimised code everywhere.
 */
const PLANS: Record<Effort, Plan> = {
  full: { warmUp: { requests: 1_500, ms: 5_000 }, rounds: 5, turns: 12, turn: { requests: 60, ms: 500 } },
  quick: { warmUp: { requests: 40, ms: 500 }, rounds: 2, turns: 2, turn: { requests: 40, ms: 500 } },
}

export type Duel = {
  rounds: [Round, Round][]
  /** How many requests reached Neon's protocol for each one of A's. */
  upstream: Result
}

/**
 * A against B, in turns.
 * @param heavy bounds of a turn whose requests take longer than usual
 */
export async function duel(bench: Bench, what: string, a: Target, b: Target, heavy?: Bounds): Promise<Duel> {
  const { cloud, load, effort } = bench
  const plan = PLANS[effort]
  const turn = heavy ?? plan.turn
  await load.round(a, heavy ?? plan.warmUp)
  await load.round(b, heavy ?? plan.warmUp)
  const rounds: [Round, Round][] = []
  const counts: [number, number][] = []
  for (let n = 0; n < plan.rounds; n++) {
    const turns: [Round[], Round[]] = [[], []]
    let upstream = 0
    for (let m = 0; m < (heavy ? 1 : plan.turns); m++) {
      await cloud.neon.resetStats()
      turns[0].push(await load.round(a, turn))
      upstream += (await cloud.neon.stats()).requests
      turns[1].push(await load.round(b, turn))
    }
    const ofA = together(turns[0])
    rounds.push([ofA, together(turns[1])])
    counts.push([upstream, ofA.latencies.length])
  }
  const labels = { what: `${what}: upstream requests`, against: 'requests', unit: '', counted: true } as const
  return { rounds, upstream: { ...labels, goal: { equals: 1 }, ...compare(counts) } }
}

function together(turns: readonly Round[]): Round {
  return {
    latencies: turns.flatMap(({ latencies }) => latencies).sort((a, b) => a - b),
    seconds: turns.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

type Labels = Pick<Result, 'what' | 'against' | 'goal'>

export function p50({ rounds }: Duel, labels: Labels): Result {
  const pairs = rounds.map(([a, b]) => [percentile(a.latencies, 0.5), percentile(b.latencies, 0.5)] as const)
  return { ...labels, unit: 'ms', counted: false, ...compare(pairs) }
}

/** @param each how many things one request of A, and of B, stands for */
export function rate({ rounds }: Duel, labels: Labels, each = 1): Result {
  const perSecond = ({ latencies, seconds }: Round) => (latencies.length * each) / seconds
  const pairs = rounds.map(([a, b]) => [perSecond(a), perSecond(b)] as const)
  return { ...labels, unit: '/s', counted: false, ...compare(pairs) }
}
