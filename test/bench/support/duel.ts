import { type Bounds, CONNECTIONS, type Round, type Target } from './load.ts'
import type { Bench, Effort, Result } from './row.ts'
import { compare, percentile } from './statistics.ts'

type Plan = { warmUp: Bounds; rounds: number; turns: number; turn: Bounds; connections: number }

/**
 * A turn is short beside the moments in which a machine is busy with something else, so that these hit both sides of a
 * round alike. The first requests after a start find cold caches and unoptimised code everywhere.
 */
const PLANS: Record<Effort, Plan> = {
  full: {
    warmUp: { requests: 4_000, ms: 8_000 },
    rounds: 5,
    turns: 12,
    turn: { requests: 60, ms: 500 },
    connections: CONNECTIONS,
  },
  quick: {
    warmUp: { requests: 40, ms: 500 },
    rounds: 2,
    turns: 2,
    turn: { requests: 40, ms: 500 },
    connections: CONNECTIONS,
  },
}

/** How a p50 is judged. Over more connections than there are cores it would be the length of a queue: that is what requests/s tell. */
export const ONE_AT_A_TIME = { connections: 1 }

/** A machine that is never fast enough for `goodForMs` is told so. */
const ATTEMPTS = 20

/** What reached the stores' protocols. */
export type Counts = { databaseRequests: number; redisRequests: number; redisCommands: number }
type Turn = { round: Round; counts: Counts }

export type Duel = {
  rounds: [Round, Round][]
  /** Of A's side of each round. */
  counts: readonly (readonly Counts[])[]
}

/** A against B, in turns. */
export async function duel(bench: Bench, a: Target, b: Target, different: Partial<Plan> = {}): Promise<Duel> {
  const plan = { ...PLANS[bench.effort], ...different }
  for (const target of [a, b]) {
    await target.prepare?.(plan.warmUp.requests)
    await bench.load.round(target, plan.warmUp)
  }
  const rounds: [Round, Round][] = []
  const counts: Counts[][] = []
  for (let n = 0; n < plan.rounds; n++) {
    const turns: [Turn[], Turn[]] = [[], []]
    for (let m = 0; m < plan.turns; m++) {
      turns[0].push(await takeTurn(bench, a, plan))
      turns[1].push(await takeTurn(bench, b, plan))
    }
    rounds.push([together(turns[0]), together(turns[1])])
    counts.push(turns[0].map((turn) => turn.counts))
  }
  return { rounds, counts }
}

async function takeTurn({ cloud, load }: Bench, target: Target, { turn, connections }: Plan): Promise<Turn> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const began = performance.now()
    await target.prepare?.(turn.requests)
    await Promise.all([cloud.neon.resetStats(), cloud.upstash.resetStats()])
    const round = await load.round(target, turn, connections)
    if (performance.now() - began > (target.goodForMs ?? Number.POSITIVE_INFINITY)) continue
    const [neon, upstash] = await Promise.all([cloud.neon.stats(), cloud.upstash.stats()])
    const counts = {
      databaseRequests: neon.requests,
      redisRequests: upstash.requests,
      redisCommands: upstash.commands,
    }
    return { round, counts }
  }
  throw new Error(`${target.url}: no turn of ${ATTEMPTS} was over within ${target.goodForMs} ms`)
}

function together(turns: readonly Turn[]): Round {
  return {
    latencies: turns.flatMap(({ round }) => round.latencies).sort((a, b) => a - b),
    seconds: turns.reduce((sum, { round }) => sum + round.seconds, 0),
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

const COUNTED: Record<keyof Counts, string> = {
  databaseRequests: 'requests to Postgres',
  redisRequests: 'requests to Redis',
  redisCommands: 'commands to Redis',
}

/** How many of something each of A's requests caused, exactly. */
export function upstream({ rounds, counts }: Duel, what: string, of: keyof Counts, equals: number): Result {
  const pairs = rounds.map(([a], index) => {
    const sum = (counts[index] ?? []).reduce((sum, each) => sum + each[of], 0)
    return [sum, a.latencies.length] as const
  })
  const labels = { what: `${what}: ${COUNTED[of]}`, against: 'requests', unit: '', counted: true } as const
  return { ...labels, goal: { equals }, ...compare(pairs) }
}
