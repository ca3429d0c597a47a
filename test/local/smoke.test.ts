import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import pg from 'pg'
import { expect, test } from 'vitest'
import { freePort } from '../../local/free-port.ts'
import { createRespClient } from '../../local/upstash/resp-client.ts'
import { type Ran, runScript, startDev, temporaryDataDir } from '../support/dev.ts'

const BUDGET_MS = 180_000

function smoke(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  return runScript('ops/smoke.ts', '', args, { MEC_KEY: '', ...env })
}

const failed = (step: string) => ({ exitCode: 1, stderr: expect.stringMatching(new RegExp(`^FAILED  ${step}: `)) })

test(
  'passes where all works and cleans up; where something does not it fails, naming the step',
  async () => {
    const dataDir = await temporaryDataDir()
    const dev = await startDev({ dataDir })
    const url = ['--url', `http://127.0.0.1:${dev.port}/`]
    const run = JSON.parse(await readFile(`${dataDir}/run.json`, 'utf8'))
    const database = new pg.Client({ connectionString: run.stores.databaseUrl })
    await database.connect()
    const rows = async (text: string) => (await database.query(text)).rows
    const redis = createRespClient({ port: run.stores.redisPort, timeoutMs: 2000 })
    try {
      for (const [args, env] of [
        [['--key', 'mec_sk_dev', '--redis'], {}],
        [[], { MEC_KEY: 'mec_sk_dev' }],
      ] as const) {
        const ran = await smoke([...url, ...args], env)
        expect(ran).toMatchObject({ exitCode: 0, stderr: '' })
        const steps = ran.stdout.split('\n').filter((line) => /^ok \d+ {2}\S.*\(\d+ ms; .*dur=[\d.]+.*\)$/.test(line))
        expect(steps).toHaveLength(15)
        expect(ran.stdout).toMatch(/checks were answered from .*redis/)
        expect(ran.stdout.trimEnd()).toMatch(/works: 15 steps$/)
        expect(ran.stdout).not.toContain('mec_sk_dev')
      }
      const left = `from accounts a where a.external_id like 'smoke-%'`
      const sums = `select count(*)::int as entries, sum(l.quantity)::float as total, max(l.quantity)::float as most
        from consumption_ledger l where l.account_id in (select a.account_id ${left}) group by l.account_id`
      const cleaned = { entries: 4, total: 0, most: 2 }
      expect(await rows(sums)).toEqual([cleaned, cleaned])
      const inForce = `select (select count(*)::int from entitlements e where e.revoked_at is null and e.account_id in (select a.account_id ${left})) as entitlements,
        (select count(*)::int from control_rules r where r.account_id in (select a.account_id ${left})) as rules,
        (select count(*)::int from concurrency_leases l where l.ended_at is null) as leases,
        (select count(*)::int from reservations r where r.ended_at is null) as holds`
      const nothing = [{ entitlements: 0, rules: 0, leases: 0, holds: 0 }]
      expect(await rows(inForce)).toEqual(nothing)

      expect(await smoke([...url, '--key', 'mec_sk_wrong'])).toMatchObject(failed("the key: an admin's"))
      const scoped = await fetch(`http://127.0.0.1:${dev.port}/v1/keys`, {
        method: 'POST',
        headers: { authorization: 'Bearer mec_sk_dev', 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'scoped', scopes: ['check', 'meter', 'lease', 'read'] }),
      })
      const { secret } = JSON.parse(await scoped.text())
      const unprivileged = await smoke([...url, '--key', secret])
      expect(unprivileged).toMatchObject(failed("the key: an admin's"))
      expect(unprivileged.stderr).toContain('403 instead of 200')
      expect(unprivileged.stderr).toContain('It must be an admin key.')

      // Redis is there and does not answer: the service goes on, and only who asks for it is told.
      // The embedded one cannot be paused.
      if (!dev.stdout().includes('js-redis-server')) {
        await redis.send([['CLIENT', 'PAUSE', '8000', 'ALL']])
        const withoutRedis = await smoke([...url, '--key', 'mec_sk_dev', '--redis'])
        expect(withoutRedis).toMatchObject(failed('check: from the caches'))
        expect(await rows(inForce)).toEqual(nothing)
      }

      // A deployment of which a part is missing.
      await database.query('ALTER FUNCTION api_lease_acquire RENAME TO api_lease_acquire_hidden')
      const withoutLeases = await smoke([...url, '--key', 'mec_sk_dev'])
      expect(withoutLeases).toMatchObject(failed('a seat: taken, denied to another, kept, given back'))
      expect(withoutLeases.stderr).toContain('POST /v1/leases: 500 instead of 201')
      expect(await rows(inForce)).toEqual(nothing)
      await database.query('ALTER FUNCTION api_ready RENAME TO api_ready_hidden')
      expect(await smoke([...url, '--key', 'mec_sk_dev'])).toMatchObject(failed('readyz: it can serve'))
    } finally {
      redis.end()
      await database.end()
    }
    expect(await dev.end('SIGINT')).toMatchObject({ exitCode: 0 })
    expect(await smoke([...url, '--key', 'mec_sk_dev'])).toMatchObject(failed('healthz: it lives'))
  },
  BUDGET_MS,
)

test.each([
  [[], '--url is missing'],
  [['--url', 'http://127.0.0.1:1'], '--key is missing'],
  [['--url', 'mec.example', '--key', 'k'], '--url mec.example: must be an http(s) URL'],
  [['--url', 'ftp://mec.example', '--key', 'k'], 'must be an http(s) URL'],
  [['--nope'], "Unknown option '--nope'"],
])('smoke %s: %s', async (args, message) => {
  expect(await smoke(args)).toEqual({ exitCode: 1, stdout: '', stderr: expect.stringContaining(message) })
})

test('a page that is no MEC is told from one', async () => {
  const port = await freePort()
  const server = createServer((_, response) => void response.end('hello'))
  server.listen(port, '127.0.0.1')
  try {
    const ran = await smoke(['--url', `http://127.0.0.1:${port}`, '--key', 'geheim'])
    expect(ran).toMatchObject(failed('healthz: it lives'))
    expect(ran.stderr).toContain('hello')
    expect(ran.stderr).not.toContain('geheim')
  } finally {
    server.close()
  }
})
