import type { KeyRecordInSql } from './credential.ts'
import type { Snapshot } from './snapshot.ts'

/** What the edge must know of a namespace to use anything cached of it. */
export interface Epoch {
  readonly namespace: string
  readonly config_version: number
  /** How far the namespace's clock is ahead of real time. */
  readonly clock_offset_ms: number
}

/** An active lease, as answers show it. */
export interface Lease {
  readonly lease_id: string
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly holder: string
  readonly units: number
  readonly status: 'active'
  readonly fencing_token: number
  readonly acquired_at: string
  readonly heartbeat_at: string
  readonly expires_at: string
  readonly released_at: null
  readonly metadata: Readonly<Record<string, unknown>>
}

/** As many are kept as a denial shows. With more of them nobody could tell who is not among them. */
export const MAX_HOLDERS = 20

/** One (account, resource) as a command left it. */
export interface KeyChange {
  /** As the caller writes it. */
  readonly account_id: string
  readonly resource: string
  readonly key_version: number
  /** The state after the command, in the scope it was about; null when only the version is known. */
  readonly snapshot: Snapshot | null
  /** All the active leases, oldest first; null when unknown, or when they are more than `MAX_HOLDERS`. */
  readonly holders: readonly Lease[] | null
}

/** An API key that was revoked (`record` null) or given another end. */
export interface ApiKeyChange {
  /** SHA-256, in hex. */
  readonly hash: string
  readonly record: KeyRecordInSql | null
}

/** What a command changed in one namespace: `changes` in database/README.md is a list of them. */
export interface NamespaceChange extends Epoch {
  readonly keys: readonly KeyChange[]
  readonly api_keys: readonly ApiKeyChange[]
}

/** What a SQL function answered, and what it changed. */
export interface Told<Answer> {
  readonly answer: Answer
  readonly changes: readonly NamespaceChange[]
}

export interface PropagateOptions {
  /** When the Worker began to ask for the change: real time, milliseconds since 1970. */
  readonly readAtMs: number
  /** The answer waits for it, so it is tried even when Redis failed a moment ago. */
  readonly isAwaited: boolean
}

/**
 * Writes through what a command changed: into memory before it returns, so that a check in this isolate sees it, and
 * into Redis. The promise never rejects; false says that Redis may not have it.
 */
export type Propagate = (changes: readonly NamespaceChange[], options: PropagateOptions) => Promise<boolean>
