import type { Credential, KeyRecord } from '../core/credential.ts'
import { Failure } from '../core/failure.ts'
import { DENIAL_MS, isWithin } from '../core/freshness.ts'
import type { Aged } from './state.ts'

/**
 * Whether a caller may check in a namespace, as far as a cached record of its key can say. A token has proved itself;
 * that its namespace exists is proved by anything cached of it.
 * @param maxAgeMs how old a record that admits may be
 * @throws Failure 401 when Postgres has just said that there is no such key
 */
export function isAdmitted(
  credential: Credential,
  namespace: string,
  record: Aged<KeyRecord | null> | null | undefined,
  nowMs: number,
  maxAgeMs: number,
): boolean {
  if (credential.type === 'jwt') return true
  if (!record) return false
  const { value: known, readAtMs } = record
  if (!known) {
    if (isWithin(DENIAL_MS - 1, readAtMs, nowMs))
      throw new Failure(401, 'unauthenticated', 'This API key is not valid.')
    return false
  }
  // Whatever else would refuse it, Postgres says in its own words.
  return (
    isWithin(maxAgeMs, readAtMs, nowMs) &&
    known.namespace === namespace &&
    (known.expires_at_ms === null || known.expires_at_ms > nowMs) &&
    known.scopes.some((scope) => scope === 'check' || scope === 'admin')
  )
}
