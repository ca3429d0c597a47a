import type { Scope } from './vocabulary.ts'

/** An API key. Only Postgres knows whether it exists, what it may do and (for certain) its namespace. */
export interface KeyCredential {
  readonly type: 'key'
  /** SHA-256 of the key, in hex. */
  readonly hash: string
  readonly request_id: string
}

/** A token whose signature and times the edge has verified. */
export interface JwtCredential {
  readonly type: 'jwt'
  readonly namespace: string
  readonly scopes: readonly Scope[]
  /** The one account that it may act on; null = all of the namespace. */
  readonly account: string | null
  readonly subject: string | null
  readonly request_id: string
}

/** The cron trigger: nobody outside can be this. */
export interface CronCredential {
  readonly type: 'cron'
  readonly request_id: string
}

export type Credential = KeyCredential | JwtCredential | CronCredential

/** What Postgres said of an API key. */
export interface KeyRecord {
  readonly namespace: string
  readonly scopes: readonly Scope[]
  /** Milliseconds since 1970; null = never. */
  readonly expires_at_ms: number | null
}

/** The same as SQL says it: `expires_at` is an instant, or null. */
export interface KeyRecordInSql {
  readonly scopes: readonly Scope[]
  readonly expires_at: string | null
}

export function keyRecordOf(namespace: string, { scopes, expires_at }: KeyRecordInSql): KeyRecord {
  return { namespace, scopes, expires_at_ms: expires_at === null ? null : Date.parse(expires_at) }
}
