import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stopPostmaster } from '../postgres/orphan.ts'
import { isRunning } from '../process-info.ts'
import { endWorkerGroup } from './worker.ts'

/** What has to end when the run ends. */
export type Wards = { postgres?: number; redis?: number; workerGroup?: number }

export type Warden = {
  /** Tells what is to be ended if this process cannot do it; replaces what was told before. */
  watch(wards: Wards): void
  /** Lets it go, ending nothing. Resolves when it has gone. */
  dismiss(): Promise<void>
}

const script = fileURLToPath(import.meta.url)

/**
 * Starts a small process that outlives a SIGKILL of this one, notices it by the end of their pipe, and then ends what
 * would be left behind. Should it be killed too, the next start cleans up.
 */
export async function startWarden(): Promise<Warden> {
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  await once(child, 'spawn')
  // A warden that is gone is no reason to stop.
  child.stdin.on('error', () => {})
  child.unref()
  const tell = (wards: Wards) => child.stdin.write(`${JSON.stringify(wards)}\n`)
  return {
    watch: tell,
    async dismiss() {
      tell({})
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

async function guard(): Promise<void> {
  let wards: Wards = {}
  for await (const line of createInterface({ input: process.stdin })) wards = JSON.parse(line)
  const { postgres, redis, workerGroup } = wards
  if (redis !== undefined) kill(redis)
  await Promise.all([
    workerGroup === undefined ? undefined : endWorkerGroup(workerGroup),
    postgres === undefined ? undefined : stopPostmaster(postgres, async () => !(await isRunning(postgres))),
  ])
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}

if (import.meta.main) await guard()
