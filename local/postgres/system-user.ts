import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

/** The user that Postgres runs as; empty when that is simply us. */
export type SystemUser = { uid: number; gid: number } | Record<string, never>

/**
 * Postgres refuses to run as root, so as root it gets another user: the owner of the data that is there, else
 * `postgres`, else `nobody`, which every system has. No user is ever created on the machine.
 */
export async function postgresUser(existingData: string): Promise<SystemUser> {
  if (process.getuid?.() !== 0) return {}
  const owner = await stat(existingData).catch(() => undefined)
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  return (await lookUp('postgres')) ?? (await lookUp('nobody')) ?? noUser()
}

async function lookUp(name: string): Promise<SystemUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)])
    return { uid, gid }
  } catch {
    return undefined
  }
}

async function idOf(flag: '-u' | '-g', name: string): Promise<number> {
  return Number((await promisify(execFile)('id', [flag, name])).stdout)
}

function noUser(): never {
  throw new Error('Postgres cannot run as root, and this machine has neither a user postgres nor a user nobody')
}

/** Throws, naming the folder, when `user` may not pass through one of the folders that lead to `path`. */
export async function assertTraversable(path: string, user: SystemUser): Promise<void> {
  if (user.uid === undefined) return
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { uid, gid, mode } = await stat(folder)
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) {
      throw new Error(
        `Postgres runs as uid ${user.uid}, which may not enter ${folder} (mode ${(mode & 0o777).toString(8)}) on the way ` +
          `to ${path}: chmod o+x ${folder}, or put it elsewhere`,
      )
    }
    if (folder === dirname(folder)) return
  }
}
