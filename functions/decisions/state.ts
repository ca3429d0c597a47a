import type { Lease } from '../core/changes.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { VersionPair } from '../core/versions.ts'

/** Something read from Postgres, and when the Worker began to ask for it: real time, milliseconds since 1970. */
export interface Aged<Value> {
  readonly value: Value
  readonly readAtMs: number
}

/**
 * What a tier holds, or is given, of one (account, resource). A use in one scope may draw on what another scope shows,
 * so all of it lives and dies under one pair of versions.
 */
export interface KeyState extends VersionPair {
  readonly readAtMs: number
  /** By scope; `''` is the scope null. */
  readonly scopes: ReadonlyMap<string, Aged<Snapshot>>
  readonly holders: Aged<readonly Lease[]> | null
}

/** No real scope is empty. */
export function scopeKey(scope: string | null): string {
  return scope ?? ''
}
