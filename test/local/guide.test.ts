import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { REASONS } from '../../functions/core/vocabulary.ts'
import { type Dev, runScript, startDev, temporaryDataDir } from '../support/dev.ts'
import {
  type Chapter,
  type Page,
  type Part,
  parseAnswer,
  parsePage,
  type Step,
  sectionsOf,
} from '../support/document.ts'
import { faultsOf, figuresOf, type Recording, sectionFaults } from '../support/figures.ts'
import type { Json, JsonObject } from '../support/json-path.ts'

const root = new URL('../../', import.meta.url)
const files = ['docs/LICENSING_MODELS_GUIDE.md', 'docs/POSTGREST_PROPOSAL.md', 'docs/MIGRATING.md']
const sources = new Map<string, string>()
for (const file of files) sources.set(file, await readFile(new URL(file, root), 'utf8'))
const source = (file: string): string => sources.get(file) ?? ''

/** What the blocks of a page answered, for the tests that come after the run. */
const recordings = new Map<string, Recording>()

type Service = { dev: Dev; dataDir: string; databaseUrl: string }

/** Each chapter starts from an empty service; what it needs beside it is the file that the first one writes. */
async function runPage(service: Service, page: Page): Promise<Recording> {
  const recording: Recording = new Map()
  for (const chapter of page.chapters) {
    if (!chapter.sections.some((section) => section.parts.some((part) => part.kind !== 'prose'))) continue
    expect(await runScript('local/db-reset.ts', service.dataDir)).toMatchObject({ exitCode: 0 })
    await runChapter(service, page, chapter, recording)
  }
  return recording
}

async function runChapter(service: Service, page: Page, chapter: Chapter, recording: Recording): Promise<void> {
  const ids: Record<string, string> = {}
  const client = new pg.Client({ connectionString: service.databaseUrl, types: { getTypeParser: () => String } })
  await client.connect()
  try {
    await client.query("SET timezone = 'UTC'")
    for (const step of chapter.sections.flatMap((section) => section.parts)) {
      if (step.kind === 'prose') continue
      try {
        const answers = step.kind === 'sql' ? await runSql(client, step) : await runShell(service, step, ids)
        recording.set(step.line, answers)
        for (const answer of answers) takeIds(answer, ids)
      } catch (error) {
        throw new Error(`${page.file}:${step.line}: ${error instanceof Error ? error.message : error}`)
      }
    }
  } finally {
    await client.end()
  }
}

/** One answer a line: JSON, or that of a file. A variable that no answer has set is an error. */
async function runShell({ dev, dataDir }: Service, step: Step, ids: Record<string, string>): Promise<Json[]> {
  const code = `set -euo pipefail\n${step.code.replaceAll('127.0.0.1:8787', `127.0.0.1:${dev.port}`)}`
  const { stdout } = await promisify(execFile)('bash', ['-c', code], {
    cwd: dataDir,
    env: { ...process.env, ...ids },
    timeout: 60_000,
  })
  return stdout
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line): Json => (line.startsWith('{') ? JSON.parse(line) : line))
}

const BOOLEAN = 16
const JSON_TYPES = new Set([114, 3802])

/** The rows of the last statement that has any columns; of a lone column of JSON its values. */
async function runSql(client: pg.Client, { code }: Step): Promise<Json[]> {
  let answers: Json[] = []
  for (const statement of code.split(/(?<=;)[^\S\n]*(?:\n|$)/).filter((text) => text.trim() !== '')) {
    const { fields, rows } = await client.query<Record<string, string | null>>(statement)
    if (fields.length === 0) continue
    answers = rows.map((row) => {
      const values = fields.map(({ name, dataTypeID }): [string, Json] => {
        const text = row[name] ?? null
        if (text === null) return [name, null]
        if (dataTypeID === BOOLEAN) return [name, text === 't' ? 'true' : 'false']
        return [name, JSON_TYPES.has(dataTypeID) ? JSON.parse(text) : text]
      })
      const [only] = values
      const [field] = fields
      return only && field && values.length === 1 && JSON_TYPES.has(field.dataTypeID)
        ? only[1]
        : (Object.fromEntries(values) satisfies JsonObject)
    })
  }
  return answers
}

/** `$LEASE_ID` in a block stands for the last `lease_id` that was answered. */
function takeIds(answer: Json, ids: Record<string, string>): void {
  if (typeof answer !== 'object' || answer === null) return
  for (const [name, value] of Object.entries(answer)) {
    if (name.endsWith('_id') && typeof value === 'string') ids[name.toUpperCase()] = value
    else takeIds(value, ids)
  }
}

test('every block runs, and answers what stands below it', { timeout: 300_000 }, async () => {
  const dataDir = await temporaryDataDir()
  const dev = await startDev({ dataDir })
  const databaseUrl = (await runScript('local/db-url.ts', dataDir)).stdout.trim()
  const faults: string[] = []
  for (const file of files) {
    const page = parsePage(file, source(file))
    const recording = await runPage({ dev, dataDir, databaseUrl }, page)
    recordings.set(file, recording)
    faults.push(...faultsOf(page, recording))
  }
  expect(faults).toEqual([])
  expect(await dev.end('SIGINT')).toMatchObject({ exitCode: 0 })
})

