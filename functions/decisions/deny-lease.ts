import type { Lease } from '../core/changes.ts'
import { DENIAL_MS, isWithin, mayAnswer } from '../core/freshness.ts'
import { decideFromSnapshot } from '../core/verdict.ts'
import { compareVersions } from '../core/versions.ts'
import { isCanonical, stateName } from './names.ts'
import { type Asking, type CheckDecision, located, type Tiers } from './question.ts'
import { scopeKey } from './state.ts'

export interface LeaseQuestion {
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly holder: string
  readonly units: number
}

export interface LeaseDenial {
  readonly decision: CheckDecision
  /** All of the active leases. */
  readonly holders: readonly Lease[]
}

/**
 * Denies a lease from what Redis knows, so that those who wait for a full pool do not queue for its row: while that is
 * younger than 2 s, and never whom it lists. Null: Postgres decides, as it decides every grant. Only for tokens, because
 * only checks trust the cached record of a key.
 */
export async function denyLease(
  question: LeaseQuestion,
  { credential, namespace, timed }: Pick<Asking, 'credential' | 'namespace' | 'timed'>,
  { memory, redis, nowMs }: Tiers,
): Promise<LeaseDenial | null> {
  const { account_id, resource, scope, holder, units } = question
  if (!redis || credential.type !== 'jwt' || !isCanonical(account_id)) return null
  const askedAtMs = nowMs()
  const answer = await timed('redis', () => redis.read({ namespace, keyHash: null, keys: [question], holders: true }))
  const state = answer?.states[0]
  const found = state?.scopes.get(scopeKey(scope))
  if (!answer?.epoch || !state?.holders || !found) return null
  const { holders } = state
  const known = memory.state(stateName(namespace, account_id, resource))
  const isCurrent =
    memory.learnEpoch(answer.epoch, 'redis', askedAtMs) &&
    state.configVersion === answer.epoch.config_version &&
    (!known || compareVersions(state, known) >= 0)
  if (!isCurrent || !isWithin(DENIAL_MS - 1, holders.readAtMs, nowMs())) return null
  if (holders.value.some((lease) => lease.holder === holder)) return null

  const verdict = decideFromSnapshot(found.value, { account_id, resource, scope, quantity: units, purpose: 'lease' })
  if (verdict.allowed || !mayAnswer(verdict, found.value, found.readAtMs, nowMs(), DENIAL_MS)) return null
  return { decision: located(verdict, 'redis', found.value.as_of, false), holders: holders.value }
}
