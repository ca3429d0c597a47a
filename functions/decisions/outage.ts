import type { Failure } from '../core/failure.ts'
import { isInForce, isWithin } from '../core/freshness.ts'
import { decideFromSnapshot, decideWithoutState, onErrorOf } from '../core/verdict.ts'
import { compareVersions } from '../core/versions.ts'
import { isAdmitted } from './authority.ts'
import { type Asked, type Asking, type CheckDecision, located, type Tiers } from './question.ts'
import { askRedis, type Reading, recall } from './reading.ts'

/**
 * Decides while Postgres cannot: from the last state, if that is not too old; else by the request's `on_error`, else by
 * that of the last rule seen, else deny.
 * @throws Failure the given one, when nobody can tell whether the key is one of ours
 */
export async function decideInOutage(
  open: readonly Asked[],
  failure: Failure,
  asking: Asking,
  tiers: Tiers,
): Promise<ReadonlyMap<number, CheckDecision>> {
  const { memory, nowMs, staleIfErrorMs } = tiers
  const named = open.filter(({ name }) => name !== null)
  const fromRedis = (named.length > 0 ? await askRedis(tiers, asking, named) : null) ?? new Map<number, Reading>()
  const { credential, namespace } = asking
  const record = credential.type === 'key' ? memory.keyRecord(credential.hash) : null
  if (!isAdmitted(credential, namespace, record, nowMs(), staleIfErrorMs)) throw failure

  const epoch = memory.epoch(namespace)
  const decisions = new Map<number, CheckDecision>()
  for (const one of open) {
    const remembered = recall(tiers, one)
    const stored = fromRedis.get(one.index) ?? null
    const reading = latest(remembered, stored)
    decisions.set(one.index, decideFrom(one, reading, reading === stored ? 'redis' : 'memory'))
  }
  return decisions

  function decideFrom({ question }: Asked, reading: Reading | null, source: 'memory' | 'redis'): CheckDecision {
    if (
      reading !== null &&
      reading.configVersion === epoch?.config_version &&
      isWithin(staleIfErrorMs, reading.readAtMs, nowMs()) &&
      isInForce(reading.value, nowMs())
    ) {
      return located(decideFromSnapshot(reading.value, question), source, reading.value.as_of, true)
    }
    const onError = question.on_error ?? (reading ? onErrorOf(reading.value, question) : 'deny')
    const asOfMs = question.at === null ? nowMs() + (epoch?.clock_offset_ms ?? 0) : Date.parse(question.at)
    return located(decideWithoutState(question, onError), 'none', new Date(asOfMs).toISOString(), true)
  }
}

function latest(remembered: Reading | null, stored: Reading | null): Reading | null {
  if (!remembered || !stored) return remembered ?? stored
  const order = compareVersions(stored, remembered) || stored.readAtMs - remembered.readAtMs
  return order > 0 ? stored : remembered
}
