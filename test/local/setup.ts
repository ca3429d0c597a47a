import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { afterAll } from 'vitest'
import { type NeonProxy, type NeonProxyOptions, startNeonProxy } from '../../local/neon/proxy.ts'
import { type RunningPostgres, startPostgres } from '../../local/postgres/cluster.ts'
import { waitUntil } from '../../local/wait-until.ts'

/** A folder for one test file (not to be called in a test), gone after it. Under /tmp and open, because as root Postgres runs as another user. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp('/tmp/mec-test-')
  await chmod(folder, 0o755)
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A throw-away Postgres behind a Neon proxy, stopped after the test file. */
export async function startDatabase(
  options: Omit<NeonProxyOptions, 'upstream'> = {},
): Promise<{ postgres: RunningPostgres; proxy: NeonProxy }> {
  const postgres = await startPostgres({ dataDir: `${await temporaryFolder()}/pg`, durable: false })
  const proxy = await startNeonProxy({ ...options, upstream: { port: postgres.port } })
  afterAll(async () => {
    await proxy.stop()
    await postgres.stop()
  })
  return { postgres, proxy }
}

/** Waits for what must come about, and fails when it has not after 5 s. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await waitUntil(condition, 5_000))) throw new Error(`not within 5 s: ${condition}`)
}

/** The rejection of a promise that must reject. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not reject')
}
