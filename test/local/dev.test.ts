import { once } from 'node:events'
import { chmod, mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { sign } from 'hono/jwt'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { dataFolder, prepareDataFolder } from '../../local/dev/data-folder.ts'
import { signalGroup } from '../../local/process-group.ts'
import { findServer } from '../../local/redis/server.ts'
import { type Dev, launchDev, paste, runScript, startDev, stillRunning, temporaryDataDir } from '../support/dev.ts'
import { buildIsolate } from '../support/isolate.ts'

const BUDGET_MS = 120_000
const asRoot = process.getuid?.() === 0 ? test : test.skip
const onLinux = test.skipIf(process.platform !== 'linux')
const redis = await findServer()
const withRedisServer = test.skipIf(redis === undefined)
/** More than a look of it, a start and what a busy machine adds. */
const RESTART = { timeout: 20_000, interval: 50 }

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

async function post(port: number, key: string, path: string, body: object): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ account_id: 'demo', resource: 'benchmark_runs', ...body }),
  })
  // Read in any case: an unread body keeps its connection.
  return new Response(await response.text(), { status: response.status })
}

async function check(port: number, key: string): Promise<number> {
  return (await post(port, key, '/v1/check', {})).status
}

/** Where the answer of a check comes from. */
async function source(port: number, key = 'mec_sk_dev'): Promise<unknown> {
  return JSON.parse(await (await post(port, key, '/v1/check', {})).text()).source
}

const postmaster = async (dataDir: string) =>
  Number.parseInt(await readFile(`${dataDir}/postgres/cluster/postmaster.pid`, 'utf8'), 10)
const redisServer = async (dataDir: string) => {
  const [pid = 0, port = 0] = (await readFile(`${dataDir}/redis/redis.pid`, 'utf8')).split(' ').map(Number)
  return { pid, port }
}
const runState = async (dataDir: string) => JSON.parse(await readFile(`${dataDir}/run.json`, 'utf8'))

