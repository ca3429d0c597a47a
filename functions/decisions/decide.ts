import type { Credential } from '../core/credential.ts'
import { Failure } from '../core/failure.ts'
import type { Snapshot } from '../core/snapshot.ts'
import { decideFromSnapshot, decideWithoutState, type Question, type Verdict } from '../core/verdict.ts'
import type { OnError, Source } from '../core/vocabulary.ts'

/** What the database is asked for: the state as of `at` (null = now), for every quantity. */
export interface SnapshotRequest {
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly at: string | null
}

export interface CheckQuestion extends Question {
  readonly at: string | null
  /** What to answer when no store can; null leaves it to the service, which then denies. */
  readonly on_error: OnError | null
}

export interface CheckDecision extends Verdict {
  readonly source: Source
  readonly as_of: string
  readonly degraded: boolean
}

export interface Stores {
  /** Authenticates and reads, in one round trip. @throws Failure */
  readonly snapshot: (request: SnapshotRequest) => Promise<Snapshot>
}

/**
 * Decides a check from the nearest store that may answer it: Postgres, so far.
 * @param nowMs the wall clock, milliseconds since 1970
 * @throws Failure as the store refuses; 503 when nobody could tell whether the key is one of ours
 */
export async function decide(
  question: CheckQuestion,
  credential: Credential,
  stores: Stores,
  nowMs: () => number,
): Promise<CheckDecision> {
  try {
    const { account_id, resource, scope, at } = question
    const snapshot = await stores.snapshot({ account_id, resource, scope, at })
    return located(decideFromSnapshot(snapshot, question), 'postgres', snapshot.as_of)
  } catch (error) {
    if (!isOutage(error) || credential.type === 'key') throw error
    const verdict = decideWithoutState(question, question.on_error ?? 'deny')
    return located(verdict, 'none', new Date(nowMs()).toISOString())
  }
}

function located(verdict: Verdict, source: Source, asOf: string): CheckDecision {
  return { ...verdict, source, as_of: asOf, degraded: source === 'none' }
}

function isOutage(error: unknown): boolean {
  return error instanceof Failure && error.status === 503
}
