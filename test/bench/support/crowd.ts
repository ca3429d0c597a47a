import type { Isolate } from '../../support/isolate.ts'
import type { Cloud } from './cloud.ts'
import { fillDatabase } from './growth-data.ts'
import type { Bench, Effort } from './row.ts'

/** DESIGN.md's number, not to be shrunk, but in a run that measures nothing. */
const SIZES: Record<Effort, number> = { full: 100_000, quick: 1_000 }
/** growth-data.sql begins to count its others here. */
const FIRST = 5
const BATCH = 100

/** Many accounts with a monthly limit each, and one use. */
export type Crowd = { size: number; account(number: number): string }

const crowds = new WeakMap<Cloud, Promise<void>>()

export async function prepareCrowd({ cloud, effort }: Bench): Promise<Crowd> {
  const size = SIZES[effort]
  const filled = crowds.get(cloud) ?? fillDatabase(cloud, 'mec', { entries: 100, accounts: size + FIRST - 1 })
  crowds.set(cloud, filled)
  await filled
  return { size, account: (number) => `other_${FIRST + (number % size)}` }
}

/** Has another isolate read these accounts from Postgres, so that Redis has them, and the key's record, from now. */
export async function fillRedis(
  filler: Isolate,
  headers: Record<string, string>,
  accounts: readonly string[],
): Promise<void> {
  for (let start = 0; start < accounts.length; start += BATCH) {
    const checks = accounts
      .slice(start, start + BATCH)
      .map((account_id) => ({ account_id, resource: 'benchmark_runs', quantity: 1, max_staleness_ms: 0 }))
    const response = await filler.fetch('POST', '/v1/check/batch', { checks }, headers)
    if (!response.ok) throw new Error(`/v1/check/batch answered ${response.status}: ${await response.text()}`)
    await filler.settled()
  }
}
