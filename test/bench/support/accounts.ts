import type { Mec } from './cloud.ts'
import { CONNECTIONS } from './load.ts'
import type { Bench } from './row.ts'

/** Enough that four connections rarely meet on one account's lock. */
export const ACCOUNTS = 64

/** Far above what a run can use up. */
const LIMIT = 1_000_000_000

export const account = (number: number) => `org_${number % ACCOUNTS}`

/** What the baselines' tables call the same account. */
export const accountUuid = (number: number) => `00000000-0000-4000-8000-${String(number % ACCOUNTS).padStart(12, '0')}`

/** Over HTTP gives each account a monthly limit, and a first use: an account that never did anything is rare. Again is no harm. */
export async function prepareAccounts({ cloud }: Bench, worker?: Mec): Promise<void> {
  const { headers } = cloud
  const { url } = worker ?? (await cloud.mecWithoutRedis())

  async function post(path: string, fields: Record<string, string | number>): Promise<void> {
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ resource: 'benchmark_runs', ...fields }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`)
  }

  const limit = { limit_kind: 'cumulative', quantity: LIMIT, window: 'calendar_month' }
  let next = 0
  async function lane(): Promise<void> {
    for (let number = next++; number < ACCOUNTS; number = next++) {
      await post('/v1/entitlements', { idempotency_key: `grant_${number}`, account_id: account(number), ...limit })
      await post('/v1/consume', { idempotency_key: `first_${number}`, account_id: account(number), quantity: 1 })
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
}

/** The baselines' own tables: a ledger like ours, to the last index, and a counter for each account. */
export async function createBareTables({ cloud }: Bench): Promise<void> {
  const uuids = Array.from({ length: ACCOUNTS }, (_, number) => `('${accountUuid(number)}', 0)`)
  await cloud.sql(`
    CREATE TABLE IF NOT EXISTS bench_ledger (LIKE consumption_ledger INCLUDING ALL);
    CREATE TABLE IF NOT EXISTS bench_counter (account_id uuid PRIMARY KEY, used numeric NOT NULL) WITH (fillfactor = 70);
    GRANT SELECT, INSERT, UPDATE ON bench_ledger, bench_counter TO mec_worker;
    INSERT INTO bench_counter VALUES ${uuids.join(',')} ON CONFLICT DO NOTHING`)
}
