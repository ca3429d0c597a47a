import { chmod, mkdtemp, rm } from 'node:fs/promises'
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

/** Times say nothing when little was measured; counts do. */
const judged = (result: Result) => effort === 'full' || result.counted

const folder = await mkdtemp(join(tmpdir(), 'mec-bench-'))
// Run by root, Postgres is another user.
await chmod(folder, 0o755)
const load = createLoad()
let cloud: Cloud | undefined

async function clean(): Promise<void> {
  load.close()
  await cloud?.stop()
  await rm(folder, { recursive: true, force: true })
}

function abort(reason: string): void {
  console.error(reason)
  // What is still under way fails when its servers go.
  void clean().finally(() => process.exit(1))
}
process.once('SIGINT', () => abort('interrupted'))
process.once('SIGTERM', () => abort('terminated'))
setTimeout(() => abort(`not done within ${BUDGETS_MS[effort] / 1000} s`), BUDGETS_MS[effort]).unref()

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
  await clean()
}