/** A part once for each of its figures, in which that one is wrong. */
function plantings(part: Part): { line: number; figure: string; planting: Part }[] {
  const stated = part.kind === 'prose' ? part : part.answer
  if (!stated) return []
  const { text, line } = stated
  const figures = part.kind === 'prose' ? figuresOf(text) : [...text.matchAll(/\d+(\.\d+)?/g)]
  return figures.map(({ index, 0: figure }) => {
    // Of a date another digit, of a number one more.
    const wrong = `${text.slice(0, index)}9${text.slice(figure.includes('-') ? index + 1 : index)}`
    const planting: Part =
      part.kind === 'prose'
        ? { ...part, text: wrong }
        : { ...part, answer: part.answer && parseAnswer(part.answer.kind, line, wrong) }
    return { line, figure, planting }
  })
}

describe.each(files)('%s', (file) => {
  const page = () => parsePage(file, source(file))
  function recorded(): Recording {
    const recording = recordings.get(file)
    if (!recording) throw new Error('nothing was recorded: run the whole file')
    return recording
  }

  test('a wrong figure in it is found, whichever it is', { timeout: 60_000 }, () => {
    const recording = recorded()
    let planted = 0
    for (const section of sectionsOf(page())) {
      expect(sectionFaults(file, section, recording)).toEqual([])
      section.parts.forEach((part, n) => {
        for (const { line, figure, planting } of plantings(part)) {
          const wrong = { ...section, parts: section.parts.with(n, planting) }
          expect(sectionFaults(file, wrong, recording), `${file}:${line}: ${figure}`).not.toEqual([])
          planted++
        }
      })
    }
    expect(planted).toBeGreaterThan(10)
  })

  test('has no block that is not run', () => {
    const steps = sectionsOf(page()).flatMap(({ parts }) => parts.filter(({ kind }) => kind !== 'prose'))
    expect([...recorded().keys()]).toEqual(steps.map(({ line }) => line))
    for (const block of [
      '```python\nprint(1)\n```',
      '```\nplain\n```',
      'Text.\n\n```json\n{}\n```',
      'Text.\n\n```csv\na\n```',
    ])
      expect(() => parsePage(file, `${source(file)}\n## More\n\n${block}\n`)).toThrow(file)
  })

  test('every link leads to a heading or to a file', async () => {
    for (const [, target = '', anchor] of source(file).matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const led = target === '' ? new URL(file, root) : new URL(target, new URL(file, root))
      await expect(access(led), target).resolves.toBeUndefined()
      if (anchor) expect(anchorsOf(await readFile(led, 'utf8')), target).toContain(anchor)
    }
  })
})

function anchorsOf(markdown: string): string[] {
  return sectionsOf(parsePage('page', markdown)).map(({ heading }) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test('the guide lists the reasons that there are', () => {
  const [, reasons = ''] = source('docs/LICENSING_MODELS_GUIDE.md').split('### Reasons')
  const listed = [...reasons.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = '']) => cell.match(/\w+(?=`)/g) ?? [])
  expect(listed.toSorted()).toEqual([...REASONS].toSorted())
})

test('what is not shown must have worked, and what is shown must be all there', () => {
  const faults = (markdown: string, answers: Json[]) => faultsOf(parsePage('page', markdown), new Map([[2, answers]]))
  expect(faults('```bash\n```', [{ allowed: true }])).toEqual([])
  expect(faults('```bash\n```', [{ allowed: false }])).toHaveLength(1)
  expect(faults('```bash\n```', [{ error: { code: 'x' } }])).toHaveLength(1)
  expect(faults('```bash\n```\n\n```json\n{"used":1}\n```', [{ used: 1, other: 2 }])).toEqual([])
  expect(faults('```bash\n```\n\n```json\n{"used":1}\n```', [])).toHaveLength(1)
  expect(faults('```bash\n```\n\n```csv\na,b\n1,…\n```', ['a,b', '1,2'])).toEqual([])
  expect(faults('```bash\n```\n\n```csv\na,b\n1,…\n```', ['a,b', '2,1'])).toHaveLength(1)
  expect(faults('```bash\n```\n\n```csv\n1,2\n```', ['a,b', '1,2'])).toHaveLength(1)
  expect(faults('```sql\n```\n\n| n |\n|---|\n| 1 |', [{ n: '0' }, { n: '1' }])).toHaveLength(1)
  expect(faults('```sql\n```\n\n| n |\n|---|\n| 1 |\n\nIt is `n` **2**.', [{ n: '1' }])).toHaveLength(2)
  expect(faults('```sql\nSELECT 1;\n```\n\nIt is **1**, or 1 + 1 = 3.', [{ n: '1' }])).toHaveLength(2)
})
