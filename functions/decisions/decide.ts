import { Failure } from '../core/failure.ts'
import { KEY_RECORD_MS, mayAnswer } from '../core/freshness.ts'
import { decideFromSnapshot } from '../core/verdict.ts'
import { decideFromMemory } from './again.ts'
import { isAdmitted } from './authority.ts'
import { decideInOutage } from './outage.ts'
import {
  type Asked,
  type Asking,
  asked,
  type CheckDecision,
  type CheckQuestion,
  located,
  type Tiers,
} from './question.ts'
import { askRedis, type Reading, recallFresh } from './reading.ts'
import { lacksKeyRecord, remember, rememberUnknownKey } from './remember.ts'

/**
 * Decides checks, each from the nearest tier that may answer it and all others of its account and resource; those that
 * are left take one request to Postgres. The decisions are in the order of the questions.
 * @throws Failure as Postgres refuses; 503 when nobody could tell whether the key is one of ours
 */
export async function decide(
  questions: readonly CheckQuestion[],
  asking: Asking,
  tiers: Tiers,
): Promise<readonly CheckDecision[]> {
  const all = questions.map((question, index) => asked(question, index, asking.namespace))
  const decisions: (CheckDecision | undefined)[] = []
  const isOpen = ({ index }: Asked) => decisions[index] === undefined
  const [, mayBeCached] = split(all, ({ isFresh }) => isFresh)
  if (mayBeCached.length > 0) {
    await asking.timed('memory', () => answerFrom('memory', mayBeCached, (one) => recallFresh(tiers, one)))
    const [missed] = split(mayBeCached, isOpen)
    const readings = missed.length > 0 ? await askRedis(tiers, asking, missed) : null
    if (readings) answerFrom('redis', missed, ({ index }) => readings.get(index) ?? null)
  }
  const [open] = split(all, isOpen)
  if (open.length > 0) {
    for (const [index, decision] of await askPostgres(open, asking, tiers)) decisions[index] = decision
  }
  return decisions.filter((decision) => decision !== undefined)

  function answerFrom(source: 'memory' | 'redis', some: readonly Asked[], readingOf: (one: Asked) => Reading | null) {
    if (!isCallerAdmitted(asking, tiers)) return
    const epoch = tiers.memory.epoch(asking.namespace)
    const nowMs = tiers.nowMs()
    for (const one of some) {
      // Also of one that memory answered, where it lacked another of that account and resource.
      decisions[one.index] = undefined
      const reading = readingOf(one)
      if (!reading || reading.configVersion !== epoch?.config_version) continue
      const { value, readAtMs } = reading
      const decision =
        source === 'memory'
          ? decideFromMemory(value, one.question)
          : located(decideFromSnapshot(value, one.question), source, value.as_of, false)
      const maxMs = one.question.max_staleness_ms ?? tiers.maxStalenessMs
      if (mayAnswer(decision, value, readAtMs, nowMs, maxMs)) decisions[one.index] = decision
    }
  }
}

/**
 * Those of which it is true, with all that ask about the same account and resource, because one answer shows one state
 * of it; and the others.
 */
function split(asked: readonly Asked[], isMeant: (one: Asked) => boolean): [readonly Asked[], readonly Asked[]] {
  const meant = asked.filter(isMeant)
  if (meant.length === 0) return [meant, asked]
  if (meant.length === asked.length) return [meant, []]
  const names = new Set(meant.map(({ name }) => name))
  return [asked.filter(({ name }) => names.has(name)), asked.filter(({ name }) => !names.has(name))]
}

/** Of the newest record of the key: memory has learnt what Redis has. @throws Failure 401 */
function isCallerAdmitted({ credential, namespace }: Asking, { memory, nowMs }: Tiers): boolean {
  const record = credential.type === 'key' ? memory.keyRecord(credential.hash) : null
  return isAdmitted(credential, namespace, record, nowMs(), KEY_RECORD_MS)
}

async function askPostgres(
  open: readonly Asked[],
  asking: Asking,
  tiers: Tiers,
): Promise<ReadonlyMap<number, CheckDecision>> {
  const requests = open.map(({ question: { account_id, resource, scope, at } }) => ({
    account_id,
    resource,
    scope,
    at,
  }))
  const readAtMs = tiers.nowMs()
  try {
    const indexes = open.map(({ index }) => index)
    const answer = await asking.snapshots(requests, { indexes, auth: lacksKeyRecord(asking, tiers) })
    remember(open, answer, readAtMs, asking, tiers)
    const decisions = new Map<number, CheckDecision>()
    for (const [position, { index, question }] of open.entries()) {
      const snapshot = answer.snapshots[position]
      if (!snapshot) throw new RangeError('fewer snapshots than requests')
      decisions.set(index, located(decideFromSnapshot(snapshot, question), 'postgres', snapshot.as_of, false))
    }
    return decisions
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    if (error.status === 401) rememberUnknownKey(readAtMs, asking, tiers)
    if (error.status !== 503) throw error
    return decideInOutage(open, error, asking, tiers)
  }
}
