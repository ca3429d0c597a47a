import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../database/migrate.ts'
import { startPostgres } from '../../local/postgres/cluster.ts'
import { oldestPostgres } from './oldest-postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The database as its owner: what a SQL user has. */
    ownerUrl: string
    /** The same database as who may do anything, and whom no trigger stops. */
    superuserUrl: string
    /** The same database as the Worker's role. */
    workerUrl: string
  }
}

/**
 * One real Postgres for a run of tests, on a free port and in a folder of its own: the embedded one, or the oldest
 * supported for the projects named so. Tests mint their own accounts and never clean up.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mec-test-'))
  await chmod(dataDir, 0o755)
  const postgres = await startPostgres({
    dataDir,
    durable: false,
    ...(project.name.endsWith('-15') ? { binDir: oldestPostgres } : {}),
  })
  const workerPassword = 'worker'
  await migrate({ connectionString: postgres.url, workerPassword })
  const workerUrl = new URL(postgres.url)
  workerUrl.username = 'mec_worker'
  workerUrl.password = workerPassword
  project.provide('ownerUrl', postgres.url)
  project.provide('superuserUrl', postgres.superuserUrl)
  project.provide('workerUrl', workerUrl.href)
  return async () => {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}
