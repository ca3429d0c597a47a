import { access, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { expect, test } from 'vitest'
import { paste, runScript, startDev, temporaryDataDir } from '../support/dev.ts'

const root = new URL('../../', import.meta.url)
const pages = [
  'README.md',
  'database/README.md',
  'docs/adr/0001-api-layer.md',
  'docs/adr/0002-where-state-lives.md',
  'docs/adr/0003-redis-client.md',
  'functions/decisions/README.md',
  'docs/OPERATIONS.md',
]
const read = (file: string) => readFile(new URL(file, root), 'utf8')

function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, text = '']) => text,
  )
}

/** What differs from day to day: the moment, and the month that holds it. */
const timeless = (json: string) => JSON.parse(json.replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"<instant>"'))

test('the first request gives the answer that stands below it, and the SQL beside it runs', {
  timeout: 120_000,
}, async () => {
  const readme = await read('README.md')
  const dataDir = await temporaryDataDir()
  const dev = await startDev({ dataDir })
  const [request = ''] = blocks(readme, 'bash').filter((block) => block.startsWith('curl'))
  const [answer = ''] = blocks(readme, 'json')
  const given = await paste(request.replace('127.0.0.1:8787', `127.0.0.1:${dev.port}`))
  expect(timeless(JSON.stringify(given))).toEqual(timeless(answer))

  const url = await runScript('local/db-url.ts', dataDir)
  const client = new pg.Client({ connectionString: url.stdout.trim() })
  await client.connect()
  try {
    const [statement = ''] = blocks(readme, 'sql')
    expect((await client.query(statement)).rows).toEqual([{ allowed: false, reason: 'no_entitlement', remaining: '0' }])
  } finally {
    await client.end()
  }
  expect(await dev.end('SIGINT')).toMatchObject({ exitCode: 0 })
})

test('its commands are scripts of the package, and it has at most 150 lines', async () => {
  const readme = await read('README.md')
  const { scripts } = JSON.parse(await read('package.json'))
  const named = [...readme.matchAll(/npm (?:run (?:-s )?)?(dev|test|bench|bootstrap|smoke|db:\w+|ledger:\w+)\b/g)].map(
    ([, name = '']) => name,
  )
  expect(new Set(named)).toEqual(
    new Set(['dev', 'test', 'db:url', 'db:reset', 'bench', 'bootstrap', 'smoke', 'ledger:verify']),
  )
  for (const name of named) expect(scripts).toHaveProperty([name])
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(150)
})

test.each(pages)('every link and every named path of %s leads somewhere', async (page) => {
  const text = await read(page)
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
    ([, target = '']) => new URL(target, new URL(page, root)),
  )
  const paths = [...text.matchAll(/`((?:test|functions|database|drizzle|local|ops|docs)\/[\w./-]*)`/g)].map(
    ([, path = '']) => new URL(path, root),
  )
  for (const target of [...links, ...paths])
    await expect(access(fileURLToPath(target)), target.pathname).resolves.toBeUndefined()
})
