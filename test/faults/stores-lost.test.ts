import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRedis } from '../../functions/store/redis.ts'
import { buildIsolate, type Isolate } from '../support/isolate.ts'
import { type RunningStores, startStores } from '../support/stores.ts'

/** Three isolates on stores that are lost under load: what was acknowledged stays, and no more than the limit is. */
const CLIENTS = 12
const LIMIT = 150
const SEATS = 5
const ROUNDS = 40
/** So that a load that nobody ends does not go on for ever. */
const MAX_ROUNDS = 5000
const FLUSH_EVERY_MS = 100
/** Longer than an isolate leaves Redis alone after a failure. */
const RESTART_EVERY_MS = 4000
/** Of a denial; and what the clocks and the request itself may add. */
const DENIAL_MS = 2000
const SLACK_MS = 250

type Reply = { status: number; body: Record<string, unknown> }

let running: RunningStores
beforeAll(async () => {
  running = await startStores()
})
afterAll(() => running.stop())

function clientOf(isolate: Isolate) {
  return async function post(path: string, body: object): Promise<Reply> {
    const headers = { Authorization: `Bearer ${running.stores.devKey}` }
    const response = await isolate.fetch('POST', path, body, headers)
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
}

async function query<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
  const client = new pg.Client({ connectionString: running.stores.ownerUrl })
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}

async function fundedAccount(): Promise<string> {
  const account_id = `acct-${randomUUID()}`
  const post = clientOf(buildIsolate(running.stores))
  const runs = { account_id, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: LIMIT }
  const seats = { account_id, resource: 'concurrent_users', limit_kind: 'concurrency', quantity: SEATS }
  const hours = { account_id, resource: 'gpu_hours', limit_kind: 'cumulative', quantity: LIMIT }
  for (const grant of [runs, seats, hours]) expect((await post('/v1/entitlements', grant)).status).toBe(201)
  return account_id
}

/** Until `over`: what else goes on while the load does. */
async function meanwhile(work: () => Promise<unknown>, everyMs: number, over: () => boolean): Promise<void> {
  while (!over()) {
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    await work()
  }
}

test('Redis flushed every 100 ms, killed and started again: no write fails, nothing is oversold, no denial is old', async () => {
  const account_id = await fundedAccount()
  const isolates = [1, 2, 3].map(() => buildIsolate(running.stores))
  const redis = createRedis({ url: running.stores.upstashUrl, token: running.stores.upstashToken })
  const acknowledged: string[] = []
  const oldDenials: unknown[] = []
  const seen = { checks: 0, denied: 0, restarts: 0, sources: new Set<unknown>() }
  let busy = true

  async function client(number: number): Promise<void> {
    const isolate = isolates[number % isolates.length]
    if (!isolate) throw new RangeError('no isolate')
    const post = clientOf(isolate)
    for (let round = 0; round < ROUNDS || (seen.restarts < 2 && round < MAX_ROUNDS); round++) {
      const idempotency_key = randomUUID()
      const use = { account_id, resource: 'benchmark_runs', quantity: 1, idempotency_key }
      const consumed = await post('/v1/consume', use)
      expect([200, 201], JSON.stringify(consumed.body)).toContain(consumed.status)
      if (consumed.status === 201) acknowledged.push(idempotency_key)

      const seat = { account_id, resource: 'concurrent_users', holder: `h${number}`, ttl_seconds: 600 }
      const leased = await post('/v1/leases', seat)
      expect([200, 201], JSON.stringify(leased.body)).toContain(leased.status)

      // What nobody changes is found in Redis between two flushes.
      for (const resource of ['benchmark_runs', 'concurrent_users', 'gpu_hours']) {
        const startedAt = Date.now()
        const checked = await post('/v1/check', { account_id, resource })
        expect(checked.status, JSON.stringify(checked.body)).toBe(200)
        seen.checks += 1
        seen.sources.add(checked.body['source'])
        if (checked.body['allowed'] === true) continue
        seen.denied += 1
        const ageMs = startedAt - Date.parse(String(checked.body['as_of']))
        if (ageMs > DENIAL_MS + SLACK_MS) oldDenials.push(checked.body)
      }
    }
  }

  const load = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number))).finally(() => {
    busy = false
  })
  const flush = () => redis.command(['FLUSHALL'], 1000).catch(() => {})
  async function restart(): Promise<void> {
    await running.restartRedis()
    seen.restarts += 1
  }
  await Promise.all([
    load,
    meanwhile(flush, FLUSH_EVERY_MS, () => !busy),
    meanwhile(restart, RESTART_EVERY_MS, () => !busy),
  ])
  await Promise.all(isolates.map((isolate) => isolate.settled()))

  expect(oldDenials).toEqual([])
  const ledger = await query<{ idempotency_key: string }>(
    `select l.idempotency_key from consumption_ledger l join accounts a using (account_id)
     where a.external_id = $1 and l.quantity = 1`,
    [account_id],
  )
  expect(ledger.map((entry) => entry.idempotency_key).sort()).toEqual(acknowledged.sort())
  expect(acknowledged).toHaveLength(LIMIT)
  const leases = await query(
    `select 1 from concurrency_leases l join accounts a using (account_id) where a.external_id = $1 and l.ended_at is null`,
    [account_id],
  )
  expect(leases).toHaveLength(SEATS)
  // The load was one: of all tiers, with denials, over restarts.
  expect(seen.restarts).toBeGreaterThan(0)
  expect(seen.denied).toBeGreaterThan(0)
  expect([...seen.sources].sort()).toEqual(['memory', 'postgres', 'redis'])
}, 120_000)

