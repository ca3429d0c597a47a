import { type KeyRecord, keyRecordOf } from '../core/credential.ts'
import { isWithin } from '../core/freshness.ts'
import type { Snapshot } from '../core/snapshot.ts'
import { stateName } from './names.ts'
import type { Asked, Asking, SnapshotAnswer, Tiers } from './question.ts'
import { type Aged, type KeyState, scopeKey } from './state.ts'

/** The record of a key is not learnt again so soon: well within the time that it is trusted for. */
const RECORD_REST_MS = 1000

/** Keeps what Postgres answered: in memory at once, in Redis after the answer. */
export function remember(
  asked: readonly Asked[],
  { snapshots, auth }: SnapshotAnswer,
  readAtMs: number,
  { credential, later }: Asking,
  { memory, redis }: Tiers,
): void {
  const states = new Map<string, KeyState>()
  let known: Snapshot | undefined
  for (const [position, { question, name }] of asked.entries()) {
    const snapshot = snapshots[position]
    if (!snapshot || name === null) continue
    known = snapshot
    // Not `name`, which says what a key claims to be of.
    const ownName = stateName(snapshot.namespace, question.account_id, question.resource)
    states.set(ownName, withScope(states.get(ownName), snapshot, readAtMs))
  }
  const records = new Map<string, Aged<KeyRecord | null>>()
  const namespace = snapshots[0]?.namespace
  if (credential.type === 'key' && auth && namespace !== undefined) {
    records.set(credential.hash, { value: keyRecordOf(namespace, auth), readAtMs })
  }
  for (const [hash, record] of records) memory.learnKeyRecord(hash, record)
  if (known) memory.learnEpoch(known, 'postgres', readAtMs)
  for (const [name, state] of states) memory.learnState(name, state, readAtMs)
  if (redis) later(redis.write(known ? [{ epoch: known, readAtMs, states }] : [], records, false))
}

/** Whether the record of the caller's key should be learnt (anew): to learn it each time would cost a read and a command. */
export function lacksKeyRecord({ credential }: Asking, { memory, nowMs }: Tiers): boolean {
  if (credential.type !== 'key') return false
  const record = memory.keyRecord(credential.hash)
  return !record?.value || !isWithin(RECORD_REST_MS, record.readAtMs, nowMs())
}

/** Briefly, so that a key that works no more, but is still in use, does not cost a request to Postgres each time. */
export function rememberUnknownKey(readAtMs: number, { credential, later }: Asking, { memory, redis }: Tiers): void {
  if (credential.type !== 'key') return
  const record = { value: null, readAtMs }
  memory.learnKeyRecord(credential.hash, record)
  if (redis) later(redis.write([], new Map([[credential.hash, record]]), false))
}

/** All of one statement, hence of one version. */
function withScope(state: KeyState | undefined, snapshot: Snapshot, readAtMs: number): KeyState {
  return {
    keyVersion: snapshot.key_version,
    configVersion: snapshot.config_version,
    readAtMs,
    scopes: new Map(state?.scopes).set(scopeKey(snapshot.scope), { value: snapshot, readAtMs }),
    holders: null,
  }
}
