import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CannotStart, reasonOf } from './cannot-start.ts'

/** Where things are in the data folder. */
export type DataFolder = {
  root: string
  /** The lock, and what db:url and db:reset need to know of the run that holds it. */
  runFile: string
  /** One file for each secret. */
  secrets: string
  postgres: string
  redis: string
  /** Wrangler's own; nothing in it outlives a run. */
  worker: string
  logs: string
}

export function dataFolder(root: string): DataFolder {
  return {
    root,
    runFile: join(root, 'run.json'),
    secrets: join(root, 'secrets'),
    postgres: join(root, 'postgres'),
    redis: join(root, 'redis'),
    worker: join(root, 'worker'),
    logs: join(root, 'logs'),
  }
}

/** Makes the folders that are missing. @throws CannotStart when the place cannot be written to */
export async function prepareDataFolder(folder: DataFolder): Promise<void> {
  try {
    // As root, Postgres runs as another user, who has to get through to its own folder, whatever our umask is.
    await makeFolder(folder.root, 0o755)
    await makeFolder(folder.postgres, 0o755)
    await makeFolder(folder.redis, 0o700)
    await makeFolder(folder.secrets, 0o700)
    await makeFolder(folder.worker, 0o700)
    await makeFolder(folder.logs, 0o700)
    const probe = join(folder.root, `probe.${process.pid}`)
    await writeFile(probe, '')
    await rm(probe)
  } catch (error) {
    throw new CannotStart(
      `the data folder ${folder.root} cannot be written to (${reasonOf(error)}): ` +
        'make it writable, or set MEC_DATA_DIR to another folder',
    )
  }
}

/**
 * Makes a folder and the parents that are missing, one by one: under /proc, where nothing can be made, Node's
 * `recursive` never ends. Only a folder of our making gets our mode: what somebody set on purpose stays.
 */
async function makeFolder(path: string, mode: number): Promise<void> {
  if (await isFolder(path)) return
  if (!(await isFolder(dirname(path)))) await makeFolder(dirname(path), mode)
  await mkdir(path)
  await chmod(path, mode)
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
