import { neon, neonConfig } from '@neondatabase/serverless'
import { beforeAll, describe, expect, test } from 'vitest'
import { rejection, startDatabase } from './setup.ts'

const { postgres, proxy } = await startDatabase()
neonConfig.fetchEndpoint = proxy.url
const sql = neon(postgres.url)

describe('the driver', () => {
  test('tagged templates and query() with parameters', async () => {
    expect(await sql`SELECT ${1}::int + ${2}::int AS three, ${'ä"\\\n'}::text AS t`).toEqual([
      { three: 3, t: 'ä"\\\n' },
    ])
    expect(await sql.query('SELECT $1::text AS t', ['x'])).toEqual([{ t: 'x' }])
  })

  test('arrayMode and fullResults', async () => {
    expect(await neon(postgres.url, { arrayMode: true })`SELECT 1 AS a, 2 AS a`).toEqual([[1, 2]])
    await sql`CREATE TABLE described (id int, name varchar(20))`
    const full = await neon(postgres.url, { fullResults: true })`SELECT id, name FROM described`
    expect(full).toMatchObject({ rows: [], rowCount: 0, command: 'SELECT', rowAsArray: false })
    const [id, name] = full.fields
    expect(id).toEqual({
      name: 'id',
      dataTypeID: 23,
      tableID: expect.any(Number),
      columnID: 1,
      dataTypeSize: 4,
      dataTypeModifier: -1,
      format: 'text',
    })
    expect(id?.tableID).toBeGreaterThan(0)
    expect(name).toMatchObject({ dataTypeID: 1043, columnID: 2, dataTypeSize: -1, dataTypeModifier: 24 })
  })

  test.each([
    ['INSERT INTO counted VALUES (1), (2), (3)', 'INSERT', 3],
    ['UPDATE counted SET n = n + 1 WHERE n > 1', 'UPDATE', 2],
    ['DELETE FROM counted', 'DELETE', 3],
    ['SELECT 1 WHERE false', 'SELECT', 0],
    ['CREATE TABLE another (n int)', 'CREATE', null],
    ['', '', null],
  ])('command and rowCount of "%s"', async (statement, command, rowCount) => {
    await sql`CREATE TABLE IF NOT EXISTS counted (n int)`
    expect(await sql.query(statement, [], { fullResults: true })).toMatchObject({ command, rowCount })
  })

  test('nulls, booleans, numbers, numerics, dates', async () => {
    const instant = new Date('2026-02-28T23:59:59.123Z')
    expect(
      await sql`SELECT ${null}::text AS none, ${true}::bool AS yes, 1.5::float8 AS f, 'NaN'::float8 AS nan,
        123456789012345678.000001::numeric AS num, 9007199254740993::int8 AS big,
        ${instant}::timestamptz AS instant, DATE '2026-03-31' AS day, '\\x00ff'::bytea AS bytes`,
    ).toEqual([
      {
        none: null,
        yes: true,
        f: 1.5,
        nan: Number.NaN,
        num: '123456789012345678.000001',
        big: '9007199254740993',
        instant,
        day: new Date(2026, 2, 31),
        bytes: Buffer.from([0, 255]),
      },
    ])
  })

  test('json and jsonb, with objects as parameters', async () => {
    const document = { a: [1, null, { b: 'ü"\\' }], big: '9007199254740993' }
    expect(
      await sql`SELECT ${document}::jsonb AS b, ${document}::json AS j, ${document}::jsonb #>> '{a,2,b}' AS s`,
    ).toEqual([{ b: document, j: document, s: 'ü"\\' }])
  })

  test('arrays, both ways', async () => {
    const words = ['plain', 'with "quotes"', 'back\\slash', '{brace}', 'comma,', 'NULL', '', null]
    expect(await sql`SELECT ${words}::text[] AS words, ${[[1, 2], [3, null]]}::int[] AS grid`).toEqual([
      {
        words,
        grid: [
          [1, 2],
          [3, null],
        ],
      },
    ])
  })

  test('several MiB in and out', async () => {
    const large = 'ü"\n'.repeat(700_000)
    expect(await sql`SELECT ${large}::text AS t`).toEqual([{ t: large }])
  })

  test('50 requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => sql`SELECT ${n}::int AS n, pg_sleep(0.01)::text`),
    )
    expect(answers.map(([row]) => row?.['n'])).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })
})

