import type { Snapshot } from '../core/snapshot.ts'
import type { VersionPair } from '../core/versions.ts'
import type { Asked, Asking, Tiers } from './question.ts'
import { type Aged, type KeyState, scopeKey } from './state.ts'

/** The state behind a question, as a tier has it. */
export interface Reading extends VersionPair, Aged<Snapshot> {}

/** What memory has, of any age. */
export function recall({ memory }: Tiers, { name, question }: Asked) {
  const state = name === null ? undefined : memory.state(name)
  const found = state?.scopes.get(scopeKey(question.scope))
  return state && found ? { ...found, keyVersion: state.keyVersion, configVersion: state.configVersion } : null
}

/** What memory has, while it may answer. */
export function recallFresh(tiers: Tiers, asked: Asked): Reading | null {
  const found = recall(tiers, asked)
  return found && tiers.nowMs() - found.filledAtMs < tiers.memoryMs ? found : null
}

/**
 * What Redis has for these questions, after it has filled memory: by the questions' index. It leaves out what memory
 * knows to be outdated (of an older configuration, or an older version of a key), as when a write to Redis was lost.
 * Null when Redis cannot be asked.
 */
export async function askRedis(
  tiers: Tiers,
  { credential, namespace, timed }: Asking,
  questions: readonly Asked[],
): Promise<ReadonlyMap<number, Reading> | null> {
  const { memory, redis, nowMs } = tiers
  if (!redis) return null
  const keyHash = credential.type === 'key' ? credential.hash : null
  const keys = questions.map(({ question }) => question)
  const filledAtMs = nowMs()
  const answer = await timed('redis', () => redis.read({ namespace, keyHash, keys, holders: false }))
  if (!answer) return null
  if (keyHash !== null && answer.keyRecord) memory.learnKeyRecord(keyHash, answer.keyRecord)
  const readings = new Map<number, Reading>()
  if (!answer.epoch || !memory.learnEpoch(answer.epoch, 'redis', filledAtMs)) return readings
  for (const [position, { index, name, question }] of questions.entries()) {
    const state = answer.states[position]
    if (!state || name === null || !memory.learnState(name, state, filledAtMs)) continue
    const found = readingOf(state, question.scope)
    if (found) readings.set(index, found)
  }
  return readings
}

function readingOf(state: KeyState, scope: string | null): Reading | null {
  const found = state.scopes.get(scopeKey(scope))
  return found ? { ...found, keyVersion: state.keyVersion, configVersion: state.configVersion } : null
}
