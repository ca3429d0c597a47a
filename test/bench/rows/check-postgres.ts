import { account, prepareAccounts } from '../support/accounts.ts'
import { duel, p50, upstream } from '../support/duel.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/check from Postgres'

async function run(bench: Bench) {
  await prepareAccounts(bench)
  const { headers } = bench.cloud
  const { url } = await bench.cloud.mec()
  // No staler than now: from the database, whatever other tiers there are.
  const body = (number: number) =>
    JSON.stringify({ account_id: account(number), resource: 'benchmark_runs', quantity: 1, max_staleness_ms: 0 })
  const check = { url: new URL('/v1/check', url).href, headers, status: 200, body }
  const bare = { url: await bench.cloud.baseline('select-one'), headers, status: 200, body }
  const result = await duel(bench, check, bare)
  return [
    p50(result, { what: `${what}: p50`, against: 'select 1', goal: { atMost: 1.5 } }),
    upstream(result, what, 'databaseRequests', 1),
  ]
}

export const checkPostgres: Row = { name: 'check-postgres', run }
