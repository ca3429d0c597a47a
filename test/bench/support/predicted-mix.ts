import { KEY_RECORD_MS } from '../../../functions/core/freshness.ts'
import { MEMORY_MS } from '../../../functions/decisions/memory.ts'
import type { Zipf } from './zipf.ts'

/** The share of each tier in a number of answers. */
export type Mix = Record<'memory' | 'redis' | 'postgres', number>

export type Geography = {
  isolates: number
  perSecond: number
  accounts: number
  redisMs: number
  neonMs: number
  stalenessMs: number
}

/**
 * The mix that follows from the times to live alone, if each account's checks come at random times (Poisson) and to
 * random isolates. Of a cache that keeps what it has fetched for `ttl`, and whose misses come `delay` apart at least:
 * hits = rate × ttl ÷ (1 + rate × (ttl + delay)). The API key's record is read again each 8 s; while that takes, all
 * checks go to Postgres.
 */
export function predictMix(
  { isolates, perSecond, accounts, redisMs, neonMs, stalenessMs }: Geography,
  zipf: Zipf,
): Mix {
  const hits = (perMs: number, ttl: number, delay: number) => (perMs * ttl) / (1 + perMs * (ttl + delay))
  const readMs = redisMs + neonMs + redisMs
  const outside = KEY_RECORD_MS / (KEY_RECORD_MS + readMs)
  const mix: Mix = { memory: 0, redis: 0, postgres: 1 - outside }
  for (let rank = 0; rank < accounts; rank++) {
    const share = zipf.share(rank)
    const perMs = (perSecond / 1000) * share
    const memory = hits(perMs / isolates, MEMORY_MS, redisMs)
    const redis = hits(perMs * (1 - memory), stalenessMs, readMs)
    mix.memory += outside * share * memory
    mix.redis += outside * share * (1 - memory) * redis
    mix.postgres += outside * share * (1 - memory) * (1 - redis)
  }
  return mix
}
