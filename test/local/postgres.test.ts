import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres } from '../../local/postgres/cluster.ts'
import { isRunning, processInfo } from '../../local/process-info.ts'
import { eventually, rejection, temporaryFolder } from './setup.ts'

const folder = await temporaryFolder()
let folders = 0
const freshDataDir = () => `${folder}/${folders++}`

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** A process of its own that runs Postgres on the folder, as `npm run dev` does. */
async function runElsewhere(dataDir: string): Promise<{ child: ChildProcess; postgres: RunningPostgres }> {
  const cluster = new URL('../../local/postgres/cluster.ts', import.meta.url).href
  const code = `import { startPostgres } from '${cluster}'
    console.log(JSON.stringify(await startPostgres({ dataDir: '${dataDir}', durable: false })))
    process.stdin.on('data', () => process.exit())`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  return { child, postgres: JSON.parse(String(line)) }
}

async function processesOn(dataDir: string): Promise<number[]> {
  // Elsewhere than on Linux there is no /proc; the other assertions have to do there.
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0)
  const infos = await Promise.all(pids.map(async (pid) => ({ pid, info: await processInfo(pid) })))
  return infos.flatMap(({ pid, info }) => (info?.commandLine.includes(`-D ${dataDir}/`) === true ? [pid] : []))
}

const DEBIAN_15 = '/usr/lib/postgresql/15/bin'

describe.each([
  { version: '18', binDir: undefined },
  { version: existsSync(DEBIAN_15) ? '15' : `15 (skipped: no ${DEBIAN_15})`, binDir: DEBIAN_15 },
])('Postgres $version', ({ version, binDir }) => {
  test.skipIf(version.includes('skipped'))('has the database, owner and settings that we promise', async () => {
    const dataDir = freshDataDir()
    const postgres = await startPostgres({ dataDir, durable: false, ...(binDir === undefined ? {} : { binDir }) })
    try {
      const settings = `SELECT current_user AS usr, current_database() AS db, current_setting('server_encoding') AS enc,
        current_setting('timezone') AS tz, current_setting('max_connections') AS max, usesuper,
        (SELECT datcollate FROM pg_database WHERE datname = current_database()) AS coll
        FROM pg_user WHERE usename = current_user`
      const expected = { usr: 'mec', db: 'mec', enc: 'UTF8', tz: 'UTC', max: '100', usesuper: false, coll: 'C' }
      expect(await query(postgres.url, settings)).toEqual([expected])
      const listening = `SELECT current_setting('listen_addresses') AS tcp, current_setting('unix_socket_directories') AS unix,
        current_setting('server_version_num')::int / 10000 AS major`
      expect(await query(postgres.superuserUrl, listening)).toEqual([
        { tcp: '127.0.0.1', unix: '', major: Number(version) },
      ])
      await query(postgres.url, 'CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"; CREATE ROLE worker LOGIN')
    } finally {
      await postgres.stop()
    }
  })
})

test('keeps its data and its password over a restart, and leaves no process', async () => {
  const dataDir = freshDataDir()
  const first = await startPostgres({ dataDir })
  const durability = "SELECT current_setting('fsync') f, current_setting('synchronous_commit') s"
  expect(await query(first.url, durability)).toEqual([{ f: 'on', s: 'on' }])
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n')
  await first.stop()
  await first.stop()
  expect(await processesOn(dataDir)).toEqual([])

  const second = await startPostgres({ dataDir, port: first.port })
  expect(second.url).toBe(first.url)
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
  expect(await query(second.superuserUrl, 'SELECT current_user AS u')).toEqual([{ u: 'postgres' }])
  expect((await stat(`${dataDir}/password`)).mode & 0o777).toBe(0o600)
  const started = performance.now()
  await second.stop()
  expect(performance.now() - started).toBeLessThan(3_000)
})

test('a wrong password is refused', async () => {
  const postgres = await startPostgres({ dataDir: freshDataDir(), durable: false })
  const url = new URL(postgres.url)
  url.password = 'wrong'
  expect(await rejection(query(url.href, 'SELECT 1'))).toMatchObject({ code: '28P01' })
  await postgres.stop()
})

test('stop() ends sessions that are busy', async () => {
  const dataDir = freshDataDir()
  const postgres = await startPostgres({ dataDir, durable: false })
  const client = new Client({ connectionString: postgres.url })
  client.on('error', () => {})
  await client.connect()
  const busy = rejection(client.query('SELECT pg_sleep(60)'))
  const started = performance.now()
  await postgres.stop()
  expect(performance.now() - started).toBeLessThan(3_000)
  expect(await busy).toMatchObject({ code: '57P01' })
  expect(await processesOn(dataDir)).toEqual([])
})

