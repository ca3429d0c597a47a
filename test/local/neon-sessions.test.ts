import { neon, neonConfig } from '@neondatabase/serverless'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { eventually, rejection, startDatabase } from './setup.ts'

const MAX_CONNECTIONS = 5
const { postgres, proxy } = await startDatabase({ maxConnections: MAX_CONNECTIONS, acquireTimeoutMs: 500 })
neonConfig.fetchEndpoint = proxy.url
const sql = neon(postgres.url)

const pid = async () => (await sql`SELECT pg_backend_pid() AS pid`)[0]?.['pid']

async function connections(): Promise<number> {
  const client = new Client({ connectionString: postgres.superuserUrl })
  await client.connect()
  const { rows } = await client.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'mec' AND backend_type = 'client backend'",
  )
  await client.end()
  return rows[0]?.n ?? 0
}

describe('no state of a session reaches the next request', () => {
  test('sequential requests do share one connection, else the rest of this suite proves nothing', async () => {
    expect(await pid()).toBe(await pid())
  })

  test.each([
    ['SET', `SET work_mem = '7MB'`, `SELECT current_setting('work_mem') = '7MB' AS leaked`],
    ['set_config', `SELECT set_config('mec.x', 'y', false)`, `SELECT current_setting('mec.x', true) = 'y' AS leaked`],
    ['a temporary table', 'CREATE TEMP TABLE tmp (n int)', `SELECT to_regclass('tmp') IS NOT NULL AS leaked`],
    [
      'an advisory lock',
      'SELECT pg_advisory_lock(7)',
      `SELECT count(*) > 0 AS leaked FROM pg_locks WHERE locktype = 'advisory'`,
    ],
    [
      'a prepared statement',
      'PREPARE p AS SELECT 1',
      'SELECT count(*) > 0 AS leaked FROM pg_prepared_statements WHERE from_sql',
    ],
    ['LISTEN', 'LISTEN news', 'SELECT count(*) > 0 AS leaked FROM pg_listening_channels()'],
    [
      'a held cursor',
      'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
      `SELECT count(*) > 0 AS leaked FROM pg_cursors WHERE name = 'c'`,
    ],
    ['a role', 'SET ROLE pg_monitor', `SELECT current_user <> 'mec' AS leaked`],
  ])('%s', async (_, leave, look) => {
    const admin = new Client({ connectionString: postgres.superuserUrl })
    await admin.connect()
    await admin.query('GRANT pg_monitor TO mec')
    await admin.end()
    const before = await pid()
    await sql.query(leave)
    const [[row], after] = await Promise.all([sql.query(look), before])
    expect(row).not.toMatchObject({ leaked: true })
    expect(await pid()).toBe(after)
  })

  test('the sequence cache', async () => {
    await sql`CREATE SEQUENCE seq`
    await sql`SELECT nextval('seq')`
    expect(await rejection(sql`SELECT currval('seq')`)).toMatchObject({ code: '55000' })
  })

  test('an open transaction is rolled back', async () => {
    await sql`CREATE TABLE open_ended (n int)`
    await sql`BEGIN ISOLATION LEVEL SERIALIZABLE`
    expect(await sql`SHOW transaction_isolation`).toEqual([{ transaction_isolation: 'read committed' }])
    await rejection(sql.transaction([sql`INSERT INTO open_ended VALUES (1)`, sql`ROLLBACK AND CHAIN`, sql`SELECT 1/0`]))
    expect(await sql`SELECT * FROM open_ended`).toEqual([])
  })

  test('and yet the plans of its functions are kept', async () => {
    // An immutable function is folded when its caller is planned, so the sequence counts plannings.
    await sql`CREATE SEQUENCE plannings`
    await sql`CREATE FUNCTION planned() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
      BEGIN PERFORM nextval('plannings'); RETURN 1; END $$`
    await sql`CREATE FUNCTION caller() RETURNS int LANGUAGE plpgsql AS $$
      DECLARE x int; BEGIN SELECT planned() INTO x FROM pg_class LIMIT 1; RETURN x; END $$`
    for (let call = 0; call < 4; call++) await sql`SELECT caller()`
    expect(await sql`SELECT last_value::int AS n FROM plannings`).toEqual([{ n: 1 }])
  })
})

describe('the pool', () => {
  test('never opens more connections than it may; requests wait for their turn', async () => {
    const all = Promise.all(Array.from({ length: 30 }, () => sql`SELECT pg_sleep(0.05)::text`))
    await eventually(async () => (await connections()) === MAX_CONNECTIONS)
    await all
    expect(await connections()).toBe(MAX_CONNECTIONS)
  })

  test('gives up waiting in time, with 500', async () => {
    const queries = Array.from({ length: MAX_CONNECTIONS + 1 }, () => sql`SELECT pg_sleep(1)::text`)
    const outcomes = await Promise.allSettled(queries)
    const [late, ...others] = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [String(outcome.reason)] : [],
    )
    expect(others).toEqual([])
    expect(late).toContain('HTTP status 500')
    expect(late).toContain('no connection became free within 500 ms')
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }])
  })

  test('makes room for another database', async () => {
    await Promise.all(Array.from({ length: MAX_CONNECTIONS }, () => sql`SELECT pg_sleep(0.02)::text`))
    await sql`CREATE DATABASE other`
    const url = new URL(postgres.url)
    url.pathname = '/other'
    expect(await neon(url.href)`SELECT current_database() AS db`).toEqual([{ db: 'other' }])
    expect(await sql`SELECT current_database() AS db`).toEqual([{ db: 'mec' }])
    await eventually(async () => (await connections()) <= MAX_CONNECTIONS)
  })

  test('does not hand a connection to another password', async () => {
    await sql`SELECT 1`
    const url = new URL(postgres.url)
    url.password = 'wrong'
    expect(await rejection(neon(url.href)`SELECT 1`)).toMatchObject({ code: '28P01' })
  })
})

test('a client that goes away does not stop its query, and the connection comes back clean', async () => {
  await sql`CREATE TABLE survived (n int)`
  const controller = new AbortController()
  const impatient = neon(postgres.url, { fetchOptions: { signal: controller.signal } })
  const aborted = rejection(
    impatient`WITH waited AS MATERIALIZED (SELECT set_config('work_mem', '7MB', false), pg_sleep(0.3))
      INSERT INTO survived SELECT 1 FROM waited`,
  )
  const running = async () =>
    (await sql`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'WITH waited%' AND state = 'active'`).length === 1
  await eventually(running)
  controller.abort()
  await aborted
  expect(await running()).toBe(true)
  await eventually(async () => (await sql`SELECT n FROM survived`).length === 1)
  const settings = await Promise.all(Array.from({ length: MAX_CONNECTIONS }, () => sql`SHOW work_mem`))
  expect(settings.flat()).toEqual(Array.from({ length: MAX_CONNECTIONS }, () => ({ work_mem: '4MB' })))
})
