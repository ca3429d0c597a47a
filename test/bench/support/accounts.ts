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

  const limit = { limit_kind: 'cumulative', quantity: LIMIT, window: 'calendar_month' }
  await ofEach(async (number) => {
    const of = { account_id: account(number), resource: 'benchmark_runs' }
    await post(url, headers, '/v1/entitlements', { idempotency_key: `grant_${number}`, ...of, ...limit })
    await post(url, headers, '/v1/consume', { idempotency_key: `first_${number}`, ...of, quantity: 1 })
  })
}

/** One more use of each account, recorded: the last command on it is no consume then, so what comes next starts anew. */
export async function meterAccounts({ cloud }: Bench): Promise<void> {
  const { url } = await cloud.mecWithoutRedis()
  await ofEach((number) => {
    const use = { account_id: account(number), resource: 'benchmark_runs', quantity: 1 }
    return post(url, cloud.headers, '/v1/meter', { idempotency_key: `metered_${number}`, ...use })
  })
}

async function ofEach(work: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  async function lane(): Promise<void> {
    for (let number = next++; number < ACCOUNTS; number = next++) await work(number)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
}

async function post(
  url: string,
  headers: Record<string, string>,
  path: string,
  fields: Record<string, string | number>,
): Promise<void> {
  const response = await fetch(new URL(path, url), {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`)
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
