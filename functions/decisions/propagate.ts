import type { KeyChange, NamespaceChange, Propagate } from '../core/changes.ts'
import { type KeyRecord, keyRecordOf } from '../core/credential.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { Memory } from './memory.ts'
import { isCanonical, stateName } from './names.ts'
import type { RedisEntry, RedisTier } from './redis.ts'
import { type Aged, type KeyState, scopeKey } from './state.ts'

export function createPropagate(memory: Memory, redis: RedisTier | null): Propagate {
  return async function propagate(changes, { readAtMs, isAwaited }) {
    const entries = changes.map((change) => entryOf(change, readAtMs))
    const records = new Map(changes.flatMap((change) => keyRecordsOf(change, readAtMs)))
    for (const { epoch, states } of entries) {
      memory.learnEpoch(epoch, 'postgres', readAtMs)
      for (const [name, state] of states) memory.learnState(name, state, readAtMs)
    }
    for (const [hash, record] of records) memory.learnKeyRecord(hash, record)
    return redis === null || redis.write(entries, records, isAwaited)
  }
}

function keyRecordsOf({ namespace, api_keys }: NamespaceChange, readAtMs: number) {
  return api_keys.map(({ hash, record }): [string, Aged<KeyRecord | null>] => [
    hash,
    { value: record && keyRecordOf(namespace, record), readAtMs },
  ])
}

function entryOf(change: NamespaceChange, readAtMs: number): RedisEntry {
  const keys = change.keys.filter(({ account_id }) => isCanonical(account_id))
  return {
    epoch: change,
    readAtMs,
    states: new Map(
      keys.map((key) => [
        stateName(change.namespace, key.account_id, key.resource),
        stateOf(key, change.config_version, readAtMs),
      ]),
    ),
  }
}

/** What else was known of the key dies with its version: a use in one scope may draw on what another one shows. */
function stateOf({ key_version, snapshot, holders }: KeyChange, configVersion: number, readAtMs: number): KeyState {
  const scopes = new Map<string, Aged<Snapshot>>()
  if (snapshot) scopes.set(scopeKey(snapshot.scope), { value: snapshot, readAtMs })
  return { keyVersion: key_version, configVersion, readAtMs, scopes, holders: holders && { value: holders, readAtMs } }
}
