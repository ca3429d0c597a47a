import type { Action, LimitKind, OnError, Outcome, Purpose, Reason } from './vocabulary.ts'

/** An integer number of millionths, as text: JSON has no integers of that size. */
export type Millionths = string

export interface Window {
  readonly type: string
  readonly start: string
  /** Null for a rolling window, and for one that never ends. */
  readonly end: string | null
}

/** All quantities up to `up_to` (null = every other one) get this answer. */
export interface Band {
  readonly up_to: Millionths | null
  readonly outcome: Outcome
  readonly reason: Reason
}

export interface SnapshotGrace {
  /** How much more may go over the limit, before the request; null = no bound, 0 once the time is up. */
  readonly quantity_left: Millionths | null
  /** Null before the limit was first exceeded, and where grace has no end. */
  readonly until: string | null
}

/** What one limit kind holds for the account, and its answer for every quantity. Null quantities are unlimited. */
export interface KindSnapshot {
  readonly limit_kind: LimitKind
  readonly limit: Millionths | null
  readonly used: Millionths
  readonly held: Millionths
  readonly remaining: Millionths | null
  readonly window: Window | null
  readonly action: Action
  readonly warn_at_percent: number | null
  readonly overage_multiplier: number
  readonly grace: SnapshotGrace | null
  /** Of the rule; what to answer when no store can. */
  readonly on_error: OnError
  /** Ascending. */
  readonly bands: readonly Band[]
}

/** Everything that any check of one (account, resource, scope) needs. Described in database/README.md. */
export interface Snapshot {
  readonly account_id: string
  readonly namespace: string
  readonly resource: string
  readonly scope: string | null
  readonly config_version: number
  /** How far the namespace's clock is ahead of real time. */
  readonly clock_offset_ms: number
  readonly key_version: number
  readonly as_of: string
  /** The next instant at which time alone can narrow the answer. */
  readonly valid_until: string | null
  /** The next instant at which time alone can widen the answer. */
  readonly improves_at: string | null
  readonly suspended: boolean
  /** Those in force, in the order of `LIMIT_KINDS`. */
  readonly kinds: readonly KindSnapshot[]
  readonly absent: Readonly<Record<Purpose, Reason>>
}
