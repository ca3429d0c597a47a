import { constants, copyFile, link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { processInfo } from '../process-info.ts'
import { CannotStart } from './cannot-start.ts'

const runState = z.object({
  /** The process that holds the data folder, and when it began: its pid alone may be another's by now. */
  pid: z.int().positive(),
  startTime: z.string(),
  /** The Worker's process group. */
  workerGroup: z.int().positive().optional(),
  /** Once Postgres and Redis are up. */
  stores: z
    .object({
      databaseUrl: z.string(),
      redisPort: z.int(),
      devKeyHash: z.string(),
    })
    .optional(),
})

/** What is known of a run while it lives; of a killed one this is what it left behind. */
export type RunState = z.infer<typeof runState>

export type RunFile = {
  /** What a killed run left here, if one did. */
  leftBehind: RunState | undefined
  update(known: Partial<RunState>): Promise<void>
  release(): Promise<void>
}

const ATTEMPTS = 5

/**
 * Takes the data folder for this process. The file of a run that lives no more is taken over.
 * @throws CannotStart when another live run holds it
 */
export async function takeRunFile(path: string): Promise<RunFile> {
  let state: RunState = { pid: process.pid, startTime: (await processInfo(process.pid))?.startTime ?? '' }
  const own = `${path}.${process.pid}`
  let leftBehind: RunState | undefined
  for (let attempt = 1; ; attempt++) {
    await writeFile(own, JSON.stringify(state), { mode: 0o600 })
    const taken = await claim(own, path)
    await rm(own, { force: true })
    if (taken) break
    if (attempt === ATTEMPTS) throw new CannotStart(`${path} cannot be taken: remove it if no MEC runs on that folder`)
    const text = await readFile(path, 'utf8').catch(() => '')
    const holder = parse(text)
    if (holder !== undefined && (await isRunning(holder))) {
      throw new CannotStart(
        `another MEC is running on ${path} (process ${holder.pid}): stop it, or set MEC_DATA_DIR to another folder`,
      )
    }
    if (await moveAway(path, text)) leftBehind = holder
  }
  return {
    leftBehind,
    async update(known) {
      state = { ...state, ...known }
      await writeFile(own, JSON.stringify(state), { mode: 0o600 })
      await rename(own, path)
    },
    release: () => rm(path, { force: true }),
  }
}

/** The live run on a data folder, if there is one. */
export async function readLiveRun(path: string): Promise<RunState | undefined> {
  const state = parse(await readFile(path, 'utf8').catch(() => ''))
  return state !== undefined && (await isRunning(state)) ? state : undefined
}

/** Puts a file in place unless there is one. With its content at once: nobody ever reads a half-written one. */
async function claim(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    // File systems without hard links: hardly ever half-written.
    return copyFile(own, path, constants.COPYFILE_EXCL).then(
      () => true,
      () => false,
    )
  }
}

/** Of several who see the same stale file one gets to remove it; whoever moved a newer one puts it back. */
async function moveAway(path: string, staleText: string): Promise<boolean> {
  const aside = `${path}.stale.${process.pid}`
  try {
    await rename(path, aside)
    const stale = (await readFile(aside, 'utf8')) === staleText
    if (!stale) await claim(aside, path)
    return stale
  } catch {
    return false
  } finally {
    await rm(aside, { force: true })
  }
}

async function isRunning({ pid, startTime }: RunState): Promise<boolean> {
  return (await processInfo(pid))?.startTime === startTime
}

function parse(text: string): RunState | undefined {
  try {
    return runState.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
