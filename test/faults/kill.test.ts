import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { expect, test } from 'vitest'
import { type Dev, runScript, startDev, stillRunning, temporaryDataDir } from '../support/dev.ts'

const ACCOUNTS = ['crash-a', 'crash-b', 'crash-c']
const CLIENTS = 8
const ROUNDS = 3
/** Kill after so many were acknowledged in a round: in the middle of the load, each time elsewhere in it. */
const ACKNOWLEDGED_BEFORE_KILL = [40, 97, 151]
/** So that a load that nobody ends does not go on for ever. */
const MAX_USES_PER_CLIENT = 2_000
const REQUEST_BUDGET_MS = 20_000

type Use = { account: string; key: string; quantity: number; acknowledged: boolean }
type Answer = { status: number; body: { allowed?: boolean; duplicate?: boolean; used?: number; entry?: unknown } }

async function post(dev: Dev, path: string, body: object): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${dev.port}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer mec_sk_dev', 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_BUDGET_MS),
  })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

function consume(dev: Dev, { account, key, quantity }: Use): Promise<Answer> {
  return post(dev, '/v1/consume', {
    account_id: account,
    resource: 'benchmark_runs',
    quantity,
    idempotency_key: key,
  })
}

/** Parallel clients, until each has had no answer once. Every use that was sent is in what it gives. */
async function load(dev: Dev, onAcknowledged: () => void): Promise<Use[]> {
  const uses: Use[] = []

  async function client(number: number): Promise<void> {
    for (let turn = 0; turn < MAX_USES_PER_CLIENT; turn++) {
      // Most clients meet on one row, as it comes with one busy customer.
      const account = ACCOUNTS[number < 4 ? 0 : number % ACCOUNTS.length] ?? 'crash-a'
      const use: Use = { account, key: randomUUID(), quantity: 1 + (turn % 3) * 0.5, acknowledged: false }
      uses.push(use)
      const answer = await consume(dev, use).catch(() => undefined)
      if (answer?.status !== 201) return
      use.acknowledged = true
      onAcknowledged()
    }
  }

  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)))
  return uses
}

/** How often each key is in the ledger. */
async function ledger(dataDir: string): Promise<Map<string, number>> {
  const client = new pg.Client({ connectionString: (await runScript('local/db-url.ts', dataDir)).stdout.trim() })
  await client.connect()
  try {
    const { rows } = await client.query<{ key: string; times: string }>(
      'select idempotency_key as key, count(*) as times from consumption_ledger group by 1',
    )
    return new Map(rows.map(({ key, times }) => [key, Number(times)]))
  } finally {
    await client.end()
  }
}

async function sumOfLedger(dataDir: string): Promise<number> {
  const client = new pg.Client({ connectionString: (await runScript('local/db-url.ts', dataDir)).stdout.trim() })
  await client.connect()
  try {
    const { rows } = await client.query<{ sum: string }>(
      'select coalesce(sum(quantity), 0) as sum from consumption_ledger',
    )
    return Number(rows[0]?.sum)
  } finally {
    await client.end()
  }
}

const totalOf = (uses: readonly Use[]) => uses.reduce((sum, { quantity }) => sum + quantity, 0)

test('a SIGKILL of everything in the middle of a load loses nothing that was acknowledged and doubles nothing', async () => {
  const dataDir = await temporaryDataDir()
  const all: Use[] = []
  let dev = await startDev({ dataDir })
  for (const account_id of ACCOUNTS) {
    const grant = { account_id, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 1_000_000 }
    expect(await post(dev, '/v1/entitlements', { ...grant, window: 'calendar_month' })).toMatchObject({ status: 201 })
  }

  for (let round = 0; round < ROUNDS; round++) {
    const tree = await dev.tree()
    let acknowledged = 0
    const uses = await load(dev, () => {
      if (++acknowledged !== ACKNOWLEDGED_BEFORE_KILL[round]) return
      // It first, so that nobody tidies up.
      for (const pid of tree) kill(pid)
    })
    await dev.ended()
    expect(await stillRunning(tree, 10_000)).toEqual([])
    expect(acknowledged).toBeGreaterThanOrEqual(ACKNOWLEDGED_BEFORE_KILL[round] ?? 0)
    // The kill was in the middle: each client was waiting for an answer.
    const open = uses.filter((use) => !use.acknowledged)
    expect(open.length).toBeGreaterThan(0)
    all.push(...uses)

    dev = await startDev({ dataDir })
    const found = await ledger(dataDir)
    expect(uses.filter((use) => use.acknowledged && found.get(use.key) !== 1)).toEqual([])
    expect([...found].filter(([, times]) => times !== 1)).toEqual([])

    // Every client asks again, with its key; those that had their answer get the same one.
    for (const use of [...open, ...uses.filter((use) => use.acknowledged).slice(-10)]) {
      const { status, body } = await consume(dev, use)
      const known = found.has(use.key)
      expect({ status, duplicate: body.duplicate }).toEqual({ status: known ? 200 : 201, duplicate: known })
      expect(body.entry).toMatchObject({ idempotency_key: use.key, quantity: use.quantity })
    }
    const settled = await ledger(dataDir)
    expect(all.filter(({ key }) => settled.get(key) !== 1)).toEqual([])
    expect(settled.size).toBe(all.length)

    let used = 0
    for (const account_id of ACCOUNTS) {
      const expected = totalOf(all.filter(({ account }) => account === account_id))
      const { body } = await post(dev, '/v1/check', { account_id, resource: 'benchmark_runs', max_staleness_ms: 0 })
      expect({ account_id, used: body.used }).toEqual({ account_id, used: expected })
      used += expected
    }
    expect(await sumOfLedger(dataDir)).toBe(used)
  }
  await dev.end('SIGINT')
}, 180_000)

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}
