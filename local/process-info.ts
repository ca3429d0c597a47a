import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** What the operating system says of a process that we did not start ourselves. */
export type ProcessInfo = {
  parentPid: number
  commandLine: string
  /** When it began, as the system writes it: the same pid with another one is another process. */
  startTime: string
}

/** Parent and command line of a live process, or undefined when there is none with this pid (or only a zombie). */
export function processInfo(pid: number): Promise<ProcessInfo | undefined> {
  // Slim Linux images have no `ps`, macOS has no /proc.
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

async function fromProc(pid: number): Promise<ProcessInfo | undefined> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ])
    if (commandLine === '') return undefined
    const { parentPid, startTime } = parseStat(stat)
    return { parentPid, startTime, commandLine: commandLine.replaceAll('\0', ' ') }
  } catch {
    return undefined
  }
}

/** The fields of /proc/PID/stat that we use. The name in it is in parentheses and may itself hold any character. */
export function parseStat(stat: string): { state: string; parentPid: number; groupId: number; startTime: string } {
  const [state = '', parentPid, groupId, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state, parentPid: Number(parentPid), groupId: Number(groupId), startTime: rest[16] ?? '' }
}

async function fromPs(pid: number): Promise<ProcessInfo | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'ppid=,lstart=,command=', '-p', String(pid)], {
      env: { ...process.env, LC_ALL: 'C' },
    })
    // lstart is `Sat Nov 21 21:08:00 2026`.
    const [, parentPid, startTime, commandLine] =
      /^\s*(\d+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.+)$/m.exec(stdout) ?? []
    if (startTime === undefined || commandLine === undefined || commandLine.includes('<defunct>')) return undefined
    return { parentPid: Number(parentPid), startTime, commandLine }
  } catch {
    return undefined
  }
}

/** Whether a process runs. A dead one that its parent has not noticed yet does not. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await processInfo(pid)) !== undefined
}