/** How often it has said that something is started again. */
const restarts = (dev: Dev, name: string) =>
  dev.stderr().split(`${name} ended unexpectedly: it is started again\n`).length - 1

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
    const env = { MEC_DEV_KEY: 'another-key', JWT_SECRET: secret, JWT_SECRET_PREVIOUS: "the one's before" }
    const again = await startDev({ dataDir, env })
    const newUrl = (await runScript('local/db-url.ts', dataDir)).stdout.trim()
    expect(await ledgerCount(newUrl)).toBe(1)
    expect(await check(again.port, 'mec_sk_dev')).toBe(401)
    expect(await check(again.port, 'another-key')).toBe(200)
    expect(await check(again.port, await token(secret))).toBe(200)
    expect(await check(again.port, await token("the one's before"))).toBe(200)
    expect(await check(again.port, await token('another secret'))).toBe(401)
    expect(await paste(again.curls()[1] ?? '')).toMatchObject({ duplicate: false, entry: { quantity: 1 } })

    // The namespace has a version that its new beginning will not have.
    const rule = { account_id: null, limit_kind: 'cumulative', action: 'block' }
    expect((await post(again.port, 'another-key', '/v1/rules', rule)).status).toBe(201)
    expect(await runScript('local/db-reset.ts', dataDir)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await ledgerCount(newUrl)).toBe(0)
    expect(await paste(again.curls()[0] ?? '')).toMatchObject({ allowed: true, used: 0 })
    await expect.poll(() => source(again.port, 'another-key'), RESTART).not.toBe('postgres')
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

  withRedisServer(
    'Redis killed: one line, no request fails, and a new one is there; killed for ever: it gives up',
    async () => {
      const name = redis?.name ?? ''
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const first = await redisServer(dataDir)
      expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
      process.kill(first.pid, 'SIGKILL')
      const used = async () => {
        const idempotency_key = `after-${performance.now()}`
        expect((await post(dev.port, 'mec_sk_dev', '/v1/consume', { quantity: 1, idempotency_key })).status).toBe(201)
        expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
        return (await redisServer(dataDir)).pid
      }
      await expect.poll(used, RESTART).not.toBe(first.pid)
      expect(await redisServer(dataDir)).toMatchObject({ port: first.port })
      // Longer than an isolate's memory answers.
      await expect.poll(() => source(dev.port), { ...RESTART, interval: 1_100 }).toBe('redis')
      expect(dev.stderr()).toBe(`${name} ended unexpectedly: it is started again\n`)

      for (let times = 2; times <= 5; times++) {
        const { pid } = await redisServer(dataDir)
        process.kill(pid, 'SIGKILL')
        await expect.poll(async () => (await redisServer(dataDir)).pid, RESTART).not.toBe(pid)
        expect(restarts(dev, name)).toBe(times)
      }
      const tree = await dev.tree()
      process.kill((await redisServer(dataDir)).pid, 'SIGKILL')
      expect(await dev.ended()).toBe(1)
      expect(dev.stderr()).toContain(
        `MEC stops: ${name} ended unexpectedly, after 5 restarts within a minute, so the rest was stopped\n`,
      )
      expect(await stillRunning(tree)).toEqual([])
    },
    BUDGET_MS,
  )

  test(
    'Postgres killed: checks are answered meanwhile, and it is there again with all that it had',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const first = await postmaster(dataDir)
      const consume = (idempotency_key: string) =>
        post(dev.port, 'mec_sk_dev', '/v1/consume', { quantity: 1, idempotency_key })
      expect((await consume('before')).status).toBe(201)
      expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
      await expect.poll(() => source(dev.port), RESTART).not.toBe('postgres')
      const url = (await runScript('local/db-url.ts', dataDir)).stdout
      process.kill(first, 'SIGKILL')
      const retried = async () => {
        expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
        const { status } = await consume('after')
        expect([200, 201, 503]).toContain(status)
        return status === 503 ? first : postmaster(dataDir)
      }
      await expect.poll(retried, RESTART).not.toBe(first)
      expect(await (await consume('before')).json()).toMatchObject({ duplicate: true })
      expect((await runScript('local/db-url.ts', dataDir)).stdout).toBe(url)
      expect(await ledgerCount(url.trim())).toBe(2)
      expect(restarts(dev, 'Postgres')).toBe(1)

      // The warden knows it, too.
      const tree = await dev.tree()
      expect(tree).toContain(await postmaster(dataDir))
      await dev.end('SIGKILL')
      expect(await stillRunning(tree)).toEqual([])
    },
    BUDGET_MS,
  )

  test.each([
    ['SIGKILL', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const)(
    'Postgres ended by %s, and %s while it is started again',
    async (ending, stopping) => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const { databaseUrl, redisPort } = (await runState(dataDir)).stores
      const tree = await dev.tree()
      if (redis !== undefined) process.kill((await redisServer(dataDir)).pid, 'SIGKILL')
      process.kill(await postmaster(dataDir), ending)
      await expect.poll(() => restarts(dev, 'Postgres'), { ...RESTART, interval: 1 }).toBe(1)
      const end = await dev.end(stopping)
      expect(end).toMatchObject({ exitCode: 0 })
      expect(end.ms).toBeLessThan(5_000)
      expect(await stillRunning(tree)).toEqual([])
      for (const port of [Number(new URL(databaseUrl).port), redisPort]) {
        await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED')
      }
      await expect(readFile(`${dataDir}/run.json`)).rejects.toThrow('ENOENT')
    },
    BUDGET_MS,
  )

  test(
    'Postgres whose data are gone: no empty one takes their place',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const tree = await dev.tree()
      const pid = await postmaster(dataDir)
      await rename(`${dataDir}/postgres/cluster`, `${dataDir}/postgres/aside`)
      process.kill(pid, 'SIGKILL')
      expect(await dev.ended()).toBe(1)
      expect(dev.stderr()).toMatch(/^Postgres could not be started again: ENOENT.*PG_VERSION/m)
      expect(dev.stderr()).toMatch(/^MEC stops: Postgres ended unexpectedly, after 5 restarts within a minute, so/m)
      expect(await stillRunning(tree)).toEqual([])
      await expect(readFile(`${dataDir}/postgres/cluster/PG_VERSION`)).rejects.toThrow('ENOENT')
    },
    BUDGET_MS,
  )

  test(
    'a Worker that dies: it says so, stops the rest and fails',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir })
      const tree = await dev.tree()
      process.kill((await runState(dataDir)).workerGroup, 'SIGKILL')
      expect(await dev.ended()).toBe(1)
      expect(dev.stderr()).toMatch(
        /^MEC stops: the Worker \(\S+worker\.log\) ended unexpectedly, so the rest was stopped$/m,
      )
      expect(await stillRunning(tree)).toEqual([])
    },
    BUDGET_MS,
  )

  onLinux(
    'a terminal that closes stops it, in order',
    async () => {
      const dataDir = await temporaryDataDir()
      const command = ['script', '-qc', `exec ${process.execPath} local/dev.ts`, '/dev/null'] as const
      const dev = await startDev({ dataDir, command: [...command] })
      const tree = await dev.tree()
      dev.child.kill('SIGKILL')
      expect(await stillRunning(tree)).toEqual([])
      // Its last step; killed, it would have left that to the next start.
      await expect(readFile(`${dataDir}/run.json`)).rejects.toThrow('ENOENT')
    },
    BUDGET_MS,
  )

  test(
    'under nohup it outlives its terminal, and npm',
    async () => {
      const dataDir = await temporaryDataDir()
      const dev = await startDev({ dataDir, command: ['nohup', 'npm', 'run', 'dev'] })
      const tree = await dev.tree()
      const { pid } = await runState(dataDir)
      onTestFinished(async () => {
        if ((await stillRunning([pid], 0)).length > 0) process.kill(pid, 'SIGKILL')
      })
      signalGroup(dev.child.pid ?? 0, 'SIGHUP')
      expect(await stillRunning([dev.child.pid ?? 0])).toEqual([])
      const npmGoneAt = performance.now()
      // Twice as long as it takes to see that npm is gone.
      const answers = async () => {
        expect(await check(dev.port, 'mec_sk_dev')).toBe(200)
        return performance.now() - npmGoneAt
      }
      await expect.poll(answers, RESTART).toBeGreaterThan(1_000)
      process.kill(pid, 'SIGTERM')
      expect(await stillRunning(tree)).toEqual([])
      await expect(readFile(`${dataDir}/run.json`)).rejects.toThrow('ENOENT')
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

  async function cannotWrite(dataDir: string): Promise<void> {
    const dev = await launchDev({ dataDir })
    expect(await dev.ended()).toBe(1)
    expect(dev.stderr()).toMatch(/^MEC cannot start: the data folder \S+ cannot be written to .*MEC_DATA_DIR.*\n$/)
  }

  test.each(['', '/data', '/data/deeper'])('a folder that cannot be written to: a file%s', async (below) => {
    const file = `${await temporaryDataDir()}/file`
    await writeFile(file, '')
    await cannotWrite(`${file}${below}`)
  })

  onLinux.each(['/proc/x', '/proc/x/y', '/proc'])('a folder that cannot be written to: %s', cannotWrite)

  test('a folder whose parents are missing is made, open to whom Postgres runs as whatever the umask is', async () => {
    const above = `${await temporaryDataDir()}/a`
    const umask = process.umask(0o077)
    try {
      await prepareDataFolder(dataFolder(`${above}/b`))
    } finally {
      process.umask(umask)
    }
    for (const [folder, mode] of [
      [above, 0o755],
      [`${above}/b`, 0o755],
      [`${above}/b/secrets`, 0o700],
    ] as const) {
      expect((await stat(folder)).mode & 0o777, folder).toBe(mode)
    }
    await chmod(above, 0o700)
    await prepareDataFolder(dataFolder(`${above}/b`))
    expect((await stat(above)).mode & 0o777).toBe(0o700)
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
