import { rmSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from './rows/bundle.ts'
import { chain } from './rows/chain.ts'
import { checkMemory } from './rows/check-memory.ts'
import { checkPostgres } from './rows/check-postgres.ts'
import { checkRedis } from './rows/check-redis.ts'
import { consume } from './rows/consume.ts'
import { geography } from './rows/geography.ts'
import { growth } from './rows/growth.ts'
import { isolateMemory } from './rows/isolate-memory.ts'
import { meterBatch } from './rows/meter-batch.ts'
import { type Cloud, startCloud } from './support/cloud.ts'
import { writeDocument } from './support/document.ts'
import { createLoad } from './support/load.ts'
import { describeMachine } from './support/machine.ts'
import { createReport } from './support/report.ts'
import { type Effort, isMissed, type Result, type Row } from './support/row.ts'
import { renderTable } from './support/table.ts'

/** DESIGN.md's goals, side by side with what they are measured against. A new one is a file and a line here. */
const ROWS: readonly Row[] = [
  checkRedis,
  checkPostgres,
  checkMemory,
  consume,
  meterBatch,
  chain,
  bundle,
  growth,
  isolateMemory,
  geography,
]

/** A run that takes longer than this hangs. */
const BUDGETS_MS: Record<Effort, number> = { full: 3_600_000, quick: 120_000 }

const NAMES = ROWS.map(({ name }) => name).join(', ')
const HELP = `npm run bench [-- --only ROW] [--quick | --write]
Measures MEC next to the least that could be done, on this machine; ends with 1 if a goal is missed.
  --only    this row only: ${NAMES}
  --quick   a minute, to see that it runs: times are not judged
  --write   writes docs/BENCHMARKS.md`

const values = optionsOf(process.argv.slice(2))
if (values.help) {
  console.log(HELP)
  process.exit()
}
if (values.write && (values.quick || values.only !== undefined)) refuse('--write takes a whole run')
const effort = values.quick ? 'quick' : 'full'
const rows = ROWS.filter(({ name }) => values.only === undefined || name === values.only)
if (rows.length === 0) refuse(`--only takes one of ${NAMES}`)

/** Little was measured: times say nothing then. */
const judged = (result: Result) => effort === 'full' || result.counted

const folder = await mkdtemp(join(tmpdir(), 'mec-bench-'))
// Run by root, Postgres is another user.
await chmod(folder, 0o755)
// At the very end, whatever ends us; workerds and Postgres go with the process by themselves.
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
// Without a listener a signal ends the process with no 'exit'.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))
const hung = setTimeout(() => {
  console.error(`not done within ${BUDGETS_MS[effort] / 1000} s`)
  process.exit(1)
}, BUDGETS_MS[effort])
const load = createLoad()
const report = createReport()
let cloud: Cloud | undefined

try {
  cloud = await startCloud(folder)
  const machine = describeMachine(cloud.engines)
  console.log(machine)
  const results: Result[] = []
  for (const row of rows) {
    const started = performance.now()
    results.push(...(await row.run({ cloud, load, effort, report })))
    console.error(`${row.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  console.log(renderTable(results, judged))
  for (const [title, markdown] of report.sections) console.log(`\n${title}\n\n${markdown}`)
  if (values.write) await writeDocument(machine, results, judged, report)
  const missed = results.filter((result) => judged(result) && isMissed(result))
  if (missed.length > 0) {
    console.log(`MISSED: ${missed.map(({ what }) => what).join('; ')}`)
    process.exitCode = 1
  }
} finally {
  clearTimeout(hung)
  load.close()
  await cloud?.stop()
}

function optionsOf(args: string[]) {
  try {
    const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const
    return parseArgs({ args, options: { only: text, quick: flag, write: flag, help: flag } }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function refuse(why: string): never {
  console.error(`${why}\n\n${HELP}`)
  process.exit(1)
}
