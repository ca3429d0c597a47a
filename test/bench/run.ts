import { rmSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkPostgres } from './rows/check-postgres.ts'
import { consume } from './rows/consume.ts'
import { growth } from './rows/growth.ts'
import { meterBatch } from './rows/meter-batch.ts'
import { type Cloud, startCloud } from './support/cloud.ts'
import { createLoad } from './support/load.ts'
import { describeMachine } from './support/machine.ts'
import { type Effort, isMissed, type Result, type Row } from './support/row.ts'
import { renderTable } from './support/table.ts'

/** DESIGN.md's goals, side by side with what they are measured against. A new one is a file and a line here. */
const ROWS: readonly Row[] = [checkPostgres, consume, meterBatch, growth]

/** A run that takes longer than this hangs. */
const BUDGETS_MS: Record<Effort, number> = { full: 900_000, quick: 60_000 }

const { values } = parseArgs({ options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } } })
const effort = values.quick ? 'quick' : 'full'
const rows = ROWS.filter(({ name }) => values.only === undefined || name === values.only)
if (rows.length === 0) throw new Error(`--only takes one of ${ROWS.map(({ name }) => name).join(', ')}`)

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
let cloud: Cloud | undefined

try {
  cloud = await startCloud(folder)
  console.log(describeMachine(cloud.postgresVersion))
  const results: Result[] = []
  for (const row of rows) {
    const started = performance.now()
    results.push(...(await row.run({ cloud, load, effort })))
    console.error(`${row.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  console.log(renderTable(results, judged))
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
