import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { endGroup } from '../process-group.ts'
import { waitUntil } from '../wait-until.ts'
import type { DataFolder } from './data-folder.ts'
import { repository } from './settings.ts'

export type RunningWorker = {
  /** Of wrangler and all that it starts: its process group. */
  group: number
  /** Resolves when wrangler has ended, whatever the reason. */
  ended: Promise<void>
  /** Waits for the first 200 of /readyz. @throws with the end of the log when it does not come */
  ready(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

export type WorkerOptions = {
  folder: DataFolder
  port: number
  /** The Worker's bindings, besides those of wrangler.toml. */
  bindings: Readonly<Record<string, string>>
}

const READY_BUDGET_MS = 60_000
const REQUEST_BUDGET_MS = 5_000
/** What the command lines of the Worker's process group look like. */
const OURS = /wrangler|workerd|esbuild/

/** Starts the Worker in `wrangler dev`, on 127.0.0.1. */
export async function startWorker({ folder, port, bindings }: WorkerOptions): Promise<RunningWorker> {
  await clear(folder)
  const envFile = join(folder.worker, 'bindings.env')
  const lines = Object.entries(bindings).map(([name, value]) => `${name}=${quoted(value)}\n`)
  await writeFile(envFile, lines.join(''), { mode: 0o600 })
  const logFile = join(folder.logs, 'worker.log')
  const child = await launch(
    [
      ...['dev', '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      // With it wrangler reads neither .dev.vars nor .env; and what is in it is not shown in the list of processes.
      ...['--env-file', envFile],
      ...['--persist-to', join(folder.worker, 'state')],
      ...['--show-interactive-dev-session=false', '--log-level', 'warn'],
    ],
    environment(folder),
    logFile,
  )
  const ended = child.exitCode === null ? once(child, 'exit').then(() => undefined) : Promise.resolve()
  const group = child.pid
  if (group === undefined) throw new Error('a spawned process has no pid')

  return {
    group,
    ended,
    async ready(signal) {
      const over = () => child.exitCode !== null || child.signalCode !== null
      const settled = await waitUntil(
        async () => over() || signal.aborted || (await answers(port, signal)),
        READY_BUDGET_MS,
        50,
      )
      signal.throwIfAborted()
      if (settled && !over()) return
      throw new Error(`the Worker did not become ready: ${await unready(port)}\n${await tail(logFile)}`)
    },
    stop: () => endWorkerGroup(group),
  }
}

/** Ends the Worker of this run or, by the group that a killed run recorded, of an earlier one. */
export function endWorkerGroup(group: number): Promise<void> {
  return endGroup(group, OURS)
}

/** Our Worker keeps nothing there, so nothing is worth carrying into the next run. */
async function clear(folder: DataFolder): Promise<void> {
  for (const name of ['state', 'registry', 'wrangler-logs']) {
    await rm(join(folder.worker, name), { recursive: true, force: true })
  }
}

async function launch(args: string[], env: NodeJS.ProcessEnv, logFile: string): Promise<ChildProcess> {
  // Emptied at each start; at its level only warnings and errors come.
  const log = await open(logFile, 'w', 0o600)
  const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin', 'wrangler.js')
  const child = spawn(process.execPath, [wrangler, ...args], {
    cwd: repository,
    env,
    stdio: ['ignore', log.fd, log.fd],
    // A group of its own: the terminal's Ctrl-C is for us, who stop things in order, and we can end all of it.
    detached: true,
  })
  await once(child, 'spawn').finally(() => log.close())
  return child
}

function environment(folder: DataFolder): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // Nothing leaves the machine, nothing asks.
    CI: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'true',
    CLOUDFLARE_INCLUDE_PROCESS_ENV: 'false',
    WRANGLER_LOG_PATH: join(folder.worker, 'wrangler-logs'),
    WRANGLER_REGISTRY_PATH: join(folder.worker, 'registry'),
    // It would write a trace of every request to disk, and so become slower and larger with each.
    X_LOCAL_OBSERVABILITY: 'false',
    X_LOCAL_EXPLORER: 'false',
    NO_COLOR: '1',
  }
}

/** For dotenv, which takes what stands between quotes as it is; then `$` names another variable unless escaped. */
function quoted(value: string): string {
  const quote = value.includes("'") ? '`' : "'"
  return quote + value.replaceAll('$', '\\$') + quote
}

async function answers(port: number, signal: AbortSignal): Promise<boolean> {
  const response = await readyz(port, AbortSignal.any([signal, AbortSignal.timeout(REQUEST_BUDGET_MS)])).catch(() => {})
  return response?.ok ?? false
}

async function unready(port: number): Promise<string> {
  try {
    return await (await readyz(port, AbortSignal.timeout(REQUEST_BUDGET_MS))).text()
  } catch {
    return 'it does not answer'
  }
}

async function readyz(port: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal })
  // Read in any case: an unread body keeps its connection.
  return new Response(await response.text(), { status: response.status })
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).slice(-2_000)
}
