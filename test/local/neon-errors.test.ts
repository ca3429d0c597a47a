import { neon, neonConfig } from '@neondatabase/serverless'
import { beforeAll, describe, expect, test } from 'vitest'
import { startNeonProxy } from '../../local/neon/proxy.ts'
import { startPostgres } from '../../local/postgres/cluster.ts'
import { rejection, startDatabase, temporaryFolder } from './setup.ts'

const folder = await temporaryFolder()
const { postgres, proxy } = await startDatabase()
neonConfig.fetchEndpoint = proxy.url
const sql = neon(postgres.url)
const MiB = 1024 * 1024

beforeAll(async () => {
  await sql`CREATE DOMAIN positive AS int CONSTRAINT above_zero CHECK (value > 0)`
  await sql`CREATE TABLE strict (id int PRIMARY KEY, n int NOT NULL CONSTRAINT small CHECK (n < 10))`
  await sql`CREATE FUNCTION inner_error() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT missing FROM strict); END $$`
  await sql`CREATE FUNCTION told() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = 'MC001', HINT = 'ask tomorrow', DETAIL = '{"a":1}'; END $$`
})

describe('errors of Postgres reach the driver with all their fields', () => {
  test.each([
    ['SELEC 1', { code: '42601', position: '1', severity: 'ERROR', routine: 'scanner_yyerror', file: 'scan.l' }],
    ['INSERT INTO strict VALUES (1, 99)', { code: '23514', schema: 'public', table: 'strict', constraint: 'small' }],
    ['INSERT INTO strict VALUES (1, NULL)', { code: '23502', column: 'n', detail: 'Failing row contains (1, null).' }],
    ['SELECT (-1)::positive', { code: '23514', dataType: 'positive', constraint: 'above_zero' }],
    ['SELECT told()', { code: 'MC001', message: 'not today', hint: 'ask tomorrow', detail: '{"a":1}' }],
    [
      'SELECT inner_error()',
      {
        code: '42703',
        internalQuery: '(SELECT missing FROM strict)',
        internalPosition: '9',
        where: 'PL/pgSQL function inner_error() line 1 at RETURN',
      },
    ],
    ['SELECT 1; SELECT 2', { code: '42601', message: 'cannot insert multiple commands into a prepared statement' }],
    ['COPY strict FROM STDIN', { code: '57014' }],
  ])('%s', async (statement, fields) => {
    expect(await rejection(sql.query(statement))).toMatchObject({ name: 'NeonDbError', ...fields })
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }])
  })

  test('a field that Postgres does not give is null on the wire', async () => {
    const headers = { 'neon-connection-string': postgres.url }
    const response = await fetch(proxy.url, { method: 'POST', headers, body: '{"query":"SELECT 1/0"}' })
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({
      message: 'division by zero',
      code: '22012',
      severity: 'ERROR',
      detail: null,
      hint: null,
      position: null,
      internalPosition: null,
      internalQuery: null,
      where: null,
      table: null,
      column: null,
      schema: null,
      dataType: null,
      constraint: null,
      file: 'int.c',
      line: expect.stringMatching(/^\d+$/),
      routine: 'int4div',
    })
  })

  test('COPY TO STDOUT gives no rows and leaves the connection usable', async () => {
    expect(await sql.query('COPY strict TO STDOUT', [], { fullResults: true })).toMatchObject({
      rows: [],
      command: 'COPY',
    })
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }])
  })
})

