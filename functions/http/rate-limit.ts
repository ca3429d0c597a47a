import { Failure } from '../core/failure.ts'
import type { Caller } from './auth.ts'

/** Cloudflare's binding. It counts in the data centre that the request came to. */
export interface RateLimiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>
}

/** What is absent is not limited. How many, and in what time, is set with the bindings: wrangler.toml. */
export interface RateLimiters {
  readonly requestsPerKey: RateLimiter | undefined
  readonly failedAuthPerAddress: RateLimiter | undefined
}

/** @throws Failure 429 when this key or token has made too many requests. */
export type LimitRequests = (caller: Caller) => Promise<void>

export function createLimitRequests({ requestsPerKey }: RateLimiters): LimitRequests {
  return async function limitRequests({ credential }) {
    if (!requestsPerKey) return
    const key = credential.type === 'key' ? credential.hash : `${credential.namespace} ${credential.subject ?? ''}`
    const { success } = await requestsPerKey.limit({ key })
    if (!success) throw tooMany('Too many requests with this key.')
  }
}

/**
 * What a failed authentication is answered with: itself, or 429 when the address has failed too often. Requests that
 * do not come through Cloudflare have no address, and are not limited.
 */
export async function limitFailure(
  failure: Failure,
  address: string | undefined,
  { failedAuthPerAddress }: RateLimiters,
): Promise<Failure> {
  if (failure.status !== 401 || !address || !failedAuthPerAddress) return failure
  const { success } = await failedAuthPerAddress.limit({ key: address })
  return success ? failure : tooMany('Too many failed authentications from this address.')
}

/** The longest period that the platform counts in. */
const PERIOD_SECONDS = 60

function tooMany(message: string): Failure {
  return new Failure(429, 'rate_limited', message, { headers: { 'Retry-After': String(PERIOD_SECONDS) } })
}
