import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { z } from 'zod'
import type { Bench, Effort, Goal, Result } from './row.ts'
import { compare, median } from './statistics.ts'

/** A command on one account of one database, as the Worker would send it. */
export type Asked = { database: string; account: string }
export type Command = 'check' | 'consume' | 'usage' | 'ledger'

const DAY_MS = 86_400_000

const FUNCTIONS: Record<Command, string> = {
  check: 'api_snapshot',
  consume: 'api_consume',
  usage: 'api_usage',
  ledger: 'api_ledger_list',
}

export type Cost = { ms: number; buffers: number }

const PLANS: Record<Effort, { warmUp: number; rounds: number; each: number }> = {
  full: { warmUp: 20, rounds: 5, each: 10 },
  quick: { warmUp: 1, rounds: 2, each: 2 },
}

const Explained = z
  .array(
    z.object({
      Plan: z.object({ 'Shared Hit Blocks': z.number(), 'Shared Read Blocks': z.number() }),
      'Execution Time': z.number(),
    }),
  )
  .length(1)

/**
 * What a command costs inside Postgres: EXPLAIN ANALYZE of the call as the Worker's role, each side in a session of its
 * own, in turns. The buffers of all that the function did count as those of the call's only node.
 */
export async function duelInDatabase(
  { cloud, effort }: Bench,
  command: Command,
  { what, against, goal }: { what: string; against: string; goal: Goal },
  a: Asked,
  b: Asked,
): Promise<Result[]> {
  const { warmUp, rounds, each } = PLANS[effort]
  const left = new pg.Client({ connectionString: cloud.workerUrl(a.database) })
  const right = new pg.Client({ connectionString: cloud.workerUrl(b.database) })
  await left.connect()
  await right.connect()
  try {
    for (let n = 0; n < warmUp; n++) {
      await explain(left, command, a.account)
      await explain(right, command, b.account)
    }
    const pairs: [Cost, Cost][] = []
    for (let round = 0; round < rounds; round++) {
      const costs: [Cost[], Cost[]] = [[], []]
      for (let n = 0; n < each; n++) {
        costs[0].push(await explain(left, command, a.account))
        costs[1].push(await explain(right, command, b.account))
      }
      pairs.push([medianCost(costs[0]), medianCost(costs[1])])
    }
    const of = (cost: keyof Cost) => compare(pairs.map(([first, second]) => [first[cost], second[cost]]))
    return [
      { what: `${what}: time`, against, unit: 'ms', goal, counted: false, ...of('ms') },
      { what: `${what}: buffers`, against, unit: '', goal, counted: false, ...of('buffers') },
    ]
  } finally {
    await left.end()
    await right.end()
  }
}

/** What a command costs now, without anything beside it. */
export async function costOf({ cloud, effort }: Bench, command: Command, { database, account }: Asked): Promise<Cost> {
  const { warmUp, each } = PLANS[effort]
  const client = new pg.Client({ connectionString: cloud.workerUrl(database) })
  await client.connect()
  try {
    for (let n = 0; n < warmUp; n++) await explain(client, command, account)
    const costs: Cost[] = []
    for (let n = 0; n < each; n++) costs.push(await explain(client, command, account))
    return medianCost(costs)
  } finally {
    await client.end()
  }
}

async function explain(client: pg.Client, command: Command, account: string): Promise<Cost> {
  const credential = { type: 'jwt', namespace: 'default', scopes: ['admin'], account: null, subject: null }
  const request = { account_id: account, resource: 'benchmark_runs', ...requestOf(command) }
  const literal = (value: object) => client.escapeLiteral(JSON.stringify(value))
  const { rows } = await client.query(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ${FUNCTIONS[command]}(${literal(credential)}, ${literal(request)})`,
  )
  const [explained] = Explained.parse(rows[0]?.['QUERY PLAN'])
  if (explained === undefined) throw new Error('EXPLAIN explains nothing')
  const { Plan: plan } = explained
  return { ms: explained['Execution Time'], buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'] }
}

function requestOf(command: Command): object {
  if (command === 'ledger') return { limit: 100 }
  if (command !== 'usage') return { quantity: 1, idempotency_key: randomUUID() }
  // 365 whole days, today the last of them.
  const to = Math.ceil(Date.now() / DAY_MS) * DAY_MS
  const from = to - 365 * DAY_MS
  return { granularity: 'day', from: new Date(from).toISOString(), to: new Date(to).toISOString() }
}

function medianCost(costs: readonly Cost[]): Cost {
  return { ms: median(costs.map(({ ms }) => ms)), buffers: median(costs.map(({ buffers }) => buffers)) }
}
