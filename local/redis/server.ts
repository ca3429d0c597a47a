import { spawn } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort } from '../free-port.ts'
import { isRunning, processInfo } from '../process-info.ts'
import { waitUntil } from '../wait-until.ts'
import type { RedisOptions, RunningRedis } from './types.ts'

type Server = { name: 'redis-server' | 'valkey-server'; path: string }

const START_ATTEMPTS = 3

/** The Redis or Valkey binary on the PATH, if there is one. */
export async function findServer(): Promise<Server | undefined> {
  for (const name of ['redis-server', 'valkey-server'] as const) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder, name)
      const executable = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (executable) return { name, path }
    }
  }
  return undefined
}

/** Starts the binary, ending first what a killed run left in `dataDir`. @throws when it does not start */
export async function startServer({ name, path }: Server, { dataDir, port }: RedisOptions): Promise<RunningRedis> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'mec-redis-')))
  await mkdir(folder, { recursive: true })
  const pidFile = join(folder, 'redis.pid')
  await stopOrphan(pidFile)
  for (let attempt = 1; ; attempt++) {
    const actualPort = port ?? (await freePort())
    const args = ['--port', String(actualPort), '--bind', '127.0.0.1', '--dir', folder]
    args.push('--save', '', '--appendonly', 'no', '--daemonize', 'no')
    const child = spawn(path, args, { stdio: 'ignore', detached: true })
    let ended = false
    const killNow = () => {
      child.kill('SIGKILL')
    }
    const onEnd = () => {
      ended = true
      process.off('exit', killNow)
    }
    process.once('exit', killNow)
    child.once('error', onEnd).once('exit', onEnd)
    if (child.pid !== undefined) await writeFile(pidFile, `${child.pid} ${actualPort}`)
    const started = await waitUntil(async () => ended || (await listens(actualPort)), 10_000)
    if (started && !ended && child.pid !== undefined) {
      return {
        port: actualPort,
        engineName: name,
        pid: child.pid,
        async stop() {
          // Nothing of its data is wanted, so nothing is lost by not asking politely.
          child.kill('SIGKILL')
          await waitUntil(() => ended, 2_000)
          await rm(dataDir === undefined ? folder : pidFile, { recursive: true, force: true })
        },
      }
    }
    child.kill('SIGKILL')
    // A free port may be taken meanwhile.
    if (port !== undefined || attempt === START_ATTEMPTS) throw new Error(`${path} did not start on port ${actualPort}`)
  }
}

/** Ends the server of a killed run. Redis shows its address as its title, which tells it from a reused pid. */
async function stopOrphan(pidFile: string): Promise<void> {
  const [pid, port] = (await readFile(pidFile, 'utf8').catch(() => '')).split(' ').map(Number)
  if (pid === undefined || !(pid > 0)) return
  const title = (await processInfo(pid))?.commandLine ?? ''
  if (!/(redis|valkey)-server/.test(title) || !title.includes(`127.0.0.1:${port}`)) return
  process.kill(pid, 'SIGKILL')
  await waitUntil(async () => !(await isRunning(pid)), 2_000)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