test('a SIGKILLed run leaves its postmaster, which the next start replaces; what was committed is there', async () => {
  const dataDir = freshDataDir()
  const { child, postgres } = await runElsewhere(dataDir)
  await query(postgres.url, 'CREATE TABLE kept AS SELECT 1 AS n')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await isRunning(postgres.pid)).toBe(true)

  const next = await startPostgres({ dataDir })
  expect(await isRunning(postgres.pid)).toBe(false)
  expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }])
  await next.stop()
  expect(await processesOn(dataDir)).toEqual([])
})

test('recovers when everything was SIGKILLed, Postgres too', async () => {
  const dataDir = freshDataDir()
  const { child, postgres } = await runElsewhere(dataDir)
  await query(postgres.url, 'CREATE TABLE kept AS SELECT 1 AS n')
  child.kill('SIGKILL')
  for (const pid of await processesOn(dataDir)) process.kill(pid, 'SIGKILL')
  await eventually(async () => !(await isRunning(postgres.pid)))

  const next = await startPostgres({ dataDir })
  expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }])
  expect(await readFile(`${dataDir}/postgres.log`, 'utf8')).toContain('automatic recovery in progress')
  await next.stop()
})

test('waits for the backends of a SIGKILLed postmaster before it starts anew', async () => {
  const dataDir = freshDataDir()
  const { child, postgres } = await runElsewhere(dataDir)
  const client = new Client({ connectionString: postgres.url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const backend = rows[0]?.pid ?? 0
  // Busy enough not to look up when its postmaster dies.
  const busy = Promise.allSettled([
    client.query('SELECT count(*) FROM generate_series(1, 8000000) AS n WHERE sqrt(n) > 1'),
  ])
  child.kill('SIGKILL')
  process.kill(postgres.pid, 'SIGKILL')
  await eventually(async () => !(await isRunning(postgres.pid)))
  const next = await startPostgres({ dataDir })
  expect(await isRunning(backend)).toBe(false)
  await busy
  expect(await readFile(`${dataDir}/postgres.log`, 'utf8')).toContain('automatic recovery in progress')
  await next.stop()
})

test("takes a lock file for stale whose pid is another program's by now, and leaves that program alone", async () => {
  const dataDir = freshDataDir()
  await (await startPostgres({ dataDir, durable: false })).stop()
  const { uid, gid } = await stat(`${dataDir}/cluster`)
  const other = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' })
  await once(other, 'spawn')
  const lock = [
    other.pid,
    `${dataDir}/cluster`,
    '1700000000',
    '5432',
    '',
    '127.0.0.1',
    '  1234567    123456',
    'ready   ',
  ]
  await writeFile(`${dataDir}/cluster/postmaster.pid`, `${lock.join('\n')}\n`)
  await chown(`${dataDir}/cluster/postmaster.pid`, uid, gid)
  const next = await startPostgres({ dataDir, durable: false })
  expect(await query(next.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  expect(other.exitCode).toBe(null)
  await next.stop()
  other.kill()
})

test('a process that ends without stopping takes Postgres along', async () => {
  const { child, postgres } = await runElsewhere(freshDataDir())
  child.stdin?.write('exit')
  await once(child, 'exit')
  await eventually(async () => !(await isRunning(postgres.pid)))
})

test('refuses a folder that another live run uses, and leaves that run alone', async () => {
  const dataDir = freshDataDir()
  const { child, postgres } = await runElsewhere(dataDir)
  expect(String(await rejection(startPostgres({ dataDir })))).toContain(`process ${child.pid} runs Postgres`)
  expect(await query(postgres.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await startPostgres({ dataDir })).stop()
})

test('a taken port fails with what Postgres says of it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : undefined
  if (port === undefined) throw new Error('no port')
  const dataDir = freshDataDir()
  const error = await rejection(startPostgres({ dataDir, port, durable: false }))
  expect(String(error)).toContain('Address already in use')
  taken.close()
  expect(await processesOn(dataDir)).toEqual([])
})

test.runIf(process.getuid?.() === 0)('names the folder that Postgres may not enter', async () => {
  const closed = `${folder}/closed`
  await mkdir(closed)
  await chmod(closed, 0o700)
  expect(String(await rejection(startPostgres({ dataDir: `${closed}/data` })))).toContain(`may not enter ${closed} `)
})
