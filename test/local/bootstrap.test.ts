import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrate } from '../../database/migrate.ts'
import { type Ran, runScript, startDev, temporaryDataDir } from '../support/dev.ts'
import { startDatabase } from './setup.ts'

const BUDGET_MS = 120_000
const { postgres } = await startDatabase()

type Settings = { DATABASE_URL: string; KEY_PEPPER: string }

function bootstrap(args: string, settings: Partial<Settings>): Promise<Ran> {
  const env = { DATABASE_URL: '', KEY_PEPPER: '', ...settings }
  return runScript('ops/bootstrap.ts', '', args === '' ? [] : args.split(' '), env)
}

const refused = (message: string | RegExp) => ({
  exitCode: 1,
  stdout: '',
  stderr: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
})

test(
  'the first key of a namespace works at the service, is made once, and again only with --force',
  async () => {
    const dataDir = await temporaryDataDir()
    const dev = await startDev({ dataDir })
    const settings = {
      DATABASE_URL: (await runScript('local/db-url.ts', dataDir)).stdout.trim(),
      KEY_PEPPER: await readFile(`${dataDir}/secrets/key-pepper`, 'utf8'),
    }
    async function call(key: string, method: string, path: string, body?: object) {
      const response = await fetch(`http://127.0.0.1:${dev.port}${path}`, {
        method,
        headers: { authorization: `Bearer ${key.trim()}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: JSON.parse(await response.text()) }
    }

    const made = await bootstrap('--namespace acme --sandbox --raw-uuids', settings)
    expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^mec_sk_acme_\w{32}_[0-9a-f]{16}\n$/) })
    expect(made.stderr).toContain('The namespace acme (a sandbox, with raw UUIDs) was made.')
    expect(made.stderr).not.toContain(made.stdout.trim())
    const grant = { account_id: 'a', resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 3 }
    expect(await call(made.stdout, 'POST', '/v1/entitlements', grant)).toMatchObject({ status: 201 })
    const clock = { advance_seconds: 60 }
    expect(await call(made.stdout, 'POST', '/v1/test_clock', clock)).toMatchObject({ status: 200 })
    expect(await call(made.stdout, 'GET', '/v1/namespaces')).toMatchObject({
      body: { error: { code: 'operator_only' } },
    })

    expect(await bootstrap('--namespace acme', settings)).toEqual(refused('has admin keys (mec_sk_acme_'))
    const forced = await bootstrap('--namespace acme --force', settings)
    expect(forced).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('was there') })
    for (const { stdout } of [made, forced]) {
      const { body } = await call(stdout, 'GET', '/v1/keys')
      expect(body.data).toHaveLength(2)
      expect(body.data[0]).toMatchObject({ name: 'admin', scopes: ['admin'], expires_at: null, revoked_at: null })
    }
    const trail = (await call(made.stdout, 'GET', '/v1/audit?object_type=key')).body.data
    expect(trail.map(({ actor, action }: { actor: string; action: string }) => [actor, action])).toEqual([
      ['role:mec', 'create'],
      ['role:mec', 'create'],
    ])

    // A namespace stays what it is.
    const plain = await bootstrap('--namespace plain', settings)
    expect(plain.stderr).toContain('(no sandbox, without raw UUIDs)')
    expect(await call(plain.stdout, 'POST', '/v1/test_clock', clock)).toMatchObject({ status: 403 })
    expect(await bootstrap('--namespace plain --sandbox --force', settings)).toEqual(refused('is no sandbox'))
    expect(await bootstrap('--namespace plain --raw-uuids --force', settings)).toEqual(refused('without raw UUIDs'))
    expect((await call(plain.stdout, 'GET', '/v1/keys')).body.data).toHaveLength(1)

    // One whose keys are all revoked can be entered again.
    const [{ key_id: keyId }] = (await call(plain.stdout, 'GET', '/v1/keys')).body.data
    expect(await call(plain.stdout, 'DELETE', `/v1/keys/${keyId}`)).toMatchObject({ status: 200 })
    expect(await call(plain.stdout, 'GET', '/v1/keys')).toMatchObject({ status: 401 })
    const again = await bootstrap('--namespace plain', settings)
    expect(await call(again.stdout, 'GET', '/v1/keys')).toMatchObject({ status: 200 })

    // Of the operator's namespace, which is seeded: the development key is an admin of it.
    expect(await bootstrap('--namespace default', settings)).toEqual(refused('has admin keys (MEC_DEV_KEY'))
    const operator = await bootstrap('--namespace default --force --sandbox', settings)
    expect(await call(operator.stdout, 'GET', '/v1/namespaces')).toMatchObject({ status: 200 })

    const foreign = await bootstrap('--namespace foreign', { ...settings, KEY_PEPPER: 'another' })
    expect(await call(foreign.stdout, 'GET', '/v1/keys')).toMatchObject({ status: 401 })

    // Seeded, and without any key.
    const both = await Promise.all([1, 2].map(() => bootstrap('--namespace metrum-insights', settings)))
    expect(both.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 1])

    const worker = new URL(settings.DATABASE_URL)
    worker.username = 'mec_worker'
    worker.password = await readFile(`${dataDir}/secrets/worker-password`, 'utf8')
    const asWorker = await bootstrap('--namespace other', { ...settings, DATABASE_URL: worker.href })
    expect(asWorker).toEqual(refused("DATABASE_URL: must be the owner's"))
  },
  BUDGET_MS,
)

test('a database that was not migrated is named as that, and a migrated one is not', async () => {
  const settings = { DATABASE_URL: postgres.url, KEY_PEPPER: 'pepper' }
  expect(await bootstrap('--namespace acme', settings)).toEqual(refused('npm run db:migrate'))
  await migrate({ connectionString: postgres.url })
  expect(await bootstrap('--namespace acme', settings)).toMatchObject({ exitCode: 0 })
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select encode(key_hash, 'hex') as hash, key_prefix from api_keys where namespace_id = 'acme'`,
    )
    expect(rows).toEqual([
      { hash: expect.stringMatching(/^[0-9a-f]{64}$/), key_prefix: expect.stringMatching(/^.{16}$/) },
    ])
  } finally {
    await client.end()
  }
}, 60_000)

test.each<[string, Partial<Settings>, string | RegExp]>([
  ['', {}, '--namespace is missing'],
  ['--namespace', {}, /--namespace/],
  ['--nope', {}, "Unknown option '--nope'"],
  ['--namespace acme', {}, 'DATABASE_URL is missing'],
  ['--namespace acme', { DATABASE_URL: postgres.url }, 'KEY_PEPPER is missing'],
  ['--namespace Acme', { DATABASE_URL: postgres.url, KEY_PEPPER: 'p' }, '--namespace Acme: must be 1 to 63'],
  [
    '--namespace a',
    { DATABASE_URL: 'postgres://u:geheim@127.0.0.1:1/d', KEY_PEPPER: 'p' },
    'DATABASE_URL: no connection',
  ],
  ['--namespace a', { DATABASE_URL: 'nonsense', KEY_PEPPER: 'p' }, 'DATABASE_URL: no connection'],
])('bootstrap %s with %o: %s', async (args, settings, message) => {
  const ran = await bootstrap(args, settings)
  expect(ran).toEqual(refused(message))
  expect(ran.stderr).not.toContain('geheim')
  expect(ran.stderr).not.toMatch(/^ +at /m)
})

test('--help explains itself', async () => {
  expect(await bootstrap('--help', {})).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('--raw-uuids') })
})
