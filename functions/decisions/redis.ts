import type { Epoch } from '../core/changes.ts'
import type { KeyRecord } from '../core/credential.ts'
import { type Command, type Redis, RedisFailure } from '../store/redis.ts'
import type { Breaker } from './breaker.ts'
import { STORE } from './lua/store.ts'
import { epochName, keyRecordName, stateName } from './names.ts'
import { decodeEpoch, decodeKeyRecord, decodeState, encodeEpoch, encodeKeyRecord, encodeState } from './redis-values.ts'
import type { Aged, KeyState } from './state.ts'

/** A write in the background, or one that an answer waits for. */
export const WRITE_BUDGET_MS = 1000
/** How long the last rule seen is kept; nothing else is used at this age. */
const STATE_TTL_MS = 24 * 60 * 60 * 1000
/**
 * What says "nothing" is kept briefly: made-up accounts must not fill Redis. Longer than the script's 5 s, so that a
 * version outlives whatever is older than it and still on its way.
 */
const EMPTY_TTL_MS = 10_000
/** The script runs alone in Redis: one with more keys would hold up the others. */
const MAX_KEYS_PER_SCRIPT = 100

export interface RedisQuestion {
  readonly namespace: string
  /** Of an API key; null for a token, which proves itself. */
  readonly keyHash: string | null
  readonly keys: readonly RedisKey[]
  readonly holders: boolean
}

export interface RedisKey {
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
}

export interface RedisAnswer {
  readonly keyRecord: Aged<KeyRecord | null> | null
  readonly epoch: Epoch | null
  /** In the order of the question's keys. */
  readonly states: readonly (KeyState | null)[]
}

/** What to store of one namespace: from one reading, so of one age. */
export interface RedisEntry {
  readonly epoch: Epoch
  readonly readAtMs: number
  readonly states: ReadonlyMap<string, KeyState>
}

/** The tier that all isolates share. It may be lost at any moment: nothing here fails, it only has nothing to say. */
export interface RedisTier {
  /** One request with one command. Null when Redis cannot be asked. */
  read(question: RedisQuestion): Promise<RedisAnswer | null>
  /** False if Redis may not have all of it. `evenIfDown`: tries although it failed a moment ago. */
  write(
    entries: readonly RedisEntry[],
    keyRecords: ReadonlyMap<string, Aged<KeyRecord | null>>,
    evenIfDown: boolean,
  ): Promise<boolean>
}

export interface RedisTierSettings {
  readonly redis: Redis
  readonly breaker: Breaker
  readonly readBudgetMs: number
  /** How long a key's record may be of use: as long as one may be trusted when Postgres is down. */
  readonly keyRecordTtlMs: number
}

export function createRedisTier({ redis, breaker, readBudgetMs, keyRecordTtlMs }: RedisTierSettings): RedisTier {
  async function unlessDown<Result>(work: () => Promise<Result>, otherwise: Result): Promise<Result> {
    try {
      const result = await work()
      breaker.close()
      return result
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error
      breaker.open()
      console.warn(JSON.stringify({ event: 'redis_fault', message: error.message }))
      return otherwise
    }
  }

  async function read({ namespace, keyHash, keys, holders }: RedisQuestion): Promise<RedisAnswer> {
    const names = keys.map(({ account_id, resource }) => stateName(namespace, account_id, resource))
    const asked = [...(keyHash === null ? [] : [keyRecordName(keyHash)]), epochName(namespace), ...names]
    const reply = await redis.command(['MGET', ...asked], readBudgetMs)
    const values = Array.isArray(reply) ? reply.map(textOrNull) : []
    if (values.length !== asked.length) throw new RedisFailure('MGET replied something else than a list of its keys')
    const [first = null, second = null] = values
    const epoch = keyHash === null ? first : second
    return {
      keyRecord: keyHash === null || first === null ? null : decodeKeyRecord(first, keyHash),
      epoch: epoch === null ? null : decodeEpoch(epoch, namespace),
      states: keys.map(({ resource, scope }, index) => {
        const name = names[index] ?? ''
        const value = values[asked.length - names.length + index] ?? null
        return value === null ? null : decodeState(value, name, { resource, scope, holders })
      }),
    }
  }

  async function write(
    entries: readonly RedisEntry[],
    keyRecords: ReadonlyMap<string, Aged<KeyRecord | null>>,
  ): Promise<boolean> {
    const scripts = entries.flatMap(argumentsOf)
    const records = Array.from(keyRecords, ([hash, record]) => {
      return ['SET', keyRecordName(hash), encodeKeyRecord(hash, record), 'PX', String(keyRecordTtlMs)]
    })
    const sha = await storeSha()
    const replies = await redis.pipeline(
      [...scripts.map((script) => ['EVALSHA', sha, ...script]), ...records],
      WRITE_BUDGET_MS,
    )
    const unknown = scripts.filter((_, index) => isNoScript(replies[index]))
    const failure = replies.find((reply) => reply instanceof RedisFailure && !isNoScript(reply))
    if (failure instanceof RedisFailure) throw failure
    if (unknown.length === 0) return true
    // A Redis that has just started, or a new version of the script.
    const again = await redis.pipeline(
      unknown.map((script) => ['EVAL', STORE, ...script]),
      WRITE_BUDGET_MS,
    )
    const refusal = again.find((reply) => reply instanceof RedisFailure)
    if (refusal instanceof RedisFailure) throw refusal
    return true
  }

  return {
    async read(question) {
      return breaker.isOpen() ? null : unlessDown(() => read(question), null)
    },
    async write(entries, keyRecords, evenIfDown) {
      if (entries.length === 0 && keyRecords.size === 0) return true
      if (breaker.isOpen() && !evenIfDown) return false
      return unlessDown(() => write(entries, keyRecords), false)
    },
  }
}

/** The arguments of the script, for as many runs of it as the entry needs. */
function argumentsOf({ epoch, readAtMs, states }: RedisEntry): readonly Command[] {
  const all = Array.from(states)
  const runs: Command[] = []
  for (let start = 0; start === 0 || start < all.length; start += MAX_KEYS_PER_SCRIPT) {
    const some = all.slice(start, start + MAX_KEYS_PER_SCRIPT)
    const names = [epochName(epoch.namespace), ...some.map(([name]) => name)]
    const values = some.flatMap(([name, state]) => [encodeState(name, state), String(ttlOf(state))])
    const head = [String(readAtMs), encodeEpoch(epoch), String(STATE_TTL_MS)]
    runs.push([String(names.length), ...names, ...head, ...values])
  }
  return runs
}

function ttlOf({ scopes }: KeyState): number {
  return Array.from(scopes.values()).some(({ value }) => value.kinds.length > 0) ? STATE_TTL_MS : EMPTY_TTL_MS
}

let knownSha: string | undefined

/** Of the script, by which Redis knows it. */
async function storeSha(): Promise<string> {
  if (knownSha === undefined) {
    const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(STORE))
    knownSha = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }
  return knownSha
}

function isNoScript(reply: unknown): boolean {
  return reply instanceof RedisFailure && reply.message.includes('NOSCRIPT')
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
