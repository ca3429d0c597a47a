import type { Credential, KeyRecordInSql } from '../core/credential.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { Question, Verdict } from '../core/verdict.ts'
import type { OnError, Source } from '../core/vocabulary.ts'
import type { Memory } from './memory.ts'
import { isCanonical, stateName } from './names.ts'
import type { RedisTier } from './redis.ts'

export interface WithAuth {
  /** Whether the record of the caller's key is asked for as well. */
  readonly auth: boolean
}

export interface SnapshotOptions extends WithAuth {
  /** Which of the caller's questions these are. */
  readonly indexes: readonly number[]
}

/** What the database is asked for: the state as of `at` (null = now), for every quantity. */
export interface SnapshotRequest {
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly at: string | null
}

/** What the database answers: a snapshot for each request, in order, and what the key that asked may do. */
export interface SnapshotAnswer {
  readonly snapshots: readonly Snapshot[]
  /** Null for a token; absent if it was not asked for. */
  readonly auth?: KeyRecordInSql | null | undefined
}

export interface CheckQuestion extends Question {
  readonly at: string | null
  /** What to answer when no store can; null leaves it to the rules. */
  readonly on_error: OnError | null
  /** Null leaves it to the service. */
  readonly max_staleness_ms: number | null
}

export interface CheckDecision extends Verdict {
  readonly source: Source
  readonly as_of: string
  readonly degraded: boolean
}

export interface Tiers {
  readonly memory: Memory
  /** Null: the service has none. */
  readonly redis: RedisTier | null
  /** Real time, in milliseconds since 1970. */
  readonly nowMs: () => number
  /** How long after it was filled memory answers. */
  readonly memoryMs: number
  /** For who does not say. */
  readonly maxStalenessMs: number
  /** How old the state may be when Postgres cannot answer. */
  readonly staleIfErrorMs: number
}

/** Who asks, and what the request has to offer. */
export interface Asking {
  readonly credential: Credential
  /** Of a key only what it says of itself. */
  readonly namespace: string
  /**
   * Authenticates and reads, all in one round trip.
   * @throws Failure
   */
  readonly snapshots: (requests: readonly SnapshotRequest[], options: SnapshotOptions) => Promise<SnapshotAnswer>
  /** Work that the answer does not wait for. */
  readonly later: (work: Promise<unknown>) => void
  /** Counts the time of some I/O. */
  readonly timed: <Result>(tier: 'memory' | 'redis', work: () => Promise<Result> | Result) => Promise<Result>
}

/** A question on its way through the tiers. */
export interface Asked {
  readonly index: number
  readonly question: CheckQuestion
  /** Of its state in memory and Redis; null if it can have none there. */
  readonly name: string | null
  /** True if the state has to be read now. */
  readonly isFresh: boolean
}

export function asked(question: CheckQuestion, index: number, namespace: string): Asked {
  const { account_id, resource, at, max_staleness_ms } = question
  const isCacheable = at === null && isCanonical(account_id)
  const name = isCacheable ? stateName(namespace, account_id, resource) : null
  return { index, question, name, isFresh: name === null || max_staleness_ms === 0 }
}

export function located(verdict: Verdict, source: Source, asOf: string, degraded: boolean): CheckDecision {
  return { ...verdict, source, as_of: asOf, degraded }
}
