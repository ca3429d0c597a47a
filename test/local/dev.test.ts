import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { sign } from 'hono/jwt'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { launchDev, paste, runScript, startDev, stillRunning, temporaryDataDir } from '../support/dev.ts'
import { buildIsolate } from '../support/isolate.ts'

const BUDGET_MS = 120_000
const asRoot = process.getuid?.() === 0 ? test : test.skip

async function ledgerCount(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ count: string }>('select count(*) from consumption_ledger')
    return Number(rows[0]?.count)
  } finally {
    await client.end()
  }
}

function token(secret: string): Promise<string> {
  return sign({ ns: 'default', scope: 'check', exp: Math.floor(Date.now() / 1000) + 60 }, secret, 'HS256')
}

async function check(port: number, key: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/check`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"account_id":"demo","resource":"benchmark_runs"}',
  })
  await response.text()
  return response.status
}

/** As the sources make it, before a bundler has left anything out. */
async function unbundledDocument(): Promise<unknown> {
  const nowhere = 'http://127.0.0.1:9'
  const isolate = buildIsolate({
    workerUrl: 'postgres://nobody:nothing@127.0.0.1:9/none',
    neonEndpoint: nowhere,
    upstashUrl: nowhere,
    upstashToken: 'none',
    jwtSecret: 'none',
    keyPepper: 'none',
    devKey: 'none',
  })
  return (await isolate.fetch('GET', '/openapi.json', undefined, {})).json()
}

test(
  'a life: start, three requests as pasted, look at the database, reset, stop, start again',
  async () => {
    const dataDir = await temporaryDataDir()
    expect(await runScript('local/db-url.ts', dataDir)).toMatchObject({ exitCode: 1, stdout: '' })

    const dev = await startDev({ dataDir })
    expect(dev.stdout().split('\n')[0]).toBe(`MEC ready on http://127.0.0.1:${dev.port}`)
    const [ask, use, askTooMuch] = dev.curls()
    expect(dev.curls()).toHaveLength(3)
    expect(await paste(ask ?? '')).toMatchObject({ allowed: true, outcome: 'allow' })
    expect(await paste(use ?? '')).toMatchObject({ allowed: true, duplicate: false, entry: { quantity: 1 } })
    expect(await paste(use ?? '')).toMatchObject({ duplicate: true })
    expect(await paste(askTooMuch ?? '')).toMatchObject({ allowed: false, reason: 'limit_exceeded' })

    const served = await fetch(`http://127.0.0.1:${dev.port}/openapi.json`)
    expect(await served.json()).toEqual(await unbundledDocument())
    expect(await (await fetch(`http://127.0.0.1:${dev.port}/docs`)).text()).toContain('<section id="check">')

    const url = await runScript('local/db-url.ts', dataDir)
    expect(url).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/^postgresql:\/\/mec:\S+\n$/) })
    expect(await ledgerCount(url.stdout.trim())).toBe(1)

    const second = await launchDev({ dataDir })
    expect(await second.ended()).toBe(1)
    expect(second.stderr()).toMatch(/^MEC cannot start: another MEC is running on \S+ \(process \d+\): .*\n$/)
    expect(second.stderr()).toContain(String(dev.child.pid))

    const tree = await dev.tree()
    expect(tree.length).toBeGreaterThan(5)
    const end = await dev.end('SIGINT')
    expect(end).toMatchObject({ exitCode: 0 })
    expect(end.ms).toBeLessThan(5_000)
    expect(await stillRunning(tree, 0)).toEqual([])

    const secret = 'it\'s a $HOME \\$x \\\\ # "secret" \\'
    const again = await startDev({ dataDir, env: { MEC_DEV_KEY: 'another-key', JWT_SECRET: secret } })
    const newUrl = (await runScript('local/db-url.ts', dataDir)).stdout.trim()
    expect(await ledgerCount(newUrl)).toBe(1)
    expect(await check(again.port, 'mec_sk_dev')).toBe(401)
    expect(await check(again.port, 'another-key')).toBe(200)
    expect(await check(again.port, await token(secret))).toBe(200)
    expect(await check(again.port, await token('another secret'))).toBe(401)
    expect(await paste(again.curls()[1] ?? '')).toMatchObject({ duplicate: false, entry: { quantity: 1 } })

    expect(await runScript('local/db-reset.ts', dataDir)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await ledgerCount(newUrl)).toBe(0)
    expect(await paste(again.curls()[0] ?? '')).toMatchObject({ allowed: true, used: 0 })
    expect(await again.end('SIGTERM')).toMatchObject({ exitCode: 0 })

    expect(await runScript('local/db-reset.ts', dataDir)).toMatchObject({ exitCode: 0, stderr: '' })
    await expect(readFile(`${dataDir}/postgres/cluster/PG_VERSION`)).rejects.toThrow('ENOENT')
  },
  BUDGET_MS,
)

