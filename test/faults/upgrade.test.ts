import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../database/migrate.ts'
import { buildIsolate } from '../support/isolate.ts'
import { type RunningStores, startStores } from '../support/stores.ts'

const CLIENTS = 8
const MIGRATIONS = 3

let running: RunningStores
beforeAll(async () => {
  running = await startStores()
})
afterAll(() => running.stop())

test('migrated under load: done, or 503 and safe to repeat; each key counts once', async () => {
  const account_id = `acct-${randomUUID()}`
  const isolate = buildIsolate(running.stores)
  async function post(path: string, body: object): Promise<{ status: number; text: string }> {
    const headers = { Authorization: `Bearer ${running.stores.devKey}` }
    const response = await isolate.fetch('POST', path, body, headers)
    return { status: response.status, text: await response.text() }
  }
  const grant = { account_id, resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1_000_000 }
  expect((await post('/v1/entitlements', grant)).status).toBe(201)

  const uses: object[] = []
  const refusals: string[] = []
  let busy = true
  async function client(): Promise<void> {
    while (busy) {
      const use = { account_id, resource: 'gpu_hours', quantity: 1, idempotency_key: randomUUID() }
      uses.push(use)
      for (const [path, body] of [
        ['/v1/consume', use],
        ['/v1/check', { account_id, resource: 'gpu_hours', max_staleness_ms: 0 }],
      ] as const) {
        const { status, text } = await post(path, body)
        if (![200, 201, 503].includes(status)) refusals.push(`${path}: ${status} ${text}`)
      }
    }
  }
  const load = Promise.all(Array.from({ length: CLIENTS }, client))
  for (let count = 0; count < MIGRATIONS; count++) await migrate({ connectionString: running.stores.ownerUrl })
  busy = false
  await load
  expect(refusals).toEqual([])
  expect(uses.length).toBeGreaterThan(CLIENTS * MIGRATIONS)

  for (const use of uses) expect([200, 201]).toContain((await post('/v1/consume', use)).status)
  const database = new pg.Client({ connectionString: running.stores.ownerUrl })
  await database.connect()
  try {
    const { rows } = await database.query(
      `select count(*)::int as entries, sum(l.quantity)::int as total
       from consumption_ledger l join accounts a using (account_id) where a.external_id = $1`,
      [account_id],
    )
    expect(rows).toEqual([{ entries: uses.length, total: uses.length }])
  } finally {
    await database.end()
  }
}, 120_000)