describe('transactions of the driver', () => {
  beforeAll(async () => {
    await sql`CREATE TABLE moved (id int PRIMARY KEY)`
  })

  test('run in order, on one snapshot of options, and say their results one by one', async () => {
    const options = { isolationLevel: 'RepeatableRead', readOnly: true } as const
    const modes = [sql`SHOW transaction_isolation`, sql`SHOW transaction_read_only`, sql`SHOW transaction_deferrable`]
    expect(await sql.transaction(modes, options)).toEqual([
      [{ transaction_isolation: 'repeatable read' }],
      [{ transaction_read_only: 'on' }],
      [{ transaction_deferrable: 'off' }],
    ])
  })

  test.each([
    ['ReadUncommitted', 'read uncommitted'],
    ['ReadCommitted', 'read committed'],
    ['RepeatableRead', 'repeatable read'],
    ['Serializable', 'serializable'],
  ] as const)('isolation level %s', async (isolationLevel, name) => {
    expect(await sql.transaction([sql`SHOW transaction_isolation`], { isolationLevel })).toEqual([
      [{ transaction_isolation: name }],
    ])
  })

  test('deferrable', async () => {
    const options = { isolationLevel: 'Serializable', readOnly: true, deferrable: true } as const
    expect(await sql.transaction([sql`SHOW transaction_deferrable`], options)).toEqual([
      [{ transaction_deferrable: 'on' }],
    ])
  })

  test('without options, those of the session', async () => {
    expect(await sql.transaction([sql`SHOW transaction_isolation`, sql`SHOW transaction_read_only`])).toEqual([
      [{ transaction_isolation: 'read committed' }],
      [{ transaction_read_only: 'off' }],
    ])
  })

  test('a read-only one cannot write', async () => {
    const error = await rejection(sql.transaction([sql`INSERT INTO moved VALUES (0)`], { readOnly: true }))
    expect(error).toMatchObject({ code: '25006' })
  })

  test('the first error undoes all and is the answer', async () => {
    const error = await rejection(
      sql.transaction([sql`INSERT INTO moved VALUES (1)`, sql`SELECT 1 / 0`, sql`INSERT INTO missing VALUES (2)`]),
    )
    expect(error).toMatchObject({ code: '22012' })
    expect(await sql`SELECT * FROM moved`).toEqual([])
  })

  test('an error at COMMIT is the answer, too', async () => {
    await sql`CREATE TABLE child (id int REFERENCES moved DEFERRABLE INITIALLY DEFERRED)`
    expect(await rejection(sql.transaction([sql`INSERT INTO child VALUES (9)`]))).toMatchObject({ code: '23503' })
    expect(await sql`SELECT * FROM child`).toEqual([])
  })

  test('an unknown isolation level is refused by the proxy', async () => {
    const headers = { 'neon-connection-string': postgres.url, 'neon-batch-isolation-level': 'Snapshot' }
    const response = await fetch(proxy.url, { method: 'POST', headers, body: '{"queries":[]}' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ message: 'invalid isolation level' })
  })
})

describe('output for other clients', () => {
  const query = `SELECT 1 AS i, 9007199254740993::int8 AS big, 1.5::float8 AS f, 'Infinity'::float8 AS inf, true AS b,
    NULL AS none, '{"a":[1]}'::jsonb AS j, ARRAY[1,NULL,3] AS ints, ARRAY['a"b','NULL',NULL,'{x,y}'] AS words,
    ARRAY[[true],[false]] AS grid, '[2:3]={7,8}'::int[] AS bounded`

  async function rows(headers: Record<string, string>, body: object = { query }): Promise<unknown> {
    const response = await fetch(proxy.url, {
      method: 'POST',
      headers: { 'neon-connection-string': postgres.url, ...headers },
      body: JSON.stringify(body),
    })
    const answer: unknown = await response.json()
    return answer
  }

  test("without the driver's headers: objects of JSON values", async () => {
    expect(await rows({})).toMatchObject({
      rowAsArray: false,
      rows: [
        {
          i: 1,
          big: '9007199254740993',
          f: 1.5,
          inf: 'Infinity',
          b: true,
          none: null,
          j: { a: [1] },
          ints: [1, null, 3],
          words: ['a"b', 'NULL', null, '{x,y}'],
          grid: [[true], [false]],
          bounded: [7, 8],
        },
      ],
    })
  })

  test('array mode alone: arrays of JSON values', async () => {
    const body = { query: "SELECT 1 AS i, true AS b, '{1,2}'::int[] AS a" }
    expect(await rows({ 'neon-array-mode': 'true' }, body)).toMatchObject({
      rows: [[1, true, [1, 2]]],
      rowAsArray: true,
    })
  })

  test('raw text output: strings and nulls only', async () => {
    const body = { query: "SELECT 1 AS i, true AS b, NULL AS none, '{1,2}'::int[] AS a" }
    const raw = { 'neon-raw-text-output': 'true' }
    expect(await rows(raw, body)).toMatchObject({ rows: [{ i: '1', b: 't', none: null, a: '{1,2}' }] })
    const array = { ...raw, 'neon-array-mode': 'true' }
    expect(await rows(array, body)).toMatchObject({ rows: [['1', 't', null, '{1,2}']], rowAsArray: true })
    expect(await rows(array, { ...body, arrayMode: false })).toMatchObject({ rows: [{ i: '1' }], rowAsArray: false })
  })

  test('JSON parameters as Neon turns them into text', async () => {
    const params = [true, 1.5, { a: 1 }, ['x"', null, 2, [false]], null]
    const body = { query: 'SELECT $1::text, $2::text, $3::text, $4::text, $5::text', params }
    expect(await rows({ 'neon-array-mode': 'true' }, body)).toMatchObject({
      rows: [['true', '1.5', '{"a":1}', '{"x\\"",NULL,2,{false}}', null]],
    })
  })
})
