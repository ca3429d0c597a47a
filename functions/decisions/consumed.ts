import type { NamespaceChange } from '../core/changes.ts'
import type { Snapshot } from '../core/snapshot.ts'
import { type KindVerdict, type Question, renderDecision } from '../core/verdict.ts'

/** What `api_consume` answers: verdicts of before the write, the state of after it. A duplicate gets those of the first. */
export interface ConsumedInSql<Entry> {
  /** In the resource's own unit. */
  readonly quantity: number
  readonly verdicts: readonly KindVerdict[]
  readonly snapshot: Snapshot
  /** Null when denied. */
  readonly entry: Entry | null
  readonly duplicate: boolean
}

/** The decision on a consume, with the counts after it. */
export function renderConsumed<Entry>(
  { quantity, verdicts, snapshot, entry, duplicate }: ConsumedInSql<Entry>,
  { account_id, resource, scope }: Pick<Question, 'account_id' | 'resource' | 'scope'>,
) {
  const question = { account_id, resource, scope, quantity, purpose: 'consume' } as const
  return { ...renderDecision(snapshot, question, verdicts), as_of: snapshot.as_of, entry, duplicate }
}

/** What it changed; nothing, if it was denied or is a duplicate, whose snapshot is old. */
export function changesOfConsume<Entry>(
  { snapshot, entry, duplicate }: ConsumedInSql<Entry>,
  { account_id, resource }: Pick<Question, 'account_id' | 'resource'>,
): readonly NamespaceChange[] {
  if (!entry || duplicate) return []
  const { namespace, config_version, clock_offset_ms, key_version } = snapshot
  // A UUID that is used as it is has one name, however it was written.
  const name = account_id.toLowerCase() === snapshot.account_id ? snapshot.account_id : account_id
  const key = { account_id: name, resource, key_version, snapshot, holders: null }
  return [{ namespace, config_version, clock_offset_ms, keys: [key], api_keys: [] }]
}
