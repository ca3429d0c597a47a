import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { freePort } from '../../local/free-port.ts'
import { listProcesses } from '../../local/process-group.ts'
import { isRunning } from '../../local/process-info.ts'
import { waitUntil } from '../../local/wait-until.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const START_BUDGET_MS = 60_000
const END_BUDGET_MS = 15_000

export type DevOptions = {
  dataDir: string
  port?: number
  env?: Record<string, string>
  /** What runs it, if not Node alone; in a process group of its own. */
  command?: [string, ...string[]]
}

export type Dev = {
  port: number
  child: ChildProcess
  /** All that it printed so far. */
  stdout(): string
  stderr(): string
  /** The requests that it printed, to be given to a shell. */
  curls(): string[]
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<{ exitCode: number | null; ms: number }>
  /** Waits for it to end by itself. */
  ended(): Promise<number | null>
  /** Itself and all that it started, and that they started. */
  tree(): Promise<number[]>
}

/** A data folder that is gone after the test; under /tmp and open, because Postgres may run as another user. */
export async function temporaryDataDir(): Promise<string> {
  const folder = await mkdtemp('/tmp/mec-dev-')
  await chmod(folder, 0o755)
  // A Postgres that is just being stopped still writes.
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
  return folder
}

/** Starts `npm run dev` without npm and waits until it is ready. Whatever is left of it after the test is killed. */
export async function startDev(options: DevOptions): Promise<Dev> {
  const dev = await launchDev(options)
  const settled = await waitUntil(
    () => dev.stdout().includes('MEC ready on') || dev.child.exitCode !== null,
    START_BUDGET_MS,
    50,
  )
  if (!settled || dev.child.exitCode !== null) throw new Error(`no start: ${dev.stdout()}${dev.stderr()}`)
  return dev
}

export async function launchDev({ dataDir, port = 0, env = {}, command }: DevOptions): Promise<Dev> {
  const actualPort = port === 0 ? await freePort() : port
  const [file, ...args] = command ?? [process.execPath, `${repository}local/dev.ts`]
  const child = spawn(file, args, {
    detached: command !== undefined,
    cwd: repository,
    env: { ...settingsFree(), PORT: String(actualPort), MEC_DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const exit = once(child, 'close')
  onTestFinished(() => {
    // Its warden ends the rest.
    child.kill('SIGKILL')
  })

  async function ended(): Promise<number | null> {
    const timer = AbortSignal.timeout(END_BUDGET_MS)
    await Promise.race([
      exit,
      once(timer, 'abort').then(() => Promise.reject(new Error(`it goes on: ${stdout}${stderr}`))),
    ])
    return child.exitCode
  }

  return {
    port: actualPort,
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    curls: () => stdout.split('\n').filter((line) => line.startsWith('curl ')),
    ended,
    async end(signal) {
      const start = performance.now()
      child.kill(signal)
      return { exitCode: await ended(), ms: performance.now() - start }
    },
    tree: () => treeOf(child.pid ?? 0),
  }
}

/** Our own environment, without what would configure the service. */
function settingsFree(): NodeJS.ProcessEnv {
  const settings = ['PORT', 'MEC_DATA_DIR', 'MEC_DEV_KEY', 'JWT_SECRET', 'JWT_SECRET_PREVIOUS']
  settings.push('npm_lifecycle_event', 'NODE_OPTIONS')
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings.includes(name)))
}

async function treeOf(root: number): Promise<number[]> {
  const processes = await listProcesses()
  const tree = new Set([root])
  // Children can come before their parents in the list.
  for (let size = 0; size < tree.size; ) {
    size = tree.size
    for (const { pid, parentPid } of processes) if (tree.has(parentPid)) tree.add(pid)
  }
  return [...tree]
}

/** Those that still run after a while in which they should have ended. */
export async function stillRunning(pids: readonly number[], budgetMs = 5_000): Promise<number[]> {
  let left: number[] = []
  await waitUntil(
    async () => {
      const states = await Promise.all(pids.map(async (pid) => ((await isRunning(pid)) ? [pid] : [])))
      left = states.flat()
      return left.length === 0
    },
    budgetMs,
    50,
  )
  return left
}

/** Runs a line as a user's shell would. */
export async function paste(line: string): Promise<Record<string, unknown>> {
  return JSON.parse((await promisify(execFile)('sh', ['-c', line], { timeout: 10_000 })).stdout)
}

export type Ran = { exitCode: number; stdout: string; stderr: string }

/** Runs one of our scripts to its end. */
export async function runScript(
  script: string,
  dataDir: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<Ran> {
  const child = execFile(process.execPath, [`${repository}${script}`, ...args], {
    cwd: repository,
    env: { ...settingsFree(), MEC_DATA_DIR: dataDir, ...env },
    timeout: 30_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  await once(child, 'close')
  return { exitCode: child.exitCode ?? -1, stdout, stderr }
}
