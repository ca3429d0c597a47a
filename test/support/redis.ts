import { randomBytes } from 'node:crypto'
import { createBreaker } from '../../functions/decisions/breaker.ts'
import { createRedisTier, type RedisTier } from '../../functions/decisions/redis.ts'
import { createRedis, type Redis } from '../../functions/store/redis.ts'
import { type RedisOptions, startRedis } from '../../local/redis/engine.ts'
import { startUpstashProxy, type UpstashProxy } from '../../local/upstash/proxy.ts'

export type LocalRedis = {
  redis: Redis
  proxy: UpstashProxy
  /** A tier over it with a breaker of its own, as another isolate has. */
  tier(nowMs?: () => number): RedisTier
  stop(): Promise<void>
}

/** A real Redis behind Upstash's protocol, for one test file. */
export async function startLocalRedis(options: RedisOptions = {}): Promise<LocalRedis> {
  const server = await startRedis(options)
  const proxy = await startUpstashProxy({ redisPort: server.port, token: randomBytes(18).toString('base64url') })
  const redis = createRedis({ url: proxy.url, token: proxy.token })
  return {
    redis,
    proxy,
    tier(nowMs = () => Date.now()) {
      const breaker = createBreaker(nowMs, 3000)
      return createRedisTier({ redis, breaker, readBudgetMs: 300, keyRecordTtlMs: 600_000 })
    },
    async stop() {
      await proxy.stop()
      await server.stop()
    },
  }
}
