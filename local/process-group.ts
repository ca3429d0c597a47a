import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { parseStat } from './process-info.ts'
import { waitUntil } from './wait-until.ts'

/** How long a group has after its SIGTERM before it is killed, and after that before we give up on it. */
const TERM_BUDGET_MS = 1_500
const KILL_BUDGET_MS = 2_000

/** A live process as the list of all processes has it. */
export type Listed = { pid: number; parentPid: number; groupId: number; commandLine: string }

/** All live processes, zombies left out. */
export function listProcesses(): Promise<Listed[]> {
  return process.platform === 'linux' ? listProc() : listPs()
}

async function listProc(): Promise<Listed[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const all = await Promise.all(
    pids.map(async (pid): Promise<Listed[]> => {
      try {
        const [stat, commandLine] = await Promise.all([
          readFile(`/proc/${pid}/stat`, 'utf8'),
          readFile(`/proc/${pid}/cmdline`, 'utf8'),
        ])
        const { state, parentPid, groupId } = parseStat(stat)
        if (state === 'Z' || state === 'X') return []
        return [{ pid: Number(pid), parentPid, groupId, commandLine: commandLine.replaceAll('\0', ' ') }]
      } catch {
        // It ended meanwhile.
        return []
      }
    }),
  )
  return all.flat()
}

async function listPs(): Promise<Listed[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axww', '-o', 'pid=,ppid=,pgid=,stat=,command='], {
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parentPid, groupId, commandLine] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+[^Z\s]\S*\s+(.+)$/.exec(line) ?? []
    if (commandLine === undefined) return []
    return [{ pid: Number(pid), parentPid: Number(parentPid), groupId: Number(groupId), commandLine }]
  })
}

async function groupMembers(groupId: number): Promise<Listed[]> {
  return (await listProcesses()).filter((listed) => listed.groupId === groupId)
}

/**
 * Ends a process group: SIGTERM, then SIGKILL. A group whose members do not all look like `expected` is left alone: its
 * number is somebody else's by now. Resolves once no member is left, after 3.5 s at the most.
 */
export async function endGroup(groupId: number, expected: RegExp): Promise<void> {
  const members = await groupMembers(groupId)
  if (members.length === 0 || !members.every(({ commandLine }) => expected.test(commandLine))) return
  const gone = async () => (await groupMembers(groupId)).length === 0
  signalGroup(groupId, 'SIGTERM')
  if (await waitUntil(gone, TERM_BUDGET_MS, 50)) return
  signalGroup(groupId, 'SIGKILL')
  await waitUntil(gone, KILL_BUDGET_MS, 50)
}

/** Signals every member. One that is gone, or that nobody but zombies is left of, is no error. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal)
  } catch {
    // It ended meanwhile.
  }
}
