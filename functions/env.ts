import { z } from 'zod'

const postgresUrl = z
  .string()
  .regex(/^postgres(?:ql)?:\/\/[^@/]+@[^/]+\/.+/, 'must be a postgres:// URL with user, host and database')
const secret = z.string().min(1, 'must not be empty')

/** The Worker's bindings. Meaning and defaults of each are in wrangler.toml. */
const Environment = z.object({
  DATABASE_URL: postgresUrl,
  NEON_FETCH_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  JWT_SECRET: secret,
  JWT_SECRET_PREVIOUS: secret.optional(),
  KEY_PEPPER: secret,
  MEC_DEV_KEY: secret.optional(),
  POSTGRES_BUDGET_MS: z.coerce.number().int().min(50).max(30_000).default(5000),
})
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
