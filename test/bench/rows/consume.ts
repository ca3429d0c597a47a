import { randomUUID } from 'node:crypto'
import { account, accountUuid, createBareTables, prepareAccounts } from '../support/accounts.ts'
import { duel, p50, rate, upstream } from '../support/duel.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/consume'
const against = 'INSERT + UPDATE in one statement'

async function run(bench: Bench) {
  await prepareAccounts(bench)
  await createBareTables(bench)
  const { headers } = bench.cloud
  const { url } = await bench.cloud.mec()
  const consume = {
    url: new URL('/v1/consume', url).href,
    headers,
    status: 201,
    body: (number: number) =>
      JSON.stringify({
        idempotency_key: `run_${number}`,
        account_id: account(number),
        resource: 'benchmark_runs',
        quantity: 1,
      }),
  }
  const bare = {
    url: await bench.cloud.baseline('insert-update'),
    headers,
    status: 201,
    body: (number: number) => JSON.stringify({ entry_id: randomUUID(), account_id: accountUuid(number), quantity: 1 }),
  }
  const result = await duel(bench, consume, bare)
  return [
    p50(result, { what: `${what}: p50`, against, goal: { atMost: 1.5 } }),
    rate(result, { what: `${what}: requests`, against, goal: { atLeast: 0.7 } }),
    upstream(result, what, 'databaseRequests', 1),
  ]
}

export const consume: Row = { name: 'consume', run }
