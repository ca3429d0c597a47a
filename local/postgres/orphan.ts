import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listProcesses } from '../process-group.ts'
import { isRunning, processInfo } from '../process-info.ts'
import { waitUntil } from '../wait-until.ts'

/**
 * Ends a postmaster that a killed run left behind on this data folder, so that a new one can start on it.
 *
 * Only ever signals a process that says it is a postgres on this very folder. One whose starter still lives is no
 * orphan: the kernel gives orphans another parent, so `parent = recorded owner` means somebody is using it.
 * @throws when another run is using the folder, or when the pid in its lock file is a Postgres we cannot account for.
 */
export async function stopOrphan(clusterDir: string, ownerFile: string): Promise<void> {
  const lockFile = join(clusterDir, 'postmaster.pid')
  const pid = await readPid(lockFile)
  if (pid === undefined) return
  const info = await processInfo(pid)
  if (info !== undefined && /postgres|postmaster/.test(info.commandLine)) {
    if (!info.commandLine.includes(`-D ${clusterDir} `)) {
      throw new Error(`${lockFile} names process ${pid} (${info.commandLine}), a Postgres on another folder: remove it`)
    }
    const owner = await readPid(ownerFile)
    if (info.parentPid === owner)
      throw new Error(`${clusterDir} is in use: process ${owner} runs Postgres ${pid} on it`)
    await stopPostmaster(pid, async () => !(await isRunning(pid)))
  }
  await disownLock(lockFile)
}

/**
 * Puts our own pid into the lock file of a postmaster that is gone. Its pid may be someone else's by now, or still
 * belong to its unreaped remains (PID 1 of many containers reaps nobody); Postgres would take either for alive and
 * refuse to start, but it knows that its own parent is no postmaster. Removing the file would help as well, and lose
 * what Postgres checks next with it: that no backend of the old postmaster still lives.
 */
async function disownLock(lockFile: string): Promise<void> {
  const lines = (await readFile(lockFile, 'utf8').catch(() => '')).split('\n')
  if (lines.length > 1) await writeFile(lockFile, [process.pid, ...lines.slice(1)].join('\n'))
}

async function readPid(file: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
  return pid > 0 ? pid : undefined
}

/** What the title of each process of a cluster begins with, and that of no other's. */
export function clusterName(clusterDir: string): string {
  return `mec_${createHash('sha256').update(clusterDir).digest('hex').slice(0, 12)}`
}

/**
 * Kills the backends that outlive their postmaster. Most notice its death and end by themselves; one that waits for a
 * lock of a backend that was killed never wakes up, and Postgres will not start beside it. Only for a folder on which no
 * postmaster runs: then nobody reads any more what they share.
 */
export async function killBackends(clusterDir: string): Promise<void> {
  const title = `postgres: ${clusterName(clusterDir)}: `
  for (const { pid, commandLine } of await listProcesses()) {
    if (!commandLine.startsWith(title)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      continue
    }
    await waitUntil(async () => !(await isRunning(pid)), 2_000)
  }
}

/**
 * Fast shutdown (sessions are rolled back, a checkpoint is written); when that takes over 2 s, an immediate one, from
 * which Postgres recovers at its next start; and a SIGKILL at the very last.
 */
export async function stopPostmaster(pid: number, ended: () => boolean | Promise<boolean>): Promise<void> {
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', 2_000],
    ['SIGQUIT', 800],
    // An immediate shutdown kills slow children after 5 s by itself; a postmaster killed before leaves them behind.
    ['SIGQUIT', 6_000],
    ['SIGKILL', 2_000],
  ]
  for (const [signal, budgetMs] of steps) {
    if (await ended()) return
    try {
      process.kill(pid, signal)
    } catch {
      return
    }
    if (await waitUntil(ended, budgetMs)) return
  }
  throw new Error(`Postgres ${pid} outlives a SIGKILL`)
}