test('Postgres restarted under load: 503 or done, and each key tried again counts once', async () => {
  const account_id = await fundedAccount()
  const isolates = [1, 2].map(() => buildIsolate(running.stores))
  const statuses = new Map<number, number>()
  const uses: object[] = []
  let longestMs = 0
  let restarts = 0
  let busy = true

  async function client(number: number): Promise<void> {
    const isolate = isolates[number % isolates.length]
    if (!isolate) throw new RangeError('no isolate')
    const post = clientOf(isolate)
    for (let round = 0; round < 1000 && (round < 20 || restarts < 2); round++) {
      const use = { account_id, resource: 'benchmark_runs', quantity: 0.001, idempotency_key: randomUUID() }
      uses.push(use)
      const startedAt = performance.now()
      const { status } = await post('/v1/consume', use)
      const checked = await post('/v1/check', { account_id, resource: 'benchmark_runs', on_error: 'deny' })
      longestMs = Math.max(longestMs, performance.now() - startedAt)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      expect([201, 503]).toContain(status)
      // By then the key is known, and so is the state: a check is answered all the same.
      expect(checked.status, JSON.stringify(checked.body)).toBe(200)
    }
  }

  const warm = clientOf(isolates[0] ?? buildIsolate(running.stores))
  for (const isolate of isolates) {
    expect((await clientOf(isolate)('/v1/check', { account_id, resource: 'benchmark_runs' })).status).toBe(200)
  }
  const load = Promise.all(Array.from({ length: 6 }, (_, number) => client(number))).finally(() => {
    busy = false
  })
  await Promise.all([
    load,
    meanwhile(
      async () => {
        await running.restartPostgres()
        restarts++
      },
      300,
      () => !busy,
    ),
  ])
  expect(statuses.get(503) ?? 0).toBeGreaterThan(0)
  expect(statuses.get(201) ?? 0).toBeGreaterThan(0)
  expect(longestMs).toBeLessThan(2 * 5000 + 600 + 1000)

  for (const use of uses) {
    const { status } = await warm('/v1/consume', use)
    expect([200, 201]).toContain(status)
  }
  const [{ entries, total } = {}] = await query<{ entries: string; total: string }>(
    `select count(*) as entries, sum(l.quantity) as total from consumption_ledger l join accounts a using (account_id)
     where a.external_id = $1`,
    [account_id],
  )
  expect(Number(entries)).toBe(uses.length)
  expect(Number(total)).toBeCloseTo(uses.length * 0.001, 9)
}, 120_000)
