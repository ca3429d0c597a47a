import { z } from 'zod'
import { MEMORY_MS } from './decisions/memory.ts'
import type { Analytics } from './http/observe.ts'
import type { RateLimiter } from './http/rate-limit.ts'
import type { HeadsBucket } from './maintenance/sign-heads.ts'

const postgresUrl = z
  .string()
  .regex(/^postgres(?:ql)?:\/\/[^@/]+@[^/]+\/.+/, 'must be a postgres:// URL with user, host and database')
const secret = z.string().min(1, 'must not be empty')

/** A binding to something of the platform: it has the methods, or it is not the right one. */
function binding<Binding>(method: keyof Binding) {
  const isBinding = (value: unknown) => typeof value === 'object' && value !== null && method in value
  return z.custom<Binding>(isBinding, `must be a binding with ${String(method)}()`).optional()
}

const milliseconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

/** The Worker's bindings. Meaning and defaults of each are in wrangler.toml. */
const Environment = z
  .object({
    DATABASE_URL: postgresUrl,
    NEON_FETCH_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
    JWT_SECRET: secret,
    JWT_SECRET_PREVIOUS: secret.optional(),
    KEY_PEPPER: secret,
    LEDGER_SIGNING_KEY: secret.optional(),
    MEC_DEV_KEY: secret.optional(),
    POSTGRES_BUDGET_MS: milliseconds(50, 30_000).default(5000),
    UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
    UPSTASH_REDIS_REST_TOKEN: secret.optional(),
    REDIS_BUDGET_MS: milliseconds(10, 5000).default(300),
    MEMORY_MS: milliseconds(0, MEMORY_MS).default(MEMORY_MS),
    MAX_STALENESS_MS: milliseconds(0, 60_000).default(60_000),
    STALE_IF_ERROR_MS: milliseconds(0, 3_600_000).default(600_000),
    REQUESTS_PER_KEY: binding<RateLimiter>('limit'),
    FAILED_AUTH_PER_ADDRESS: binding<RateLimiter>('limit'),
    ANALYTICS: binding<Analytics>('writeDataPoint'),
    LEDGER_HEADS: binding<HeadsBucket>('put'),
  })
  .refine(
    ({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }) => (url === undefined) === (token === undefined),
    { path: ['UPSTASH_REDIS_REST_TOKEN'], error: 'and UPSTASH_REDIS_REST_URL must be given together' },
  )
export type Environment = z.output<typeof Environment>

/** The environment cannot be served from. Its message names the variables and never says a value. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

/** Checks the bindings, once per isolate. An empty value counts as absent: that is how a variable is unset in a file. */
export function parseEnvironment(bindings: object): Environment {
  const given = Object.entries(bindings).filter(([, value]) => value !== '')
  const parsed = Environment.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message, code }) =>
    code === 'invalid_type' ? `${path.join('.')} is missing or not a string` : `${path.join('.')} ${message}`,
  )
  throw new EnvironmentError(`Bad environment: ${faults.join('; ')}`)
}