describe('limits', () => {
  test('a request over 10 MiB is 413', async () => {
    const error = await rejection(sql`SELECT length(${'x'.repeat(10 * MiB)}) AS n`)
    expect(String(error)).toContain('HTTP status 413')
    expect(String(error)).toContain('request is too large (max is 10485760 bytes)')
    const fits = 10 * MiB - 1_000
    expect(await sql`SELECT length(${'x'.repeat(fits)}) AS n`).toEqual([{ n: fits }])
  })

  test('a response over 10 MiB is 507, in one row or in many, and the database goes on', async () => {
    for (const text of [
      `SELECT repeat('x', ${10 * MiB})`,
      // Never ends by itself, and would keep its connection for good.
      `SELECT generate_series(1, 1000000000), repeat('x', 1000)`,
    ]) {
      const error = await rejection(sql.query(text))
      expect(String(error)).toContain('HTTP status 507')
      expect(String(error)).toContain('response is too large (max is 10485760 bytes)')
    }
    expect(await sql`SELECT length(repeat('x', ${10 * MiB - 1_000})) AS n`).toEqual([{ n: 10 * MiB - 1_000 }])
    expect(await sql`SELECT repeat('x', ${9 * MiB}) AS t`).toEqual([{ t: 'x'.repeat(9 * MiB) }])
  })

  test('the limit is for all answers of a batch together, and undoes it', async () => {
    await sql`CREATE TABLE undone (n int)`
    const large = () => sql`SELECT repeat('x', ${6 * MiB})`
    const error = await rejection(sql.transaction([sql`INSERT INTO undone VALUES (1)`, large(), large()]))
    expect(String(error)).toContain('HTTP status 507')
    expect(await sql`SELECT * FROM undone`).toEqual([])
  })
})

describe('requests that Neon refuses itself', () => {
  test.each([
    [undefined, 'invalid header: neon-connection-string'],
    ['nonsense', 'invalid connection string'],
    ['mysql://u:p@h/d', 'incorrect scheme'],
    ['postgres://u:p@h', 'missing database name'],
    ['postgres://h/d', 'missing username'],
    ['postgres://u@h/d', 'missing authentication credentials: required password'],
  ])('connection string %s', async (connectionString, message) => {
    const headers = new Headers(connectionString === undefined ? {} : { 'neon-connection-string': connectionString })
    const response = await fetch(proxy.url, { method: 'POST', headers, body: '{"query":"SELECT 1"}' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ message, code: '' })
  })

  test.each(['{', '[]', '{"query":1}', '{"queries":[{}]}'])('body %s', async (body) => {
    const headers = { 'neon-connection-string': postgres.url }
    const response = await fetch(proxy.url, { method: 'POST', headers, body })
    expect(response.status).toBe(400)
    expect(JSON.stringify(await response.json())).toContain('could not parse the HTTP request body')
  })

  test('another path', async () => {
    expect((await fetch(`${proxy.url}/more`, { method: 'POST', body: '{}' })).status).toBe(404)
    expect((await fetch(proxy.url)).status).toBe(404)
  })
})

describe('connections that cannot be had', () => {
  test('a wrong password is 400', async () => {
    const url = new URL(postgres.url)
    url.password = 'wrong'
    const error = await rejection(neon(url.href)`SELECT 1`)
    expect(error).toMatchObject({ code: '28P01', message: 'password authentication failed for user "mec"' })
  })

  test('an unknown database is 500', async () => {
    const url = new URL(postgres.url)
    url.pathname = '/unknown'
    const error = String(await rejection(neon(url.href)`SELECT 1`))
    expect(error).toContain('HTTP status 500')
    expect(error).toContain('"code":"3D000"')
  })

  test('no Postgres is 500, and when it is there again, all is well', async () => {
    const dataDir = `${folder}/pg`
    const first = await startPostgres({ dataDir, durable: false })
    const own = await startNeonProxy({ upstream: { port: first.port } })
    const ask = () =>
      fetch(own.url, {
        method: 'POST',
        headers: { 'neon-connection-string': first.url },
        body: '{"query":"SELECT 1 AS n"}',
      })
    expect((await ask()).status).toBe(200)
    await first.stop()
    const down = await ask()
    expect(down.status).toBe(500)
    expect(await down.json()).toMatchObject({
      message: expect.stringContaining('error connecting to server'),
      code: '',
    })
    const second = await startPostgres({ dataDir, port: first.port, durable: false })
    const up = await ask()
    expect(up.status).toBe(200)
    expect(await up.json()).toMatchObject({ rows: [{ n: 1 }] })
    await own.stop()
    await second.stop()
  })

  test('a backend that is terminated under a query is 400 with 57P01', async () => {
    const error = await rejection(sql`SELECT pg_terminate_backend(pg_backend_pid())`)
    expect(error).toMatchObject({ code: '57P01' })
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }])
  })
})
