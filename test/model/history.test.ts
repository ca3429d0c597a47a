import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderQuantity } from '../../functions/core/quantity.ts'
import { decideFromSnapshot } from '../../functions/core/verdict.ts'
import { accountId } from '../support/commands.ts'
import { readEdges } from './bands.ts'
import { readBooks } from './books.ts'
import { history } from './history.ts'
import { expectDecision, World } from './world.ts'

/**
 * Random histories of an account, done to the database and to an auditor that works everything out again. A failure
 * prints its seed and path: MEC_MODEL_SEED and MEC_MODEL_RUNS replay it, or make more of them.
 */
const RUNS = Number(process.env['MEC_MODEL_RUNS'] ?? 1000)
const SEED = Number(process.env['MEC_MODEL_SEED'] ?? 20_261_121)
const LANES = 4

const lanes = Array.from({ length: LANES }, (_, lane) => lane)

test.concurrent.each(lanes)('the database and the auditor agree, lane %i', { timeout: 600_000 }, async (lane) => {
  const numRuns = Math.ceil(RUNS / LANES)
  const property = fc.asyncProperty(history, async (random) => {
    const world = await World.of(random)
    for (const command of random.commands) await world.run(command)
    await audit(world)
  })
  await fc.assert(property, { seed: SEED + lane, numRuns })
})

async function audit(world: World): Promise<void> {
  const id = await accountId(world.account, world.namespace)
  await auditBooks(world, id)
  const scopes = [null, 'us/h100'] as const
  for (const scope of scopes) await auditBands(world, id, scope)
}

/** Counters are what the ledger adds up to, and each entry drew what it had to, where it had to. */
async function auditBooks({ auditor }: World, id: string): Promise<void> {
  const books = await readBooks(id)
  expect(books.wrong_windows).toEqual([])
  expect(books.wrong_rollups).toEqual([])
  for (const { quantity, included, overage, excess } of books.ledger) {
    expect(BigInt(included) + BigInt(overage) + BigInt(excess)).toBe(BigInt(quantity))
  }
  const drawn = books.allocations.map(({ key, entitlement_id, included, overage, excess }) => ({
    key,
    grant: entitlement_id,
    included,
    overage,
    excess,
  }))
  const expected = auditor.allocations.map(({ key, grant, included, overage, excess }) => ({
    key,
    grant,
    included: String(included),
    overage: String(overage),
    excess: String(excess),
  }))
  expect(sorted(drawn)).toEqual(sorted(expected))
}

function sorted<Row extends { key: string; grant: string }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((left, right) => `${left.key} ${left.grant}`.localeCompare(`${right.key} ${right.grant}`))
}

/** The bands, SQL's decision, the edge's and the auditor's are one, for every quantity at which they could part. */
async function auditBands({ auditor, namespace, account }: World, id: string, scope: string | null): Promise<void> {
  const rows = [
    ['cumulative', 'benchmark_runs', 'consume'],
    ['inventory', 'named_users', 'assign'],
    ['concurrency', 'concurrent_users', 'lease'],
  ] as const
  for (const [kind, resource, purpose] of rows) {
    const { snapshot, edges } = await readEdges(namespace, id, resource, scope, purpose)
    for (const { quantity, decision } of edges) {
      expectDecision(decision, auditor.decide(kind, scope, quantity, Date.parse(snapshot.as_of)))
      const { account_id: _, ...verdict } = decideFromSnapshot(snapshot, {
        account_id: account,
        resource,
        scope,
        quantity: renderQuantity(quantity),
        purpose,
      })
      expect({ ...verdict, as_of: snapshot.as_of }).toEqual(decision)
    }
  }
}
