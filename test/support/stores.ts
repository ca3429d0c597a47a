import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { migrate } from '../../database/migrate.ts'
import { ensureSampleData, hashOf } from '../../local/dev/sample-data.ts'
import { startNeonProxy } from '../../local/neon/proxy.ts'
import { startPostgres } from '../../local/postgres/cluster.ts'
import { startRedis } from '../../local/redis/engine.ts'
import { startUpstashProxy } from '../../local/upstash/proxy.ts'
import type { EdgeStores } from './edge-stores.ts'

const DEV_KEY = 'mec_sk_dev'

export type RunningStores = {
  stores: EdgeStores
  /** Stops it with all its connections and starts it again, at the same place. */
  restartPostgres(): Promise<void>
  /** Kills it, and starts an empty one at the same place. */
  restartRedis(): Promise<void>
  stop(): Promise<void>
}

/** Real stores behind the cloud's protocols, migrated and with the sample data. */
export async function startStores(): Promise<RunningStores> {
  const dataDir = await mkdtemp('/tmp/mec-stores-')
  await chmod(dataDir, 0o755)
  const atPostgres = { dataDir: join(dataDir, 'postgres'), durable: false }
  const atRedis = { dataDir: join(dataDir, 'redis') }
  let [postgres, redis] = await Promise.all([startPostgres(atPostgres), startRedis(atRedis)])
  const stopServers = async () => {
    await Promise.all([postgres.stop(), redis.stop()])
    await rm(dataDir, { recursive: true, force: true })
  }
  const workerPassword = randomBytes(18).toString('base64url')
  try {
    await migrate({ connectionString: postgres.url, workerPassword })
    await ensureSampleData(postgres.url, hashOf(DEV_KEY))
  } catch (error) {
    // Nobody else would: a setup that fails has no teardown.
    await stopServers()
    throw error
  }
  const neon = await startNeonProxy({ upstream: { port: postgres.port } })
  // The tests' own door to the database: neither counted nor faulty.
  const ownerNeon = await startNeonProxy({ upstream: { port: postgres.port }, maxConnections: 10 })
  const upstash = await startUpstashProxy({ redisPort: redis.port, token: randomBytes(18).toString('base64url') })
  const workerUrl = new URL(postgres.url)
  workerUrl.username = 'mec_worker'
  workerUrl.password = workerPassword
  return {
    stores: {
      devKey: DEV_KEY,
      jwtSecret: randomBytes(32).toString('base64url'),
      jwtSecretPrevious: randomBytes(32).toString('base64url'),
      keyPepper: randomBytes(32).toString('base64url'),
      signingKey: randomBytes(32).toString('base64url'),
      workerUrl: workerUrl.href,
      neonEndpoint: neon.url,
      ownerUrl: postgres.url,
      ownerEndpoint: ownerNeon.url,
      upstashUrl: upstash.url,
      upstashToken: upstash.token,
    },
    async restartPostgres() {
      const { port } = postgres
      await postgres.stop()
      postgres = await startPostgres({ ...atPostgres, port })
    },
    async restartRedis() {
      const { port } = redis
      await redis.stop()
      redis = await startRedis({ ...atRedis, port })
    },
    async stop() {
      await Promise.all([neon.stop(), ownerNeon.stop(), upstash.stop()])
      await stopServers()
    },
  }
}
