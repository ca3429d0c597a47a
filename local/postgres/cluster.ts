import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { waitUntil } from '../wait-until.ts'
import { clusterName, killBackends, stopOrphan, stopPostmaster } from './orphan.ts'
import { ensureOwner } from './owner.ts'
import { environment, initialise, type Place, type PlaceOptions, preparePlace, readOrCreatePassword } from './place.ts'

export type PostgresOptions = PlaceOptions & {
  /** Loopback port. Without one, a free one. */
  port?: number
  /** false gives up the data of a crashed machine, not those of killed processes, for speed: no fsync. Default true. */
  durable?: boolean
}

export type RunningPostgres = {
  port: number
  /** The database `mec` as its owner `mec`, who is no superuser, as on Neon. */
  url: string
  /** The database `mec` as `postgres`. */
  superuserUrl: string
  /** The postmaster's. */
  pid: number
  /** Fast shutdown; resolves once no process is left, within 3 s unless a backend hangs. May be called twice. */
  stop(): Promise<void>
}

/** How long a start is tried again while something passing is in its way. */
const RETRY_BUDGET_MS = 10_000
/** Crash recovery replays at most a few checkpoints' worth of WAL. */
const START_BUDGET_MS = 60_000

/**
 * Starts a real Postgres on 127.0.0.1 with the database `mec`, creating the cluster at the first start.
 *
 * A postmaster that a killed run left on the folder is stopped first; Postgres then recovers by itself.
 * @throws when another live run uses the folder, when Postgres' user cannot reach a path (the message names it), or
 *   when Postgres does not start (the message has the end of its log).
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const place = await preparePlace(options)
  await stopOrphan(place.cluster, place.ownerFile)
  const password = await readOrCreatePassword(place)
  await initialise(place, options.durable ?? true)
  const deadline = performance.now() + RETRY_BUDGET_MS
  for (;;) {
    await killBackends(place.cluster)
    const port = options.port ?? (await freePort())
    try {
      const postmaster = await launch(place, port, options.durable ?? true)
      const superuserUrl = `postgresql://postgres:${password}@127.0.0.1:${port}/mec`
      try {
        await ensureOwner({ port, password })
      } catch (error) {
        await postmaster.stop()
        throw error
      }
      return { port, url: `postgresql://mec:${password}@127.0.0.1:${port}/mec`, superuserUrl, ...postmaster }
    } catch (error) {
      // A free port may be taken meanwhile; after a SIGKILL of their postmaster, backends need a moment to end.
      const passing = options.port === undefined ? /Address already in use|shared memory block/ : /shared memory block/
      if (!(error instanceof Error && passing.test(error.message)) || performance.now() > deadline) throw error
      await sleep(100)
    }
  }
}

async function launch(place: Place, port: number, durable: boolean): Promise<Pick<RunningPostgres, 'pid' | 'stop'>> {
  const { binDir, cluster, logFile, ownerFile, user } = place
  // Emptied at each start, which bounds it.
  const log = await open(logFile, 'w')
  const child = spawn(join(binDir, 'postgres'), ['-D', cluster, ...settings(cluster, port, durable)], {
    ...user,
    cwd: cluster,
    env: environment(),
    stdio: ['ignore', log.fd, log.fd],
    // A group of its own: the terminal's Ctrl-C is for us, who stop things in order.
    detached: true,
  })
  const ended = () => child.exitCode !== null || child.signalCode !== null
  try {
    await once(child, 'spawn')
  } finally {
    await log.close()
  }
  const { pid } = child
  if (pid === undefined) throw new Error('a spawned process has no pid')
  await writeFile(ownerFile, String(process.pid))

  // A process that ends without calling stop() takes Postgres along; one that is killed leaves it to stopOrphan.
  const stopNow = () => {
    child.kill('SIGINT')
  }
  process.once('exit', stopNow)
  child.once('exit', () => process.off('exit', stopNow))
  const stop = () => stopPostmaster(pid, ended)

  const settled = await waitUntil(async () => ended() || (await isReady(cluster, pid)), START_BUDGET_MS)
  if (settled && !ended()) return { pid, stop }
  await stop()
  const tail = (await readFile(logFile, 'utf8')).slice(-2_000)
  throw new Error(`Postgres did not start on port ${port}:\n${tail}`)
}

/** The eighth line of its lock file is where the postmaster says that it accepts connections (pg_ctl reads it too). */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

function settings(cluster: string, port: number, durable: boolean): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    cluster_name: clusterName(cluster),
    port: String(port),
    unix_socket_directories: '',
    max_connections: '100',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    synchronous_commit: 'on',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
