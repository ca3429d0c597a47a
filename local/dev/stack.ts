import { access, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { migrate } from '../../database/migrate.ts'
import { startClock } from '../clock.ts'
import { cronsOf } from '../cron.ts'
import { startNeonProxy } from '../neon/proxy.ts'
import { startPostgres } from '../postgres/cluster.ts'
import { startRedis } from '../redis/engine.ts'
import { startUpstashProxy } from '../upstash/proxy.ts'
import { reasonOf } from './cannot-start.ts'
import { type DataFolder, dataFolder, prepareDataFolder } from './data-folder.ts'
import { greeting } from './greeting.ts'
import { keepRunning } from './keep-running.ts'
import { assertPortFree } from './port.ts'
import { takeRunFile } from './run-file.ts'
import { ensureSampleData, hashOf } from './sample-data.ts'
import { keptSecret } from './secrets.ts'
import { repository, type Settings } from './settings.ts'
import { startWarden, type Wards } from './warden.ts'
import { endWorkerGroup, startWorker } from './worker.ts'

/** Under a minute, so that a run never meets the next one. */
const CRON_BUDGET_MS = 50_000

export type Stack = {
  /** What to print. */
  greeting: string
  /** Resolves when something ended that should run, with what to say: its name, and the log that may say why. */
  lost: Promise<string>
}

/** Takes note of how something is stopped: all at once, and then what says that all has been stopped. */
export type OnStop = (stop: () => void | Promise<void>, when?: 'at once' | 'at the end') => void

/**
 * Starts the whole service on this machine, in order. What has been started is told to `onStop` at once, also when a
 * later step fails. @throws CannotStart, and what the steps throw; the signal's reason once it is aborted
 */
export async function startStack(settings: Settings, onStop: OnStop, signal: AbortSignal): Promise<Stack> {
  const startedAt = new Date()
  const folder = dataFolder(settings.dataDir)
  await prepareDataFolder(folder)
  const runFile = await takeRunFile(folder.runFile)
  onStop(runFile.release, 'at the end')
  const leftGroup = runFile.leftBehind?.workerGroup
  if (leftGroup !== undefined) await endWorkerGroup(leftGroup)
  await assertPortFree(settings.port)
  signal.throwIfAborted()

  const warden = await startWarden()
  onStop(warden.dismiss, 'at the end')
  const wards: Wards = {}
  const stores = await startStores(folder, onStop, (known) => warden.watch(Object.assign(wards, known)))
  signal.throwIfAborted()

  const { postgres, redis, neon, upstash, lost } = stores
  const workerPassword = await keptSecret(folder.secrets, 'worker-password')
  await migrate({ connectionString: postgres.url, workerPassword })
  const devKeyHash = hashOf(settings.devKey)
  await ensureSampleData(postgres.url, devKeyHash)
  await runFile.update({ stores: { databaseUrl: postgres.url, redisPort: redis.port, devKeyHash } })
  signal.throwIfAborted()

  const worker = await startWorker({
    folder,
    port: settings.port,
    bindings: {
      DATABASE_URL: workerUrl(postgres.url, workerPassword),
      NEON_FETCH_ENDPOINT: neon.url,
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
      JWT_SECRET: settings.jwtSecret ?? (await keptSecret(folder.secrets, 'jwt-secret')),
      JWT_SECRET_PREVIOUS: settings.jwtSecretPrevious ?? '',
      KEY_PEPPER: await keptSecret(folder.secrets, 'key-pepper'),
      LEDGER_SIGNING_KEY: await keptSecret(folder.secrets, 'ledger-signing-key'),
      MEC_DEV_KEY: settings.devKey,
    },
  })
  onStop(worker.stop)
  warden.watch(Object.assign(wards, { workerGroup: worker.group }))
  await runFile.update({ workerGroup: worker.group })
  await worker.ready(signal)

  onStop(await startCron(settings.port))
  return {
    greeting: greeting({
      port: settings.port,
      devKey: settings.devKey,
      redis: redis.engineName,
      logs: shortPath(folder.logs),
      startedAt,
    }),
    lost: Promise.race([
      lost,
      worker.ended.then(() => `the Worker (${shortPath(folder.logs)}/worker.log) ended unexpectedly`),
    ]),
  }
}

async function startStores(folder: DataFolder, onStop: OnStop, know: (known: Wards) => void) {
  const runPostgres = async (at: { port?: number }) => {
    const running = await startPostgres({ dataDir: folder.postgres, ...at })
    know({ postgres: running.pid })
    return running
  }
  const postgres = await runPostgres({})
  const keptPostgres = keepRunning({
    name: 'Postgres',
    server: postgres,
    async startAgain() {
      // Whose data somebody removed does not go on with an empty one.
      await access(join(folder.postgres, 'cluster', 'PG_VERSION'))
      return runPostgres({ port: postgres.port })
    },
  })
  onStop(keptPostgres.stop)

  const runRedis = async (at: { port?: number }) => {
    const running = await startRedis({ dataDir: folder.redis, ...at })
    if (running.pid !== undefined) know({ redis: running.pid })
    return running
  }
  const redis = await runRedis({})
  const keptRedis = keepRunning({
    name: redis.engineName,
    server: redis,
    startAgain: () => runRedis({ port: redis.port }),
  })
  onStop(keptRedis.stop)

  const neon = await startNeonProxy({ upstream: { port: postgres.port } })
  onStop(neon.stop)
  const upstash = await startUpstashProxy({
    redisPort: redis.port,
    token: await keptSecret(folder.secrets, 'upstash-token'),
  })
  onStop(upstash.stop)
  return { postgres, redis, neon, upstash, lost: Promise.race([keptPostgres.lost, keptRedis.lost]) }
}

/** The same database, as the role that the Worker has: it may call MEC's functions and read. */
function workerUrl(ownerUrl: string, password: string): string {
  const url = new URL(ownerUrl)
  url.username = 'mec_worker'
  url.password = password
  return url.href
}

/** Fires what wrangler.toml schedules, through the end-point that wrangler has for it. */
async function startCron(port: number): Promise<() => void> {
  const crons = cronsOf(await readFile(`${repository}wrangler.toml`, 'utf8'))
  const { stop } = startClock({
    crons,
    async fire(expression, scheduled) {
      const query = new URLSearchParams({ cron: expression, time: String(scheduled.getTime()) })
      const response = await fetch(`http://127.0.0.1:${port}/cdn-cgi/local/scheduled?${query}`, {
        signal: AbortSignal.timeout(CRON_BUDGET_MS),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${response.status} ${text}`)
    },
    failed: (expression, error) => console.error(`cron ${expression}: ${reasonOf(error)}`),
  })
  return stop
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}
