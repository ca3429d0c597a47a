import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { expect, test } from 'vitest'
import { epochName, keyRecordName, stateName } from '../../functions/decisions/names.ts'
import { parseEnvironment } from '../../functions/env.ts'
import { createObserve } from '../../functions/http/observe.ts'
import { SCHEDULE } from '../../functions/maintenance/schedule.ts'
import { runScript, startDev, temporaryDataDir } from '../support/dev.ts'

const root = new URL('../../', import.meta.url)
const read = (file: string) => readFile(new URL(file, root), 'utf8')
const [page, wrangler, environment, example] = await Promise.all(
  ['docs/OPERATIONS.md', 'wrangler.toml', 'functions/env.ts', '.env.example'].map(read),
)

const matches = (text = '', pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found)
const blocks = (language: string) => matches(page, new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))
const section = (heading: string) => page?.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
/** The rows of the tables in a section, without their headings: their cells, without what makes them code. */
const tableRows = (heading: string) =>
  section(heading)
    .split('\n')
    .filter((line, place, lines) => line.startsWith('| ') && !lines[place + 1]?.startsWith('|--'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map(([, ...cells]) => cells.slice(0, -1))

test('its commands run in their order, on a service that has just been made, and its SQL answers', async () => {
  const dataDir = await temporaryDataDir()
  const dev = await startDev({ dataDir })
  const secret = (name: string) => readFile(`${dataDir}/secrets/${name}`, 'utf8')
  const databaseUrl = (await runScript('local/db-url.ts', dataDir)).stdout.trim()
  const env = {
    ...process.env,
    URL: `http://127.0.0.1:${dev.port}`,
    DATABASE_URL: databaseUrl,
    MEC_WORKER_PASSWORD: await secret('worker-password'),
    KEY_PEPPER: await secret('key-pepper'),
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  }
  const script = ['set -euo pipefail', ...blocks('bash')].join('\n')
  const { stdout } = await promisify(execFile)('bash', ['-c', script], {
    cwd: fileURLToPath(root),
    env,
    timeout: 120_000,
  })
  expect(stdout).toMatch(/--dry-run: exiting now/)
  expect(stdout).toMatch(/works: 15 steps/)
  expect(stdout).toMatch(/"results":\[.*"job":"reconcile".*\]/)
  expect(stdout).toMatch(/"secret":"mec_sk_acme_\w+".*"revoked_at":"/s)

  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (const statement of blocks('sql').flatMap((block) => matches(block, /(\S[^;]*;)/g)))
      await client.query(statement)
    const [roles = ''] = blocks('sql')
    const { rows } = await client.query<{ setting: string }>(roles)
    expect(tableRows('Roles')).toEqual(rows.map(({ setting }) => [setting]))
  } finally {
    await client.end()
  }
}, 180_000)

test('every setting is there, and no other', () => {
  const named = new Set(tableRows('Settings').map(([name]) => name))
  const bindings = matches(wrangler, /^(?:# )?(?:name|binding) = "([A-Z_]+)"/gm)
  const wanted = [
    ...matches(environment, /^ +([A-Z][A-Z_]+):/gm),
    ...matches(wrangler, /^(?:# )?([A-Z][A-Z_]+) = "/gm),
    ...bindings,
    ...matches(example, /^#?([A-Z][A-Z_]+)=/gm),
  ]
  expect(wanted).toEqual(expect.arrayContaining(['DATABASE_URL', 'REDIS_BUDGET_MS', 'ANALYTICS', 'MEC_DATA_DIR']))
  expect([...named].toSorted()).toEqual([...new Set(wanted)].toSorted())
})

test('the defaults are those of the service, and of wrangler.toml', () => {
  const required = { DATABASE_URL: 'postgres://u:p@h/d', JWT_SECRET: 's', KEY_PEPPER: 'p' }
  const defaults = Object.entries(parseEnvironment(required)).filter(([name]) => !(name in required))
  const shown = new Map(tableRows('Settings').map(([name = '', value = '']) => [name, value]))
  expect(defaults.length).toBeGreaterThan(3)
  for (const [name, value] of defaults) {
    expect([name, shown.get(name)]).toEqual([name, String(value)])
    expect(wrangler).toContain(`${name} = "${value}"`)
  }
  for (const [name, value] of shown) {
    if (/^required/.test(value)) expect(Object.keys(required)).toContain(name)
  }
  const limits = [
    ...(wrangler ?? '').matchAll(/name = "(\w+)"\nnamespace_id = .*\nsimple = \{ limit = (\d+), period = (\d+) \}/g),
  ]
  expect(limits).toHaveLength(2)
  for (const [, name = '', limit, period] of limits) expect(shown.get(name)).toBe(`${limit} in ${period} s`)
})

test('each row of the failure table names tests that there are', async () => {
  const rows = tableRows('When something fails')
  expect(rows.length).toBeGreaterThan(10)
  for (const [what, , proof = ''] of rows) {
    const files = [...proof.matchAll(/(test\/[\w./-]+\.test\.ts)((?: › \*[^*]+\*)+)/g)]
    expect(files, what).not.toEqual([])
    for (const [, file = '', titles = ''] of files) {
      const source = (await read(file)).replaceAll('\\u2019', '’')
      for (const title of matches(titles, /\*([^*]+)\*/g)) expect(source, `${file}: ${title}`).toContain(title)
    }
  }
})

test('the cron jobs are those of the schedule', () => {
  const rows = tableRows('Cron jobs').map(([cron, job]) => ({ cron, job }))
  expect(rows).toEqual(SCHEDULE.map(({ cron, job }) => ({ cron, job })))
})

test('the events of the log are those that are logged', async () => {
  const files = ['worker.ts', 'store/gateway.ts', 'decisions/redis.ts', 'http/observe.ts', 'http/request-context.ts']
  const sources = await Promise.all(files.map((file) => read(`functions/${file}`)))
  const logged = sources.flatMap((source) => matches(source, /event: '(\w+)'/g))
  const shown = tableRows('What to watch').map(([name = '']) => name)
  expect(shown.filter((name) => !/^(?:blob|double)\d$/.test(name)).toSorted()).toEqual(logged.toSorted())
})

test('the columns of Analytics Engine are those that are written', () => {
  const shown = Object.fromEntries(tableRows('What to watch').map(([name = '', what = '']) => [name, what]))
  const points: Record<string, string | number>[] = []
  const numbered = (name: string, values: readonly (string | number)[]) =>
    Object.fromEntries(values.map((value, place) => [`${name}${place + 1}`, value]))
  const observe = createObserve({
    writeDataPoint({ blobs, doubles }) {
      points.push({ ...numbered('blob', blobs), ...numbered('double', doubles) })
    },
  })
  const timings = new Map([
    ['redis', 2],
    ['postgres', 3],
  ] as const)
  const facts = { operation: 'operation', namespace: 'n', source: 'source', outcome: 'outcome', degraded: true }
  observe({ ...facts, requestId: 'r', method: 'POST', status: 200, totalMs: 5, timings })
  expect(points).toEqual([
    {
      blob1: 'operation',
      blob2: 'source',
      blob3: 'outcome',
      blob4: '200',
      blob5: 'degraded',
      double1: 5,
      double2: 2,
      double3: 3,
    },
  ])
  expect(shown).toMatchObject({
    blob1: 'operation',
    blob2: 'source',
    blob3: 'outcome',
    blob4: 'status',
    blob5: 'degraded, or nothing',
    double1: 'milliseconds in all',
    double2: 'of which in Redis',
    double3: 'of which in Postgres',
  })
})

test('the keys of Redis are named as they are', () => {
  const braced = (name: string) =>
    name.replace('HASH', '{sha256 of the key}').replaceAll(/NS|ACCOUNT|RESOURCE/g, (part) => {
      return `{${part === 'NS' ? 'namespace' : part.toLowerCase()}}`
    })
  expect(tableRows('Keys of Redis').map(([name]) => name)).toEqual(
    [keyRecordName('HASH'), epochName('NS'), stateName('NS', 'ACCOUNT', 'RESOURCE')].map(braced),
  )
})
