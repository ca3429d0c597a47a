import { randomUUID } from 'node:crypto'
import { account, accountUuid, createBareTables, prepareAccounts } from '../support/accounts.ts'
import type { Mec } from '../support/cloud.ts'
import { duel, ONE_AT_A_TIME, p50, rate, upstream } from '../support/duel.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/consume'
const against = 'INSERT + UPDATE in one statement'

/** Judged without Redis, for the reason that rows/check-postgres.ts gives. */
async function run(bench: Bench) {
  const { cloud } = bench
  const { headers } = cloud
  await prepareAccounts(bench)
  await createBareTables(bench)
  const consume = ({ url }: Mec) => ({
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
  })
  const bare = {
    url: await cloud.baseline('insert-update'),
    headers,
    status: 201,
    body: (number: number) => JSON.stringify({ entry_id: randomUUID(), account_id: accountUuid(number), quantity: 1 }),
  }
  const result = await duel(bench, consume(await cloud.mecWithoutRedis()), bare, ONE_AT_A_TIME)
  const busy = await duel(bench, consume(await cloud.mecWithoutRedis()), bare)
  const writing = await duel(bench, consume(await cloud.mec()), bare, ONE_AT_A_TIME)
  return [
    p50(result, { what: `${what}: p50`, against, goal: { atMost: 1.5 } }),
    rate(busy, { what: `${what}: requests`, against, goal: { atLeast: 0.7 } }),
    upstream(result, what, 'databaseRequests', 1),
    p50(busy, { what: `${what}: p50, 4 at a time`, against, goal: 'report' }),
    p50(writing, { what: `${what}, Redis written after it: p50`, against, goal: 'report' }),
    upstream(writing, `${what}, Redis written after it`, 'databaseRequests', 1),
  ]
}

export const consume: Row = { name: 'consume', run }
