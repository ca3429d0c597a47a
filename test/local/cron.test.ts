import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { SCHEDULE } from '../../functions/maintenance/schedule.ts'
import { cronsOf } from '../../local/cron.ts'
import { waitUntil } from '../../local/wait-until.ts'
import { type Dev, runScript, startDev, temporaryDataDir } from '../support/dev.ts'

const wranglerToml = () => readFile(new URL('../../wrangler.toml', import.meta.url), 'utf8')
/** The clock fires at the start of each minute. */
const NEXT_MINUTE_MS = 75_000

test('wrangler.toml has the crons of the schedule, no more and no less', async () => {
  const crons = cronsOf(await wranglerToml()).map(({ expression }) => expression)
  expect(crons.toSorted()).toEqual([...new Set(SCHEDULE.map(({ cron }) => cron))].toSorted())
})

async function post(dev: Dev, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${dev.port}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer mec_sk_dev', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return JSON.parse(text)
}

test(
  'the clock of a running stack fires the crons: what has ended is recorded as ended',
  async () => {
    const dataDir = await temporaryDataDir()
    const dev = await startDev({ dataDir })
    const database = new pg.Client({ connectionString: (await runScript('local/db-url.ts', dataDir)).stdout.trim() })
    await database.connect()
    try {
      const account = { account_id: 'cron' }
      await post(dev, '/v1/test_clock', { now: '2099-01-31T23:00:00Z' })
      const seats = { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 1 }
      await post(dev, '/v1/entitlements', { ...account, ...seats })
      const quota = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 10, window: 'calendar_month' }
      await post(dev, '/v1/entitlements', { ...account, ...quota })
      const use = { ...account, resource: 'benchmark_runs', quantity: 1 }
      await post(dev, '/v1/consume', { ...use, idempotency_key: 'use' })
      await post(dev, '/v1/reservations', { ...use, idempotency_key: 'hold', ttl_seconds: 10 })
      await post(dev, '/v1/leases', { ...account, resource: 'concurrent_users', holder: 'ada', ttl_seconds: 10 })
      await post(dev, '/v1/test_clock', { now: '2099-02-01T02:00:00Z' })

      const ended = async () =>
        (
          await database.query<{ lease: string; hold: string }>(
            'select (select end_status from concurrency_leases) as lease, (select end_status from reservations) as hold',
          )
        ).rows[0]
      // Whatever fires, and when, the seat is free.
      const next = { ...account, resource: 'concurrent_users', for: 'lease', max_staleness_ms: 0 }
      expect(await post(dev, '/v1/check', next)).toMatchObject({ allowed: true, used: 0 })
      await waitUntil(async () => (await ended())?.hold === 'expired', NEXT_MINUTE_MS, 250)
      expect(await ended()).toEqual({ lease: 'expired', hold: 'expired' })
      expect(await post(dev, '/v1/check', next)).toMatchObject({ allowed: true, used: 0 })

      // The rarer ones by hand, through the door that the clock uses.
      for (const { expression } of cronsOf(await wranglerToml())) {
        const query = new URLSearchParams({ cron: expression, time: String(Date.now()) })
        const fired = await fetch(`http://127.0.0.1:${dev.port}/cdn-cgi/local/scheduled?${query}`)
        expect([expression, fired.status, await fired.text()]).toEqual([expression, 200, expect.any(String)])
      }
      const { rows } = await database.query(
        `select frozen_at is not null as frozen from entitlement_windows where window_end = '2099-02-01'`,
      )
      expect(rows).toEqual([{ frozen: true }])
      const passes = await database.query(
        'select job from maintenance_cursors where from_account_id is null order by 1',
      )
      expect(passes.rows.map(({ job }) => job)).toEqual([
        ...['close_windows', 'reconcile', 'sign_heads', 'verify_audit', 'verify_chain'],
      ])
    } finally {
      await database.end()
    }
  },
  NEXT_MINUTE_MS + 120_000,
)
