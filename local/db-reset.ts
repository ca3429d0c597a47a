import { rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { migrate } from '../database/migrate.ts'
import { MEMORY_MS } from '../functions/decisions/memory.ts'
import { CannotStart, reasonOf } from './dev/cannot-start.ts'
import { dataFolder, prepareDataFolder } from './dev/data-folder.ts'
import { type RunState, readLiveRun, takeRunFile } from './dev/run-file.ts'
import { ensureSampleData } from './dev/sample-data.ts'
import { dataDirOf } from './dev/settings.ts'
import { stopOrphan } from './postgres/orphan.ts'
import { createRespClient } from './upstash/resp-client.ts'

const HELP = `npm run db:reset: empties the local database (of MEC_DATA_DIR, default .mec/). All its data are lost.
While npm run dev runs: drops everything in it, migrates anew, puts the development key and the demo account back, and
empties Redis; requests fail meanwhile. Otherwise: removes the folder of Postgres; the next start makes a new one.
Secrets stay: tokens signed before remain valid. API keys go, but for the development key.`

const LOCK_BUDGET_MS = 5_000
const REDIS_BUDGET_MS = 2_000

async function resetRunning({ databaseUrl, redisPort, devKeyHash }: NonNullable<RunState['stores']>): Promise<void> {
  await dropEverything(databaseUrl)
  await migrate({ connectionString: databaseUrl })
  await ensureSampleData(databaseUrl, devKeyHash)
  const redis = createRespClient({ port: redisPort, timeoutMs: REDIS_BUDGET_MS })
  try {
    await redis.send([['FLUSHALL']])
  } finally {
    redis.end()
  }
}

/** In one transaction: nobody meets a half. The Worker's role stays, with its password: it belongs to the cluster. */
async function dropEverything(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(`BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = ${LOCK_BUDGET_MS}`)
    await client.query(
      'DROP SCHEMA IF EXISTS drizzle CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; COMMIT',
    )
  } finally {
    await client.end()
  }
}

async function reset(): Promise<void> {
  const folder = dataFolder(dataDirOf(process.env))
  const run = await readLiveRun(folder.runFile)
  if (run !== undefined) {
    if (run.stores === undefined) throw new CannotStart('MEC is just starting: try again in a moment')
    await resetRunning(run.stores)
    // The Worker may answer from its memory for as long.
    await setTimeout(MEMORY_MS)
    console.log(`The database of the running MEC (process ${run.pid}) is new.`)
    return
  }
  await prepareDataFolder(folder)
  // So that nobody starts on what is being removed.
  const runFile = await takeRunFile(folder.runFile)
  try {
    await stopOrphan(`${folder.postgres}/cluster`, `${folder.postgres}/owner.pid`)
    await rm(folder.postgres, { recursive: true, force: true })
  } finally {
    await runFile.release()
  }
  console.log(`The database in ${folder.root} is gone: the next npm run dev makes a new one.`)
}

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  console.log(HELP)
} else {
  await reset().catch((error: unknown) => {
    console.error(`The database was not reset: ${reasonOf(error)}`)
    process.exitCode = 1
  })
}
