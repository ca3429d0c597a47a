import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** What the operating system says of a process that we did not start ourselves. */
export type ProcessInfo = { parentPid: number; commandLine: string }

/** Parent and command line of a live process, or undefined when there is none with this pid (or only a zombie). */
export function processInfo(pid: number): Promise<ProcessInfo | undefined> {
  // Slim Linux images have no `ps`, macOS has no /proc.
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

async function fromProc(pid: number): Promise<ProcessInfo | undefined> {
  try {
    const [status, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ])
    if (commandLine === '') return undefined
    return { parentPid: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]), commandLine: commandLine.replaceAll('\0', ' ') }
  } catch {
    return undefined
  }
}

async function fromPs(pid: number): Promise<ProcessInfo | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'ppid=,command=', '-p', String(pid)])
    const [, parentPid, commandLine] = /^\s*(\d+)\s+(.+)$/m.exec(stdout) ?? []
    return commandLine === undefined || commandLine.includes('<defunct>')
      ? undefined
      : { parentPid: Number(parentPid), commandLine }
  } catch {
    return undefined
  }
}

/** Whether a process runs. A dead one that its parent has not noticed yet does not. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await processInfo(pid)) !== undefined
}
