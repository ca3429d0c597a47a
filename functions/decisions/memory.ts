import type { Epoch, Lease } from '../core/changes.ts'
import type { KeyRecord } from '../core/credential.ts'
import type { Snapshot } from '../core/snapshot.ts'
import { compareVersions, type VersionPair } from '../core/versions.ts'
import { createLru } from './lru.ts'
import type { Aged, KeyState } from './state.ts'

/** An isolate answers from its memory for less than this after it was filled, unless it is set to less. */
export const MEMORY_MS = 1000
/** An isolate has 128 MB. */
const MAX_STATES = 20_000
const MAX_STATE_BYTES = 32 * 1024 * 1024
const MAX_KEYS = 2000
const MAX_NAMESPACES = 2000
/** As in lua/store.ts. */
const MAX_SCOPES = 64
/** For clocks that differ. */
const SLACK_MS = 1000

/** `filledAtMs`: when the Worker began to ask the tier that this was filled from. */
export interface Remembered<Value> extends Aged<Value> {
  readonly filledAtMs: number
}

export interface RememberedState extends VersionPair {
  readonly readAtMs: number
  readonly scopes: ReadonlyMap<string, Remembered<Snapshot>>
  readonly holders: Remembered<readonly Lease[]> | null
}

/**
 * The tier in the isolate, for all its requests: plain data, so that one request may use what another one read. It keeps
 * what is too old to answer from, for when no store answers.
 */
export interface Memory {
  epoch(namespace: string): Epoch | undefined
  /**
   * `askedAtMs`: when the Worker began to ask the tier that says so. False if a newer one is known. Of Redis an older
   * one may only be what a lost write left there.
   */
  learnEpoch(epoch: Epoch, tier: 'redis' | 'postgres', askedAtMs: number): boolean
  keyRecord(hash: string): Aged<KeyRecord | null> | undefined
  learnKeyRecord(hash: string, record: Aged<KeyRecord | null>): void
  state(name: string): RememberedState | undefined
  /** By the rule of lua/store.ts. False if what is known is newer. */
  learnState(name: string, state: KeyState, filledAtMs: number): boolean
}

/** `postgresBudgetMs`: how long a request to Postgres may take. */
export function createMemory(postgresBudgetMs: number): Memory {
  const epochs = createLru<Epoch & { readonly askedAtMs: number }>(MAX_NAMESPACES, Number.POSITIVE_INFINITY)
  const keyRecords = createLru<Aged<KeyRecord | null>>(MAX_KEYS, Number.POSITIVE_INFINITY)
  const states = createLru<RememberedState>(MAX_STATES, MAX_STATE_BYTES)

  /**
   * In one database versions never fall, and what told the known one was done within the budget: if a later reading of
   * Postgres has an older one, the database was restored.
   */
  function isRestored(readAtMs: number, knownAtMs: number): boolean {
    return readAtMs - knownAtMs > postgresBudgetMs + SLACK_MS
  }

  return {
    epoch: epochs.get,
    learnEpoch(epoch, tier, askedAtMs) {
      const known = epochs.get(epoch.namespace)
      const isOlder = known !== undefined && epoch.config_version < known.config_version
      if (isOlder && !(tier === 'postgres' && isRestored(askedAtMs, known.askedAtMs))) return false
      epochs.set(epoch.namespace, { ...epoch, askedAtMs }, 0)
      return true
    },
    keyRecord: keyRecords.get,
    learnKeyRecord(hash, record) {
      const known = keyRecords.get(hash)
      if (!known || known.readAtMs <= record.readAtMs) keyRecords.set(hash, record, 0)
    },
    state: states.get,
    learnState(name, state, filledAtMs) {
      const known = states.get(name)
      const order = known ? compareVersions(state, known) : 1
      if (known && order < 0 && !isRestored(state.readAtMs, known.readAtMs)) return false
      const learnt = remembered(state, filledAtMs)
      const next = known && order === 0 ? joined(known, learnt) : learnt
      states.set(name, next, bytesOf(name, next))
      return true
    },
  }
}

function remembered(state: KeyState, filledAtMs: number): RememberedState {
  return {
    keyVersion: state.keyVersion,
    configVersion: state.configVersion,
    readAtMs: state.readAtMs,
    scopes: new Map(Array.from(state.scopes, ([scope, aged]) => [scope, { ...aged, filledAtMs }])),
    holders: state.holders && { ...state.holders, filledAtMs },
  }
}

function joined(known: RememberedState, learnt: RememberedState): RememberedState {
  const scopes = new Map(known.scopes)
  for (const [scope, aged] of learnt.scopes) {
    const merged = later(scopes.get(scope) ?? null, aged)
    scopes.delete(scope)
    if (merged) scopes.set(scope, merged)
  }
  for (const longestUnread of scopes.keys()) {
    if (scopes.size <= MAX_SCOPES) break
    scopes.delete(longestUnread)
  }
  return {
    keyVersion: known.keyVersion,
    configVersion: known.configVersion,
    readAtMs: Math.max(known.readAtMs, learnt.readAtMs),
    scopes,
    holders: later(known.holders, learnt.holders),
  }
}

/** Of two readings of one version the later one; whichever fill was last has confirmed it. */
function later<Value>(known: Remembered<Value> | null, learnt: Remembered<Value> | null): Remembered<Value> | null {
  if (!known || !learnt) return learnt ?? known
  const latest = learnt.readAtMs >= known.readAtMs ? learnt : known
  return { ...latest, filledAtMs: Math.max(known.filledAtMs, learnt.filledAtMs) }
}

/** Roughly, as JSON: what varies is counted, what is about the same everywhere is estimated. With its last answer (again.ts). */
function bytesOf(name: string, { scopes, holders }: RememberedState): number {
  const SNAPSHOT = 1600
  const KIND = 800
  let bytes = name.length
  for (const { value } of scopes.values()) bytes += SNAPSHOT + KIND * value.kinds.length
  return holders ? bytes + JSON.stringify(holders.value).length : bytes
}
