import { account, meterAccounts, prepareAccounts } from '../support/accounts.ts'
import type { Mec } from '../support/cloud.ts'
import { duel, ONE_AT_A_TIME, p50, upstream } from '../support/duel.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/check from Postgres'

/**
 * Judged without Redis. With it the Worker fills Redis after each answer, which nobody waits for; but here its fetch, the
 * protocol server and Redis itself take their time from the same cores.
 */
async function run(bench: Bench) {
  const { cloud } = bench
  const { headers } = cloud
  await prepareAccounts(bench)
  // No staler than now: from the database, whatever other tiers there are.
  const body = (number: number) =>
    JSON.stringify({ account_id: account(number), resource: 'benchmark_runs', quantity: 1, max_staleness_ms: 0 })
  const check = ({ url }: Mec) => ({ url: new URL('/v1/check', url).href, headers, status: 200, body })
  const bare = { url: await cloud.baseline('select-one'), headers, status: 200, body }
  const result = await duel(bench, check(await cloud.mecWithoutRedis()), bare, ONE_AT_A_TIME)
  const busy = await duel(bench, check(await cloud.mecWithoutRedis()), bare)
  const filling = await duel(bench, check(await cloud.mec()), bare, ONE_AT_A_TIME)
  await meterAccounts(bench)
  const anew = await duel(bench, check(await cloud.mecWithoutRedis()), bare, ONE_AT_A_TIME)
  return [
    p50(result, { what: `${what}: p50`, against: 'select 1', goal: { atMost: 1.5 } }),
    upstream(result, what, 'databaseRequests', 1),
    p50(busy, { what: `${what}: p50, 4 at a time`, against: 'select 1', goal: 'report' }),
    p50(anew, { what: `${what}, nothing left by a consume: p50`, against: 'select 1', goal: 'report' }),
    p50(filling, { what: `${what}, Redis filled after it: p50`, against: 'select 1', goal: 'report' }),
    upstream(filling, `${what}, Redis filled after it`, 'databaseRequests', 1),
  ]
}

export const checkPostgres: Row = { name: 'check-postgres', run }