describe('what goes wrong', () => {
  test(
    'a SIGKILL of everything but a backend that cannot notice: the next start ends it',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const connectionString = (await runScript('local/db-url.ts', dataDir)).stdout.trim()
      const client = new pg.Client({ connectionString })
      client.on('error', () => {})
      await client.connect()
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      const backend = rows[0]?.pid ?? 0
      expect(backend).toBeGreaterThan(0)
      // As good as one that waits for ever for a lock of another that was killed.
      process.kill(backend, 'SIGSTOP')
      for (const pid of await dev.tree()) if (pid !== backend) process.kill(pid, 'SIGKILL')
      await dev.ended()
      expect(await stillRunning([backend], 0)).toEqual([backend])
      const next = await startDev({ dataDir })
      expect(await stillRunning([backend], 0)).toEqual([])
      await next.end('SIGTERM')
    },
    BUDGET_MS,
  )

  test(
    'a SIGKILL of it alone: what it started ends too, and the next start works',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      await paste(dev.curls()[1] ?? '')
      const tree = await dev.tree()
      await dev.end('SIGKILL')
      const next = await startDev({ dataDir, port: dev.port })
      expect(await paste(next.curls()[0] ?? '')).toMatchObject({ allowed: true, used: 1 })
      expect(await stillRunning(tree)).toEqual([])
      await next.end('SIGTERM')
    },
    BUDGET_MS,
  )

  test(
    'a SIGKILL of it and its warden: the next start ends what is left, and works',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const tree = await dev.tree()
      const warden = tree.find((pid) => pid !== dev.child.pid)
      expect(warden).toBeDefined()
      if (warden !== undefined) process.kill(warden, 'SIGKILL')
      await dev.end('SIGKILL')
      const next = await startDev({ dataDir, port: dev.port })
      expect(await stillRunning(tree)).toEqual([])
      await next.end('SIGTERM')
    },
    BUDGET_MS,
  )

  test(
    'a child that dies: it says which, stops the rest and fails',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const tree = await dev.tree()
      const postmaster = Number.parseInt(await readFile(`${dataDir}/postgres/cluster/postmaster.pid`, 'utf8'), 10)
      process.kill(postmaster, 'SIGINT')
      expect(await dev.ended()).toBe(1)
      expect(dev.stderr()).toContain('Postgres ended unexpectedly')
      expect(await stillRunning(tree)).toEqual([])
    },
    BUDGET_MS,
  )

  test(
    'a signal in the middle of a start',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await launchDev({ dataDir })
      await expect.poll(async () => (await dev.tree()).length, { timeout: 20_000 }).toBeGreaterThan(2)
      const tree = await dev.tree()
      const end = await dev.end('SIGTERM')
      expect(end).toMatchObject({ exitCode: 0 })
      expect(end.ms).toBeLessThan(5_000)
      expect(dev.stdout() + dev.stderr()).toBe('')
      expect(await stillRunning(tree)).toEqual([])
    },
    BUDGET_MS,
  )

  test(
    'a port that is taken',
    async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      const dev = await launchDev({ dataDir: await temporaryDataDir(), port })
      expect(await dev.ended()).toBe(1)
      expect(dev.stderr()).toBe(
        `MEC cannot start: port ${port} is taken by another program: stop it, or set PORT to another one\n`,
      )
      server.close()
    },
    BUDGET_MS,
  )

  test('a setting that makes no sense', async () => {
    const dev = await launchDev({ dataDir: await temporaryDataDir(), env: { PORT: 'http' } })
    expect(await dev.ended()).toBe(1)
    expect(dev.stderr()).toBe('MEC cannot start: PORT is "http": give a number from 1 to 65535\n')
  })

  test('a folder that cannot be written to', async () => {
    const file = `${await temporaryDataDir()}/file`
    await writeFile(file, '')
    const dev = await launchDev({ dataDir: `${file}/data` })
    expect(await dev.ended()).toBe(1)
    expect(dev.stderr()).toMatch(/^MEC cannot start: the data folder \S+ cannot be written to .*MEC_DATA_DIR.*\n$/)
  })

  asRoot('as root, a folder that Postgres cannot enter', async () => {
    const closed = `${await temporaryDataDir()}/closed`
    await mkdir(closed, { mode: 0o700 })
    const dev = await launchDev({ dataDir: `${closed}/data` })
    expect(await dev.ended()).toBe(1)
    expect(dev.stderr()).toMatch(/^MEC cannot start: .*\n$/)
    expect(dev.stderr()).toContain(`may not enter ${closed} `)
  })
})

test(
  'without a Redis on the PATH it brings its own',
  async () => {
    const dataDir = await temporaryDataDir()
    await mkdir(`${dataDir}/bin`)
    // All that the start needs of the system.
    await symlink('/usr/bin/id', `${dataDir}/bin/id`)
    const dev = await startDev({ dataDir, env: { PATH: `${dataDir}/bin` } })
    expect(dev.stdout()).toContain('js-redis-server')
    expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
    expect(await dev.end('SIGINT')).toMatchObject({ exitCode: 0 })
  },
  BUDGET_MS,
)
