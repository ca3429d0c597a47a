import { randomUUID } from 'node:crypto'
import { account, accountUuid, createBareTables, prepareAccounts } from '../support/accounts.ts'
import { duel, rate } from '../support/duel.ts'
import type { Bench, Row } from '../support/row.ts'

const ENTRIES = 1000

async function run(bench: Bench) {
  await prepareAccounts(bench)
  await createBareTables(bench)
  const { headers } = bench.cloud
  const { url } = await bench.cloud.mecWithoutRedis()
  const bareUrl = await bench.cloud.baseline('insert-many')
  const results = []
  for (const accounts of bench.effort === 'full' ? [1, 20] : [20]) {
    const entries = <Entry>(number: number, entry: (account: number, key: string) => Entry) =>
      Array.from({ length: ENTRIES }, (_, index) => entry(number + (index % accounts), `${number}-${index}`))
    const batch = {
      url: new URL('/v1/meter/batch', url).href,
      headers,
      status: 200,
      body: (number: number) =>
        JSON.stringify({
          entries: entries(number, (of, key) => ({
            idempotency_key: `batch_${key}`,
            account_id: account(of),
            resource: 'benchmark_runs',
            quantity: 1,
          })),
        }),
    }
    const bare = {
      url: bareUrl,
      headers,
      status: 200,
      body: (number: number) =>
        JSON.stringify(entries(number, (of) => ({ entry_id: randomUUID(), account_id: accountUuid(of), quantity: 1 }))),
    }
    const what = `/meter/batch of ${ENTRIES}, ${accounts} account${accounts === 1 ? '' : 's'}`
    const turn = bench.effort === 'full' ? { requests: 24, ms: 3_000 } : { requests: 2, ms: 1_000 }
    const result = await duel(bench, batch, bare, { warmUp: turn, turns: 1, turn })
    results.push(rate(result, { what: `${what}: entries`, against: 'one INSERT', goal: { atLeast: 0.3 } }, ENTRIES))
  }
  return results
}

export const meterBatch: Row = { name: 'meter-batch', run }
