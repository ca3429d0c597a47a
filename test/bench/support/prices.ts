/** Public list prices in US dollars, beyond what a plan includes, as read on `READ_ON` at their sources. */
export const READ_ON = '2026-11-22'

export const PRICES = {
  cloudflare: {
    name: 'Cloudflare Workers, Standard',
    source: 'https://developers.cloudflare.com/workers/platform/pricing/',
    perMillionRequests: 0.3,
    perMillionCpuMs: 0.02,
  },
  upstash: {
    name: 'Upstash Redis, pay as you go',
    source: 'https://upstash.com/pricing/redis',
    perMillionCommands: 2,
  },
  neon: {
    name: 'Neon, Launch',
    source: 'https://neon.com/pricing',
    perCuHour: 0.106,
  },
} as const

/** What one check takes, on average. */
export type PerCheck = { redisCommands: number; databaseRequests: number; cpuMs: number; databaseMs: number }

/** Of a million checks. A CU is counted as one core, busy for as long as the database computes. */
export function dollarsPerMillion({ redisCommands, cpuMs, databaseMs }: PerCheck) {
  const { cloudflare, upstash, neon } = PRICES
  const workers = cloudflare.perMillionRequests + cpuMs * cloudflare.perMillionCpuMs
  const redis = redisCommands * upstash.perMillionCommands
  const postgres = ((databaseMs * 1e6) / 3_600_000) * neon.perCuHour
  return { workers, redis, postgres, total: workers + redis + postgres }
}
