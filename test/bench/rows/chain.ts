import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../../../database/migrate.ts'
import { account, prepareAccounts } from '../support/accounts.ts'
import { duel, ONE_AT_A_TIME, p50, rate } from '../support/duel.ts'
import type { Round } from '../support/load.ts'
import type { Bench, Effort, Row } from '../support/row.ts'

const DATABASE = 'chainless'
const ENTRIES: Record<Effort, number> = { full: 100_000, quick: 2_000 }
const ROUNDS: Record<Effort, number> = { full: 5, quick: 2 }
const BATCH = 1000

/** The same service without what the chain costs a use: no hash, no index. */
async function createChainless({ cloud }: Bench): Promise<void> {
  await cloud.sql(`CREATE DATABASE ${DATABASE}`)
  await migrate({ connectionString: cloud.ownerUrl(DATABASE) })
  await cloud.sql(
    `CREATE OR REPLACE FUNCTION fn_entry_hash(p_previous bytea, p_entry consumption_ledger, p_drawn usage_allocation[])
     RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT ''::bytea $$;
     DROP INDEX consumption_ledger_chain`,
    DATABASE,
  )
}

async function consumeDuel(bench: Bench) {
  const { cloud } = bench
  await createChainless(bench)
  const [chained, chainless] = [await cloud.mecWithoutRedis(), await cloud.mecOn(DATABASE)]
  await prepareAccounts(bench)
  await prepareAccounts(bench, chainless)
  const run = randomUUID()
  const consume = ({ url }: { url: string }) => ({
    url: new URL('/v1/consume', url).href,
    headers: cloud.headers,
    status: 201,
    body: (number: number) =>
      JSON.stringify({
        idempotency_key: `${run}_${number}`,
        account_id: account(number),
        resource: 'benchmark_runs',
        quantity: 1,
      }),
  })
  return p50(await duel(bench, consume(chained), consume(chainless), ONE_AT_A_TIME), {
    what: '/consume: p50',
    against: 'without the hash chain',
    goal: { atMost: 1.1 },
  })
}

/** One account with many entries, verified and read in turns. */
async function verification({ cloud, effort }: Bench) {
  const client = new pg.Client({ connectionString: cloud.ownerUrl() })
  await client.connect()
  try {
    const credential = JSON.stringify({ type: 'jwt', namespace: 'default', scopes: ['admin'], account: null })
    const entries = ENTRIES[effort]
    for (let done = 0; done < entries; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => ({
        ...{ idempotency_key: randomUUID(), account_id: 'verified', resource: 'benchmark_runs', quantity: 1 },
      }))
      await client.query('SELECT api_meter_batch($1, $2)', [credential, JSON.stringify({ entries: batch })])
    }
    await client.query('VACUUM ANALYZE consumption_ledger, consumption_allocations')
    const of = "(SELECT fn_account_uuid(n, 'verified') FROM namespaces n WHERE n.namespace_id = 'default')"
    async function timed(text: string): Promise<Round> {
      const started = performance.now()
      const { rows } = await client.query(text)
      const ms = performance.now() - started
      if (Number(rows[0]?.entries) !== entries || rows[0]?.fault) throw new Error(`${text}: ${JSON.stringify(rows[0])}`)
      return { latencies: [ms], seconds: ms / 1000 }
    }
    const verify = `SELECT entries, fault FROM fn_verify_entries(${of}, 'benchmark_runs', NULL, ${2 * entries})`
    const read = `SELECT count(*) AS entries, sum(length(l::text)) FROM consumption_ledger l WHERE l.account_id = ${of}`
    const rounds: [Round, Round][] = []
    for (let round = 0; round < ROUNDS[effort]; round++) rounds.push([await timed(verify), await timed(read)])
    const labels = { what: 'verification: entries', against: 'reading the same rows', goal: 'report' } as const
    return rate({ rounds, counts: [] }, labels, entries)
  } finally {
    await client.end()
  }
}

async function run(bench: Bench) {
  return [await consumeDuel(bench), await verification(bench)]
}

export const chain: Row = { name: 'chain', run }
