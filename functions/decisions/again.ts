import type { Snapshot } from '../core/snapshot.ts'
import { decideFromSnapshot } from '../core/verdict.ts'
import { type CheckDecision, type CheckQuestion, located } from './question.ts'

interface Last {
  readonly question: CheckQuestion
  readonly decision: CheckDecision
}

const lastOf = new WeakMap<Snapshot, Last>()
const jsonOf = new WeakMap<CheckDecision, string>()

/**
 * Decides from a snapshot in memory: the busiest accounts are asked the same again and again, and get the same object
 * again while the snapshot lives.
 */
export function decideFromMemory(snapshot: Snapshot, question: CheckQuestion): CheckDecision {
  const last = lastOf.get(snapshot)
  if (last && isSame(last.question, question)) return last.decision
  const decision = located(decideFromSnapshot(snapshot, question), 'memory', snapshot.as_of, false)
  lastOf.set(snapshot, { question, decision })
  return decision
}

/** In all that a decision from a snapshot shows. */
function isSame(one: CheckQuestion, other: CheckQuestion): boolean {
  return (
    one.quantity === other.quantity &&
    one.purpose === other.purpose &&
    one.account_id === other.account_id &&
    one.resource === other.resource &&
    one.scope === other.scope
  )
}

/** The decision as JSON; of one from memory made once. */
export function renderOnce(decision: CheckDecision): string {
  if (decision.source !== 'memory') return JSON.stringify(decision)
  const known = jsonOf.get(decision)
  if (known !== undefined) return known
  const json = JSON.stringify(decision)
  jsonOf.set(decision, json)
  return json
}
