import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../database/migrate.ts'
import { ensureSampleData, hashOf } from '../../local/dev/sample-data.ts'
import { startNeonProxy } from '../../local/neon/proxy.ts'
import { startPostgres } from '../../local/postgres/cluster.ts'
import { startRedis } from '../../local/redis/engine.ts'
import { startUpstashProxy } from '../../local/upstash/proxy.ts'
import type { EdgeStores } from './edge-stores.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    edge: EdgeStores
  }
}

const DEV_KEY = 'mec_sk_dev'

/**
 * The stores behind the Worker under test, once for all test files: real ones behind the cloud's protocols. Test files
 * mint namespaces of their own and run one after the other, so that requests can be counted and faults set.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp('/tmp/mec-edge-')
  await chmod(dataDir, 0o755)
  const [postgres, redis] = await Promise.all([
    startPostgres({ dataDir: join(dataDir, 'postgres'), durable: false }),
    startRedis({ dataDir: join(dataDir, 'redis') }),
  ])
  const workerPassword = randomBytes(18).toString('base64url')
  await migrate({ connectionString: postgres.url, workerPassword })
  await ensureSampleData(postgres.url, hashOf(DEV_KEY))
  const neon = await startNeonProxy({ upstream: { port: postgres.port } })
  // The tests' own door to the database: neither counted nor faulty.
  const ownerNeon = await startNeonProxy({ upstream: { port: postgres.port }, maxConnections: 10 })
  const upstash = await startUpstashProxy({ redisPort: redis.port, token: randomBytes(18).toString('base64url') })
  const workerUrl = new URL(postgres.url)
  workerUrl.username = 'mec_worker'
  workerUrl.password = workerPassword
  project.provide('edge', {
    devKey: DEV_KEY,
    jwtSecret: randomBytes(32).toString('base64url'),
    jwtSecretPrevious: randomBytes(32).toString('base64url'),
    keyPepper: randomBytes(32).toString('base64url'),
    workerUrl: workerUrl.href,
    neonEndpoint: neon.url,
    ownerUrl: postgres.url,
    ownerEndpoint: ownerNeon.url,
    upstashUrl: upstash.url,
    upstashToken: upstash.token,
  })
  return async () => {
    await Promise.all([neon.stop(), ownerNeon.stop(), upstash.stop()])
    await Promise.all([postgres.stop(), redis.stop()])
    await rm(dataDir, { recursive: true, force: true })
  }
}
